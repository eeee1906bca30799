#include "strategies/gp/fit.h"

#include <atomic>
#include <cmath>
#include <vector>

#include "gtest/gtest.h"
#include "strategies/gp/surrogate.h"
#include "tests/strategies/gp/model_cases.h"

namespace tuner::strategies::gp {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

// The parameters with the i-th of (lengths, signal, noise) moved.
KernelParameters Moved(KernelParameters parameters, Index i, double step) {
  const Index lengths = parameters.log_length.size();
  if (i < lengths) {
    parameters.log_length[i] += step;
  } else {
    (i == lengths ? parameters.log_signal : parameters.log_noise) += step;
  }
  return parameters;
}

// Spec, section 6.
TEST(FitTest, LikelihoodReferenceValues) {
  const ModelCase model = ReferenceCase();
  VectorXd gradient;
  EXPECT_NEAR(LogLikelihood(model.points, model.groups, model.labels, model.parameters, &gradient), -7.158083825799132,
              1e-12);
  EXPECT_NEAR(LogLikelihood(model.points, model.groups, model.labels, model.parameters, nullptr), -7.158083825799132,
              1e-12);
  EXPECT_NEAR(gradient[0], -.48785981827417, 1e-12);
  EXPECT_NEAR(gradient[1], -1.40356221359287, 1e-12);
  EXPECT_NEAR(gradient[2], -.00576619673695, 1e-12);
  EXPECT_NEAR(gradient[3], .02123784770306, 1e-12);
}

TEST(FitTest, GradientsAgreeWithDifferences) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const ModelCase model = RandomCase(seed, 1 + static_cast<Index>(seed % 25));
    const FitOptions options{.length_priors = {LengthPrior(), LengthPrior::Broad(20)}};
    VectorXd likelihood_gradient;
    VectorXd posterior_gradient;
    LogLikelihood(model.points, model.groups, model.labels, model.parameters, &likelihood_gradient);
    LogPosterior(model.points, model.groups, model.labels, model.parameters, options, &posterior_gradient);
    for (Index i = 0; i < likelihood_gradient.size(); ++i) {
      constexpr double kStep = 1e-5;
      const KernelParameters up = Moved(model.parameters, i, kStep);
      const KernelParameters down = Moved(model.parameters, i, -kStep);
      const double likelihood = (LogLikelihood(model.points, model.groups, model.labels, up, nullptr) -
                                 LogLikelihood(model.points, model.groups, model.labels, down, nullptr)) /
                                (2 * kStep);
      const double posterior = (LogPosterior(model.points, model.groups, model.labels, up, options, nullptr) -
                                LogPosterior(model.points, model.groups, model.labels, down, options, nullptr)) /
                               (2 * kStep);
      EXPECT_NEAR(likelihood_gradient[i], likelihood, 1e-6 * (10 + std::abs(likelihood)))
          << "seed " << seed << " " << i;
      EXPECT_NEAR(posterior_gradient[i], posterior, 1e-6 * (10 + std::abs(posterior))) << "seed " << seed << " " << i;
    }
  }
}

// A density over the length, so the mode in ln l keeps the term -ln l (the trap of section 2.4): 0.205 sqrt(d).
TEST(FitTest, LengthPriorModes) {
  for (const int dimensions : {11, 20, 100}) {
    const LengthPrior prior = LengthPrior::Broad(dimensions);
    double slope = 1;
    prior.LogDensity(std::log(std::exp(std::sqrt(2.0) - 3) * std::sqrt(dimensions)), slope);
    EXPECT_NEAR(slope, 0, 1e-12) << dimensions;
  }
  double slope = 1;
  LengthPrior().LogDensity(std::log(4.0 / 10), slope);  // of Gamma(5, 10)
  EXPECT_NEAR(slope, 0, 1e-12);
}

// Labels that follow a sine of the first coordinate.
ModelCase SineCase(uint64_t seed) {
  ModelCase model = RandomCase(seed, 40, 1e-2);
  model.labels = (3 * model.points.row(0)).array().sin().matrix().transpose();
  model.labels = (model.labels.array() - model.labels.mean()) / std::sqrt(model.labels.squaredNorm() / 40);
  return model;
}

TEST(FitTest, FindsAStationaryPointNotBelowItsStarts) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const ModelCase model = SineCase(seed);
    const int groups = model.groups.back() + 1;
    FitOptions options;
    options.screening_evaluations = 0;
    const std::vector<KernelParameters> starts = {DefaultParameters(groups, options),
                                                  RandomParameters(groups, seed, 0)};
    const FitResult fit = FitParameters(model.points, model.groups, model.labels, starts, options, /*stop=*/nullptr);
    VectorXd gradient;
    const double value = LogPosterior(model.points, model.groups, model.labels, fit.parameters, options, &gradient);
    EXPECT_EQ(value, fit.log_posterior) << "seed " << seed;
    for (const KernelParameters& start : starts) {
      EXPECT_GE(value, LogPosterior(model.points, model.groups, model.labels, start, options, nullptr));
    }
    // Within bounds nothing much is left to gain; the bounds hold noise and lengths.
    for (Index i = 0; i < groups; ++i) {
      const bool at_bound = std::abs(fit.parameters.log_length[i]) >= 4;
      EXPECT_TRUE(at_bound || std::abs(gradient[i]) <= 0.5) << "seed " << seed << " " << gradient[i];
    }
  }
}

