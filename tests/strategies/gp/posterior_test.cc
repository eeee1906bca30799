#include "strategies/gp/posterior.h"

#include <Eigen/Dense>
#include <cmath>
#include <vector>

#include "gtest/gtest.h"
#include "strategies/gp/encoder.h"
#include "tests/core/random_space.h"
#include "tests/strategies/gp/model_cases.h"

namespace tuner::strategies::gp {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

double MostDifference(const MatrixXd& a, const MatrixXd& b) { return (a - b).lpNorm<Eigen::Infinity>(); }

MatrixXd Covariance(const ModelCase& model) {
  const MatrixXd scaled = Scaled(model.points, model.groups, model.parameters);
  MatrixXd covariance = SquaredDistances(scaled, scaled);
  CovarianceFromSquaredDistances(model.parameters.signal(), covariance.data(), covariance.size());
  return covariance;
}

// Spec, section 6.
TEST(PosteriorTest, ReferenceValues) {
  const Posterior posterior = ReferenceCase().Fitted();
  MatrixXd queries(2, 3);
  queries << .25, .5, .95,  //
      .25, .5, .05;
  const Prediction prediction = posterior.Predict(queries);
  EXPECT_LE(MostDifference(prediction.mean, Eigen::Vector3d(.67034813625009, 1.17460929209208, -.21446776787897)),
            1e-12);
  EXPECT_LE(MostDifference(prediction.variance, Eigen::Vector3d(.31324680444192, .00981236638134, .59607013618171)),
            1e-12);
  const Prediction left_out = posterior.LeaveOneOut();
  VectorXd mean(5);
  mean << .24123587916083, .82497617685043, -.15320674882125, .05378731928554, -.13871663104945;
  VectorXd variance(5);
  variance << 1.32481970005901, .67102970843529, .53295353313061, .57599135985014, .70239357803492;
  EXPECT_LE(MostDifference(left_out.mean, mean), 1e-12);
  EXPECT_LE(MostDifference(left_out.variance, variance), 1e-12);
}

// Mixed and conditional spaces.
TEST(PosteriorTest, KernelIsPositiveSemidefinite) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    std::vector<core::Parameter> parameters = core::RandomSpaces(seed).NextParameters(8);
    parameters.push_back(core::Named("real", core::DoubleDomain{.min = 0, .max = 1}));
    const Encoder encoder(core::SearchSpace::Make(parameters));
    core::Rng rng(seed, 1);
    std::vector<std::vector<double>> points(40);
    for (auto& point : points) {
      point.resize(parameters.size());
      for (double& unit : point) unit = rng.NextDouble();
      encoder.Snap(absl::MakeSpan(point));
    }
    ModelCase model{.points = encoder.EncodeAll(points), .groups = encoder.column_groups()};
    model.parameters.log_length = 2 * RandomMatrix(rng, encoder.group_count(), 1).array() - 1;
    const MatrixXd covariance = Covariance(model);
    const double least = Eigen::SelfAdjointEigenSolver<MatrixXd>(covariance).eigenvalues().minCoeff();
    ASSERT_GE(least, -1e-10 * 40) << "seed " << seed;
    ASSERT_LE(covariance.maxCoeff(), 1 + 1e-12) << "seed " << seed;
  }
}

TEST(PosteriorTest, VarianceIsBoundedAndNeverRises) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const ModelCase model = RandomCase(seed, 30, 1e-8);
    core::Rng rng(seed, 2);
    const MatrixXd queries = 1.5 * RandomMatrix(rng, model.points.rows(), 20);
    Posterior posterior(model.points.leftCols(0), model.groups, model.parameters);
    posterior.SetLabels(VectorXd());
    VectorXd before = VectorXd::Constant(20, model.parameters.signal() * (1 + 1e-12));
    for (Index i = 0; i < 30; ++i) {
      posterior.Append(model.points.col(i));
      posterior.SetLabels(model.labels.head(i + 1));
      const VectorXd variance = posterior.Predict(queries).variance;
      ASSERT_GE(variance.minCoeff(), 0) << "seed " << seed;
      ASSERT_LE((variance - before).maxCoeff(), 1e-10 * model.parameters.signal()) << "seed " << seed;
      before = variance;
    }
  }
}

TEST(PosteriorTest, InterpolatesWithoutNoise) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    ModelCase model = RandomCase(seed, 12);
    model.parameters.log_noise = std::log(1e-8);
    model.labels = (2 * model.points.colwise().sum()).array().sin().matrix().transpose();
    const Posterior posterior = model.Fitted();
    const Prediction prediction = posterior.Predict(model.points);
    EXPECT_LE(MostDifference(prediction.mean, model.labels), 1e-3) << "seed " << seed;
    EXPECT_LE(prediction.variance.maxCoeff(), 2e-8) << "seed " << seed;
    EXPECT_LE(MostDifference(posterior.MeanAtPoints(), prediction.mean), 1e-7) << "seed " << seed;
  }
}

TEST(PosteriorTest, AppendingEqualsFactorising) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const ModelCase model = RandomCase(seed, 80);
    core::Rng rng(seed, 3);
    const MatrixXd queries = RandomMatrix(rng, model.points.rows(), 20);
    const Posterior whole = model.Fitted();
    for (const Index first : {0, 1, 17, 79}) {
      Posterior grown(model.points.leftCols(first), model.groups, model.parameters);
      for (Index i = first; i < 80; ++i) grown.Append(model.points.col(i));
      grown.SetLabels(model.labels);
      ASSERT_EQ(grown.size(), 80);
      ASSERT_EQ(MatrixXd(grown.points()), model.points);
      const Prediction a = whole.Predict(queries);
      const Prediction b = grown.Predict(queries);
      ASSERT_LE(MostDifference(a.mean, b.mean), 1e-9 * (1 + a.mean.lpNorm<Eigen::Infinity>())) << "seed " << seed;
      ASSERT_LE(MostDifference(a.variance, b.variance), 1e-9 * model.parameters.signal()) << "seed " << seed;
      ASSERT_LE(MostDifference(whole.LeaveOneOut().mean, grown.LeaveOneOut().mean), 1e-7) << "seed " << seed;
    }
  }
}

