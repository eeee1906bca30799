#include "strategies/gp/normal.h"

#include <boost/math/special_functions/erf.hpp>
#include <cmath>
#include <limits>
#include <numbers>

namespace tuner::strategies::gp {
namespace {

constexpr double kHalfLogTwoPi = 0.91893853320467274178;
// Below it the continued fraction converges within kLevels, and above it nothing is lost by cancellation.
constexpr double kTail = -2.5;

double Density(double z) { return std::exp(-0.5 * z * z - kHalfLogTwoPi); }
double Cdf(double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }

// c(x) of the header, x >= 2.5, evaluated from the innermost level.
double TailFraction(double x) {
  const int levels = x > 10 ? 12 : 60;
  double tail = x;
  for (int k = levels; k >= 2; --k) tail = x + k / tail;
  return 1 / tail;
}

}  // namespace

ValueAndSlope LogH(double z) {
  if (z > kTail) {
    const double cdf = Cdf(z);
    const double h = Density(z) + z * cdf;
    return {.value = std::log(h), .slope = cdf / h};
  }
  // h = phi(x) (1 - x / (x + c)) = phi(x) c / (x + c), x = -z; slope Phi / h = 1 / c. c / (x + c) as one over 1 + x / c
  // does not underflow.
  const double x = -z;
  const double c = TailFraction(x);
  return {.value = -0.5 * z * z - kHalfLogTwoPi - std::log1p(x / c), .slope = 1 / c};
}

ValueAndSlope LogCdf(double z) {
  if (z > kTail) {
    const double value = z > 0 ? std::log1p(-Cdf(-z)) : std::log(Cdf(z));
    return {.value = value, .slope = Density(z) / Cdf(z)};
  }
  const double x = -z;
  const double c = TailFraction(x);
  return {.value = -0.5 * z * z - kHalfLogTwoPi - std::log(x + c), .slope = x + c};
}

double InverseCdf(double p) {
  if (std::isnan(p)) return p;
  if (p <= 0) return -std::numeric_limits<double>::infinity();
  if (p >= 1) return std::numeric_limits<double>::infinity();
  return p < 0.5 ? -std::numbers::sqrt2 * boost::math::erfc_inv(2 * p)
                 : std::numbers::sqrt2 * boost::math::erf_inv(2 * p - 1);
}

}  // namespace tuner::strategies::gp
