#include "strategies/gp/fit.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>
#include <nlopt.hpp>

#include "core/rng.h"
#include "strategies/gp/dense.h"

namespace tuner::strategies::gp {
namespace {

constexpr double kLogTwoPi = 1.8378770664093453;
// Bounds of the search, natural logarithms.
const double kLeastLogLength = std::log(0.005);
const double kMostLogLength = std::log(1e2);
const double kLeastLogSignal = std::log(1e-3);
const double kMostLogSignal = std::log(1e2);
const double kLeastLogNoise = std::log(1e-8);
const double kMostLogNoise = 0;

constexpr double kRelativeTolerance = 1e-4;  // of the log posterior
constexpr uint32_t kStartStream = 0x6670;

double Normal(double x, double location, double deviation, double& slope) {
  const double z = (x - location) / deviation;
  slope = -z / deviation;
  return -0.5 * z * z;
}

const LengthPrior& PriorOf(const FitOptions& options, Eigen::Index group) {
  return options.length_priors[std::min(static_cast<size_t>(group), options.length_priors.size() - 1)];
}

KernelParameters FromVector(const std::vector<double>& x) {
  const auto groups = static_cast<Eigen::Index>(x.size()) - 2;
  KernelParameters parameters;
  parameters.log_length = Eigen::Map<const Eigen::VectorXd>(x.data(), groups);
  parameters.log_signal = x[static_cast<size_t>(groups)];
  parameters.log_noise = x[static_cast<size_t>(groups) + 1];
  return parameters;
}

std::vector<double> ToVector(const KernelParameters& parameters) {
  std::vector<double> x(parameters.log_length.begin(), parameters.log_length.end());
  x.push_back(parameters.log_signal);
  x.push_back(parameters.log_noise);
  return x;
}

// A search's data, and the best that it met.
struct Search {
  Eigen::Ref<const Eigen::MatrixXd> points;
  const std::vector<int>& groups;
  Eigen::Ref<const Eigen::VectorXd> labels;
  const FitOptions& options;
  core::StopToken stop;
  nlopt::opt* optimiser = nullptr;
  FitResult best;

  static double Evaluate(const std::vector<double>& x, std::vector<double>& gradient, void* data) {
    auto& search = *static_cast<Search*>(data);
    if (core::Stopped(search.stop)) search.optimiser->force_stop();
    const KernelParameters parameters = FromVector(x);
    Eigen::VectorXd slopes;
    const double value = LogPosterior(search.points, search.groups, search.labels, parameters, search.options,
                                      gradient.empty() ? nullptr : &slopes);
    ++search.best.evaluations;
    if (!gradient.empty()) std::copy(slopes.begin(), slopes.end(), gradient.begin());
    if (value > search.best.log_posterior) {
      search.best.log_posterior = value;
      search.best.parameters = parameters;
    }
    return value;
  }

