#include "tuner/engine/engine.h"

#include <algorithm>
#include <deque>
#include <list>
#include <map>
#include <thread>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/early_stopping.h"
#include "core/job_machine.h"
#include "executors/later.h"
#include "tuner/engine/dispatcher.h"
#include "tuner/engine/history.h"
#include "tuner/engine/job_runner.h"
#include "tuner/engine/parents.h"
#include "tuner/engine/slot_sharing.h"
#include "tuner/engine/strategy_host.h"

namespace tuner::engine {
namespace {

// An ended job stays in memory for as long as callers may still ask after it.
constexpr absl::Duration kKeepEnded = absl::Minutes(1);
// How long a job waits before it is loaded again after its storage or executor failed, if that does not say.
constexpr absl::Duration kSuspended = absl::Seconds(1);

absl::Status StoppingError() {
  return absl::UnavailableError("the server is shutting down: try again when it is back");
}

// ---- what comes into the loop
// ------------------------------------------------------------------------------------------------

struct CreateRequest {
  core::JobHeader header;
  core::ParentJobs parents;
  ReplyCallback done;
};
struct PostRequest {
  std::string job_id;
  core::EventKind event;
  ReplyCallback done;  // null: nobody waits
};
struct DeleteRequest {
  std::string job_id;
  std::function<void(absl::Status)> done;
};
struct AdoptedRuns {
  std::string job_id;
  std::vector<executors::RunId> runs;
  absl::StatusOr<std::vector<bool>> known;
};
struct StrategyAnswer {
  std::string strategy_id;
  core::Proposed proposed;
};
struct RemovalResult {
  executors::RunId id;
  absl::Status status;
};
struct NeverStarted {
  executors::RunId id;
};
struct DeliveryResult {
  std::string job_uid;
  int64_t number = 0;
  absl::Status status;
};
struct PreemptRequest {
  std::string reason;
};
struct KillRequest {};
using Incoming = std::variant<CreateRequest, PostRequest, DeleteRequest, AdoptedRuns, StrategyAnswer, RemovalResult,
                              NeverStarted, executors::RunEvent, DeliveryResult, PreemptRequest, KillRequest>;

// Every trial of a definition that has not ended, in order of number.
std::vector<strategies::PendingTrial> PendingTrials(const core::JobState& state, int definition) {
  const std::string& name = core::DefinitionAt(state.spec(), definition).definition;
  std::vector<strategies::PendingTrial> pending;
  for (const std::set<int32_t>* numbers : {&state.active(), &state.queued(), &state.paused()}) {
    for (int32_t number : *numbers) {
      const core::Trial& trial = *state.FindTrial(number);
      if (trial.definition != name) continue;
      pending.push_back({number, trial.parameters, trial.resource, trial.state == core::TrialState::kPaused});
    }
  }
  std::sort(pending.begin(), pending.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
  return pending;
}

core::EventKind ToEvent(executors::RunEvent event) {
  const core::RunRef run{event.id.trial, event.id.attempt};
  if (auto* started = std::get_if<executors::RunStarted>(&event.what)) {
    return core::RunBegan{run, std::move(started->location), std::move(started->artifact_path)};
  }
  if (auto* metrics = std::get_if<executors::RunMetrics>(&event.what)) {
    return core::MetricsSeen{run, std::move(metrics->measurements), std::move(metrics->cursor)};
  }
  auto& ended = std::get<executors::RunEnded>(event.what);
  using From = executors::RunEnded::Outcome;
  if (ended.outcome == From::kRefused) return core::LaunchRefused{run, std::move(ended.reason)};
  using To = core::RunFinished::Outcome;
  const To outcome = ended.outcome == From::kSucceeded  ? To::kSucceeded
                     : ended.outcome == From::kFailed   ? To::kFailed
                     : ended.outcome == From::kStopped  ? To::kStopped
                     : ended.outcome == From::kTimedOut ? To::kTimedOut
                                                        : To::kLost;
  return core::RunFinished{run,          outcome,   std::move(ended.reason),   ended.exit_code,
                           ended.signal, ended.use, std::move(ended.model_uri)};
}

// ---- watchers
// ----------------------------------------------------------------------------------------------------------------

class Watchers {
 public:
  struct Watcher {
    explicit Watcher(std::function<void(storage::Revision)> f) : changed(std::move(f)) {}
    absl::Mutex mutex;
    std::function<void(storage::Revision)> changed ABSL_GUARDED_BY(mutex);  // null once the subscription is gone
  };

  std::shared_ptr<Watcher> Add(const std::string& job_id, std::function<void(storage::Revision)> changed) {
    auto watcher = std::make_shared<Watcher>(std::move(changed));
    absl::MutexLock lock(&mutex_);
    watchers_.emplace(job_id, watcher);
    return watcher;
  }

  void Remove(const std::string& job_id, const std::shared_ptr<Watcher>& watcher) {
    {
      absl::MutexLock lock(&watcher->mutex);
      watcher->changed = nullptr;
    }
    absl::MutexLock lock(&mutex_);
    auto [begin, end] = watchers_.equal_range(job_id);
    for (auto it = begin; it != end; ++it) {
      if (it->second == watcher) {
        watchers_.erase(it);
        return;
      }
    }
  }

  void Notify(const std::string& job_id, storage::Revision revision) {
    std::vector<std::shared_ptr<Watcher>> told;
    {
      absl::MutexLock lock(&mutex_);
      auto [begin, end] = watchers_.equal_range(job_id);
      for (auto it = begin; it != end; ++it) told.push_back(it->second);
    }
    for (const auto& watcher : told) {
      absl::MutexLock lock(&watcher->mutex);
      if (watcher->changed) watcher->changed(revision);
    }
  }

 private:
  absl::Mutex mutex_;
  std::multimap<std::string, std::shared_ptr<Watcher>> watchers_ ABSL_GUARDED_BY(mutex_);
};

// ---- the engine
// --------------------------------------------------------------------------------------------------------------

class EngineImpl : public Engine, public executors::RunListener {
 public:
  EngineImpl(EngineOptions options, EngineEnvironment environment)
      : options_(std::move(options)), env_(std::move(environment)) {
    StrategyHostOptions host;
    host.threads = options_.own_threads ? options_.strategy_threads : 0;
    host.clock = env_.clock;
    host.make = env_.make_strategy;
    host.run_fit = env_.run_fit;
    strategies_ = MakeStrategyHost(std::move(host), [this](const std::string& id, core::Proposed proposed) {
      Enqueue(StrategyAnswer{id, std::move(proposed)});
    });
  }
  ~EngineImpl() override { Shutdown(); }

  executors::RunListener* listener() override { return this; }
  absl::Status Start(absl::flat_hash_map<std::string, executors::Executor*> executors) override;
  void CreateJob(core::JobHeader header, core::ParentJobs parents, ReplyCallback done) override {
    if (!Enqueue(CreateRequest{std::move(header), std::move(parents), done})) done(StoppingError());
  }
  void Post(const std::string& job_id, core::EventKind event, ReplyCallback done) override {
    if (!Enqueue(PostRequest{job_id, std::move(event), done}) && done) done(StoppingError());
  }
  void DeleteJob(const std::string& job_id, std::function<void(absl::Status)> done) override {
    if (!Enqueue(DeleteRequest{job_id, done})) done(StoppingError());
  }
  std::string PausedReason(const std::string& job_id) const override {
    absl::MutexLock lock(&mutex_);
    auto it = paused_.find(job_id);
    return it == paused_.end() ? "" : it->second;
  }
  std::unique_ptr<Subscription> Subscribe(const std::string& job_id,
                                          std::function<void(storage::Revision)> changed) override;
  void PreemptAll(const std::string& reason) override { Enqueue(PreemptRequest{reason}); }
  void KillAll() override { Enqueue(KillRequest{}); }
  bool AwaitNotifications(absl::Duration most) override;
  void Shutdown() override;
  bool RunRound() override;
  absl::Time NextWake() const override;

  void OnRunEvent(executors::RunEvent event) override { Enqueue(std::move(event)); }

 private:
  // False: shutting down.
  bool Enqueue(Incoming incoming);
  void Loop();
  absl::Time NextDeadline() const;

  // The steps of a round.
  void Take(Incoming incoming);
  void TakeCreate(CreateRequest request);
  void TakeDelete(DeleteRequest request);
  void TakeAdopted(AdoptedRuns adopted);
  void Deliver(const std::string& job_id, core::EventKind event, ReplyCallback done);
  void FireTimers(absl::Time now);
  void DrainMailbox(JobRunner& job);
  void CommitRound();
  void ShareSlots(absl::Time now);
  void ActOn(JobRunner& job);
  void GiveAnswer(JobRunner& job, core::Answer& answer);
  void ExpectNextAsk(JobRunner& job);
  void RemoveArtifacts(JobRunner& job, const core::RemoveArtifacts& removal);
  bool IsInput(const std::string& job_id, const std::string& artifact_path) const;
  void SendNotification(JobRunner& job, int64_t number);
  void CountDue(const JobRunner& job, size_t due);

  JobRunner& Runner(const std::string& job_id);
  absl::Status LoadAll(storage::JobQuery query);
  absl::Status FindRemovals();
  absl::Status Load(JobRunner& job);
  void Install(JobRunner& job, core::JobSpec spec, storage::LoadedJob loaded);
  void FailCalls(JobRunner& job, const absl::Status& status);
  void Suspend(JobRunner& job, const absl::Status& why);
  void DropStrategies(const JobRunner& job);
  void Unload(const std::string& job_id);
  void RenewOwnership(absl::Time now);
  Dispatcher* DispatcherOf(const std::string& executor) const;

  const EngineOptions options_;
  const EngineEnvironment env_;
  Watchers watchers_;

  // Of the loop.
  absl::btree_map<std::string, std::unique_ptr<JobRunner>>
      jobs_;  // in a fixed order, so that equal histories stay equal
  absl::flat_hash_map<std::string, std::string> job_of_uid_;
  absl::btree_set<std::string> touched_;
  core::CallId next_call_ = 1;
  absl::btree_map<std::string, absl::Time> removals_;  // of ended jobs that are not in memory: when they are due
  absl::Time renew_at_ = absl::InfiniteFuture();
  bool preempted_ = false;

  mutable absl::Mutex mutex_;
  std::deque<Incoming> inbox_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool shut_down_ ABSL_GUARDED_BY(mutex_) = false;
  absl::flat_hash_map<std::string, std::string> paused_ ABSL_GUARDED_BY(mutex_);
  // Notifications and removals of artefacts that are due, by job; none: no entry.
  absl::flat_hash_map<std::string, size_t> due_work_ ABSL_GUARDED_BY(mutex_);

  absl::flat_hash_map<std::string, std::unique_ptr<Dispatcher>> dispatchers_;  // constant after Start
  std::unique_ptr<StrategyHost> strategies_;
  std::thread loop_;
};

bool EngineImpl::Enqueue(Incoming incoming) {
  absl::MutexLock lock(&mutex_);
  if (stopping_) return false;
  inbox_.push_back(std::move(incoming));
  return true;
}

absl::Status EngineImpl::Start(absl::flat_hash_map<std::string, executors::Executor*> executors) {
  for (auto& [name, executor] : executors) {
    Dispatcher::Callbacks callbacks;
    callbacks.refused = [this](const executors::RunId& id, const absl::Status& status) {
      Enqueue(
          PostRequest{id.job_id, core::LaunchRefused{{id.trial, id.attempt}, std::string(status.message())}, nullptr});
    };
    callbacks.never_started = [this](const executors::RunId& id) { Enqueue(NeverStarted{id}); };
    dispatchers_[name] = MakeDispatcher(executor, std::move(callbacks), options_.own_threads);
  }
  renew_at_ = env_.clock->Now() + options_.ownership_lease / 2;
  if (options_.load_running_jobs) {
    storage::JobQuery running;
    running.statuses = {core::JobStatus::kRunning, core::JobStatus::kStopping};
    if (absl::Status status = LoadAll(running); !status.ok()) return status;
    storage::JobQuery telling;  // ended ones of which somebody was not told yet
    telling.with_due_notifications = true;
    if (absl::Status status = LoadAll(telling); !status.ok()) return status;
    if (absl::Status status = FindRemovals(); !status.ok()) return status;
  }
  if (options_.own_threads) loop_ = std::thread([this] { Loop(); });
  return absl::OkStatus();
}

// When each ended job is to be loaded, to remove artefacts that it does not keep.
absl::Status EngineImpl::FindRemovals() {
  storage::JobQuery ended;
  ended.limit = 1'000;
  ended.statuses = {core::JobStatus::kCompleted, core::JobStatus::kStopped, core::JobStatus::kFailed};
  do {
    absl::StatusOr<storage::JobPage> page = env_.storage->ListJobs(ended);
    if (!page.ok()) return page.status();
    for (const storage::JobRecord& record : page->jobs) {
      const std::optional<absl::Time>& next = record.header.next_artifact_removal;
      if (next && !jobs_.contains(record.header.job_id)) removals_[record.header.job_id] = *next;
    }
    ended.after = page->next;
  } while (!ended.after.empty());
  return absl::OkStatus();
}

absl::Status EngineImpl::LoadAll(storage::JobQuery query) {
  do {
    absl::StatusOr<storage::JobPage> page = env_.storage->ListJobs(query);
    if (!page.ok()) return page.status();
    for (const storage::JobRecord& record : page->jobs) {
      JobRunner& job = Runner(record.header.job_id);
      if (job.phase != JobRunner::Phase::kUnloaded) continue;
      const core::TrialCounts& counts = record.header.counts;
      const int active =
          counts[core::TrialState::kPending] + counts[core::TrialState::kRunning] + counts[core::TrialState::kStopping];
      for (const auto& [name, slots] : options_.executor_slots) job.shared_slots[name].held = active;  // wherever
      if (absl::Status status = Load(job); !status.ok()) Suspend(job, status);
    }
    query.after = page->next;
  } while (!query.after.empty());
  return absl::OkStatus();
}

void EngineImpl::Loop() {
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || !inbox_.empty(); };
      env_.clock->AwaitUntil(mutex_, absl::Condition(&ready), touched_.empty() ? NextDeadline() : absl::InfinitePast());
      if (stopping_ && inbox_.empty()) return;
    }
    RunRound();
  }
}

