// The inside of job_machine: one object per step. Private to core/job_machine.cc, core/trial_lifecycle.cc,
// core/trial_judging.cc, core/scheduling.cc, core/completion.cc, core/slots.cc, core/convergence.cc, core/retention.cc,
// core/outbox.cc.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/event.h"
#include "core/job_machine.h"
#include "core/job_state.h"

namespace tuner::core {

class Machine {
 public:
  Machine(JobState& state, absl::Time at, CallId call) : state_(state), at_(at), call_(call) {}

  // job_machine.cc
  void On(const Resumed& event);
  void On(const TrialsAdded& event);
  void On(const LimitsUpdated& event);
  void On(const JobStopAsked& event);
  void On(const TrialStopAsked& event);
  void On(const Preempted& event);
  void On(const TimerFired& event);
  // trial_lifecycle.cc
  void On(const LaunchRefused& event);
  void On(const RunBegan& event);
  void On(const MetricsSeen& event);
  void On(const RunFinished& event);
  void On(const Reported& event);
  void On(const CompletionTold& event);
  // retention.cc
  void On(const ArtifactsRemoved& event);
  // outbox.cc
  void On(const Notified& event);
  // scheduling.cc
  void On(const SuggestAsked& event);
  void On(const Proposed& event);
  void On(const SlotsGranted&) {}  // what was granted is in the state: Schedule uses it
  // Ends the job if it has done enough, fills free slots, asks the strategy, sets the timer.
  void Schedule();

  Decision Take();

 private:
  // --- job_machine.cc
  void Put(Trial trial);
  void PutJob(JobHeader header);
  void Reply(Answer answer);
  void ReplyError(absl::Status status);
  void BeginJobStop(JobStatus as, const std::string& reason);
  void FinishJobIfIdle();
  const Limits& limits() const { return state_.header().limits; }
  // Whether the job proposes and starts trials now.
  bool job_starts_trials() const {
    return job_runs() && !state_.header().import_only && state_.live.start_allowed && !state_.live.preempted;
  }
  bool job_runs() const { return state_.header().status == JobStatus::kRunning; }

  // --- trial_lifecycle.cc
  // The trial of a run whose attempt is the trial's last and has not ended; null otherwise.
  const Trial* Current(RunRef run) const;
  // The same for a caller; answers NOT_FOUND or FAILED_PRECONDITION where there is none.
  const Trial* CurrentForCaller(RunRef run, const std::string& worker_id);
  // The measurements that were new, as they are stored.
  std::vector<Measurement> AddMeasurements(Trial& trial, int32_t attempt, const std::vector<Measurement>& measurements,
                                           MeasurementSource source);
  void StopTrial(const Trial& trial, TrialState as, const std::string& reason);
  void EndAttempt(Trial& trial, std::string_view ending, const std::string& reason);
  void EndTrial(Trial trial, TrialState state, std::string reason);
  // By its values: completed, or failed because there is no finite objective.
  void EndByValues(Trial trial, std::string reason);
  void FailAttempt(Trial trial, std::string reason);
  void Requeue(Trial trial, std::string reason, std::optional<absl::Time> not_before);
  void ExpireLease(const Trial& trial);
  void FillFinalValues(Trial& trial) const;

  // --- trial_judging.cc
  // Looks at a running trial after new measurements: health rules, the end of its resource, early stopping.
  void Judge(int32_t number, const std::vector<Measurement>& added);
  bool JudgeHealth(const Trial& trial, const Measurement& measurement, bool newest);
  bool JudgeResource(const Trial& trial, int64_t step);
  void JudgeEarlyStop(const Trial& trial, int64_t step);
  void CountSteps(Trial& trial, const std::vector<Measurement>& added) const;
  bool HasMoreToRun(const Trial& trial) const;
  // Of a trial whose attempt has ended by itself or was ended for that: paused at a rung, or ended by its values.
  void EndRun(Trial trial, std::string reason);
  void ReachRung(Trial trial, const std::string& reason);
  void TakeRungResult(Trial& trial) const;
  std::string AtRung(const Trial& trial) const;  // what it came to at its last one, as a part of a sentence
  // Of a stopping trial whose attempt has ended: what it was stopped as.
  void EndStopped(Trial trial);

  // --- outbox.cc
  // Makes a notification for each receiver that wants to hear of `event`. `text` says what happened, in a sentence.
  void Notify(NotificationEvent event, std::optional<int32_t> trial, const std::string& text);
  void PutNotification(Notification notification);
  void SendDueNotifications();
  absl::Time NextNotification() const;

