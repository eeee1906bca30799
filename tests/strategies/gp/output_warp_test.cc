#include "strategies/gp/output_warp.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/rng.h"
#include "gtest/gtest.h"

namespace tuner::strategies::gp {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
const double kNan = std::nan("");
constexpr WarpOptions kAllOptions[] = {{true, true}, {true, false}, {false, true}, {false, false}};

std::vector<double> Labels(const std::vector<double>& y, WarpOptions options = {}) {
  const Eigen::VectorXd labels = OutputWarp::Fit(y, options).labels();
  return {labels.begin(), labels.end()};
}

// The i-th of a family of heavy-tailed data sets, with ties.
std::vector<double> Draw(uint64_t seed) {
  core::Rng rng(seed, 0);
  std::vector<double> y(1 + rng.NextBelow(40));
  const double spread = 20 * rng.NextDouble();
  const double offset = 100 * (rng.NextDouble() - 0.5);
  for (double& value : y) {
    value = offset + std::exp(spread * (rng.NextDouble() - 0.5)) * (rng.NextBelow(2) == 0 ? -1 : 1);
    if (rng.NextBelow(5) == 0) value = y[rng.NextBelow(y.size())];
  }
  return y;
}

// Spec, section 6.
TEST(OutputWarpTest, ReferenceValues) {
  const std::vector<double> y{1, 2, 3, 4, -1000};
  const std::vector<double> ranked{1.32300185, 2, 3, 4, .34552404};
  const std::vector<double> stretched{-.26968207, -.09654115, .18373705, .5, -.5};
  const HalfRank half_rank = HalfRank::Fit(y, true);
  Eigen::VectorXd actual(5);
  for (int i = 0; i < 5; ++i) {
    actual[i] = half_rank.FromCentred(half_rank.Forward(y[static_cast<size_t>(i)]));
    EXPECT_NEAR(actual[i], ranked[static_cast<size_t>(i)], 1e-8);
  }
  actual = LogStretch(actual);
  for (int i = 0; i < 5; ++i) EXPECT_NEAR(actual[i], stretched[static_cast<size_t>(i)], 1e-8);

  const std::vector<double> labels = Labels(y);
  const double mean = actual.mean();
  const double deviation = std::sqrt((actual.array() - mean).square().mean());
  for (int i = 0; i < 5; ++i) EXPECT_NEAR(labels[static_cast<size_t>(i)], (actual[i] - mean) / deviation, 1e-12);
}

// By hand: median 2.5 is no value; s^2 = (0.5^2 + 1.5^2) / 2, ranks 1 and 2 of D = 2.
TEST(OutputWarpTest, HalfRankWithTheMedianBetweenValues) {
  const HalfRank half_rank = HalfRank::Fit({4, 1, 3, 2, 1, 4}, true);  // median of 1 1 2 3 4 4
  const double s = std::sqrt((0.25 + 2.25) / 2);
  EXPECT_NEAR(half_rank.FromCentred(half_rank.Forward(1)), 2.5 - 1.15034938037600818 * s, 1e-12);  // PhiInverse(1/8)
  EXPECT_NEAR(half_rank.FromCentred(half_rank.Forward(2)), 2.5 - 0.31863936396437515 * s, 1e-12);  // PhiInverse(3/8)
  EXPECT_EQ(half_rank.FromCentred(half_rank.Forward(3)), 3);
  EXPECT_EQ(half_rank.FromCentred(half_rank.Forward(4)), 4);
}

// The good half is all ties: the deviation of all counts.
TEST(OutputWarpTest, HalfRankWithoutSpreadAboveTheMedian) {
  const HalfRank half_rank = HalfRank::Fit({5, 5, 5, -1}, true);
  const double s = std::sqrt((0 + 36) / 2.0);
  EXPECT_NEAR(half_rank.FromCentred(half_rank.Forward(-1)), 5 + s * -0.96742156610170103, 1e-12);  // PhiInverse(1/6)
}

TEST(OutputWarpTest, PlaceInfeasibleByHand) {
  Eigen::VectorXd y(4);
  y << 1, kNan, 3, kNan;
  const Eigen::VectorXd placed = PlaceInfeasible(y);
  const double shift = -0.5 * 2 - 0.5 * -1;  // p = 2.5 / 5, bad = 1 - (1 + 1)
  EXPECT_EQ(placed[0], 1 + shift);
  EXPECT_EQ(placed[2], 3 + shift);
  EXPECT_EQ(placed[1], -1 + shift);
  EXPECT_EQ(placed[3], -1 + shift);
}

TEST(OutputWarpTest, DegenerateSets) {
  for (const WarpOptions options : kAllOptions) {
    EXPECT_EQ(Labels({}, options), std::vector<double>{});
    EXPECT_EQ(Labels({7}, options), std::vector<double>{0});
    EXPECT_EQ(Labels({kNan}, options), std::vector<double>{-1});
    EXPECT_EQ(Labels({kNan, kNan}, options), (std::vector<double>{-1, -1}));
    EXPECT_EQ(Labels({3, 3, 3}, options), (std::vector<double>{0, 0, 0}));
    EXPECT_EQ(Labels({kInfinity}, options), std::vector<double>{0});
    EXPECT_EQ(Labels({kInfinity, kInfinity, -kInfinity}, options), Labels({1, 1, -1}, options));
    const std::vector<double> two = Labels({-4, 9}, options);
    EXPECT_NEAR(two[0], -1, 1e-12);
    EXPECT_NEAR(two[1], 1, 1e-12);
    EXPECT_EQ(Labels({kInfinity, 5, 1, -kInfinity}, options), Labels({5, 5, 1, 1}, options));
  }
}

TEST(OutputWarpTest, FeasibleLabelsAreStandardised) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const std::vector<double> y = Draw(seed);
    for (const WarpOptions options : kAllOptions) {
      const Eigen::VectorXd labels = OutputWarp::Fit(y, options).labels();
      ASSERT_NEAR(labels.mean(), 0, 1e-12) << "seed " << seed;
      const bool equal = std::count(y.begin(), y.end(), y[0]) == static_cast<ptrdiff_t>(y.size());
      ASSERT_NEAR(labels.squaredNorm() / static_cast<double>(labels.size()), equal ? 0 : 1, 1e-12) << "seed " << seed;
    }
  }
}