absl::Time EngineImpl::NextDeadline() const {
  absl::Time next = renew_at_;
  for (const auto& [id, job] : jobs_) next = std::min({next, job->wake, job->retry_time, job->unload_time});
  for (const auto& [id, time] : removals_) next = std::min(next, time);
  return next;
}

absl::Time EngineImpl::NextWake() const { return std::min(NextDeadline(), strategies_->NextDue()); }

bool EngineImpl::RunRound() {
  if (!options_.own_threads) strategies_->RunDue();  // what they say is taken in by this round
  std::deque<Incoming> inbox;
  {
    absl::MutexLock lock(&mutex_);
    inbox.swap(inbox_);
  }
  const absl::Time now = env_.clock->Now();
  bool worked = !inbox.empty() || !touched_.empty() || NextDeadline() <= now;
  for (Incoming& incoming : inbox) Take(std::move(incoming));
  FireTimers(now);
  CommitRound();
  ShareSlots(now);
  RenewOwnership(now);
  return worked;
}

// ---- taking in
// ---------------------------------------------------------------------------------------------------------------

void EngineImpl::Take(Incoming incoming) {
  if (auto* post = std::get_if<PostRequest>(&incoming)) {
    Deliver(post->job_id, std::move(post->event), std::move(post->done));
  } else if (auto* run = std::get_if<executors::RunEvent>(&incoming)) {
    const bool ended = std::holds_alternative<executors::RunEnded>(run->what);
    const std::string job_id = run->id.job_id;
    auto known = job_of_uid_.find(run->id.job_uid);
    if (known == job_of_uid_.end()) return;  // of a job that was deleted
    Deliver(job_id, ToEvent(std::move(*run)), nullptr);
    if (ended) {
      for (auto& [name, dispatcher] : dispatchers_) dispatcher->SlotFreed();
    }
  } else if (auto* answer = std::get_if<StrategyAnswer>(&incoming)) {
    auto job_id = job_of_uid_.find(JobUidOf(answer->strategy_id));
    if (job_id != job_of_uid_.end()) Deliver(job_id->second, std::move(answer->proposed), nullptr);
  } else if (auto* result = std::get_if<DeliveryResult>(&incoming)) {
    auto job_id = job_of_uid_.find(result->job_uid);
    if (job_id == job_of_uid_.end()) return;  // of a job that was deleted
    Deliver(job_id->second, core::Notified{result->number, result->status.ok(), std::string(result->status.message())},
            nullptr);
  } else if (auto* removal = std::get_if<RemovalResult>(&incoming)) {
    auto job_id = job_of_uid_.find(removal->id.job_uid);
    if (job_id == job_of_uid_.end()) return;  // deleted, or not in memory any more: its next load does it again
    core::ArtifactsRemoved removed;
    removed.run = {removal->id.trial, removal->id.attempt};
    removed.ok = removal->status.ok();
    removed.again = !absl::IsUnimplemented(removal->status);
    Deliver(job_id->second, removed, nullptr);
  } else if (auto* create = std::get_if<CreateRequest>(&incoming)) {
    TakeCreate(std::move(*create));
  } else if (auto* remove = std::get_if<DeleteRequest>(&incoming)) {
    TakeDelete(std::move(*remove));
  } else if (auto* adopted = std::get_if<AdoptedRuns>(&incoming)) {
    TakeAdopted(std::move(*adopted));
  } else if (auto* never = std::get_if<NeverStarted>(&incoming)) {
    core::RunFinished finished;
    finished.run = {never->id.trial, never->id.attempt};
    finished.outcome = core::RunFinished::Outcome::kStopped;
    finished.reason = "stopped before it was started";
    Deliver(never->id.job_id, std::move(finished), nullptr);
  } else if (auto* preempt = std::get_if<PreemptRequest>(&incoming)) {
    preempted_ = true;
    std::vector<std::string> ids;
    for (const auto& [id, job] : jobs_) ids.push_back(id);
    for (const std::string& id : ids) Deliver(id, core::Preempted{preempt->reason}, nullptr);
  } else {
    for (auto& [id, job] : jobs_) {
      if (job->phase != JobRunner::Phase::kReady) continue;
      for (int32_t number : job->state->active()) {
        const core::Trial& trial = *job->state->FindTrial(number);
        const core::Attempt& attempt = trial.attempts.back();
        if (trial.state != core::TrialState::kStopping) continue;
        if (Dispatcher* dispatcher = DispatcherOf(attempt.executor)) {
          dispatcher->Stop(MakeRunId(*job->state, {number, attempt.number}), absl::ZeroDuration());
        }
      }
    }
  }
}

