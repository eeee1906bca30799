// Which trial starts where and when, who waits for one, and when a job has done enough.
#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/machine.h"

namespace tuner::core {
namespace {

// A job without a bound of its own on failures ends when this many trials failed and none did anything else, as
// SageMaker does.
constexpr int kHopelessFailures = 5;
constexpr int kMostAskedAtOnce = 1'000;
// How long a free slot waits for the strategy.
constexpr absl::Duration kSlotDeadline = absl::Milliseconds(200);

StartReason ReasonForNext(const Trial& trial) {
  if (trial.attempts.empty()) return StartReason::kFirst;
  const std::string& ending = trial.attempts.back().ending;
  if (ending == kPreempted || ending == kLost) return StartReason::kPreemption;
  if (ending == kExpired) return StartReason::kExpiredLease;
  if (ending == kPaused) return StartReason::kPromotion;
  return StartReason::kRetry;
}

}  // namespace

// ---- completion
// ------------------------------------------------------------------------------------------------------------

std::optional<std::string> Machine::FailureReason() const {
  const TrialCounts& counts = state_.header().counts;
  const int failed = counts[TrialState::kFailed] - state_.imported_failed();
  if (limits().max_failed_trials) {
    if (failed <= *limits().max_failed_trials) return std::nullopt;
    return absl::StrCat(failed, " trials failed, limits.max_failed_trials is ", *limits().max_failed_trials);
  }
  const int ended_otherwise = counts[TrialState::kCompleted] + counts[TrialState::kEarlyStopped] +
                              counts[TrialState::kStopped] + counts[TrialState::kInfeasible] -
                              (counts.imported - state_.imported_failed()) - state_.reused();
  // What came to a rung did something, too.
  if (failed < kHopelessFailures || ended_otherwise > 0 || state_.header().rungs_reached > 0) return std::nullopt;
  return absl::StrCat("the first ", failed,
                      " trials all failed; look at their reasons, or set limits.max_failed_trials");
}

std::optional<std::string> Machine::CompletionReason() const {
  const JobHeader& header = state_.header();
  const Objective& objective = state_.spec().objective;
  if (objective.target && header.best_objective && !objective.Better(*objective.target, *header.best_objective)) {
    return absl::StrCat("target reached: trial ", *header.best_trial, " has ", objective.metric, " ",
                        FormatValue(*header.best_objective), ", the target is ", FormatValue(*objective.target));
  }
  if (limits().max_run_time && at_ >= header.create_time + *limits().max_run_time) {
    return absl::StrCat("limits.max_run_time of ", absl::FormatDuration(*limits().max_run_time), " is over");
  }
  if (std::optional<std::string> reason = NotImproving()) return reason;
  if (std::optional<std::string> reason = Converged()) return reason;
  if (!state_.active().empty() || (!state_.paused().empty() && !StrategyWaits())) return std::nullopt;
  const bool some_to_start = std::any_of(state_.queued().begin(), state_.queued().end(),
                                         [&](int32_t n) { return MayStart(*state_.FindTrial(n)); });
  if (some_to_start) return std::nullopt;
  if (StrategyWaits()) {
    const size_t paused = state_.paused().size();
    std::string ended = absl::StrCat("all ", state_.started(), " trials have ended");
    if (paused > 0) absl::StrAppend(&ended, " or are paused (", paused, ")");
    return absl::StrCat(ended, NoneFeasible(), "; the strategy has no more: ", state_.live.waiting_reason);
  }
  if (limits().max_trials && state_.started() >= *limits().max_trials) {
    return absl::StrCat("all ", state_.started(), " trials have ended", NoneFeasible());
  }
  if (header.exhausted && state_.queued().empty()) {
    return absl::StrCat("all ", state_.started(), " trials have ended", NoneFeasible(),
                        "; the strategy has no more: ", exhausted_reason());
  }
  return std::nullopt;
}

std::optional<std::string> Machine::NotImproving() const {
  const JobHeader& header = state_.header();
  const auto& most = state_.spec().completion.max_trials_not_improving;
  if (!most || header.best_finish_seq == 0 || !trials_ended_) return std::nullopt;
  const auto since = std::count_if(state_.trials().begin(), state_.trials().end(), [&](const Trial& trial) {
    return trial.finish_seq > header.best_finish_seq && trial.origin != TrialOrigin::kImported &&
           trial.origin != TrialOrigin::kReused;
  });
  if (since < *most) return std::nullopt;
  if (header.best_trial) {
    return absl::StrCat("the last ", since, " trials did not improve on trial ", *header.best_trial, " (",
                        FormatValue(*header.best_objective), ")");
  }
  return absl::StrCat("none of the last ", since, " trials entered the Pareto front of ", header.pareto_front.size());
}

// Why a job that has completed trials has no best one; else empty.
std::string Machine::NoneFeasible() const {
  const JobHeader& header = state_.header();
  const int completed = header.counts[TrialState::kCompleted];
  if (header.best_finish_seq > 0 || completed == 0) return "";
  return absl::StrCat("; none of the ", completed, " that completed kept the outcome constraints");
}

const std::string& Machine::exhausted_reason() const { return state_.header().exhausted_reason; }

void Machine::CheckCompletion() {
  if (!job_runs() || state_.header().import_only) return;
  if (std::optional<std::string> reason = FailureReason()) {
    BeginJobStop(JobStatus::kFailed, *reason);
  } else if (std::optional<std::string> done = CompletionReason()) {
    const TrialCounts& counts = state_.header().counts;
    const int64_t ran = state_.started() - state_.reused();
    const bool all_failed = ran > 0 && counts[TrialState::kFailed] - state_.imported_failed() == ran;
    if (all_failed) done = absl::StrCat("no trial succeeded: all ", ran, " failed; look at their reasons");
    BeginJobStop(all_failed ? JobStatus::kFailed : JobStatus::kCompleted, *done);
  }
}

// ---- slots
// -----------------------------------------------------------------------------------------------------------------

int Machine::FreeSlots() const {
  return std::max(0, limits().max_parallel_trials - static_cast<int>(state_.active().size()));
}

int Machine::OwnSlotsOn(int executor_index) const {
  const std::optional<int32_t>& slots = state_.spec().trial.executors[executor_index].slots;
  return slots ? std::max(0, *slots - state_.active_on(executor_index)) : FreeSlots();
}

int Machine::FreeSlotsOn(int executor_index) const {
  return std::min(OwnSlotsOn(executor_index), GrantedOn(executor_index));
}

std::optional<int> Machine::FreeExecutor(bool external) const {
  if (FreeSlots() == 0) return std::nullopt;
  for (int i = 0; i < state_.executor_count(); ++i) {
    if (state_.external(i) == external && FreeSlotsOn(i) > 0) return i;
  }
  return std::nullopt;
}

// A trial that ran before has its place already; a new one needs room under max_trials.
bool Machine::MayStart(const Trial& trial) const {
  return !trial.attempts.empty() || !limits().max_trials || state_.started() < *limits().max_trials;
}

int Machine::StartableNew() const {
  if (!limits().max_trials) return kMostAskedAtOnce;
  const int64_t room = *limits().max_trials - Claimed();
  return static_cast<int>(std::clamp<int64_t>(room, 0, kMostAskedAtOnce));
}

void Machine::StartTrial(Trial trial, int executor_index, const SuggestAsked* worker) {
  Attempt attempt;
  attempt.number = static_cast<int32_t>(trial.attempts.size()) + 1;
  attempt.start_reason = ReasonForNext(trial);
  attempt.executor_index = executor_index;
  attempt.executor = state_.spec().trial.executors[executor_index].options.name;
  attempt.launch_time = at_;
  if (!trial.attempts.empty()) attempt.cursor.last_step = trial.attempts.back().cursor.last_step;
  trial.state = TrialState::kPending;
  trial.reason = "handed to its executor";
  trial.retry_time.reset();
  const RunRef run{trial.number, attempt.number};
  if (worker != nullptr) {
    attempt.worker_id = worker->worker_id;
    attempt.location = worker->worker_id;
    attempt.lease_expire_time = at_ + *state_.spec().trial.executors[executor_index].lease;
    state_.live.leases[trial.number] = *attempt.lease_expire_time;
    trial.reason = absl::StrCat("held by worker \"", worker->worker_id, "\"");
  } else {
    TakeSharedSlot(attempt.executor);
    decision_.effects.push_back(Launch{run});
  }
  trial.attempts.push_back(std::move(attempt));
  Put(std::move(trial));
}

void Machine::StartQueued() {
  if (state_.queued().empty() || !FreeExecutor(/*external=*/false)) return;
  const std::vector<int32_t> queued(state_.queued().begin(), state_.queued().end());
  for (int32_t number : queued) {
    const Trial& trial = *state_.FindTrial(number);
    if (!IsReady(trial)) continue;
    const std::optional<int> executor = FreeExecutor(/*external=*/false);
    if (!executor) return;
    StartTrial(trial, *executor, nullptr);
  }
}

// Whether it said that nothing comes before it has observed more than it has.
bool Machine::StrategyWaits() const { return state_.live.waiting_since == state_.observed(); }

// ---- asking the strategy
// ---------------------------------------------------------------------------------------------------

void Machine::AskStrategyIfNeeded() {
  std::optional<AskStrategy>& asked = state_.live.ask;
  if (state_.header().exhausted || StrategyWaits()) return;
  int local = 0;
  int wanted = 0;
  for (int i = 0; i < state_.executor_count(); ++i) {
    if (!state_.external(i)) local += FreeSlotsOn(i);
  }
  // A job that runs nothing learns nothing while it waits for the server: what it would start is chosen, and shown.
  if (local == 0 && state_.active().empty() && state_.queued().empty() && AwaitedExecutor()) local = 1;
  absl::Time deadline = absl::InfiniteFuture();
  for (const Waiter& waiter : state_.live.waiters) {
    wanted += std::max(0, waiter.ask.count - static_cast<int>(HeldBy(waiter.ask.worker_id).size()));
    deadline = std::min(deadline, waiter.until);
  }
  if (asked.has_value()) {
    if (deadline >= asked->deadline) return;
    asked->deadline = deadline;  // somebody came who waits less long
    decision_.effects.push_back(*asked);
    return;
  }
  // Queued trials that wait for their retry take a slot later; the others were started before this is called.
  int count = std::min({local + wanted, FreeSlots(), kMostAskedAtOnce});
  int new_trials = std::min(count, StartableNew());
  // Whether paused trials are all that is left is asked without a worker that waits.
  if (count == 0 && FreeSlots() > 0 && state_.active().empty() && state_.queued().empty() && StartableNew() == 0) {
    count = 1;
    new_trials = 0;
  }
  if (count <= 0 || (new_trials == 0 && state_.paused().empty())) return;
  if (local > 0) deadline = std::min(deadline, at_ + kSlotDeadline);
  asked = AskStrategy{state_.header().next_ordinal, state_.paused().empty() ? new_trials : count, deadline};
  if (new_trials < asked->count) asked->new_trials = new_trials;
  decision_.effects.push_back(*asked);
}

void Machine::On(const Proposed& event) {
  if (event.first_ordinal != state_.header().next_ordinal) return;  // an answer to an earlier state
  const std::optional<AskStrategy> asked = std::exchange(state_.live.ask, std::nullopt);
  if (!job_runs()) return;
  if (!event.error.ok()) {
    return BeginJobStop(JobStatus::kFailed, absl::StrCat("the strategy failed: ", event.error.message()));
  }
  for (const Proposed::Promotion& promotion : event.promotions) Promote(promotion);
  if (event.forecast) TakeForecast(*event.forecast);
  // An answer to a question without room for new trials says nothing if there is room by now.
  const bool was_full = asked && asked->new_trials == 0;
  if (event.waiting && !(was_full && StartableNew() > 0)) {
    state_.live.waiting_since = event.basis.known_prefix;
    state_.live.waiting_reason = event.waiting_reason;
  }
  int64_t ordinal = event.first_ordinal;
  for (const Proposed::Proposal& proposal : event.proposals) {
    if (StartableNew() == 0) break;
    Trial trial;
    trial.number = static_cast<int32_t>(state_.trials().size()) + 1;
    trial.parameters = proposal.parameters;
    trial.resource = proposal.resource;
    trial.basis = event.basis;
    trial.create_time = at_;
    trial.ordinal = ordinal++;
    const Trial* earlier = state_.FindTrial(proposal.reused_trial);
    if (earlier != nullptr && earlier->state == TrialState::kCompleted) {
      trial.origin = TrialOrigin::kReused;
      trial.final_metrics = earlier->final_metrics;
      trial.best_objective = earlier->best_objective;
      EndTrial(std::move(trial), TrialState::kCompleted,
               absl::StrCat("has the result of trial ", earlier->number, " at the same point, without a run"));
      continue;
    }
    trial.origin = TrialOrigin::kStrategy;
    trial.state = TrialState::kQueued;
    trial.reason = kWaitsForASlot;
    Put(std::move(trial));
  }
  const bool all_taken = ordinal == event.first_ordinal + static_cast<int64_t>(event.proposals.size());
  if (event.exhausted && all_taken) {
    JobHeader header = state_.header();
    header.exhausted = true;
    header.exhausted_reason = event.exhausted_reason;
    PutJob(std::move(header));
  }
}

// At most once to each resource: an answer that comes late finds the trial not paused any more, or as far already.
void Machine::Promote(const Proposed::Promotion& promotion) {
  const Trial* paused = state_.FindTrial(promotion.trial);
  if (paused == nullptr || paused->state != TrialState::kPaused || paused->resource >= promotion.resource) return;
  Trial trial = *paused;
  trial.resource = promotion.resource;
  trial.state = TrialState::kQueued;
  trial.reason = absl::StrCat("promoted to resource ", promotion.resource, ": ", promotion.reason);
  Put(std::move(trial));
}

// ---- workers that ask
// ------------------------------------------------------------------------------------------------------

std::vector<int32_t> Machine::HeldBy(const std::string& worker_id) const {
  std::vector<int32_t> held;
  for (int32_t number : state_.active()) {
    const Trial& trial = *state_.FindTrial(number);
    if (trial.attempts.back().worker_id == worker_id) held.push_back(number);
  }
  return held;
}

// A retry gets the trials of the first answer that the worker still holds, and no other.
bool Machine::AnsweredBefore(const SuggestAsked& event) {
  const std::vector<int32_t>* numbers = state_.FindRequest(AskRequestKey(event.request_id));
  if (numbers == nullptr) return false;
  Answer answer;
  bool ever_held = false;
  for (int32_t number : *numbers) {
    const Trial& trial = *state_.FindTrial(number);
    ever_held |= std::any_of(trial.attempts.begin(), trial.attempts.end(),
                             [&](const Attempt& attempt) { return attempt.worker_id == event.worker_id; });
    if (IsActive(trial.state) && trial.attempts.back().worker_id == event.worker_id) answer.trials.push_back(number);
  }
  if (!ever_held) {
    ReplyError(absl::AlreadyExistsError("request_id was used by another worker: take a new one for each call"));
    return true;
  }
  if (answer.trials.size() < numbers->size()) {
    answer.reason =
        "request_id was used before; those of its trials that are missing have ended or were handed to others";
  }
  Reply(std::move(answer));
  return true;
}

void Machine::On(const SuggestAsked& event) {
  const bool external = std::any_of(state_.spec().trial.executors.begin(), state_.spec().trial.executors.end(),
                                    [](const ExecutorChoice& choice) { return choice.lease.has_value(); });
  if (!external) {
    return ReplyError(
        absl::FailedPreconditionError("none of the job's executors is external: the server runs its trials itself; "
                                      "create the job with trial.external"));
  }
  if (!event.request_id.empty() && AnsweredBefore(event)) return;
  const absl::Duration wait = std::max(event.deadline, absl::Milliseconds(1));
  for (int32_t number : HeldBy(event.worker_id)) {
    const Trial& trial = *state_.FindTrial(number);
    if (trial.state == TrialState::kStopping) continue;
    state_.live.leases[number] = at_ + *state_.spec().trial.executors[trial.attempts.back().executor_index].lease;
  }
  state_.live.waiters.push_back(Waiter{call_, event, at_ + wait});
}

// Leases queued trials to a waiter; how many it still lacks.
int Machine::ServeWaiter(const Waiter& waiter) {
  int lacking = waiter.ask.count - static_cast<int>(HeldBy(waiter.ask.worker_id).size());
  if (lacking <= 0 || state_.queued().empty() || !FreeExecutor(/*external=*/true)) return std::max(0, lacking);
  const std::vector<int32_t> queued(state_.queued().begin(), state_.queued().end());
  for (int32_t number : queued) {
    if (lacking <= 0) break;
    const Trial& trial = *state_.FindTrial(number);
    if (!IsReady(trial)) continue;
    const std::optional<int> executor = FreeExecutor(/*external=*/true);
    if (!executor) break;
    StartTrial(trial, *executor, &waiter.ask);
    --lacking;
  }
  return std::max(0, lacking);
}

std::string Machine::WhyNoTrial() const {
  if (!job_runs()) return absl::StrCat("the job has ended or is stopping: ", state_.header().reason);
  if (state_.header().import_only) return "the job only takes trials that were run elsewhere";
  if (!state_.live.start_allowed || state_.live.preempted) return "this server starts no trials now; ask again later";
  if (FreeSlots() > 0 && !FreeExecutor(/*external=*/true)) {
    return "all slots of the job's external executor are taken; ask again when one of its trials has ended";
  }
  if (FreeSlots() == 0) {
    return absl::StrCat("limits.max_parallel_trials is ", limits().max_parallel_trials, " and ", state_.active().size(),
                        " trials are held or running; ask again when one has ended");
  }
  if (StartableNew() == 0) {
    return absl::StrCat("limits.max_trials is ", limits().max_trials.value_or(0), " and ", Claimed(),
                        " trials are taken; those that are not finished may come back");
  }
  if (state_.header().exhausted) return absl::StrCat("the strategy has no more: ", exhausted_reason());
  if (StrategyWaits()) return absl::StrCat("nothing to start now: ", state_.live.waiting_reason, "; ask again later");
  return "the strategy did not answer within the deadline; ask again";
}

// Writes the id of a request that a trial answers to the trial, so that a retry finds it, after a restart too.
void Machine::Remember(int32_t number, const std::string& key) {
  constexpr size_t kMostIds = 8;  // retries come soon: the oldest ids go
  Trial trial = *state_.FindTrial(number);
  std::vector<std::string> ids;
  if (!trial.request_id.empty()) ids = absl::StrSplit(trial.request_id, kRequestSeparator);
  if (std::find(ids.begin(), ids.end(), key) != ids.end()) return;
  ids.push_back(key);
  if (ids.size() > kMostIds) ids.erase(ids.begin());
  trial.request_id = absl::StrJoin(ids, std::string(1, kRequestSeparator));
  Put(std::move(trial));
}

void Machine::AnswerWaiter(const Waiter& waiter, std::string reason, bool job_done) {
  std::vector<int32_t> held = HeldBy(waiter.ask.worker_id);
  if (static_cast<int>(held.size()) > waiter.ask.count) held.resize(waiter.ask.count);
  if (static_cast<int>(held.size()) == waiter.ask.count) reason.clear();
  if (!waiter.ask.request_id.empty()) {
    for (int32_t number : held) Remember(number, AskRequestKey(waiter.ask.request_id));
  }
  if (waiter.call == 0) return;
  decision_.effects.push_back(
      Answer{.call = waiter.call, .trials = std::move(held), .reason = std::move(reason), .job_done = job_done});
}

void Machine::ServeWaiters() {
  std::deque<Waiter>& waiters = state_.live.waiters;
  for (auto it = waiters.begin(); it != waiters.end();) {
    const bool may_start = job_starts_trials();
    const int lacking = may_start ? ServeWaiter(*it) : 1;
    // A paused trial may be promoted, at once or when a running one has come to its rung.
    const bool strategy_has_more = !StrategyWaits() || !state_.active().empty();
    const bool more_may_come = may_start && (StartableNew() > 0 || !state_.paused().empty()) && strategy_has_more &&
                               !state_.header().exhausted && FreeExecutor(/*external=*/true).has_value() &&
                               it->until > at_;
    if (lacking > 0 && more_may_come) {
      ++it;
      continue;
    }
    AnswerWaiter(*it, WhyNoTrial(), !job_runs());
    it = waiters.erase(it);
  }
}

// ---- the end of each step
// --------------------------------------------------------------------------------------------------

void Machine::SetTimer() {
  absl::Time next = absl::InfiniteFuture();
  if (job_runs() && !state_.header().import_only) {
    if (limits().max_run_time) next = std::min(next, state_.header().create_time + *limits().max_run_time);
    for (int32_t number : state_.retrying()) {
      const absl::Time time = *state_.FindTrial(number)->retry_time;
      if (time > at_) next = std::min(next, time);
    }
  }
  for (const auto& [number, end] : state_.live.leases) next = std::min(next, end);
  for (const Waiter& waiter : state_.live.waiters) next = std::min(next, waiter.until);
  next = std::min(next, NextNotification());
  if (state_.spec().artifacts.policy != ArtifactRetention::Policy::kKeepAll) {
    next = std::min(next, state_.live.next_removal);
  }
  if (next != absl::InfiniteFuture()) decision_.effects.push_back(WakeAt{next});
}

void Machine::Schedule() {
  CheckCompletion();
  if (job_starts_trials()) StartQueued();
  ServeWaiters();
  if (job_starts_trials()) {
    ExplainWaiting();
    AskStrategyIfNeeded();
  }
  WantSharedSlots();
  SendDueNotifications();
  RemoveUnkeptArtifacts();
  SetTimer();
}

}  // namespace tuner::core
