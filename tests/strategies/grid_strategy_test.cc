#include "strategies/grid_strategy.h"

#include <algorithm>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/strategies/strategy_jobs.h"
#include "tuner/v1/strategies.pb.h"

namespace tuner::strategies {
namespace {

using core::BooleanDomain;
using core::CategoricalDomain;
using core::Child;
using core::DiscreteDomain;
using core::DoubleDomain;
using core::IntegerDomain;
using core::Named;
using core::ParameterMap;
using core::Text;

core::JobSpec Grid(std::vector<core::Parameter> parameters, std::optional<int32_t> max_trials = std::nullopt,
                   bool allow_partial = false) {
  core::JobSpec spec = SpecOf("grid", std::move(parameters));
  v1::GridStrategy options;
  options.set_allow_partial(allow_partial);
  spec.strategy.bytes = options.SerializeAsString();
  spec.limits.max_trials = max_trials;
  return spec;
}

std::string ProblemsOf(const core::JobSpec& spec) {
  std::string text;
  for (const core::Problem& problem : FindStrategyKind("grid")->validate(spec))
    text += absl::StrCat(problem.path, ": ", problem.text, "\n");
  return text;
}

std::vector<core::Parameter> Digits(int count) {
  std::vector<core::Parameter> parameters;
  for (int i = 0; i < count; ++i) parameters.push_back(Named(absl::StrCat("d", i), IntegerDomain{.min = 0, .max = 9}));
  return parameters;
}

TEST(GridStrategyTest, LastParameterChangesFastest) {
  const core::JobSpec spec = Grid(
      {Named("a", CategoricalDomain{{"y", "x"}}), Named("b", DiscreteDomain{{2, 1}}), Named("c", BooleanDomain{})});
  const Proposals proposals = Ask(*MakeStrategy(spec), 0, 10);
  std::string text;
  for (const ParameterMap& point : Points(proposals)) {
    for (const char* name : {"a", "b", "c"}) text += core::FormatValue(point.at(name)) + " ";
  }
  EXPECT_EQ(text, "y 1 false y 1 true y 2 false y 2 true x 1 false x 1 true x 2 false x 2 true ");
  EXPECT_TRUE(proposals.exhausted);
  EXPECT_EQ(proposals.exhausted_reason, "all 8 combinations of the grid have been proposed");
  EXPECT_EQ(FindStrategyKind("grid")->trial_count(spec), 8);
}

TEST(GridStrategyTest, RandomGridsAreTheNaiveList) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const core::JobSpec spec = Grid(core::RandomSpaces(seed).NextParameters(5));
    const std::vector<ParameterMap> expected = core::NaivePoints(spec.space.parameters());
    const auto strategy = MakeStrategy(spec);
    ASSERT_EQ(FindStrategyKind("grid")->trial_count(spec), static_cast<int64_t>(expected.size()));
    for (size_t i = 0; i < expected.size(); ++i)
      ASSERT_EQ(Points(Ask(*strategy, static_cast<int64_t>(i))).at(0), expected[i]);
  }
}

TEST(GridStrategyTest, PointsOfUsersShiftNothing) {
  const core::JobSpec spec = Grid(Digits(2));
  const auto strategy = MakeStrategy(spec);
  strategy->Observe(FinishedTrial(1, {{"d0", int64_t{0}}, {"d1", int64_t{5}}}));
  const std::vector<PendingTrial> pending = {{.number = 2, .parameters = {{"d0", int64_t{0}}, {"d1", int64_t{6}}}}};
  EXPECT_EQ(Text(Points(Ask(*strategy, 5, 1, pending)).at(0)), "d0=0:1 d1=5:1 ");
  EXPECT_EQ(Text(Points(Ask(*strategy, 6, 1, pending)).at(0)), "d0=0:1 d1=6:1 ");
}

