// The Matern-5/2 kernel with one length-scale per group of columns.
//
// Shapes: points are columns of a (width x n) matrix of encoded coordinates (encoder.h); columns that encode one
// parameter share a length-scale. Threads: pure functions.
//
// Source: k(r) = s2 (1 + a + a^2/3) exp(-a), a = sqrt(5) r, r^2 = sum_i (x_i - x'_i)^2 / l_i^2 (Rasmussen and Williams
// 2006, eq. 4.17).
#pragma once

#include <Eigen/Core>
#include <vector>

namespace tuner::strategies::gp {

// What the likelihood fit chooses. Natural logarithms.
struct KernelParameters {
  Eigen::VectorXd log_length;  // one per group
  double log_signal = 0;       // of the signal variance s2
  double log_noise = -6;       // of the noise variance, that is added to the diagonal for observations

  double signal() const;
  double noise() const;
};

// 1 / length-scale of each coordinate.
Eigen::VectorXd InverseLengths(const std::vector<int>& groups, const KernelParameters& parameters);

// Coordinates divided by their group's length-scale. `groups`: group of each row of `points`.
Eigen::MatrixXd Scaled(const Eigen::Ref<const Eigen::MatrixXd>& points, const std::vector<int>& groups,
                       const KernelParameters& parameters);

// Squared distances between the columns of two scaled sets, >= 0: (a x b).
Eigen::MatrixXd SquaredDistances(const Eigen::Ref<const Eigen::MatrixXd>& a,
                                 const Eigen::Ref<const Eigen::MatrixXd>& b);

// Replaces squared distances by covariances k.
void CovarianceFromSquaredDistances(double signal, double* values, Eigen::Index count);
// The same, with g = s2 (5/3) (1 + a) exp(-a) beside it: dk/dx_i = -g (x_i - x'_i) / l_i^2, with no 0/0 at r = 0.
void CovarianceAndSlope(double signal, double* values, double* slopes, Eigen::Index count);

// The constant mean that labels y make most plausible, from 1' K^-1 y and 1' K^-1 1, under a standard normal prior,
// since labels are standardised: clusters of points count about once, so that it says what lies where nobody looked
// (Rasmussen and Williams 2006, eq. 2.43).
inline double MeanOf(double ones_times_labels, double ones_times_ones) {
  return ones_times_labels / (ones_times_ones + 1);
}

}  // namespace tuner::strategies::gp
