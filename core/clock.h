// Time and waiting as a seam, so that tests run on a clock of their own.
//
// Threads: every method may be called from any thread. Ownership: a Clock outlives its users. Errors: none.
// Only the shell (engine, executors, service) owns a Clock; decisions get time inside their events.
#pragma once

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace tuner::core {

class Clock {
 public:
  virtual ~Clock() = default;

  // Wall time. Never goes backwards within one Clock.
  virtual absl::Time Now() const = 0;

  // With `mutex` held: waits until `condition` holds (true) or Now() >= deadline (false).
  virtual bool AwaitUntil(absl::Mutex& mutex, const absl::Condition& condition, absl::Time deadline) = 0;
};

// The machine's clock.
std::unique_ptr<Clock> MakeSystemClock();

// A clock that stands still until it is set. `Set` with an earlier time is ignored. Wakes those that wait; its caller
// must not hold a mutex that somebody waits with.
class ManualClock : public Clock {
 public:
  explicit ManualClock(absl::Time start) : now_(start) {}

  absl::Time Now() const override;
  bool AwaitUntil(absl::Mutex& mutex, const absl::Condition& condition, absl::Time deadline) override;
  void Set(absl::Time now);
  void Advance(absl::Duration step) { Set(Now() + step); }

 private:
  struct Waiter;

  // Lock order: waiters_mutex_, then a waiter's own mutex, then mutex_. Now() may so be called under any lock.
  absl::Mutex waiters_mutex_;
  std::vector<Waiter*> waiters_ ABSL_GUARDED_BY(waiters_mutex_);
  mutable absl::Mutex mutex_;
  absl::Time now_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tuner::core
