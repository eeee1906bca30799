#include "strategies/feasible_sampler.h"

#include <atomic>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/core/random_space.h"

namespace tuner::strategies {
namespace {

using core::CategoricalDomain;
using core::Child;
using core::ConstraintSet;
using core::DoubleDomain;
using core::IntegerDomain;
using core::Named;
using core::ParameterMap;
using core::SearchSpace;

// A sampler with what it borrows.
struct Sampled {
  Sampled(std::vector<core::Parameter> parameters, const std::vector<std::string>& texts)
      : space(SearchSpace::Make(std::move(parameters))),
        constraints(Parse(space, texts)),
        sampler(space, constraints) {}

  static ConstraintSet Parse(const SearchSpace& space, const std::vector<std::string>& texts) {
    core::Problems problems;
    ConstraintSet set = ConstraintSet::Parse(texts, &space, {}, problems);
    for (const core::Problem& problem : problems) ADD_FAILURE() << problem.path << ": " << problem.text;
    return set;
  }

  std::vector<ParameterMap> Draw(int count, uint64_t seed = 1) const {
    std::vector<ParameterMap> points;
    for (int i = 0; i < count; ++i) {
      core::Rng rng(seed, static_cast<uint64_t>(i));
      const std::optional<std::vector<double>> units = sampler.DrawUnits(rng);
      if (!units.has_value()) break;
      EXPECT_TRUE(sampler.SatisfiedUnits(*units));
      points.push_back(space.PointFromUnits(*units));
      EXPECT_TRUE(sampler.Satisfied(points.back())) << core::Text(points.back());
    }
    return points;
  }

