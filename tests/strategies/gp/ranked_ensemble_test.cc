#include "strategies/gp/ranked_ensemble.h"

#include <cmath>
#include <memory>
#include <vector>

#include "gmock/gmock.h"
#include "strategies/gp/acquisition.h"
#include "tests/strategies/gp/model_cases.h"

namespace tuner::strategies::gp {
namespace {

using Eigen::MatrixXd;
using Eigen::VectorXd;
using ::testing::ElementsAre;

VectorXd Vector(std::vector<double> values) {
  return Eigen::Map<VectorXd>(values.data(), static_cast<Eigen::Index>(values.size()));
}

// A model that is sure of these values.
RankedModel Sure(std::vector<double> values) {
  const VectorXd mean = Vector(std::move(values));
  return {.mean = mean, .deviation = VectorXd::Zero(mean.size())};
}

RankOptions Plain() {
  RankOptions options;
  options.own_count = 1e12;  // no floor
  return options;
}

TEST(RankedEnsembleTest, CountsPairsInTheWrongOrder) {
  const VectorXd labels = Vector({1, 2, 3, 4});
  EXPECT_EQ(MisrankedPairs(Vector({10, 20, 30, 40}), labels), 0);
  EXPECT_EQ(MisrankedPairs(Vector({2, 1, 3, 4}), labels), 1);
  EXPECT_EQ(MisrankedPairs(Vector({4, 3, 2, 1}), labels), 6);
  EXPECT_EQ(MisrankedPairs(Vector({4, 3, 2, 1}), Vector({1, 1, 2, 2})), 4);
}

TEST(RankedEnsembleTest, TheModelThatOrdersBestTakesAll) {
  const VectorXd labels = Vector({1, 2, 3, 4, 5});
  const EnsembleWeights weights = RankWeights(labels, {Sure({1, 2, 4, 3, 5}), Sure({10, 20, 30, 40, 50})},
                                              Sure({2, 1, 3, 5, 4}), Plain(), core::Rng(1, 0));
  EXPECT_THAT(weights.others, ElementsAre(0, testing::DoubleNear(1, 1e-9)));
  EXPECT_NEAR(weights.own, 0, 1e-9);
}

TEST(RankedEnsembleTest, EqualModelsShareAlike) {
  const VectorXd labels = Vector({1, 2, 3, 4, 5});
  const RankedModel one_off = Sure({1, 2, 4, 3, 5});
  const EnsembleWeights weights =
      RankWeights(labels, {one_off, one_off}, Sure({5, 4, 3, 2, 1}), Plain(), core::Rng(1, 0));
  EXPECT_THAT(weights.others, ElementsAre(testing::DoubleNear(0.5, 1e-9), testing::DoubleNear(0.5, 1e-9)));
}

// One that is never better than the own one is left out for certain, also where both are equal.
TEST(RankedEnsembleTest, WhatIsNoBetterIsDropped) {
  const VectorXd labels = Vector({1, 2, 3, 4, 5});
  const RankedModel one_off = Sure({1, 2, 4, 3, 5});
  const EnsembleWeights weights =
      RankWeights(labels, {one_off, Sure({5, 4, 3, 2, 1})}, one_off, Plain(), core::Rng(1, 0));
  EXPECT_THAT(weights.others, ElementsAre(0, 0));
  EXPECT_EQ(weights.own, 1);
}

TEST(RankedEnsembleTest, DropProbability) {
  EXPECT_EQ(DropProbability(1, 10, 0), 0);
  EXPECT_EQ(DropProbability(0.25, 10, 0), 0.75);
  EXPECT_EQ(DropProbability(1, 25, 100), 0.25);
  EXPECT_EQ(DropProbability(0.5, 25, 100), 1 - 0.5 * 0.75);
  EXPECT_EQ(DropProbability(1, 200, 100), 1);
}

// A model that is always better is dropped in n of H cases.
TEST(RankedEnsembleTest, DropsAsOftenAsItSays) {
  const VectorXd labels = Vector({1, 2, 3, 4, 5});
  RankOptions options = Plain();
  options.horizon = 20;
  options.samples = 1;
  int dropped = 0;
  for (uint64_t i = 0; i < 4000; ++i) {
    const EnsembleWeights weights =
        RankWeights(labels, {Sure({1, 2, 3, 4, 5})}, Sure({5, 4, 3, 2, 1}), options, core::Rng(1, i));
    dropped += weights.others[0] == 0;
  }
  EXPECT_NEAR(dropped / 4000.0, 0.25, 0.03);
}

TEST(RankedEnsembleTest, FewResultsLeaveTheOthersAloneAndManyTheOwnModel) {
  EnsembleWeights weights =
      RankWeights(Vector({1, 2}), {Sure({2, 1}), Sure({1, 2})}, Sure({1, 2}), RankOptions(), core::Rng(1, 0));
  EXPECT_THAT(weights.others, ElementsAre(0.5, 0.5));
  EXPECT_EQ(weights.own, 0);
  weights = RankWeights(Vector({1, 2, 3, 4, 5}), {Sure({1, 2, 3, 4, 5})}, Sure({5, 4, 3, 2, 1}), RankOptions(),
                        core::Rng(1, 0));
  EXPECT_EQ(weights.own, 5.0 / 25);
  EXPECT_EQ(weights.others[0], 20.0 / 25);
  EXPECT_EQ(RankWeights(Vector({1, 2, 3}), {}, Sure({1, 2, 3}), RankOptions(), core::Rng(1, 0)).own, 1);
}

TEST(RankedEnsembleTest, UncertainModelsShareByChance) {
  const VectorXd labels = Vector({1, 2, 3});
  RankedModel vague = Sure({0, 0, 0});
  vague.deviation.setOnes();
  const EnsembleWeights weights = RankWeights(labels, {Sure({1, 2, 3})}, vague, Plain(), core::Rng(1, 0));
  // A draw of three equal normals is in order in one of six cases, and shares then.
  EXPECT_NEAR(weights.own, 1.0 / 12, 0.04);
}

// The blend's mean is the weighted one, and its gradient that of differences.
TEST(RankedEnsembleTest, BlendedGradientsAgreeWithDifferences) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    core::Rng rng(seed, 7);
    ModelCase own = RandomCase(seed, 6);
    const auto other = std::make_shared<Posterior>(own.Fitted());
    own.points = RandomMatrix(rng, own.points.rows(), 4);
    own.labels = RandomMatrix(rng, 4, 1);
    const Posterior posterior = own.Fitted();
    const VectorXd still = VectorXd::Zero(own.points.rows());
    const VectorXd moved = RandomMatrix(rng, own.points.rows(), 1);
    const MeanBlend blend{.others = {{0.5, other, still}, {0.2, other, moved}}, .deviation = 0.4};
    const MatrixXd pending = RandomMatrix(rng, own.points.rows(), 2);
    const MatrixXd at = RandomMatrix(rng, own.points.rows(), 3);
    const PendingModel model(posterior, pending, blend);
    const VectorXd expected =
        posterior.Predict(at).mean + 0.5 * other->Predict(at).mean + 0.2 * other->Predict(at.colwise() + moved).mean;
    EXPECT_LT((model.Mean(at) - expected).cwiseAbs().maxCoeff(), 1e-10);

