#include "core/clock.h"

#include <algorithm>
#include <atomic>

#include "absl/time/clock.h"

namespace tuner::core {
namespace {

class SystemClock : public Clock {
 public:
  absl::Time Now() const override {
    // A step back of the machine's clock must not reorder what was recorded: the latest time seen stands until it is
    // passed.
    const int64_t machine = absl::GetCurrentTimeNanos();
    int64_t latest = latest_.load(std::memory_order_relaxed);
    while (machine > latest && !latest_.compare_exchange_weak(latest, machine, std::memory_order_relaxed)) {
    }
    return absl::FromUnixNanos(std::max(machine, latest));
  }

  bool AwaitUntil(absl::Mutex& mutex, const absl::Condition& condition, absl::Time deadline) override {
    // Waits by duration, not by wall time: the machine's clock may be set meanwhile.
    while (true) {
      const absl::Duration left = deadline - Now();
      if (mutex.AwaitWithTimeout(condition, std::max(left, absl::ZeroDuration()))) return true;
      if (Now() >= deadline) return false;
    }
  }

 private:
  mutable std::atomic<int64_t> latest_{0};
};

}  // namespace

std::unique_ptr<Clock> MakeSystemClock() { return std::make_unique<SystemClock>(); }

struct ManualClock::Waiter {
  absl::Mutex& mutex;
  const absl::Condition& condition;
  absl::Time deadline;
  std::atomic<bool> due{false};

  bool Done() const { return due.load() || condition.Eval(); }
};

absl::Time ManualClock::Now() const {
  absl::MutexLock lock(&mutex_);
  return now_;
}

bool ManualClock::AwaitUntil(absl::Mutex& mutex, const absl::Condition& condition,
                             absl::Time deadline) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  while (true) {
    if (condition.Eval()) return true;
    if (Now() >= deadline) return false;
    // The waiter is listed and unlisted without `mutex`, which Set takes while it holds the list; the condition may
    // change in these gaps, so the loop looks again.
    Waiter waiter{.mutex = mutex, .condition = condition, .deadline = deadline};
    mutex.Unlock();
    {
      absl::MutexLock lock(&waiters_mutex_);
      waiters_.push_back(&waiter);
      waiter.due = Now() >= deadline;
    }
    mutex.Lock();
    mutex.Await(absl::Condition(&waiter, &Waiter::Done));
    mutex.Unlock();
    {
      absl::MutexLock lock(&waiters_mutex_);
      waiters_.erase(std::find(waiters_.begin(), waiters_.end(), &waiter));
    }
    mutex.Lock();
  }
}

void ManualClock::Set(absl::Time now) {
  {
    absl::MutexLock lock(&mutex_);
    if (now <= now_) return;
    now_ = now;
  }
  absl::MutexLock lock(&waiters_mutex_);
  for (Waiter* waiter : waiters_) {
    if (waiter->deadline > now) continue;
    waiter->due = true;
    // Unlocking makes the mutex look at its waiters' conditions.
    absl::MutexLock wake(&waiter->mutex);
  }
}

}  // namespace tuner::core
