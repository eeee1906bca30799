#include "strategies/warm_start.h"

#include <cmath>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "strategies/bayesian_outputs.h"
#include "strategies/bayesian_strategy.h"
#include "strategies/transfer_models.h"
#include "tests/strategies/strategy_jobs.h"

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
using core::Scale;
using core::WarmStart;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

core::Trial TrialAt(int32_t number, ParameterMap parameters, double objective) {
  core::Trial trial;
  trial.number = number;
  trial.finish_seq = number;
  trial.state = core::TrialState::kCompleted;
  trial.parameters = std::move(parameters);
  trial.objective = objective;
  return trial;
}

core::ParentJob ParentWith(std::vector<core::Trial> trials, ParameterMap fixed = {}) {
  return {.job_id = "parent", .uid = "uid", .static_parameters = std::move(fixed), .trials = std::move(trials)};
}

void StartFrom(core::JobSpec& spec, WarmStart::Type type, core::ParentJobs parents) {
  spec.warm_start = WarmStart{type, {}, std::make_shared<const core::ParentJobs>(std::move(parents))};
}

std::vector<ParentRow> Rows(const core::ParentJob& parent, const core::JobSpec& child, bool fixed_values = true) {
  return RowsOf(parent, child, gp::Encoder(child.space), {.fixed_values = fixed_values});
}

// --- mapping

TEST(RowsOfTest, PointsOfTheSpaceAreTheJobsOwn) {
  const core::JobSpec child = SpecOf(
      "bayesian", {Named("eta", DoubleDomain{.min = 1e-4, .max = 1, .scale = Scale::kLog}),
                   Named("depth", IntegerDomain{.min = 1, .max = 9}), Named("kind", CategoricalDomain{{"a", "b"}})});
  const ParameterMap point = {{"eta", 0.02}, {"depth", int64_t{3}}, {"kind", std::string("b")}};
  const core::ParentJob parent = ParentWith({TrialAt(1, point, 1)});
  const std::vector<ParentRow> rows = Rows(parent, child);
  ASSERT_THAT(rows, SizeIs(1));
  EXPECT_TRUE(rows[0].inside);
  EXPECT_EQ(rows[0].units, gp::Encoder(child.space).Units(point));
}

// Values of another range come back from their coordinates on the child's scale, inside of its range and outside.
TEST(RowsOfTest, ChangedRangesAreEncodedAgain) {
  const DoubleDomain log{.min = 1e-3, .max = 1e-1, .scale = Scale::kLog};
  const core::JobSpec child =
      SpecOf("bayesian", {Named("eta", log), Named("depth", IntegerDomain{.min = 4, .max = 13})});
  for (const double eta : {1e-3, 5e-3, 1e-1, 5e-4, 3e-1}) {
    const core::ParentJob parent = ParentWith({TrialAt(1, {{"eta", eta}, {"depth", int64_t{4}}}, 1)});
    const std::vector<ParentRow> rows = Rows(parent, child);
    ASSERT_THAT(rows, SizeIs(1)) << eta;
    EXPECT_EQ(rows[0].inside, eta >= log.min && eta <= log.max);
    EXPECT_NEAR(log.min * std::pow(log.max / log.min, rows[0].units[0]), eta, 1e-12);
  }
  // Too far, by a decade more than half of the range.
  EXPECT_THAT(Rows(ParentWith({TrialAt(1, {{"eta", 9e-6}, {"depth", int64_t{4}}}, 1)}), child), IsEmpty());
  const core::ParentJob beyond = ParentWith({TrialAt(1, {{"eta", 1e-2}, {"depth", int64_t{2}}}, 1)});
  const std::vector<ParentRow> rows = Rows(beyond, child);
  ASSERT_THAT(rows, SizeIs(1));
  EXPECT_FALSE(rows[0].inside);
  EXPECT_NEAR(rows[0].units[1], (2 - 4 + 0.5) / 10, 1e-12);
}

