#include "strategies/gp/dense.h"

#include <Eigen/Dense>
#include <cmath>
#include <string>

#include "core/rng.h"
#include "gtest/gtest.h"

namespace tuner::strategies::gp {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;

MatrixXd Random(Index rows, Index cols, uint64_t seed) {
  core::Rng rng(seed, 0);
  MatrixXd result(rows, cols);
  for (double& x : result.reshaped()) x = 2 * rng.NextDouble() - 1;
  return result;
}

MatrixXd PositiveDefinite(Index n, uint64_t seed) {
  const MatrixXd root = Random(n, n, seed);
  MatrixXd result = root * root.transpose();
  result.diagonal().array() += 0.1 * static_cast<double>(n);
  return result;
}

class DenseTest : public testing::TestWithParam<const DenseKernels*> {};

TEST_P(DenseTest, FactorsInversesAndSquares) {
  for (const Index n : {0, 1, 2, 3, 7, 31, 48, 49, 64, 100, 131, 256, 301}) {
    const MatrixXd a = PositiveDefinite(n, static_cast<uint64_t>(n));
    const Index stride = n + 3;  // within a larger matrix
    MatrixXd buffer = MatrixXd::Constant(stride, n + 1, 7);
    buffer.topLeftCorner(n, n) = a;
    ASSERT_TRUE(GetParam()->factorise(buffer.data(), n, stride)) << n;
    const MatrixXd l = buffer.topLeftCorner(n, n).triangularView<Eigen::Lower>();
    const double tolerance = 1e-13 * static_cast<double>(n + 1);
    EXPECT_LE((l * l.transpose() - a).norm(), tolerance * (1 + a.norm())) << n;

    GetParam()->invert_lower(buffer.data(), n, stride);
    const MatrixXd m = buffer.topLeftCorner(n, n).triangularView<Eigen::Lower>();
    EXPECT_LE((m * l - MatrixXd::Identity(n, n)).norm(), tolerance * 10) << n;

    GetParam()->square_of_lower(buffer.data(), n, stride);
    const MatrixXd square = buffer.topLeftCorner(n, n).selfadjointView<Eigen::Lower>();
    EXPECT_LE((square * a - MatrixXd::Identity(n, n)).norm(), tolerance * 100) << n;

    MatrixXd upper = MatrixXd::Zero(n, n);
    upper.triangularView<Eigen::StrictlyUpper>() = a;
    MatrixXd left = MatrixXd::Zero(n, n);
    left.triangularView<Eigen::StrictlyUpper>() = buffer.topLeftCorner(n, n);
    EXPECT_EQ(left, upper) << "wrote above the diagonal at " << n;
    EXPECT_EQ(buffer.bottomRows(3), MatrixXd::Constant(3, n + 1, 7)) << "wrote below at " << n;
  }
}

TEST_P(DenseTest, RefusesWhatIsNotPositiveDefinite) {
  for (const Index n : {1, 5, 60, 200}) {
    MatrixXd a = PositiveDefinite(n, 1);
    a(n - 1, n - 1) = -1;
    EXPECT_FALSE(GetParam()->factorise(a.data(), n, n)) << n;
    a = PositiveDefinite(n, 1);
    a(n - 1, 0) = std::nan("");
    EXPECT_FALSE(GetParam()->factorise(a.data(), n, n)) << n;
    a = PositiveDefinite(n, 1);
    a(0, 0) = INFINITY;
    EXPECT_FALSE(GetParam()->factorise(a.data(), n, n)) << n;
  }
}

TEST_P(DenseTest, Products) {
  for (const Index k : {0, 1, 3, 10, 65, 200}) {
    for (const Index m : {1, 4, 33, 120}) {
      for (const Index n : {1, 2, 10, 70}) {
        const MatrixXd a = Random(m, k, 1);
        const MatrixXd b = Random(k + 2, n, 2);
        const MatrixXd expected = a * b.topRows(k);
        MatrixXd c(m, n);
        GetParam()->product(a.data(), m, false, b.data(), k + 2, c.data(), m, n, k);
        EXPECT_LE((c - expected).norm(), 1e-12) << m << " " << n << " " << k;
        const MatrixXd transposed = a.transpose();
        c.setZero();
        GetParam()->product(transposed.data(), k, true, b.data(), k + 2, c.data(), m, n, k);
        EXPECT_LE((c - expected).norm(), 1e-12) << m << " " << n << " " << k;
      }
    }
  }
}

TEST_P(DenseTest, LowerProductsIgnoreTheUpperHalf) {
  for (const Index n : {0, 1, 3, 10, 65, 200}) {
    for (const Index m : {1, 2, 10, 70}) {
      const MatrixXd l = Random(n, n, 1);
      const MatrixXd lower = l.triangularView<Eigen::Lower>();
      const MatrixXd b = Random(n, m, 2);
      MatrixXd c(n, m);
      GetParam()->lower_product(l.data(), n, false, b.data(), n, c.data(), n, m);
      EXPECT_LE((c - lower * b).norm(), 1e-12) << n << " " << m;
      GetParam()->lower_product(l.data(), n, true, b.data(), n, c.data(), n, m);
      EXPECT_LE((c - lower.transpose() * b).norm(), 1e-12) << n << " " << m;
    }
  }
}

// Matern-5/2, spec section 6.
TEST_P(DenseTest, CovarianceReferenceValues) {
  const Eigen::VectorXd r = Eigen::Vector4d(.1, .5, 1, 2);
  const Eigen::VectorXd expected =
      Eigen::Vector4d(.9917592361711776, .8286491424181255, .5239941088318203, .13866021913850426);
  Eigen::VectorXd values = r.cwiseAbs2();
  Eigen::VectorXd slopes(4);
  GetParam()->covariance(1, values.data(), slopes.data(), 4);
  EXPECT_LE((values - expected).lpNorm<Eigen::Infinity>(), 1e-15);
  for (Index i = 0; i < 4; ++i) {
    const double a = std::sqrt(5.0) * r[i];
    EXPECT_NEAR(slopes[i], 5.0 / 3 * (1 + a) * std::exp(-a), 1e-15);
  }
}

TEST_P(DenseTest, CovarianceIsTheSameAtEveryPlace) {
  Eigen::VectorXd distances(1000);
  for (Index i = 0; i < 1000; ++i) distances[i] = i == 999 ? 1e6 : 1e-4 * static_cast<double>(i * i);
  Eigen::VectorXd all = distances;
  Eigen::VectorXd slopes(1000);
  GetParam()->covariance(2.5, all.data(), slopes.data(), 1000);
  for (Index i = 0; i < 1000; ++i) {
    const double a = std::sqrt(5 * distances[i]);
    EXPECT_NEAR(all[i], 2.5 * (1 + a + a * a / 3) * std::exp(-a), 1e-14);
    double one = distances[i];
    GetParam()->covariance(2.5, &one, nullptr, 1);
    ASSERT_EQ(one, all[i]) << i;
  }
  EXPECT_EQ(all[0], 2.5);
  EXPECT_GE(all[999], 0);
}

// Bit by bit: replay relies on it.
TEST(DenseResultsTest, DoNotDependOnPlaceInMemory) {
  for (const Index n : {5, 33, 100, 257}) {
    const auto compute = [n] {
      MatrixXd factor = PositiveDefinite(n, 3);
      EXPECT_TRUE(Factorise(factor));
      InvertLower(factor);
      const MatrixXd b = Random(n, 7, 4);
      const MatrixXd product = LowerTransposedProduct(factor, LowerProduct(factor, b));
      const MatrixXd vector = LowerTransposedProduct(factor, LowerProduct(factor, b.col(3)));
      SquareOfLower(factor);
      MatrixXd all(n, n + 15);
      all << factor, product, vector, TransposedProduct(factor, b);
      return all;
    };
    const MatrixXd first = compute();
    std::vector<MatrixXd> in_between;
    for (Index i = 1; i < 20; ++i) {
      in_between.push_back(MatrixXd::Zero(i, 3));
      ASSERT_EQ(compute(), first) << n;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, DenseTest, testing::ValuesIn(UsableDenseKernels()),
                         [](const auto& each) { return std::string(each.param->name); });

}  // namespace
}  // namespace tuner::strategies::gp
