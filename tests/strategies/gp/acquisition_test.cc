#include "strategies/gp/acquisition.h"

#include <cmath>
#include <memory>
#include <vector>

#include "gtest/gtest.h"
#include "strategies/gp/lockstep_lbfgs.h"
#include "strategies/gp/multi_output.h"
#include "strategies/gp/normal.h"
#include "tests/strategies/gp/model_cases.h"

namespace tuner::strategies::gp {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

MatrixXd Point(double x, double y) {
  MatrixXd point(2, 1);
  point << x, y;
  return point;
}

// The posterior's mean, or its variance.
class Moment : public MeanDeviationAcquisition {
 public:
  Moment(const Posterior& posterior, const MatrixXd& pending, bool variance)
      : MeanDeviationAcquisition(posterior, pending), variance_(variance) {}

 protected:
  Value Evaluate(double mean, double deviation) const override {
    if (!variance_) return {.value = mean, .by_mean = 1, .by_deviation = 0};
    return {.value = deviation * deviation, .by_mean = 0, .by_deviation = 2 * deviation};
  }

 private:
  bool variance_;
};

// Spec, section 6.
TEST(AcquisitionTest, GradientReferenceValues) {
  const Posterior posterior = ReferenceCase().Fitted();
  VectorXd values;
  MatrixXd gradients;
  Moment(posterior, MatrixXd(2, 0), false).ValuesAndGradients(Point(.25, .25), values, gradients);
  EXPECT_NEAR(values[0], .67034813625009, 1e-12);
  EXPECT_NEAR(gradients(0, 0), 3.63567004340832, 1e-12);
  EXPECT_NEAR(gradients(1, 0), -.8911751861489, 1e-12);
  Moment(posterior, MatrixXd(2, 0), true).ValuesAndGradients(Point(.25, .25), values, gradients);
  EXPECT_NEAR(values[0], .31324680444192, 1e-12);
  EXPECT_NEAR(gradients(0, 0), 2.07832653754412, 1e-12);
  EXPECT_NEAR(gradients(1, 0), -.16179835502474, 1e-12);
}

// The reference is for an incumbent of 1.2; ours is the highest posterior mean.
TEST(AcquisitionTest, LogExpectedImprovementReferenceValues) {
  const Posterior posterior = ReferenceCase().Fitted();
  const auto value = [&](const MatrixXd& x, double incumbent) {
    const Prediction prediction = posterior.Predict(x);
    const double deviation = std::sqrt(prediction.variance[0]);
    return LogH((prediction.mean[0] - incumbent) / deviation).value + std::log(deviation);
  };
  EXPECT_NEAR(value(Point(.25, .25), 1.2), -2.964355937257164, 1e-12);
  EXPECT_NEAR(value(Point(.95, .05), 1.2), -4.589059198082468, 1e-11);
  const LogExpectedImprovement acquisition(posterior, MatrixXd(2, 0));
  EXPECT_NEAR(acquisition.model().incumbent(), 1.17460929209208, 1e-12);
  EXPECT_NEAR(acquisition.Values(Point(.25, .25))[0], value(Point(.25, .25), 1.17460929209208), 1e-12);
}

std::vector<std::unique_ptr<MeanDeviationAcquisition>> All(const Posterior& posterior, const MatrixXd& pending) {
  std::vector<std::unique_ptr<MeanDeviationAcquisition>> all;
  all.push_back(std::make_unique<UpperConfidenceBound>(posterior, pending, 1.8));
  all.push_back(std::make_unique<LogExpectedImprovement>(posterior, pending));
  return all;
}

TEST(AcquisitionTest, GradientsAgreeWithDifferences) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const ModelCase model = RandomCase(seed, 1 + static_cast<Index>(seed));
    core::Rng rng(seed, 5);
    const Index width = model.points.rows();
    const MatrixXd pending = RandomMatrix(rng, width, static_cast<Index>(seed % 4));
    const MatrixXd x = RandomMatrix(rng, width, 6);
    for (const auto& acquisition : All(model.Fitted(), pending)) {
      VectorXd values;
      MatrixXd gradients;
      acquisition->ValuesAndGradients(x, values, gradients);
      ASSERT_LE((values - acquisition->Values(x)).lpNorm<Eigen::Infinity>(),
                1e-9 * (1 + values.lpNorm<Eigen::Infinity>()));
      for (Index d = 0; d < width; ++d) {
        constexpr double kStep = 1e-5;
        MatrixXd up = x;
        MatrixXd down = x;
        up.row(d).array() += kStep;
        down.row(d).array() -= kStep;
        const VectorXd difference = (acquisition->Values(up) - acquisition->Values(down)) / (2 * kStep);
        for (Index i = 0; i < x.cols(); ++i) {
          EXPECT_NEAR(gradients(d, i), difference[i], 1e-5 * (1 + std::abs(difference[i]))) << "seed " << seed;
        }
      }
    }
  }
}

