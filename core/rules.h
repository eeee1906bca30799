// Options of the rules that look at running trials, as a specification gives them. Plain values; any thread. What they
// do: core/early_stopping.h, core/health.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "absl/time/time.h"

namespace tuner::core {

// ---- early stopping: fields as in proto/tuner/v1/early_stopping.proto

struct MedianRule {
  bool current_value = false;  // the trial's value at the step, not its best up to there
  bool completed_only = false;
  int32_t min_curves = 5;
  std::optional<int32_t> min_steps;
};
struct PercentileRule {
  double percentile = 50;
  int32_t min_curves = 5;
  int32_t min_steps = 1;
};
struct ThresholdRule {
  std::optional<double> min;
  std::optional<double> max;
  int32_t min_steps = 1;
};
struct HalvingRule {
  int32_t min_resource = 1;
  int32_t eta = 3;
};
struct CurveRule {
  double min_probability = 0.05;
  int32_t final_step = 1;
  int32_t min_steps = 4;
};
using EarlyStoppingRule = std::variant<MedianRule, PercentileRule, ThresholdRule, HalvingRule, CurveRule>;

// ---- health rules

struct NotFiniteCheck {};
struct ExplodingCheck {
  double max_abs = 0;
};
struct NotDecreasingCheck {
  int32_t steps = 1;
};
struct OverfittingCheck {
  std::string training_metric;
  double max_gap = 0;
};
struct TooSlowCheck {
  int32_t final_step = 1;
  absl::Duration within;
};
using HealthCheck = std::variant<NotFiniteCheck, ExplodingCheck, NotDecreasingCheck, OverfittingCheck, TooSlowCheck>;
struct HealthRule {
  std::string metric;
  HealthCheck check;
  bool stop = true;  // false: only tell
};

// ---- resources of trials (Hyperband)

struct Resources {
  int64_t max = 1;        // steps of a trial that is never stopped
  std::string parameter;  // hyperparameter through which a trial is told its resource; empty: none
};

}  // namespace tuner::core
