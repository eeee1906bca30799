#include "strategies/gp/fanova.h"

#include <algorithm>

#include "strategies/gp/quasi_random.h"

namespace tuner::strategies::gp {
namespace {

constexpr uint32_t kFanovaStream = 0x6661;

}  // namespace

std::vector<double> FirstOrderIndices(const UnitFunction& function, int dimensions, int samples, uint64_t seed) {
  const auto d = static_cast<size_t>(dimensions);
  std::vector<double> indices(d, 0);
  if (samples <= 0 || dimensions == 0) return indices;
  // Two independent samples side by side in one sequence of twice the dimensions.
  const ScrambledSobol sobol(2 * dimensions, seed, kFanovaStream);
  std::vector<std::vector<double>> a;
  std::vector<std::vector<double>> b;
  std::vector<double> point(2 * d);
  for (int i = 0; i < samples; ++i) {
    sobol.Point(static_cast<uint64_t>(i), absl::MakeSpan(point));
    a.emplace_back(point.begin(), point.begin() + dimensions);
    b.emplace_back(point.begin() + dimensions, point.end());
  }
  const std::vector<double> at_a = function(a);
  const std::vector<double> at_b = function(b);
  double mean = 0;
  for (size_t i = 0; i < at_a.size(); ++i) mean += at_a[i] + at_b[i];
  mean /= 2.0 * samples;
  double variance = 0;
  for (size_t i = 0; i < at_a.size(); ++i) {
    variance += (at_a[i] - mean) * (at_a[i] - mean) + (at_b[i] - mean) * (at_b[i] - mean);
  }
  variance /= 2.0 * samples;
  if (!(variance > 0)) return indices;
  for (size_t k = 0; k < d; ++k) {
    std::vector<std::vector<double>> mixed = a;
    for (size_t i = 0; i < mixed.size(); ++i) mixed[i][k] = b[i][k];
    const std::vector<double> at_mixed = function(mixed);
    double sum = 0;
    for (size_t i = 0; i < at_a.size(); ++i) sum += (at_b[i] - mean) * (at_mixed[i] - at_a[i]);
    indices[k] = std::clamp(sum / samples / variance, 0.0, 1.0);
  }
  return indices;
}

}  // namespace tuner::strategies::gp
