#include "strategies/gp/half_rank.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tuner::strategies::gp {
namespace {

constexpr double kLargest = std::numeric_limits<double>::max();
constexpr double kLeast = std::numeric_limits<double>::min();

double Finite(double x) { return std::clamp(x, -kLargest, kLargest); }

// Without underflow.
double RootMeanSquare(absl::Span<const double> x) {
  double largest = 0;
  for (const double value : x) largest = std::max(largest, std::abs(value));
  if (largest == 0) return 0;
  double sum = 0;
  for (const double value : x) sum += (value / largest) * (value / largest);
  return largest * std::sqrt(sum / static_cast<double>(x.size()));
}

}  // namespace

HalfRank HalfRank::Fit(std::vector<double> y, bool enabled) {
  std::sort(y.begin(), y.end());
  HalfRank result;
  const double magnitude = std::max(std::abs(y.front()), std::abs(y.back()));
  // A power of two loses nothing, and brings all below 1.
  result.exponent_ = magnitude == 0 ? 0 : std::ilogb(magnitude) + 1;
  const auto scaled = [&result](double value) { return std::ldexp(value, -result.exponent_); };
  const double left_middle = y[(y.size() - 1) / 2];
  const double right_middle = y[y.size() / 2];
  result.centre_ = 0.5 * scaled(left_middle) + 0.5 * scaled(right_middle);
  result.constant_ = y.front() == y.back();
  if (result.constant_) {
    result.radius_ = magnitude == 0 ? 1 : scaled(magnitude);
    return result;
  }
  result.radius_ = std::max(scaled(y.back()) - result.centre_, result.centre_ - scaled(y.front()));
  if (enabled) {
    y.erase(std::unique(y.begin(), y.end()), y.end());
    result.FitRanks(y, left_middle, right_middle);
  }
  return result;
}

void HalfRank::FitRanks(absl::Span<const double> distinct, double left_middle, double right_middle) {
  const bool median_is_value = left_middle == right_middle;
  const double median = median_is_value ? left_middle : std::clamp(FromCentred(0), left_middle, right_middle);
  std::vector<double> all;
  size_t below = 0;
  for (const double y : distinct) {
    all.push_back(Centred(y));
    if (median_is_value ? y < median : y <= left_middle) ++below;
  }
  if (below == 0) return;
  double deviation = RootMeanSquare(absl::MakeConstSpan(all).subspan(below));
  if (deviation == 0) deviation = RootMeanSquare(all);
  const double places = static_cast<double>(below) + (median_is_value ? 0.5 : 0);
  for (size_t i = 0; i < below; ++i) {
    const double quantile = 0.5 * (static_cast<double>(i) + 0.5) / places;
    knots_.push_back({.y = distinct[i], .centred = all[i], .ranked = deviation * InverseCdf(quantile)});
  }
  knots_.push_back({.y = median});
}

double HalfRank::Centred(double y) const { return Finite((std::ldexp(y, -exponent_) - centre_) / radius_); }

double HalfRank::FromCentred(double u) const { return Finite(std::ldexp(centre_ + radius_ * u, exponent_)); }

double HalfRank::Forward(double y) const {
  const double u = Centred(y);
  const auto above = std::lower_bound(knots_.begin(), knots_.end(), y, [](const Knot& k, double v) { return k.y < v; });
  if (above == knots_.end()) return u;
  if (above->y == y) return above->ranked;
  const Knot& right = above == knots_.begin() ? knots_[1] : *above;
  const Knot& left = *(&right - 1);
  const double width = right.centred - left.centred;
  if (width <= 0) return left.ranked;
  return Finite(left.ranked + (u - left.centred) / width * (right.ranked - left.ranked));
}

ValueAndSlope HalfRank::Inverse(double u) const {
  double slope = 1;
  const auto above =
      std::lower_bound(knots_.begin(), knots_.end(), u, [](const Knot& k, double v) { return k.ranked < v; });
  if (above != knots_.end()) {
    const Knot& right = above == knots_.begin() ? knots_[1] : *above;
    const Knot& left = *(&right - 1);
    slope = (right.centred - left.centred) / (right.ranked - left.ranked);
    u = Finite(right.centred + (u - right.ranked) * slope);
  }
  return {.value = FromCentred(u), .slope = std::clamp(std::ldexp(radius_ * slope, exponent_), kLeast, kLargest)};
}

}  // namespace tuner::strategies::gp