void EngineImpl::TakeCreate(CreateRequest request) {
  core::JobHeader header = std::move(request.header);
  header = std::get<core::JobPut>(core::FirstChanges(std::move(header), env_.clock->Now())[0]).header;
  absl::StatusOr<core::JobSpec> spec = env_.parse_spec(header);
  if (!spec.ok()) return request.done(spec.status());
  header.definitions.resize(static_cast<size_t>(core::DefinitionCount(*spec)));
  if (absl::Status status = env_.storage->CreateJob(header, request.parents); !status.ok()) return request.done(status);
  JobRunner& job = Runner(header.job_id);
  absl::Status status = Load(job);
  if (!status.ok()) Suspend(job, status);  // it is stored, and goes on when storage does
  Reply reply;
  reply.header = std::move(header);
  reply.revision = 1;
  request.done(std::move(reply));
}

void EngineImpl::TakeDelete(DeleteRequest request) {
  absl::StatusOr<storage::JobRecord> record = env_.storage->ReadJob(request.job_id);
  if (!record.ok()) return request.done(record.status());
  if (!core::IsTerminal(record->header.status)) {
    return request.done(
        absl::FailedPreconditionError("the job still runs: stop it first, and wait until it has ended"));
  }
  const absl::Status status = env_.storage->DeleteJob(request.job_id);
  if (status.ok()) {
    for (auto& [name, dispatcher] : dispatchers_) dispatcher->Remove(request.job_id, record->header.uid);
    removals_.erase(request.job_id);
    job_of_uid_.erase(record->header.uid);
    if (auto it = jobs_.find(request.job_id); it != jobs_.end()) {
      DropStrategies(*it->second);
      FailCalls(*it->second, absl::NotFoundError("the job was deleted"));
      jobs_.erase(it);
    }
    touched_.erase(request.job_id);
    {
      absl::MutexLock lock(&mutex_);
      due_work_.erase(request.job_id);
    }
    watchers_.Notify(request.job_id, record->revision + 1);
  }
  request.done(status);
}