  const SearchSpace space;
  const ConstraintSet constraints;
  const FeasibleSampler sampler;
};

std::vector<core::Parameter> Reals(int count, double max = 1) {
  std::vector<core::Parameter> parameters;
  for (int i = 0; i < count; ++i) parameters.push_back(Named(absl::StrCat("x", i), DoubleDomain{.min = 0, .max = max}));
  return parameters;
}

std::string Sum(int count) {
  std::string sum = "x0";
  for (int i = 1; i < count; ++i) absl::StrAppend(&sum, " + x", i);
  return sum;
}

double Mean(const std::vector<ParameterMap>& points, const std::string& name) {
  double sum = 0;
  for (const ParameterMap& point : points) sum += std::get<double>(point.at(name));
  return sum / static_cast<double>(points.size());
}

TEST(FeasibleSamplerTest, WithoutConstraintsItIsThePlainDraw) {
  const Sampled plain(Reals(3), {});
  core::Rng rng(5, 6);
  core::Rng same(5, 6);
  const std::vector<double> units = *plain.sampler.DrawUnits(rng);
  for (const double u : units) EXPECT_EQ(u, same.NextDouble());
  EXPECT_EQ(rng.NextUint64(), same.NextUint64());
}

// Half of the cube, 1/800 of it, and 10^-8 of it: the mean of a triangle is at a third of its side.
TEST(FeasibleSamplerTest, UniformOverTriangles) {
  for (const double side : {1.0, 0.05, 0.0002}) {
    SCOPED_TRACE(side);
    const Sampled triangle(Reals(2), {absl::StrCat("x0 + x1 <= ", side)});
    const std::vector<ParameterMap> points = triangle.Draw(4000);
    ASSERT_EQ(points.size(), 4000u);
    EXPECT_NEAR(Mean(points, "x0"), side / 3, side * 0.02);  // five deviations
    EXPECT_NEAR(Mean(points, "x1"), side / 3, side * 0.02);
  }
}

TEST(FeasibleSamplerTest, ThinBand) {
  const Sampled band(Reals(2), {"x0 <= x1", "x1 <= x0 + 0.0001"});
  const std::vector<ParameterMap> points = band.Draw(1000);
  ASSERT_EQ(points.size(), 1000u);
  EXPECT_NEAR(Mean(points, "x0"), 0.5, 0.06);
}

// A corner of 20 dimensions that holds 4e-25 of the cube, and a slice of it.
TEST(FeasibleSamplerTest, SmallRegionsOfManyDimensions) {
  const Sampled corner(Reals(20), {Sum(20) + " <= 0.5"});
  EXPECT_EQ(corner.Draw(50).size(), 50u);
  const Sampled slice(Reals(6), {Sum(6) + " >= 0.999", Sum(6) + " <= 1.001"});
  const std::vector<ParameterMap> points = slice.Draw(300);
  ASSERT_EQ(points.size(), 300u);
  std::set<double> values;
  for (const ParameterMap& point : points) values.insert(std::get<double>(point.at("x0")));
  EXPECT_GT(values.size(), 290u);
  for (int i = 0; i < 6; ++i) EXPECT_NEAR(Mean(points, absl::StrCat("x", i)), 1.0 / 6, 0.08) << i;
}

// Equality of two continuous parameters, written so that it is not refused.
TEST(FeasibleSamplerTest, FindsALine) {
  const Sampled line(Reals(3), {"x0 - x1 <= 0", "x0 - x1 >= 0"});
  EXPECT_EQ(line.Draw(20).size(), 20u);
}

// XGBoost's gblinear knows no gamma: the one value that hardly any draw has is drawn.
TEST(FeasibleSamplerTest, DrawsValuesThatConstraintsPin) {
  const Sampled pinned({Named("booster", CategoricalDomain{{"gbtree", "gblinear"}}),
                        Named("gamma", DoubleDomain{.min = 0.5, .max = 3, .scale = core::Scale::kLog}),
                        Named("depth", DoubleDomain{.min = 0, .max = 1})},
                       {"booster != 'gblinear' or gamma = 1.5", "booster != 'gblinear' or depth <= 0"});
  std::map<std::string, int> boosters;
  for (const ParameterMap& point : pinned.Draw(400)) ++boosters[std::get<std::string>(point.at("booster"))];
  EXPECT_GT(boosters["gbtree"], 100);
  EXPECT_GT(Sampled({Named("booster", CategoricalDomain{{"gbtree", "gblinear"}}),
                     Named("gamma", DoubleDomain{.min = 0.5, .max = 3, .scale = core::Scale::kLog})},
                    {"booster != 'gblinear' or gamma = 1.5"})
                .Draw(400)
                .size(),
            399u);
  EXPECT_GT(boosters["gblinear"], 100);
}

TEST(FeasibleSamplerTest, FiniteSpacesAreNumbered) {
  const Sampled finite({Named("a", IntegerDomain{.min = 0, .max = 99}), Named("b", IntegerDomain{.min = 0, .max = 99})},
                       {"a + b <= 1"});
  EXPECT_EQ(finite.sampler.point_count(), 3);
  std::map<std::string, int> counts;
  for (const ParameterMap& point : finite.Draw(3000)) ++counts[core::Text(point)];
  EXPECT_EQ(counts.size(), 3u);
  for (const auto& [point, count] : counts) EXPECT_NEAR(count, 1000, 130) << point;  // five deviations
}

// 10^20 points, 11 of them feasible.
TEST(FeasibleSamplerTest, NeedlesInALargeFiniteSpace) {
  std::vector<core::Parameter> parameters;
  for (int i = 0; i < 10; ++i) parameters.push_back(Named(absl::StrCat("x", i), IntegerDomain{.min = 0, .max = 99}));
  const Sampled finite(std::move(parameters), {Sum(10) + " <= 1"});
  EXPECT_EQ(finite.sampler.point_count(), 11);
  EXPECT_EQ(finite.Draw(20).size(), 20u);
}

TEST(FeasibleSamplerTest, ConditionalBranches) {
  const Sampled branches({Named("kind", CategoricalDomain{{"plain", "rich"}}),
                          Child(Named("size", DoubleDomain{.min = 0, .max = 1}), 0, {std::string("rich")}),
                          Named("width", DoubleDomain{.min = 0, .max = 1})},
                         {"size + width <= 0.001", "kind != 'plain' or width < 0.001"});
  std::map<std::string, int> kinds;
  for (const ParameterMap& point : branches.Draw(400)) ++kinds[std::get<std::string>(point.at("kind"))];
  EXPECT_GT(kinds["plain"], 300);  // its region is 2,000 times larger
  EXPECT_EQ(kinds["plain"] + kinds["rich"], 400);
}

TEST(FeasibleSamplerTest, SaysWhyThereIsNone) {
  const Sampled impossible(Reals(2), {"x0 + x1 > 1.5", "x0 < 0.4"});
  EXPECT_TRUE(impossible.Draw(1).empty());
  EXPECT_EQ(impossible.sampler.ExhaustedReason(), "no point of the search space satisfies the constraints");
  // No box around the diagonal is ruled out.
  const Sampled torn(Reals(2), {"x0 <= x1", "x0 > x1"});
  EXPECT_TRUE(torn.Draw(1).empty());
  EXPECT_EQ(torn.sampler.ExhaustedReason(), "no point that satisfies the constraints was found in 16416 draws");
}

TEST(FeasibleSamplerTest, StopsWhenTold) {
  const Sampled torn(Reals(2), {"x0 <= x1", "x0 > x1"});
  const std::atomic<bool> stop = true;
  core::Rng rng(1, 1);
  EXPECT_FALSE(torn.sampler.DrawUnits(rng, &stop).has_value());
}

}  // namespace
}  // namespace tuner::strategies
