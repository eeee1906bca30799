// Values, unit coordinates and membership. Enumeration is in search_space_points_test.cc.
#include "core/search_space.h"

#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/random_space.h"

namespace tuner::core {
namespace {

using ::testing::HasSubstr;

SearchSpace One(Domain domain) { return SearchSpace::Make({Named("x", std::move(domain))}); }
double Real(const ParameterValue& value) { return std::get<double>(value); }
int64_t Whole(const ParameterValue& value) { return std::get<int64_t>(value); }

Scale ScaleOf(const SearchSpace& space) {
  const Domain& domain = space.parameters()[0].domain;
  if (const auto* real = std::get_if<DoubleDomain>(&domain)) return real->scale;
  if (const auto* integer = std::get_if<IntegerDomain>(&domain)) return integer->scale;
  return std::get<DiscreteDomain>(domain).scale;
}

TEST(FormatValueTest, ShortestTextThatReadsBack) {
  EXPECT_EQ(FormatValue(0.1), "0.1");
  EXPECT_EQ(FormatValue(0.1 + 0.2), "0.30000000000000004");
  EXPECT_EQ(FormatValue(4.0), "4");
  EXPECT_EQ(FormatValue(1e-7), "1e-07");
  EXPECT_EQ(FormatValue(-2.5), "-2.5");
  EXPECT_EQ(FormatValue(int64_t{-9007199254740992}), "-9007199254740992");
  EXPECT_EQ(FormatValue(true), "true");
  EXPECT_EQ(FormatValue(false), "false");
  EXPECT_EQ(FormatValue(std::string("a b")), "a b");
  Rng rng(3, 0);
  for (int i = 0; i < 10'000; ++i) {
    const double value = std::exp(200 * (rng.NextDouble() - 0.5));
    ASSERT_EQ(std::stod(FormatValue(value)), value);
  }
}

TEST(ScaleTest, Names) {
  EXPECT_EQ(ScaleName(Scale::kAuto), "AUTO");
  EXPECT_EQ(ScaleName(Scale::kLinear), "LINEAR");
  EXPECT_EQ(ScaleName(Scale::kLog), "LOG");
  EXPECT_EQ(ScaleName(Scale::kReverseLog), "REVERSE_LOG");
}

TEST(ScaleTest, AutoIsLogFromThreeDecadesOn) {
  EXPECT_EQ(ScaleOf(One(DoubleDomain{.min = 0.001, .max = 1})), Scale::kLog);
  EXPECT_EQ(ScaleOf(One(DoubleDomain{.min = 1e-5, .max = 1e-2})), Scale::kLog);  // 1e-2 / 1e-5 < 1000 in doubles
  EXPECT_EQ(ScaleOf(One(DoubleDomain{.min = 0.001, .max = 0.999})), Scale::kLinear);
  EXPECT_EQ(ScaleOf(One(DoubleDomain{.min = 0, .max = 1e6})), Scale::kLinear);
  EXPECT_EQ(ScaleOf(One(DoubleDomain{.min = -1, .max = 1e6})), Scale::kLinear);
  EXPECT_EQ(ScaleOf(One(DoubleDomain{.min = 1, .max = 1e6, .scale = Scale::kLinear})), Scale::kLinear);
  EXPECT_EQ(ScaleOf(One(IntegerDomain{.min = 1, .max = 1000})), Scale::kLog);
  EXPECT_EQ(ScaleOf(One(IntegerDomain{.min = 1, .max = 999})), Scale::kLinear);
  EXPECT_EQ(ScaleOf(One(DiscreteDomain{.values = {1000, 1}})), Scale::kLog);
  EXPECT_EQ(ScaleOf(One(DiscreteDomain{.values = {1000, 0}})), Scale::kLinear);
}

TEST(UnitTest, LinearByHand) {
  const SearchSpace space = One(DoubleDomain{.min = -1, .max = 3, .scale = Scale::kLinear});
  EXPECT_EQ(Real(space.FromUnit(0, 0)), -1);
  EXPECT_EQ(Real(space.FromUnit(0, 0.25)), 0);
  EXPECT_EQ(Real(space.FromUnit(0, 1)), 3);
  EXPECT_DOUBLE_EQ(space.ToUnit(0, 2.0), 0.75);
  EXPECT_EQ(Real(space.FromUnit(0, -5)), -1);
  EXPECT_EQ(Real(space.FromUnit(0, 7)), 3);
  EXPECT_EQ(Real(space.FromUnit(0, std::nan(""))), -1);
}

TEST(UnitTest, LogByHand) {
  const SearchSpace space = One(DoubleDomain{.min = 1e-4, .max = 1, .scale = Scale::kLog});
  EXPECT_EQ(Real(space.FromUnit(0, 0)), 1e-4);
  EXPECT_NEAR(Real(space.FromUnit(0, 0.25)), 1e-3, 1e-17);
  EXPECT_NEAR(Real(space.FromUnit(0, 0.5)), 1e-2, 1e-16);
  EXPECT_EQ(Real(space.FromUnit(0, 1)), 1);
  EXPECT_NEAR(space.ToUnit(0, 0.1), 0.75, 1e-15);
}

// t(v) = -ln(1 - v): 0.9, 0.99, 0.999 are equally far apart.
TEST(UnitTest, ReverseLogByHand) {
  const SearchSpace space = One(DoubleDomain{.min = 0, .max = 0.999, .scale = Scale::kReverseLog});
  EXPECT_EQ(Real(space.FromUnit(0, 0)), 0);
  EXPECT_NEAR(Real(space.FromUnit(0, 1.0 / 3)), 0.9, 1e-14);
  EXPECT_NEAR(Real(space.FromUnit(0, 2.0 / 3)), 0.99, 1e-14);
  EXPECT_EQ(Real(space.FromUnit(0, 1)), 0.999);
  EXPECT_NEAR(space.ToUnit(0, 0.99), 2.0 / 3, 1e-13);
}

TEST(UnitTest, IntegersOwnEqualCells) {
  const SearchSpace space = One(IntegerDomain{.min = 2, .max = 5});
  EXPECT_EQ(space.ToUnit(0, int64_t{2}), 0.125);
  EXPECT_EQ(space.ToUnit(0, int64_t{5}), 0.875);
  EXPECT_EQ(Whole(space.FromUnit(0, 0)), 2);
  EXPECT_EQ(Whole(space.FromUnit(0, 0.2499)), 2);
  EXPECT_EQ(Whole(space.FromUnit(0, 0.25)), 3);
  EXPECT_EQ(Whole(space.FromUnit(0, 1)), 5);
}

// Cells end at 1.5, 2.5, ... on the log axis; the first reaches from 1 / 1.5 to 1.5, the last from 3.5 to 16 / 3.5.
TEST(UnitTest, LogIntegersByHand) {
  const SearchSpace space = One(IntegerDomain{.min = 1, .max = 4, .scale = Scale::kLog});
  const double low = -std::log(1.5);
  const double width = std::log(16 / 3.5) - low;
  double edge = 0;
  for (int64_t v = 1; v <= 4; ++v) {
    EXPECT_NEAR(space.ToUnit(0, v), (std::log(static_cast<double>(v)) - low) / width, 1e-15);
    EXPECT_EQ(Whole(space.FromUnit(0, edge + 1e-9)), v);
    edge = v == 4 ? 1 : (std::log(static_cast<double>(v) + 0.5) - low) / width;
    EXPECT_EQ(Whole(space.FromUnit(0, edge - 1e-9)), v);
  }
}

TEST(UnitTest, StepsOnEveryScaleStayInRange) {
  for (const Scale scale : {Scale::kLinear, Scale::kLog, Scale::kReverseLog}) {
    // A step larger than min, and one that would pad beyond 1.
    const SearchSpace space = One(DoubleDomain{.min = 0.01, .max = 0.96, .scale = scale, .step = 0.19});
    ASSERT_EQ(*space.ValueCount(0, false), 6u);
    std::set<double> seen;
    for (int i = 0; i <= 10'000; ++i) seen.insert(Real(space.FromUnit(0, i / 10'000.0)));
    EXPECT_EQ(seen, (std::set<double>{0.01, 0.2, 0.39, 0.58, 0.77, 0.96}));
  }
}

