#include "core/job_state.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_split.h"
#include "core/early_stopping.h"
#include "core/health.h"

namespace tuner::core {
namespace {

// Whether `a` comes after `b` as the last value of a metric: a later attempt, then reported before scanned, then a
// later step.
bool ComesAfter(const TrialMetrics::Last& a, const TrialMetrics::Last& b) {
  if (a.attempt != b.attempt) return a.attempt > b.attempt;
  if (a.source != b.source) return a.source == MeasurementSource::kReported;
  return a.step >= b.step;
}

}  // namespace

JobState::JobState(JobSpec spec) : spec_(std::move(spec)), watched_(WatchedMetrics(spec_.health_rules)) {
  for (int i = 0; i < definition_count(); ++i) {
    const JobSpec& definition = DefinitionAt(spec_, i);
    if (spec_.early_stopping || spec_.resources) watched_.insert(definition.objective.metric);
    tallies_.emplace_back().active_on.resize(definition.trial.executors.size());
  }
  fronts_.resize(tallies_.size());
  header_.definitions.resize(tallies_.size());
  live.strategies.resize(tallies_.size());
  keeps_curves_ = ComparesCurves(spec_.early_stopping);
}

const Curves& JobState::CurvesOf(int32_t number) const {
  static const Curves kNone;
  const auto it = curves_.find(number);
  return it == curves_.end() ? kNone : it->second;
}

const Trial* JobState::FindTrial(int32_t number) const {
  if (number < 1 || number > static_cast<int32_t>(trials_.size())) return nullptr;
  return &trials_[number - 1];
}

const TrialMetrics* JobState::FindMetrics(int32_t number) const {
  auto it = metrics_.find(number);
  return it == metrics_.end() ? nullptr : &it->second;
}

const std::vector<int32_t>* JobState::FindRequest(const std::string& request_id) const {
  auto it = requests_.find(request_id);
  return it == requests_.end() ? nullptr : &it->second;
}

// Adds what a trial comes to, or takes it away again.
void JobState::Count(const Trial& trial, int sign) {
  const int definition = DefinitionIndex(spec_, trial);
  Tally& tally = tallies_[definition];
  for (TrialCounts* counts : {&header_.counts, &header_.definitions[definition].counts}) {
    (*counts)[trial.state] += sign;
    counts->attempts += sign * static_cast<int32_t>(trial.attempts.size());
    if (trial.origin == TrialOrigin::kImported) counts->imported += sign;
  }
  header_.rungs_reached += sign * static_cast<int64_t>(trial.rungs.size());
  header_.steps_run += sign * trial.steps_run;
  header_.steps_repeated += sign * trial.steps_repeated;
  tally.observed += sign * (static_cast<int64_t>(trial.rungs.size()) + (trial.finish_seq > 0 ? 1 : 0));
  if (trial.origin == TrialOrigin::kReused) reused_ += sign;
  if (trial.state == TrialState::kFailed && trial.origin == TrialOrigin::kImported) imported_failed_ += sign;
  if (trial.state == TrialState::kPaused) tally.paused += sign;
  if (TakesPlace(trial)) {
    started_ += sign;
    tally.started += sign;
  }
  if (trial.state == TrialState::kQueued && trial.attempts.empty()) {
    queued_new_ += sign;
    tally.queued_new += sign;
  }
  if (IsActive(trial.state)) {
    tally.active += sign;
    tally.active_on[trial.attempts.back().executor_index] += sign;
  }
}

void JobState::PutTrial(const Trial& trial) {
  const bool is_new = trial.number > static_cast<int32_t>(trials_.size());
  if (is_new) trials_.resize(trial.number);
  Trial& slot = trials_[trial.number - 1];
  const int number = trial.number;

  if (slot.state != TrialState::kUnspecified) Count(slot, -1);
  queued_.erase(number);
  retrying_.erase(number);
  active_.erase(number);
  paused_.erase(number);

  slot = trial;
  Count(slot, +1);
  if (slot.state == TrialState::kQueued) queued_.insert(number);
  if (slot.state == TrialState::kQueued && slot.retry_time) retrying_.insert(number);
  if (slot.state == TrialState::kPaused) paused_.insert(number);
  if (IsActive(slot.state)) active_.insert(number);
  if (slot.ordinal) {
    int64_t& next_ordinal = header_.definitions[DefinitionIndex(spec_, slot)].next_ordinal;
    next_ordinal = std::max(next_ordinal, *slot.ordinal + 1);
  }
  if (IsTerminal(slot.state)) {
    metrics_.erase(number);
    if (auto it = curves_.find(number); it != curves_.end()) {
      if (!keeps_curves_) {
        curves_.erase(it);
      } else {
        const std::string& metric = spec_of(slot).objective.metric;
        absl::erase_if(it->second, [&metric](const auto& curve) { return curve.first != metric; });
      }
    }
    header_.finished = std::max(header_.finished, slot.finish_seq);
    ConsiderBest(slot);
  }
  if (!slot.request_id.empty()) {
    for (absl::string_view id : absl::StrSplit(slot.request_id, kRequestSeparator)) {
      std::vector<int32_t>& numbers = requests_[std::string(id)];
      if (std::find(numbers.begin(), numbers.end(), number) == numbers.end()) numbers.push_back(number);
    }
  }
}

void JobState::ConsiderBest(const Trial& trial) {
  const int definition = DefinitionIndex(spec_, trial);
  ParetoFront& front = fronts_[definition];
  front.Add(spec_of(trial), trial);
  if (front.members().empty()) return;
  header_.best_finish_seq = 0;
  for (const ParetoFront& each : fronts_) {
    header_.best_finish_seq = std::max(header_.best_finish_seq, each.last_entered());
  }
  if (ObjectiveCount(spec_) > 1) {
    header_.pareto_front = front.numbers();
    return;
  }
  DefinitionProgress& progress = header_.definitions[definition];
  progress.best_trial = front.members().front().trial;
  progress.best_objective = front.members().front().values.front();
  if (same_objective_) ChooseBest(spec_of(trial).objective);
}

// Of the best trials of all definitions; of equals the one that finished first.
void JobState::ChooseBest(const Objective& objective) {
  const ParetoFront::Member* best = nullptr;
  for (const ParetoFront& front : fronts_) {
    if (front.members().empty()) continue;
    const ParetoFront::Member& member = front.members().front();
    const bool better = best == nullptr || objective.Better(member.values.front(), best->values.front()) ||
                        (member.values == best->values && member.finish_seq < best->finish_seq);
    if (better) best = &member;
  }
  header_.best_trial = best->trial;
  header_.best_objective = best->values.front();
}

void JobState::PutMeasurement(const MeasurementPut& put) {
  const Trial* trial = FindTrial(put.trial);
  if (trial == nullptr) return;
  const Measurement& m = put.measurement;
  const Objective& objective = spec_of(*trial).objective;
  const bool ended = IsTerminal(trial->state);
  if (watched_.contains(m.metric) && (!ended || (keeps_curves_ && m.metric == objective.metric))) {
    curves_[put.trial][m.metric].Put(m.attempt, m.step, m.value);
  }
  if (ended) return;
  TrialMetrics& metrics = metrics_[put.trial];
  metrics.values[MeasurementKey{m.attempt, m.metric, m.step}] = MeasuredValue{m.value, m.source};
  const TrialMetrics::Last last{m.value, m.step, m.attempt, m.source};
  auto [it, inserted] = metrics.last.try_emplace(m.metric, last);
  if (!inserted && ComesAfter(last, it->second)) it->second = last;
  if (m.metric == objective.metric && std::isfinite(m.value)) {
    if (!metrics.best_objective || objective.Better(m.value, *metrics.best_objective)) {
      metrics.best_objective = m.value;
    }
  }
}

void JobState::PutNotification(const Notification& notification) {
  if (notification.state == NotificationState::kDue) {
    due_notifications_.insert_or_assign(notification.number, notification);
  } else {
    due_notifications_.erase(notification.number);
  }
}

void JobState::PutHeader(const JobHeader& header) {
  // What follows from the trials is kept as the trials say.
  JobHeader derived = std::move(header_);
  header_ = header;
  header_.counts = derived.counts;
  header_.definitions.resize(tallies_.size());
  for (size_t i = 0; i < tallies_.size(); ++i) {
    DefinitionProgress& progress = header_.definitions[i];
    progress.counts = derived.definitions[i].counts;
    progress.next_ordinal = derived.definitions[i].next_ordinal;
    progress.best_trial = derived.definitions[i].best_trial;
    progress.best_objective = derived.definitions[i].best_objective;
  }
  header_.finished = derived.finished;
  header_.rungs_reached = derived.rungs_reached;
  header_.steps_run = derived.steps_run;
  header_.steps_repeated = derived.steps_repeated;
  header_.best_trial = derived.best_trial;
  header_.best_objective = derived.best_objective;
  header_.best_finish_seq = derived.best_finish_seq;
  header_.pareto_front = std::move(derived.pareto_front);
}

void Apply(const Change& change, JobState& state) {
  if (const auto* job = std::get_if<JobPut>(&change)) {
    state.PutHeader(job->header);
  } else if (const auto* trial = std::get_if<TrialPut>(&change)) {
    state.PutTrial(trial->trial);
  } else if (const auto* measurement = std::get_if<MeasurementPut>(&change)) {
    state.PutMeasurement(*measurement);
  } else {
    state.PutNotification(std::get<NotificationPut>(change).notification);
  }
}

}  // namespace tuner::core