TEST(RowsOfTest, WhatWasFixedIsFilledIn) {
  const core::JobSpec child = SpecOf(
      "bayesian", {Named("x", DoubleDomain{.min = 0, .max = 1}), Named("rounds", IntegerDomain{.min = 1, .max = 100})});
  const std::vector<core::Trial> trials = {TrialAt(1, {{"x", 0.25}}, 1)};
  EXPECT_EQ(PointInChild(ParentWith(trials, {{"rounds", 60.0}}), trials[0], child),
            (ParameterMap{{"x", 0.25}, {"rounds", int64_t{60}}}));
  EXPECT_EQ(PointInChild(ParentWith(trials), trials[0], child), std::nullopt);
  const core::ParentJob far = ParentWith(trials, {{"rounds", 120.0}});
  EXPECT_EQ(PointInChild(far, trials[0], child), std::nullopt);
  EXPECT_THAT(Rows(far, child), SizeIs(1));  // a coordinate of 1.2
}

TEST(RowsOfTest, OnlyRowsWithTheFixedValueAreOfTheSameFunction) {
  core::JobSpec child = SpecOf("bayesian", {Named("x", DoubleDomain{.min = 0, .max = 1})});
  child.static_parameters = {{"depth", 4.0}, {"mode", std::string("fast")}};
  const core::ParentJob parent = ParentWith(
      {TrialAt(1, {{"x", 0.1}, {"depth", int64_t{4}}}, 1), TrialAt(2, {{"x", 0.2}, {"depth", int64_t{5}}}, 1)},
      {{"mode", std::string("fast")}});
  const std::vector<ParentRow> rows = Rows(parent, child);
  ASSERT_THAT(rows, SizeIs(1));
  EXPECT_EQ(rows[0].trial->number, 1);
  EXPECT_THAT(Rows(parent, child, /*fixed_values=*/false), SizeIs(2));
  child.static_parameters["mode"] = std::string("slow");
  EXPECT_THAT(Rows(parent, child), IsEmpty());
}

TEST(RowsOfTest, CategoriesAndBranchesMustBeThere) {
  const core::JobSpec child =
      SpecOf("bayesian", {Named("kind", CategoricalDomain{{"a", "new"}}),
                          Child(Named("rate", DoubleDomain{.min = 0, .max = 1}), 0, {std::string("a")})});
  const core::ParentJob parent = ParentWith(
      {TrialAt(1, {{"kind", std::string("a")}, {"rate", 0.5}}, 1), TrialAt(2, {{"kind", std::string("gone")}}, 1),
       TrialAt(3, {{"kind", std::string("a")}}, 1), TrialAt(4, {{"kind", std::string("new")}, {"rate", 0.5}}, 1)});
  std::vector<int32_t> numbers;
  for (const ParentRow& row : Rows(parent, child)) numbers.push_back(row.trial->number);
  EXPECT_THAT(numbers, ElementsAre(1, 4));
}

TEST(RowsOfTest, DiscreteAndSteppedValuesLieBetweenTheirNeighbours) {
  const core::JobSpec child = SpecOf("bayesian", {Named("batch", DiscreteDomain{{16, 32, 64, 128}, Scale::kLog}),
                                                  Named("drop", DoubleDomain{.min = 0, .max = 0.5, .step = 0.1})});
  const core::ParentJob parent = ParentWith({TrialAt(1, {{"batch", std::sqrt(32.0 * 64)}, {"drop", 0.25}}, 1)});
  const std::vector<ParentRow> rows = Rows(parent, child);
  ASSERT_THAT(rows, SizeIs(1));
  EXPECT_FALSE(rows[0].inside);
  EXPECT_NEAR(rows[0].units[0], 0.5, 1e-12);
  EXPECT_NEAR(rows[0].units[1], 0.5, 1e-12);
}

TEST(ChosenRowsTest, KeepsTheBestQuarterAndOthersAtRandom) {
  std::vector<double> values;
  for (int i = 0; i < 1000; ++i) values.push_back(i % 2 == 0 ? i : std::nan(""));
  EXPECT_THAT(ChosenRows(values, 1000, 1), SizeIs(1000));
  const std::vector<size_t> chosen = ChosenRows(values, 100, 1);
  EXPECT_EQ(chosen, ChosenRows(values, 100, 1));
  EXPECT_NE(chosen, ChosenRows(values, 100, 2));
  EXPECT_EQ(std::set<size_t>(chosen.begin(), chosen.end()).size(), 100u);
  EXPECT_TRUE(std::is_sorted(chosen.begin(), chosen.end()));
  for (size_t best = 998; best > 998 - 50; best -= 2) EXPECT_TRUE(std::ranges::count(chosen, best)) << best;
}

