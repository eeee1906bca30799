// Which trial starts where and when, and who waits for one.
#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/machine.h"

namespace tuner::core {
namespace {

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

// ---- slots
// -----------------------------------------------------------------------------------------------------------------

int Machine::FreeSlots() const {
  return std::max(0, limits().max_parallel_trials - static_cast<int>(state_.active().size()));
}

int Machine::OwnSlotsOn(int definition, int executor_index) const {
  const std::optional<int32_t>& slots = DefinitionAt(state_.spec(), definition).trial.executors[executor_index].slots;
  return slots ? std::max(0, *slots - state_.tally(definition).active_on[executor_index]) : FreeSlots();
}

int Machine::FreeSlotsOn(int definition, int executor_index) const {
  return std::min(OwnSlotsOn(definition, executor_index), GrantedOn(definition, executor_index));
}

std::optional<int> Machine::FreeExecutor(int definition, bool external) const {
  if (FreeSlots() == 0) return std::nullopt;
  const std::vector<ExecutorChoice>& executors = DefinitionAt(state_.spec(), definition).trial.executors;
  for (int i = 0; i < static_cast<int>(executors.size()); ++i) {
    if (executors[i].lease.has_value() == external && FreeSlotsOn(definition, i) > 0) return i;
  }
  return std::nullopt;
}

bool Machine::AnyFreeExecutor(bool external) const {
  for (int i = 0; i < state_.definition_count(); ++i) {
    if (FreeExecutor(i, external)) return true;
  }
  return false;
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
  const ExecutorChoice& executor = state_.spec_of(trial).trial.executors[executor_index];
  attempt.executor = executor.options.name;
  attempt.launch_time = at_;
  if (!trial.attempts.empty()) attempt.cursor.last_step = trial.attempts.back().cursor.last_step;
  trial.state = TrialState::kPending;
  trial.reason = "handed to its executor";
  trial.retry_time.reset();
  const RunRef run{trial.number, attempt.number};
  if (worker != nullptr) {
    attempt.worker_id = worker->worker_id;
    attempt.location = worker->worker_id;
    attempt.lease_expire_time = at_ + *executor.lease;
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
  if (state_.queued().empty() || !AnyFreeExecutor(/*external=*/false)) return;
  const std::vector<int32_t> queued(state_.queued().begin(), state_.queued().end());
  for (int32_t number : queued) {
    const Trial& trial = *state_.FindTrial(number);
    if (!IsReady(trial)) continue;
    if (const auto executor = FreeExecutor(DefinitionIndex(state_.spec(), trial), /*external=*/false)) {
      StartTrial(trial, *executor, nullptr);
    } else if (!AnyFreeExecutor(/*external=*/false)) {
      return;
    }
  }
}

// Whether a strategy said that nothing comes before it has observed more than it has.
bool Machine::Waits(int definition) const {
  return state_.live.strategies[definition].waiting_since == state_.tally(definition).observed;
}

bool Machine::MayPropose(int definition) const {
  return !progress(definition).exhausted && progress(definition).converged.empty() && !Waits(definition);
}

// ---- asking the strategies
// -------------------------------------------------------------------------------------------------

// Each slot that is free, for this server or for a worker that waits, goes to the definition of which the fewest trials
// were started, among those that can use it.
std::vector<Machine::Share> Machine::ShareSlots(int wanted) const {
  std::vector<Share> shares(static_cast<size_t>(state_.definition_count()));
  int slots = FreeSlots();
  int room = StartableNew();
  for (int i = 0; i < state_.definition_count(); ++i) {
    Share& share = shares[i];
    const JobState::Tally& tally = state_.tally(i);
    const std::vector<ExecutorChoice>& executors = DefinitionAt(state_.spec(), i).trial.executors;
    for (int e = 0; e < static_cast<int>(executors.size()); ++e) {
      (executors[e].lease ? share.external : share.local) += FreeSlotsOn(i, e);
    }
    // A job that runs nothing learns nothing while it waits for the server: what it would start is chosen, and shown.
    if (share.local == 0 && state_.active().empty() && state_.queued().empty() && AwaitedExecutor(i)) share.local = 1;
    share.has_local = share.local > 0;
    share.claimed = tally.started + tally.queued_new;
    share.paused = tally.paused > 0;
    const std::optional<AskStrategy>& asked = state_.live.strategies[i].ask;
    share.open = MayPropose(i) && !asked;
    if (!asked) continue;
    slots -= asked->count;
    room -= asked->new_trials.value_or(asked->count);
  }
  while (slots > 0) {
    Share* next = nullptr;
    for (Share& share : shares) {
      const bool has_slot = share.local > 0 || (share.external > 0 && wanted > 0);
      if (!share.open || !has_slot || (room <= 0 && !share.paused) || share.count == kMostAskedAtOnce) continue;
      if (next == nullptr || share.claimed < next->claimed) next = &share;
    }
    if (next == nullptr) break;
    if (next->local > 0) {
      --next->local;
    } else {
      --wanted;
    }
    if (room-- > 0) ++next->new_trials;
    ++next->count;
    ++next->claimed;
    --slots;
  }
  return shares;
}

void Machine::AskStrategies() {
  int wanted = 0;
  absl::Time first_deadline = absl::InfiniteFuture();
  for (const Waiter& waiter : state_.live.waiters) {
    wanted += std::max(0, waiter.ask.count - static_cast<int>(HeldBy(waiter.ask.worker_id).size()));
    first_deadline = std::min(first_deadline, waiter.until);
  }
  // Queued trials that wait for their retry take a slot later; the others were started before this is called.
  const std::vector<Share> shares = ShareSlots(wanted);
  const bool idle = FreeSlots() > 0 && state_.active().empty() && state_.queued().empty() && StartableNew() == 0;
  for (int i = 0; i < state_.definition_count(); ++i) {
    const Share& share = shares[i];
    absl::Time deadline = share.external > 0 ? first_deadline : absl::InfiniteFuture();
    std::optional<AskStrategy>& asked = state_.live.strategies[i].ask;
    if (asked && deadline < asked->deadline) {  // somebody came who waits less long
      asked->deadline = deadline;
      decision_.effects.push_back(*asked);
    }
    // Whether paused trials are all that is left is asked without a worker that waits.
    const int count = share.count == 0 && share.open && share.paused && idle ? 1 : share.count;
    if (count == 0) continue;
    if (share.has_local) deadline = std::min(deadline, at_ + kSlotDeadline);
    asked = AskStrategy{progress(i).next_ordinal, count, deadline, std::nullopt, i};
    if (share.new_trials < count) asked->new_trials = share.new_trials;
    decision_.effects.push_back(*asked);
  }
}

void Machine::On(const Proposed& event) {
  JobState::VolatileStrategy& strategy = state_.live.strategies[event.definition];
  if (event.first_ordinal != progress(event.definition).next_ordinal) return;  // an answer to an earlier state
  const std::optional<AskStrategy> asked = std::exchange(strategy.ask, std::nullopt);
  if (!job_runs()) return;
  if (!event.error.ok()) {
    return BeginJobStop(JobStatus::kFailed,
                        OfDefinition(event.definition, absl::StrCat("the strategy failed: ", event.error.message())));
  }
  for (const Proposed::Promotion& promotion : event.promotions) Promote(promotion);
  if (event.forecast) TakeForecast(event.definition, *event.forecast);
  // An answer to a question without room for new trials says nothing if there is room by now.
  const bool was_full = asked && asked->new_trials == 0;
  if (event.waiting && !(was_full && StartableNew() > 0)) {
    strategy.waiting_since = event.basis.known_prefix;
    strategy.waiting_reason = event.waiting_reason;
  }
  int64_t ordinal = event.first_ordinal;
  for (const Proposed::Proposal& proposal : event.proposals) {
    if (StartableNew() == 0) break;
    Trial trial;
    trial.number = static_cast<int32_t>(state_.trials().size()) + 1;
    trial.definition = DefinitionAt(state_.spec(), event.definition).definition;
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
    header.definitions[event.definition].exhausted = true;
    header.definitions[event.definition].exhausted_reason = event.exhausted_reason;
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

// Whether trials of the definition may be handed to workers.
bool Machine::ForWorkers(int definition) const {
  return std::ranges::any_of(DefinitionAt(state_.spec(), definition).trial.executors,
                             [](const ExecutorChoice& choice) { return choice.lease.has_value(); });
}

void Machine::On(const SuggestAsked& event) {
  bool external = false;
  for (int i = 0; i < state_.definition_count(); ++i) external |= ForWorkers(i);
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
    state_.live.leases[number] = at_ + *state_.executor_of(trial).lease;
  }
  state_.live.waiters.push_back(Waiter{call_, event, at_ + wait});
}

// Leases queued trials to a waiter; how many it still lacks.
int Machine::ServeWaiter(const Waiter& waiter) {
  int lacking = waiter.ask.count - static_cast<int>(HeldBy(waiter.ask.worker_id).size());
  if (lacking <= 0 || state_.queued().empty() || !AnyFreeExecutor(/*external=*/true)) return std::max(0, lacking);
  const std::vector<int32_t> queued(state_.queued().begin(), state_.queued().end());
  for (int32_t number : queued) {
    if (lacking <= 0) break;
    const Trial& trial = *state_.FindTrial(number);
    if (!IsReady(trial)) continue;
    if (const auto executor = FreeExecutor(DefinitionIndex(state_.spec(), trial), /*external=*/true)) {
      StartTrial(trial, *executor, &waiter.ask);
      --lacking;
    } else if (!AnyFreeExecutor(/*external=*/true)) {
      break;
    }
  }
  return std::max(0, lacking);
}

std::string Machine::WhyNoTrial() const {
  if (!job_runs()) return absl::StrCat("the job has ended or is stopping: ", state_.header().reason);
  if (state_.header().import_only) return "the job only takes trials that were run elsewhere";
  if (!state_.live.start_allowed || state_.live.preempted) return "this server starts no trials now; ask again later";
  if (FreeSlots() > 0 && !AnyFreeExecutor(/*external=*/true)) {
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
  bool all_done = true;
  bool late = false;
  std::vector<std::string> reasons;
  for (int i = 0; i < state_.definition_count(); ++i) {
    if (!ForWorkers(i)) continue;
    all_done &= progress(i).exhausted || !progress(i).converged.empty();
    if (!MayPropose(i)) continue;
    late |= FreeExecutor(i, /*external=*/true).has_value();
    reasons.push_back(OfDefinition(i, "all slots of its external executor are taken"));
  }
  if (all_done) return NoMore();
  if (const std::string nothing = WhyNothing(); !nothing.empty()) reasons.push_back(nothing);
  if (!late) return absl::StrCat("nothing to start now: ", absl::StrJoin(reasons, "; "), "; ask again later");
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

// Whether workers may be handed further trials without anything else that happens but results and answers.
bool Machine::MoreForWorkers() const {
  for (int i = 0; i < state_.definition_count(); ++i) {
    const JobState::Tally& tally = state_.tally(i);
    // A paused trial may be promoted, at once or when a running one has come to its rung.
    const bool has_more =
        MayPropose(i) || (!progress(i).exhausted && progress(i).converged.empty() && tally.active > 0);
    if (has_more && (StartableNew() > 0 || tally.paused > 0) && FreeExecutor(i, /*external=*/true)) return true;
  }
  return false;
}

void Machine::ServeWaiters() {
  std::deque<Waiter>& waiters = state_.live.waiters;
  for (auto it = waiters.begin(); it != waiters.end();) {
    const bool may_start = job_starts_trials();
    const int lacking = may_start ? ServeWaiter(*it) : 1;
    const bool more_may_come = may_start && it->until > at_ && MoreForWorkers();
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
    AskStrategies();
  }
  WantSharedSlots();
  SendDueNotifications();
  RemoveUnkeptArtifacts();
  SetTimer();
}

}  // namespace tuner::core
