// Counting and enumerating the points of a space, against a list made naively.
#include <algorithm>
#include <limits>
#include <set>
#include <vector>

#include "core/search_space.h"
#include "gtest/gtest.h"
#include "tests/core/random_space.h"

namespace tuner::core {
namespace {

constexpr absl::uint128 kSaturated = std::numeric_limits<absl::uint128>::max();

TEST(PointsTest, RandomSpacesAreEnumeratedInOrder) {
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const std::vector<Parameter> parameters = RandomSpaces(seed).NextParameters(6);
    const SearchSpace space = SearchSpace::Make(parameters);
    const std::vector<ParameterMap> points = NaivePoints(parameters);
    ASSERT_EQ(*space.PointCount(false), points.size());
    ASSERT_EQ(*space.PointCount(true), points.size());
    for (size_t i = 0; i < points.size(); ++i) {
      ASSERT_EQ(space.PointAt(i, false), points[i]) << i << ": " << Text(points[i]);
      ASSERT_EQ(*space.IndexOf(points[i]), i);
    }
  }
}

// Parents before children is all that Make asks for: here children of two parents are mixed.
TEST(PointsTest, ChildrenNeedNotFollowTheirParents) {
  const std::vector<Parameter> parameters = {
      Named("a", BooleanDomain{}),
      Named("b", IntegerDomain{.min = 1, .max = 3}),
      Child(Named("b1", BooleanDomain{}), 1, {int64_t{1}, int64_t{3}}),
      Child(Named("a1", CategoricalDomain{{"x", "y", "z"}}), 0, {true}),
      Child(Named("b2", BooleanDomain{}), 1, {int64_t{3}}),
  };
  const SearchSpace space = SearchSpace::Make(parameters);
  const std::vector<ParameterMap> expected = NaivePoints(parameters);
  std::set<ParameterMap> seen;
  for (absl::uint128 i = 0; i < *space.PointCount(false); ++i) {
    seen.insert(space.PointAt(i, false));
    EXPECT_EQ(*space.IndexOf(space.PointAt(i, false)), i);
  }
  EXPECT_EQ(seen, std::set<ParameterMap>(expected.begin(), expected.end()));
  EXPECT_EQ(expected.size(), (1u + 3u) * (2u + 1u + 4u));
}

TEST(PointsTest, ContinuousSpacesHaveNoCount) {
  const SearchSpace space = SearchSpace::Make({Named("x", DoubleDomain{.min = 0, .max = 1})});
  EXPECT_EQ(space.ValueCount(0, true), std::nullopt);
  EXPECT_EQ(space.PointCount(true), std::nullopt);
  EXPECT_EQ(space.IndexOf({{"x", 0.5}}), std::nullopt);
}

TEST(PointsTest, GridPointsAreEquallyFarApartOnTheScale) {
  const auto values = [](DoubleDomain domain) {
    const SearchSpace space = SearchSpace::Make({Named("x", domain)});
    EXPECT_EQ(space.PointCount(false), std::nullopt);
    std::string text;
    for (absl::uint128 i = 0; i < *space.PointCount(true); ++i)
      text += FormatValue(space.PointAt(i, true).at("x")) + " ";
    return text;
  };
  EXPECT_EQ(values({.min = 0, .max = 1, .grid_points = 5}), "0 0.25 0.5 0.75 1 ");
  EXPECT_EQ(values({.min = -3, .max = 7, .grid_points = 11}), "-3 -2 -1 0 1 2 3 4 5 6 7 ");
  EXPECT_EQ(values({.min = 1e-5, .max = 1, .scale = Scale::kLog, .grid_points = 6}), "1e-05 1e-04 0.001 0.01 0.1 1 ");
  EXPECT_EQ(values({.min = 0, .max = 0.999, .scale = Scale::kReverseLog, .grid_points = 4}), "0 0.9 0.99 0.999 ");
  EXPECT_EQ(values({.min = 0, .max = 1, .grid_points = 1}), "0.5 ");
}

TEST(PointsTest, LargeCountsAreExactAndSaturate) {
  std::vector<Parameter> parameters;
  for (int i = 0; i < 8; ++i)
    parameters.push_back(Named(absl::StrCat("p", i), IntegerDomain{.min = 0, .max = 999'999}));
  EXPECT_EQ(*SearchSpace::Make({parameters.begin(), parameters.begin() + 6}).PointCount(false),
            absl::uint128(1'000'000'000'000'000'000) * absl::uint128(1'000'000'000'000'000'000));
  const SearchSpace space = SearchSpace::Make(parameters);
  EXPECT_EQ(*space.PointCount(false), kSaturated);
  EXPECT_EQ(space.IndexOf(space.PointAt(5, false)), std::nullopt);
  EXPECT_EQ(Text(space.PointAt(1'000'001, false)), "p0=0:1 p1=0:1 p2=0:1 p3=0:1 p4=0:1 p5=0:1 p6=1:1 p7=1:1 ");
  EXPECT_TRUE(space.Contains(space.PointAt(kSaturated - 1, false)));
}

// 2^128 - 1 itself is a count that cannot be told from a larger one; 2^127 can.
TEST(PointsTest, PowersOfTwo) {
  std::vector<Parameter> parameters;
  for (int i = 0; i < 100; ++i) parameters.push_back(Named(absl::StrCat("p", i), BooleanDomain{}));
  const SearchSpace space = SearchSpace::Make(parameters);
  EXPECT_EQ(*space.PointCount(false), absl::uint128(1) << 100);
  const absl::uint128 index = absl::MakeUint128(0x123456789, 0xabcdef0123456789);
  EXPECT_EQ(*space.IndexOf(space.PointAt(index, false)), index);
}

// Values of an integer parent that bring no children are not walked one by one.
TEST(PointsTest, HugeParentsWithFewBranches) {
  const int64_t bound = int64_t{1} << 53;
  const SearchSpace space = SearchSpace::Make({
      Named("n", IntegerDomain{.min = -bound, .max = bound}),
      Child(Named("c", CategoricalDomain{{"x", "y", "z"}}), 0, {int64_t{0}, -bound}),
  });
  const absl::uint128 values = (absl::uint128(1) << 54) + 1;
  EXPECT_EQ(*space.PointCount(false), values + 4);
  EXPECT_EQ(Text(space.PointAt(2, false)), "c=z:2 n=-9007199254740992:1 ");
  EXPECT_EQ(Text(space.PointAt(3, false)), "n=-9007199254740991:1 ");
  EXPECT_EQ(Text(space.PointAt(*space.PointCount(false) - 1, false)), "n=9007199254740992:1 ");
  for (absl::uint128 i : {absl::uint128(1), absl::uint128(bound) + 1, absl::uint128(bound) + 2,
                          absl::uint128(bound) + 3, absl::uint128(bound) + 4, absl::uint128(bound) + 5}) {
    EXPECT_EQ(*space.IndexOf(space.PointAt(i, false)), i);
  }
}

}  // namespace
}  // namespace tuner::core