// --- strategies

std::vector<core::Parameter> Square() {
  return {Named("x", DoubleDomain{.min = 0, .max = 1}), Named("y", DoubleDomain{.min = 0, .max = 1})};
}

double Bowl(const ParameterMap& point) {
  return std::pow(std::get<double>(point.at("x")) - 0.3, 2) + std::pow(std::get<double>(point.at("y")) - 0.6, 2);
}

core::ParentJob BowlParent(int trials) {
  const auto random = MakeStrategy(SpecOf("random", Square(), 5));
  std::vector<core::Trial> all;
  for (int i = 0; i < trials; ++i) {
    const ParameterMap point = Points(Ask(*random, i)).front();
    all.push_back(TrialAt(i + 1, point, Bowl(point)));
  }
  return ParentWith(std::move(all));
}

TEST(IdenticalTest, ParentsStandInForTheDesign) {
  core::JobSpec spec = SpecOf("bayesian", Square());
  spec.limits.max_trials = 50;
  StartFrom(spec, WarmStart::Type::kIdentical, {BowlParent(20)});
  const auto strategy = MakeStrategy(spec);
  std::unique_ptr<FitTask> fit = strategy->BeginFit();
  ASSERT_NE(fit, nullptr);
  fit->Run(nullptr);
  strategy->InstallFit(std::move(fit));
  ASSERT_NE(strategy->model(), nullptr);
  const Proposals first = Ask(*strategy, 0);
  EXPECT_EQ(first.basis.kind, core::Basis::Kind::kFresh);
  EXPECT_EQ(first.basis.known_prefix, 0);
  EXPECT_LT(Bowl(Points(first).front()), 0.02);
  EXPECT_THAT(strategy->model()->Data().trials, SizeIs(20));
  Tell(*strategy, Finished{TrialAt(1, Points(first).front(), 0.5)});
  const auto nearest = strategy->model()->Nearest(Points(first).front(), 5);  // parents' have no number here
  ASSERT_THAT(nearest, SizeIs(1));
  EXPECT_EQ(nearest.front().trial, 1);
  EXPECT_THAT(strategy->model()->LeaveOneOut(), SizeIs(1));
}

TEST(IdenticalTest, NoPointOfAParentComesAgain) {
  for (const char* name : {"random", "bayesian"}) {
    core::JobSpec spec = SpecOf(name, {Named("a", IntegerDomain{.min = 1, .max = 3}), Named("b", BooleanDomain{})});
    std::vector<core::Trial> tried;
    for (int i = 0; i < 5; ++i) {
      tried.push_back(TrialAt(i + 1, {{"a", int64_t{1 + i % 3}}, {"b", i >= 3}}, i));
    }
    StartFrom(spec, WarmStart::Type::kIdentical, {ParentWith(tried)});
    const auto strategy = MakeStrategy(spec);
    const Proposals proposals = Ask(*strategy, 0, 3);
    EXPECT_THAT(Points(proposals), ElementsAre(ParameterMap{{"a", int64_t{3}}, {"b", true}})) << name;
    EXPECT_TRUE(proposals.exhausted) << name;
  }
}

TEST(TransferTest, TheBestOfEachParentComesFirst) {
  for (const char* name : {"random", "bayesian"}) {
    core::JobSpec spec = SpecOf(name, Square());
    spec.limits.max_trials = 20;  // a tenth: two
    const core::ParentJob one =
        ParentWith({TrialAt(1, {{"x", 0.25}, {"y", 0.5}}, 1), TrialAt(2, {{"x", 0.75}, {"y", 0.5}}, 2)});
    const core::ParentJob same = one;
    const core::ParentJob two = ParentWith({TrialAt(1, {{"x", 0.125}, {"y", 0.5}}, 7)});
    const core::ParentJob three = ParentWith({TrialAt(1, {{"x", 0.5}, {"y", 0.125}}, 7)});
    StartFrom(spec, WarmStart::Type::kTransfer, {one, same, two, three});
    const std::vector<ParameterMap> points = Points(Ask(*MakeStrategy(spec), 0, 3));
    ASSERT_THAT(points, SizeIs(3));
    EXPECT_EQ(points[0], one.trials[0].parameters) << name;
    EXPECT_EQ(points[1], two.trials[0].parameters) << name;
    EXPECT_NE(points[2], three.trials[0].parameters) << name;
  }
}

