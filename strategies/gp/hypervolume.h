// Expected improvement of the hypervolume that a Pareto front dominates, in closed form.
//
// All objectives are maximised. Threads: const; any thread. Memory: up to (k + 1)^(m - 1) boxes for k points of the
// front and m objectives.
//
// Sources: Emmerich et al., IEEE CEC 2011 (the expectation as a sum over boxes that are not dominated); Daulton et al.,
// NeurIPS 2020, eq. 2 to 4 (its products).
#pragma once

#include <Eigen/Core>
#include <vector>

namespace tuner::strategies::gp {

// Rows of `results` (n x objectives, n > 0) that no other row dominates, once each.
Eigen::MatrixXd ParetoRows(const Eigen::MatrixXd& results);

class HypervolumeImprovement {
 public:
  // What lies above `reference` and is not dominated by a row of `front`.
  HypervolumeImprovement(const Eigen::MatrixXd& front, const Eigen::VectorXd& reference);

  // Expectation for independent normal objectives, deviations > 0; with its derivatives, each >= 0 up to rounding.
  struct Expectation {
    double value = 0;
    std::vector<double> by_mean;
    std::vector<double> by_deviation;
  };
  Expectation Of(const std::vector<double>& means, const std::vector<double>& deviations) const;

 private:
  // By objective: places in levels_ of the lower and the upper side; the upper one is levels_.size() if there is none.
  struct Side {
    size_t low = 0;
    size_t high = 0;
  };
  using Box = std::vector<Side>;
  void AddBoxes(const std::vector<std::vector<size_t>>& points, size_t objectives, Box& box);

  std::vector<std::vector<double>> levels_;  // by objective, ascending; the first is the reference's
  std::vector<Box> boxes_;
};

}  // namespace tuner::strategies::gp