TEST(PosteriorTest, OrderOfObservationsDoesNotMatter) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const ModelCase model = RandomCase(seed, 40);
    ModelCase reversed = model;
    reversed.points = model.points.rowwise().reverse();
    reversed.labels = model.labels.reverse();
    core::Rng rng(seed, 3);
    const MatrixXd queries = RandomMatrix(rng, model.points.rows(), 20);
    const Prediction a = model.Fitted().Predict(queries);
    const Prediction b = reversed.Fitted().Predict(queries);
    EXPECT_LE(MostDifference(a.mean, b.mean), 1e-9 * (1 + a.mean.lpNorm<Eigen::Infinity>())) << "seed " << seed;
    EXPECT_LE(MostDifference(a.variance, b.variance), 1e-9 * model.parameters.signal()) << "seed " << seed;
  }
}

// Repeated evaluations of one point with different values, at the least noise that a fit may choose.
TEST(PosteriorTest, DuplicatesAverage) {
  ModelCase model;
  model.points = MatrixXd::Constant(3, 100, 0.25);
  model.groups = {0, 1, 2};
  model.labels = VectorXd::LinSpaced(100, -1, 3);
  model.parameters = {.log_length = VectorXd::Zero(3), .log_signal = 0, .log_noise = std::log(1e-8)};
  for (const Index first : {0, 50, 100}) {
    Posterior posterior(model.points.leftCols(first), model.groups, model.parameters);
    for (Index i = first; i < 100; ++i) posterior.Append(model.points.col(i));
    posterior.SetLabels(model.labels);
    const Prediction prediction = posterior.Predict(model.points.leftCols(1));
    EXPECT_NEAR(prediction.mean[0], 1, 1e-4) << first;
    EXPECT_GE(prediction.variance[0], 0) << first;
    EXPECT_LE(prediction.variance[0], 1e-7) << first;
    EXPECT_TRUE(posterior.weights().allFinite()) << first;
  }
}

// The mean under its standard normal prior, by the textbook's formula with an explicit inverse; what is predicted far
// from all data is it.
TEST(PosteriorTest, ConstantMean) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const ModelCase model = RandomCase(seed, 25, 1e-2);
    MatrixXd covariance = Covariance(model);
    covariance.diagonal().array() = model.parameters.signal() + model.parameters.noise();
    const MatrixXd inverse = covariance.inverse();
    const VectorXd ones = VectorXd::Ones(25);
    const double mean = ones.dot(inverse * model.labels) / (ones.dot(inverse * ones) + 1);
    Posterior posterior = model.Fitted();
    posterior.SetLabels(model.labels, /*constant_mean=*/true);
    EXPECT_NEAR(posterior.mean(), mean, 1e-9 * (1 + std::abs(mean))) << "seed " << seed;
    const MatrixXd far = MatrixXd::Constant(model.points.rows(), 1, 1e6);
    EXPECT_EQ(posterior.Predict(far).mean[0], posterior.mean()) << "seed " << seed;
    const VectorXd weights = inverse * (model.labels.array() - mean).matrix();
    EXPECT_LE(MostDifference(posterior.weights(), weights), 1e-8 * (1 + weights.lpNorm<Eigen::Infinity>()));
    EXPECT_LE(MostDifference(posterior.MeanAtPoints(), posterior.Predict(model.points).mean), 1e-9) << "seed " << seed;
  }
}

TEST(PosteriorTest, NoObservations) {
  const ModelCase model = ReferenceCase();
  Posterior posterior(model.points.leftCols(0), model.groups, model.parameters);
  posterior.SetLabels(VectorXd());
  const Prediction prediction = posterior.Predict(model.points);
  EXPECT_EQ(prediction.mean, VectorXd::Zero(5));
  EXPECT_LE(MostDifference(prediction.variance, VectorXd::Constant(5, 1.5)), 1e-15);
  EXPECT_EQ(posterior.LeaveOneOut().mean.size(), 0);
}

TEST(PosteriorTest, WeightedGradientsAgreeWithDifferences) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const ModelCase model = RandomCase(seed, 15);
    const Posterior posterior = model.Fitted();
    core::Rng rng(seed, 4);
    const MatrixXd x = RandomMatrix(rng, model.points.rows(), 1);
    MatrixXd covariance;
    MatrixXd slope;
    posterior.CrossCovarianceAndSlope(x, covariance, slope);
    const VectorXd weights = RandomMatrix(rng, 15, 1);
    const VectorXd gradient = posterior.WeightedGradients(x, weights.cwiseProduct(slope.col(0)));
    for (Index d = 0; d < x.rows(); ++d) {
      constexpr double kStep = 1e-5;
      MatrixXd up = x;
      MatrixXd down = x;
      up(d, 0) += kStep;
      down(d, 0) -= kStep;
      const double difference =
          weights.dot(posterior.CrossCovariance(up).col(0) - posterior.CrossCovariance(down).col(0)) / (2 * kStep);
      EXPECT_NEAR(gradient[d], difference, 1e-6 * (1 + std::abs(difference))) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace tuner::strategies::gp
