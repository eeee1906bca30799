#include "tuner/engine/strategy_host.h"

#include <sys/resource.h>

#include <algorithm>
#include <deque>
#include <list>
#include <thread>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "tuner/engine/strategy_actor.h"

namespace tuner::engine {
namespace {

// Shares of the time to an ask's deadline.
constexpr double kWaitShare = 0.5;
constexpr double kStopShare = 0.75;
// Times its usual pace that a strategy is given between the end of the wait and its stop.
constexpr double kPaceMargin = 1.5;
// The usual pace is that of the slowest of the last answers; each one since counts a tenth less.
constexpr double kPaceDecay = 0.9;
// Niceness of the threads that fit: those that answer come first, and trials on this machine are not outrun.
constexpr int kFitNice = 5;

void RemoveAlarm(std::optional<Alarms::iterator>& alarm, Alarms& alarms) {
  if (alarm) alarms.erase(*alarm);
  alarm.reset();
}

class StrategyHostImpl : public StrategyHost {
 public:
  StrategyHostImpl(StrategyHostOptions options, AnswerCallback answer)
      : options_(std::move(options)), answer_(std::move(answer)), inline_(options_.threads == 0) {
    for (int i = 0; i < options_.threads; ++i) {
      threads_.emplace_back([this] { Answer(); });
      threads_.emplace_back([this] { RunFits(); });
    }
    if (!inline_) threads_.emplace_back([this] { WatchAlarms(); });
  }
  ~StrategyHostImpl() override { Shutdown(); }

  void Build(const std::string& strategy_id, const core::JobSpec& spec,
             std::vector<strategies::Observation> history) override {
    Drop(strategy_id);
    auto actor = std::make_shared<Actor>(strategy_id);
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) return;
      actors_[strategy_id] = actor;
      actor->tasks.push_back(BuildTask{spec, std::move(history)});
      Schedule(actor);
    }
    RunInline();
  }
  void Observe(const std::string& strategy_id, strategies::Observation observation) override {
    {
      absl::MutexLock lock(&mutex_);
      const std::shared_ptr<Actor> actor = Find(strategy_id);
      if (actor == nullptr) return;
      actor->expected.reset();
      StopPreparing(*actor);
      actor->tasks.push_back(std::move(observation));
      Schedule(actor);
    }
    RunInline();
  }
  void Ask(const std::string& strategy_id, const core::AskStrategy& ask,
           std::vector<strategies::PendingTrial> pending) override;
  void Expect(const std::string& strategy_id, const core::AskStrategy& ask,
              std::vector<strategies::PendingTrial> pending) override;
  bool WantsExpectations(const std::string& strategy_id) const override {
    absl::MutexLock lock(&mutex_);
    const std::shared_ptr<Actor> actor = Find(strategy_id);
    return !inline_ && actor != nullptr && actor->has_model;
  }
  void Drop(const std::string& strategy_id) override;
  void Shutdown() override;
  void RunDue() override;
  absl::Time NextDue() const override {
    absl::MutexLock lock(&mutex_);
    return alarms_.empty() ? absl::InfiniteFuture() : alarms_.begin()->first;
  }

 private:
  // Threads.
  void Answer();
  void RunFits();
  void WatchAlarms();
  void RunInline();

  // Null: unknown, or shutting down.
  std::shared_ptr<Actor> Find(const std::string& strategy_id) const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    auto it = actors_.find(strategy_id);
    return it == actors_.end() || stopping_ ? nullptr : it->second;
  }
  void Schedule(const std::shared_ptr<Actor>& actor) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Forsake(Actor& actor) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static void StopPreparing(Actor& actor) {
    if (actor.preparing != nullptr) *actor.preparing = true;
  }
  void QueuePreparation(const std::shared_ptr<Actor>& actor) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FireAlarms(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SetDeadline(const std::shared_ptr<Actor>& actor, const std::shared_ptr<AskTask>& ask)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool MustWait(const Actor& actor, const AskTask& ask) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return actor.fit != nullptr && options_.clock->Now() < ask.wait_end;
  }
  void Park(const std::shared_ptr<Actor>& actor, const std::shared_ptr<AskTask>& ask)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // One thread is left for those who ask.
  bool MayPrepare() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return !preparations_.empty() && preparing_ + 1 < options_.threads;
  }
  bool HasTurn() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || !turns_.empty() || MayPrepare(); }
  bool HasFit() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || !fits_.empty(); }
  std::shared_ptr<Actor> TakeFit() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // By the thread that holds the actor.
  void WorkOn(const std::shared_ptr<Actor>& actor);
  void DoAsk(Actor& actor, AskTask& task);
  void BeginFit(const std::shared_ptr<Actor>& actor);
  void Prepare(const std::shared_ptr<Actor>& actor);
  // By any thread.
  void RunFit(const std::shared_ptr<Actor>& actor, const std::shared_ptr<Fit>& fit);

  const StrategyHostOptions options_;
  const AnswerCallback answer_;
  const bool inline_;

  mutable absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::flat_hash_map<std::string, std::shared_ptr<Actor>> actors_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::shared_ptr<Actor>> turns_ ABSL_GUARDED_BY(mutex_);  // held, and wait for a thread
  std::list<std::shared_ptr<Actor>> fits_ ABSL_GUARDED_BY(mutex_);    // whose fit waits for a thread
  std::deque<std::shared_ptr<Actor>> preparations_ ABSL_GUARDED_BY(mutex_);
  int preparing_ ABSL_GUARDED_BY(mutex_) = 0;
  Alarms alarms_ ABSL_GUARDED_BY(mutex_);
  absl::Time watched_until_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();  // when WatchAlarms looks again by itself
  std::vector<std::thread> threads_;
};

