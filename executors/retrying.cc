#include "executors/retrying.h"

#include <algorithm>
#include <deque>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "core/rng.h"
#include "executors/later.h"

namespace tuner::executors {
namespace {

// Runs that ended before they began are remembered, so that a launch that is repeated late does not start them.
constexpr size_t kRememberedRuns = 10'000;

class RetryingExecutorImpl : public RetryingExecutor {
 public:
  RetryingExecutorImpl(std::unique_ptr<Executor> within, RunListener* listener, core::Clock* clock,
                       RetryOptions options)
      : within_(std::move(within)), listener_(listener), clock_(clock), options_(options), rng_(options.seed, 0) {
    if (options_.own_thread) thread_ = std::thread([this] { Work(); });
  }
  ~RetryingExecutorImpl() override {
    {
      absl::MutexLock lock(&mutex_);
      stopping_ = true;
    }
    if (thread_.joinable()) thread_.join();
  }

  absl::Status Launch(const RunSpec& spec) override;
  absl::Status Stop(const RunId& id, absl::Duration grace) override;
  absl::StatusOr<std::vector<bool>> Adopt(absl::Span<const RunCursor> runs) override;
  void Acknowledge(const RunId& id) override { within_->Acknowledge(id); }
  absl::Status Remove(const std::string& job_id, const std::string& job_uid) override;
  absl::Status RemoveArtifacts(const RunSpec& spec, bool with_logs) override {
    return within_->RemoveArtifacts(spec, with_logs);
  }
  Capabilities capabilities() const override { return within_->capabilities(); }

  void RunDue() override;
  absl::Time NextDue() const override {
    absl::MutexLock lock(&mutex_);
    absl::Time next = absl::InfiniteFuture();
    for (const auto& [id, waiting] : waiting_) {
      if (!waiting.in_flight) next = std::min(next, waiting.due);
    }
    return next;
  }

 private:
  // A call that is tried again. Of each run at most one waits, a launch or a stop.
  struct Waiting {
    std::optional<RunSpec> launch;       // else only a stop
    std::optional<absl::Duration> stop;  // its grace
    int failures = 0;
    bool in_flight = false;
    absl::Time due = absl::InfiniteFuture();
    uint64_t order = 0;
  };

  void Work();
  void TryAgain(const RunId& id);
  // These are called for a run whose entry is in flight, and leave it waiting or gone. NOT_FOUND of a stop: the run
  // has ended, and its end event is on the way.
  absl::Status TryLaunch(const RunSpec& spec, bool first);
  absl::Status StopUncertain(const RunSpec& spec);
  absl::Status TryStop(const RunId& id, absl::Duration grace);
  void Withdraw(const RunId& id, RunEnded::Outcome outcome, std::string reason);

