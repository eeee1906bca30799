// The Bayesian strategy with several objectives and with outcome constraints.
#include <algorithm>
#include <cmath>
#include <set>

#include "gtest/gtest.h"
#include "tests/strategies/strategy_jobs.h"
#include "tuner/v1/strategies.pb.h"

namespace tuner::strategies {
namespace {

using core::Named;

double At(const core::ParameterMap& point, const char* name) { return std::get<double>(point.at(name)); }

core::JobSpec Spec(std::string_view strategy, uint64_t seed) {
  return SpecOf(strategy,
                {Named("x", core::DoubleDomain{.min = 0, .max = 1, .scale = core::Scale::kLinear}),
                 Named("y", core::DoubleDomain{.min = 0, .max = 1, .scale = core::Scale::kLinear}),
                 Named("z", core::DoubleDomain{.min = 0, .max = 1, .scale = core::Scale::kLinear})},
                seed);
}

using Evaluate = void (*)(const core::ParameterMap& point, core::Trial& trial);

std::vector<core::Trial> RunTrials(const core::JobSpec& spec, int trials, Evaluate evaluate) {
  const auto strategy = MakeStrategy(spec);
  std::vector<core::Trial> history;
  for (int i = 0; i < trials; ++i) {
    Finished finished = FinishedTrial(i + 1, Points(Ask(*strategy, i)).at(0));
    evaluate(finished.trial.parameters, finished.trial);
    Tell(*strategy, finished);
    history.push_back(finished.trial);
  }
  return history;
}

// The front is x from 0 to 1 at y = z = 0.3: (x, 1 - sqrt x).
void TwoBowls(const core::ParameterMap& point, core::Trial& trial) {
  const double away = 1 + 9 * (std::abs(At(point, "y") - 0.3) + std::abs(At(point, "z") - 0.3));
  trial.objective = At(point, "x");
  trial.final_metrics = {{"loss", At(point, "x")}, {"size", away * (1 - std::sqrt(At(point, "x") / away))}};
}

// Area between the trials and (1.1, 1.1), of at most 1.1^2 - 1/3.
double Area(const std::vector<core::Trial>& history) {
  double area = 0;
  double lowest = 1.1;
  std::vector<std::pair<double, double>> points;
  for (const core::Trial& trial : history) {
    points.emplace_back(trial.final_metrics.at("loss"), trial.final_metrics.at("size"));
  }
  std::sort(points.begin(), points.end());
  for (const auto& [loss, size] : points) {
    if (loss >= 1.1 || size >= lowest) continue;
    area += (1.1 - loss) * (lowest - size);
    lowest = size;
  }
  return area;
}

TEST(BayesianOutputsTest, SeveralObjectivesFillTheFront) {
  double mine = 0;
  double random = 0;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    for (const char* strategy : {"bayesian", "random"}) {
      core::JobSpec spec = Spec(strategy, seed);
      spec.additional_objectives = {{.metric = "size", .goal = core::Goal::kMinimize, .target = std::nullopt}};
      (spec.strategy.name == "bayesian" ? mine : random) += Area(RunTrials(spec, 45, &TwoBowls)) / 3;
    }
  }
  EXPECT_GT(mine, 0.64);  // of 0.877
  EXPECT_GT(mine, random + 0.2);
}

// One result that diverged hides nothing of the others.
TEST(BayesianOutputsTest, AnOutlierDoesNotBlindTheFront) {
  const auto evaluate = +[](const core::ParameterMap& point, core::Trial& trial) {
    TwoBowls(point, trial);
    if (trial.number == 4) trial.final_metrics["size"] = 1e10;
  };
  double area = 0;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    core::JobSpec spec = Spec("bayesian", seed);
    spec.additional_objectives = {{.metric = "size", .goal = core::Goal::kMinimize, .target = std::nullopt}};
    area += Area(RunTrials(spec, 45, evaluate)) / 3;
  }
  EXPECT_GT(area, 0.5);  // random: 0.4
}