// 10^9 combinations: any of them at once, and nothing kept. A list of them would not fit into this process.
TEST(GridStrategyTest, BillionCombinationsCostNoMemory) {
  const core::JobSpec spec = Grid(Digits(9), 1'000'000, true);
  EXPECT_EQ(ProblemsOf(spec), "");
  EXPECT_EQ(FindStrategyKind("grid")->trial_count(spec), 1'000'000'000);
  const auto strategy = MakeStrategy(spec);
  std::string text;
  const ParameterMap point = Points(Ask(*strategy, 987'654'321)).at(0);
  for (const auto& [name, value] : point) text += core::FormatValue(value);
  EXPECT_EQ(text, "987654321");
  EXPECT_FALSE(Ask(*strategy, 999'999'998).exhausted);
  EXPECT_TRUE(Ask(*strategy, 999'999'999).exhausted);
  EXPECT_EQ(Points(Ask(*strategy, 999'999'999, 5)).size(), 1u);
  EXPECT_TRUE(Points(Ask(*strategy, 1'000'000'000)).empty());
}

TEST(GridStrategyTest, CountNeverOverflows) {
  const core::JobSpec exact = Grid(Digits(20));  // 10^20 is above 2^64
  EXPECT_EQ(ProblemsOf(exact),
            "strategy.grid: has about 1e+20 combinations, more than the 1000000 trials of a job; take fewer values, or "
            "set allow_partial and "
            "limits.max_trials\n");
  EXPECT_EQ(FindStrategyKind("grid")->trial_count(exact), int64_t{1} << 53);
  const core::JobSpec saturated = Grid(Digits(60), 5);
  EXPECT_EQ(ProblemsOf(saturated),
            "limits.max_trials: is 5, but the grid has more than 10^38 combinations; leave max_trials out, or set "
            "strategy.grid.allow_partial\n");
  EXPECT_EQ(FindStrategyKind("grid")->trial_count(saturated), int64_t{1} << 53);
}

TEST(GridStrategyTest, MaxTrialsMustBeTheNumberOfCombinations) {
  EXPECT_EQ(ProblemsOf(Grid(Digits(2))), "");
  EXPECT_EQ(ProblemsOf(Grid(Digits(2), 100)), "");
  for (const int32_t max_trials : {1, 99, 101}) {
    EXPECT_EQ(ProblemsOf(Grid(Digits(2), max_trials)),
              absl::StrCat(
                  "limits.max_trials: is ", max_trials,
                  ", but the grid has 100 combinations; leave max_trials out, or set strategy.grid.allow_partial\n"));
    EXPECT_EQ(ProblemsOf(Grid(Digits(2), max_trials, true)), "");
  }
  EXPECT_EQ(ProblemsOf(Grid(Digits(6))), "");
  EXPECT_NE(ProblemsOf(Grid(Digits(7))), "");
  EXPECT_NE(ProblemsOf(Grid(Digits(7), std::nullopt, true)), "");
  EXPECT_EQ(ProblemsOf(Grid(Digits(7), 1000, true)), "");
}

TEST(GridStrategyTest, EveryContinuousParameterIsNamed) {
  std::vector<core::Parameter> parameters = {
      Named("a", DoubleDomain{.min = 0, .max = 1}), Named("b", DoubleDomain{.min = 0, .max = 1, .step = 0.5}),
      Named("c", DoubleDomain{.min = 0, .max = 1, .grid_points = 4}), Named("d", DoubleDomain{.min = 0, .max = 1})};
  EXPECT_EQ(ProblemsOf(Grid(parameters)),
            "parameters.a.double.grid_points: is missing: the grid strategy cannot count the values of \"a\"; give "
            "grid_points or step\n"
            "parameters.d.double.grid_points: is missing: the grid strategy cannot count the values of \"d\"; give "
            "grid_points or step\n");
  EXPECT_EQ(FindStrategyKind("grid")->trial_count(Grid(parameters)), 0);
  EXPECT_EQ(FindStrategyKind("grid")->make(Grid(parameters)).status().code(), absl::StatusCode::kInvalidArgument);
  parameters = {parameters[1], parameters[2]};
  EXPECT_EQ(FindStrategyKind("grid")->trial_count(Grid(parameters)), 12);
}

// The cells of a conditional space differ in size: 1 + 3 * 2 combinations, not 2 * 3 * 2.
TEST(GridStrategyTest, ConditionsAreNotMultipliedOut) {
  const core::JobSpec spec = Grid({Named("kind", CategoricalDomain{{"plain", "rich"}}),
                                   Child(Named("size", IntegerDomain{.min = 1, .max = 3}), 0, {std::string("rich")}),
                                   Child(Named("fine", BooleanDomain{}), 0, {std::string("rich")})});
  EXPECT_EQ(FindStrategyKind("grid")->trial_count(spec), 7);
  EXPECT_EQ(Text(Points(Ask(*MakeStrategy(spec), 0)).at(0)), "kind=plain:2 ");
  EXPECT_EQ(Text(Points(Ask(*MakeStrategy(spec), 6)).at(0)), "fine=true:3 kind=rich:2 size=3:1 ");
}

core::JobSpec Constrained(core::JobSpec spec, const std::vector<std::string>& texts) {
  core::Problems problems;
  spec.constraints = core::ConstraintSet::Parse(texts, &spec.space, {}, problems);
  for (const core::Problem& problem : problems) ADD_FAILURE() << problem.path << ": " << problem.text;
  return spec;
}

TEST(GridStrategyTest, CombinationsThatBreakAConstraintAreLeftOut) {
  const core::JobSpec spec = Constrained(Grid(Digits(2)), {"d0 + d1 = 2", "d0 != 1"});
  EXPECT_EQ(ProblemsOf(spec), "");
  EXPECT_EQ(FindStrategyKind("grid")->trial_count(spec), 2);
  const Proposals proposals = Ask(*MakeStrategy(spec), 0, 10);
  ASSERT_EQ(proposals.proposals.size(), 2u);
  EXPECT_EQ(Text(Points(proposals)[0]), "d0=0:1 d1=2:1 ");
  EXPECT_EQ(Text(Points(proposals)[1]), "d0=2:1 d1=0:1 ");
  EXPECT_TRUE(proposals.exhausted);
  EXPECT_EQ(proposals.exhausted_reason, "all 2 combinations that satisfy the constraints have been proposed");
  EXPECT_FALSE(Ask(*MakeStrategy(spec), 0).exhausted);
  EXPECT_TRUE(Ask(*MakeStrategy(spec), 1).exhausted);
}

TEST(GridStrategyTest, ConstraintsChangeTheNumberOfTrials) {
  EXPECT_EQ(ProblemsOf(Constrained(Grid(Digits(2), 45), {"d0 < d1"})), "");
  EXPECT_EQ(
      ProblemsOf(Constrained(Grid(Digits(2), 100), {"d0 < d1"})),
      "limits.max_trials: is 100, but the grid has 45 combinations that satisfy the constraints; leave max_trials "
      "out, or set strategy.grid.allow_partial\n");
  EXPECT_EQ(ProblemsOf(Constrained(Grid(Digits(2), 100, true), {"d0 < d1"})), "");
  EXPECT_EQ(ProblemsOf(Constrained(Grid(Digits(2)), {"d0 < d1", "d1 < d0"})),
            "constraints: hold for no combination of the grid; loosen them or take more values\n");
}

// 10^9 combinations of which half are feasible, one by one: not counted, but proposed in order.
TEST(GridStrategyTest, MoreThanCanBeCounted) {
  const std::string odd = "d0 + 2 * d1 + 3 * d2 + 4 * d3 + 5 * d4 + 6 * d5 + 7 * d6 + 8 * d7 + 9 * d8 != 200";
  EXPECT_EQ(
      ProblemsOf(Constrained(Grid(Digits(9)), {odd})),
      "strategy.grid: has 1000000000 combinations, too many to count those that satisfy the constraints; take fewer "
      "values, or set allow_partial and limits.max_trials\n");
  const core::JobSpec spec = Constrained(Grid(Digits(9), 1000, true), {odd});
  EXPECT_EQ(ProblemsOf(spec), "");
  EXPECT_EQ(FindStrategyKind("grid")->trial_count(spec), 0);
  const auto strategy = MakeStrategy(spec);
  const auto other = MakeStrategy(spec);
  EXPECT_EQ(Points(Ask(*strategy, 100'000)), Points(Ask(*other, 100'000)));
  EXPECT_EQ(Points(Ask(*strategy, 7)), Points(Ask(*other, 7)));
  EXPECT_FALSE(Ask(*strategy, 7).exhausted);
}

// One in 10^9, and it is the last.
TEST(GridStrategyTest, FindsANeedle) {
  const core::JobSpec spec =
      Constrained(Grid(Digits(9), 1000, true), {"d0 + d1 + d2 + d3 + d4 + d5 + d6 + d7 + d8 >= 81"});
  EXPECT_EQ(FindStrategyKind("grid")->trial_count(spec), 1);
  const Proposals proposals = Ask(*MakeStrategy(spec), 0, 2);
  ASSERT_EQ(proposals.proposals.size(), 1u);
  EXPECT_TRUE(proposals.exhausted);
}

}  // namespace
}  // namespace tuner::strategies