// The prior mean 0 lies between feasible and infeasible, which are lowest.
TEST(OutputWarpTest, InfeasibleLabelsAreLowest) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    std::vector<double> y = Draw(seed);
    const std::vector<double> feasible = Labels(y);
    const size_t n = y.size();
    y.insert(y.begin() + static_cast<ptrdiff_t>(seed % n), kNan);
    const OutputWarp warp = OutputWarp::Fit(y, {});
    const auto bad = static_cast<Eigen::Index>(seed % n);
    double sum = 0;
    double least = kInfinity;
    double best = -kInfinity;
    for (Eigen::Index i = 0, k = 0; i < warp.labels().size(); ++i) {
      if (i == bad) continue;
      const double shift = warp.labels()[i] - feasible[static_cast<size_t>(k++)];
      ASSERT_NEAR(shift, warp.labels()[bad == 0 ? 1 : 0] - feasible[0], 1e-12) << "seed " << seed;
      sum += warp.labels()[i];
      least = std::min(least, warp.labels()[i]);
      best = std::max(best, warp.labels()[i]);
      ASSERT_NEAR(warp.Forward(y[static_cast<size_t>(i)]), warp.labels()[i], 1e-12) << "seed " << seed;
    }
    ASSERT_NEAR(warp.labels()[bad], least - 0.5 * (best - least) - 1, 1e-12) << "seed " << seed;
    const double p = (0.5 + static_cast<double>(n)) / (2 + static_cast<double>(n));
    ASSERT_NEAR(p * sum / static_cast<double>(n) + (1 - p) * warp.labels()[bad], 0, 1e-12) << "seed " << seed;
  }
}

TEST(OutputWarpTest, KeepsOrderAndTies) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const std::vector<double> y = Draw(seed);
    for (const WarpOptions options : kAllOptions) {
      const std::vector<double> labels = Labels(y, options);
      for (size_t i = 0; i < y.size(); ++i) {
        for (size_t j = 0; j < y.size(); ++j) {
          ASSERT_EQ(y[i] == y[j], labels[i] == labels[j]) << "seed " << seed;
          ASSERT_EQ(y[i] < y[j], labels[i] < labels[j]) << "seed " << seed;
        }
      }
    }
  }
}

