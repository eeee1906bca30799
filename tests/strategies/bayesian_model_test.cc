// What the Bayesian strategy's model says of points and of the job.
#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/strategies/strategy_jobs.h"

namespace tuner::strategies {
namespace {

using core::Named;

core::JobSpec Spec(core::Goal goal) {
  core::JobSpec spec = SpecOf(
      "bayesian",
      {Named("x", core::DoubleDomain{.min = -5, .max = 5}), Named("quiet", core::DoubleDomain{.min = 0, .max = 1}),
       Named("kind", core::CategoricalDomain{.values = {"a", "b"}})},
      3);
  spec.objective.goal = goal;
  return spec;
}

// A bowl in x with its end at 1, lower for kind b; quiet does nothing.
double Bowl(const core::ParameterMap& point) {
  const double x = std::get<double>(point.at("x"));
  return (x - 1) * (x - 1) + (std::get<std::string>(point.at("kind")) == "a" ? 3 : 0);
}

std::unique_ptr<Strategy> AfterTrials(const core::JobSpec& spec, int trials) {
  auto strategy = MakeStrategy(spec);
  for (int i = 0; i < trials; ++i) {
    Finished finished = FinishedTrial(i + 1, Points(Ask(*strategy, i)).at(0));
    const double value = Bowl(finished.trial.parameters);
    finished.trial.objective = spec.objective.goal == core::Goal::kMinimize ? value : -value;
    Tell(*strategy, finished);
  }
  return strategy;
}

TEST(BayesianModelTest, NoModelBeforeResults) {
  EXPECT_EQ(MakeStrategy(Spec(core::Goal::kMinimize))->model(), nullptr);
}

TEST(BayesianModelTest, PredictsInTheObjectivesUnitAndDirection) {
  for (const core::Goal goal : {core::Goal::kMinimize, core::Goal::kMaximize}) {
    const double sign = goal == core::Goal::kMinimize ? 1 : -1;
    const auto strategy = AfterTrials(Spec(goal), 30);
    const auto model = strategy->model();
    ASSERT_NE(model, nullptr);
    const core::ParameterMap best = {{"x", 1.0}, {"quiet", 0.5}, {"kind", "b"}};
    const core::ParameterMap poor = {{"x", -4.5}, {"quiet", 0.5}, {"kind", "a"}};
    EXPECT_NEAR(sign * model->Predict(best).mean, 0, 0.2);
    EXPECT_GT(sign * model->Predict(poor).mean, 1);
    EXPECT_GT(model->Predict(best).standard_deviation, 0);
    EXPECT_GT(model->Predict(best).acquisition, model->Predict(poor).acquisition);
  }
}

TEST(BayesianModelTest, NearestTrialsAndLeaveOneOut) {
  const auto strategy = AfterTrials(Spec(core::Goal::kMinimize), 25);
  const auto model = strategy->model();
  const ModelView::DataRows data = model->Data();
  ASSERT_EQ(data.trials.size(), 25u);
  EXPECT_THAT(data.columns, testing::ElementsAre("x", "quiet", "kind=a", "kind=b"));
  const std::vector<ModelView::LeftOut> left_out = model->LeaveOneOut();
  ASSERT_EQ(left_out.size(), 25u);
  // A bowl is easy: predictions from the rest come in the order of what was observed, nearly always.
  int agreeing = 0, pairs = 0;
  for (const auto& a : left_out) {
    for (const auto& b : left_out) {
      if (a.observed >= b.observed) continue;
      ++pairs;
      agreeing += a.mean < b.mean ? 1 : 0;
    }
  }
  EXPECT_GT(agreeing, 0.75 * pairs);
  const auto nearest = model->Nearest({{"x", 1.0}, {"quiet", 0.5}, {"kind", "b"}}, 3);
  ASSERT_EQ(nearest.size(), 3u);
  EXPECT_LE(nearest[0].distance, nearest[1].distance);
  EXPECT_LE(nearest[1].distance, nearest[2].distance);
}

TEST(BayesianModelTest, ImportanceFindsWhatMatters) {
  const auto strategy = AfterTrials(Spec(core::Goal::kMinimize), 30);
  const auto model = strategy->model();
  for (const auto& shares : {model->LengthScaleImportance(), model->FanovaImportance()}) {
    ASSERT_EQ(shares.size(), 3u);
    double sum = 0;
    for (const auto& [name, share] : shares) sum += share;
    EXPECT_NEAR(sum, 1, 1e-9);
    EXPECT_LT(shares.at("quiet"), shares.at("x"));
  }
  EXPECT_GT(model->FanovaImportance().at("x"), 0.5);
}

TEST(BayesianModelTest, LessIsExpectedOfMoreTrialsTheMoreIsKnown) {
  const auto early = AfterTrials(Spec(core::Goal::kMinimize), 8)->model()->ExpectedImprovement(10);
  const auto late = AfterTrials(Spec(core::Goal::kMinimize), 40)->model()->ExpectedImprovement(10);
  EXPECT_GE(late, 0);
  EXPECT_GT(early, late);
}

}  // namespace
}  // namespace tuner::strategies
