#include "strategies/gp/lockstep_lbfgs.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <utility>

namespace tuner::strategies::gp {
namespace {

constexpr size_t kMemory = 8;
constexpr double kSufficientGain = 1e-4;  // share of the gain that the slope promises
constexpr double kShrink = 0.3;
constexpr double kLeastStep = 1e-6;
constexpr double kFirstMove = 0.1;  // of the longest coordinate, in natural lengths

// One climb, in coordinates divided by their scales; a minimiser of the negated value inside.
class OneClimb {
 public:
  OneClimb(Eigen::VectorXd start, Eigen::VectorXd low, Eigen::VectorXd high, const ClimbOptions& options)
      : options_(options), low_(std::move(low)), high_(std::move(high)), x_(std::move(start)), trial_(x_) {}

  bool done() const { return done_; }
  const Eigen::VectorXd& trial() const { return trial_; }
  const Eigen::VectorXd& best() const { return x_; }
  double value() const { return -f_; }

  // What the function is at trial(). Chooses the next trial.
  void Take(double value, const Eigen::VectorXd& gradient) {
    ++evaluations_;
    const double f = -value;
    if (evaluations_ == 1) {
      if (!std::isfinite(f)) {
        f_ = f;
        done_ = true;
        return;
      }
      Accept(f, -gradient);
    } else {
      const double promised = g_.dot(trial_ - x_);
      if (std::isfinite(f) && f <= f_ + kSufficientGain * promised) {
        const Eigen::VectorXd step = trial_ - x_;
        const Eigen::VectorXd change = -gradient - g_;
        const double gain = f_ - f;
        Remember(step, change);
        Accept(f, -gradient);
        if (gain <= options_.value_tolerance * (1 + std::abs(f)) ||
            step.lpNorm<Eigen::Infinity>() < options_.step_tolerance) {
          done_ = true;
        }
      } else {
        step_ *= kShrink;
        if (step_ < kLeastStep) done_ = true;
      }
    }
    if (evaluations_ >= options_.max_evaluations) done_ = true;
    if (done_) return;
    trial_ = (x_ + step_ * direction_).cwiseMax(low_).cwiseMin(high_);
    if ((trial_ - x_).lpNorm<Eigen::Infinity>() < options_.step_tolerance) done_ = true;
  }

 private:
  struct Pair {
    Eigen::VectorXd step;
    Eigen::VectorXd change;
    double inverse_product = 0;
  };

  void Remember(const Eigen::VectorXd& step, const Eigen::VectorXd& change) {
    const double product = step.dot(change);
    if (product <= 1e-12 * step.norm() * change.norm()) return;
    pairs_.push_back({.step = step, .change = change, .inverse_product = 1 / product});
    if (pairs_.size() > kMemory) pairs_.pop_front();
  }

  void Accept(double f, Eigen::VectorXd g) {
    x_ = trial_;
    f_ = f;
    g_ = std::move(g);
    step_ = 1;
    // Coordinates that stand at a bound and would leave it are held.
    Eigen::VectorXd free = g_;
    for (Eigen::Index i = 0; i < free.size(); ++i) {
      if (Held(i)) free[i] = 0;
    }
    const double steepest = free.lpNorm<Eigen::Infinity>();
    if (steepest == 0) {
      done_ = true;
      return;
    }
    direction_ = TwoLoop(free);
    for (Eigen::Index i = 0; i < free.size(); ++i) {
      if (Held(i)) direction_[i] = 0;
    }
    if (direction_.dot(g_) >= 0) {
      pairs_.clear();
      direction_ = -free;
    }
    if (pairs_.empty()) direction_ *= kFirstMove / steepest;
  }

  bool Held(Eigen::Index i) const { return (x_[i] <= low_[i] && g_[i] > 0) || (x_[i] >= high_[i] && g_[i] < 0); }

  Eigen::VectorXd TwoLoop(const Eigen::VectorXd& gradient) const {
    Eigen::VectorXd q = gradient;
    std::vector<double> alphas(pairs_.size());
    for (size_t i = pairs_.size(); i-- > 0;) {
      alphas[i] = pairs_[i].inverse_product * pairs_[i].step.dot(q);
      q -= alphas[i] * pairs_[i].change;
    }
    if (!pairs_.empty()) q /= pairs_.back().inverse_product * pairs_.back().change.squaredNorm();
    for (size_t i = 0; i < pairs_.size(); ++i) {
      const double beta = pairs_[i].inverse_product * pairs_[i].change.dot(q);
      q += (alphas[i] - beta) * pairs_[i].step;
    }
    return -q;
  }

  const ClimbOptions& options_;
  Eigen::VectorXd low_;
  Eigen::VectorXd high_;
  Eigen::VectorXd x_;
  Eigen::VectorXd trial_;
  Eigen::VectorXd g_;
  Eigen::VectorXd direction_;
  double f_ = 0;
  double step_ = 1;
  int evaluations_ = 0;
  bool done_ = false;
  std::deque<Pair> pairs_;
};

}  // namespace

ClimbResult Climb(const Eigen::MatrixXd& starts, const Eigen::MatrixXd& low, const Eigen::MatrixXd& high,
                  const Eigen::VectorXd& scales, const BatchFunction& function, const ClimbOptions& options) {
  const Eigen::VectorXd inverse_scales = scales.cwiseInverse();
  std::vector<OneClimb> climbs;
  for (Eigen::Index i = 0; i < starts.cols(); ++i) {
    climbs.emplace_back(starts.col(i).cwiseProduct(inverse_scales), low.col(i).cwiseProduct(inverse_scales),
                        high.col(i).cwiseProduct(inverse_scales), options);
  }
  Eigen::VectorXd values;
  Eigen::MatrixXd gradients;
  while (true) {
    std::vector<int> active;
    for (int i = 0; i < static_cast<int>(climbs.size()); ++i) {
      if (!climbs[static_cast<size_t>(i)].done()) active.push_back(i);
    }
    if (active.empty()) break;
    Eigen::MatrixXd points(starts.rows(), static_cast<Eigen::Index>(active.size()));
    for (size_t i = 0; i < active.size(); ++i) {
      points.col(static_cast<Eigen::Index>(i)) = climbs[static_cast<size_t>(active[i])].trial().cwiseProduct(scales);
    }
    function(points, active, values, gradients);
    for (size_t i = 0; i < active.size(); ++i) {
      const auto column = static_cast<Eigen::Index>(i);
      climbs[static_cast<size_t>(active[i])].Take(values[column], gradients.col(column).cwiseProduct(scales));
    }
  }
  ClimbResult result{.points = starts, .values = Eigen::VectorXd(starts.cols())};
  for (size_t i = 0; i < climbs.size(); ++i) {
    const auto column = static_cast<Eigen::Index>(i);
    result.points.col(column) =
        climbs[i].best().cwiseProduct(scales).cwiseMax(low.col(column)).cwiseMin(high.col(column));
    result.values[column] = climbs[i].value();
  }
  return result;
}

}  // namespace tuner::strategies::gp
