#include "strategies/gp/input_warp.h"

#include <cmath>

#include "gtest/gtest.h"

namespace tuner::strategies::gp {
namespace {

// Spec, section 6.
TEST(InputWarpTest, ReferenceValues) {
  EXPECT_NEAR(WarpInput(0.1, 2, 0.5).value, 0.005012562893380035, 1e-15);
  EXPECT_NEAR(WarpInput(0.5, 2, 0.5).value, 0.1339745962155614, 1e-15);
  EXPECT_NEAR(WarpInput(0.9, 2, 0.5).value, 0.5641101056459328, 1e-15);
}

TEST(InputWarpTest, IsTheIdentityForOnes) {
  for (double u = 0.01; u < 1; u += 0.01) EXPECT_NEAR(WarpInput(u, 1, 1).value, u, 1e-15);
}

TEST(InputWarpTest, DerivativesAgreeWithDifferences) {
  constexpr double kStep = 1e-6;
  for (const double a : {0.25, 0.7, 1.0, 2.3, 4.0}) {
    for (const double b : {0.25, 0.7, 1.0, 2.3, 4.0}) {
      for (const double u : {0.01, 0.2, 0.5, 0.8, 0.99}) {
        const WarpedInput warped = WarpInput(u, a, b);
        const auto expect = [&](double derivative, double up, double down) {
          EXPECT_NEAR(derivative, (up - down) / (2 * kStep), 1e-6 * std::max(1.0, std::abs(derivative)))
              << "u=" << u << " a=" << a << " b=" << b;
        };
        expect(warped.by_input, WarpInput(u + kStep, a, b).value, WarpInput(u - kStep, a, b).value);
        expect(warped.by_log_a, WarpInput(u, a * std::exp(kStep), b).value,
               WarpInput(u, a * std::exp(-kStep), b).value);
        expect(warped.by_log_b, WarpInput(u, a, b * std::exp(kStep)).value,
               WarpInput(u, a, b * std::exp(-kStep)).value);
      }
    }
  }
}

TEST(InputWarpTest, IsFiniteAndRisesAtTheEnds) {
  for (const double a : {0.25, 4.0}) {
    for (const double b : {0.25, 4.0}) {
      double before = -1;
      for (const double u : {0.0, 1e-8, 1e-3, 0.5, 0.999, 1 - 1e-8, 1.0}) {
        const WarpedInput warped = WarpInput(u, a, b);
        EXPECT_GE(warped.value, before);
        EXPECT_TRUE(warped.value >= 0 && warped.value <= 1);
        EXPECT_TRUE(std::isfinite(warped.by_input) && std::isfinite(warped.by_log_a) && std::isfinite(warped.by_log_b));
        before = warped.value;
      }
      EXPECT_EQ(WarpInput(-3, a, b).value, WarpInput(0, a, b).value);
      EXPECT_EQ(WarpInput(3, a, b).value, WarpInput(1, a, b).value);
    }
  }
}

}  // namespace
}  // namespace tuner::strategies::gp
