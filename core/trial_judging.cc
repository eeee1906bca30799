// What is made of a running trial's measurements: it goes on, is stopped early, or has come to the end of its resource.
#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/early_stopping.h"
#include "core/health.h"
#include "core/machine.h"
#include "core/objectives.h"

namespace tuner::core {
namespace {

// The last step that attempts before the last one measured, and how long they took.
struct Earlier {
  int64_t last_step = 0;
  absl::Duration time = absl::ZeroDuration();
};

Earlier EarlierAttempts(const Trial& trial, const Curve* curve) {
  Earlier out;
  const int32_t present = trial.attempts.back().number;
  for (const Attempt& attempt : trial.attempts) {
    if (attempt.start_time && attempt.end_time) out.time += *attempt.end_time - *attempt.start_time;
  }
  if (curve == nullptr) return out;
  for (const Curve::Point& point : curve->points()) {
    if (point.attempt != present) out.last_step = point.step;
  }
  return out;
}

}  // namespace

void Machine::CountSteps(Trial& trial, const std::vector<Measurement>& added) const {
  const TrialMetrics* known = state_.FindMetrics(trial.number);
  for (const Measurement& m : added) {
    if (m.metric != state_.spec_of(trial).objective.metric) continue;
    ++trial.steps_run;
    for (int32_t earlier = 1; known != nullptr && earlier < m.attempt; ++earlier) {
      if (!known->values.contains(MeasurementKey{earlier, m.metric, m.step})) continue;
      ++trial.steps_repeated;
      break;
    }
  }
}

void Machine::Judge(int32_t number, const std::vector<Measurement>& added) {
  const JobSpec& spec = state_.spec();
  if (spec.health_rules.empty() && !spec.resources && !spec.early_stopping) return;
  for (auto it = added.begin(); it != added.end(); ++it) {
    const Measurement& measurement = *it;
    const Trial& trial = *state_.FindTrial(number);
    if (!job_runs() || trial.state != TrialState::kRunning) return;
    // What came together came late, all but the last.
    const bool newest = std::none_of(std::next(it), added.end(),
                                     [&](const Measurement& later) { return later.metric == measurement.metric; });
    if (JudgeHealth(trial, measurement, newest)) return;
    if (measurement.metric != state_.spec_of(*state_.FindTrial(number)).objective.metric) continue;
    if (JudgeResource(*state_.FindTrial(number), measurement.step)) return;
    if (spec.early_stopping) JudgeEarlyStop(*state_.FindTrial(number), measurement.step);
  }
}

bool Machine::JudgeHealth(const Trial& current, const Measurement& measurement, bool newest) {
  const std::vector<HealthRule>& rules = state_.spec().health_rules;
  const Curves& curves = state_.CurvesOf(current.number);
  for (size_t i = 0; i < rules.size(); ++i) {
    const bool told = std::ranges::any_of(
        current.warnings, [&](const HealthWarning& warning) { return warning.rule == static_cast<int32_t>(i); });
    const bool of_pace = std::holds_alternative<TooSlowCheck>(rules[i].check);
    if (told || (of_pace && (!newest || measurement.metric != rules[i].metric))) continue;
    const Earlier earlier = of_pace ? EarlierAttempts(current, FindCurve(curves, rules[i].metric)) : Earlier();
    const HealthSight sight{.metric = measurement.metric,
                            .value = measurement.value,
                            .step = measurement.step,
                            .curves = &curves,
                            .earlier = earlier.time,
                            .elapsed = at_ - current.attempts.back().start_time.value_or(at_),
                            .base_step = earlier.last_step};
    const std::optional<std::string> ailment = Ailment(rules[i], sight);
    if (!ailment) continue;
    const std::string text = absl::StrCat("health_rules[", i, "]: ", *ailment);
    const int32_t number = current.number;
    if (rules[i].stop) {
      StopTrial(current, TrialState::kEarlyStopped, text);
      Notify(NotificationEvent::kHealthRule, number, text);
      return true;
    }
    Trial trial = current;
    trial.warnings.push_back({static_cast<int32_t>(i), text});
    Put(std::move(trial));
    Notify(NotificationEvent::kHealthRule, number, text);
    return JudgeHealth(*state_.FindTrial(number), measurement, newest);  // `current` is no more
  }
  return false;
}

bool Machine::HasMoreToRun(const Trial& trial) const {
  const std::optional<Resources>& resources = state_.spec().resources;
  return resources && trial.resource > 0 && trial.resource < resources->max;
}

// A trial that was told its resource ends by itself and saves its work first; one that goes beyond is ended. A worker
// is told at once.
bool Machine::JudgeResource(const Trial& trial, int64_t step) {
  if (!state_.spec().resources || trial.resource == 0 || step < trial.resource) return false;
  const bool external = state_.external(trial);
  if (!external && step == trial.resource) return false;
  StopTrial(trial, HasMoreToRun(trial) ? TrialState::kPaused : TrialState::kCompleted,
            absl::StrCat("reached its resource of ", trial.resource, " steps"));
  return true;
}

void Machine::JudgeEarlyStop(const Trial& trial, int64_t step) {
  const Objective& objective = state_.spec_of(trial).objective;
  const std::string& metric = objective.metric;
  const Curve* own = FindCurve(state_.CurvesOf(trial.number), metric);
  if (own == nullptr || own->empty()) return;  // none of its values was finite
  std::vector<ReferenceCurve> others;
  if (state_.keeps_curves()) {
    for (const Trial& other : state_.trials()) {
      if (other.number == trial.number || other.definition != trial.definition) continue;
      const Curve* curve = FindCurve(state_.CurvesOf(other.number), metric);
      if (curve != nullptr) others.push_back({curve, other.state == TrialState::kCompleted});
    }
  }
  const JudgedTrial judged{
      .curve = own, .step = step, .others = others, .best_final = state_.progress_of(trial).best_objective};
  const std::optional<std::string> reason = ReasonToStop(*state_.spec().early_stopping, objective, judged);
  if (reason) StopTrial(trial, TrialState::kEarlyStopped, *reason);
}

void Machine::EndRun(Trial trial, std::string reason) {
  if (state_.spec().resources && trial.resource > 0) return ReachRung(std::move(trial), reason);
  EndByValues(std::move(trial), std::move(reason));
}

std::string Machine::AtRung(const Trial& trial) const {
  const RungResult& rung = trial.rungs.back();
  return absl::StrCat("reached resource ", rung.resource, " with ", state_.spec_of(trial).objective.metric, " ",
                      FormatValue(rung.objective));
}

// So that it ends with what it was paused with.
void Machine::TakeRungResult(Trial& trial) const {
  if (trial.rungs.empty()) return;
  trial.final_metrics[state_.spec_of(trial).objective.metric] = trial.rungs.back().objective;
}

void Machine::ReachRung(Trial trial, const std::string& reason) {
  const JobSpec& spec = state_.spec_of(trial);
  const std::string& metric = spec.objective.metric;
  // What a step beyond its resource gave is not counted; what its worker told at the end is.
  if (const TrialMetrics* measured = state_.FindMetrics(trial.number)) {
    const auto last = measured->last.find(metric);
    const Curve* curve = FindCurve(state_.CurvesOf(trial.number), metric);
    if (curve != nullptr && last != measured->last.end() && last->second.step > trial.resource) {
      const std::optional<double> value = curve->ValueAt(trial.resource);
      if (value) trial.final_metrics.try_emplace(metric, *value);
    }
  }
  Trial probe = trial;
  FillFinalValues(probe);
  if (!HasMoreToRun(trial) || !probe.objective || MissingMetric(spec, probe) != nullptr) {
    return EndByValues(std::move(trial), reason);
  }
  trial.rungs.push_back({.resource = trial.resource,
                         .objective = *probe.objective,
                         .time = at_,
                         .finished_before = state_.header().finished,
                         .seq = state_.header().rungs_reached + 1});
  const std::string reached = AtRung(trial);
  EndAttempt(trial, kPaused, reached);
  trial.best_objective = probe.best_objective;
  decision_.effects.push_back(TellStrategy{trial.number, static_cast<int32_t>(trial.rungs.size()) - 1});
  if (!job_runs()) {
    return EndTrial(std::move(trial), TrialState::kEarlyStopped,
                    absl::StrCat(reached, ", and was not promoted: its job ended"));
  }
  trial.final_metrics.clear();  // they were of the attempt that ended
  trial.state = TrialState::kPaused;
  trial.stop_as = TrialState::kStopped;
  trial.reason = absl::StrCat(reached, "; waits for promotion");
  Put(std::move(trial));
}

void Machine::EndStopped(Trial trial) {
  std::string reason = trial.reason;
  switch (trial.stop_as) {
    case TrialState::kPaused:
    case TrialState::kCompleted:
      return EndRun(std::move(trial), std::move(reason));
    case TrialState::kFailed:
      return FailAttempt(std::move(trial), std::move(reason));
    case TrialState::kQueued:
      return EndTrial(std::move(trial), TrialState::kStopped, std::move(reason));
    default:
      break;
  }
  const TrialState as = trial.stop_as;
  EndTrial(std::move(trial), as, std::move(reason));
}

}  // namespace tuner::core