// Better the larger x is, but x + y may not be above 0.8, and z wants to be 0.5.
void AtTheBound(const core::ParameterMap& point, core::Trial& trial) {
  trial.objective = -At(point, "x") + std::pow(At(point, "z") - 0.5, 2);
  trial.final_metrics = {{"loss", *trial.objective}, {"latency", At(point, "x") + At(point, "y")}};
}

TEST(BayesianOutputsTest, OutcomeConstraintsAreLearnt) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    core::JobSpec spec = Spec("bayesian", seed);
    spec.outcome_constraints = {{.metric = "latency", .min = std::nullopt, .max = 0.8}};
    double best = 1;
    int kept = 0;
    for (const core::Trial& trial : RunTrials(spec, 35, &AtTheBound)) {
      if (trial.final_metrics.at("latency") > 0.8) continue;
      ++kept;
      best = std::min(best, *trial.objective);
    }
    EXPECT_LT(best, -0.75) << "seed " << seed;  // of -0.8
    EXPECT_GT(kept, 12) << "seed " << seed;
  }
}

// What a job that asks for convergence hears after so many trials, of the gain of the best value over one more.
std::optional<core::Forecast> ForecastAfter(core::JobSpec spec, int trials, Evaluate evaluate) {
  spec.completion.convergence = true;
  const auto strategy = MakeStrategy(spec);
  for (int i = 0; i < trials; ++i) {
    Finished finished = FinishedTrial(i + 1, Points(Ask(*strategy, i)).at(0));
    evaluate(finished.trial.parameters, finished.trial);
    Tell(*strategy, finished);
  }
  return Ask(*strategy, trials).forecast;
}

TEST(BayesianOutputsTest, ConstrainedJobsConvergeToo) {
  core::JobSpec spec = Spec("bayesian", 2);
  spec.outcome_constraints = {{.metric = "latency", .min = std::nullopt, .max = 0.8}};
  const std::optional<core::Forecast> early = ForecastAfter(spec, 12, &AtTheBound);
  const std::optional<core::Forecast> late = ForecastAfter(spec, 50, &AtTheBound);
  ASSERT_TRUE(early && late);
  EXPECT_GT(early->gain, 0.001);
  EXPECT_LT(late->gain, 0.05 * early->gain);
  EXPECT_GE(late->gain, 0);
}

// Before a point keeps the constraints, nothing can be said of how much there is to gain.
TEST(BayesianOutputsTest, NoForecastWhereNothingKeepsTheConstraints) {
  core::JobSpec spec = Spec("bayesian", 2);
  spec.outcome_constraints = {{.metric = "latency", .min = std::nullopt, .max = -5}};
  EXPECT_FALSE(ForecastAfter(spec, 15, &AtTheBound));
}

// A constraint that no point keeps so far is looked for first.
TEST(BayesianOutputsTest, FindsWhereConstraintsHold) {
  core::JobSpec spec = Spec("bayesian", 5);
  spec.outcome_constraints = {{.metric = "miss", .min = std::nullopt, .max = 0.02}};
  const auto evaluate = +[](const core::ParameterMap& point, core::Trial& trial) {
    const double miss = std::pow(At(point, "x") - 0.8, 2) + std::pow(At(point, "y") - 0.15, 2);
    trial.objective = At(point, "z");
    trial.final_metrics = {{"loss", *trial.objective}, {"miss", miss}};
  };
  double best = 1;
  for (const core::Trial& trial : RunTrials(spec, 35, evaluate)) {
    if (trial.final_metrics.at("miss") <= 0.02) best = std::min(best, *trial.objective);
  }
  EXPECT_LT(best, 0.1);
}

