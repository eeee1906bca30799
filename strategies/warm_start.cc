#include "strategies/warm_start.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "core/domain.h"
#include "core/objectives.h"
#include "core/rng.h"
#include "core/warm_start.h"

namespace tuner::strategies {
namespace {

// Stream of random numbers. Stored jobs rely on it.
constexpr uint32_t kChoiceStream = 0x7773;

// A tenth of the trials are seeds, at least one, at most as many as parents.
constexpr int kTrialsPerSeed = 10;

// The value with which the trial ran; null: the parameter was not active.
const core::ParameterValue* ValueOf(const core::ParentJob& parent, const core::Trial& trial, const std::string& name) {
  if (const auto tuned = trial.parameters.find(name); tuned != trial.parameters.end()) return &tuned->second;
  const auto fixed = parent.static_parameters.find(name);
  return fixed == parent.static_parameters.end() ? nullptr : &fixed->second;
}

bool SameValue(const core::ParameterValue& a, const core::ParameterValue& b) {
  const auto number = [](const core::ParameterValue& value) {
    if (const auto* x = std::get_if<double>(&value)) return *x;
    if (const auto* i = std::get_if<int64_t>(&value)) return static_cast<double>(*i);
    return std::numeric_limits<double>::quiet_NaN();
  };
  return a == b || number(a) == number(b);
}

std::optional<ParentRow> RowOf(const core::ParentJob& parent, const core::Trial& trial, const core::JobSpec& child,
                               const gp::Encoder& encoder) {
  ParentRow row{.trial = &trial};
  if (const std::optional<core::ParameterMap> point = PointInChild(parent, trial, child)) {
    row.units = encoder.Units(*point);
    row.inside = true;
    return row;
  }
  const auto& parameters = child.space.parameters();
  row.units.assign(parameters.size(), 0.5);
  for (int i = 0; i < encoder.parameter_count(); ++i) {
    if (!encoder.IsActive(i, row.units)) continue;
    const core::Parameter& parameter = parameters[static_cast<size_t>(i)];
    const core::ParameterValue* value = ValueOf(parent, trial, parameter.name);
    if (value == nullptr) return std::nullopt;
    const std::optional<double> unit = core::domain::ToUnitBeyond(parameter.domain, *value);
    if (!unit || !(*unit >= -kFarthestOutside && *unit <= 1 + kFarthestOutside)) return std::nullopt;
    row.units[static_cast<size_t>(i)] = *unit;
  }
  return row;
}

}  // namespace

std::optional<core::ParameterMap> PointInChild(const core::ParentJob& parent, const core::Trial& trial,
                                               const core::JobSpec& child) {
  core::ParameterMap point;
  const auto& parameters = child.space.parameters();
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (!child.space.IsActive(static_cast<int>(i), point)) continue;
    const core::ParameterValue* value = ValueOf(parent, trial, parameters[i].name);
    if (value == nullptr) return std::nullopt;
    std::optional<core::ParameterValue> canonical = core::domain::Canonical(parameters[i].domain, *value);
    if (!canonical) return std::nullopt;
    point.emplace(parameters[i].name, *std::move(canonical));
  }
  return point;
}

bool HasFixedValues(const core::ParentJob& parent, const core::Trial& trial, const core::JobSpec& child) {
  return std::ranges::all_of(child.static_parameters, [&](const auto& fixed) {
    const core::ParameterValue* value = ValueOf(parent, trial, fixed.first);
    return value != nullptr && SameValue(*value, fixed.second);
  });
}

std::vector<ParentRow> RowsOf(const core::ParentJob& parent, const core::JobSpec& child, const gp::Encoder& encoder,
                              RowOptions options) {
  std::vector<ParentRow> rows;
  for (const core::Trial& trial : parent.trials) {
    if (options.fixed_values && !HasFixedValues(parent, trial, child)) continue;
    const bool with_rungs = options.rungs && child.resources && !trial.rungs.empty();
    if (!with_rungs && !core::RanToItsEnd(trial)) continue;
    std::optional<ParentRow> row = RowOf(parent, trial, child, encoder);
    if (!row) continue;
    for (size_t i = 0; with_rungs && i < trial.rungs.size(); ++i) {
      if (trial.rungs[i].resource >= child.resources->max) continue;
      row->rung = &trial.rungs[i];
      rows.push_back(*row);
    }
    row->rung = nullptr;
    if (core::RanToItsEnd(trial)) rows.push_back(*std::move(row));
  }
  return rows;
}

core::Trial AtRung(core::Trial trial, const core::RungResult& rung) {
  trial.state = core::TrialState::kEarlyStopped;
  trial.objective = rung.objective;
  return trial;
}

std::vector<size_t> ChosenRows(const std::vector<double>& values, size_t most, uint64_t seed) {
  std::vector<size_t> places(values.size());
  std::iota(places.begin(), places.end(), size_t{0});
  if (places.size() <= most) return places;
  const auto rank = [&](size_t i) {
    return std::isnan(values[i]) ? -std::numeric_limits<double>::infinity() : values[i];
  };
  std::ranges::stable_sort(places, [&](size_t a, size_t b) { return rank(a) > rank(b); });
  core::Rng rng(seed, values.size(), kChoiceStream);
  for (size_t i = most / 4; i < most; ++i) std::swap(places[i], places[i + rng.NextBelow(places.size() - i)]);
  places.resize(most);
  std::ranges::sort(places);
  return places;
}

std::vector<TransferSeed> TransferSeeds(const core::JobSpec& spec) {
  std::vector<TransferSeed> seeds;
  if (!IsTransfer(spec)) return seeds;
  const int32_t trials = spec.limits.max_trials.value_or(std::numeric_limits<int32_t>::max());
  const size_t most = static_cast<size_t>(std::max(1, trials / kTrialsPerSeed));
  const core::ParentJobs& parents = *spec.warm_start->jobs;
  for (size_t i = 0; i < parents.size() && seeds.size() < most; ++i) {
    const core::Trial* best = nullptr;
    std::optional<core::ParameterMap> at;
    for (const core::Trial& trial : parents[i].trials) {
      if (trial.state != core::TrialState::kCompleted || !trial.objective) continue;
      if (!core::KeepsConstraints(spec, trial)) continue;
      if (best != nullptr && !spec.objective.Better(*trial.objective, *best->objective)) continue;
      std::optional<core::ParameterMap> point = PointInChild(parents[i], trial, spec);
      if (!point || !spec.constraints.Satisfied(*point)) continue;
      best = &trial;
      at = std::move(point);
    }
    const bool known = std::ranges::any_of(seeds, [&](const TransferSeed& seed) { return seed.point == at; });
    if (at && !known) seeds.push_back({i, *std::move(at)});
  }
  return seeds;
}

}  // namespace tuner::strategies