// ---- threads
// -----------------------------------------------------------------------------------------------------------------

void StrategyHostImpl::Answer() {
  while (true) {
    std::shared_ptr<Actor> actor;
    bool prepare = false;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &StrategyHostImpl::HasTurn));
      if (stopping_) return;
      prepare = turns_.empty();
      std::deque<std::shared_ptr<Actor>>& queue = prepare ? preparations_ : turns_;
      actor = std::move(queue.front());
      queue.pop_front();
      if (prepare) ++preparing_;
    }
    if (prepare) {
      Prepare(actor);
    } else {
      WorkOn(actor);
    }
  }
}

// Of the fits that wait: the one whose ask goes on soonest, else the oldest.
std::shared_ptr<Actor> StrategyHostImpl::TakeFit() {
  auto best = fits_.begin();
  const auto wait_end = [](const std::shared_ptr<Actor>& actor) {
    return actor->ask == nullptr ? absl::InfiniteFuture() : actor->ask->wait_end;
  };
  for (auto it = fits_.begin(); it != fits_.end(); ++it) {
    if (wait_end(*it) < wait_end(*best)) best = it;
  }
  std::shared_ptr<Actor> actor = std::move(*best);
  fits_.erase(best);
  return actor;
}

void StrategyHostImpl::RunFits() {
  setpriority(PRIO_PROCESS, 0, kFitNice);  // of this thread only, on Linux; without it all is the same but for time
  while (true) {
    std::shared_ptr<Actor> actor;
    std::shared_ptr<Fit> fit;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &StrategyHostImpl::HasFit));
      if (stopping_) return;
      actor = TakeFit();
      fit = actor->fit;
    }
    RunFit(actor, fit);
  }
}

void StrategyHostImpl::WatchAlarms() {
  absl::MutexLock lock(&mutex_);
  while (true) {
    watched_until_ = alarms_.empty() ? absl::InfiniteFuture() : alarms_.begin()->first;
    const auto sooner = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return stopping_ || (!alarms_.empty() && alarms_.begin()->first < watched_until_);
    };
    options_.clock->AwaitUntil(mutex_, absl::Condition(&sooner), watched_until_);
    if (stopping_) return;
    FireAlarms(options_.clock->Now());
  }
}

// Without threads: does what was scheduled.
void StrategyHostImpl::RunInline() {
  if (!inline_) return;
  while (true) {
    std::shared_ptr<Actor> actor;
    {
      absl::MutexLock lock(&mutex_);
      if (turns_.empty()) return;
      actor = std::move(turns_.front());
      turns_.pop_front();
    }
    WorkOn(actor);
  }
}

void StrategyHostImpl::RunDue() {
  {
    absl::MutexLock lock(&mutex_);
    FireAlarms(options_.clock->Now());
  }
  RunInline();
}

// ---- what is asked for
// -------------------------------------------------------------------------------------------------------

void StrategyHostImpl::Schedule(const std::shared_ptr<Actor>& actor) {
  if (actor->held) return;
  actor->held = true;
  turns_.push_back(actor);
}

void StrategyHostImpl::Ask(const std::string& strategy_id, const core::AskStrategy& ask,
                           std::vector<strategies::PendingTrial> pending) {
  {
    absl::MutexLock lock(&mutex_);
    const std::shared_ptr<Actor> actor = Find(strategy_id);
    if (actor == nullptr) return;
    if (actor->ask != nullptr && actor->ask->question.ask.first_ordinal == ask.first_ordinal) {
      actor->ask->question.ask.deadline = std::min(actor->ask->question.ask.deadline, ask.deadline);
      SetDeadline(actor, actor->ask);
    } else {
      auto task = std::make_shared<AskTask>();
      task->question = {ask, std::move(pending)};
      if (actor->expected && !actor->expected->SameAs(task->question)) StopPreparing(*actor);
      actor->expected.reset();
      actor->ask = task;
      actor->tasks.push_back(task);
      SetDeadline(actor, task);
    }
    Schedule(actor);
  }
  RunInline();
}

