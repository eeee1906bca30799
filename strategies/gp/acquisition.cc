#include "strategies/gp/acquisition.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <utility>

#include "strategies/gp/dense.h"
#include "strategies/gp/normal.h"

namespace tuner::strategies::gp {
namespace {

constexpr double kLeastVariance = 1e-12;  // as a share of the signal

}  // namespace

MeanDeviationAcquisition::MeanDeviationAcquisition(Posterior posterior,
                                                   const Eigen::Ref<const Eigen::MatrixXd>& pending)
    : posterior_(std::move(posterior)), mean_weights_(posterior_.weights()) {
  incumbent_ = posterior_.size() == 0 ? 0 : posterior_.MeanAtPoints().maxCoeff();
  for (Eigen::Index i = 0; i < pending.cols(); ++i) AddPending(pending.col(i));
}

void MeanDeviationAcquisition::AddPending(const Eigen::Ref<const Eigen::VectorXd>& point) {
  posterior_.Append(point);
  mean_weights_.conservativeResize(posterior_.size());
  mean_weights_[posterior_.size() - 1] = 0;
}

Eigen::VectorXd MeanDeviationAcquisition::MeanFrom(const Eigen::MatrixXd& covariance) const {
  return (TransposedProduct(covariance, mean_weights_).array() + posterior_.mean()).matrix();
}

Eigen::VectorXd MeanDeviationAcquisition::Mean(const Eigen::Ref<const Eigen::MatrixXd>& points) const {
  return MeanFrom(posterior_.CrossCovariance(points));
}

Eigen::VectorXd MeanDeviationAcquisition::UpperBounds(const Eigen::Ref<const Eigen::MatrixXd>& points) const {
  const Eigen::MatrixXd covariance = posterior_.CrossCovariance(points);
  Eigen::VectorXd result = MeanFrom(covariance);
  const double signal = posterior_.signal();
  const double observed = signal + posterior_.noise();
  for (Eigen::Index i = 0; i < result.size(); ++i) {
    // Knowing one observation alone leaves at least as much variance as knowing all.
    const double nearest = covariance.rows() == 0 ? 0 : covariance.col(i).maxCoeff();
    const double variance = std::max(signal - nearest * nearest / observed, kLeastVariance * signal);
    result[i] = Evaluate(result[i], std::sqrt(variance)).value;
  }
  return result;
}

Eigen::VectorXd MeanDeviationAcquisition::Values(const Eigen::Ref<const Eigen::MatrixXd>& points) const {
  const Eigen::MatrixXd covariance = posterior_.CrossCovariance(points);
  Eigen::VectorXd result = MeanFrom(covariance);
  const Eigen::MatrixXd whitened = LowerProduct(posterior_.inverse_factor(), covariance);
  const double signal = posterior_.signal();
  for (Eigen::Index i = 0; i < result.size(); ++i) {
    const double variance = std::max(signal - whitened.col(i).squaredNorm(), kLeastVariance * signal);
    result[i] = Evaluate(result[i], std::sqrt(variance)).value;
  }
  return result;
}

void MeanDeviationAcquisition::ValuesAndGradients(const Eigen::Ref<const Eigen::MatrixXd>& points,
                                                  Eigen::VectorXd& values, Eigen::MatrixXd& gradients) const {
  Eigen::MatrixXd covariance;
  Eigen::MatrixXd slope;
  posterior_.CrossCovarianceAndSlope(points, covariance, slope);
  values = MeanFrom(covariance);
  const Eigen::MatrixXd whitened = LowerProduct(posterior_.inverse_factor(), covariance);
  // Variance falls by k' K^-1 k: its derivative by k is -2 K^-1 k.
  Eigen::MatrixXd coefficients = LowerTransposedProduct(posterior_.inverse_factor(), whitened);
  const double signal = posterior_.signal();
  for (Eigen::Index i = 0; i < values.size(); ++i) {
    const double variance = std::max(signal - whitened.col(i).squaredNorm(), kLeastVariance * signal);
    const double deviation = std::sqrt(variance);
    const Value value = Evaluate(values[i], deviation);
    values[i] = value.value;
    coefficients.col(i) = value.by_mean * mean_weights_ - (value.by_deviation / deviation) * coefficients.col(i);
  }
  gradients = posterior_.WeightedGradients(points, coefficients.cwiseProduct(slope));
}

MeanDeviationAcquisition::Value UpperConfidenceBound::Evaluate(double mean, double deviation) const {
  return {.value = mean + coefficient_ * deviation, .by_mean = 1, .by_deviation = coefficient_};
}

MeanDeviationAcquisition::Value LogExpectedImprovement::Evaluate(double mean, double deviation) const {
  const double z = (mean - incumbent()) / deviation;
  const ValueAndSlope h = LogH(z);
  return {.value = h.value + std::log(deviation),
          .by_mean = h.slope / deviation,
          .by_deviation = (1 - h.slope * z) / deviation};
}

}  // namespace tuner::strategies::gp
