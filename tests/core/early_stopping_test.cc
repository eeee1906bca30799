#include "core/early_stopping.h"

#include <cmath>
#include <deque>
#include <vector>

#include "core/rng.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tuner::core {
namespace {

using testing::HasSubstr;
using testing::Optional;

const Objective kLoss{"loss", Goal::kMinimize, std::nullopt};
const Objective kAccuracy{"accuracy", Goal::kMaximize, std::nullopt};

// Trials by their values from step 1 on.
class Trials {
 public:
  Trials& Add(const std::vector<double>& values, bool completed = true) {
    Curve& curve = curves_.emplace_back(Of(values));
    references_.push_back({&curve, completed});
    return *this;
  }
  std::optional<std::string> Judge(const EarlyStoppingRule& rule, const std::vector<double>& values,
                                   const Objective& objective = kLoss,
                                   std::optional<double> best = std::nullopt) const {
    const Curve own = Of(values);
    return ReasonToStop(rule, objective, {&own, own.last_step(), references_, best});
  }
  static Curve Of(const std::vector<double>& values) {
    Curve curve;
    for (size_t i = 0; i < values.size(); ++i) curve.Put(1, static_cast<int64_t>(i) + 1, values[i]);
    return curve;
  }

 private:
  std::deque<Curve> curves_;
  std::vector<ReferenceCurve> references_;
};

Trials FiveEqual() {
  Trials trials;
  for (int i = 0; i < 5; ++i) trials.Add({1.0, 0.8, 0.6, 0.4, 0.2});  // running averages 1, .9, .8, .7, .6
  return trials;
}

TEST(MedianRuleTest, ComparesTheBestWithRunningAverages) {
  const Trials trials = FiveEqual();
  EXPECT_EQ(trials.Judge(MedianRule{}, {1.5, 0.89}), std::nullopt);
  EXPECT_THAT(trials.Judge(MedianRule{}, {1.5, 0.91}),
              Optional(HasSubstr("its best loss 0.91 is worse than 0.9, the median of the running averages of 5")));
  // Its best counts, not its value at the step; SageMaker's reading is the other one.
  EXPECT_EQ(trials.Judge(MedianRule{}, {0.5, 0.95}), std::nullopt);
  EXPECT_THAT(trials.Judge(MedianRule{.current_value = true}, {0.5, 0.95}), Optional(HasSubstr("its loss 0.95")));
}

TEST(MedianRuleTest, WorksInTheOtherDirection) {
  Trials trials;
  for (int i = 0; i < 5; ++i) trials.Add({0.1, 0.3, 0.5});
  EXPECT_EQ(trials.Judge(MedianRule{}, {0.1, 0.2}, kAccuracy), std::nullopt);
  EXPECT_NE(trials.Judge(MedianRule{}, {0.1, 0.19}, kAccuracy), std::nullopt);
}

TEST(MedianRuleTest, WaitsForCurvesStepsAndReports) {
  const std::vector<double> poor = {9, 9};
  Trials four;
  for (int i = 0; i < 4; ++i) four.Add({1, 1, 1, 1});
  EXPECT_EQ(four.Judge(MedianRule{}, poor), std::nullopt);
  EXPECT_NE(four.Judge(MedianRule{.min_curves = 4}, poor), std::nullopt);
  EXPECT_EQ(four.Judge(MedianRule{.min_curves = 4, .min_steps = 3}, poor), std::nullopt);
  EXPECT_EQ(four.Judge(MedianRule{.min_curves = 4}, {9}), std::nullopt) << "a single report";
  EXPECT_NE(four.Judge(MedianRule{.min_curves = 4, .min_steps = 1}, {9}), std::nullopt);
  // A tenth of the longest completed trial.
  Trials long_ones;
  for (int i = 0; i < 5; ++i) long_ones.Add(std::vector<double>(100, 1.0));
  EXPECT_EQ(long_ones.Judge(MedianRule{}, std::vector<double>(9, 9.0)), std::nullopt);
  EXPECT_NE(long_ones.Judge(MedianRule{}, std::vector<double>(10, 9.0)), std::nullopt);
  // Who is at the last step has done its work.
  EXPECT_EQ(four.Judge(MedianRule{.min_curves = 4}, {9, 9, 9, 9}), std::nullopt);
}

TEST(MedianRuleTest, StoppedTrialsAreReferencesUnlessTold) {
  Trials trials;
  for (int i = 0; i < 3; ++i) trials.Add({1, 1, 1, 1});
  for (int i = 0; i < 4; ++i) trials.Add({5, 5}, /*completed=*/false);
  EXPECT_EQ(trials.Judge(MedianRule{}, {4, 4}), std::nullopt) << "the median is 5";
  EXPECT_NE(trials.Judge(MedianRule{.completed_only = true, .min_curves = 3}, {4, 4}), std::nullopt);
  EXPECT_NE(trials.Judge(MedianRule{}, {6, 6}), std::nullopt);
  // At step 3 only those count that came there.
  EXPECT_EQ(trials.Judge(MedianRule{}, {6, 6, 6}), std::nullopt);
  Trials none_completed;
  for (int i = 0; i < 9; ++i) none_completed.Add({1, 1, 1, 1}, /*completed=*/false);
  EXPECT_EQ(none_completed.Judge(MedianRule{}, {9, 9}), std::nullopt);
}

TEST(PercentileRuleTest, KeepsTheBestShare) {
  Trials trials;
  for (int i = 1; i <= 9; ++i) trials.Add({static_cast<double>(i)});
  EXPECT_EQ(trials.Judge(PercentileRule{.percentile = 25}, {3}), std::nullopt);
  EXPECT_NE(trials.Judge(PercentileRule{.percentile = 25}, {3.01}), std::nullopt);
  EXPECT_EQ(trials.Judge(PercentileRule{.percentile = 25}, {7}, kAccuracy), std::nullopt);
  EXPECT_NE(trials.Judge(PercentileRule{.percentile = 25}, {6.99}, kAccuracy), std::nullopt);
}

TEST(ThresholdRuleTest, StopsBeyondItsBounds) {
  const ThresholdRule rule{.min = 0.1, .max = 2.0, .min_steps = 2};
  const Trials none;
  EXPECT_EQ(none.Judge(rule, {9}), std::nullopt);
  EXPECT_EQ(none.Judge(rule, {9, 2}), std::nullopt);
  EXPECT_THAT(none.Judge(rule, {1, 2.5}), Optional(HasSubstr("is over 2")));
  EXPECT_THAT(none.Judge(rule, {1, 0.05}), Optional(HasSubstr("is under 0.1")));
}

TEST(HalvingRuleTest, LetsTheBestOfEachRungGoOn) {
  const HalvingRule rule{.min_resource = 1, .eta = 3};
  Trials trials;
  EXPECT_EQ(trials.Judge(rule, {5}), std::nullopt) << "the first always goes on";
  trials.Add({5, 4, 3});
  EXPECT_EQ(trials.Judge(rule, {4}), std::nullopt);
  EXPECT_NE(trials.Judge(rule, {6}), std::nullopt);
  for (int i = 0; i < 4; ++i) trials.Add({6.0 + i, 6});
  // Six at the rung, so the best two go on.
  EXPECT_EQ(trials.Judge(rule, {5.5}), std::nullopt);
  EXPECT_NE(trials.Judge(rule, {6.5}), std::nullopt);
  EXPECT_EQ(trials.Judge(rule, {9, 9}), std::nullopt) << "step 2 is no rung";
  EXPECT_NE(trials.Judge(rule, {9, 9, 9}), std::nullopt) << "only the first came to step 3, and is better";
}

TEST(HalvingRuleTest, ARungThatIsSteppedOverCounts) {
  Curve own;
  own.Put(1, 2, 9);
  own.Put(1, 5, 9);  // over the rung at 3
  const Curve other = Trials::Of({5, 4, 3});
  const std::vector<ReferenceCurve> others = {{&other, true}};
  EXPECT_THAT(ReasonToStop(HalvingRule{.min_resource = 1, .eta = 3}, kLoss, {&own, 5, others, std::nullopt}),
              Optional(HasSubstr("at step 3")));
}

std::vector<double> Decay(double from, double to, double rate, int steps) {
  std::vector<double> values;
  for (int s = 1; s <= steps; ++s) values.push_back(to + (from - to) * std::exp(-rate * s));
  return values;
}

TEST(CurveRuleTest, StopsWhatWillNotBeatTheBest) {
  Trials trials;
  trials.Add(Decay(1, 0.1, 0.1, 50));
  const CurveRule rule{.min_probability = 0.05, .final_step = 50};
  EXPECT_NE(trials.Judge(rule, Decay(1, 0.6, 0.5, 12), kLoss, 0.1), std::nullopt) << "flat at 0.6";
  EXPECT_EQ(trials.Judge(rule, Decay(1, 0.05, 0.08, 12), kLoss, 0.1), std::nullopt) << "falls on, to below the best";
  EXPECT_EQ(trials.Judge(rule, Decay(1, 0.6, 0.5, 3), kLoss, 0.1), std::nullopt) << "too early to say";
  EXPECT_EQ(trials.Judge(rule, Decay(1, 0.6, 0.5, 12), kLoss, std::nullopt), std::nullopt) << "nothing to beat";
}

// The chances that it states come true about as often: of curves of its families with noise, calibrated within a tenth.
TEST(CurveRuleTest, ItsChancesComeTrue) {
  int stated_low = 0, beat_low = 0;
  double stated = 0, beat = 0;
  int count = 0;
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    Rng rng(seed, 1);
    const double to = rng.NextDouble();
    const double from = to + 0.5 + rng.NextDouble();
    const double rate = std::exp(std::log(0.02) + rng.NextDouble() * std::log(20));
    const bool power = rng.NextDouble() < 0.5;
    const auto at = [&](int s) {
      const double shape = power ? std::pow(s, -10 * rate / 2) : std::exp(-rate * s);
      return to + (from - to) * shape;
    };
    const auto noise = [&] { return 0.02 * (rng.NextDouble() + rng.NextDouble() - 1); };
    Curve curve;
    for (int s = 1; s <= 15; ++s) curve.Put(1, s, at(s) + noise());
    const double than = at(50) + 0.4 * (rng.NextDouble() - 0.5);
    const double chance = *ChanceToBeat(curve, 15, 50, than, 1.5, Goal::kMinimize);
    const bool beats = at(50) + noise() < than;
    stated += chance;
    beat += beats;
    ++count;
    if (chance < 0.05) {
      ++stated_low;
      beat_low += beats;
    }
  }
  EXPECT_NEAR(stated / count, beat / count, 0.1);
  ASSERT_GT(stated_low, 300);
  EXPECT_LT(static_cast<double>(beat_low) / stated_low, 0.05);
}

TEST(CurveRuleTest, ScaleAndDirectionDoNotMatter) {
  const Curve down = Trials::Of(Decay(1, 0.3, 0.2, 10));
  Curve up, scaled;
  for (const Curve::Point& p : down.points()) {
    up.Put(1, p.step, -p.value);
    scaled.Put(1, p.step, 1e6 * p.value);
  }
  const double chance = *ChanceToBeat(down, 10, 40, 0.25, 1, Goal::kMinimize);
  EXPECT_NEAR(*ChanceToBeat(up, 10, 40, -0.25, 1, Goal::kMaximize), chance, 1e-12);
  EXPECT_NEAR(*ChanceToBeat(scaled, 10, 40, 0.25e6, 1e6, Goal::kMinimize), chance, 1e-9);
  EXPECT_EQ(ChanceToBeat(Trials::Of({1, 2}), 2, 40, 0.25, 1, Goal::kMinimize), std::nullopt);
}

}  // namespace
}  // namespace tuner::core
