#include "strategies/gp/kernel.h"

#include <cmath>

#include "strategies/gp/dense.h"

namespace tuner::strategies::gp {

double KernelParameters::signal() const { return std::exp(log_signal); }
double KernelParameters::noise() const { return std::exp(log_noise); }

Eigen::VectorXd InverseLengths(const std::vector<int>& groups, const KernelParameters& parameters) {
  Eigen::VectorXd result(static_cast<Eigen::Index>(groups.size()));
  for (size_t i = 0; i < groups.size(); ++i) {
    result[static_cast<Eigen::Index>(i)] = std::exp(-parameters.log_length[groups[i]]);
  }
  return result;
}

Eigen::MatrixXd Scaled(const Eigen::Ref<const Eigen::MatrixXd>& points, const std::vector<int>& groups,
                       const KernelParameters& parameters) {
  return InverseLengths(groups, parameters).asDiagonal() * points;
}

Eigen::MatrixXd SquaredDistances(const Eigen::Ref<const Eigen::MatrixXd>& a,
                                 const Eigen::Ref<const Eigen::MatrixXd>& b) {
  Eigen::MatrixXd result = TransposedProduct(-2 * a, b);
  result.colwise() += a.colwise().squaredNorm().transpose();
  result.rowwise() += b.colwise().squaredNorm();
  result = result.cwiseMax(0.0);  // cancellation leaves tiny negative ones
  return result;
}

void CovarianceFromSquaredDistances(double signal, double* values, Eigen::Index count) {
  Dense().covariance(signal, values, nullptr, count);
}

void CovarianceAndSlope(double signal, double* values, double* slopes, Eigen::Index count) {
  Dense().covariance(signal, values, slopes, count);
}

}  // namespace tuner::strategies::gp
