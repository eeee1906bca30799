#include "tuner/cli/plot_data.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/curve.h"
#include "tuner/cli/job_view.h"
#include "tuner/cli/outcome_view.h"
#include "tuner/cli/text.h"

namespace tuner::cli {
namespace {

PlotAxis::Scale ScaleOf(v1::Scaling::Scale scale) {
  if (scale == v1::Scaling::LOG) return PlotAxis::Scale::kLog;
  if (scale == v1::Scaling::REVERSE_LOG) return PlotAxis::Scale::kReverseLog;
  return PlotAxis::Scale::kLinear;
}

PlotAxis AxisOf(const v1::Parameter& parameter) {
  PlotAxis axis;
  axis.name = parameter.name();
  switch (parameter.domain_case()) {
    case v1::Parameter::kDouble:
      axis.scale = ScaleOf(parameter.double_().scale());
      axis.min = parameter.double_().min();
      axis.max = parameter.double_().max();
      break;
    case v1::Parameter::kInteger:
      axis.scale = ScaleOf(parameter.integer().scale());
      axis.min = static_cast<double>(parameter.integer().min());
      axis.max = static_cast<double>(parameter.integer().max());
      break;
    case v1::Parameter::kDiscrete: {
      const auto& values = parameter.discrete().values();
      axis.scale = ScaleOf(parameter.discrete().scale());
      if (!values.empty()) {
        axis.min = *std::min_element(values.begin(), values.end());
        axis.max = *std::max_element(values.begin(), values.end());
      }
      break;
    }
    case v1::Parameter::kCategorical:
      axis.categories.assign(parameter.categorical().values().begin(), parameter.categorical().values().end());
      break;
    case v1::Parameter::kBoolean:
      axis.categories = {"false", "true"};
      break;
    case v1::Parameter::DOMAIN_NOT_SET:
      break;
  }
  if (!axis.categories.empty()) axis.max = static_cast<double>(axis.categories.size()) - 1;
  if (axis.scale == PlotAxis::Scale::kLog && axis.min <= 0) axis.scale = PlotAxis::Scale::kLinear;
  return axis;
}

// Where a value lies on its axis; nullopt for one that the axis does not have.
std::optional<double> ValueOn(const PlotAxis& axis, const google::protobuf::Value& value) {
  if (axis.categories.empty()) {
    if (!value.has_number_value() || !std::isfinite(value.number_value())) return std::nullopt;
    return value.number_value();
  }
  const auto found = std::find(axis.categories.begin(), axis.categories.end(), ValueText(value));
  if (found == axis.categories.end()) return std::nullopt;
  return static_cast<double>(found - axis.categories.begin());
}

// The step between round numbers: 1, 2 or 5 times a power of ten.
double RoundStep(double range, int about) {
  const double raw = range / std::max(1, about);
  const double power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (raw <= factor * power) return factor * power;
  }
  return 10 * power;
}

void AddCurves(const v1::Trial& trial, PlotData& data) {
  if (trial.measurements_size() == 0) return;
  std::map<std::string, core::Curve> by_metric;
  for (const v1::Measurement& measurement : trial.measurements()) {
    by_metric[measurement.metric()].Put(measurement.attempt(), measurement.step(), measurement.value());
  }
  for (const auto& [metric, curve] : by_metric) {
    if (curve.empty()) continue;
    PlotCurve plotted{.trial = trial.number(), .stopped_early = trial.state() == v1::Trial::EARLY_STOPPED};
    for (const core::Curve::Point& point : curve.points()) {
      plotted.points.emplace_back(static_cast<double>(point.step), point.value);
    }
    for (const v1::Trial::Rung& rung : trial.rungs()) {
      const std::optional<double> value = curve.ValueAt(rung.resource());
      if (rung.resource() < trial.resource() && value) {
        plotted.promotions.emplace_back(static_cast<double>(rung.resource()), *value);
      }
    }
    data.curves[metric].push_back(std::move(plotted));
  }
}

// As if every trial that was started had gone as far as those that were not stopped.
void AddSteps(const v1::TuningJob& job, const v1::ListTrialsResponse& trials, PlotData& data) {
  const auto curves = data.curves.find(data.metric);
  if (curves == data.curves.end()) return;
  double whole = job.spec().strategy().hyperband().max_resource();
  int64_t started = 0;
  bool any_stopped = false;
  for (const PlotCurve& curve : curves->second) whole = std::max(whole, curve.points.back().first);
  for (const v1::Trial& trial : trials.trials()) {
    started += trial.attempts_size() > 0;
    any_stopped |= trial.state() == v1::Trial::EARLY_STOPPED;
  }
  data.steps_run = job.steps_run();
  if (any_stopped) data.steps_unstopped = started * static_cast<int64_t>(whole);
}

// The final values of all objectives of a completed trial.
std::vector<double> OutcomesOf(const v1::TuningJobSpec& spec, const v1::Trial& trial) {
  std::vector<double> outcomes;
  if (trial.state() != v1::Trial::COMPLETED) return outcomes;
  for (const v1::Objective* objective : Objectives(spec)) {
    const std::optional<double> value = FinalValue(trial, objective->metric());
    if (!value || !std::isfinite(*value)) return {};
    outcomes.push_back(*value);
  }
  return outcomes;
}

void AddObjectives(const v1::TuningJobSpec& spec, PlotData& data) {
  for (const v1::Objective* objective : Objectives(spec)) {
    PlotObjective plotted;
    plotted.axis.name = objective->metric();
    plotted.maximize = objective->goal() == v1::Objective::MAXIMIZE;
    double low = INFINITY, high = -INFINITY;
    for (const PlotTrial& trial : data.trials) {
      if (trial.outcomes.empty()) continue;
      low = std::min(low, trial.outcomes[data.objectives.size()]);
      high = std::max(high, trial.outcomes[data.objectives.size()]);
    }
    if (low <= high) {
      plotted.axis.min = low;
      plotted.axis.max = high;
      if (WantsLog(low, high)) plotted.axis.scale = PlotAxis::Scale::kLog;
    }
    data.objectives.push_back(std::move(plotted));
  }
}

}  // namespace