void EngineImpl::Deliver(const std::string& job_id, core::EventKind kind, ReplyCallback done) {
  JobRunner& job = Runner(job_id);
  if (job.phase == JobRunner::Phase::kUnloaded) {
    if (absl::Status status = Load(job); !status.ok()) {
      if (done) done(status);
      jobs_.erase(job_id);
      return;
    }
  }
  if (job.phase == JobRunner::Phase::kSuspended && done) {
    return done(absl::UnavailableError(PausedReason(job_id)));
  }
  core::Event event{env_.clock->Now(), std::move(kind), 0};
  if (done) {
    event.call = next_call_++;
    job.calls[event.call] = std::move(done);
  }
  job.mailbox.push_back(std::move(event));
  touched_.insert(job_id);
}

void EngineImpl::FireTimers(absl::Time now) {
  std::vector<std::string> idle;
  for (auto& [id, job] : jobs_) {
    if (job->phase == JobRunner::Phase::kSuspended && job->retry_time <= now) {
      job->retry_time = absl::InfiniteFuture();
      if (absl::Status status = Load(*job); !status.ok()) Suspend(*job, status);
    }
    if (job->phase == JobRunner::Phase::kReady && job->unload_time <= now) idle.push_back(id);
    if (job->phase == JobRunner::Phase::kReady && job->wake <= now) {
      job->wake = absl::InfiniteFuture();
      job->mailbox.push_back(core::Event{now, core::TimerFired{}, 0});
      touched_.insert(id);
    }
  }
  for (const std::string& id : idle) Unload(id);
  while (!removals_.empty()) {
    const auto due = std::ranges::find_if(removals_, [&](const auto& removal) { return removal.second <= now; });
    if (due == removals_.end()) break;
    const std::string id = due->first;
    removals_.erase(due);
    Deliver(id, core::TimerFired{}, nullptr);  // loads it
    if (!jobs_.contains(id)) removals_[id] = now + kSuspended;
  }
}

// ---- loading
// -----------------------------------------------------------------------------------------------------------------