// With noise the best point is run again under REPLICATE, and no point twice without it.
TEST(BayesianOutputsTest, ReplicatesTheBestUnderNoise) {
  for (const bool replicate : {true, false}) {
    core::JobSpec spec = Spec("bayesian", 11);
    v1::BayesianStrategy options;
    if (replicate) options.set_duplicates(v1::BayesianStrategy::REPLICATE);
    spec.strategy.bytes = options.SerializeAsString();
    const auto evaluate = +[](const core::ParameterMap& point, core::Trial& trial) {
      const double noise = std::sin(1e4 * trial.number);  // as good as random
      trial.objective = std::pow(At(point, "x") - 0.4, 2) + 0.3 * noise;
    };
    std::set<core::ParameterMap> distinct;
    for (const core::Trial& trial : RunTrials(spec, 40, evaluate)) distinct.insert(trial.parameters);
    if (replicate) {
      EXPECT_LT(distinct.size(), 40u);
      EXPECT_GT(distinct.size(), 25u);
    } else {
      EXPECT_EQ(distinct.size(), 40u);
    }
  }
}

// Under REUSE the model says again what it knows, and then something new.
TEST(BayesianOutputsTest, ReusesKnownResultsOneAtATime) {
  core::JobSpec spec = Spec("bayesian", 3);
  spec.space = core::SearchSpace::Make({Named("x", core::IntegerDomain{1, 6, core::Scale::kLinear, std::nullopt}),
                                        Named("y", core::IntegerDomain{1, 6, core::Scale::kLinear, std::nullopt})});
  v1::BayesianStrategy options;
  options.set_duplicates(v1::BayesianStrategy::REUSE);
  spec.strategy.bytes = options.SerializeAsString();
  const auto strategy = MakeStrategy(spec);
  std::map<core::ParameterMap, int32_t> known;
  std::vector<core::Trial> history;
  int reused = 0;
  bool reused_last = false;
  for (int i = 0; i < 40; ++i) {
    const Proposals proposals = Ask(*strategy, i);
    ASSERT_EQ(proposals.proposals.size(), 1u);
    const auto& proposal = proposals.proposals.front();
    Finished finished = FinishedTrial(i + 1, proposal.parameters);
    const auto at = [&](const char* name) { return std::get<int64_t>(proposal.parameters.at(name)); };
    finished.trial.objective = std::pow(at("x") - 4, 2) + static_cast<double>(at("y"));
    finished.trial.final_metrics = {{"loss", *finished.trial.objective}};
    if (proposal.reused_trial > 0) {
      ++reused;
      EXPECT_FALSE(reused_last) << "trial " << i + 1;
      EXPECT_EQ(known.at(proposal.parameters), proposal.reused_trial);
      finished.trial.origin = core::TrialOrigin::kReused;
    } else {
      EXPECT_TRUE(known.emplace(proposal.parameters, i + 1).second) << "trial " << i + 1 << " runs a known point";
    }
    reused_last = proposal.reused_trial > 0;
    Tell(*strategy, finished);
  }
  EXPECT_GT(reused, 8);  // the best point is soon known
}

// Trials that failed have neither objectives nor other metrics.
TEST(BayesianOutputsTest, FailedTrialsAndMissingMetrics) {
  core::JobSpec spec = Spec("bayesian", 7);
  spec.additional_objectives = {{.metric = "size", .goal = core::Goal::kMaximize, .target = std::nullopt}};
  spec.outcome_constraints = {{.metric = "latency", .min = 0.1, .max = 0.8}};
  const auto evaluate = +[](const core::ParameterMap& point, core::Trial& trial) {
    trial.objective = At(point, "x");
    trial.final_metrics = {{"loss", At(point, "x")}, {"size", At(point, "y")}, {"latency", At(point, "z")}};
    if (trial.number % 3 == 0) {
      trial.state = core::TrialState::kFailed;
      trial.objective.reset();
      trial.final_metrics.clear();
    } else if (trial.number % 5 == 0) {
      trial.final_metrics.erase("latency");
    }
  };
  for (const core::Trial& trial : RunTrials(spec, 25, evaluate)) EXPECT_TRUE(spec.space.Contains(trial.parameters));
}

}  // namespace
}  // namespace tuner::strategies