// What is left to gain is that of the objective, not of what the parents leave of it: nothing, here.
TEST(TransferTest, ForecastsTheGainOfTheObjective) {
  core::JobSpec spec = SpecOf("bayesian", Square());
  spec.limits.max_trials = 40;
  spec.completion.convergence = true;
  StartFrom(spec, WarmStart::Type::kTransfer, {BowlParent(30)});
  const auto strategy = MakeStrategy(spec);
  const std::pair<double, double> away[] = {{0.05, 0.05}, {0.95, 0.1}, {0.9, 0.9},
                                            {0.7, 0.2},   {0.6, 0.95}, {0.95, 0.5}};
  for (int i = 0; i < 6; ++i) {
    const ParameterMap point = {{"x", away[i].first}, {"y", away[i].second}};
    Tell(*strategy, Finished{TrialAt(i + 1, point, 100 * Bowl(point) + 7)});
  }
  const std::optional<core::Forecast> forecast = Ask(*strategy, 6).forecast;
  ASSERT_TRUE(forecast);
  EXPECT_GT(forecast->gain, 10);
}

core::JobSpec ModelHyperband(int max_trials) {
  core::JobSpec spec = SpecOf("hyperband", Square());
  v1::HyperbandStrategy options;
  options.set_max_resource(9);
  options.set_sampler(v1::HyperbandStrategy::MODEL);
  spec.strategy.bytes = options.SerializeAsString();
  spec.limits.max_trials = max_trials;
  return spec;
}

// A Hyperband job leaves results of rungs, and few whole ones: both are rows, each at its resource.
TEST(HyperbandWarmStartTest, ResultsOfRungsAreRows) {
  core::ParentJob parent = BowlParent(24);
  for (core::Trial& trial : parent.trials) {
    trial.rungs.push_back({.resource = 1, .objective = *trial.objective + 1});
    trial.rungs.push_back({.resource = 3, .objective = *trial.objective + 0.3});
    if (trial.number % 8 == 0) continue;
    if (trial.number % 3 > 0) trial.rungs.pop_back();
    trial.state = core::TrialState::kEarlyStopped;
    trial.objective.reset();
  }
  core::JobSpec child = ModelHyperband(30);
  EXPECT_THAT(RowsOf(parent, child, gp::Encoder(child.space), {.rungs = true}), SizeIs(24 + 3 + 7 + 3));
  EXPECT_THAT(Rows(parent, child), SizeIs(3));
  child.resources->max = 3;
  EXPECT_THAT(RowsOf(parent, child, gp::Encoder(child.space), {.rungs = true}), SizeIs(24 + 3));

  child = ModelHyperband(30);
  StartFrom(child, WarmStart::Type::kIdentical, {parent});
  const auto strategy = MakeStrategy(child);
  std::unique_ptr<FitTask> fit = strategy->BeginFit();
  ASSERT_NE(fit, nullptr);
  fit->Run(nullptr);
  strategy->InstallFit(std::move(fit));
  EXPECT_LT(Bowl(Points(Ask(*strategy, 0)).front()), 0.02);
}

