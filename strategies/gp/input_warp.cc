#include "strategies/gp/input_warp.h"

#include <algorithm>
#include <cmath>

namespace tuner::strategies::gp {

WarpedInput WarpInput(double u, double a, double b) {
  constexpr double kMargin = 1e-9;
  u = std::clamp(u, kMargin, 1 - kMargin);
  const double log_u = std::log(u);
  const double power = std::exp(a * log_u);  // u^a
  // ln(1 - u^a), without cancellation at either end.
  const double log_rest = power < 0.5 ? std::log1p(-power) : std::log(-std::expm1(a * log_u));
  const double rest_power = std::exp(b * log_rest);                      // (1 - u^a)^b
  const double by_log_power = b * std::exp((b - 1) * log_rest) * power;  // by ln(u^a)
  return {.value = -std::expm1(b * log_rest),
          .by_input = by_log_power * a / u,
          .by_log_a = by_log_power * a * log_u,
          .by_log_b = -b * rest_power * log_rest};
}

}  // namespace tuner::strategies::gp