JobRunner& EngineImpl::Runner(const std::string& job_id) {
  std::unique_ptr<JobRunner>& job = jobs_[job_id];
  if (job == nullptr) {
    job = std::make_unique<JobRunner>();
    job->job_id = job_id;
  }
  return *job;
}

Dispatcher* EngineImpl::DispatcherOf(const std::string& executor) const {
  auto it = dispatchers_.find(executor);
  return it == dispatchers_.end() ? nullptr : it->second.get();
}

absl::Status EngineImpl::Load(JobRunner& job) {
  absl::StatusOr<storage::Epoch> epoch =
      env_.storage->AcquireJob(job.job_id, options_.server_id, env_.clock->Now(), options_.ownership_lease);
  if (!epoch.ok()) return epoch.status();
  absl::StatusOr<storage::LoadedJob> loaded = env_.storage->LoadJob(job.job_id);
  if (!loaded.ok()) return loaded.status();
  absl::StatusOr<core::JobSpec> spec = env_.parse_spec(loaded->record.header);
  if (!spec.ok()) {
    return absl::DataLossError(absl::StrCat("the stored specification cannot be read: ", spec.status().message()));
  }
  if (core::ComparesCurves(spec->early_stopping)) {
    absl::btree_set<std::string> metrics;
    for (int i = 0; i < core::DefinitionCount(*spec); ++i)
      metrics.insert(core::DefinitionAt(*spec, i).objective.metric);
    for (const std::string& metric : metrics) {
      absl::StatusOr<std::vector<core::MeasurementPut>> curves = env_.storage->ReadMetric(job.job_id, metric);
      if (!curves.ok()) return curves.status();
      std::ranges::move(*curves, std::back_inserter(loaded->measurements));
    }
  }
  if (absl::Status status = AttachParents(*env_.storage, job.job_id, *spec); !status.ok()) return status;
  job.epoch = *epoch;
  Install(job, *std::move(spec), *std::move(loaded));
  return absl::OkStatus();
}

void EngineImpl::Install(JobRunner& job, core::JobSpec spec, storage::LoadedJob loaded) {
  {
    absl::MutexLock lock(&mutex_);
    paused_.erase(job.job_id);
  }
  job.revision = loaded.record.revision;
  job.state = std::make_unique<core::JobState>(std::move(spec));
  core::JobState& state = *job.state;
  Apply(core::JobPut{std::move(loaded.record.header)}, state);
  for (core::Trial& trial : loaded.trials) Apply(core::TrialPut{std::move(trial)}, state);
  for (core::MeasurementPut& put : loaded.measurements) Apply(std::move(put), state);
  for (core::Notification& due : loaded.notifications) Apply(core::NotificationPut{std::move(due)}, state);
  CountDue(job, state.due_notifications().size());
  state.live.start_allowed = options_.start_trials;
  state.live.preempted = preempted_;
  for (const auto& [name, slots] : options_.executor_slots) {
    state.live.shared_slots[name].total = slots;
    job.shared_slots[name].last_start = LastLaunchOn(state, name);
  }
  job_of_uid_[state.header().uid] = job.job_id;

  for (int i = 0; i < state.definition_count(); ++i) {
    const core::JobSpec& definition = core::DefinitionAt(state.spec(), i);
    strategies_->Build(StrategyId(state, i), definition, HistoryOf(state.trials(), definition.definition));
  }

  job.phase = JobRunner::Phase::kAdopting;
  job.adopted.clear();
  job.adoptions_left = 0;
  absl::flat_hash_map<std::string, std::vector<executors::RunCursor>> by_executor;
  for (int32_t number : state.active()) {
    const core::Trial& trial = *state.FindTrial(number);
    const core::Attempt& attempt = trial.attempts.back();
    if (state.external(trial)) continue;
    const executors::RunId id = MakeRunId(state, {number, attempt.number});
    if (job.attached.contains(id)) {
      job.adopted.push_back({number, attempt.number});
      continue;
    }
    by_executor[attempt.executor].push_back(
        {MakeRunSpec(state, trial, env_.service_environment), attempt.start_time.has_value()});
  }
  touched_.insert(job.job_id);
  job.adoptions_left = static_cast<int>(by_executor.size());
  if (by_executor.empty()) return TakeAdopted({job.job_id, {}, std::vector<bool>{}});
  for (auto& [name, runs] : by_executor) {
    std::vector<executors::RunId> ids;
    for (const executors::RunCursor& run : runs) ids.push_back(run.spec.id);
    Dispatcher* dispatcher = DispatcherOf(name);
    if (dispatcher == nullptr) {
      Enqueue(AdoptedRuns{job.job_id, std::move(ids), absl::UnimplementedError("no such executor")});
      continue;
    }
    dispatcher->Adopt(std::move(runs), [this, job_id = job.job_id, ids](absl::StatusOr<std::vector<bool>> known) {
      Enqueue(AdoptedRuns{job_id, ids, std::move(known)});
    });
  }
}

void EngineImpl::TakeAdopted(AdoptedRuns adopted) {
  auto it = jobs_.find(adopted.job_id);
  if (it == jobs_.end() || it->second->phase != JobRunner::Phase::kAdopting) return;
  JobRunner& job = *it->second;
  if (!adopted.known.ok()) return Suspend(job, adopted.known.status());
  for (size_t i = 0; i < adopted.runs.size(); ++i) {
    if (!(*adopted.known)[i]) continue;
    job.attached.insert(adopted.runs[i]);
    job.adopted.push_back({adopted.runs[i].trial, adopted.runs[i].attempt});
  }
  if (!adopted.runs.empty() && --job.adoptions_left > 0) return;
  job.phase = JobRunner::Phase::kReady;
  job.mailbox.push_front(core::Event{env_.clock->Now(), core::Resumed{std::move(job.adopted)}, 0});
  touched_.insert(job.job_id);
}

