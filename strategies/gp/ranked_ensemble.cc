#include "strategies/gp/ranked_ensemble.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "strategies/gp/dense.h"

namespace tuner::strategies::gp {
namespace {

// Of the slope between models' means and labels: its prior, worth so many labels of variance 1.
constexpr double kPriorSlope = 0.5;
constexpr double kPriorLabels = 1;
constexpr double kMostSlope = 2;
constexpr Eigen::Index kLeastForSlope = 3;
// Of the labels' variance, what is left unexplained at the least.
constexpr double kLeastLeft = 0.05;

// A move's prior deviation in each coordinate, its bound, and the labels' variance that it need not explain.
constexpr double kShiftDeviation = 0.06;
constexpr double kMostShift = 0.25;
constexpr double kShiftNoise = 0.02;
constexpr int kShiftSteps = 12;
constexpr Eigen::Index kLeastForShift = 4;

Eigen::VectorXd Centred(const Eigen::VectorXd& v) { return (v.array() - v.mean()).matrix(); }

// Expects centred vectors.
double SlopeOf(const Eigen::VectorXd& x, const Eigen::VectorXd& y) {
  return std::clamp((x.dot(y) + kPriorSlope * kPriorLabels) / (x.squaredNorm() + kPriorLabels), 0.0, kMostSlope);
}

Eigen::VectorXd MeanOf(const Posterior& posterior, const Eigen::Ref<const Eigen::MatrixXd>& points) {
  return (TransposedProduct(posterior.CrossCovariance(points), posterior.weights()).array() + posterior.mean())
      .matrix();
}

// Rasmussen and Williams 2006, eq. 5.10 and 5.11, but for a constant; deviations times `factor`.
double LeaveOneOutLogLikelihood(const Posterior& posterior, double factor) {
  const Prediction left_out = posterior.LeaveOneOut();
  const Eigen::ArrayXd variance = factor * factor * left_out.variance.array();
  const Eigen::ArrayXd away = posterior.labels().array() - left_out.mean.array();
  return -0.5 * (variance.log() + away.square() / variance).sum();
}

double DrawNormal(core::Rng& rng) {
  const double u = 1 - rng.NextDouble();
  return std::sqrt(-2 * std::log(u)) * std::cos(6.283185307179586 * rng.NextDouble());
}

RankedModel Newest(const RankedModel& model, Eigen::Index count) {
  return {.mean = model.mean.tail(count), .deviation = model.deviation.tail(count)};
}

}  // namespace

int64_t MisrankedPairs(const Eigen::VectorXd& values, const Eigen::VectorXd& labels) {
  int64_t count = 0;
  for (Eigen::Index j = 0; j < labels.size(); ++j) {
    for (Eigen::Index k = 0; k < j; ++k) {
      if (labels[j] == labels[k]) continue;
      count += (values[j] < values[k]) != (labels[j] < labels[k]);
    }
  }
  return count;
}

double DropProbability(double share, double results, double horizon) {
  const double left = horizon > 0 ? std::max(0.0, 1 - results / horizon) : 1;
  return 1 - share * left;
}

EnsembleWeights RankWeights(const Eigen::VectorXd& labels, const std::vector<RankedModel>& others,
                            const RankedModel& own, const RankOptions& options, core::Rng rng) {
  EnsembleWeights weights{.others = std::vector<double>(others.size(), 0.0)};
  if (others.empty()) return weights;
  const auto results = static_cast<double>(labels.size());
  if (labels.size() < options.least_results) {
    weights.own = 0;
    std::fill(weights.others.begin(), weights.others.end(), 1.0 / static_cast<double>(others.size()));
    return weights;
  }
  const Eigen::Index counted = std::min<Eigen::Index>(labels.size(), options.most_results);
  const Eigen::VectorXd newest = labels.tail(counted);
  std::vector<RankedModel> models;
  for (const RankedModel& other : others) models.push_back(Newest(other, counted));
  models.push_back(Newest(own, counted));

  // losses[model][sample]
  std::vector<std::vector<int64_t>> losses(models.size());
  Eigen::VectorXd draw(counted);
  for (int s = 0; s < options.samples; ++s) {
    for (size_t m = 0; m < models.size(); ++m) {
      for (Eigen::Index i = 0; i < counted; ++i) {
        draw[i] = models[m].mean[i] + models[m].deviation[i] * DrawNormal(rng);
      }
      losses[m].push_back(MisrankedPairs(draw, newest));
    }
  }
  std::vector<bool> dropped(models.size(), false);
  for (size_t m = 0; m < others.size(); ++m) {
    int better = 0;
    for (int s = 0; s < options.samples; ++s)
      better += losses[m][static_cast<size_t>(s)] < losses.back()[static_cast<size_t>(s)];
    dropped[m] =
        rng.NextDouble() < DropProbability(static_cast<double>(better) / options.samples, results, options.horizon);
  }
  std::vector<double> share(models.size(), 0.0);
  for (size_t s = 0; s < static_cast<size_t>(options.samples); ++s) {
    int64_t least = losses.back()[s];
    for (size_t m = 0; m < others.size(); ++m) {
      if (!dropped[m]) least = std::min(least, losses[m][s]);
    }
    std::vector<size_t> best;
    for (size_t m = 0; m < models.size(); ++m) {
      if (!dropped[m] && losses[m][s] == least) best.push_back(m);
    }
    for (const size_t m : best) share[m] += 1.0 / static_cast<double>(best.size()) / options.samples;
  }
  weights.own = std::max(share.back(), results / (results + options.own_count));
  const double theirs = 1 - share.back();
  for (size_t m = 0; m < others.size(); ++m) {
    weights.others[m] = theirs > 0 ? share[m] / theirs * (1 - weights.own) : 0;
  }
  if (theirs <= 0) weights.own = 1;
  return weights;
}

Eigen::VectorXd MeanBlend::Mean(const Eigen::Ref<const Eigen::MatrixXd>& points) const {
  Eigen::VectorXd mean = Eigen::VectorXd::Zero(points.cols());
  for (const Other& other : others) mean += other.weight * MeanOf(*other.posterior, points.colwise() + other.shift);
  return mean;
}

bool PredictsBetter(const Posterior& own, const MeanBlend& blend, bool constant_mean) {
  Posterior blended = own;
  blended.SetLabels(own.labels() - blend.Mean(own.points()), constant_mean);
  return LeaveOneOutLogLikelihood(blended, blend.deviation) > LeaveOneOutLogLikelihood(own, 1);
}

Eigen::VectorXd FitShift(const Posterior& other, const Eigen::Ref<const Eigen::MatrixXd>& points,
                         const Eigen::VectorXd& labels, const Eigen::VectorXd& movable) {
  const Eigen::VectorXd y = Centred(labels);
  const auto cost = [&](const Eigen::VectorXd& shift) {
    const Eigen::VectorXd x = Centred(MeanOf(other, points.colwise() + shift));
    return (y - SlopeOf(x, y) * x).squaredNorm() / kShiftNoise +
           shift.squaredNorm() / (kShiftDeviation * kShiftDeviation);
  };
  Eigen::VectorXd shift = Eigen::VectorXd::Zero(points.rows());
  double least = cost(shift);
  for (int i = 0; i < kShiftSteps; ++i) {
    const Eigen::MatrixXd moved = points.colwise() + shift;
    Eigen::MatrixXd covariance;
    Eigen::MatrixXd slope;
    other.CrossCovarianceAndSlope(moved, covariance, slope);
    const Eigen::VectorXd x = Centred(TransposedProduct(covariance, other.weights()));
    const double factor = SlopeOf(x, y);
    if (factor <= 0) break;
    Eigen::MatrixXd jacobian =
        factor * (movable.asDiagonal() * other.WeightedGradients(moved, other.weights().asDiagonal() * slope));
    jacobian.colwise() -= jacobian.rowwise().mean().eval();
    Eigen::MatrixXd curvature = jacobian * jacobian.transpose() / kShiftNoise;
    curvature.diagonal().array() += 1 / (kShiftDeviation * kShiftDeviation);
    const Eigen::VectorXd direction =
        jacobian * (y - factor * x) / kShiftNoise - shift / (kShiftDeviation * kShiftDeviation);
    const Eigen::VectorXd step = curvature.ldlt().solve(direction);
    bool lower = false;
    for (double length = 1; length > 0.1 && !lower; length /= 2) {
      const Eigen::VectorXd next = (shift + length * step).cwiseMax(-kMostShift).cwiseMin(kMostShift);
      const double value = cost(next);
      if (!(value < least)) continue;
      lower = true;
      least = value;
      shift = next;
    }
    if (!lower) break;
  }
  return shift;
}

MeanBlend ExplainLabels(const Eigen::Ref<const Eigen::MatrixXd>& points, const Eigen::VectorXd& labels,
                        const std::vector<std::shared_ptr<const Posterior>>& others, const EnsembleWeights& weights,
                        const Eigen::VectorXd& movable) {
  MeanBlend blend;
  const double total = std::accumulate(weights.others.begin(), weights.others.end(), 0.0);
  if (total <= 0) return blend;
  const Eigen::VectorXd y = Centred(labels);
  // The share of the variance that is left, and the slope.
  const auto explain = [&](double& slope) {
    slope = 1;
    if (labels.size() < kLeastForSlope || y.squaredNorm() == 0) return 1.0;
    const Eigen::VectorXd x = Centred(blend.Mean(points));
    slope = SlopeOf(x, y);
    return (y - slope * x).squaredNorm() / y.squaredNorm();
  };
  for (size_t i = 0; i < others.size(); ++i) {
    if (weights.others[i] <= 0) continue;
    blend.others.push_back({weights.others[i] / total, others[i], Eigen::VectorXd::Zero(points.rows())});
  }
  double slope = 1;
  blend.unexplained = explain(slope);
  if (labels.size() >= kLeastForShift) {
    for (MeanBlend::Other& other : blend.others) other.shift = FitShift(*other.posterior, points, labels, movable);
  }
  blend.deviation = std::sqrt(std::clamp(explain(slope), kLeastLeft, 1.0));
  if (slope <= 0) blend.others.clear();
  for (MeanBlend::Other& other : blend.others) other.weight *= slope;
  return blend;
}

}  // namespace tuner::strategies::gp