TEST(UnitTest, StepsPrintAsWritten) {
  const SearchSpace space = One(DoubleDomain{.min = 0, .max = 1, .step = 0.1});
  std::string text;
  for (int i = 0; i < 11; ++i) text += FormatValue(space.ValueAt(0, i, false)) + " ";
  EXPECT_EQ(text, "0 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 1 ");
}

TEST(UnitTest, OneValueIsInTheMiddle) {
  for (const Domain& domain :
       std::vector<Domain>{DoubleDomain{.min = 3, .max = 3}, DoubleDomain{.min = 3, .max = 3, .scale = Scale::kLog},
                           IntegerDomain{.min = 3, .max = 3}, CategoricalDomain{{"a"}}, DiscreteDomain{{7}}}) {
    const SearchSpace space = One(domain);
    const ParameterValue value = space.ValueAt(0, 0, false);
    EXPECT_EQ(space.ToUnit(0, value), 0.5);
    EXPECT_EQ(space.FromUnit(0, 0.1), value);
    EXPECT_EQ(space.FromUnit(0, 1), value);
    EXPECT_EQ(*space.PointCount(false), 1u);
  }
}

TEST(UnitTest, EveryValueOfRandomDomainsComesBack) {
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomSpaces random(seed);
    const Domain domain = random.NextDomain(60);
    const SearchSpace space = One(domain);
    const std::vector<ParameterValue> values = NaiveValues(domain);
    ASSERT_EQ(*space.ValueCount(0, false), values.size());
    double last = -1;
    for (size_t i = 0; i < values.size(); ++i) {
      ASSERT_EQ(space.ValueAt(0, i, false), values[i]);
      const double u = space.ToUnit(0, values[i]);
      ASSERT_GT(u, last);
      ASSERT_LT(u, 1);
      ASSERT_EQ(space.FromUnit(0, u), values[i]) << FormatValue(values[i]);
      last = u;
    }
    for (int i = 0; i < 50; ++i) {
      const ParameterValue value = space.FromUnit(0, random.Uniform());
      ASSERT_EQ(*space.Canonical({{"x", value}}), (ParameterMap{{"x", value}}));
    }
  }
}

