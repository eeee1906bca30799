// An executor whose engine answers badly: calls are refused, answered too late to be heard, or carried out twice, and
// events come late and in another order between runs (never within one). For tests of what is built to bear that.
//
// Only Launch and Stop of runs whose end was not told yet are tampered with, so that every call still has one right
// answer. A pure function of its seed but for the order of threads.
//
// Threads: any; events come on a thread of its own. Ownership: owns the executor that `make` gives; borrows the
// listener. What was not delivered when it is destroyed is lost, as in a crash.
#pragma once

#include <cstdint>
#include <memory>

#include "tests/executors/executor_conformance.h"

namespace tuner::executors {

struct FaultRates {
  double refused = 0.25;  // UNAVAILABLE, and nothing is done
  double lost = 0.25;     // done, and UNAVAILABLE all the same
  double twice = 0.25;    // done twice
  uint64_t seed = 1;
};

std::unique_ptr<Executor> MakeFaultyExecutor(const MakeExecutor& make, RunListener* listener, FaultRates rates);

}  // namespace tuner::executors
