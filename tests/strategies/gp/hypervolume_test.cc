#include "strategies/gp/hypervolume.h"

#include <cmath>
#include <vector>

#include "core/rng.h"
#include "gtest/gtest.h"

namespace tuner::strategies::gp {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

MatrixXd RandomResults(core::Rng& rng, Index rows, Index objectives) {
  MatrixXd results(rows, objectives);
  for (Index i = 0; i < results.size(); ++i) results.data()[i] = rng.NextDouble();
  if (rows > 3) results.row(1) = results.row(0);  // a tie
  return results;
}

// Share of points of the box from `reference` to `top` that a row dominates, by counting a grid.
double CountedVolume(const MatrixXd& rows, const VectorXd& reference, const VectorXd& top, int steps) {
  const Index objectives = reference.size();
  const double cells = std::pow(steps, static_cast<double>(objectives));
  double inside = 0;
  for (int64_t cell = 0; cell < static_cast<int64_t>(cells); ++cell) {
    VectorXd point(objectives);
    int64_t rest = cell;
    for (Index i = 0; i < objectives; ++i) {
      point[i] = reference[i] + (top[i] - reference[i]) * (static_cast<double>(rest % steps) + 0.5) / steps;
      rest /= steps;
    }
    bool dominated = false;
    for (Index row = 0; !dominated && row < rows.rows(); ++row) {
      dominated = (rows.row(row).transpose().array() >= point.array()).all();
    }
    inside += dominated ? 1 : 0;
  }
  return inside / cells * (top - reference).prod();
}

TEST(HypervolumeTest, ParetoRowsAreThoseThatNoneDominates) {
  core::Rng rng(1, 2);
  for (int round = 0; round < 50; ++round) {
    const MatrixXd results = RandomResults(rng, 1 + round % 12, 2 + round % 2);
    const MatrixXd front = ParetoRows(results);
    for (Index row = 0; row < results.rows(); ++row) {
      bool covered = false;  // by a row of the front, itself perhaps
      for (Index f = 0; f < front.rows(); ++f) {
        covered |= (front.row(f).array() >= results.row(row).array()).all();
      }
      EXPECT_TRUE(covered);
    }
    for (Index a = 0; a < front.rows(); ++a) {
      for (Index b = 0; b < front.rows(); ++b) {
        EXPECT_FALSE(a != b && (front.row(a).array() >= front.row(b).array()).all());
      }
    }
  }
}

// With next to no deviation the expectation is the plain improvement of the volume.
TEST(HypervolumeTest, WithoutDeviationItIsTheVolumeThatAPointAdds) {
  core::Rng rng(3, 4);
  for (int round = 0; round < 24; ++round) {
    const Index objectives = 2 + round % 2;
    const MatrixXd results = RandomResults(rng, 1 + round % 9, objectives);
    const VectorXd reference = VectorXd::Constant(objectives, 0.2);  // some results are below
    const HypervolumeImprovement improvement(ParetoRows(results), reference);
    MatrixXd with(results.rows() + 1, objectives);
    with.topRows(results.rows()) = results;
    for (Index i = 0; i < objectives; ++i) with(results.rows(), i) = 0.2 + rng.NextDouble();
    const VectorXd point = with.row(results.rows()).transpose();
    const std::vector<double> means(point.data(), point.data() + objectives);
    const double value = improvement.Of(means, std::vector<double>(means.size(), 1e-9)).value;
    const VectorXd top = VectorXd::Constant(objectives, 1.2);
    const int steps = objectives == 2 ? 400 : 60;
    const double counted = CountedVolume(with, reference, top, steps) - CountedVolume(results, reference, top, steps);
    EXPECT_NEAR(value, counted, objectives == 2 ? 0.01 : 0.04) << "round " << round;
  }
}

TEST(HypervolumeTest, IsTheMeanOverDraws) {
  core::Rng rng(5, 6);
  const auto normal = [&rng] {
    return std::sqrt(-2 * std::log(1 - rng.NextDouble())) * std::cos(2 * M_PI * rng.NextDouble());
  };
  for (const Index objectives : {2, 3}) {
    const MatrixXd front = ParetoRows(RandomResults(rng, 8, objectives));
    const HypervolumeImprovement improvement(front, VectorXd::Zero(objectives));
    const std::vector<double> means(static_cast<size_t>(objectives), 0.6);
    const std::vector<double> deviations(static_cast<size_t>(objectives), 0.3);
    double sum = 0;
    constexpr int kDraws = 100'000;
    for (int draw = 0; draw < kDraws; ++draw) {
      std::vector<double> values(means);
      for (double& value : values) value += 0.3 * normal();
      sum += improvement.Of(values, std::vector<double>(means.size(), 1e-9)).value;
    }
    const double value = improvement.Of(means, deviations).value;
    EXPECT_NEAR(value, sum / kDraws, 0.03 * value) << objectives;
  }
}

TEST(HypervolumeTest, SlopesAgreeWithDifferences) {
  core::Rng rng(7, 8);
  for (int round = 0; round < 20; ++round) {
    const Index objectives = 2 + round % 2;
    const HypervolumeImprovement improvement(ParetoRows(RandomResults(rng, 6, objectives)),
                                             VectorXd::Constant(objectives, -0.1));
    std::vector<double> means(static_cast<size_t>(objectives));
    for (double& mean : means) mean = rng.NextDouble();
    std::vector<double> deviations(means.size(), 0.05 + 0.4 * rng.NextDouble());
    const HypervolumeImprovement::Expectation at = improvement.Of(means, deviations);
    constexpr double kStep = 1e-6;
    for (size_t i = 0; i < means.size(); ++i) {
      const auto slope = [&](std::vector<double>& moved) {
        const double before = moved[i];
        moved[i] = before + kStep;
        const double up = improvement.Of(means, deviations).value;
        moved[i] = before - kStep;
        const double down = improvement.Of(means, deviations).value;
        moved[i] = before;
        return (up - down) / (2 * kStep);
      };
      EXPECT_NEAR(at.by_mean[i], slope(means), 1e-7);
      EXPECT_NEAR(at.by_deviation[i], slope(deviations), 1e-7);
      EXPECT_GE(at.by_deviation[i], -1e-12) << "bounds rely on it";
    }
  }
}

// Points on a sphere, of which none dominates another: boxes by the square would be 45,000.
TEST(HypervolumeTest, BoxesOfThreeObjectivesStayFew) {
  core::Rng rng(9, 10);
  MatrixXd front = RandomResults(rng, 300, 3);
  for (Index row = 0; row < front.rows(); ++row) front.row(row).normalize();
  const HypervolumeImprovement improvement(ParetoRows(front), VectorXd::Constant(3, -0.1));
  EXPECT_LT(improvement.box_count(), 12'000u);
}

// Long before exp underflows, far points still differ.
TEST(HypervolumeTest, FarBelowTheFrontItStaysPositive) {
  MatrixXd front(1, 2);
  front << 1, 1;
  const HypervolumeImprovement improvement(front, VectorXd::Zero(2));
  const double near = improvement.Of({-1, -1}, {0.1, 0.1}).value;
  const double far = improvement.Of({-1.2, -1}, {0.1, 0.1}).value;
  EXPECT_GT(near, far);
  EXPECT_GT(far, 0);
}

}  // namespace
}  // namespace tuner::strategies::gp
