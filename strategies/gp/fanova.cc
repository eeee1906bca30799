#include "strategies/gp/fanova.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "strategies/gp/quasi_random.h"

namespace tuner::strategies::gp {
namespace {

constexpr uint32_t kFanovaStream = 0x6661;
constexpr size_t kBatch = 512;  // points per call
constexpr int kMostPredictions = 40'000;
constexpr int kMinSamples = 128;
constexpr int kMaxSamples = 4096;

// Two independent sets of n points of d coordinates, row by row.
struct Designs {
  std::vector<double> a, b;
};

Designs MakeDesigns(size_t n, size_t d, uint64_t seed) {
  Designs designs{std::vector<double>(n * d), std::vector<double>(n * d)};
  const ScrambledSobol points(static_cast<int>(2 * d), seed, kFanovaStream);
  std::vector<double> both(2 * d);
  for (size_t i = 0; i < n; ++i) {
    points.Point(i, absl::MakeSpan(both));
    std::copy_n(both.begin(), d, designs.a.begin() + static_cast<ptrdiff_t>(i * d));
    std::copy_n(both.begin() + static_cast<ptrdiff_t>(d), d, designs.b.begin() + static_cast<ptrdiff_t>(i * d));
  }
  return designs;
}

class Sampler {
 public:
  Sampler(size_t dimensions, const UnitFunction& function, StopToken stop)
      : dimensions_(dimensions), function_(function), stop_(stop) {}

  // False: stopped.
  bool Evaluate(const std::vector<double>& points, std::vector<double>& values) const {
    values.resize(points.size() / dimensions_);
    for (size_t first = 0; first < values.size(); first += kBatch) {
      if (Stopped(stop_)) return false;
      const size_t count = std::min(kBatch, values.size() - first);
      function_(absl::MakeConstSpan(points).subspan(first * dimensions_, count * dimensions_),
                absl::MakeSpan(values).subspan(first, count));
    }
    return true;
  }

 private:
  const size_t dimensions_;
  const UnitFunction& function_;
  const StopToken stop_;
};

// Values are shifted and divided by this, so that squares neither overflow nor vanish.
struct Standard {
  double centre = 0;
  double scale = 0;  // 0: all values are the same
};

Standard StandardOf(const std::vector<double>& a, const std::vector<double>& b) {
  const auto [low_a, high_a] = std::minmax_element(a.begin(), a.end());
  const auto [low_b, high_b] = std::minmax_element(b.begin(), b.end());
  const double low = std::min(*low_a, *low_b);
  const double high = std::max(*high_a, *high_b);
  // What rounding leaves of a large constant is no variance.
  if (!(high / 2 - low / 2 > 1e-14 * std::max(std::abs(low), std::abs(high)))) return {};
  Standard standard;
  const double n = static_cast<double>(a.size() + b.size());
  for (const std::vector<double>* values : {&a, &b}) {
    for (const double value : *values) standard.centre += value / n;
  }
  standard.scale = std::max(high - standard.centre, standard.centre - low);
  return standard;
}

void Apply(const Standard& standard, std::vector<double>& values) {
  for (double& value : values) value = (value - standard.centre) / standard.scale;
}

void FillShares(AnovaIndices& indices) {
  double sum = 0;
  for (size_t k = 0; k < indices.main.size(); ++k) {
    indices.shares[k] = (indices.main[k] + indices.total[k]) / 2;
    sum += indices.shares[k];
  }
  if (sum > 0) {
    for (double& share : indices.shares) share /= sum;
  }
}

}  // namespace

AnovaIndices FunctionalAnova(int dimensions, const UnitFunction& function, const AnovaOptions& options) {
  const size_t d = static_cast<size_t>(dimensions);
  const size_t n = static_cast<size_t>(options.samples);
  AnovaIndices nothing{
      .main = std::vector<double>(d), .total = std::vector<double>(d), .shares = std::vector<double>(d)};
  AnovaIndices stopped = nothing;
  stopped.stopped = true;
  const Sampler sampler(d, function, options.stop);
  const auto [a, b] = MakeDesigns(n, d, options.seed);
  std::vector<double> fa, fb, fab;
  if (!sampler.Evaluate(a, fa) || !sampler.Evaluate(b, fb)) return stopped;
  const Standard standard = StandardOf(fa, fb);
  if (standard.scale == 0) return nothing;
  Apply(standard, fa);
  Apply(standard, fb);
  double variance = 0;
  for (size_t i = 0; i < n; ++i) variance += (fa[i] * fa[i] + fb[i] * fb[i]) / (2.0 * static_cast<double>(n));
  AnovaIndices indices = nothing;
  indices.variance = variance * standard.scale * standard.scale;
  std::vector<double> mixed = a;
  for (size_t k = 0; k < d; ++k) {
    for (size_t i = 0; i < n; ++i) mixed[i * d + k] = b[i * d + k];
    if (!sampler.Evaluate(mixed, fab)) return stopped;
    for (size_t i = 0; i < n; ++i) mixed[i * d + k] = a[i * d + k];
    Apply(standard, fab);
    double main = 0;
    double total = 0;
    for (size_t i = 0; i < n; ++i) {
      main += fb[i] * (fab[i] - fa[i]);
      total += (fa[i] - fab[i]) * (fa[i] - fab[i]);
    }
    indices.total[k] = std::clamp(total / (2.0 * static_cast<double>(n) * variance), 0.0, 1.0);
    indices.main[k] = std::clamp(main / (static_cast<double>(n) * variance), 0.0, indices.total[k]);
  }
  FillShares(indices);
  return indices;
}

int AnovaSamples(int dimensions) {
  const unsigned most =
      static_cast<unsigned>(std::clamp(kMostPredictions / (dimensions + 2), kMinSamples, kMaxSamples));
  return static_cast<int>(std::bit_floor(most));
}

}  // namespace tuner::strategies::gp
