#include "strategies/gp/multi_output.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "strategies/gp/normal.h"

namespace tuner::strategies::gp {
namespace {

// Added to an improvement before its logarithm: points that improve nothing still differ.
constexpr double kLeastImprovement = 1e-100;
// Pulls points that improve nothing towards the front.
constexpr double kPull = 1e-6;

}  // namespace

MultiOutputAcquisition::MultiOutputAcquisition(std::vector<PendingModel> objectives,
                                               std::vector<ConstraintModel> constraints, const Eigen::MatrixXd& results,
                                               const Eigen::VectorXd& margins)
    : objectives_(std::move(objectives)), constraints_(std::move(constraints)), any_feasible_(results.rows() > 0) {
  if (!any_feasible_) return;
  if (objectives_.size() == 1) {
    incumbent_ = results.col(0).maxCoeff();
    return;
  }
  const Eigen::MatrixXd front = ParetoRows(results);
  improvement_.emplace(front, front.colwise().minCoeff().transpose() - margins);
}

const PendingModel& MultiOutputAcquisition::ModelAt(size_t i) const {
  return i < objectives_.size() ? objectives_[i] : constraints_[i - objectives_.size()].model;
}

void MultiOutputAcquisition::AddImprovement(double mean, double deviation, Worth& worth) const {
  const double z = (mean - incumbent_) / deviation;
  const ValueAndSlope h = LogH(z);
  worth.value += h.value + std::log(deviation);
  worth.by_mean[0] = h.slope / deviation;
  worth.by_deviation[0] = (1 - h.slope * z) / deviation;
}

void MultiOutputAcquisition::AddHypervolume(const std::vector<double>& means, const std::vector<double>& deviations,
                                            Worth& worth) const {
  const HypervolumeImprovement::Expectation expected = improvement_->Of(means, deviations);
  const double gain = std::max(0.0, expected.value) + kLeastImprovement;
  worth.value += std::log(gain);
  for (size_t i = 0; i < objectives_.size(); ++i) {
    worth.value += kPull * (means[i] + deviations[i]);
    worth.by_mean[i] = expected.by_mean[i] / gain + kPull;
    worth.by_deviation[i] = expected.by_deviation[i] / gain + kPull;
  }
}

MultiOutputAcquisition::Worth MultiOutputAcquisition::Evaluate(const std::vector<double>& means,
                                                               const std::vector<double>& deviations) const {
  Worth worth{.value = 0,
              .by_mean = std::vector<double>(output_count(), 0),
              .by_deviation = std::vector<double>(output_count(), 0)};
  if (any_feasible_) {
    if (objectives_.size() == 1) {
      AddImprovement(means[0], deviations[0], worth);
    } else {
      AddHypervolume(means, deviations, worth);
    }
  }
  for (size_t c = 0; c < constraints_.size(); ++c) {
    const size_t i = objectives_.size() + c;
    const double z = (means[i] - constraints_[c].least) / deviations[i];
    const ValueAndSlope probability = LogCdf(z);
    worth.value += probability.value;
    worth.by_mean[i] = probability.slope / deviations[i];
    worth.by_deviation[i] = -probability.slope * z / deviations[i];
  }
  return worth;
}

Eigen::VectorXd MultiOutputAcquisition::ValuesOf(const std::vector<Eigen::VectorXd>& means,
                                                 const std::vector<Eigen::VectorXd>& deviations) const {
  Eigen::VectorXd values(means.front().size());
  std::vector<double> mean(output_count());
  std::vector<double> deviation(output_count());
  for (Eigen::Index p = 0; p < values.size(); ++p) {
    for (size_t i = 0; i < output_count(); ++i) {
      mean[i] = means[i][p];
      deviation[i] = deviations[i][p];
    }
    values[p] = Evaluate(mean, deviation).value;
  }
  return values;
}

Eigen::VectorXd MultiOutputAcquisition::UpperBounds(const Eigen::Ref<const Eigen::MatrixXd>& points) const {
  std::vector<Eigen::VectorXd> means(output_count());
  std::vector<Eigen::VectorXd> deviations(output_count());
  for (size_t i = 0; i < output_count(); ++i) ModelAt(i).Bound(points, means[i], deviations[i]);
  // Where a constraint is expected to hold a larger deviation makes it less likely, so the bound is certainty.
  for (size_t c = 0; c < constraints_.size(); ++c) {
    const size_t i = objectives_.size() + c;
    const double certain = 1e-12 * ModelAt(i).signal() + std::numeric_limits<double>::min();
    deviations[i] = (means[i].array() >= constraints_[c].least).select(certain, deviations[i]);
  }
  return ValuesOf(means, deviations);
}

Eigen::VectorXd MultiOutputAcquisition::Values(const Eigen::Ref<const Eigen::MatrixXd>& points) const {
  std::vector<Eigen::VectorXd> means(output_count());
  std::vector<Eigen::VectorXd> deviations(output_count());
  for (size_t i = 0; i < output_count(); ++i) ModelAt(i).Predict(points, means[i], deviations[i]);
  return ValuesOf(means, deviations);
}

void MultiOutputAcquisition::ValuesAndGradients(const Eigen::Ref<const Eigen::MatrixXd>& points,
                                                Eigen::VectorXd& values, Eigen::MatrixXd& gradients) const {
  const size_t outputs = output_count();
  std::vector<PendingModel::Terms> terms;
  for (size_t i = 0; i < outputs; ++i) terms.push_back(ModelAt(i).Differentiate(points));
  values.resize(points.cols());
  std::vector<Eigen::VectorXd> by_mean(outputs, Eigen::VectorXd(points.cols()));
  std::vector<Eigen::VectorXd> by_deviation(outputs, Eigen::VectorXd(points.cols()));
  std::vector<double> mean(outputs);
  std::vector<double> deviation(outputs);
  for (Eigen::Index p = 0; p < points.cols(); ++p) {
    for (size_t i = 0; i < outputs; ++i) {
      mean[i] = terms[i].mean[p];
      deviation[i] = terms[i].deviation[p];
    }
    const Worth worth = Evaluate(mean, deviation);
    values[p] = worth.value;
    for (size_t i = 0; i < outputs; ++i) {
      by_mean[i][p] = worth.by_mean[i];
      by_deviation[i][p] = worth.by_deviation[i];
    }
  }
  gradients = Eigen::MatrixXd::Zero(points.rows(), points.cols());
  for (size_t i = 0; i < outputs; ++i) gradients += ModelAt(i).Gradients(points, terms[i], by_mean[i], by_deviation[i]);
}

}  // namespace tuner::strategies::gp
