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
  if (spec_.early_stopping || spec_.resources) watched_.insert(spec_.objective.metric);
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

void JobState::PutTrial(const Trial& trial) {
  const bool is_new = trial.number > static_cast<int32_t>(trials_.size());
  if (is_new) trials_.resize(trial.number);
  Trial& slot = trials_[trial.number - 1];
  const int number = trial.number;

  if (slot.state != TrialState::kUnspecified) {
    --header_.counts[slot.state];
    header_.counts.attempts -= static_cast<int32_t>(slot.attempts.size());
    if (slot.origin == TrialOrigin::kImported) --header_.counts.imported;
    if (slot.origin == TrialOrigin::kReused) --reused_;
    header_.rungs_reached -= static_cast<int64_t>(slot.rungs.size());
    header_.steps_run -= slot.steps_run;
    header_.steps_repeated -= slot.steps_repeated;
    if (IsActive(slot.state)) --active_on_[slot.attempts.back().executor_index];
    if (TakesPlace(slot)) --started_;
    if (slot.state == TrialState::kQueued && slot.attempts.empty()) --queued_new_;
    if (slot.state == TrialState::kFailed && slot.origin == TrialOrigin::kImported) --imported_failed_;
  }
  queued_.erase(number);
  retrying_.erase(number);
  active_.erase(number);
  paused_.erase(number);

  slot = trial;
  ++header_.counts[slot.state];
  header_.counts.attempts += static_cast<int32_t>(slot.attempts.size());
  if (slot.origin == TrialOrigin::kImported) ++header_.counts.imported;
  if (slot.origin == TrialOrigin::kReused) ++reused_;
  header_.rungs_reached += static_cast<int64_t>(slot.rungs.size());
  header_.steps_run += slot.steps_run;
  header_.steps_repeated += slot.steps_repeated;
  if (TakesPlace(slot)) ++started_;
  if (slot.state == TrialState::kQueued) queued_.insert(number);
  if (slot.state == TrialState::kQueued && slot.attempts.empty()) ++queued_new_;
  if (slot.state == TrialState::kQueued && slot.retry_time) retrying_.insert(number);
  if (slot.state == TrialState::kFailed && slot.origin == TrialOrigin::kImported) ++imported_failed_;
  if (slot.state == TrialState::kPaused) paused_.insert(number);
  if (IsActive(slot.state)) {
    active_.insert(number);
    ++active_on_[slot.attempts.back().executor_index];
  }
  if (slot.ordinal) header_.next_ordinal = std::max(header_.next_ordinal, *slot.ordinal + 1);
  if (IsTerminal(slot.state)) {
    metrics_.erase(number);
    if (auto it = curves_.find(number); it != curves_.end()) {
      if (!keeps_curves_) {
        curves_.erase(it);
      } else {
        absl::erase_if(it->second, [this](const auto& curve) { return curve.first != spec_.objective.metric; });
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
  front_.Add(spec_, trial);
  if (front_.members().empty()) return;
  header_.best_finish_seq = front_.last_entered();
  if (ObjectiveCount(spec_) > 1) {
    header_.pareto_front = front_.numbers();
  } else {
    header_.best_trial = front_.members().front().trial;
    header_.best_objective = front_.members().front().values.front();
  }
}

void JobState::PutMeasurement(const MeasurementPut& put) {
  const Trial* trial = FindTrial(put.trial);
  if (trial == nullptr) return;
  const Measurement& m = put.measurement;
  const bool ended = IsTerminal(trial->state);
  if (watched_.contains(m.metric) && (!ended || (keeps_curves_ && m.metric == spec_.objective.metric))) {
    curves_[put.trial][m.metric].Put(m.attempt, m.step, m.value);
  }
  if (ended) return;
  TrialMetrics& metrics = metrics_[put.trial];
  metrics.values[MeasurementKey{m.attempt, m.metric, m.step}] = MeasuredValue{m.value, m.source};
  const TrialMetrics::Last last{m.value, m.step, m.attempt, m.source};
  auto [it, inserted] = metrics.last.try_emplace(m.metric, last);
  if (!inserted && ComesAfter(last, it->second)) it->second = last;
  if (m.metric == spec_.objective.metric && std::isfinite(m.value)) {
    if (!metrics.best_objective || spec_.objective.Better(m.value, *metrics.best_objective)) {
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
  header_.next_ordinal = derived.next_ordinal;
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
