#include "strategies/gp/acquisition.h"

#include <cmath>

#include "strategies/gp/normal.h"

namespace tuner::strategies::gp {

Eigen::VectorXd MeanDeviationAcquisition::UpperBounds(const Eigen::Ref<const Eigen::MatrixXd>& points) const {
  Eigen::VectorXd mean;
  Eigen::VectorXd deviation;
  model_.Bound(points, mean, deviation);
  for (Eigen::Index i = 0; i < mean.size(); ++i) mean[i] = Evaluate(mean[i], deviation[i]).value;
  return mean;
}

Eigen::VectorXd MeanDeviationAcquisition::Values(const Eigen::Ref<const Eigen::MatrixXd>& points) const {
  Eigen::VectorXd mean;
  Eigen::VectorXd deviation;
  model_.Predict(points, mean, deviation);
  for (Eigen::Index i = 0; i < mean.size(); ++i) mean[i] = Evaluate(mean[i], deviation[i]).value;
  return mean;
}

void MeanDeviationAcquisition::ValuesAndGradients(const Eigen::Ref<const Eigen::MatrixXd>& points,
                                                  Eigen::VectorXd& values, Eigen::MatrixXd& gradients) const {
  const PendingModel::Terms terms = model_.Differentiate(points);
  const Eigen::Index count = points.cols();
  values.resize(count);
  Eigen::VectorXd by_mean(count);
  Eigen::VectorXd by_deviation(count);
  for (Eigen::Index i = 0; i < count; ++i) {
    const Value value = Evaluate(terms.mean[i], terms.deviation[i]);
    values[i] = value.value;
    by_mean[i] = value.by_mean;
    by_deviation[i] = value.by_deviation;
  }
  gradients = model_.Gradients(points, terms, by_mean, by_deviation);
}

MeanDeviationAcquisition::Value UpperConfidenceBound::Evaluate(double mean, double deviation) const {
  return {.value = mean + coefficient_ * deviation, .by_mean = 1, .by_deviation = coefficient_};
}

MeanDeviationAcquisition::Value LogExpectedImprovement::Evaluate(double mean, double deviation) const {
  const double z = (mean - model().incumbent()) / deviation;
  const ValueAndSlope h = LogH(z);
  return {.value = h.value + std::log(deviation),
          .by_mean = h.slope / deviation,
          .by_deviation = (1 - h.slope * z) / deviation};
}

}  // namespace tuner::strategies::gp
