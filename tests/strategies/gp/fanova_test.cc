#include "strategies/gp/fanova.h"

#include <atomic>
#include <cmath>
#include <numbers>
#include <numeric>
#include <string>
#include <variant>
#include <vector>

#include "core/search_space.h"
#include "gtest/gtest.h"

namespace tuner::strategies::gp {
namespace {

using Values = std::vector<double>;

AnovaIndices Indices(int dimensions, const std::function<double(absl::Span<const double>)>& f,
                     AnovaOptions options = {}) {
  const auto d = static_cast<size_t>(dimensions);
  return FunctionalAnova(
      dimensions,
      [&](absl::Span<const double> units, absl::Span<double> values) {
        ASSERT_EQ(units.size(), values.size() * d);
        for (size_t i = 0; i < values.size(); ++i) values[i] = f(units.subspan(i * d, d));
      },
      options);
}

void ExpectNear(const Values& values, const Values& expected, double tolerance) {
  ASSERT_EQ(values.size(), expected.size());
  for (size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], expected[i], tolerance) << i;
}

// Ishigami and Homma 1990 with a = 7, b = 0.1; indices in closed form, as in Saltelli et al. 2008, section 4.5.
double Ishigami(absl::Span<const double> u) {
  const auto x = [&](size_t i) { return (2 * u[i] - 1) * std::numbers::pi; };
  return std::sin(x(0)) + 7 * std::pow(std::sin(x(1)), 2) + 0.1 * std::pow(x(2), 4) * std::sin(x(0));
}

TEST(FanovaTest, IshigamiHasItsKnownIndices) {
  const double pi4 = std::pow(std::numbers::pi, 4);
  const double v1 = 0.5 * std::pow(1 + 0.1 * pi4 / 5, 2);
  const double v2 = 49.0 / 8;
  const double v13 = 0.01 * pi4 * pi4 * (1.0 / 18 - 1.0 / 50);
  const double v = v1 + v2 + v13;
  for (const uint64_t seed : {0, 1, 2}) {
    SCOPED_TRACE(seed);
    const AnovaIndices indices = Indices(3, Ishigami, {.samples = 4096, .seed = seed});
    EXPECT_NEAR(indices.variance, v, 0.02 * v);
    ExpectNear(indices.main, {v1 / v, v2 / v, 0}, 0.02);
    ExpectNear(indices.total, {(v1 + v13) / v, v2 / v, v13 / v}, 0.02);
    // Only pairs interact, so the shares are Shapley effects.
    ExpectNear(indices.shares, {(v1 + v13 / 2) / v, v2 / v, v13 / 2 / v}, 0.02);
    EXPECT_NEAR(std::accumulate(indices.shares.begin(), indices.shares.end(), 0.0), 1, 1e-12);
  }
}

// Sobol's g function, product of (|4u - 2| + a) / (1 + a): V_i = 1 / (3 (1 + a)^2), V = prod(1 + V_i) - 1.
TEST(FanovaTest, TheGFunctionHasItsKnownIndices) {
  const Values a = {0, 1, 4.5, 9, 99, 99};
  Values main, total;
  double v = 1;
  for (const double ai : a) v *= 1 + 1 / (3 * (1 + ai) * (1 + ai));
  for (const double ai : a) {
    const double vi = 1 / (3 * (1 + ai) * (1 + ai));
    main.push_back(vi / (v - 1));
    total.push_back(vi * v / (1 + vi) / (v - 1));
  }
  const AnovaIndices indices = Indices(6,
                                       [&](absl::Span<const double> u) {
                                         double product = 1;
                                         for (size_t i = 0; i < a.size(); ++i)
                                           product *= (std::abs(4 * u[i] - 2) + a[i]) / (1 + a[i]);
                                         return product;
                                       },
                                       {.samples = 4096, .seed = 5});
  ExpectNear(indices.main, main, 0.02);
  ExpectNear(indices.total, total, 0.02);
}

TEST(FanovaTest, ALinearFunctionHasNoInteractions) {
  const AnovaIndices indices = Indices(4, [](absl::Span<const double> u) { return 5 + 1 * u[0] - 2 * u[1] + 3 * u[3]; },
                                       {.samples = 1024, .seed = 1});
  ExpectNear(indices.main, {1.0 / 14, 4.0 / 14, 0, 9.0 / 14}, 0.01);
  ExpectNear(indices.total, indices.main, 0.01);
  EXPECT_EQ(indices.total[2], 0) << "it does not look at this coordinate";
}

TEST(FanovaTest, UnitsOfTheValuesDoNotMatter) {
  const AnovaIndices reference = Indices(3, Ishigami);
  for (const double scale : {1e-300, 1e-9, 1e9, 1e150, 1e300}) {
    SCOPED_TRACE(scale);
    const AnovaIndices scaled = Indices(3, [&](absl::Span<const double> u) { return scale * Ishigami(u); });
    ExpectNear(scaled.shares, reference.shares, 1e-9);
  }
  const AnovaIndices shifted = Indices(3, [&](absl::Span<const double> u) { return 1e6 - Ishigami(u); });
  ExpectNear(shifted.shares, reference.shares, 1e-6);
}

TEST(FanovaTest, AConstantHasNoVariance) {
  for (const double value : {0.0, 1.0, -1e300, 1e-300}) {
    const AnovaIndices indices = Indices(2, [&](absl::Span<const double>) { return value; });
    EXPECT_EQ(indices.variance, 0) << value;
    EXPECT_EQ(indices.shares, Values(2)) << value;
  }
}

TEST(FanovaTest, IsAPureFunctionOfItsArguments) {
  EXPECT_EQ(Indices(3, Ishigami, {.seed = 9}).main, Indices(3, Ishigami, {.seed = 9}).main);
  EXPECT_NE(Indices(3, Ishigami, {.seed = 9}).main, Indices(3, Ishigami, {.seed = 10}).main);
}

TEST(FanovaTest, StopsWhenAsked) {
  std::atomic<bool> stop = false;
  int calls = 0;
  const AnovaIndices indices = FunctionalAnova(2,
                                               [&](absl::Span<const double>, absl::Span<double> values) {
                                                 std::fill(values.begin(), values.end(), ++calls);
                                                 stop = calls == 3;
                                               },
                                               {.samples = 1 << 16, .stop = &stop});
  EXPECT_TRUE(indices.stopped);
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(indices.shares, Values(2));
}

core::Parameter Named(std::string name, core::Domain domain) {
  core::Parameter parameter;
  parameter.name = std::move(name);
  parameter.domain = std::move(domain);
  return parameter;
}

// A network whose dropout exists in the deep kind only: loss = dropout there, 0 elsewhere. With B of Bernoulli(1/2) and
// L uniform: V = 5/48, of B alone 3/48, of L alone 1/48, of both together 1/48.
TEST(FanovaTest, AnInactiveParameterContributesNothing) {
  core::Parameter dropout = Named("dropout", core::DoubleDomain{.min = 0, .max = 1, .scale = core::Scale::kLinear});
  dropout.parent = 0;
  dropout.parent_values = {true};
  core::Parameter never = Named("width", core::IntegerDomain{.min = 1, .max = 9});
  const core::SearchSpace space = core::SearchSpace::Make({Named("deep", core::BooleanDomain{}), dropout, never});
  const AnovaIndices indices = Indices(3,
                                       [&](absl::Span<const double> units) {
                                         const core::ParameterMap point =
                                             space.PointFromUnits(Values(units.begin(), units.end()));
                                         const auto found = point.find("dropout");
                                         EXPECT_EQ(found != point.end(), std::get<bool>(point.at("deep")));
                                         return found == point.end() ? 0 : std::get<double>(found->second);
                                       },
                                       {.samples = 4096, .seed = 3});
  ExpectNear(indices.shares, {3.5 / 5, 1.5 / 5, 0}, 0.02);
  EXPECT_EQ(indices.total[2], 0);
}

TEST(FanovaTest, ManyDimensionsStayWithinTheBudget) {
  EXPECT_EQ(AnovaSamples(1), 4096);
  EXPECT_EQ(AnovaSamples(1000), 128);
  size_t evaluations = 0;
  const AnovaIndices indices = Indices(100,
                                       [&](absl::Span<const double> u) {
                                         ++evaluations;
                                         return u[7] + 2 * u[70];
                                       },
                                       {.samples = AnovaSamples(100), .seed = 1});
  EXPECT_LE(evaluations, 40'000u);
  EXPECT_NEAR(indices.shares[7], 0.2, 0.03);
  EXPECT_NEAR(indices.shares[70], 0.8, 0.03);
  EXPECT_EQ(indices.shares[8], 0);
}

// Hutter's marginals alone would say that neither matters.
TEST(FanovaTest, APureInteractionIsShared) {
  const AnovaIndices indices =
      Indices(3, [](absl::Span<const double> u) { return (u[0] - 0.5) * (u[1] - 0.5); }, {.samples = 4096, .seed = 2});
  ExpectNear(indices.main, {0, 0, 0}, 0.02);
  ExpectNear(indices.shares, {0.5, 0.5, 0}, 0.02);
}

}  // namespace
}  // namespace tuner::strategies::gp