TEST(OutputWarpTest, ForwardAndInverseUndoEachOther) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const std::vector<double> y = Draw(seed);
    const auto [least, best] = std::minmax_element(y.begin(), y.end());
    const double range = std::max(*best - *least, 1.0);
    core::Rng rng(seed, 1);
    for (const WarpOptions options : kAllOptions) {
      const OutputWarp warp = OutputWarp::Fit(y, options);
      for (size_t i = 0; i < y.size(); ++i) {
        ASSERT_EQ(warp.Forward(y[i]), warp.labels()[static_cast<Eigen::Index>(i)]) << "seed " << seed;
        ASSERT_NEAR(warp.Inverse(warp.Forward(y[i])), y[i], 1e-11 * range) << "seed " << seed;
      }
      double before = -kInfinity;
      for (double label = -4; label < 4; label += 0.05) {
        const double value = warp.Inverse(label);
        ASSERT_GT(value, before) << "seed " << seed << " label " << label;
        before = value;
        ASSERT_NEAR(warp.Forward(value), label, 1e-7) << "seed " << seed;
        // Off the kinks, which are at labels of the data.
        const double step = 1e-6;
        const double difference = (warp.Inverse(label + step) - warp.Inverse(label - step)) / (2 * step);
        const auto near = [&](double other) { return std::abs(other - label) < 2 * step; };
        if (std::any_of(warp.labels().begin(), warp.labels().end(), near)) continue;
        if (near(warp.Forward(0.5 * (*least + *best)))) continue;
        const double slope = warp.InverseSlope(label);
        ASSERT_GT(slope, 0);
        ASSERT_NEAR(difference / slope, 1, 1e-3) << "seed " << seed << " label " << label;
      }
    }
  }
}

TEST(OutputWarpTest, IgnoresUnitAndOffset) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const std::vector<double> y = Draw(seed);
    std::vector<double> other = y;
    for (double& value : other) value = 37.5 * value - 2e3;
    for (const WarpOptions options : kAllOptions) {
      const std::vector<double> expected = Labels(y, options);
      const std::vector<double> actual = Labels(other, options);
      for (size_t i = 0; i < y.size(); ++i) ASSERT_NEAR(actual[i], expected[i], 1e-9) << "seed " << seed;
    }
  }
}

TEST(OutputWarpTest, AnyDoubles) {
  const std::vector<double> specials{0,
                                     -0.0,
                                     1,
                                     -1,
                                     5e-324,
                                     -5e-324,
                                     1e-300,
                                     -1e-300,
                                     1e-160,
                                     1e300,
                                     -1e300,
                                     std::numeric_limits<double>::max(),
                                     std::numeric_limits<double>::lowest(),
                                     std::nextafter(1, 2),
                                     kInfinity,
                                     -kInfinity,
                                     kNan};
  for (uint64_t seed = 0; seed < 20000; ++seed) {
    core::Rng rng(seed, 0);
    std::vector<double> y(rng.NextBelow(7));
    for (double& value : y) value = specials[rng.NextBelow(specials.size())];
    const WarpOptions options = kAllOptions[seed % 4];
    const OutputWarp warp = OutputWarp::Fit(y, options);
    ASSERT_EQ(warp.labels().size(), static_cast<Eigen::Index>(y.size()));
    ASSERT_TRUE(warp.labels().allFinite()) << "seed " << seed;
    ASSERT_LE(warp.labels().lpNorm<Eigen::Infinity>(), 20) << "seed " << seed;
    for (size_t i = 0; i < y.size(); ++i) {
      for (size_t j = 0; j < y.size(); ++j) {
        if (y[i] < y[j]) {
          ASSERT_LE(warp.labels()[static_cast<Eigen::Index>(i)], warp.labels()[static_cast<Eigen::Index>(j)])
              << "seed " << seed;
        }
      }
    }
    double before = -kInfinity;
    for (const double label : {-1e300, -1e6, -10.0, -1.0, -0.1, 0.0, 0.3, 1.0, 10.0, 1e6, 1e300}) {
      const double value = warp.Inverse(label);
      ASSERT_TRUE(std::isfinite(value)) << "seed " << seed << " label " << label;
      ASSERT_GE(value, before) << "seed " << seed << " label " << label;
      before = value;
      ASSERT_GT(warp.InverseSlope(label), 0) << "seed " << seed << " label " << label;
      ASSERT_TRUE(std::isfinite(warp.InverseSlope(label))) << "seed " << seed << " label " << label;
    }
    for (const double value : specials) {
      ASSERT_TRUE(std::isnan(value) || std::isfinite(warp.Forward(value))) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace tuner::strategies::gp