// Also a sooner one than before.
void StrategyHostImpl::SetDeadline(const std::shared_ptr<Actor>& actor, const std::shared_ptr<AskTask>& ask) {
  if (ask->question.ask.deadline == absl::InfiniteFuture()) return;
  const absl::Time now = options_.clock->Now();
  const absl::Duration left = std::max(absl::ZeroDuration(), ask->question.ask.deadline - now);
  absl::Time stop = now + kStopShare * left;
  // Not so long that the strategy, at its usual pace, would be stopped.
  ask->wait_end = std::min({ask->wait_end, now + kWaitShare * left, stop - kPaceMargin * actor->pace});
  if (ask->stop_alarm) stop = std::min(stop, (*ask->stop_alarm)->first);
  RemoveAlarm(ask->wait_alarm, alarms_);  // set anew where it is parked again
  RemoveAlarm(ask->stop_alarm, alarms_);
  ask->stop_alarm = alarms_.emplace(stop, Alarm{Alarm::Kind::kStop, actor, ask});
  if (stop <= now) FireAlarms(now);
}

void StrategyHostImpl::Expect(const std::string& strategy_id, const core::AskStrategy& ask,
                              std::vector<strategies::PendingTrial> pending) {
  if (inline_) return;
  absl::MutexLock lock(&mutex_);
  const std::shared_ptr<Actor> actor = Find(strategy_id);
  if (actor == nullptr || actor->ask != nullptr) return;
  Question question{ask, std::move(pending)};
  if (actor->expected && actor->expected->SameAs(question)) return;
  StopPreparing(*actor);
  actor->expected = std::move(question);
  actor->expected_is_prepared = false;
  if (!actor->held) QueuePreparation(actor);
}

void StrategyHostImpl::QueuePreparation(const std::shared_ptr<Actor>& actor) {
  if (!actor->expected || actor->expected_is_prepared || !actor->has_model || actor->fit != nullptr ||
      actor->preparation_queued) {
    return;
  }
  actor->preparation_queued = true;
  preparations_.push_back(actor);
}

void StrategyHostImpl::FireAlarms(absl::Time now) {
  while (!alarms_.empty() && alarms_.begin()->first <= now) {
    const Alarm alarm = alarms_.begin()->second;
    if (alarm.kind == Alarm::Kind::kStop) {
      RemoveAlarm(alarm.ask->stop_alarm, alarms_);
      alarm.ask->stop = true;
      StopPreparing(*alarm.actor);
    } else {
      RemoveAlarm(alarm.ask->wait_alarm, alarms_);
      Schedule(alarm.actor);
    }
  }
}

// Nothing of the actor is done any more.
void StrategyHostImpl::Forsake(Actor& actor) {
  actor.dropped = true;
  StopPreparing(actor);
  actor.tasks.clear();
  actor.expected.reset();
  if (actor.fit != nullptr) actor.fit->stop = true;
  if (actor.ask != nullptr) {
    actor.ask->stop = true;
    RemoveAlarm(actor.ask->wait_alarm, alarms_);
    RemoveAlarm(actor.ask->stop_alarm, alarms_);
  }
}

void StrategyHostImpl::Drop(const std::string& strategy_id) {
  absl::MutexLock lock(&mutex_);
  auto it = actors_.find(strategy_id);
  if (it == actors_.end()) return;
  Forsake(*it->second);
  fits_.remove(it->second);
  actors_.erase(it);
}

void StrategyHostImpl::Shutdown() {
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_) return;
    stopping_ = true;
    for (auto& [uid, actor] : actors_) Forsake(*actor);
  }
  for (std::thread& thread : threads_) thread.join();
}

// ---- a turn of an actor
// ------------------------------------------------------------------------------------------------------

void StrategyHostImpl::Park(const std::shared_ptr<Actor>& actor, const std::shared_ptr<AskTask>& ask) {
  actor->held = false;
  if (ask->wait_end == absl::InfiniteFuture() || ask->wait_alarm) return;
  ask->wait_alarm = alarms_.emplace(ask->wait_end, Alarm{Alarm::Kind::kWaitEnds, actor, ask});
}

