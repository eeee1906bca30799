// Tries again what an engine that is down (UNAVAILABLE) or throttles (RESOURCE_EXHAUSTED with a time, see later.h) did
// not do, with exponential back-off and jitter.
//
// Launch and Stop are taken over: the caller is told OK at once, and the tries that follow are made elsewhere, so that
// nobody waits behind an engine that is down. Of a launch that was taken over, exactly one RunEnded follows as of any
// other: kStopped if it is stopped before the engine took it, kRefused if the engine, when it answers, cannot run it.
// A launch whose answer was lost may have happened: before a run is called never started, the engine is asked. A Stop
// of a run that has ended may be OK while the engine is down, as nobody knows.
// Adopt needs its answer, so it is not taken over: UNAVAILABLE then says when to ask again, later each time.
//
// Threads: any; its own thread makes the later tries, or with `own_thread` false the caller of RunDue. Ownership: owns
// the executor within; borrows listener and clock, which outlive it. The destructor drops what waits: to the next
// server such a run is one that was never accepted.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/time/time.h"
#include "executors/executor.h"

namespace tuner::executors {

struct RetryOptions {
  absl::Duration initial = absl::Seconds(1);  // wait after the first failure; doubles with each in a row
  absl::Duration most = absl::Seconds(30);
  double jitter = 0.5;  // each wait is shortened by a random part of up to this share of it
  uint64_t seed = 0;    // of the jitter
  bool own_thread = true;
};

class RetryingExecutor : public Executor {
 public:
  // Only without own thread: tries again what is due; and when that is.
  virtual void RunDue() = 0;
  virtual absl::Time NextDue() const = 0;
};

// `listener` is told the ends of runs that the engine never saw: the one that the executor within tells of all others.
std::unique_ptr<RetryingExecutor> MakeRetryingExecutor(std::unique_ptr<Executor> within, RunListener* listener,
                                                       core::Clock* clock, RetryOptions options);

}  // namespace tuner::executors
