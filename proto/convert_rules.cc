#include "proto/convert_rules.h"

#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/search_space.h"
#include "proto/limits.h"

namespace tuner::convert {
namespace {

constexpr int kMaxHealthRules = 20;
constexpr int32_t kMaxEta = 16;

// Collects problems of one message by the paths of its fields.
class FieldChecks {
 public:
  FieldChecks(std::string path, core::Problems& problems) : path_(std::move(path)), problems_(problems) {}

  void Require(bool ok, const char* field, const std::string& text) {
    if (!ok) problems_.push_back({field[0] == '\0' ? path_ : absl::StrCat(path_, ".", field), text});
  }
  template <typename T>
  void AtLeast(T value, T min, const char* field) {
    Require(value >= min, field,
            absl::StrCat("is ", core::FormatValue(value), "; give ", core::FormatValue(min), " or more"));
  }
  void Positive(double value, const char* field) {
    Require(value > 0 && std::isfinite(value), field,
            absl::StrCat("is ", core::FormatValue(value), "; give a finite number above 0"));
  }

 private:
  const std::string path_;
  core::Problems& problems_;
};

core::MedianRule ReadMedian(const v1::MedianRule& wire, FieldChecks checks) {
  core::MedianRule rule;
  const bool has_own = wire.trial_value() != v1::MedianRule::TRIAL_VALUE_UNSPECIFIED ||
                       wire.reference() != v1::MedianRule::REFERENCE_UNSPECIFIED || wire.has_min_curves() ||
                       wire.has_min_steps();
  if (wire.preset() == v1::MedianRule::SAGEMAKER) {
    checks.Require(!has_own, "preset", "is SAGEMAKER, which sets the other fields; leave them out, or the preset");
    rule.current_value = true;
    return rule;
  }
  rule.current_value = wire.trial_value() == v1::MedianRule::CURRENT;
  rule.completed_only = wire.reference() == v1::MedianRule::COMPLETED;
  if (wire.has_min_curves()) rule.min_curves = wire.min_curves();
  if (wire.has_min_steps()) rule.min_steps = wire.min_steps();
  checks.AtLeast<int64_t>(rule.min_curves, 1, "min_curves");
  if (rule.min_steps) checks.AtLeast<int64_t>(*rule.min_steps, 1, "min_steps");
  return rule;
}

core::PercentileRule ReadPercentile(const v1::PercentileRule& wire, FieldChecks checks) {
  core::PercentileRule rule;
  rule.percentile = wire.percentile();
  if (wire.has_min_curves()) rule.min_curves = wire.min_curves();
  if (wire.has_min_steps()) rule.min_steps = wire.min_steps();
  checks.Require(rule.percentile > 0 && rule.percentile < 100, "percentile",
                 absl::StrCat("is ", core::FormatValue(rule.percentile), "; give a number above 0 and below 100"));
  checks.AtLeast<int64_t>(rule.min_curves, 1, "min_curves");
  checks.AtLeast<int64_t>(rule.min_steps, 1, "min_steps");
  return rule;
}

core::ThresholdRule ReadThreshold(const v1::ThresholdRule& wire, FieldChecks checks) {
  core::ThresholdRule rule;
  if (wire.has_min()) rule.min = wire.min();
  if (wire.has_max()) rule.max = wire.max();
  if (wire.has_min_steps()) rule.min_steps = wire.min_steps();
  checks.Require(rule.min || rule.max, "", "has neither min nor max; give one of them");
  checks.Require(!rule.min || std::isfinite(*rule.min), "min", "is not finite; give a number, or leave it out");
  checks.Require(!rule.max || std::isfinite(*rule.max), "max", "is not finite; give a number, or leave it out");
  checks.Require(!rule.min || !rule.max || *rule.min <= *rule.max, "min", "is above max; swap them");
  checks.AtLeast<int64_t>(rule.min_steps, 1, "min_steps");
  return rule;
}

core::HalvingRule ReadHalving(const v1::SuccessiveHalvingRule& wire, FieldChecks checks) {
  core::HalvingRule rule;
  if (wire.has_min_resource()) rule.min_resource = wire.min_resource();
  if (wire.has_eta()) rule.eta = wire.eta();
  checks.AtLeast<int64_t>(rule.min_resource, 1, "min_resource");
  checks.Require(rule.eta >= 2 && rule.eta <= kMaxEta, "eta", absl::StrCat("is ", rule.eta, "; give 2 to ", kMaxEta));
  return rule;
}

core::CurveRule ReadCurve(const v1::CurveRule& wire, FieldChecks checks) {
  core::CurveRule rule;
  if (wire.has_min_probability()) rule.min_probability = wire.min_probability();
  if (wire.has_min_steps()) rule.min_steps = wire.min_steps();
  rule.final_step = wire.final_step();
  checks.Require(rule.min_probability > 0 && rule.min_probability < 1, "min_probability",
                 absl::StrCat("is ", core::FormatValue(rule.min_probability), "; give a number above 0 and below 1"));
  checks.Require(rule.final_step >= 2, "final_step", "is missing or too small; give the step at which trials end");
  checks.AtLeast<int64_t>(rule.min_steps, 3, "min_steps");
  return rule;
}

}  // namespace

std::optional<core::EarlyStoppingRule> ReadEarlyStopping(const v1::TuningJobSpec& spec, core::Problems& problems) {
  if (!spec.has_early_stopping()) return std::nullopt;
  const v1::EarlyStopping& wire = spec.early_stopping();
  const auto refuse = [&](std::string text) {
    problems.push_back({"early_stopping", std::move(text)});
    return std::nullopt;
  };
  if (spec.strategy().has_hyperband()) {
    return refuse("stands beside strategy.hyperband, which stops trials at its own rungs; leave one of them out");
  }
  if (!spec.additional_objectives().empty()) {
    return refuse(
        "looks at one objective, and a trial that is poor in it may be the best in another; leave out early_stopping "
        "or additional_objectives");
  }
  switch (wire.rule_case()) {
    case v1::EarlyStopping::kMedian:
      return ReadMedian(wire.median(), {"early_stopping.median", problems});
    case v1::EarlyStopping::kPercentile:
      return ReadPercentile(wire.percentile(), {"early_stopping.percentile", problems});
    case v1::EarlyStopping::kThreshold:
      return ReadThreshold(wire.threshold(), {"early_stopping.threshold", problems});
    case v1::EarlyStopping::kSuccessiveHalving:
      return ReadHalving(wire.successive_halving(), {"early_stopping.successive_halving", problems});
    case v1::EarlyStopping::kCurve:
      return ReadCurve(wire.curve(), {"early_stopping.curve", problems});
    case v1::EarlyStopping::kCustom:
      return std::nullopt;  // not served, which proto/unimplemented.cc says
    case v1::EarlyStopping::RULE_NOT_SET:
      break;
  }
  return refuse("has no rule; leave it out, or give one of median, percentile, threshold, successive_halving or curve");
}

std::vector<core::HealthRule> ReadHealthRules(const v1::TuningJobSpec& spec, core::Problems& problems) {
  std::vector<core::HealthRule> rules;
  if (spec.health_rules_size() > kMaxHealthRules) {
    problems.push_back(
        {"health_rules", absl::StrCat("has ", spec.health_rules_size(), " entries; give at most ", kMaxHealthRules)});
  }
  for (int i = 0; i < spec.health_rules_size(); ++i) {
    const v1::HealthRule& wire = spec.health_rules(i);
    const std::string path = absl::StrCat("health_rules[", i, "]");
    FieldChecks checks(path, problems);
    core::HealthRule rule{.metric = wire.metric(), .check = {}, .stop = wire.action() != v1::HealthRule::WARN};
    checks.Require(!rule.metric.empty(), "metric", "is empty; give the metric to look at");
    switch (wire.check_case()) {
      case v1::HealthRule::kNotFinite:
        rule.check = core::NotFiniteCheck{};
        break;
      case v1::HealthRule::kExploding:
        rule.check = core::ExplodingCheck{wire.exploding().max_abs()};
        checks.Positive(wire.exploding().max_abs(), "exploding.max_abs");
        break;
      case v1::HealthRule::kNotDecreasing:
        rule.check = core::NotDecreasingCheck{wire.not_decreasing().steps()};
        checks.AtLeast<int64_t>(wire.not_decreasing().steps(), 1, "not_decreasing.steps");
        break;
      case v1::HealthRule::kOverfitting:
        rule.check = core::OverfittingCheck{wire.overfitting().training_metric(), wire.overfitting().max_gap()};
        checks.Require(!wire.overfitting().training_metric().empty(), "overfitting.training_metric",
                       "is empty; give the metric to compare with");
        checks.Require(wire.overfitting().training_metric() != rule.metric, "overfitting.training_metric",
                       "is the rule's own metric; give the one of the training data");
        checks.Positive(wire.overfitting().max_gap(), "overfitting.max_gap");
        break;
      case v1::HealthRule::kTooSlow: {
        core::TooSlowCheck check{wire.too_slow().final_step(), absl::ZeroDuration()};
        checks.AtLeast<int64_t>(check.final_step, 1, "too_slow.final_step");
        if (const auto within = ReadDuration(wire.too_slow().within(), path + ".too_slow.within", problems)) {
          check.within = *within;
          checks.Require(*within > absl::ZeroDuration(), "too_slow.within", "is missing; give a time above 0");
        }
        rule.check = check;
        break;
      }
      case v1::HealthRule::CHECK_NOT_SET:
        checks.Require(false, "",
                       "has no check; give one of not_finite, exploding, not_decreasing, overfitting or too_slow");
        break;
    }
    rules.push_back(std::move(rule));
  }
  return rules;
}

std::optional<core::Resources> ReadResources(const v1::TuningJobSpec& spec, core::Problems& problems) {
  if (!spec.strategy().has_hyperband()) return std::nullopt;
  const v1::HyperbandStrategy& wire = spec.strategy().hyperband();
  core::Resources resources{wire.max_resource(), wire.resource_parameter()};
  if (!spec.additional_objectives().empty()) {
    problems.push_back({"strategy.hyperband",
                        "compares trials by one objective; leave out additional_objectives, or use strategy.bayesian"});
  }
  const std::string& name = resources.parameter;
  if (name.empty()) return resources;
  const bool is_parameter = [&] {
    for (const v1::Parameter& parameter : spec.parameters()) {
      if (parameter.name() == name) return true;
    }
    return false;
  }();
  if (is_parameter || spec.static_parameters().contains(name)) {
    problems.push_back(
        {"strategy.hyperband.resource_parameter",
         absl::StrCat("\"", name, "\" is also among the ", is_parameter ? "parameters to tune" : "static_parameters",
                      ", and each trial is given its resource as its value; leave it out of one of them")});
  }
  return resources;
}

}  // namespace tuner::convert