// ---- deciding and committing
// -------------------------------------------------------------------------------------------------

void EngineImpl::DrainMailbox(JobRunner& job) {
  while (!job.mailbox.empty()) {
    core::Event event = std::move(job.mailbox.front());
    job.mailbox.pop_front();
    core::Decision decision = core::Step(*job.state, event);
    job.changes.insert(job.changes.end(), std::make_move_iterator(decision.changes.begin()),
                       std::make_move_iterator(decision.changes.end()));
    job.effects.insert(job.effects.end(), std::make_move_iterator(decision.effects.begin()),
                       std::make_move_iterator(decision.effects.end()));
    const bool asked_by_caller = event.call != 0;
    if (!asked_by_caller && !std::holds_alternative<core::Resumed>(event.what)) {
      job.done_events.push_back(std::move(event));
    }
  }
}

void EngineImpl::CommitRound() {
  std::vector<JobRunner*> committing;
  std::vector<storage::JobCommit> commits;
  std::vector<std::string> acting;
  const absl::btree_set<std::string> touched = std::exchange(touched_, {});
  for (const std::string& job_id : touched) {
    auto it = jobs_.find(job_id);
    if (it == jobs_.end() || it->second->phase != JobRunner::Phase::kReady) continue;
    JobRunner& job = *it->second;
    DrainMailbox(job);
    // Before anybody can see what they tell of, or what goes.
    CountDue(job, job.state->due_notifications().size() + job.state->live.removing.size());
    if (job.changes.empty()) {
      acting.push_back(job_id);
      continue;
    }
    commits.push_back({job_id, job.revision, job.epoch, Coalesce(std::move(job.changes))});
    job.changes.clear();
    committing.push_back(&job);
  }
  if (!commits.empty()) {
    const std::vector<absl::Status> statuses = env_.storage->Commit(commits);
    for (size_t i = 0; i < committing.size(); ++i) {
      JobRunner& job = *committing[i];
      if (statuses[i].ok()) {
        ++job.revision;
        acting.push_back(job.job_id);
      } else {
        Suspend(job, statuses[i]);
      }
    }
  }
  for (const std::string& job_id : acting) ActOn(*jobs_[job_id]);
  for (const storage::JobCommit& commit : commits) {
    if (auto it = jobs_.find(commit.job_id); it != jobs_.end()) watchers_.Notify(commit.job_id, it->second->revision);
  }
}

// What jobs want and hold is as committed now: a slot that a trial has left is given on only when that is stored.
void EngineImpl::ShareSlots(absl::Time now) {
  for (const auto& [name, total] : options_.executor_slots) {
    std::vector<SlotClaim> claims;
    std::vector<JobRunner*> claimants;
    for (auto& [id, job] : jobs_) {
      JobRunner::SharedSlot& slot = job->shared_slots[name];
      SlotClaim claim;
      if (job->state != nullptr) slot.held = ActiveOn(*job->state, name);
      claim.held = slot.held;
      if (job->phase == JobRunner::Phase::kReady) {
        claim.wanted = job->state->live.shared_slots.at(name).wanted;
        claim.last_start = slot.last_start;
        claim.create_time = job->state->header().create_time;
      }
      claims.push_back(claim);
      claimants.push_back(job.get());
    }
    const std::vector<int> granted = ShareOut(total, claims);
    for (size_t i = 0; i < claims.size(); ++i) {
      JobRunner& job = *claimants[i];
      if (job.phase != JobRunner::Phase::kReady) continue;
      int& before = job.state->live.shared_slots.at(name).granted;
      // One that waits for its strategy may lose a slot again to a job that has fewer.
      if (std::exchange(before, granted[i]) >= granted[i]) continue;
      job.mailbox.push_back(core::Event{now, core::SlotsGranted{}, 0});
      touched_.insert(job.job_id);
    }
  }
}

void EngineImpl::FailCalls(JobRunner& job, const absl::Status& status) {
  auto calls = std::exchange(job.calls, {});
  for (auto& [call, done] : calls) done(status);
}

void EngineImpl::Suspend(JobRunner& job, const absl::Status& why) {
  const std::string reason = absl::StrCat("the job cannot go on for the moment: ", why.message());
  {
    absl::MutexLock lock(&mutex_);
    paused_[job.job_id] = reason;
  }
  job.phase = JobRunner::Phase::kSuspended;
  const absl::Duration wait = executors::RetryAfter(why).value_or(kSuspended);
  job.retry_time = absl::IsAborted(why) ? env_.clock->Now() : env_.clock->Now() + wait;
  job.wake = absl::InfiniteFuture();
  job.unload_time = absl::InfiniteFuture();
  DropStrategies(job);
  if (job.state != nullptr) {
    // Whether the last commit is in storage is not known: what was active before or is now may go on.
    for (auto& [name, slot] : job.shared_slots) slot.held = std::max(slot.held, ActiveOn(*job.state, name));
  }
  job.state.reset();
  job.effects.clear();
  job.changes.clear();
  // What executors said is not said again: it is done again on the state that storage holds. Answers of the strategy
  // are asked for anew.
  for (auto it = job.done_events.rbegin(); it != job.done_events.rend(); ++it) {
    if (!std::holds_alternative<core::Proposed>(it->what)) job.mailbox.push_front(std::move(*it));
  }
  job.done_events.clear();
  std::erase_if(job.mailbox, [](const core::Event& event) { return event.call != 0; });
  FailCalls(job, absl::UnavailableError(reason));
}

