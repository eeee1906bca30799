#include "core/early_stopping.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/search_space.h"

namespace tuner::core {
namespace {

// Of the reference curves of the median rule, at least this many (or min_curves, if that is less) completed.
constexpr int kMinCompleted = 3;
// Until this share of the longest completed trial the median rule waits, unless told.
constexpr double kWarmUpShare = 0.1;
constexpr int64_t kMinReports = 2;

// `percent` of the values below; linear between neighbours, as numpy's default.
double Percentile(std::vector<double> values, double percent) {
  std::ranges::sort(values);
  const double place = percent / 100 * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(place);
  if (below + 1 >= values.size()) return values.back();
  return std::lerp(values[below], values[below + 1], place - static_cast<double>(below));
}

int64_t LongestCompleted(absl::Span<const ReferenceCurve> others) {
  int64_t longest = 0;
  for (const ReferenceCurve& other : others) {
    if (other.completed) longest = std::max(longest, other.curve->last_step());
  }
  return longest;
}

bool Reached(const ReferenceCurve& other, int64_t step) { return other.curve->last_step() >= step; }

std::optional<std::string> Judge(const MedianRule& rule, const Objective& objective, const JudgedTrial& trial) {
  const int64_t longest = LongestCompleted(trial.others);
  if (longest > 0 && trial.step >= longest) return std::nullopt;  // its work is done
  const auto share = static_cast<int64_t>(std::ceil(kWarmUpShare * static_cast<double>(longest)));
  if (rule.min_steps) {
    if (trial.step < *rule.min_steps) return std::nullopt;
  } else if (trial.step < share || trial.curve->CountUpTo(trial.step) < kMinReports) {
    return std::nullopt;
  }
  std::vector<double> averages;
  int completed = 0;
  for (const ReferenceCurve& other : trial.others) {
    if (!Reached(other, trial.step) || (rule.completed_only && !other.completed)) continue;
    const std::optional<double> average = other.curve->AverageUpTo(trial.step);
    if (!average) continue;
    averages.push_back(*average);
    completed += other.completed;
  }
  const auto curves = static_cast<int>(averages.size());
  if (curves < rule.min_curves || completed < std::min(kMinCompleted, rule.min_curves)) return std::nullopt;
  const std::optional<double> own =
      rule.current_value ? trial.curve->ValueAt(trial.step) : trial.curve->BestUpTo(trial.step, objective.goal);
  const double median = Percentile(std::move(averages), 50);
  if (!own || !objective.Better(median, *own)) return std::nullopt;
  return absl::StrCat("median rule at step ", trial.step, ": its ", rule.current_value ? "" : "best ", objective.metric,
                      " ", FormatValue(*own), " is worse than ", FormatValue(median),
                      ", the median of the running averages of ", curves, " other trials");
}

std::optional<std::string> Judge(const PercentileRule& rule, const Objective& objective, const JudgedTrial& trial) {
  if (trial.step < rule.min_steps) return std::nullopt;
  std::vector<double> bests;
  for (const ReferenceCurve& other : trial.others) {
    if (!Reached(other, trial.step)) continue;
    if (const std::optional<double> best = other.curve->BestUpTo(trial.step, objective.goal)) bests.push_back(*best);
  }
  const auto curves = static_cast<int>(bests.size());
  if (curves < rule.min_curves) return std::nullopt;
  const std::optional<double> own = trial.curve->BestUpTo(trial.step, objective.goal);
  const double percent = objective.goal == Goal::kMinimize ? rule.percentile : 100 - rule.percentile;
  const double bound = Percentile(std::move(bests), percent);
  if (!own || !objective.Better(bound, *own)) return std::nullopt;
  return absl::StrCat("percentile rule at step ", trial.step, ": its best ", objective.metric, " ", FormatValue(*own),
                      " is worse than ", FormatValue(bound), ", where the best ", FormatValue(rule.percentile),
                      " percent of ", curves, " other trials end");
}

std::optional<std::string> Judge(const ThresholdRule& rule, const Objective& objective, const JudgedTrial& trial) {
  if (trial.step < rule.min_steps) return std::nullopt;
  const std::optional<double> own = trial.curve->ValueAt(trial.step);
  if (!own) return std::nullopt;
  if (rule.min && *own < *rule.min) {
    return absl::StrCat("threshold rule at step ", trial.step, ": its ", objective.metric, " ", FormatValue(*own),
                        " is under ", FormatValue(*rule.min));
  }
  if (rule.max && *own > *rule.max) {
    return absl::StrCat("threshold rule at step ", trial.step, ": its ", objective.metric, " ", FormatValue(*own),
                        " is over ", FormatValue(*rule.max));
  }
  return std::nullopt;
}

std::optional<std::string> Judge(const HalvingRule& rule, const Objective& objective, const JudgedTrial& trial) {
  // The rung that this step is the first to reach, if there is one.
  const int64_t before = [&] {
    const int64_t count = trial.curve->CountUpTo(trial.step - 1);
    return count == 0 ? int64_t{0} : trial.curve->points()[static_cast<size_t>(count) - 1].step;
  }();
  int64_t rung = 0;
  for (int64_t next = rule.min_resource; next <= trial.step; next *= rule.eta) {
    if (next > before) rung = next;
    if (next > std::numeric_limits<int64_t>::max() / rule.eta) break;
  }
  if (rung == 0) return std::nullopt;
  const std::optional<double> own = trial.curve->ValueAt(trial.step);
  if (!own) return std::nullopt;
  int entries = 1;
  int better = 0;
  for (const ReferenceCurve& other : trial.others) {
    if (!Reached(other, rung)) continue;
    // What it had when it came there, which may be some steps later where steps are left out.
    const auto at = std::ranges::lower_bound(other.curve->points(), rung, {}, &Curve::Point::step);
    ++entries;
    better += objective.Better(at->value, *own);
  }
  const int kept = std::max(1, entries / rule.eta);
  if (better < kept) return std::nullopt;
  return absl::StrCat("successive halving at step ", rung, ": its ", objective.metric, " ", FormatValue(*own),
                      " is number ", better + 1, " of ", entries, ", and the best ", kept, " go on");
}

std::optional<std::string> Judge(const CurveRule& rule, const Objective& objective, const JudgedTrial& trial) {
  if (!trial.best_final || trial.step >= rule.final_step || trial.curve->CountUpTo(trial.step) < rule.min_steps) {
    return std::nullopt;
  }
  // What is better already will hardly get worse than the best.
  const std::optional<double> own = trial.curve->BestUpTo(trial.step, objective.goal);
  if (!own || objective.Better(*own, *trial.best_final)) return std::nullopt;
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  const auto widen = [&](const Curve& curve) {
    if (curve.empty()) return;
    low = std::min(low, curve.points().back().min);
    high = std::max(high, curve.points().back().max);
  };
  widen(*trial.curve);
  for (const ReferenceCurve& other : trial.others) widen(*other.curve);
  const std::optional<double> chance =
      ChanceToBeat(*trial.curve, trial.step, rule.final_step, *trial.best_final, high - low, objective.goal);
  if (!chance || *chance >= rule.min_probability) return std::nullopt;
  return absl::StrCat("curve rule at step ", trial.step, ": its ", objective.metric, " will be better than ",
                      FormatValue(*trial.best_final), " at step ", rule.final_step, " with a chance of ",
                      absl::SixDigits(*chance), ", under ", FormatValue(rule.min_probability));
}

// Student's t with an even number of degrees of freedom: its distribution function is a finite sum.
double StudentCdf(double t, int degrees) {
  const double x = static_cast<double>(degrees) / (static_cast<double>(degrees) + t * t);
  double term = 1;
  double sum = 1;
  for (int i = 1; i < degrees / 2; ++i) {
    term *= x * (2.0 * i - 1) / (2.0 * i);
    sum += term;
  }
  return 0.5 + 0.5 * t / std::sqrt(static_cast<double>(degrees) + t * t) * sum;
}

// One family of curves with its shape given: y = a + b f(s).
struct Prediction {
  double log_evidence = 0;
  double mean = 0;
  double scale = 0;
  int degrees = 0;
};

// Precisions of the prior, in units of the noise's variance, with the values scaled by the spread of the job's curves.
constexpr double kPriorA = 1e-3;
constexpr double kPriorB = 1e-4;
constexpr double kPriorShape = 1;    // of the noise's inverse-gamma
constexpr double kPriorRate = 4e-5;  // a noise of half a hundredth of the spread

// No curve is quite of a family: the weights are evened out, so that chances come true (tests/core).
constexpr double kTemper = 0.35;

Prediction Predict(const std::vector<double>& f, const std::vector<double>& y, double at) {
  const auto n = static_cast<double>(f.size());
  // The prior of `a` is about the last value, so that a flat end stays.
  const double origin = y.back();
  double sf = 0, sff = 0, sy = 0, syy = 0, sfy = 0;
  for (size_t i = 0; i < f.size(); ++i) {
    const double v = y[i] - origin;
    sf += f[i];
    sff += f[i] * f[i];
    sy += v;
    syy += v * v;
    sfy += f[i] * v;
  }
  const double p = n + kPriorA;
  const double q = sff + kPriorB;
  const double determinant = p * q - sf * sf;
  const double a = (q * sy - sf * sfy) / determinant;
  const double b = (p * sfy - sf * sy) / determinant;
  const double rate = kPriorRate + 0.5 * std::max(0.0, syy - a * sy - b * sfy);
  // Degrees of freedom 2 (shape + n / 2), made even.
  const int degrees = 2 * static_cast<int>(kPriorShape + std::floor(n / 2));
  const double shape = kPriorShape + n / 2;
  Prediction out;
  out.log_evidence = -0.5 * std::log(determinant) - shape * std::log(rate);
  out.mean = origin + a + b * at;
  const double leverage = (q - 2 * sf * at + p * at * at) / determinant;
  out.scale = std::sqrt(rate / shape * (1 + leverage));
  out.degrees = degrees;
  return out;
}

}  // namespace

std::optional<double> ChanceToBeat(const Curve& curve, int64_t step, int64_t final_step, double than, double spread,
                                   Goal goal) {
  const auto count = static_cast<size_t>(curve.CountUpTo(step));
  if (count < 3) return std::nullopt;
  const double unit = spread > 0 && std::isfinite(spread) ? spread : 1;
  const double sign = goal == Goal::kMaximize ? 1 : -1;
  const auto last = static_cast<double>(final_step);
  std::vector<double> y(count), s(count), f(count);
  for (size_t i = 0; i < count; ++i) {
    y[i] = sign * curve.points()[i].value / unit;
    s[i] = static_cast<double>(std::max<int64_t>(1, curve.points()[i].step));
  }
  std::vector<Prediction> predictions;
  for (const double c : {0.1, 0.25, 0.5, 1.0, 2.0}) {
    for (size_t i = 0; i < count; ++i) f[i] = std::pow(s[i], -c);
    predictions.push_back(Predict(f, y, std::pow(last, -c)));
  }
  for (const double c : {0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0}) {
    for (size_t i = 0; i < count; ++i) f[i] = std::exp(-c * s[i] / last);
    predictions.push_back(Predict(f, y, std::exp(-c)));
  }
  double most = -std::numeric_limits<double>::infinity();
  for (const Prediction& prediction : predictions) most = std::max(most, prediction.log_evidence);
  double weights = 0;
  double chance = 0;
  for (const Prediction& prediction : predictions) {
    const double weight = std::exp(kTemper * (prediction.log_evidence - most));
    weights += weight;
    chance += weight * StudentCdf((prediction.mean - sign * than / unit) / prediction.scale, prediction.degrees);
  }
  return std::clamp(chance / weights, 0.0, 1.0);
}

bool ComparesCurves(const std::optional<EarlyStoppingRule>& rule) {
  return rule && !std::holds_alternative<ThresholdRule>(*rule);
}

std::optional<std::string> ReasonToStop(const EarlyStoppingRule& rule, const Objective& objective,
                                        const JudgedTrial& trial) {
  return std::visit([&](const auto& one) { return Judge(one, objective, trial); }, rule);
}

}  // namespace tuner::core