  absl::Duration Backoff(int failures) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Duration WaitAfter(const absl::Status& status, int failures) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return RetryAfter(status).value_or(Backoff(failures));
  }
  void WaitUntil(absl::Time due, Waiting& waiting) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    waiting.due = due;
    waiting.in_flight = false;
    first_due_ = std::min(first_due_, due);
  }
  void Remember(const RunId& id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::unique_ptr<Executor> within_;
  RunListener* const listener_;
  core::Clock* const clock_;
  const RetryOptions options_;

  mutable absl::Mutex mutex_;  // never held during a call to the executor within or the listener
  core::Rng rng_ ABSL_GUARDED_BY(mutex_);
  absl::btree_map<RunId, Waiting> waiting_ ABSL_GUARDED_BY(mutex_);
  absl::Time first_due_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();  // nothing that waits is due before
  uint64_t next_order_ ABSL_GUARDED_BY(mutex_) = 0;
  int failed_adoptions_ ABSL_GUARDED_BY(mutex_) = 0;  // in a row
  absl::flat_hash_set<RunId> withdrawn_ ABSL_GUARDED_BY(mutex_);
  std::deque<RunId> withdrawn_order_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

// ---- calls
// ---------------------------------------------------------------------------------------------------------------

absl::Status RetryingExecutorImpl::Launch(const RunSpec& spec) {
  {
    absl::MutexLock lock(&mutex_);
    if (withdrawn_.contains(spec.id)) return absl::OkStatus();
    auto [it, added] = waiting_.try_emplace(spec.id);
    if (!added) return absl::OkStatus();  // taken over before, or launched and about to be stopped
    it->second.launch = spec;
    it->second.in_flight = true;
    it->second.order = next_order_++;
  }
  return TryLaunch(spec, /*first=*/true);
}

absl::Status RetryingExecutorImpl::Stop(const RunId& id, absl::Duration grace) {
  std::optional<RunSpec> launch;
  {
    absl::MutexLock lock(&mutex_);
    if (withdrawn_.contains(id)) return absl::NotFoundError("the run has ended");
    auto [it, added] = waiting_.try_emplace(id);
    Waiting& waiting = it->second;
    waiting.stop = std::min(grace, waiting.stop.value_or(grace));
    if (waiting.launch && waiting.in_flight) return absl::OkStatus();  // who launches it sees the stop
    if (added) waiting.order = next_order_++;
    waiting.in_flight = true;
    launch = waiting.launch;
  }
  return launch ? StopUncertain(*launch) : TryStop(id, grace);
}

absl::StatusOr<std::vector<bool>> RetryingExecutorImpl::Adopt(absl::Span<const RunCursor> runs) {
  absl::StatusOr<std::vector<bool>> known = within_->Adopt(runs);
  absl::MutexLock lock(&mutex_);
  if (known.ok()) {
    failed_adoptions_ = 0;
    for (size_t i = 0; i < runs.size(); ++i) {
      const auto it = waiting_.find(runs[i].spec.id);
      if (it != waiting_.end() && it->second.launch) (*known)[i] = true;  // accepted here
    }
    return known;
  }
  if (!absl::IsUnavailable(known.status())) return known.status();
  return WithRetryAfter(known.status(), WaitAfter(known.status(), ++failed_adoptions_));
}

absl::Status RetryingExecutorImpl::Remove(const std::string& job_id, const std::string& job_uid) {
  {
    absl::MutexLock lock(&mutex_);
    absl::erase_if(waiting_,
                   [&](const auto& entry) { return entry.first.job_id == job_id && entry.first.job_uid == job_uid; });
  }
  return within_->Remove(job_id, job_uid);
}

// ---- tries
// ---------------------------------------------------------------------------------------------------------------

absl::Status RetryingExecutorImpl::TryLaunch(const RunSpec& spec, bool first) {
  const absl::Status status = within_->Launch(spec);
  std::optional<absl::Duration> stop;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = waiting_.find(spec.id);
    if (it == waiting_.end()) return status;  // its job was deleted
    Waiting& waiting = it->second;
    stop = waiting.stop;
    const bool full = absl::IsResourceExhausted(status);
    const bool later = absl::IsUnavailable(status) || (full && (!first || RetryAfter(status)));
    if (later && !stop) {
      // A slot or the engine's leave is not refused because of a failure: asked again at the same pace.
      waiting.failures = full ? 1 : waiting.failures + 1;
      WaitUntil(clock_->Now() + WaitAfter(status, waiting.failures), waiting);
      return absl::OkStatus();
    }
    if (!stop && (first || status.ok())) {
      waiting_.erase(it);
      return status;
    }
    if (status.ok()) waiting.launch.reset();  // from here on a stop, still in flight
  }
  if (status.ok()) {
    TryStop(spec.id, *stop).IgnoreError();
  } else if (stop) {
    StopUncertain(spec).IgnoreError();
  } else {
    Withdraw(spec.id, RunEnded::Outcome::kRefused, std::string(status.message()));
  }
  return absl::OkStatus();
}

// What was not launched now may have been before, if only the answer was lost: the engine says so, or is asked again.
absl::Status RetryingExecutorImpl::StopUncertain(const RunSpec& spec) {
  const RunCursor cursor{spec, false};
  const absl::StatusOr<std::vector<bool>> known = within_->Adopt({&cursor, 1});
  absl::Duration grace;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = waiting_.find(spec.id);
    if (it == waiting_.end()) return absl::OkStatus();
    Waiting& waiting = it->second;
    if (!known.ok()) {
      WaitUntil(clock_->Now() + WaitAfter(known.status(), ++waiting.failures), waiting);
      return absl::OkStatus();
    }
    grace = *waiting.stop;
    if (known->front()) waiting.launch.reset();
  }
  if (known->front()) return TryStop(spec.id, grace);
  Withdraw(spec.id, RunEnded::Outcome::kStopped, "stopped before it was started");
  return absl::OkStatus();
}

