#include "strategies/gp/multi_output.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "strategies/gp/normal.h"
#include "strategies/gp/quasi_random.h"

namespace tuner::strategies::gp {
namespace {

constexpr int kScalarisations = 256;
constexpr uint32_t kWeightStream = 0x6d77;
// Of the range of the results, by which the reference is worse than the worst.
constexpr double kReferenceMargin = 0.1;
// Added to an improvement before its logarithm: points that improve nothing still differ.
constexpr double kLeastImprovement = 1e-10;
// Pulls points that improve nothing towards the front.
constexpr double kPull = 1e-6;

}  // namespace

MultiOutputAcquisition::MultiOutputAcquisition(std::vector<PendingModel> objectives,
                                               std::vector<ConstraintModel> constraints, const Eigen::MatrixXd& results,
                                               double confidence, uint64_t seed)
    : objectives_(std::move(objectives)),
      constraints_(std::move(constraints)),
      confidence_(confidence),
      any_feasible_(results.rows() > 0) {
  const auto count = static_cast<Eigen::Index>(objectives_.size());
  if (!any_feasible_) return;
  if (count == 1) {
    incumbent_ = results.col(0).maxCoeff();
    return;
  }
  const Eigen::VectorXd worst = results.colwise().minCoeff().transpose();
  const Eigen::VectorXd range = results.colwise().maxCoeff().transpose() - worst;
  reference_ = worst - kReferenceMargin * range.cwiseMax(1e-6);
  weights_.resize(count, kScalarisations);
  const ScrambledSobol normals(static_cast<int>(count), seed, kWeightStream);
  std::vector<double> z(static_cast<size_t>(count));
  best_ = Eigen::VectorXd::Zero(kScalarisations);
  for (Eigen::Index w = 0; w < kScalarisations; ++w) {
    normals.NormalPoint(static_cast<uint64_t>(w), absl::MakeSpan(z));
    weights_.col(w) = Eigen::Map<const Eigen::VectorXd>(z.data(), count).cwiseAbs().cwiseMax(1e-3).normalized();
    for (Eigen::Index row = 0; row < results.rows(); ++row) {
      const double least = (results.row(row).transpose() - reference_).cwiseQuotient(weights_.col(w)).minCoeff();
      best_[w] = std::max(best_[w], std::pow(std::max(least, 0.0), count));
    }
  }
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
  const auto count = static_cast<Eigen::Index>(objectives_.size());
  Eigen::VectorXd optimistic(count);
  for (Eigen::Index i = 0; i < count; ++i) {
    const auto at = static_cast<size_t>(i);
    optimistic[i] = means[at] + confidence_ * deviations[at];
  }
  double gain = kLeastImprovement;
  Eigen::VectorXd by_bound = Eigen::VectorXd::Zero(count);
  for (Eigen::Index w = 0; w < weights_.cols(); ++w) {
    Eigen::Index tightest = 0;
    const double least = (optimistic - reference_).cwiseQuotient(weights_.col(w)).minCoeff(&tightest);
    if (least <= 0) continue;
    const double volume = std::pow(least, count);
    if (volume <= best_[w]) continue;
    gain += (volume - best_[w]) / kScalarisations;
    by_bound[tightest] += static_cast<double>(count) * volume / least / weights_(tightest, w) / kScalarisations;
  }
  worth.value += std::log(gain) + kPull * optimistic.sum();
  for (Eigen::Index i = 0; i < count; ++i) {
    const auto at = static_cast<size_t>(i);
    worth.by_mean[at] = by_bound[i] / gain + kPull;
    worth.by_deviation[at] = confidence_ * worth.by_mean[at];
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
