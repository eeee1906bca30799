// One simulated history of a server: the real job machine, engine and storage, on a clock of its own, with scripted
// runs and workers, and faults at every seam: refused commits, lost acknowledgements, duplicate and late events,
// crashes at any commit or launch.
//
// After each step it checks what must always hold, and at the end that every suggestion is recomputed, bit by bit, from
// what is stored. Fits of models take as long as the history says. A pure function of its seed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tuner::simulation {

struct Outcome {
  std::vector<std::string> violations;  // empty: everything held
  int crashes = 0;
  int refused_commits = 0;
  int trials = 0;
  int attempts = 0;
  int promotions = 0;
  int early_stopped = 0;
  int with_parents = 0;  // jobs
  int measurements = 0;
  int notifications = 0;  // delivered; repeats not counted
  int repeats = 0;
  int steps = 0;
  int fresh = 0, last_fit = 0, fallback = 0;  // suggestions, by the kind of their basis
  std::string log;                            // what happened, for a failing seed
};

struct Faults {
  bool crashes = true;
  bool storage = true;
  bool duplicates = true;
  bool late = true;  // the clock jumps over what is due, as when a machine is too busy
  // A defect planted by the test of the simulation itself, which must see it: the storage forgets one in ten commits.
  bool forget_commits = false;
};

Outcome Simulate(uint64_t seed, const Faults& faults);

}  // namespace tuner::simulation
