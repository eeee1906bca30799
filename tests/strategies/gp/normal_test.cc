#include "strategies/gp/normal.h"

#include <cmath>
#include <limits>
#include <vector>

#include "core/rng.h"
#include "gtest/gtest.h"

namespace tuner::strategies::gp {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Row {
  double z;
  double value;
  double slope;
};

void ExpectClose(double expected, double actual, const char* what, double z) {
  EXPECT_LE(std::abs(actual - expected), 1e-12 * std::max(1.0, std::abs(expected)))
      << what << " at z=" << z << ": " << actual << " instead of " << expected;
}

// Computed with 60 digits.
TEST(NormalTest, LogHAgreesWithSixtyDigits) {
  for (const Row& row : std::vector<Row>{
           {3, 1.0987396653277078, .33284096845179524},
           {0, -.91893853320467274, 1.2533141373155003},
           {-1, -2.4851210257126413, 1.9042712333296918},
           {-2.4999999, -6.2125413356011879623, 3.0984232113742939535},
           {-2.5, -6.2125416454435128635, 3.0984232967911619292},
           {-3, -7.8696860596030285, 3.5323375176251605},
           {-10, -55.553122036122356, 10.194383033412553},
           {-25, -319.86146358149595, 25.079620234266533},
           {-40, -808.29856835661996, 40.049906657648518},
           {-1e3, -500014.73445209116, 1000.001999994},
           {-1e6, -500000000028.54996, 1000000.000002},
       }) {
    const ValueAndSlope h = LogH(row.z);
    ExpectClose(row.value, h.value, "ln h", row.z);
    ExpectClose(row.slope, h.slope, "its slope", row.z);
  }
}

TEST(NormalTest, LogCdfAgreesWithSixtyDigits) {
  for (const Row& row : std::vector<Row>{{8, -6.2209605742717860585e-16, 5.0522710835368954309e-15},
                                         {3.5, -0.00023265614137680455218, 0.00087288575365473599702},
                                         {1, -0.17275377902344988953, 0.28759997093917836123},
                                         {0, -0.69314718055994530942, 0.79788456080286535588},
                                         {-1.0, -1.8410216450092635058, 1.5251352761609812091},
                                         {-2.4999999, -5.0816479950042157491, 2.8227447065612877561},
                                         {-2.5, -5.0816482772786904984, 2.8227447976639072505},
                                         {-3, -6.6077262215103495433, 3.2830986549304365069},
                                         {-10, -53.231285150512470578, 10.098093233962511963},
                                         {-38, -726.5572160188201301, 38.026279466575868988},
                                         {-1000.0, -500007.82669481218431, 1000.00099999800001}}) {
    const ValueAndSlope cdf = LogCdf(row.z);
    ExpectClose(row.value, cdf.value, "ln Phi", row.z);
    ExpectClose(row.slope, cdf.slope, "its slope", row.z);
  }
}

TEST(NormalTest, InverseCdfAgreesWithSixtyDigits) {
  for (const auto& [p, z] : std::vector<std::pair<double, double>>{{5e-324, -38.467405617144346251},
                                                                   {1e-300, -37.047096299361199237},
                                                                   {1e-16, -8.2220822161304356152},
                                                                   {0.0001, -3.7190164854556805523},
                                                                   {0.02425, -1.9729610513118848376},
                                                                   {0.3, -0.52440051270804081597},
                                                                   {0.5000000001, 2.5066284820303539022e-10},
                                                                   {0.8413447460685429, 0.99999999999999990574},
                                                                   {0.999, 3.0902323061678132778},
                                                                   {0.9999999999999999, 8.2095361516013868556}}) {
    ExpectClose(z, InverseCdf(p), "inverse", p);
  }
  EXPECT_EQ(InverseCdf(0), -kInfinity);
  EXPECT_EQ(InverseCdf(1), kInfinity);
  EXPECT_EQ(InverseCdf(0.5), 0);
}

TEST(NormalTest, InverseCdfUndoesTheCdf) {
  core::Rng rng(1, 0);
  for (int i = 0; i < 1000; ++i) {
    const double z = -30 + 35 * rng.NextDouble();
    const double p = std::exp(LogCdf(z).value);
    // What p loses by rounding near 1 comes back magnified by 1 / density.
    const double tolerance = 1e-12 * std::max(1.0, std::abs(z)) + 1e-15 * p / std::exp(-0.5 * z * z);
    EXPECT_NEAR(InverseCdf(p), z, tolerance) << z;
  }
}

// Spec: asymptotes of ln h are -z^2/2 - ln(2 pi)/2 - 2 ln|z| and of its slope |z| + 2/|z|.
TEST(NormalTest, HoldsUpToTheLargestArguments) {
  for (const double x : {1e4, 1e8, 1e20, 1e76, 1e150}) {
    const ValueAndSlope h = LogH(-x);
    EXPECT_NEAR(h.value / (-0.5 * x * x - 0.91893853320467274 - 2 * std::log(x)), 1, 1e-15) << x;
    EXPECT_NEAR(h.slope / (x + 2 / x), 1, 1e-14) << x;
    EXPECT_EQ(LogH(x).value, std::log(x));
    EXPECT_EQ(LogH(x).slope, 1 / x);
    EXPECT_NEAR(LogCdf(-x).value / (-0.5 * x * x), 1, 1e-6) << x;
    EXPECT_NEAR(LogCdf(-x).slope / x, 1, 1e-7) << x;
    EXPECT_EQ(LogCdf(x).value, 0);
    EXPECT_EQ(LogCdf(x).slope, 0);
  }
  EXPECT_EQ(LogH(-kInfinity).value, -kInfinity);
  EXPECT_EQ(LogH(kInfinity).value, kInfinity);
  EXPECT_EQ(LogCdf(-kInfinity).value, -kInfinity);
}

TEST(NormalTest, SlopesAgreeWithDifferences) {
  for (double z = -60; z < 8; z += 0.37) {
    const double step = 1e-5 * std::max(1.0, std::abs(z));
    for (const auto function : {&LogH, &LogCdf}) {
      const double difference = (function(z + step).value - function(z - step).value) / (2 * step);
      EXPECT_NEAR(function(z).slope, difference, 1e-6 * std::max(1e-6, std::abs(difference)) + 1e-9) << z;
    }
  }
}

TEST(NormalTest, LogHRisesEverywhere) {
  double before = -kInfinity;
  for (double z = -40; z < 40; z += 0.001) {
    const double value = LogH(z).value;
    ASSERT_GT(value, before) << z;
    before = value;
  }
}

}  // namespace
}  // namespace tuner::strategies::gp
