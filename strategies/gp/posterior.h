// The Gaussian process after observations: means, variances and their gradients at any points.
//
// Shapes: points are columns (width x n); labels one per column. Threads: const methods
// from any thread. Results do not depend on the way in which a posterior was reached, if the factorisation's size and
// the observations appended to it are the same.
//
// Source: Rasmussen and Williams 2006, algorithm 2.1, with the inverse of the Cholesky factor kept instead of the
// factor: its products lose no more than the root of the condition number (an explicit K^-1 would lose all of it), and
// cost a matrix product where solving would cost a substitution. Rows are appended to it by bordering.
#pragma once

#include <Eigen/Core>
#include <memory>
#include <vector>

#include "strategies/gp/kernel.h"

namespace tuner::strategies::gp {

struct Prediction {
  Eigen::VectorXd mean;      // one per point
  Eigen::VectorXd variance;  // of the latent function, without noise; > 0
};

class Posterior {
 public:
  // Factorises K + noise I of the points, adding jitter to the diagonal where it is not positive definite.
  Posterior(Eigen::MatrixXd points, std::vector<int> groups, KernelParameters parameters);

  // Appends one point: O(n^2).
  void Append(const Eigen::Ref<const Eigen::VectorXd>& point);
  // Labels of all points, in their order. O(n^2). With `constant_mean` the process has mean MeanOf, else 0.
  void SetLabels(Eigen::VectorXd labels, bool constant_mean = false);
  double mean() const { return mean_; }

  Eigen::Index size() const { return size_; }
  Eigen::Index width() const { return points_.rows(); }
  auto points() const { return points_.leftCols(size_); }
  const Eigen::VectorXd& labels() const { return labels_; }
  const std::vector<int>& groups() const { return groups_; }
  const KernelParameters& parameters() const { return parameters_; }
  // What is left of the signal's variance at points whose whitened covariances, M times k(X, x), are given (n x m). >
  // 0.
  Eigen::VectorXd VarianceLeft(const Eigen::MatrixXd& whitened) const;
  // K^-1 times the labels less the mean.
  const Eigen::VectorXd& weights() const { return weights_; }
  // M = L^-1 with L L' = K + noise I: n x n, lower triangular, zeros above.
  auto inverse_factor() const { return inverse_factor_.topLeftCorner(size(), size()); }
  double signal() const { return signal_; }
  double noise() const { return noise_; }  // what is on the diagonal, jitter included

  // k(X, x) of points (width x m): n x m.
  Eigen::MatrixXd CrossCovariance(const Eigen::Ref<const Eigen::MatrixXd>& points) const;
  // With the slopes g of CovarianceAndSlope beside it.
  void CrossCovarianceAndSlope(const Eigen::Ref<const Eigen::MatrixXd>& points, Eigen::MatrixXd& covariance,
                               Eigen::MatrixXd& slope) const;
  // Gradients with respect to x (width x m) of sum_j c_j k(X_j, x) for each of m points, given c_j times the slopes of
  // CrossCovarianceAndSlope (n x m).
  Eigen::MatrixXd WeightedGradients(const Eigen::Ref<const Eigen::MatrixXd>& points,
                                    const Eigen::Ref<const Eigen::MatrixXd>& weighted_slopes) const;

  Prediction Predict(const Eigen::Ref<const Eigen::MatrixXd>& points) const;
  // Of the observed points themselves.
  Eigen::VectorXd MeanAtPoints() const;
  // Mean and variance (noise included) of each label, predicted from all others. Rasmussen and Williams 2006, eq. 5.12.
  Prediction LeaveOneOut() const;

 private:
  KernelParameters parameters_;
  std::vector<int> groups_;
  double signal_;
  double noise_;
  Eigen::VectorXd factors_;  // 1 / length-scale of each coordinate
  Eigen::Index size_ = 0;
  // Of these the first size_ columns (and rows of the last) are in use; they grow by halves.
  Eigen::MatrixXd points_;
  Eigen::MatrixXd scaled_;
  Eigen::MatrixXd inverse_factor_;
  Eigen::VectorXd labels_;
  Eigen::VectorXd weights_;
  double mean_ = 0;
};

}  // namespace tuner::strategies::gp
