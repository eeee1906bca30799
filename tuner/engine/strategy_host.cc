#include "tuner/engine/strategy_host.h"

#include <atomic>
#include <deque>
#include <thread>
#include <utility>
#include <variant>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"

namespace tuner::engine {
namespace {

struct BuildTask {
  core::JobSpec spec;
  std::vector<core::Trial> finished;
};
struct AskTask {
  core::AskStrategy ask;
  std::vector<strategies::PendingTrial> pending;
};
using Task = std::variant<BuildTask, core::Trial, AskTask>;

// One job's strategy with its tasks. The strategy is touched only by the thread that works on the actor.
struct Actor {
  explicit Actor(std::string uid) : job_uid(std::move(uid)) {}
  const std::string job_uid;
  std::unique_ptr<strategies::Strategy> strategy;
  absl::Status error;
  std::deque<Task> tasks;  // guarded by the host's mutex
  bool scheduled = false;  // in the run queue or being worked on; guarded by the host's mutex
  std::atomic<bool> dropped{false};
};

class PoolStrategyHost : public StrategyHost {
 public:
  PoolStrategyHost(int threads, AnswerCallback answer) : answer_(std::move(answer)), inline_(threads == 0) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
  }
  ~PoolStrategyHost() override { Shutdown(); }

  void Build(const std::string& job_uid, const core::JobSpec& spec, std::vector<core::Trial> finished) override {
    Drop(job_uid);
    Post(job_uid, BuildTask{spec, std::move(finished)}, /*create=*/true);
  }
  void Observe(const std::string& job_uid, core::Trial finished) override { Post(job_uid, std::move(finished), false); }
  void Ask(const std::string& job_uid, const core::AskStrategy& ask,
           std::vector<strategies::PendingTrial> pending) override {
    Post(job_uid, AskTask{ask, std::move(pending)}, false);
  }

  void Drop(const std::string& job_uid) override {
    absl::MutexLock lock(&mutex_);
    auto it = actors_.find(job_uid);
    if (it == actors_.end()) return;
    it->second->dropped = true;
    it->second->tasks.clear();
    actors_.erase(it);
  }

  void Shutdown() override {
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) return;
      stopping_ = true;
      for (auto& [uid, actor] : actors_) actor->dropped = true;
    }
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  void Post(const std::string& job_uid, Task task, bool create) {
    std::shared_ptr<Actor> actor;
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) return;
      auto it = actors_.find(job_uid);
      if (it == actors_.end()) {
        if (!create) return;
        it = actors_.emplace(job_uid, std::make_shared<Actor>(job_uid)).first;
      }
      actor = it->second;
      actor->tasks.push_back(std::move(task));
      if (actor->scheduled) return;
      actor->scheduled = true;
      if (!inline_) run_queue_.push_back(actor);
    }
    if (inline_) WorkOn(*actor);
  }

  void Work() {
    while (true) {
      std::shared_ptr<Actor> actor;
      {
        absl::MutexLock lock(&mutex_);
        mutex_.Await(absl::Condition(
            +[](PoolStrategyHost* host)
                 ABSL_EXCLUSIVE_LOCKS_REQUIRED(host->mutex_) { return host->stopping_ || !host->run_queue_.empty(); },
            this));
        if (stopping_) return;
        actor = std::move(run_queue_.front());
        run_queue_.pop_front();
      }
      WorkOn(*actor);
    }
  }

  void WorkOn(Actor& actor) {
    while (true) {
      Task task;
      {
        absl::MutexLock lock(&mutex_);
        if (actor.tasks.empty() || stopping_) {
          actor.scheduled = false;
          return;
        }
        task = std::move(actor.tasks.front());
        actor.tasks.pop_front();
      }
      if (auto* build = std::get_if<BuildTask>(&task)) {
        DoBuild(actor, *build);
      } else if (auto* trial = std::get_if<core::Trial>(&task)) {
        if (actor.strategy != nullptr) actor.strategy->Observe(strategies::Finished{std::move(*trial)});
      } else {
        DoAsk(actor, std::get<AskTask>(task));
      }
    }
  }

  static void DoBuild(Actor& actor, BuildTask& build) {
    const strategies::StrategyKind* kind = strategies::FindStrategyKind(build.spec.strategy.name);
    if (kind == nullptr) {
      actor.error =
          absl::UnimplementedError(absl::StrCat("this server has no strategy \"", build.spec.strategy.name, "\""));
      return;
    }
    absl::StatusOr<std::unique_ptr<strategies::Strategy>> made = kind->make(build.spec);
    if (!made.ok()) {
      actor.error = made.status();
      return;
    }
    actor.strategy = *std::move(made);
    for (core::Trial& trial : build.finished) actor.strategy->Observe(strategies::Finished{std::move(trial)});
  }

  void DoAsk(Actor& actor, const AskTask& task) {
    core::Proposed proposed;
    proposed.first_ordinal = task.ask.first_ordinal;
    if (actor.strategy == nullptr) {
      proposed.error = actor.error;
    } else {
      const strategies::SuggestContext context{task.ask.first_ordinal, task.ask.count, task.pending, &actor.dropped};
      absl::StatusOr<strategies::Proposals> result = actor.strategy->Suggest(context);
      if (result.ok()) {
        Fill(*std::move(result), proposed);
      } else {
        proposed.error = result.status();
      }
    }
    if (!actor.dropped) answer_(actor.job_uid, std::move(proposed));
  }

  static void Fill(strategies::Proposals result, core::Proposed& proposed) {
    for (auto& proposal : result.proposals) {
      auto* trial = std::get_if<strategies::NewTrial>(&proposal);
      if (trial == nullptr) {
        proposed.error = absl::UnimplementedError("the strategy resumes a trial, which this version does not do");
        return;
      }
      proposed.proposals.push_back({std::move(trial->parameters), trial->resource});
    }
    proposed.basis = std::move(result.basis);
    proposed.exhausted = result.exhausted;
    proposed.exhausted_reason = std::move(result.exhausted_reason);
    if (proposed.proposals.empty() && !proposed.exhausted) {
      proposed.error = absl::InternalError("the strategy proposed nothing and is not exhausted");
    }
  }

  const AnswerCallback answer_;
  const bool inline_;
  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::flat_hash_map<std::string, std::shared_ptr<Actor>> actors_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::shared_ptr<Actor>> run_queue_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

}  // namespace

std::unique_ptr<StrategyHost> MakeStrategyHost(int threads, StrategyHost::AnswerCallback answer) {
  return std::make_unique<PoolStrategyHost>(threads, std::move(answer));
}

}  // namespace tuner::engine