  // --- completion.cc, convergence.cc
  void CheckCompletion();
  std::optional<std::string> CompletionReason() const;
  std::optional<std::string> TargetReached() const;
  std::optional<std::string> NotImproving() const;
  std::optional<std::string> Converged() const;
  std::optional<std::string> Converged(int definition) const;
  void TakeForecast(int definition, const Forecast& forecast);
  std::string NoneFeasible() const;
  std::optional<std::string> FailureReason() const;
  const DefinitionProgress& progress(int definition) const { return state_.header().definitions[definition]; }
  std::string OfDefinition(int definition, const std::string& text) const;
  std::string WhyNothing() const;
  std::string NoMore() const;

  // --- scheduling.cc
  int FreeSlots() const;
  int OwnSlotsOn(int definition, int executor_index) const;  // free by the job's own limits
  int FreeSlotsOn(int definition, int executor_index) const;
  std::optional<int> FreeExecutor(int definition, bool external) const;
  bool AnyFreeExecutor(bool external) const;
  // Trials that count against max_trials: those that were ever started, and those in the queue that will be.
  int64_t Claimed() const { return state_.started() + state_.queued_new(); }
  int StartableNew() const;
  void StartQueued();
  bool MayStart(const Trial& trial) const;
  void StartTrial(Trial trial, int executor_index, const SuggestAsked* worker);
  int ServeWaiter(const Waiter& waiter);
  void ServeWaiters();
  bool AnsweredBefore(const SuggestAsked& event);
  void Remember(int32_t number, const std::string& key);
  std::vector<int32_t> HeldBy(const std::string& worker_id) const;
  void AnswerWaiter(const Waiter& waiter, std::string reason, bool job_done);
  bool ForWorkers(int definition) const;
  bool MoreForWorkers() const;
  // What a definition's strategy is to be asked for.
  struct Share {
    bool open = false;       // it may propose, and was not asked yet
    bool has_local = false;  // an executor of the server's has a free slot
    bool paused = false;     // some of its trials are
    int local = 0;           // free slots of the server's executors that were not shared out yet
    int external = 0;        // free slots for workers
    int64_t claimed = 0;     // trials that were started or will be
    int count = 0;
    int new_trials = 0;
  };
  std::vector<Share> ShareSlots(int wanted) const;
  void AskStrategies();
  void Promote(const Proposed::Promotion& promotion);
  bool Waits(int definition) const;
  bool MayPropose(int definition) const;
  void SetTimer();
  std::string WhyNoTrial() const;

  // --- retention.cc
  std::set<int32_t> KeptTrials() const;
  void RemoveUnkeptArtifacts();
  void PutNextRemoval();

  // --- slots.cc
  int GrantedOn(int definition, int executor_index) const;  // of the slots that jobs share; no bound where they do not
  void TakeSharedSlot(const std::string& executor);
  bool IsReady(const Trial& trial) const;
  const ExecutorChoice* AwaitedExecutor(int definition) const;
  void ExplainWaiting();
  void WantSharedSlots();
  int WantedOn(const std::string& executor) const;

  JobState& state_;
  const absl::Time at_;
  const CallId call_;
  bool job_dirty_ = false;
  bool trials_ended_ = false;  // criteria that count ended trials are looked at
  Decision decision_;
};

// "ask:<id>" and "add:<id>": request ids of the two calls do not meet.
std::string AskRequestKey(const std::string& request_id);
std::string AddRequestKey(const std::string& request_id);

// Reason of a queued trial.
inline constexpr std::string_view kWaitsForASlot = "waits for a slot";
// Attempt::ending.
inline constexpr std::string_view kPreempted = "preempted";
inline constexpr std::string_view kExpired = "expired";
inline constexpr std::string_view kLost = "lost";
inline constexpr std::string_view kFailed = "failed";
inline constexpr std::string_view kEnded = "ended";
inline constexpr std::string_view kPaused = "paused";
// Measurements that are kept of a trial; further values replace the last one of their metric, so that the final value
// stays right.
inline constexpr int64_t kMaxMeasurements = 100'000;
// Attempts that may be lost or expire before the trial fails: beyond these something is wrong with the trial itself.
inline constexpr int kMaxLostAttempts = 5;

}  // namespace tuner::core
