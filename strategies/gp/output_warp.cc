#include "strategies/gp/output_warp.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace tuner::strategies::gp {
namespace {

constexpr double kLargest = std::numeric_limits<double>::max();
constexpr double kLeast = std::numeric_limits<double>::min();
const double kLogOneAndHalf = std::log(1.5);

double Finite(double x) { return std::clamp(x, -kLargest, kLargest); }

// LogStretch of t = (max - y) / (max - min) >= 0; for t < 0 goes on with the slope at 0.
double StretchedAt(double t) { return 0.5 - (t > 0 ? std::log1p(0.5 * t) : 0.5 * t) / kLogOneAndHalf; }

// t and -dt / dw of w = StretchedAt(t).
ValueAndSlope UndoStretch(double w) {
  const double logarithm = (0.5 - w) * kLogOneAndHalf;
  if (logarithm < 0) return {.value = 2 * logarithm, .slope = 2 * kLogOneAndHalf};
  return {.value = Finite(2 * std::expm1(logarithm)), .slope = Finite(2 * kLogOneAndHalf * std::exp(logarithm))};
}

// Infinite values clipped to the finite ones (to +-1 if there is none), NaN left out.
std::vector<double> Feasible(absl::Span<const double> y) {
  double low = kLargest;
  double high = -kLargest;
  for (const double value : y) {
    if (!std::isfinite(value)) continue;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  if (low > high) {
    low = -1;
    high = 1;
  }
  std::vector<double> feasible;
  for (const double value : y) {
    if (!std::isnan(value)) feasible.push_back(std::clamp(value, low, high));
  }
  return feasible;
}

// Whether the least value is one, by Tukey's outer fence. Expects at least one finite value.
bool HasOutlier(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t quarter = values.size() / 4;
  const double first = values[quarter];
  const double third = values[values.size() - 1 - quarter];
  return first / 2 - values.front() / 2 > 3 * (third / 2 - first / 2);  // halves: nothing overflows
}

}  // namespace

Eigen::VectorXd LogStretch(const Eigen::VectorXd& y) {
  if (y.size() == 0 || y.minCoeff() == y.maxCoeff()) return Eigen::VectorXd::Zero(y.size());
  const double half_range = 0.5 * y.maxCoeff() - 0.5 * y.minCoeff();
  const double half_best = 0.5 * y.maxCoeff();
  return y.unaryExpr([&](double value) { return StretchedAt((half_best - 0.5 * value) / half_range); });
}

Eigen::VectorXd PlaceInfeasible(const Eigen::VectorXd& y) {
  double least = kLargest;
  double best = -kLargest;
  double sum = 0;
  double feasible = 0;
  for (const double value : y) {
    if (std::isnan(value)) continue;
    least = std::min(least, value);
    best = std::max(best, value);
    sum += value;
    ++feasible;
  }
  if (feasible == 0) return Eigen::VectorXd::Constant(y.size(), -1);
  const double bad = least - (0.5 * (best - least) + 1);
  const double p = (0.5 + feasible) / (1 + static_cast<double>(y.size()));
  const double shift = -p * (sum / feasible) - (1 - p) * bad;
  return y.unaryExpr([&](double value) { return (std::isnan(value) ? bad : value) + shift; });
}

OutputWarp OutputWarp::Fit(absl::Span<const double> y, WarpOptions options) {
  std::vector<double> feasible = Feasible(y);
  if (feasible.empty()) {
    OutputWarp warp(HalfRank::Fit({0}, false), false);
    warp.labels_ = PlaceInfeasible(Eigen::VectorXd::Constant(static_cast<Eigen::Index>(y.size()), std::nan("")));
    return warp;
  }
  const bool ranks = options.half_rank && (!options.only_outliers || HasOutlier(feasible));
  OutputWarp warp(HalfRank::Fit(feasible, ranks), options.log);
  const auto n = static_cast<Eigen::Index>(feasible.size());
  Eigen::VectorXd values(n);
  if (warp.half_rank_.constant()) {
    warp.log_ = false;
    values.setZero();
  } else {
    const auto [least, best] = std::minmax_element(feasible.begin(), feasible.end());
    warp.least_ = warp.half_rank_.Forward(*least);
    warp.range_ = warp.half_rank_.Forward(*best) - warp.least_;
    for (Eigen::Index i = 0; i < n; ++i) values[i] = warp.Stretched(feasible[static_cast<size_t>(i)]);
    warp.mean_ = values.mean();
    warp.deviation_ = std::sqrt((values.array() - warp.mean_).square().mean());
    values = (values.array() - warp.mean_) / warp.deviation_;
  }

  warp.labels_.resize(static_cast<Eigen::Index>(y.size()));
  Eigen::Index next = 0;
  for (size_t i = 0; i < y.size(); ++i)
    warp.labels_[static_cast<Eigen::Index>(i)] = std::isnan(y[i]) ? y[i] : values[next++];
  if (feasible.size() < y.size()) {
    warp.labels_ = PlaceInfeasible(warp.labels_);
    const auto first = std::find_if(y.begin(), y.end(), [](double value) { return !std::isnan(value); }) - y.begin();
    warp.shift_ = warp.labels_[first] - values[0];
  }
  return warp;
}

double OutputWarp::Stretched(double y) const {
  const double unit = (half_rank_.Forward(y) - least_) / range_;
  return log_ ? StretchedAt(1 - unit) : unit;
}

double OutputWarp::Forward(double y) const { return Finite((Stretched(y) - mean_) / deviation_ + shift_); }

ValueAndSlope OutputWarp::Undo(double label) const {
  const double warped = Finite((label - shift_) * deviation_ + mean_);
  ValueAndSlope unit{.value = warped, .slope = 1};
  if (log_) {
    const ValueAndSlope from_best = UndoStretch(warped);
    unit = {.value = 1 - from_best.value, .slope = from_best.slope};
  }
  const ValueAndSlope value = half_rank_.Inverse(Finite(least_ + range_ * unit.value));
  return {.value = value.value, .slope = std::clamp(deviation_ * unit.slope * range_ * value.slope, kLeast, kLargest)};
}

}  // namespace tuner::strategies::gp
