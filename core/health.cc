#include "core/health.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "core/search_space.h"

namespace tuner::core {
namespace {

std::optional<std::string> Check(const HealthRule& rule, const NotFiniteCheck&, const HealthSight& sight) {
  if (sight.metric != rule.metric || std::isfinite(sight.value)) return std::nullopt;
  return absl::StrCat(rule.metric, " was ", FormatValue(sight.value), " at step ", sight.step);
}

std::optional<std::string> Check(const HealthRule& rule, const ExplodingCheck& check, const HealthSight& sight) {
  if (sight.metric != rule.metric || !(std::abs(sight.value) > check.max_abs)) return std::nullopt;
  return absl::StrCat(rule.metric, " exploded: ", FormatValue(sight.value), " at step ", sight.step, ", over max_abs ",
                      FormatValue(check.max_abs));
}

std::optional<std::string> Check(const HealthRule& rule, const NotDecreasingCheck& check, const HealthSight& sight) {
  const Curve* curve = sight.metric == rule.metric ? FindCurve(*sight.curves, rule.metric) : nullptr;
  if (curve == nullptr || curve->CountUpTo(sight.step) == 0) return std::nullopt;
  const std::vector<Curve::Point>& points = curve->points();
  const double least = points[static_cast<size_t>(curve->CountUpTo(sight.step)) - 1].min;
  const auto first = std::ranges::partition_point(points, [&](const Curve::Point& point) { return point.min > least; });
  const int64_t since = sight.step - first->step;
  if (since < check.steps) return std::nullopt;
  return absl::StrCat(rule.metric, " has not decreased for ", since, " steps: its least value ", FormatValue(least),
                      " was at step ", first->step);
}

std::optional<std::string> Check(const HealthRule& rule, const OverfittingCheck& check, const HealthSight& sight) {
  if (sight.metric != rule.metric && sight.metric != check.training_metric) return std::nullopt;
  const Curve* own = FindCurve(*sight.curves, rule.metric);
  const Curve* training = FindCurve(*sight.curves, check.training_metric);
  const auto value_of = [&](const Curve* curve) { return curve ? curve->ValueAt(sight.step) : std::nullopt; };
  const std::optional<double> a = value_of(own);
  const std::optional<double> b = value_of(training);
  if (!a || !b || std::abs(*a - *b) <= check.max_gap) return std::nullopt;
  return absl::StrCat("overfitting at step ", sight.step, ": ", rule.metric, " ", FormatValue(*a), " and ",
                      check.training_metric, " ", FormatValue(*b), " are more than ", FormatValue(check.max_gap),
                      " apart");
}

std::optional<std::string> Check(const HealthRule& rule, const TooSlowCheck& check, const HealthSight& sight) {
  constexpr int64_t kMinSteps = 2;  // start-up would count as the pace of the first one
  const int64_t done = sight.step - sight.base_step;
  if (sight.metric != rule.metric || done < kMinSteps || sight.step >= check.final_step) return std::nullopt;
  const absl::Duration whole =
      sight.earlier +
      sight.elapsed * (static_cast<double>(check.final_step - sight.base_step) / static_cast<double>(done));
  if (whole <= check.within) return std::nullopt;
  return absl::StrCat("too slow: at the pace of its first ", sight.step, " steps it reaches step ", check.final_step,
                      " after ", absl::FormatDuration(absl::Trunc(whole, absl::Milliseconds(1))), ", and has ",
                      absl::FormatDuration(check.within));
}

}  // namespace

std::optional<std::string> Ailment(const HealthRule& rule, const HealthSight& sight) {
  return std::visit([&](const auto& check) { return Check(rule, check, sight); }, rule.check);
}

std::set<std::string> WatchedMetrics(const std::vector<HealthRule>& rules) {
  std::set<std::string> metrics;
  for (const HealthRule& rule : rules) {
    metrics.insert(rule.metric);
    if (const auto* check = std::get_if<OverfittingCheck>(&rule.check)) metrics.insert(check->training_metric);
  }
  return metrics;
}

}  // namespace tuner::core