TEST(UnitTest, LargeIntegersComeBack) {
  const int64_t largest = int64_t{1} << 40;
  for (const Scale scale : {Scale::kLinear, Scale::kLog}) {
    const SearchSpace space = One(IntegerDomain{.min = 1, .max = largest, .scale = scale});
    Rng rng(9, 0);
    for (int i = 0; i < 10'000; ++i) {
      const int64_t value = 1 + static_cast<int64_t>(rng.NextBelow(static_cast<uint64_t>(largest)));
      ASSERT_EQ(Whole(space.FromUnit(0, space.ToUnit(0, value))), value);
    }
  }
  const int64_t bound = int64_t{1} << 53;
  const SearchSpace space = One(IntegerDomain{.min = -bound, .max = bound});
  EXPECT_EQ(Whole(space.FromUnit(0, 0)), -bound);
  EXPECT_EQ(Whole(space.FromUnit(0, 1)), bound);
  EXPECT_EQ(*space.ValueCount(0, false), (uint64_t{1} << 54) + 1);
}

TEST(UnitTest, ContinuousValuesComeBackButForRounding) {
  for (const Scale scale : {Scale::kLinear, Scale::kLog, Scale::kReverseLog}) {
    const SearchSpace space = One(DoubleDomain{.min = 1e-6, .max = 0.9999, .scale = scale});
    Rng rng(4, 0);
    for (int i = 0; i < 10'000; ++i) {
      const double u = rng.NextDouble();
      const ParameterValue value = space.FromUnit(0, u);
      ASSERT_TRUE(space.Contains({{"x", value}}));
      ASSERT_NEAR(space.ToUnit(0, value), u, 1e-11);
    }
  }
  const SearchSpace huge = One(DoubleDomain{.min = -1e300, .max = 1e300});
  EXPECT_EQ(Real(huge.FromUnit(0, 0.5)), 0);
  EXPECT_EQ(huge.ToUnit(0, 1e300), 1);
}

