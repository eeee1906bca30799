#include "core/objectives.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace tuner::core {
namespace {

std::optional<double> FinalValue(const Trial& trial, const std::string& metric) {
  const auto it = trial.final_metrics.find(metric);
  if (it == trial.final_metrics.end()) return std::nullopt;
  return it->second;
}

bool IsFinite(std::optional<double> value) { return value.has_value() && std::isfinite(*value); }

// Total order of a front's members: by the first objective, then by the others.
bool Precedes(const JobSpec& spec, const std::vector<double>& a, const std::vector<double>& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i]) return ObjectiveAt(spec, i).Better(a[i], b[i]);
  }
  return false;
}

}  // namespace

std::optional<std::vector<double>> ObjectiveValues(const JobSpec& spec, const Trial& trial) {
  if (!trial.objective) return std::nullopt;
  std::vector<double> values = {*trial.objective};
  for (const Objective& objective : spec.additional_objectives) {
    const std::optional<double> value = FinalValue(trial, objective.metric);
    if (!IsFinite(value)) return std::nullopt;
    values.push_back(*value);
  }
  return values;
}

bool KeepsConstraints(const JobSpec& spec, const Trial& trial) {
  return std::ranges::all_of(spec.outcome_constraints, [&trial](const OutcomeConstraint& constraint) {
    const std::optional<double> value = FinalValue(trial, constraint.metric);
    return value.has_value() && !std::isnan(*value) && constraint.Holds(*value);
  });
}

const std::string* MissingMetric(const JobSpec& spec, const Trial& trial) {
  for (size_t i = 0; i < ObjectiveCount(spec); ++i) {
    const std::string& metric = ObjectiveAt(spec, i).metric;
    if (!IsFinite(FinalValue(trial, metric))) return &metric;
  }
  for (const OutcomeConstraint& constraint : spec.outcome_constraints) {
    if (!IsFinite(FinalValue(trial, constraint.metric))) return &constraint.metric;
  }
  return nullptr;
}

bool Dominates(const JobSpec& spec, const std::vector<double>& a, const std::vector<double>& b) {
  bool better = false;
  for (size_t i = 0; i < a.size(); ++i) {
    const Objective& objective = ObjectiveAt(spec, i);
    if (objective.Better(b[i], a[i])) return false;
    better |= objective.Better(a[i], b[i]);
  }
  return better;
}

void ParetoFront::Add(const JobSpec& spec, const Trial& trial) {
  if (trial.state != TrialState::kCompleted || !KeepsConstraints(spec, trial)) return;
  std::optional<std::vector<double>> values = ObjectiveValues(spec, trial);
  if (!values) return;
  for (Member& member : members_) {
    if (Dominates(spec, member.values, *values)) return;
    if (member.values != *values) continue;
    if (trial.finish_seq < member.finish_seq) member = {trial.number, trial.finish_seq, *std::move(values)};
    return;
  }
  std::erase_if(members_, [&](const Member& member) { return Dominates(spec, *values, member.values); });
  const auto place =
      std::ranges::find_if(members_, [&](const Member& member) { return Precedes(spec, *values, member.values); });
  members_.insert(place, {trial.number, trial.finish_seq, *std::move(values)});
}

std::vector<int32_t> ParetoFront::numbers() const {
  std::vector<int32_t> numbers;
  numbers.reserve(members_.size());
  for (const Member& member : members_) numbers.push_back(member.trial);
  return numbers;
}

int64_t ParetoFront::last_entered() const {
  int64_t last = 0;
  for (const Member& member : members_) last = std::max(last, member.finish_seq);
  return last;
}

std::vector<int32_t> Thinned(const std::vector<int32_t>& numbers, size_t most) {
  if (numbers.size() <= most) return numbers;
  std::vector<int32_t> thinned;
  thinned.reserve(most);
  for (size_t i = 0; i < most; ++i) thinned.push_back(numbers[i * (numbers.size() - 1) / (most - 1)]);
  return thinned;
}

}  // namespace tuner::core