void EngineImpl::ActOn(JobRunner& job) {
  job.done_events.clear();
  std::vector<core::Effect> effects = std::exchange(job.effects, {});
  core::JobState& state = *job.state;
  job.wake = absl::InfiniteFuture();
  const bool done =
      core::IsTerminal(state.header().status) && (state.due_notifications().empty() || env_.notifier == nullptr);
  job.unload_time = done ? env_.clock->Now() + kKeepEnded : absl::InfiniteFuture();
  // What ended in this round is shown to the strategy before it is asked: it is pending no more.
  std::stable_partition(effects.begin(), effects.end(),
                        [](const core::Effect& effect) { return std::holds_alternative<core::TellStrategy>(effect); });
  for (core::Effect& effect : effects) {
    if (auto* answer = std::get_if<core::Answer>(&effect)) {
      GiveAnswer(job, *answer);
    } else if (const auto* launch = std::get_if<core::Launch>(&effect)) {
      const core::Trial& trial = *state.FindTrial(launch->run.trial);
      if (trial.attempts.back().number != launch->run.attempt) continue;
      Dispatcher* dispatcher = DispatcherOf(trial.attempts.back().executor);
      const executors::RunId id = MakeRunId(state, launch->run);
      if (dispatcher == nullptr) {
        Enqueue(PostRequest{job.job_id, core::LaunchRefused{launch->run, "this server lacks the executor"}, nullptr});
        continue;
      }
      job.attached.insert(id);
      if (const auto slot = job.shared_slots.find(trial.attempts.back().executor); slot != job.shared_slots.end()) {
        slot->second.last_start = env_.clock->Now();
      }
      dispatcher->Launch(MakeRunSpec(state, trial, env_.service_environment));
    } else if (const auto* stop = std::get_if<core::StopRun>(&effect)) {
      const core::Trial& trial = *state.FindTrial(stop->run.trial);
      if (Dispatcher* dispatcher = DispatcherOf(trial.attempts.back().executor)) {
        dispatcher->Stop(MakeRunId(state, stop->run), stop->grace);
      }
    } else if (const auto* ended = std::get_if<core::AcknowledgeEnd>(&effect)) {
      const core::Trial& trial = *state.FindTrial(ended->run.trial);
      if (Dispatcher* dispatcher = DispatcherOf(trial.attempts[ended->run.attempt - 1].executor)) {
        dispatcher->Acknowledge(MakeRunId(state, ended->run));
      }
    } else if (const auto* removal = std::get_if<core::RemoveArtifacts>(&effect)) {
      RemoveArtifacts(job, *removal);
    } else if (const auto* tell = std::get_if<core::TellStrategy>(&effect)) {
      const core::Trial& trial = *state.FindTrial(tell->trial);
      const std::string strategy = StrategyId(state, core::DefinitionIndex(state.spec(), trial));
      if (tell->rung) {
        strategies_->Observe(strategy, AtRung(trial, *tell->rung));
      } else {
        strategies_->Observe(strategy, strategies::Finished{trial});
      }
      for (const core::Attempt& attempt : trial.attempts) {
        if (attempt.end_time) job.attached.erase(MakeRunId(state, {trial.number, attempt.number}));
      }
    } else if (const auto* ask = std::get_if<core::AskStrategy>(&effect)) {
      strategies_->Ask(StrategyId(state, ask->definition), *ask, PendingTrials(state, ask->definition));
    } else if (const auto* wake = std::get_if<core::WakeAt>(&effect)) {
      job.wake = wake->time;
    } else if (const auto* send = std::get_if<core::SendNotification>(&effect)) {
      SendNotification(job, send->number);
    }
  }
  ExpectNextAsk(job);
}

void EngineImpl::RemoveArtifacts(JobRunner& job, const core::RemoveArtifacts& removal) {
  const core::JobState& state = *job.state;
  core::Trial trial = *state.FindTrial(removal.run.trial);
  trial.attempts.resize(removal.run.attempt);  // the one that is meant is the last
  const executors::RunId id = MakeRunId(state, removal.run);
  Dispatcher* dispatcher = DispatcherOf(trial.attempts.back().executor);
  const auto done = [this, id](absl::Status status) { Enqueue(RemovalResult{id, std::move(status)}); };
  if (dispatcher == nullptr) return done(absl::UnimplementedError("this server lacks the executor"));
  if (IsInput(job.job_id, trial.attempts.back().artifact_path)) {
    return done(absl::FailedPreconditionError("a running job has it as an input"));
  }
  dispatcher->RemoveArtifacts(MakeRunSpec(state, trial, env_.service_environment), removal.with_logs, done);
}

// Whether a job that has not ended reads what is below this path as the best artefact of the job.
bool EngineImpl::IsInput(const std::string& job_id, const std::string& artifact_path) const {
  for (const auto& [id, job] : jobs_) {
    if (job->state == nullptr || core::IsTerminal(job->state->header().status)) continue;
    for (int d = 0; d < job->state->definition_count(); ++d) {
      for (const core::Channel& input : core::DefinitionAt(job->state->spec(), d).trial.inputs) {
        if (input.best_artifact_of == job_id && input.path.rfind(artifact_path + "/", 0) == 0) return true;
      }
    }
  }
  return false;
}

void EngineImpl::SendNotification(JobRunner& job, int64_t number) {
  const core::JobState& state = *job.state;
  const auto due = state.due_notifications().find(number);
  if (due == state.due_notifications().end() || env_.notifier == nullptr) return;
  const core::JobHeader& header = state.header();
  Delivery delivery;
  delivery.notification = due->second;
  delivery.rule = state.spec().notifications[due->second.rule];
  delivery.job_id = header.job_id;
  delivery.job_uid = header.uid;
  delivery.base_dir = header.base_dir;
  delivery.counts = header.counts;
  delivery.best_trial = header.best_trial;
  delivery.best_objective = header.best_objective;
  env_.notifier->Deliver(std::move(delivery), [this, uid = header.uid, number](absl::Status status) {
    Enqueue(DeliveryResult{uid, number, std::move(status)});
  });
}

