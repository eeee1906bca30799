// The function that both programs minimise, in steps, so that there is a curve to see.
#pragma once

#include <variant>

#include "function_executor.h"

inline absl::Status Rosenbrock(const Call& call) {
  const double x = std::get<double>(call.parameters.at("x"));
  const double y = std::get<double>(call.parameters.at("y"));
  const double value = (1 - x) * (1 - x) + 100 * (y - x * x) * (y - x * x);
  for (int step = 1; step <= 5; ++step) {
    if (call.should_stop()) return absl::OkStatus();
    call.report(value * (1 + 1.0 / (step * step)));
  }
  call.report(value);
  return absl::OkStatus();
}
