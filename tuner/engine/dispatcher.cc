#include "tuner/engine/dispatcher.h"

#include <algorithm>
#include <deque>
#include <list>
#include <thread>
#include <utility>
#include <variant>

#include "absl/synchronization/mutex.h"

namespace tuner::engine {
namespace {

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
struct ArtifactsTask {
  executors::RunSpec spec;
  bool with_logs = false;
  std::function<void(absl::Status)> done;
};
struct RetryTask {};

using Task =
    std::variant<executors::RunSpec, StopTask, AdoptTask, AcknowledgeTask, RemoveTask, ArtifactsTask, RetryTask>;

class DispatcherImpl : public Dispatcher {
 public:
  DispatcherImpl(executors::Executor* executor, Callbacks callbacks, bool own_thread)
      : executor_(executor), callbacks_(std::move(callbacks)), own_thread_(own_thread) {
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
  void RemoveArtifacts(executors::RunSpec spec, bool with_logs, std::function<void(absl::Status)> done) override {
    Post(ArtifactsTask{std::move(spec), with_logs, std::move(done)});
  }
  void SlotFreed() override { Post(RetryTask{}); }

  void Shutdown() override {
    {
      absl::MutexLock lock(&mutex_);
      stopping_ = true;
    }
    if (thread_.joinable()) thread_.join();
  }

 private:
  void Post(Task task) {
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) return;
      if (own_thread_) {
        if (std::holds_alternative<ArtifactsTask>(task)) return idle_tasks_.push_back(std::move(task));
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
      Task task;
      {
        absl::MutexLock lock(&mutex_);
        const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
          return stopping_ || !tasks_.empty() || !idle_tasks_.empty();
        };
        mutex_.Await(absl::Condition(&ready));
        if (tasks_.empty() && stopping_) return;
        std::deque<Task>& from = tasks_.empty() ? idle_tasks_ : tasks_;
        task = std::move(from.front());
        from.pop_front();
      }
      Do(std::move(task));
    }
  }

  void Do(Task task) {
    if (auto* launch = std::get_if<executors::RunSpec>(&task)) {
      TryLaunch(std::move(*launch));
    } else if (auto* stop = std::get_if<StopTask>(&task)) {
      DoStop(*stop);
    } else if (auto* adopt = std::get_if<AdoptTask>(&task)) {
      adopt->done(executor_->Adopt(adopt->runs));
    } else if (auto* ended = std::get_if<AcknowledgeTask>(&task)) {
      executor_->Acknowledge(ended->id);
    } else if (auto* remove = std::get_if<RemoveTask>(&task)) {
      // What is left behind of a deleted job is only disk space; the next deletion of the name tries again.
      executor_->Remove(remove->job_id, remove->job_uid).IgnoreError();
    } else if (auto* artifacts = std::get_if<ArtifactsTask>(&task)) {
      artifacts->done(executor_->RemoveArtifacts(artifacts->spec, artifacts->with_logs));
    } else {
      RetryWaiting();
    }
  }

  void TryLaunch(executors::RunSpec spec) {
    const absl::Status status = executor_->Launch(spec);
    if (status.ok()) return;
    if (absl::IsResourceExhausted(status)) {
      waiting_.push_back(std::move(spec));
    } else {
      callbacks_.refused(spec.id, status);
    }
  }

  void DoStop(const StopTask& stop) {
    auto it = std::find_if(waiting_.begin(), waiting_.end(),
                           [&](const executors::RunSpec& waiting) { return waiting.id == stop.id; });
    if (it == waiting_.end()) {
      // NOT_FOUND: it has ended, and its end event is on the way.
      executor_->Stop(stop.id, stop.grace).IgnoreError();
      return;
    }
    waiting_.erase(it);
    callbacks_.never_started(stop.id);
  }

  void RetryWaiting() {
    std::list<executors::RunSpec> again;
    again.swap(waiting_);
    for (executors::RunSpec& spec : again) TryLaunch(std::move(spec));
  }

  executors::Executor* const executor_;
  const Callbacks callbacks_;
  const bool own_thread_;

  std::list<executors::RunSpec> waiting_;  // for a slot; of the working thread

  absl::Mutex mutex_;
  std::deque<Task> tasks_ ABSL_GUARDED_BY(mutex_);
  std::deque<Task> idle_tasks_ ABSL_GUARDED_BY(mutex_);  // for when there are no others
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Dispatcher> MakeDispatcher(executors::Executor* executor, Dispatcher::Callbacks callbacks,
                                           bool own_thread) {
  return std::make_unique<DispatcherImpl>(executor, std::move(callbacks), own_thread);
}

}  // namespace tuner::engine