std::string PlotData::HighlightTitle() const {
  return objectives.empty() ? absl::StrCat("best: trial ", best) : "Pareto front";
}

bool WantsLog(double min, double max) { return min > 0 && max / min >= 1000; }

double PlotAxis::Position(double value) const {
  const auto on_scale = [this](double v) {
    if (scale == Scale::kLog) return std::log(v);
    if (scale == Scale::kReverseLog) return -std::log1p(-std::min(v, 1 - 1e-15));
    return v;
  };
  const double low = on_scale(min), high = on_scale(max);
  if (!(high > low)) return 0.5;
  return std::clamp((on_scale(value) - low) / (high - low), 0.0, 1.0);
}

std::vector<PlotAxis::Tick> PlotAxis::Ticks(int about) const {
  std::vector<Tick> ticks;
  if (!categories.empty()) {
    const size_t stride = (categories.size() + 24) / 25;
    for (size_t i = 0; i < categories.size(); i += stride) {
      ticks.push_back({static_cast<double>(i), Shortened(Printable(categories[i]), 14)});
    }
    return ticks;
  }
  ticks.push_back({min, Number(min, 4)});
  if (!(max > min)) return ticks;
  std::vector<double> inner;
  if (scale == Scale::kLog && max / min >= 10) {
    const double decades = std::log10(max / min);
    const double stride = std::max(1.0, std::ceil(decades / about));
    for (double e = std::ceil(std::log10(min)); e <= std::log10(max); e += stride) inner.push_back(std::pow(10, e));
  } else {
    const double step = RoundStep(max - min, about);
    for (double v = std::ceil(min / step) * step; v < max; v += step) inner.push_back(std::abs(v) < step / 1e6 ? 0 : v);
  }
  // Not closer to the ends than their own labels.
  for (const double v : inner) {
    if (Position(v) - Position(ticks.back().value) > 0.06 && Position(v) < 0.94) ticks.push_back({v, Number(v, 4)});
  }
  ticks.push_back({max, Number(max, 4)});
  return ticks;
}

double PlotData::Goodness(double value) const {
  const double position = objective.Position(value);
  return maximize ? position : 1 - position;
}

PlotData MakePlotData(const v1::TuningJob& job, const v1::ListTrialsResponse& trials) {
  PlotData data;
  data.job = IdOf(job.name());
  data.metric = job.spec().objective().metric();
  data.maximize = job.spec().objective().goal() == v1::Objective::MAXIMIZE;
  for (const v1::Parameter* parameter : AllParameters(job.spec())) data.axes.push_back(AxisOf(*parameter));
  double low = INFINITY, high = -INFINITY;
  std::optional<double> best;
  const bool several = job.spec().additional_objectives_size() > 0;
  for (const v1::Trial& member : job.pareto_front()) data.front.push_back(member.number());
  const std::set<int> front(data.front.begin(), data.front.end());
  for (const v1::Trial& trial : trials.trials()) {
    PlotTrial plotted;
    plotted.number = trial.number();
    plotted.state = trial.state();
    if (trial.has_objective() && std::isfinite(trial.objective()) && IsTerminal(trial.state())) {
      const double value = trial.objective();
      plotted.objective = value;
      low = std::min(low, value);
      high = std::max(high, value);
      plotted.keeps_constraints = BrokenText(job.spec(), trial).empty();
      if (!several && trial.state() == v1::Trial::COMPLETED && plotted.keeps_constraints &&
          (!best || (data.maximize ? value > *best : value < *best))) {
        best = value;
        data.best = trial.number();
      }
    }
    for (const PlotAxis& axis : data.axes) {
      const auto found = trial.parameters().find(axis.name);
      plotted.values.push_back(found == trial.parameters().end() ? std::nullopt : ValueOn(axis, found->second));
    }
    plotted.highlighted = front.contains(plotted.number);
    if (several) plotted.outcomes = OutcomesOf(job.spec(), trial);
    data.trials.push_back(std::move(plotted));
    AddCurves(trial, data);
  }
  for (PlotTrial& trial : data.trials) trial.highlighted |= trial.number == data.best;
  if (several) AddObjectives(job.spec(), data);
  std::sort(data.trials.begin(), data.trials.end(),
            [](const PlotTrial& a, const PlotTrial& b) { return a.number < b.number; });
  data.objective.name = data.metric;
  if (low <= high) {
    data.objective.min = low;
    data.objective.max = high;
    if (WantsLog(low, high)) data.objective.scale = PlotAxis::Scale::kLog;
  }
  AddSteps(job, trials, data);
  return data;
}

}  // namespace tuner::cli