// Uniform coordinates give each value the share that its cell has.
TEST(UnitTest, DrawsAreUniform) {
  constexpr int kDraws = 60'000;
  const std::vector<Domain> domains = {IntegerDomain{.min = -3, .max = 3},
                                       IntegerDomain{.min = 10, .max = 90, .step = 20},
                                       DoubleDomain{.min = 0, .max = 1, .step = 0.125},
                                       CategoricalDomain{{"a", "b", "c"}},
                                       BooleanDomain{},
                                       DiscreteDomain{{1, 10, 100, 1000, 1e6}},
                                       DiscreteDomain{{16, 32, 64, 256}}};
  for (const Domain& domain : domains) {
    const SearchSpace space = One(domain);
    const uint64_t values = absl::Uint128Low64(*space.ValueCount(0, false));
    std::map<ParameterValue, int> counts;
    for (uint64_t i = 0; i < kDraws; ++i) ++counts[space.FromUnit(0, Rng(8, i).NextDouble())];
    ASSERT_EQ(counts.size(), values);
    const double expected = kDraws / static_cast<double>(values);
    double chi_square = 0;
    for (const auto& [value, count] : counts) chi_square += std::pow(count - expected, 2) / expected;
    const double degrees = static_cast<double>(values - 1);
    EXPECT_LT(chi_square, degrees + 4 * std::sqrt(2 * degrees)) << domain.index();
  }
}

TEST(CanonicalTest, GivesEachValueItsType) {
  const SearchSpace space = SearchSpace::Make(
      {Named("d", DoubleDomain{.min = 0, .max = 10}), Named("i", IntegerDomain{.min = 0, .max = 10}),
       Named("s", DoubleDomain{.min = 0, .max = 1, .step = 0.1}), Named("l", DiscreteDomain{{4, 2}})});
  const absl::StatusOr<ParameterMap> point =
      space.Canonical({{"d", int64_t{3}}, {"i", 4.0}, {"s", 0.1 + 0.2}, {"l", int64_t{2}}});
  ASSERT_TRUE(point.ok()) << point.status();
  EXPECT_EQ(*point, (ParameterMap{{"d", 3.0}, {"i", int64_t{4}}, {"s", 0.3}, {"l", 2.0}}));
  const absl::StatusOr<ParameterMap> zero = space.Canonical({{"d", -0.0}, {"i", -0.0}, {"s", -0.0}, {"l", 4.0}});
  ASSERT_TRUE(zero.ok()) << zero.status();
  EXPECT_FALSE(std::signbit(Real(zero->at("d"))));
}

TEST(CanonicalTest, NamesEveryBadValue) {
  const SearchSpace space =
      SearchSpace::Make({Named("eta", DoubleDomain{.min = 0.1, .max = 0.5}),
                         Named("depth", IntegerDomain{.min = 2, .max = 10, .step = 2}),
                         Named("booster", CategoricalDomain{{"tree", "dart"}}),
                         Child(Named("rate", DoubleDomain{.min = 0, .max = 1}), 2, {std::string("dart")}),
                         Named("flag", BooleanDomain{})});
  const absl::Status status =
      space.Canonical({{"eta", 0.6}, {"depth", 3.0}, {"booster", std::string("tree")}, {"rate", 0.5}, {"extra", 1.0}})
          .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "parameters.eta: 0.6 is outside of its domain; give a number from 0.1 to 0.5\n"
            "parameters.depth: 3 is outside of its domain; give a whole number from 2 to 10 in steps of 2\n"
            "parameters.rate: is not active under this value of booster; leave it out\n"
            "parameters.flag: is missing; give true or false\n"
            "parameters.extra: the search space has no parameter of this name; leave it out");
  // A child of a bad value is not blamed beside it.
  EXPECT_EQ(
      space.Canonical({{"eta", 0.2}, {"depth", 2.0}, {"booster", std::string("x")}, {"rate", 0.5}, {"flag", true}})
          .status()
          .message(),
      "parameters.booster: x is outside of its domain; give one of \"tree\", \"dart\"");
}

