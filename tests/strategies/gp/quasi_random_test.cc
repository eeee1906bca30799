#include "strategies/gp/quasi_random.h"

#include <cmath>
#include <set>
#include <utility>
#include <vector>

#include "core/rng.h"
#include "gtest/gtest.h"

namespace tuner::strategies::gp {
namespace {

std::vector<std::vector<double>> Points(const ScrambledSobol& sobol, uint64_t first, uint64_t count) {
  std::vector<std::vector<double>> points;
  for (uint64_t i = first; i < first + count; ++i) {
    points.emplace_back(static_cast<size_t>(sobol.dimensions()));
    sobol.Point(i, absl::MakeSpan(points.back()));
  }
  return points;
}

// Every block of 2^k points has one in each of 2^k equal intervals, in each of 300 dimensions.
TEST(QuasiRandomTest, StratifiesEachDimension) {
  for (const uint64_t seed : {1u, 2u, 3u}) {
    const ScrambledSobol sobol(300, seed, 7);
    for (const uint64_t first : {0u, 256u, 1u << 20}) {
      const auto points = Points(sobol, first, 256);
      for (size_t d = 0; d < 300; ++d) {
        std::set<int> cells;
        for (const auto& point : points) {
          ASSERT_GT(point[d], 0);
          ASSERT_LT(point[d], 1);
          cells.insert(static_cast<int>(point[d] * 256));
        }
        ASSERT_EQ(cells.size(), 256u) << "seed " << seed << " dimension " << d << " first " << first;
      }
    }
  }
}

// The first two dimensions are a (0, 2)-sequence: each of the 2^8 boxes of each shape of volume 2^-8 holds one point.
TEST(QuasiRandomTest, StratifiesTheFirstPairInEveryShape) {
  const auto points = Points(ScrambledSobol(2, 11, 0), 512, 256);
  for (int bits = 0; bits <= 8; ++bits) {
    std::set<std::pair<int, int>> cells;
    for (const auto& point : points) {
      cells.emplace(static_cast<int>(std::ldexp(point[0], bits)), static_cast<int>(std::ldexp(point[1], 8 - bits)));
    }
    EXPECT_EQ(cells.size(), 256u) << bits;
  }
}

TEST(QuasiRandomTest, IntegratesBetterThanRandomPoints) {
  // Product of 1 + 0.5 (x - 0.5) ... over 8 dimensions: its integral is 1.
  const auto value = [](const std::vector<double>& x) {
    double product = 1;
    for (const double coordinate : x) product *= 1 + (coordinate - 0.5) + 0.5 * (coordinate * coordinate - 1.0 / 3);
    return product;
  };
  constexpr int kPoints = 1024;
  double sobol_error = 0;
  double random_error = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    double sum = 0;
    for (const auto& point : Points(ScrambledSobol(8, seed, 0), 0, kPoints)) sum += value(point);
    sobol_error += std::pow(sum / kPoints - 1, 2);
    core::Rng rng(seed, 0);
    sum = 0;
    for (int i = 0; i < kPoints; ++i) {
      std::vector<double> point(8);
      for (double& x : point) x = rng.NextDouble();
      sum += value(point);
    }
    random_error += std::pow(sum / kPoints - 1, 2);
  }
  EXPECT_LT(std::sqrt(sobol_error), 0.2 * std::sqrt(random_error));
}

// Over seeds, one point is uniform: the shift and the matrix leave no trace of the unscrambled one.
TEST(QuasiRandomTest, OnePointIsUniformOverSeeds) {
  for (const uint64_t index : {0u, 1u, 77u}) {
    constexpr int kSeeds = 4000;
    std::vector<int> counts(10);
    for (uint64_t seed = 0; seed < kSeeds; ++seed) {
      std::vector<double> point(3);
      ScrambledSobol(3, seed, 5).Point(index, absl::MakeSpan(point));
      ++counts[static_cast<size_t>(point[2] * 10)];
    }
    double chi_squared = 0;
    for (const int count : counts) chi_squared += std::pow(count - kSeeds / 10, 2) / (kSeeds / 10);
    EXPECT_LT(chi_squared, 33.7) << index;  // 9 degrees of freedom, p = 1e-4
  }
}

TEST(QuasiRandomTest, DependsOnSeedStreamAndIndexOnly) {
  const ScrambledSobol sobol(4, 9, 3);
  EXPECT_EQ(Points(sobol, 100, 5), Points(ScrambledSobol(4, 9, 3), 100, 5));
  EXPECT_NE(Points(sobol, 100, 5), Points(ScrambledSobol(4, 10, 3), 100, 5));
  EXPECT_NE(Points(sobol, 100, 5), Points(ScrambledSobol(4, 9, 4), 100, 5));
  // A coordinate does not depend on how many come after it.
  std::vector<double> point(4);
  std::vector<double> wider(6);
  sobol.Point(4000000000, absl::MakeSpan(point));
  ScrambledSobol(6, 9, 3).Point(4000000000, absl::MakeSpan(wider));
  EXPECT_EQ(point, std::vector<double>(wider.begin(), wider.begin() + 4));
}

// Stored jobs rely on it.
TEST(QuasiRandomTest, NeverChanges) {
  std::vector<double> point(3);
  ScrambledSobol(3, 42, 1).Point(12345, absl::MakeSpan(point));
  EXPECT_EQ(point, (std::vector<double>{0.76563683626458723, 0.89532302232020944, 0.017498374211548762}));
}

TEST(QuasiRandomTest, NormalPointsHaveTheMomentsOfANormal) {
  const ScrambledSobol sobol(5, 1, 1);
  constexpr int kPoints = 4096;
  std::vector<double> sum(5);
  std::vector<double> squares(5);
  std::vector<double> point(5);
  for (uint64_t i = 0; i < kPoints; ++i) {
    sobol.NormalPoint(i, absl::MakeSpan(point));
    for (size_t d = 0; d < 5; ++d) {
      sum[d] += point[d];
      squares[d] += point[d] * point[d];
    }
  }
  for (size_t d = 0; d < 5; ++d) {
    EXPECT_NEAR(sum[d] / kPoints, 0, 1e-3);
    EXPECT_NEAR(squares[d] / kPoints, 1, 1e-2);
  }
}

TEST(QuasiRandomTest, NoDimensions) { ScrambledSobol(0, 1, 1).Point(5, {}); }

}  // namespace
}  // namespace tuner::strategies::gp
