// Functions with known ends, moved to a random place of the cube by each seed: centre-first designs are flattered
// otherwise. Threads: pure.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/search_space.h"

namespace tuner::bench {

// One instance of a task: a space, and the regret (>= 0, to be minimised) of its points.
struct Instance {
  core::SearchSpace space;
  std::function<double(const core::ParameterMap&)> regret;
};

struct Task {
  std::string name;
  int budget = 0;
  double noise = 0;  // deviation of what is observed
  std::function<Instance(uint64_t seed)> make;
};

// Smooth, curved, ill-conditioned, multimodal, noisy, mixed (integers and categories whose order is hidden), and sparse
// ones, of 2 to 20 dimensions.
std::vector<Task> TestTasks();

}  // namespace tuner::bench