void EngineImpl::CountDue(const JobRunner& job, size_t due) {
  absl::MutexLock lock(&mutex_);
  if (due > 0) {
    due_work_[job.job_id] = due;
  } else {
    due_work_.erase(job.job_id);
  }
}

bool EngineImpl::AwaitNotifications(absl::Duration most) {
  absl::MutexLock lock(&mutex_);
  if (env_.notifier == nullptr) return due_work_.empty();
  const auto told = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || due_work_.empty(); };
  env_.clock->AwaitUntil(mutex_, absl::Condition(&told), env_.clock->Now() + most);
  return due_work_.empty();
}

// Where a slot is free, somebody may ask before anything else happens: a strategy with a model answers ahead.
void EngineImpl::ExpectNextAsk(JobRunner& job) {
  const core::JobState& state = *job.state;
  const core::JobHeader& header = state.header();
  const bool may_ask = header.status == core::JobStatus::kRunning && !header.import_only && state.live.start_allowed &&
                       !state.live.preempted && state.queued().empty() &&
                       static_cast<int>(state.active().size()) < header.limits.max_parallel_trials &&
                       (!header.limits.max_trials || state.started() + state.queued_new() < *header.limits.max_trials);
  for (int i = 0; may_ask && i < state.definition_count(); ++i) {
    const core::DefinitionProgress& progress = header.definitions[i];
    const std::string strategy = StrategyId(state, i);
    if (progress.exhausted || state.live.strategies[i].ask || !strategies_->WantsExpectations(strategy)) continue;
    core::AskStrategy ask{progress.next_ordinal, 1};
    ask.definition = i;
    strategies_->Expect(strategy, ask, PendingTrials(state, i));
  }
}

void EngineImpl::GiveAnswer(JobRunner& job, core::Answer& answer) {
  auto it = job.calls.find(answer.call);
  if (it == job.calls.end()) return;
  ReplyCallback done = std::move(it->second);
  job.calls.erase(it);
  if (!answer.status.ok()) return done(std::move(answer.status));
  Reply reply;
  reply.header = job.state->header();
  reply.revision = job.revision;
  for (int32_t number : answer.trials) reply.trials.push_back(*job.state->FindTrial(number));
  if (reply.header.best_trial) reply.best_trial = *job.state->FindTrial(*reply.header.best_trial);
  reply.reason = std::move(answer.reason);
  reply.job_done = answer.job_done;
  reply.should_stop = answer.should_stop;
  reply.lease_expire_time = answer.lease_expire_time;
  done(std::move(reply));
}

void EngineImpl::DropStrategies(const JobRunner& job) {
  if (job.state == nullptr) return;
  for (int i = 0; i < job.state->definition_count(); ++i) strategies_->Drop(StrategyId(*job.state, i));
}

void EngineImpl::Unload(const std::string& job_id) {
  JobRunner& job = *jobs_.at(job_id);
  if (!job.mailbox.empty()) return;
  if (job.state->header().next_artifact_removal) removals_[job_id] = *job.state->header().next_artifact_removal;
  DropStrategies(job);
  job_of_uid_.erase(job.state->header().uid);
  // A job that could not be given up is taken over by whoever comes next, when the lease is over.
  env_.storage->ReleaseJob(job_id, job.epoch).IgnoreError();
  jobs_.erase(job_id);
  touched_.erase(job_id);
}

void EngineImpl::RenewOwnership(absl::Time now) {
  if (now < renew_at_) return;
  renew_at_ = now + options_.ownership_lease / 2;
  for (auto& [id, job] : jobs_) {
    if (job->phase != JobRunner::Phase::kReady) continue;
    absl::StatusOr<storage::Epoch> epoch =
        env_.storage->AcquireJob(id, options_.server_id, now, options_.ownership_lease);
    if (epoch.ok()) {
      job->epoch = *epoch;
    } else {
      Suspend(*job, epoch.status());
    }
  }
}

// ---- watching and ending
// -----------------------------------------------------------------------------------------------------

std::unique_ptr<Engine::Subscription> EngineImpl::Subscribe(const std::string& job_id,
                                                            std::function<void(storage::Revision)> changed) {
  class Handle : public Subscription {
   public:
    Handle(Watchers& watchers, std::string job_id, std::function<void(storage::Revision)> changed)
        : watchers_(watchers), job_id_(std::move(job_id)), watcher_(watchers.Add(job_id_, std::move(changed))) {}
    ~Handle() override { watchers_.Remove(job_id_, watcher_); }

   private:
    Watchers& watchers_;
    const std::string job_id_;
    const std::shared_ptr<Watchers::Watcher> watcher_;
  };
  auto handle = std::make_unique<Handle>(watchers_, job_id, changed);
  absl::StatusOr<storage::JobRecord> record = env_.storage->ReadJob(job_id);
  if (record.ok()) changed(record->revision);
  return handle;
}

void EngineImpl::Shutdown() {
  {
    absl::MutexLock lock(&mutex_);
    if (shut_down_) return;
    shut_down_ = true;
    stopping_ = true;
  }
  if (loop_.joinable()) loop_.join();
  if (env_.notifier != nullptr) env_.notifier->Shutdown();
  strategies_->Shutdown();
  for (auto& [name, dispatcher] : dispatchers_) dispatcher->Shutdown();
  for (auto& [id, job] : jobs_) {
    FailCalls(*job, StoppingError());
    if (job->phase == JobRunner::Phase::kReady) env_.storage->ReleaseJob(id, job->epoch).IgnoreError();
  }
}

}  // namespace

std::unique_ptr<Engine> MakeEngine(EngineOptions options, EngineEnvironment environment) {
  return std::make_unique<EngineImpl>(std::move(options), std::move(environment));
}

}  // namespace tuner::engine