  // At most so many evaluations from `start`. False if it was told to stop.
  bool Climb(const KernelParameters& start, int most_evaluations) {
    const auto size = static_cast<unsigned>(start.log_length.size()) + 2;
    std::vector<double> low(size, kLeastLogLength);
    std::vector<double> high(size, kMostLogLength);
    low[size - 2] = kLeastLogSignal;
    high[size - 2] = kMostLogSignal;
    low[size - 1] = kLeastLogNoise;
    high[size - 1] = kMostLogNoise;
    nlopt::opt climb(nlopt::LD_LBFGS, size);
    optimiser = &climb;
    climb.set_max_objective(&Search::Evaluate, this);
    climb.set_lower_bounds(low);
    climb.set_upper_bounds(high);
    climb.set_maxeval(most_evaluations);
    climb.set_ftol_rel(kRelativeTolerance);
    climb.set_vector_storage(8);
    std::vector<double> x = ToVector(start);
    for (unsigned i = 0; i < size; ++i) x[i] = std::clamp(x[i], low[i], high[i]);
    double value = 0;
    try {
      climb.optimize(x, value);
    } catch (const nlopt::forced_stop&) {
      return false;
    } catch (const std::exception&) {
      // Rounding or a matrix that cannot be factorised ended the climb: what it met counts.
    }
    return true;
  }
};

}  // namespace

LengthPrior LengthPrior::Broad(int dimensions) {
  return {.kind = Kind::kLogNormal, .a = std::sqrt(2.0) + 0.5 * std::log(dimensions), .b = std::sqrt(3.0)};
}

double LengthPrior::TypicalLength(int dimensions) const {
  return kind == Kind::kGamma ? std::clamp(0.5 * std::sqrt(static_cast<double>(dimensions)), 0.1, 10.0)
                              : std::exp(a - b * b);
}

double LengthPrior::LogDensity(double log_length, double& slope) const {
  if (kind == Kind::kGamma) {
    const double length = std::exp(log_length);
    slope = (a - 1) - b * length;
    return (a - 1) * log_length - b * length;
  }
  const double value = Normal(log_length, a, b, slope) - log_length;
  slope -= 1;
  return value;
}

double LogLikelihood(const Eigen::Ref<const Eigen::MatrixXd>& points, const std::vector<int>& groups,
                     const Eigen::Ref<const Eigen::VectorXd>& labels, const KernelParameters& parameters,
                     Eigen::VectorXd* gradient) {
  const Eigen::Index n = points.cols();
  const Eigen::Index length_count = parameters.log_length.size();
  if (gradient != nullptr) *gradient = Eigen::VectorXd::Zero(length_count + 2);
  if (n == 0) return 0;
  const double signal = parameters.signal();
  const double noise = parameters.noise();
  const Eigen::MatrixXd scaled = Scaled(points, groups, parameters);
  Eigen::MatrixXd covariance = SquaredDistances(scaled, scaled);
  covariance.diagonal().setZero();
  Eigen::MatrixXd slope;
  if (gradient == nullptr) {
    CovarianceFromSquaredDistances(signal, covariance.data(), covariance.size());
  } else {
    slope.resize(n, n);
    CovarianceAndSlope(signal, covariance.data(), slope.data(), covariance.size());
  }
  Eigen::MatrixXd factor = covariance;
  factor.diagonal().array() += noise;
  if (!Factorise(factor)) return -std::numeric_limits<double>::infinity();
  const double log_determinant = 2 * factor.diagonal().array().log().sum();
  if (gradient == nullptr) {
    const Eigen::VectorXd whitened = factor.triangularView<Eigen::Lower>().solve(labels);
    return -0.5 * (whitened.squaredNorm() + log_determinant + static_cast<double>(n) * kLogTwoPi);
  }
  InvertLower(factor);
  SquareOfLower(factor);
  factor.triangularView<Eigen::StrictlyUpper>() = factor.transpose();
  const Eigen::MatrixXd& inverse = factor;
  const Eigen::VectorXd weights = Product(inverse, labels);

  // W = weights weights' - K^-1; each derivative is half of the sum of W times dK.
  Eigen::MatrixXd w = -inverse;
  w.noalias() += weights * weights.transpose();
  const Eigen::MatrixXd a = w.cwiseProduct(slope);
  const Eigen::VectorXd row_sums = a.rowwise().sum();
  const Eigen::MatrixXd product = Product(scaled, a);  // width x n
  for (Eigen::Index i = 0; i < points.rows(); ++i) {
    (*gradient)[groups[static_cast<size_t>(i)]] +=
        scaled.row(i).cwiseAbs2().dot(row_sums.transpose()) - scaled.row(i).dot(product.row(i));
  }
  (*gradient)[length_count] = 0.5 * w.cwiseProduct(covariance).sum();
  (*gradient)[length_count + 1] = 0.5 * noise * w.trace();
  return -0.5 * (labels.dot(weights) + log_determinant + static_cast<double>(n) * kLogTwoPi);
}

double LogPosterior(const Eigen::Ref<const Eigen::MatrixXd>& points, const std::vector<int>& groups,
                    const Eigen::Ref<const Eigen::VectorXd>& labels, const KernelParameters& parameters,
                    const FitOptions& options, Eigen::VectorXd* gradient) {
  double value = LogLikelihood(points, groups, labels, parameters, gradient);
  const Eigen::Index length_count = parameters.log_length.size();
  double slope = 0;
  for (Eigen::Index i = 0; i < length_count; ++i) {
    value += PriorOf(options, i).LogDensity(parameters.log_length[i], slope);
    if (gradient != nullptr) (*gradient)[i] += slope;
  }
  value += Normal(parameters.log_signal, 0, 1, slope);
  if (gradient != nullptr) (*gradient)[length_count] += slope;
  value += Normal(parameters.log_noise, options.noise_location, options.noise_deviation, slope);
  if (gradient != nullptr) (*gradient)[length_count + 1] += slope;
  return value;
}

KernelParameters DefaultParameters(int groups, const FitOptions& options) {
  KernelParameters parameters{.log_length = Eigen::VectorXd(groups), .log_signal = 0, .log_noise = std::log(1e-3)};
  for (Eigen::Index i = 0; i < groups; ++i) {
    parameters.log_length[i] = std::log(PriorOf(options, i).TypicalLength(groups));
  }
  return parameters;
}

KernelParameters RandomParameters(int groups, uint64_t seed, uint64_t index) {
  core::Rng rng(seed, index, kStartStream);
  const auto log_uniform = [&rng](double low, double high) {
    return std::log(low) + rng.NextDouble() * (std::log(high) - std::log(low));
  };
  KernelParameters parameters{.log_length = Eigen::VectorXd(groups)};
  for (double& log_length : parameters.log_length) log_length = log_uniform(0.05, 3);
  parameters.log_signal = log_uniform(0.1, 10);
  parameters.log_noise = log_uniform(1e-6, 0.3);
  return parameters;
}

FitResult FitParameters(const Eigen::Ref<const Eigen::MatrixXd>& points, const std::vector<int>& groups,
                        const Eigen::Ref<const Eigen::VectorXd>& labels, const std::vector<KernelParameters>& starts,
                        const FitOptions& options, core::StopToken stop) {
  Search search{.points = points, .groups = groups, .labels = labels, .options = options, .stop = stop};
  search.best.parameters = starts.front();
  search.best.log_posterior = -std::numeric_limits<double>::infinity();
  if (points.cols() == 0) return search.best;

  const bool screens = starts.size() > 1 && options.screening_evaluations > 0;
  for (const KernelParameters& start : starts) {
    if (!search.Climb(start, screens ? options.screening_evaluations : options.max_evaluations)) return search.best;
  }
  if (screens) search.Climb(KernelParameters(search.best.parameters), options.max_evaluations);
  return search.best;
}

}  // namespace tuner::strategies::gp
