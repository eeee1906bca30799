// A strategy with a model in name only, for tests of what runs strategies: its fits and suggestions take as long as a
// test says, and each proposal is a hash of all that a recorded basis says it may depend on, so that the least
// difference of a replay shows.
//
// Threads: those of strategies::Strategy; hooks are called from the thread that does the work. Ownership: a strategy
// borrows its Script.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "strategies/strategy.h"

namespace tuner::testing {

struct Script {
  int fit_every = 1;                                      // results after the installed fit that make another one due
  std::function<void(strategies::StopToken)> on_fit;      // called by each fit
  std::function<void(strategies::StopToken)> on_suggest;  // called by each Suggest that is no replay
  std::string fingerprint = "scripted";
  bool reuses = false;  // every fourth proposal or so is a completed trial's point again, with its result
  // Counted.
  std::atomic<int> fits{0};
  std::atomic<int> suggests{0};
};

std::unique_ptr<strategies::Strategy> MakeScriptedStrategy(Script* script, const core::JobSpec& spec);
// A space of x in [0, 1] alone.
core::SearchSpace ScriptedSpace();

}  // namespace tuner::testing