absl::Status RetryingExecutorImpl::TryStop(const RunId& id, absl::Duration grace) {
  while (true) {
    const absl::Status status = within_->Stop(id, grace);
    absl::MutexLock lock(&mutex_);
    const auto it = waiting_.find(id);
    if (it == waiting_.end()) return status;
    Waiting& waiting = it->second;
    if (absl::IsUnavailable(status)) {
      WaitUntil(clock_->Now() + WaitAfter(status, ++waiting.failures), waiting);
      return absl::OkStatus();
    }
    if (status.ok() && *waiting.stop < grace) {  // shortened while this call was under way
      grace = *waiting.stop;
      continue;
    }
    waiting_.erase(it);
    return status;
  }
}

void RetryingExecutorImpl::Withdraw(const RunId& id, RunEnded::Outcome outcome, std::string reason) {
  {
    absl::MutexLock lock(&mutex_);
    if (waiting_.erase(id) == 0) return;
    Remember(id);
  }
  RunEnded ended;
  ended.outcome = outcome;
  ended.reason = std::move(reason);
  ended.time = clock_->Now();
  listener_->OnRunEvent({id, std::move(ended)});
}

// ---- later
// ---------------------------------------------------------------------------------------------------------------

void RetryingExecutorImpl::Work() {
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      const absl::Time due = first_due_;
      const auto changed = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || first_due_ < due; };
      clock_->AwaitUntil(mutex_, absl::Condition(&changed), due);
      if (stopping_) return;
    }
    RunDue();
  }
}

void RetryingExecutorImpl::RunDue() {
  std::vector<std::pair<uint64_t, RunId>> due;  // first come, first served
  {
    absl::MutexLock lock(&mutex_);
    const absl::Time now = clock_->Now();
    if (first_due_ > now) return;
    first_due_ = absl::InfiniteFuture();
    for (auto& [id, waiting] : waiting_) {
      if (waiting.in_flight) continue;
      if (waiting.due > now) {
        first_due_ = std::min(first_due_, waiting.due);
      } else {
        waiting.in_flight = true;
        due.emplace_back(waiting.order, id);
      }
    }
  }
  std::sort(due.begin(), due.end());
  for (const auto& [order, id] : due) TryAgain(id);
}

void RetryingExecutorImpl::TryAgain(const RunId& id) {
  Waiting waiting;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = waiting_.find(id);
    if (it == waiting_.end()) return;
    if (stopping_) return;
    waiting = it->second;
  }
  if (!waiting.launch) {
    TryStop(id, *waiting.stop).IgnoreError();
  } else if (!waiting.stop) {
    TryLaunch(*waiting.launch, /*first=*/false).IgnoreError();  // taken over: never refused
  } else {
    StopUncertain(*waiting.launch).IgnoreError();
  }
}

absl::Duration RetryingExecutorImpl::Backoff(int failures) {
  const absl::Duration wait =
      std::min(options_.most, options_.initial * (int64_t{1} << std::clamp(failures - 1, 0, 20)));
  return wait * (1 - options_.jitter * rng_.NextDouble());
}

void RetryingExecutorImpl::Remember(const RunId& id) {
  if (!withdrawn_.insert(id).second) return;
  withdrawn_order_.push_back(id);
  if (withdrawn_order_.size() <= kRememberedRuns) return;
  withdrawn_.erase(withdrawn_order_.front());
  withdrawn_order_.pop_front();
}

}  // namespace

std::unique_ptr<RetryingExecutor> MakeRetryingExecutor(std::unique_ptr<Executor> within, RunListener* listener,
                                                       core::Clock* clock, RetryOptions options) {
  return std::make_unique<RetryingExecutorImpl>(std::move(within), listener, clock, options);
}

}  // namespace tuner::executors
