#include "core/feasible_points.h"

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "tests/core/random_constraints.h"

namespace tuner::core {
namespace {

constexpr absl::uint128 kAll = std::numeric_limits<absl::uint128>::max();
constexpr int64_t kMuch = int64_t{1} << 40;

ConstraintSet Parse(const SearchSpace& space, const std::vector<std::string>& texts) {
  Problems problems;
  ConstraintSet set = ConstraintSet::Parse(texts, &space, {}, problems);
  for (const Problem& problem : problems) ADD_FAILURE() << problem.path << ": " << problem.text;
  return set;
}

SearchSpace Digits(int count) {
  std::vector<Parameter> parameters;
  for (int i = 0; i < count; ++i) parameters.push_back(Named(absl::StrCat("d", i), IntegerDomain{.min = 0, .max = 9}));
  return SearchSpace::Make(std::move(parameters));
}

std::string SumOfDigits(int count) {
  std::string sum = "d0";
  for (int i = 1; i < count; ++i) absl::StrAppend(&sum, " + d", i);
  return sum;
}

// In one go and in small portions, with small effort, and asked for in any order.
TEST(FeasiblePointsTest, AreTheNaiveList) {
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomSpaces random(seed);
    const SearchSpace space = SearchSpace::Make(random.NextParameters(5));
    const std::vector<ParameterMap> all = NaivePoints(space.parameters());
    std::vector<RandomConstraint> naive;
    std::vector<std::string> texts;
    for (uint64_t i = random.Below(4); i > 0; --i) {
      naive.push_back(RandomConstraint::Make(random, space, all[random.Below(all.size())]));
      texts.push_back(naive.back().text());
    }
    const ConstraintSet constraints = Parse(space, texts);
    std::vector<ParameterMap> feasible;
    for (const ParameterMap& point : all) {
      const bool holds =
          std::all_of(naive.begin(), naive.end(), [&](const RandomConstraint& c) { return c.Holds(point); });
      ASSERT_EQ(constraints.Satisfied(point), holds) << Text(point) << absl::StrJoin(texts, "; ");
      if (holds) feasible.push_back(point);
    }
    FeasiblePoints whole(space, constraints, /*for_grid=*/false);
    whole.Extend(kAll, kMuch);
    ASSERT_TRUE(whole.complete());
    ASSERT_EQ(whole.known(), feasible.size());
    FeasiblePoints steps(space, constraints, /*for_grid=*/true);
    for (int portion = 0; !steps.complete() && portion < 10'000; ++portion) {
      steps.Extend(steps.known() + 1 + random.Below(3), 1 + static_cast<int64_t>(random.Below(40)));
    }
    ASSERT_TRUE(steps.complete());
    ASSERT_EQ(steps.known(), feasible.size());
    for (size_t i = feasible.size(); i-- > 0;) {
      ASSERT_EQ(whole.At(i), feasible[i]);
      ASSERT_EQ(steps.At(i), feasible[i]);
    }
  }
}

TEST(FeasiblePointsTest, ABillionPointsAreCountedWithoutALookAtEach) {
  const SearchSpace space = Digits(9);
  const ConstraintSet few = Parse(space, {SumOfDigits(9) + " <= 3"});
  FeasiblePoints points(space, few, true);
  points.Extend(kAll, 20'000);
  EXPECT_TRUE(points.complete());
  EXPECT_EQ(points.known(), 220);  // 12 over 3
  const ConstraintSet most = Parse(space, {"d0 + d1 <= 17"});
  FeasiblePoints nearly_all(space, most, true);
  nearly_all.Extend(kAll, 1000);
  EXPECT_TRUE(nearly_all.complete());
  EXPECT_EQ(nearly_all.known(), 990'000'000);
  EXPECT_EQ(nearly_all.IndexAt(989'999'999), 989'999'999);  // 98 and seven nines; 99... is left out
}

TEST(FeasiblePointsTest, EffortEndsTheSearchAndIsNotLost) {
  const SearchSpace space = Digits(9);
  const ConstraintSet even = Parse(space, {"not (" + SumOfDigits(9) + " != 81)"});
  FeasiblePoints points(space, even, true);
  int portions = 0;
  for (; !points.complete() && portions < 1000; ++portions) points.Extend(kAll, 10);
  EXPECT_GT(portions, 1);
  EXPECT_EQ(points.known(), 1);
  EXPECT_EQ(points.IndexAt(0), 999'999'999);
}

// 50,000 runs of one point: only some are kept, and all are found.
TEST(FeasiblePointsTest, ManyRuns) {
  const SearchSpace space = Digits(5);
  const ConstraintSet constraints =
      Parse(space, {"d4 = 0 or d4 = 2 or d4 = 4 or d4 = 6 or d4 = 8", "not (d0 = 3 and d3 = 4)"});
  FeasiblePoints points(space, constraints, true);
  points.Extend(kAll, kMuch);
  ASSERT_TRUE(points.complete());
  ASSERT_EQ(points.known(), 49'500);
  uint64_t rank = 0;
  for (uint64_t i = 0; i < 100'000; i += 2) {
    if (i / 10'000 == 3 && i / 10 % 10 == 4) continue;
    if (rank % 97 == 0 || rank > 49'000) {
      ASSERT_EQ(points.IndexAt(rank), i) << rank;
    }
    ++rank;
  }
}

TEST(FeasiblePointsTest, ContinuousSpacesAndTheLargestCannotBeNumbered) {
  EXPECT_FALSE(FeasiblePoints::CanNumber(SearchSpace::Make({Named("x", DoubleDomain{.min = 0, .max = 1})}), false));
  EXPECT_TRUE(FeasiblePoints::CanNumber(
      SearchSpace::Make({Named("x", DoubleDomain{.min = 0, .max = 1, .grid_points = 4})}), true));
  EXPECT_FALSE(FeasiblePoints::CanNumber(Digits(60), false));
  EXPECT_TRUE(FeasiblePoints::CanNumber(Digits(30), false));
}

}  // namespace
}  // namespace tuner::core
