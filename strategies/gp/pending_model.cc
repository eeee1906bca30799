#include "strategies/gp/pending_model.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <utility>

#include "strategies/gp/dense.h"

namespace tuner::strategies::gp {
namespace {

constexpr double kLeastVariance = 1e-12;  // as a share of the signal

}  // namespace

PendingModel::PendingModel(Posterior posterior, const Eigen::Ref<const Eigen::MatrixXd>& pending)
    : posterior_(std::move(posterior)) {
  const Eigen::Index observed = posterior_.size();
  incumbent_ = observed == 0 ? 0 : posterior_.MeanAtPoints().maxCoeff();
  mean_weights_ = Eigen::VectorXd::Zero(observed + pending.cols());
  mean_weights_.head(observed) = posterior_.weights();
  for (Eigen::Index i = 0; i < pending.cols(); ++i) posterior_.Append(pending.col(i));
}

Eigen::VectorXd PendingModel::MeanFrom(const Eigen::MatrixXd& covariance) const {
  return (TransposedProduct(covariance, mean_weights_).array() + posterior_.mean()).matrix();
}

Eigen::VectorXd PendingModel::Mean(const Eigen::Ref<const Eigen::MatrixXd>& points) const {
  return MeanFrom(posterior_.CrossCovariance(points));
}

void PendingModel::Bound(const Eigen::Ref<const Eigen::MatrixXd>& points, Eigen::VectorXd& mean,
                         Eigen::VectorXd& deviation) const {
  const Eigen::MatrixXd covariance = posterior_.CrossCovariance(points);
  mean = MeanFrom(covariance);
  deviation.resize(points.cols());
  const double signal = posterior_.signal();
  const double observed = signal + posterior_.noise();
  for (Eigen::Index i = 0; i < deviation.size(); ++i) {
    // Knowing one observation alone leaves at least as much variance as knowing all.
    const double nearest = covariance.rows() == 0 ? 0 : covariance.col(i).maxCoeff();
    deviation[i] = std::sqrt(std::max(signal - nearest * nearest / observed, kLeastVariance * signal));
  }
}

void PendingModel::Predict(const Eigen::Ref<const Eigen::MatrixXd>& points, Eigen::VectorXd& mean,
                           Eigen::VectorXd& deviation) const {
  const Eigen::MatrixXd covariance = posterior_.CrossCovariance(points);
  mean = MeanFrom(covariance);
  const Eigen::MatrixXd whitened = LowerProduct(posterior_.inverse_factor(), covariance);
  deviation = posterior_.VarianceLeft(whitened).cwiseSqrt();
}

PendingModel::Terms PendingModel::Differentiate(const Eigen::Ref<const Eigen::MatrixXd>& points) const {
  Terms terms;
  Eigen::MatrixXd covariance;
  posterior_.CrossCovarianceAndSlope(points, covariance, terms.slope);
  terms.mean = MeanFrom(covariance);
  const Eigen::MatrixXd whitened = LowerProduct(posterior_.inverse_factor(), covariance);
  terms.deviation = posterior_.VarianceLeft(whitened).cwiseSqrt();
  terms.solved = LowerTransposedProduct(posterior_.inverse_factor(), whitened);
  return terms;
}

Eigen::MatrixXd PendingModel::Gradients(const Eigen::Ref<const Eigen::MatrixXd>& points, const Terms& terms,
                                        const Eigen::VectorXd& by_mean, const Eigen::VectorXd& by_deviation) const {
  // Variance falls by k' K^-1 k, so the deviation's derivative by k is -K^-1 k / deviation.
  Eigen::MatrixXd coefficients = terms.solved * (-by_deviation.cwiseQuotient(terms.deviation)).asDiagonal();
  coefficients.noalias() += mean_weights_ * by_mean.transpose();
  return posterior_.WeightedGradients(points, coefficients.cwiseProduct(terms.slope));
}

}  // namespace tuner::strategies::gp
