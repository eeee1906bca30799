#include "core/objectives.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "core/rng.h"
#include "gtest/gtest.h"

namespace tuner::core {
namespace {

JobSpec SpecOf(const std::vector<Goal>& goals) {
  JobSpec spec;
  spec.objective = {"m0", goals[0], std::nullopt};
  for (size_t i = 1; i < goals.size(); ++i) {
    spec.additional_objectives.push_back({"m" + std::to_string(i), goals[i], std::nullopt});
  }
  return spec;
}

Trial Completed(int32_t number, const std::vector<double>& values) {
  Trial trial;
  trial.number = number;
  trial.finish_seq = number;
  trial.state = TrialState::kCompleted;
  trial.objective = values[0];
  for (size_t i = 0; i < values.size(); ++i) trial.final_metrics["m" + std::to_string(i)] = values[i];
  return trial;
}

TEST(ObjectivesTest, ValuesNeedEveryMetricAndFiniteOnes) {
  const JobSpec spec = SpecOf({Goal::kMinimize, Goal::kMaximize});
  Trial trial = Completed(1, {1, 2});
  EXPECT_EQ(ObjectiveValues(spec, trial), (std::vector<double>{1, 2}));
  EXPECT_EQ(MissingMetric(spec, trial), nullptr);
  trial.final_metrics["m1"] = HUGE_VAL;
  EXPECT_EQ(ObjectiveValues(spec, trial), std::nullopt);
  EXPECT_EQ(*MissingMetric(spec, trial), "m1");
  trial.final_metrics.erase("m1");
  EXPECT_EQ(*MissingMetric(spec, trial), "m1");
}

TEST(ObjectivesTest, ConstraintsHoldOnTheirBoundsAndNotWithoutAValue) {
  JobSpec spec = SpecOf({Goal::kMinimize});
  spec.outcome_constraints = {{"size", 1, 2}, {"m0", std::nullopt, 5}};
  Trial trial = Completed(1, {5});
  EXPECT_FALSE(KeepsConstraints(spec, trial));
  EXPECT_EQ(*MissingMetric(spec, trial), "size");
  for (const auto& [size, keeps] : std::vector<std::pair<double, bool>>{
           {1, true}, {2, true}, {0.999, false}, {2.001, false}, {std::nan(""), false}, {-HUGE_VAL, false}}) {
    trial.final_metrics["size"] = size;
    EXPECT_EQ(KeepsConstraints(spec, trial), keeps) << size;
  }
  trial.final_metrics["size"] = 1;
  trial.final_metrics["m0"] = 5.5;
  EXPECT_FALSE(KeepsConstraints(spec, trial));
}

TEST(ObjectivesTest, DominanceFollowsEachGoal) {
  const JobSpec spec = SpecOf({Goal::kMinimize, Goal::kMaximize});
  EXPECT_TRUE(Dominates(spec, {1, 2}, {2, 2}));
  EXPECT_TRUE(Dominates(spec, {1, 2}, {1, 1}));
  EXPECT_FALSE(Dominates(spec, {1, 2}, {1, 2}));
  EXPECT_FALSE(Dominates(spec, {1, 2}, {2, 3}));
  EXPECT_FALSE(Dominates(spec, {2, 2}, {1, 2}));
}

TEST(ParetoFrontTest, WithOneObjectiveItIsTheFirstOfTheBest) {
  const JobSpec spec = SpecOf({Goal::kMaximize});
  ParetoFront front;
  EXPECT_EQ(front.last_entered(), 0);
  for (const auto& [number, value] : std::vector<std::pair<int, double>>{{3, 5}, {1, 4}, {2, 5}, {4, 5}, {5, 3}}) {
    front.Add(spec, Completed(number, {value}));
  }
  EXPECT_EQ(front.numbers(), std::vector<int32_t>{2});
  EXPECT_EQ(front.last_entered(), 2);
}

TEST(ParetoFrontTest, TakesCompletedTrialsThatKeepTheConstraints) {
  JobSpec spec = SpecOf({Goal::kMinimize, Goal::kMinimize});
  spec.outcome_constraints = {{"m1", std::nullopt, 5}};
  ParetoFront front;
  front.Add(spec, Completed(1, {0, 6}));
  EXPECT_TRUE(front.members().empty());
  Trial stopped = Completed(2, {0, 0});
  stopped.state = TrialState::kEarlyStopped;
  front.Add(spec, stopped);
  EXPECT_TRUE(front.members().empty());
  front.Add(spec, Completed(3, {1, 5}));
  EXPECT_EQ(front.numbers(), std::vector<int32_t>{3});
}

// Members by the definition.
std::vector<int32_t> NaiveFront(const JobSpec& spec, const std::vector<Trial>& trials) {
  std::vector<Trial> front;
  for (const Trial& trial : trials) {
    if (!KeepsConstraints(spec, trial)) continue;
    const std::vector<double> values = *ObjectiveValues(spec, trial);
    const bool beaten = std::ranges::any_of(trials, [&](const Trial& other) {
      if (!KeepsConstraints(spec, other)) return false;
      const std::vector<double> others = *ObjectiveValues(spec, other);
      return Dominates(spec, others, values) || (others == values && other.finish_seq < trial.finish_seq);
    });
    if (!beaten) front.push_back(trial);
  }
  std::ranges::sort(front, [&](const Trial& a, const Trial& b) {
    const std::vector<double> va = *ObjectiveValues(spec, a);
    const std::vector<double> vb = *ObjectiveValues(spec, b);
    for (size_t i = 0; i < va.size(); ++i) {
      if (va[i] != vb[i]) return ObjectiveAt(spec, i).Better(va[i], vb[i]);
    }
    return false;
  });
  std::vector<int32_t> numbers;
  for (const Trial& trial : front) numbers.push_back(trial.number);
  return numbers;
}

TEST(ParetoFrontTest, IsTheDefinitionsInAnyOrderOfTrials) {
  constexpr uint64_t kSeed = 20;
  Rng rng(kSeed, 0);
  const auto below = [&rng](uint64_t n) { return static_cast<int>(rng.NextBelow(n)); };
  for (int round = 0; round < 500; ++round) {
    SCOPED_TRACE(testing::Message() << "seed " << kSeed << ", round " << round);
    std::vector<Goal> goals;
    const int count = 1 + below(3);
    for (int i = 0; i < count; ++i) goals.push_back(below(2) == 0 ? Goal::kMinimize : Goal::kMaximize);
    JobSpec spec = SpecOf(goals);
    if (below(2) == 0) spec.outcome_constraints = {{"m0", 1, std::nullopt}};
    std::vector<Trial> trials;
    const int size = 1 + below(40);
    for (int i = 0; i < size; ++i) {
      std::vector<double> values;
      for (int k = 0; k < count; ++k) values.push_back(below(6));  // a few values: ties and duplicates are common
      trials.push_back(Completed(i + 1, values));
    }
    ParetoFront live;
    int64_t last_entered = 0;  // as seen while they finish one after another
    for (const Trial& trial : trials) {
      live.Add(spec, trial);
      const std::vector<int32_t> numbers = live.numbers();
      if (std::ranges::find(numbers, trial.number) != numbers.end()) last_entered = trial.finish_seq;
    }
    EXPECT_EQ(live.numbers(), NaiveFront(spec, trials));
    EXPECT_EQ(live.last_entered(), last_entered);
    for (size_t i = trials.size(); i > 1; --i) std::swap(trials[i - 1], trials[rng.NextBelow(i)]);
    ParetoFront loaded;
    for (const Trial& trial : trials) loaded.Add(spec, trial);
    loaded.Add(spec, trials.front());  // again
    EXPECT_EQ(loaded.numbers(), live.numbers());
    EXPECT_EQ(loaded.last_entered(), live.last_entered());
  }
}

TEST(ThinnedTest, KeepsBothEnds) {
  const std::vector<int32_t> numbers = {9, 8, 7, 6, 5, 4, 3};
  EXPECT_EQ(Thinned(numbers, 7), numbers);
  EXPECT_EQ(Thinned(numbers, 3), (std::vector<int32_t>{9, 6, 3}));
  EXPECT_EQ(Thinned(numbers, 2), (std::vector<int32_t>{9, 3}));
}

}  // namespace
}  // namespace tuner::core