TEST(AcquisitionTest, UpperBoundsAreNeverExceeded) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const ModelCase model = RandomCase(seed, static_cast<Index>(seed), 1e-8);
    core::Rng rng(seed, 6);
    const MatrixXd x = RandomMatrix(rng, model.points.rows(), 200);
    const MatrixXd pending = RandomMatrix(rng, model.points.rows(), static_cast<Index>(seed % 3));
    for (const auto& acquisition : All(model.Fitted(), pending)) {
      const VectorXd values = acquisition->Values(x);
      const VectorXd bounds = acquisition->UpperBounds(x);
      ASSERT_TRUE(values.allFinite()) << "seed " << seed;
      for (Index i = 0; i < x.cols(); ++i) {
        ASSERT_GE(bounds[i], values[i] - 1e-9 * (1 + std::abs(values[i]))) << "seed " << seed;
      }
    }
  }
}

// Hallucinated: the deviation falls as if the point were observed, the mean and the incumbent stay.
TEST(AcquisitionTest, PendingPointsLowerTheDeviationOnly) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const ModelCase model = RandomCase(seed, 20);
    core::Rng rng(seed, 7);
    const MatrixXd pending = RandomMatrix(rng, model.points.rows(), 3);
    const MatrixXd x = RandomMatrix(rng, model.points.rows(), 30);
    const Posterior posterior = model.Fitted();
    const VectorXd mean = posterior.Predict(x).mean;
    const Moment mean_only(posterior, pending, false);
    EXPECT_LE((mean_only.Values(x) - mean).lpNorm<Eigen::Infinity>(), 1e-10 * (1 + mean.lpNorm<Eigen::Infinity>()));
    EXPECT_EQ(mean_only.model().incumbent(), posterior.MeanAtPoints().maxCoeff());
    ModelCase observed = model;
    observed.points.conservativeResize(Eigen::NoChange, 23);
    observed.points.rightCols(3) = pending;
    observed.labels = VectorXd::Zero(23);
    const VectorXd variance = observed.Fitted().Predict(x).variance;
    EXPECT_LE((Moment(posterior, pending, true).Values(x) - variance).lpNorm<Eigen::Infinity>(),
              1e-9 * model.parameters.signal())
        << "seed " << seed;
    // And the posterior that was passed is as it was.
    EXPECT_EQ(posterior.Predict(x).mean, mean);
  }
}

TEST(MultiOutputTest, GradientsAgreeWithDifferencesAndBoundsHold) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const ModelCase model = RandomCase(seed, 15);
    core::Rng rng(seed, 9);
    const Index width = model.points.rows();
    const MatrixXd pending = RandomMatrix(rng, width, 2);
    const size_t objective_count = 1 + seed % 3;
    std::vector<PendingModel> objectives;
    MatrixXd results(model.points.cols(), static_cast<Index>(objective_count));
    for (size_t i = 0; i < objective_count; ++i) {
      ModelCase one = model;
      one.labels = RandomMatrix(rng, 15, 1);
      const Posterior posterior = one.Fitted();
      results.col(static_cast<Index>(i)) = posterior.MeanAtPoints();
      objectives.emplace_back(posterior, pending);
    }
    if (seed % 5 == 4) results.resize(0, results.cols());  // no feasible point yet
    std::vector<ConstraintModel> constraints;
    for (uint64_t i = 0; i < seed % 2 + (seed % 5 == 4 ? 1 : 0); ++i) {
      constraints.push_back({.model = PendingModel(model.Fitted(), pending), .least = 0.2});
    }
    const MultiOutputAcquisition acquisition(objectives, constraints, results,
                                             VectorXd::Constant(static_cast<Index>(objective_count), 0.1));
    const MatrixXd x = RandomMatrix(rng, width, 12);
    VectorXd values;
    MatrixXd gradients;
    acquisition.ValuesAndGradients(x, values, gradients);
    EXPECT_LE((acquisition.Values(x) - values).lpNorm<Eigen::Infinity>(), 1e-8);
    const VectorXd bounds = acquisition.UpperBounds(x);
    for (Index p = 0; p < x.cols(); ++p) EXPECT_GE(bounds[p], values[p] - 1e-9) << "seed " << seed;
    constexpr double kStep = 1e-6;
    for (Index i = 0; i < width; ++i) {
      MatrixXd up = x;
      MatrixXd down = x;
      up.row(i).array() += kStep;
      down.row(i).array() -= kStep;
      const VectorXd slopes = (acquisition.Values(up) - acquisition.Values(down)) / (2 * kStep);
      for (Index p = 0; p < x.cols(); ++p) {
        EXPECT_NEAR(gradients(i, p), slopes[p], 1e-3 * (1 + std::abs(slopes[p]))) << "seed " << seed << " point " << p;
      }
    }
  }
}

