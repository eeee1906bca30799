#include "strategies/bayesian_job_model.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "strategies/gp/multi_output.h"

namespace tuner::strategies {
namespace {

// Of the signal's variance: noise above it is worth averaging.
constexpr double kMaterialNoise = 0.01;
// Of the noise's variance: a point is run again until its own variance is below, after ten runs at most.
constexpr double kReplicatedShare = 0.1;
// Of an objective, in labels: less is none.
constexpr double kLeastRange = 1e-9;

bool Dominates(const std::vector<double>& a, const std::vector<double>& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] < b[i]) return false;
  }
  return a != b;
}

}  // namespace

JobModel::JobModel(const std::vector<BayesianOutput>& outputs, const std::vector<gp::Observations>& observations,
                   const std::vector<gp::FitOptions>& options, bool constant_mean, const OutputFits& fits,
                   std::optional<double> target_fidelity)
    : constant_mean_(constant_mean),
      rows_(fits.fits.front().rows),
      worth_(rows_.size()),
      feasible_(rows_.size(), true) {
  for (size_t i = 0; i < outputs.size(); ++i) {
    const bool constraint = outputs[i].is_constraint();
    warps_.push_back(gp::OutputWarp::Fit(observations[i].Aligned(observations[i].size()), options[i].warp));
    posteriors_.push_back(*fits.fits[i].posterior);
    posteriors_.back().SetLabels(gp::LabelsAt(warps_.back(), fits.fits[i].rows), constant_mean && !constraint);
    least_.push_back(constraint ? warps_.back().Forward(0) : 0);
    if (!constraint) ++objective_count_;
    Eigen::VectorXd means;
    if (!target_fidelity && fits.fits[i].rows == rows_) {
      means = posteriors_.back().MeanAtPoints();
    } else {
      Eigen::MatrixXd points = observations[i].PointsAt(rows_);
      if (target_fidelity) points.bottomRows(1).setConstant(gp::Encoder::FidelityColumn(*target_fidelity));
      means = posteriors_.back().Predict(points).mean;
    }
    for (size_t row = 0; row < rows_.size(); ++row) {
      const double mean = means[static_cast<Eigen::Index>(row)];
      if (!constraint) {
        worth_[row].push_back(mean);
      } else if (mean < least_[i]) {
        feasible_[row] = false;
      }
    }
  }
}

void JobModel::Blend(std::vector<gp::MeanBlend> blends) {
  blends_ = std::move(blends);
  for (size_t i = 0; i < blends_.size(); ++i) {
    if (blends_[i].others.empty()) continue;
    gp::Posterior& posterior = posteriors_[i];
    posterior.SetLabels(posterior.labels() - blends_[i].Mean(posterior.points()), constant_mean_);
  }
}

std::unique_ptr<gp::Acquisition> JobModel::MakeAcquisition(double confidence, double reference_margin,
                                                           const Eigen::MatrixXd& pending) const {
  if (posteriors_.size() == 1) {
    if (confidence == 0) return std::make_unique<gp::LogExpectedImprovement>(posteriors_.front(), pending, BlendOf(0));
    return std::make_unique<gp::UpperConfidenceBound>(posteriors_.front(), pending, confidence, BlendOf(0));
  }
  std::vector<gp::PendingModel> objectives;
  std::vector<gp::ConstraintModel> constraints;
  for (size_t i = 0; i < posteriors_.size(); ++i) {
    if (i < objective_count_) {
      objectives.emplace_back(posteriors_[i], pending, BlendOf(i));
    } else {
      constraints.push_back({.model = gp::PendingModel(posteriors_[i], pending), .least = least_[i]});
    }
  }
  // Of several objectives pending trials count as what is expected of them: nobody need fill their part of a front
  // again.
  const Eigen::Index expectations = objective_count_ > 1 ? pending.cols() : 0;
  std::vector<Eigen::VectorXd> expected;
  for (size_t i = 0; expectations > 0 && i < posteriors_.size(); ++i) {
    expected.push_back(posteriors_[i].Predict(pending).mean);
  }
  Eigen::MatrixXd results(std::count(feasible_.begin(), feasible_.end(), true) + expectations,
                          static_cast<Eigen::Index>(objective_count_));
  Eigen::Index next = 0;
  for (size_t row = 0; row < rows_.size(); ++row) {
    if (!feasible_[row]) continue;
    results.row(next++) = Eigen::Map<const Eigen::RowVectorXd>(worth_[row].data(), results.cols());
  }
  for (Eigen::Index p = 0; p < expectations && next > 0; ++p) {
    bool holds = true;
    for (size_t i = objective_count_; i < posteriors_.size(); ++i) holds &= expected[i][p] >= least_[i];
    if (!holds) continue;
    for (size_t i = 0; i < objective_count_; ++i) results(next, static_cast<Eigen::Index>(i)) = expected[i][p];
    ++next;
  }
  results.conservativeResize(next, Eigen::NoChange);
  return std::make_unique<gp::MultiOutputAcquisition>(std::move(objectives), std::move(constraints), results,
                                                      reference_margin * Ranges());
}

Eigen::VectorXd JobModel::Ranges() const {
  Eigen::VectorXd ranges = Eigen::VectorXd::Constant(static_cast<Eigen::Index>(objective_count_), kLeastRange);
  for (size_t i = 0; i < objective_count_; ++i) {
    const auto [least, most] =
        std::minmax_element(worth_.begin(), worth_.end(), [i](const auto& a, const auto& b) { return a[i] < b[i]; });
    double& range = ranges[static_cast<Eigen::Index>(i)];
    range = std::max(range, (*most)[i] - (*least)[i]);
  }
  return ranges;
}

std::vector<int> JobModel::BestPlaces() const {
  const size_t count = rows_.size();
  std::vector<double> score(count);
  for (size_t row = 0; row < count; ++row) {
    if (objective_count_ == 1) {
      score[row] = worth_[row].front();
    } else {
      for (size_t other = 0; other < count; ++other) score[row] -= Dominates(worth_[other], worth_[row]) ? 1 : 0;
    }
  }
  std::vector<int> order(count);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    const auto i = static_cast<size_t>(a);
    const auto j = static_cast<size_t>(b);
    return feasible_[i] != feasible_[j] ? feasible_[i] : score[i] > score[j];
  });
  order.resize(std::min(count, std::max<size_t>(3, count / 20)));
  for (int& place : order) place = rows_[static_cast<size_t>(place)];
  return order;
}

std::optional<double> JobModel::BestMean() const {
  std::optional<double> best;
  for (size_t row = 0; row < rows_.size(); ++row) {
    if (feasible_[row] && (!best || worth_[row].front() > *best)) best = worth_[row].front();
  }
  return best;
}

std::optional<int> JobModel::PlaceToReplicate() const {
  const gp::Posterior& posterior = posteriors_.front();
  if (posteriors_.size() > 1 || posterior.noise() < kMaterialNoise * posterior.signal()) return std::nullopt;
  Eigen::Index best = 0;
  posterior.MeanAtPoints().maxCoeff(&best);
  const double variance = posterior.Predict(posterior.points().col(best)).variance[0];
  if (variance < kReplicatedShare * posterior.noise()) return std::nullopt;
  return rows_[static_cast<size_t>(best)];
}

}  // namespace tuner::strategies
