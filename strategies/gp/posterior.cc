#include "strategies/gp/posterior.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <utility>

#include "strategies/gp/dense.h"

namespace tuner::strategies::gp {
namespace {

// Variances are kept above this share of the signal.
constexpr double kLeastVariance = 1e-12;
// First jitter tried, as a share of the mean diagonal; ten times more at each further attempt.
constexpr double kFirstJitter = 1e-10;

Eigen::Index Capacity(Eigen::Index size) { return (size + size / 2 + 16) / 8 * 8; }

void Grow(Eigen::MatrixXd& matrix, Eigen::Index rows, Eigen::Index cols) {
  Eigen::MatrixXd larger = Eigen::MatrixXd::Zero(rows, cols);
  larger.topLeftCorner(matrix.rows(), matrix.cols()) = matrix;
  matrix = std::move(larger);
}

}  // namespace

Posterior::Posterior(Eigen::MatrixXd points, std::vector<int> groups, KernelParameters parameters)
    : parameters_(std::move(parameters)),
      groups_(std::move(groups)),
      signal_(parameters_.signal()),
      noise_(parameters_.noise()),
      size_(points.cols()),
      points_(std::move(points)) {
  factors_ = InverseLengths(groups_, parameters_);
  scaled_ = factors_.asDiagonal() * points_;
  Eigen::MatrixXd covariance = SquaredDistances(scaled_, scaled_);
  covariance.diagonal().setZero();
  CovarianceFromSquaredDistances(signal_, covariance.data(), covariance.size());

  double jitter = 0;
  while (true) {
    inverse_factor_ = covariance;
    inverse_factor_.diagonal().array() += noise_ + jitter;
    if (Factorise(inverse_factor_)) break;
    jitter = jitter == 0 ? kFirstJitter * (signal_ + noise_) : 10 * jitter;
  }
  noise_ += jitter;
  inverse_factor_.triangularView<Eigen::StrictlyUpper>().setZero();
  InvertLower(inverse_factor_);
}

void Posterior::Append(const Eigen::Ref<const Eigen::VectorXd>& point) {
  const Eigen::VectorXd l = LowerProduct(inverse_factor(), CrossCovariance(point));
  // What is left of the point's own variance is at least its noise, but for rounding.
  const double left = std::max(signal_ - l.squaredNorm(), kLeastVariance * signal_) + noise_;
  if (size_ == points_.cols()) {
    const Eigen::Index capacity = Capacity(size_);
    Grow(points_, points_.rows(), capacity);
    Grow(scaled_, scaled_.rows(), capacity);
    Grow(inverse_factor_, capacity, capacity);
  }
  const double inverse_root = 1 / std::sqrt(left);
  inverse_factor_.row(size_).head(size_) = (-inverse_root * LowerTransposedProduct(inverse_factor(), l)).transpose();
  inverse_factor_.col(size_).head(size_).setZero();
  inverse_factor_(size_, size_) = inverse_root;
  points_.col(size_) = point;
  scaled_.col(size_) = factors_.cwiseProduct(point);
  ++size_;
}

void Posterior::SetLabels(Eigen::VectorXd labels, bool constant_mean) {
  labels_ = std::move(labels);
  Eigen::VectorXd whitened = LowerProduct(inverse_factor(), labels_);
  mean_ = 0;
  if (constant_mean) {
    const Eigen::VectorXd ones = LowerProduct(inverse_factor(), Eigen::VectorXd::Ones(size_));
    mean_ = MeanOf(ones.dot(whitened), ones.squaredNorm());
    whitened -= mean_ * ones;
  }
  weights_ = LowerTransposedProduct(inverse_factor(), whitened);
}

Eigen::MatrixXd Posterior::CrossCovariance(const Eigen::Ref<const Eigen::MatrixXd>& points) const {
  Eigen::MatrixXd covariance = SquaredDistances(scaled_.leftCols(size_), factors_.asDiagonal() * points);
  CovarianceFromSquaredDistances(signal_, covariance.data(), covariance.size());
  return covariance;
}

void Posterior::CrossCovarianceAndSlope(const Eigen::Ref<const Eigen::MatrixXd>& points, Eigen::MatrixXd& covariance,
                                        Eigen::MatrixXd& slope) const {
  covariance = SquaredDistances(scaled_.leftCols(size_), factors_.asDiagonal() * points);
  slope.resize(covariance.rows(), covariance.cols());
  CovarianceAndSlope(signal_, covariance.data(), slope.data(), covariance.size());
}

Eigen::MatrixXd Posterior::WeightedGradients(const Eigen::Ref<const Eigen::MatrixXd>& points,
                                             const Eigen::Ref<const Eigen::MatrixXd>& weighted_slopes) const {
  // sum_j -c_j g_j (x - X_j) / l^2
  Eigen::MatrixXd gradients = Product(points_.leftCols(size_), weighted_slopes);
  gradients -= points * weighted_slopes.colwise().sum().asDiagonal();
  return factors_.cwiseAbs2().asDiagonal() * gradients;
}

Eigen::VectorXd Posterior::VarianceLeft(const Eigen::MatrixXd& whitened) const {
  return (signal_ - whitened.colwise().squaredNorm().transpose().array()).max(kLeastVariance * signal_).matrix();
}

Prediction Posterior::Predict(const Eigen::Ref<const Eigen::MatrixXd>& points) const {
  const Eigen::MatrixXd covariance = CrossCovariance(points);
  Prediction result;
  result.mean = TransposedProduct(covariance, weights_).array() + mean_;
  const Eigen::MatrixXd whitened = LowerProduct(inverse_factor(), covariance);
  result.variance = VarianceLeft(whitened);
  return result;
}

Eigen::VectorXd Posterior::MeanAtPoints() const { return labels_ - noise_ * weights_; }

Prediction Posterior::LeaveOneOut() const {
  const Eigen::ArrayXd diagonal = inverse_factor().colwise().squaredNorm().transpose();
  return {.mean = (labels_.array() - weights_.array() / diagonal).matrix(), .variance = diagonal.inverse().matrix()};
}

}  // namespace tuner::strategies::gp
