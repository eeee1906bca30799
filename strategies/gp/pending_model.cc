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

PendingModel::PendingModel(Posterior posterior, const Eigen::Ref<const Eigen::MatrixXd>& pending, MeanBlend blend)
    : posterior_(std::move(posterior)), blend_(std::move(blend)) {
  const Eigen::Index observed = posterior_.size();
  if (observed > 0) {
    incumbent_ = (posterior_.MeanAtPoints() + blend_.Mean(posterior_.points())).maxCoeff();
  }
  mean_weights_ = Eigen::VectorXd::Zero(observed + pending.cols());
  mean_weights_.head(observed) = posterior_.weights();
  for (Eigen::Index i = 0; i < pending.cols(); ++i) posterior_.Append(pending.col(i));
}

Eigen::VectorXd PendingModel::MeanFrom(const Eigen::Ref<const Eigen::MatrixXd>& points,
                                       const Eigen::MatrixXd& covariance) const {
  return (TransposedProduct(covariance, mean_weights_).array() + posterior_.mean()).matrix() + blend_.Mean(points);
}

Eigen::VectorXd PendingModel::Mean(const Eigen::Ref<const Eigen::MatrixXd>& points) const {
  return MeanFrom(points, posterior_.CrossCovariance(points));
}

void PendingModel::Bound(const Eigen::Ref<const Eigen::MatrixXd>& points, Eigen::VectorXd& mean,
                         Eigen::VectorXd& deviation) const {
  const Eigen::MatrixXd covariance = posterior_.CrossCovariance(points);
  mean = MeanFrom(points, covariance);
  deviation.resize(points.cols());
  const double signal = posterior_.signal();
  const double observed = signal + posterior_.noise();
  for (Eigen::Index i = 0; i < deviation.size(); ++i) {
    // Knowing one observation alone leaves at least as much variance as knowing all.
    const double nearest = covariance.rows() == 0 ? 0 : covariance.col(i).maxCoeff();
    deviation[i] =
        blend_.deviation * std::sqrt(std::max(signal - nearest * nearest / observed, kLeastVariance * signal));
  }
}

void PendingModel::Predict(const Eigen::Ref<const Eigen::MatrixXd>& points, Eigen::VectorXd& mean,
                           Eigen::VectorXd& deviation) const {
  const Eigen::MatrixXd covariance = posterior_.CrossCovariance(points);
  mean = MeanFrom(points, covariance);
  const Eigen::MatrixXd whitened = LowerProduct(posterior_.inverse_factor(), covariance);
  deviation = blend_.deviation * posterior_.VarianceLeft(whitened).cwiseSqrt();
}

PendingModel::Terms PendingModel::Differentiate(const Eigen::Ref<const Eigen::MatrixXd>& points) const {
  Terms terms;
  Eigen::MatrixXd covariance;
  posterior_.CrossCovarianceAndSlope(points, covariance, terms.slope);
  terms.mean = (TransposedProduct(covariance, mean_weights_).array() + posterior_.mean()).matrix();
  for (const auto& [weight, other, shift] : blend_.others) {
    Eigen::MatrixXd theirs;
    Eigen::MatrixXd& slope = terms.other_slopes.emplace_back();
    other->CrossCovarianceAndSlope(points.colwise() + shift, theirs, slope);
    terms.mean += weight * (TransposedProduct(theirs, other->weights()).array() + other->mean()).matrix();
    slope = (weight * other->weights()).asDiagonal() * slope;
  }
  const Eigen::MatrixXd whitened = LowerProduct(posterior_.inverse_factor(), covariance);
  terms.deviation = blend_.deviation * posterior_.VarianceLeft(whitened).cwiseSqrt();
  terms.solved = LowerTransposedProduct(posterior_.inverse_factor(), whitened);
  return terms;
}

Eigen::MatrixXd PendingModel::Gradients(const Eigen::Ref<const Eigen::MatrixXd>& points, const Terms& terms,
                                        const Eigen::VectorXd& by_mean, const Eigen::VectorXd& by_deviation) const {
  // Variance falls by factor^2 k' K^-1 k, so the deviation's derivative by k is -factor^2 K^-1 k / deviation.
  const double factor = blend_.deviation * blend_.deviation;
  Eigen::MatrixXd coefficients = terms.solved * (-factor * by_deviation.cwiseQuotient(terms.deviation)).asDiagonal();
  coefficients.noalias() += mean_weights_ * by_mean.transpose();
  Eigen::MatrixXd gradients = posterior_.WeightedGradients(points, coefficients.cwiseProduct(terms.slope));
  for (size_t i = 0; i < blend_.others.size(); ++i) {
    const MeanBlend::Other& other = blend_.others[i];
    gradients += other.posterior->WeightedGradients(points.colwise() + other.shift,
                                                    terms.other_slopes[i] * by_mean.asDiagonal());
  }
  return gradients;
}

}  // namespace tuner::strategies::gp