TEST(FitPlanTest, AFitIsDueBeforeThePosteriorTakesNoMoreResults) {
  const FitPlan plan;
  int64_t fitted = 0;
  for (int64_t known = 1; known <= 5000; ++known) {
    if (plan.IsDue(fitted, known)) fitted = known;
    ASSERT_LT(known - fitted, plan.most_appended) << known;
  }
}

// Of many starts one climbs to the end: with two thirds of the evaluations or fewer, and seldom to a lower top.
TEST(FitTest, ScreeningItsStartsLosesLittle) {
  double lost = 0;
  int evaluations = 0;
  int all_evaluations = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const ModelCase model = SineCase(seed);
    const int groups = model.groups.back() + 1;
    std::vector<KernelParameters> starts;
    for (uint64_t i = 0; i < 5; ++i) starts.push_back(RandomParameters(groups, seed, i));
    FitOptions options;
    const FitResult screened = FitParameters(model.points, model.groups, model.labels, starts, options, nullptr);
    options.screening_evaluations = 0;
    const FitResult all = FitParameters(model.points, model.groups, model.labels, starts, options, nullptr);
    for (const KernelParameters& start : starts) {
      EXPECT_GE(screened.log_posterior,
                LogPosterior(model.points, model.groups, model.labels, start, options, nullptr));
    }
    lost += (all.log_posterior - screened.log_posterior) / 20;
    evaluations += screened.evaluations;
    all_evaluations += all.evaluations;
  }
  EXPECT_LT(lost, 1) << "nats in the mean";
  EXPECT_LT(3 * evaluations, 2 * all_evaluations);
}

TEST(FitTest, LearnsTheNoise) {
  core::Rng rng(5, 0);
  ModelCase model;
  model.points = RandomMatrix(rng, 1, 120);
  model.groups = {0};
  model.labels.resize(120);
  for (Index i = 0; i < 120; ++i) {
    const double u = 1 - rng.NextDouble();
    const double normal = std::sqrt(-2 * std::log(u)) * std::cos(2 * M_PI * rng.NextDouble());
    model.labels[i] = std::sin(6 * model.points(0, i)) + 0.3 * normal;
  }
  const FitResult fit =
      FitParameters(model.points, model.groups, model.labels, {DefaultParameters(1, {})}, {}, nullptr);
  EXPECT_GT(fit.parameters.noise(), 0.05);
  EXPECT_LT(fit.parameters.noise(), 0.15);
}

TEST(FitTest, OddData) {
  const FitOptions options;
  const auto fit = [&](const MatrixXd& points, const VectorXd& labels) {
    std::vector<int> groups(static_cast<size_t>(points.rows()));
    std::iota(groups.begin(), groups.end(), 0);
    const int count = static_cast<int>(points.rows());
    const FitResult result = FitParameters(
        points, groups, labels, {DefaultParameters(count, options), RandomParameters(count, 1, 0)}, options, nullptr);
    EXPECT_TRUE(result.parameters.log_length.allFinite());
    EXPECT_TRUE(std::isfinite(result.parameters.log_signal) && std::isfinite(result.parameters.log_noise));
    return result;
  };
  fit(MatrixXd(3, 0), VectorXd());
  fit(MatrixXd::Constant(3, 1, 0.1), VectorXd::Zero(1));
  fit(MatrixXd::Constant(3, 100, 0.1), VectorXd::LinSpaced(100, -2, 2));  // duplicates with different values
  fit(MatrixXd::Random(3, 50), VectorXd::Zero(50));                       // a constant objective
  fit(MatrixXd::Random(100, 30), VectorXd::Random(30));
  VectorXd outlier = VectorXd::Constant(30, 0.2);
  outlier[7] = -5.3;
  fit(MatrixXd::Random(2, 30), outlier);
  fit(MatrixXd(0, 5), VectorXd::Random(5));  // a space of constants
}

TEST(FitTest, StopsWhenTold) {
  const ModelCase model = RandomCase(1, 60);
  const int groups = model.groups.back() + 1;
  const std::atomic<bool> stop = true;
  const FitResult fit =
      FitParameters(model.points, model.groups, model.labels, {DefaultParameters(groups, {})}, {}, &stop);
  EXPECT_LE(fit.evaluations, 2);
}

}  // namespace
}  // namespace tuner::strategies::gp
