// Bounds how many runs an executor launches per second, as engines that throttle want it: a token bucket.
//
// A launch without a token is answered with RESOURCE_EXHAUSTED and the time of its turn (RetryAfter of later.h); turns
// are given in the order of asking and kept for the run, so that none is passed over. Stops and all else go through.
//
// Threads: any. Ownership: owns the executor within, borrows the clock. Errors: as Executor says.
#pragma once

#include <memory>

#include "executors/executor.h"

namespace tuner::executors {

struct RateLimit {
  double per_second = 0;  // > 0
  int burst = 1;          // launches that may come at once after a pause; >= 1
};

std::unique_ptr<Executor> MakeRateLimitedExecutor(std::unique_ptr<Executor> within, core::Clock* clock,
                                                  RateLimit limit);

}  // namespace tuner::executors
