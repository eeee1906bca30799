// Spares an engine that is down, and those who would wait for its time-outs: after so many UNAVAILABLE in a row calls
// are answered with UNAVAILABLE at once, with the reason and when to ask again; after a cool-down one call is let
// through, and its answer decides whether the engine is back.
//
// Threads: any. Ownership: owns the executor within, borrows the clock. Errors: as Executor says. Acknowledge, which
// has no answer, goes through always.
#pragma once

#include <memory>
#include <string>

#include "executors/executor.h"

namespace tuner::executors {

struct BreakerOptions {
  int failures = 5;  // in a row; >= 1
  absl::Duration cool_down = absl::Seconds(10);
};

// `name`: of the executor, for the reason.
std::unique_ptr<Executor> MakeCircuitBreaker(std::unique_ptr<Executor> within, core::Clock* clock, std::string name,
                                             BreakerOptions options);

}  // namespace tuner::executors
