#include "tuner/engine/dispatcher.h"

#include <algorithm>
#include <deque>
#include <list>
#include <optional>
#include <thread>
#include <utility>
#include <variant>

#include "absl/synchronization/mutex.h"

namespace tuner::engine {
namespace {

constexpr absl::Duration kRetryDownEngine = absl::Seconds(2);

struct StopTask {
  executors::RunId id;
  absl::Duration grace;
};
struct AdoptTask {
  std::vector<executors::RunCursor> runs;
  Dispatcher::AdoptCallback done;
};
struct AcknowledgeTask {
  executors::RunId id;
};
struct RemoveTask {
  std::string job_id, job_uid;
};
struct RetryTask {};

// A launch that is tried again later.
struct Waiting {
  executors::RunSpec spec;
  bool surely_not_started = true;            // false: the engine did not answer, and may have started it
  std::optional<absl::Duration> stop_grace;  // stop it as soon as it is known to be there
};
using Task = std::variant<executors::RunSpec, StopTask, AdoptTask, AcknowledgeTask, RemoveTask, RetryTask>;

class DispatcherImpl : public Dispatcher {
 public:
  DispatcherImpl(executors::Executor* executor, core::Clock* clock, Callbacks callbacks, bool own_thread)
      : executor_(executor), clock_(clock), callbacks_(std::move(callbacks)), own_thread_(own_thread) {
    if (own_thread_) thread_ = std::thread([this] { Work(); });
  }
  ~DispatcherImpl() override { Shutdown(); }

  void Launch(executors::RunSpec spec) override { Post(std::move(spec)); }
  void Stop(executors::RunId id, absl::Duration grace) override { Post(StopTask{std::move(id), grace}); }
  void Adopt(std::vector<executors::RunCursor> runs, AdoptCallback done) override {
    Post(AdoptTask{std::move(runs), std::move(done)});
  }
  void Acknowledge(executors::RunId id) override { Post(AcknowledgeTask{std::move(id)}); }
  void Remove(std::string job_id, std::string job_uid) override {
    Post(RemoveTask{std::move(job_id), std::move(job_uid)});
  }
  void SlotFreed() override { Post(RetryTask{}); }

  void Shutdown() override {
    {
      absl::MutexLock lock(&mutex_);
      stopping_ = true;
    }
    if (thread_.joinable()) thread_.join();
  }

  void RunDue() override {
    bool due = false;
    {
      absl::MutexLock lock(&mutex_);
      due = retry_at_ <= clock_->Now();
    }
    if (due) Do(RetryTask{});
  }
  absl::Time NextDue() const override {
    absl::MutexLock lock(&mutex_);
    return retry_at_;
  }

 private:
  void Post(Task task) {
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) return;
      if (own_thread_) {
        // A supervisor waits for it, and not for long.
        const bool first = std::holds_alternative<AcknowledgeTask>(task);
        tasks_.insert(first ? tasks_.begin() : tasks_.end(), std::move(task));
        return;
      }
    }
    Do(std::move(task));
  }

  void Work() {
    while (true) {
      Task task = RetryTask{};
      {
        absl::MutexLock lock(&mutex_);
        const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || !tasks_.empty(); };
        clock_->AwaitUntil(mutex_, absl::Condition(&ready), retry_at_);
        if (!tasks_.empty()) {
          task = std::move(tasks_.front());
          tasks_.pop_front();
        } else if (stopping_) {
          return;
        }
      }
      Do(std::move(task));
    }
  }

  void Do(Task task) {
    if (auto* launch = std::get_if<executors::RunSpec>(&task)) {
      TryLaunch(std::move(*launch), std::nullopt);
    } else if (auto* stop = std::get_if<StopTask>(&task)) {
      DoStop(*stop);
    } else if (auto* adopt = std::get_if<AdoptTask>(&task)) {
      adopt->done(executor_->Adopt(adopt->runs));
    } else if (auto* ended = std::get_if<AcknowledgeTask>(&task)) {
      executor_->Acknowledge(ended->id);
    } else if (auto* remove = std::get_if<RemoveTask>(&task)) {
      // What is left behind of a deleted job is only disk space; the next deletion of the name tries again.
      executor_->Remove(remove->job_id, remove->job_uid).IgnoreError();
    } else {
      RetryWaiting();
    }
  }

  void TryLaunch(executors::RunSpec spec, std::optional<absl::Duration> stop_grace) {
    const absl::Status status = executor_->Launch(spec);
    if (status.ok()) {
      if (stop_grace) DoStop({spec.id, *stop_grace});
      return;
    }
    const bool down = absl::IsUnavailable(status);
    if (down || absl::IsResourceExhausted(status)) {
      waiting_.push_back({std::move(spec), !down, stop_grace});
      absl::MutexLock lock(&mutex_);
      if (down) retry_at_ = clock_->Now() + kRetryDownEngine;
      return;
    }
    callbacks_.refused(spec.id, status);
  }

  void DoStop(const StopTask& stop) {
    auto it = std::find_if(waiting_.begin(), waiting_.end(), [&](const Waiting& w) { return w.spec.id == stop.id; });
    if (it == waiting_.end()) {
      // NOT_FOUND: it has ended, and its end event is on the way.
      executor_->Stop(stop.id, stop.grace).IgnoreError();
    } else if (it->surely_not_started) {
      waiting_.erase(it);
      callbacks_.never_started(stop.id);
    } else {
      StopUncertain(it, stop.grace);
    }
  }

  // The engine did not answer the launch: it says now whether it took it, or is stopped as soon as it answers.
  void StopUncertain(std::list<Waiting>::iterator it, absl::Duration grace) {
    const executors::RunCursor cursor{it->spec, false};
    const absl::StatusOr<std::vector<bool>> known = executor_->Adopt({&cursor, 1});
    if (!known.ok()) {
      it->stop_grace = grace;
      return;
    }
    const executors::RunId id = it->spec.id;
    waiting_.erase(it);
    if (known->front()) {
      executor_->Stop(id, grace).IgnoreError();
    } else {
      callbacks_.never_started(id);
    }
  }

  void RetryWaiting() {
    {
      absl::MutexLock lock(&mutex_);
      retry_at_ = absl::InfiniteFuture();
    }
    std::list<Waiting> again;
    again.swap(waiting_);
    for (Waiting& waiting : again) TryLaunch(std::move(waiting.spec), waiting.stop_grace);
  }

  executors::Executor* const executor_;
  core::Clock* const clock_;
  const Callbacks callbacks_;
  const bool own_thread_;

  std::list<Waiting> waiting_;  // of the working thread

  mutable absl::Mutex mutex_;
  std::deque<Task> tasks_ ABSL_GUARDED_BY(mutex_);
  absl::Time retry_at_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Dispatcher> MakeDispatcher(executors::Executor* executor, core::Clock* clock,
                                           Dispatcher::Callbacks callbacks, bool own_thread) {
  return std::make_unique<DispatcherImpl>(executor, clock, std::move(callbacks), own_thread);
}

}  // namespace tuner::engine