// What a related parent tells of a point is the same at each resource of the child.
TEST(HyperbandWarmStartTest, ParentsSayTheSameAtEveryResource) {
  core::JobSpec spec = ModelHyperband(30);
  StartFrom(spec, WarmStart::Type::kTransfer, {BowlParent(25)});
  const auto encoder = std::make_shared<const gp::Encoder>(spec.space, /*with_fidelity=*/true);
  gp::FitOptions options;
  options.length_priors.resize(static_cast<size_t>(encoder->group_count()));
  TransferModels models(spec, encoder, BayesianOutput::AllOf(spec), {options}, gp::FitPlan());
  const std::vector<TransferModel>* fitted = models.Get(nullptr);
  ASSERT_NE(fitted, nullptr);
  ASSERT_THAT(*fitted, SizeIs(1));
  Eigen::MatrixXd points = encoder->EncodeAll({{0.1, 0.2}, {0.1, 0.2}, {0.3, 0.6}});
  points(2, 1) = gp::Encoder::FidelityColumn(0);
  const Eigen::VectorXd means = fitted->front().posteriors.front()->Predict(points).mean;
  EXPECT_NEAR(means[0], means[1], 1e-6);
  EXPECT_GT(means[2], means[1] + 0.5);  // the best point, in labels of deviation 1
}

// New configurations of Hyperband come from the parents' model, from the first one on.
TEST(HyperbandWarmStartTest, TheModelKnowsTheParents) {
  core::JobSpec spec = ModelHyperband(30);
  StartFrom(spec, WarmStart::Type::kIdentical, {BowlParent(25)});
  const auto strategy = MakeStrategy(spec);
  if (std::unique_ptr<FitTask> fit = strategy->BeginFit(); fit != nullptr) {
    fit->Run(nullptr);
    strategy->InstallFit(std::move(fit));
  }
  int near = 0;
  for (int i = 0; i < 12; ++i) {
    const Proposals proposals = Ask(*strategy, i);
    ASSERT_THAT(proposals.proposals, SizeIs(1));
    core::Trial trial = TrialAt(i + 1, Points(proposals).front(), 0);
    trial.ordinal = i;
    trial.resource = proposals.proposals.front().resource;
    trial.state = core::TrialState::kPaused;
    trial.objective.reset();
    trial.rungs.push_back({.resource = trial.resource, .objective = Bowl(trial.parameters) + 1.0 / trial.resource});
    near += Bowl(trial.parameters) < 0.06;
    Tell(*strategy, RungReached{trial});
  }
  EXPECT_GE(near, 9);  // every fourth is drawn at random: a fifth of the space is near
}

// Proposals of warm-started jobs are recomputed from their basis by a strategy that never saw the fits.
TEST(WarmStartTest, ABasisIsEnoughToReplay) {
  for (const WarmStart::Type type : {WarmStart::Type::kIdentical, WarmStart::Type::kTransfer}) {
    core::JobSpec spec = SpecOf("bayesian", Square());
    spec.limits.max_trials = 30;
    StartFrom(spec, type, {BowlParent(12), BowlParent(3)});
    const auto strategy = MakeStrategy(spec);
    std::vector<std::pair<core::Basis, ParameterMap>> recorded;
    std::vector<core::Trial> finished;
    for (int i = 0; i < 14; ++i) {
      // Some are asked before their fit is there.
      if (i % 5 != 3) {
        if (std::unique_ptr<FitTask> fit = strategy->BeginFit(); fit != nullptr) {
          fit->Run(nullptr);
          strategy->InstallFit(std::move(fit));
        }
      }
      const Proposals proposals = Ask(*strategy, i);
      const ParameterMap point = Points(proposals).front();
      recorded.emplace_back(proposals.basis, point);
      finished.push_back(TrialAt(i + 1, point, Bowl(point) + (i == 6 ? 1 : 0)));
      strategy->Observe(Finished{finished.back()});
    }
    const auto again = MakeStrategy(spec);
    std::set<core::Basis::Kind> kinds;
    for (int i = 0; i < 14; ++i) {
      kinds.insert(recorded[static_cast<size_t>(i)].first.kind);
      const absl::StatusOr<Proposals> proposals =
          again->Suggest({.ordinal = i, .count = 1, .replay = &recorded[static_cast<size_t>(i)].first});
      ASSERT_TRUE(proposals.ok());
      EXPECT_EQ(Points(*proposals).front(), recorded[static_cast<size_t>(i)].second) << i;
      again->Observe(Finished{finished[static_cast<size_t>(i)]});
    }
    EXPECT_TRUE(kinds.contains(core::Basis::Kind::kFresh));
    EXPECT_TRUE(kinds.contains(core::Basis::Kind::kLastFit));
  }
}

}  // namespace
}  // namespace tuner::strategies