// Each climb goes as it would alone.
TEST(ClimbTest, TogetherEqualsAlone) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const ModelCase model = RandomCase(seed, 25);
    const UpperConfidenceBound acquisition(model.Fitted(), MatrixXd(model.points.rows(), 0), 1.8);
    core::Rng rng(seed, 8);
    const Index width = model.points.rows();
    const MatrixXd starts = RandomMatrix(rng, width, 9);
    const MatrixXd low = MatrixXd::Constant(width, 9, -0.5);
    const MatrixXd high = MatrixXd::Constant(width, 9, 0.5);
    const VectorXd scales = VectorXd::Constant(width, 0.3);
    const BatchFunction function = [&](const MatrixXd& x, const std::vector<int>&, VectorXd& values,
                                       MatrixXd& gradients) { acquisition.ValuesAndGradients(x, values, gradients); };
    const ClimbResult together = Climb(starts, low, high, scales, function, {});
    const VectorXd before = acquisition.Values(starts);
    for (Index i = 0; i < 9; ++i) {
      EXPECT_GE(together.values[i], before[i] - 1e-12) << "seed " << seed;
      EXPECT_GE(together.points.col(i).minCoeff(), -0.5);
      EXPECT_LE(together.points.col(i).maxCoeff(), 0.5);
      const ClimbResult alone = Climb(starts.col(i), low.col(i), high.col(i), scales, function, {});
      EXPECT_NEAR(alone.values[0], together.values[i], 1e-6 * (1 + std::abs(alone.values[0]))) << "seed " << seed;
    }
  }
}

// On a concave quadratic the top of the box is known.
TEST(ClimbTest, FindsTheTopOfAQuadraticInABox) {
  constexpr Index kWidth = 5;
  const VectorXd curvature = VectorXd::LinSpaced(kWidth, 1, 1000);
  const VectorXd centre = VectorXd::LinSpaced(kWidth, -0.3, 1.4);  // the last one is outside
  const BatchFunction function = [&](const MatrixXd& x, const std::vector<int>&, VectorXd& values,
                                     MatrixXd& gradients) {
    const MatrixXd shifted = x.colwise() - centre;
    values = -0.5 * (curvature.asDiagonal() * shifted.cwiseAbs2()).colwise().sum().transpose();
    gradients = -(curvature.asDiagonal() * shifted);
  };
  const MatrixXd low = MatrixXd::Constant(kWidth, 3, -1);
  const MatrixXd high = MatrixXd::Constant(kWidth, 3, 1);
  MatrixXd starts = MatrixXd::Zero(kWidth, 3);
  starts.col(1).setConstant(-1);
  starts.col(2).setConstant(1);
  const ClimbResult result =
      Climb(starts, low, high, VectorXd::Ones(kWidth), function, {.max_evaluations = 200, .value_tolerance = 1e-15});
  for (Index i = 0; i < 3; ++i) {
    EXPECT_LE((result.points.col(i) - centre.cwiseMin(1)).lpNorm<Eigen::Infinity>(), 1e-3) << i;
  }
}

}  // namespace
}  // namespace tuner::strategies::gp