    for (const double coefficient : {0.0, 1.8}) {
      const UpperConfidenceBound bound(posterior, pending, coefficient, blend);
      VectorXd values;
      MatrixXd gradients;
      bound.ValuesAndGradients(at, values, gradients);
      EXPECT_LT((values - bound.Values(at)).cwiseAbs().maxCoeff(), 1e-10);
      EXPECT_TRUE((bound.UpperBounds(at).array() >= values.array() - 1e-9).all());
      for (Eigen::Index d = 0; d < at.rows(); ++d) {
        MatrixXd up = at, down = at;
        constexpr double kStep = 1e-5;
        up.row(d).array() += kStep;
        down.row(d).array() -= kStep;
        const VectorXd difference = (bound.Values(up) - bound.Values(down)) / (2 * kStep);
        for (Eigen::Index i = 0; i < at.cols(); ++i) {
          EXPECT_NEAR(gradients(d, i), difference[i], 1e-4 * (1 + std::abs(difference[i]))) << seed;
        }
      }
    }
  }
}

// A task whose function is the other's, moved and scaled, is explained by it.
TEST(RankedEnsembleTest, FindsAMoveAndAScale) {
  core::Rng rng(3, 0);
  const auto function = [](const Eigen::VectorXd& x) { return -(x - Eigen::Vector2d(0.1, -0.2)).squaredNorm(); };
  const auto values = [&](const MatrixXd& points, const VectorXd& move) {
    VectorXd result(points.cols());
    for (Eigen::Index i = 0; i < points.cols(); ++i) result[i] = function(points.col(i) + move);
    return result;
  };
  const MatrixXd theirs = RandomMatrix(rng, 2, 40);
  const KernelParameters parameters = {
      .log_length = Eigen::Vector2d(0, 0), .log_signal = 0, .log_noise = std::log(1e-6)};
  auto other = std::make_shared<Posterior>(theirs, std::vector<int>{0, 1}, parameters);
  other->SetLabels(10 * values(theirs, VectorXd::Zero(2)));
  const Eigen::Vector2d move(0.05, -0.08);
  const MatrixXd ours = RandomMatrix(rng, 2, 12);
  const VectorXd labels = 7 * values(ours, move);
  EXPECT_LT((FitShift(*other, ours, labels, VectorXd::Ones(2)) - move).norm(), 0.02);
  EXPECT_EQ(FitShift(*other, ours, labels, Eigen::Vector2d(1, 0))[1], 0);
  const MeanBlend blend = ExplainLabels(ours, labels, {other}, {.others = {1}, .own = 0}, VectorXd::Ones(2));
  ASSERT_EQ(blend.others.size(), 1u);
  EXPECT_NEAR(blend.others[0].weight, 0.7, 0.05);
  EXPECT_LT(blend.deviation * blend.deviation, blend.unexplained);
  // The same turned around explains nothing.
  EXPECT_TRUE(ExplainLabels(ours, -labels, {other}, {.others = {1}, .own = 0}, VectorXd::Ones(2)).others.empty());
}