void StrategyHostImpl::WorkOn(const std::shared_ptr<Actor>& actor) {
  while (true) {
    Task task;
    bool begin_fit = false;
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_ || actor->dropped) {
        actor->held = false;
        return;
      }
      std::deque<Task>& tasks = actor->tasks;
      const auto* ask = tasks.empty() ? nullptr : std::get_if<std::shared_ptr<AskTask>>(&tasks.front());
      begin_fit = actor->strategy.fit_may_be_due() && actor->fit == nullptr && (tasks.empty() || ask != nullptr);
      if (!begin_fit) {
        if (ask != nullptr && MustWait(*actor, **ask)) return Park(actor, *ask);
        if (tasks.empty()) {
          actor->held = false;
          return QueuePreparation(actor);
        }
        task = std::move(tasks.front());
        tasks.pop_front();
      }
    }
    if (begin_fit) {
      BeginFit(actor);
    } else if (auto* build = std::get_if<BuildTask>(&task)) {
      actor->strategy.Build(options_.make(build->spec), std::move(build->history));
    } else if (auto* observation = std::get_if<strategies::Observation>(&task)) {
      actor->strategy.Observe(std::move(*observation));
    } else if (auto* install = std::get_if<InstallTask>(&task)) {
      actor->strategy.InstallFit(std::move(install->fit));
      absl::MutexLock lock(&mutex_);
      actor->fit.reset();
      actor->expected_is_prepared = false;
    } else {
      DoAsk(*actor, *std::get<std::shared_ptr<AskTask>>(task));
    }
  }
}

void StrategyHostImpl::BeginFit(const std::shared_ptr<Actor>& actor) {
  std::unique_ptr<strategies::FitTask> task = actor->strategy.BeginFit();
  if (task == nullptr) return;
  if (inline_ && !options_.run_fit) {
    task->Run(&actor->dropped);
    return actor->strategy.InstallFit(std::move(task));
  }
  auto fit = std::make_shared<Fit>();
  fit->task = std::move(task);
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_ || actor->dropped) return;
    actor->has_model = true;
    actor->fit = fit;
    if (!inline_) return fits_.push_back(actor);
  }
  options_.run_fit([this, actor, fit] {
    RunFit(actor, fit);
    RunInline();
  });
}

void StrategyHostImpl::RunFit(const std::shared_ptr<Actor>& actor, const std::shared_ptr<Fit>& fit) {
  if (!fit->stop) fit->task->Run(&fit->stop);
  absl::MutexLock lock(&mutex_);
  if (stopping_ || actor->dropped) return;
  actor->tasks.push_front(InstallTask{std::move(fit->task)});  // before an ask that waits for it
  Schedule(actor);
}

void StrategyHostImpl::DoAsk(Actor& actor, AskTask& task) {
  const absl::Time begin = options_.clock->Now();
  core::Proposed proposed = actor.strategy.Answer(task.question, &task.stop, &actor.dropped);
  const absl::Duration elapsed = options_.clock->Now() - begin;
  {
    absl::MutexLock lock(&mutex_);
    actor.pace = std::max(elapsed, kPaceDecay * actor.pace);
    RemoveAlarm(task.wait_alarm, alarms_);
    RemoveAlarm(task.stop_alarm, alarms_);
    if (actor.ask.get() == &task) actor.ask.reset();
    if (stopping_ || actor.dropped) return;
  }
  answer_(actor.strategy_id, std::move(proposed));
}

void StrategyHostImpl::Prepare(const std::shared_ptr<Actor>& actor) {
  std::shared_ptr<std::atomic<bool>> stop;
  Question question;
  {
    absl::MutexLock lock(&mutex_);
    actor->preparation_queued = false;
    const bool idle = !actor->held && !actor->dropped && actor->tasks.empty() && actor->expected.has_value();
    if (idle) {
      actor->held = true;
      stop = actor->preparing = std::make_shared<std::atomic<bool>>(false);
      question = *actor->expected;
    } else {
      --preparing_;
      return;
    }
  }
  const bool done = actor->strategy.Prepare(question, stop.get());
  {
    absl::MutexLock lock(&mutex_);
    --preparing_;
    actor->preparing.reset();
    if (done) actor->expected_is_prepared = actor->expected.has_value() && actor->expected->SameAs(question);
  }
  WorkOn(actor);  // on what came meanwhile
}

}  // namespace

absl::StatusOr<std::unique_ptr<strategies::Strategy>> MakeRegisteredStrategy(const core::JobSpec& spec) {
  const strategies::StrategyKind* kind = strategies::FindStrategyKind(spec.strategy.name);
  if (kind == nullptr) {
    return absl::UnimplementedError(absl::StrCat("this server has no strategy \"", spec.strategy.name, "\""));
  }
  return kind->make(spec);
}

std::unique_ptr<StrategyHost> MakeStrategyHost(StrategyHostOptions options, StrategyHost::AnswerCallback answer) {
  return std::make_unique<StrategyHostImpl>(std::move(options), std::move(answer));
}

}  // namespace tuner::engine