TEST(CanonicalTest, RefusesWhatIsNoValue) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<ParameterValue> numbers_only = {nan, infinity, -infinity, 1e300, std::string("1"), true};
  for (const Domain& domain :
       std::vector<Domain>{DoubleDomain{.min = 0, .max = 2}, DoubleDomain{.min = 0, .max = 2, .step = 1},
                           IntegerDomain{.min = 0, .max = 2}, DiscreteDomain{{0, 1, 2}}}) {
    for (const ParameterValue& value : numbers_only)
      EXPECT_FALSE(One(domain).Contains({{"x", value}})) << FormatValue(value);
    EXPECT_TRUE(One(domain).Contains({{"x", 1.0}}));
    EXPECT_TRUE(One(domain).Contains({{"x", int64_t{1}}}));
  }
  EXPECT_FALSE(One(IntegerDomain{.min = 0, .max = 2}).Contains({{"x", 0.5}}));
  EXPECT_FALSE(One(BooleanDomain{}).Contains({{"x", 1.0}}));
  EXPECT_FALSE(One(BooleanDomain{}).Contains({{"x", std::string("true")}}));
  EXPECT_FALSE(One(CategoricalDomain{{"1"}}).Contains({{"x", 1.0}}));
}

// Accepts what the list of all points has, and nothing else: points with values changed, dropped and added.
TEST(CanonicalTest, AcceptsExactlyTheListedPoints) {
  for (uint64_t seed = 0; seed < 500; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomSpaces random(seed);
    const std::vector<Parameter> parameters = random.NextParameters(5);
    const SearchSpace space = SearchSpace::Make(parameters);
    const std::vector<ParameterMap> points = NaivePoints(parameters);
    std::set<ParameterMap> listed(points.begin(), points.end());
    for (int i = 0; i < 40; ++i) {
      ParameterMap point = points[random.Below(points.size())];
      for (uint64_t change = random.Below(3); change > 0; --change) {
        const Parameter& parameter = parameters[random.Below(parameters.size())];
        const std::vector<ParameterValue> values = NaiveValues(parameter.domain);
        if (random.Below(3) == 0) {
          point.erase(parameter.name);
        } else {
          point[parameter.name] = random.Below(4) == 0 ? ParameterValue(0.7531) : values[random.Below(values.size())];
        }
      }
      const absl::StatusOr<ParameterMap> canonical = space.Canonical(point);
      ASSERT_EQ(canonical.ok(), listed.contains(point)) << Text(point) << canonical.status();
      if (canonical.ok()) {
        ASSERT_EQ(*canonical, point);
      }
    }
  }
}

TEST(ConditionalTest, ActiveWithItsAncestorsOnly) {
  const SearchSpace space = SearchSpace::Make({
      Named("kind", CategoricalDomain{{"a", "b"}}),
      Child(Named("size", IntegerDomain{.min = 1, .max = 9}), 0, {std::string("b")}),
      Child(Named("deep", BooleanDomain{}), 1, {2.0, int64_t{3}}),
  });
  EXPECT_TRUE(space.IsActive(0, {}));
  EXPECT_FALSE(space.IsActive(1, {}));
  EXPECT_FALSE(space.IsActive(1, {{"kind", std::string("a")}}));
  EXPECT_TRUE(space.IsActive(1, {{"kind", std::string("b")}}));
  EXPECT_FALSE(space.IsActive(2, {{"kind", std::string("a")}, {"size", int64_t{2}}}));
  EXPECT_TRUE(space.IsActive(2, {{"kind", std::string("b")}, {"size", int64_t{2}}}));
  EXPECT_TRUE(space.IsActive(2, {{"kind", std::string("b")}, {"size", 3.0}}));
  EXPECT_FALSE(space.IsActive(2, {{"kind", std::string("b")}, {"size", int64_t{4}}}));
  EXPECT_EQ(space.PointFromUnits({0.1, 0.9, 0.9}), (ParameterMap{{"kind", std::string("a")}}));
  EXPECT_EQ(Text(space.PointFromUnits({0.9, 0.2, 0.9})), "deep=true:3 kind=b:2 size=2:1 ");
  EXPECT_EQ(space.Find("deep"), 2);
  EXPECT_EQ(space.Find("nope"), std::nullopt);
}

}  // namespace
}  // namespace tuner::core