// With a few results a good model of a related task helps; with many, its own errors only make the rest rougher.
TEST(RankedEnsembleTest, IsLeftOutWhereTheOwnModelKnowsMore) {
  core::Rng rng(5, 0);
  const auto values = [](const MatrixXd& points, double roughness) {
    VectorXd result(points.cols());
    for (Eigen::Index i = 0; i < points.cols(); ++i) {
      const double x = points(0, i);
      result[i] = 3 * std::sin(4 * x) + roughness * std::sin(60 * x);
    }
    return result;
  };
  const KernelParameters parameters = {
      .log_length = VectorXd::Zero(1), .log_signal = std::log(4), .log_noise = std::log(1e-6)};
  KernelParameters rough = parameters;
  rough.log_length.setConstant(std::log(0.05));
  const MatrixXd theirs = RandomMatrix(rng, 1, 80);
  auto other = std::make_shared<Posterior>(theirs, std::vector<int>{0}, rough);
  other->SetLabels(values(theirs, 0.05));
  const MeanBlend blend{.others = {{1, other, VectorXd::Zero(1)}}, .deviation = 0.22};
  for (const auto& [results, better] : {std::pair{3, true}, std::pair{30, false}}) {
    const MatrixXd ours = RandomMatrix(rng, 1, results);
    Posterior own(ours, std::vector<int>{0}, parameters);
    own.SetLabels(values(ours, 0), /*constant_mean=*/true);
    EXPECT_EQ(PredictsBetter(own, blend, /*constant_mean=*/true), better) << results;
  }
}

}  // namespace
}  // namespace tuner::strategies::gp
