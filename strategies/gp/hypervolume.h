// Expected improvement of the hypervolume that a Pareto front dominates, in closed form.
//
// All objectives are maximised; there are two or three. Threads: const; any thread. Boxes, with memory and time of an
// evaluation: k + 1 for k points of a front of two objectives; with three the sum over its points of the front of those
// above, k^1.5 as a rule.
//
// Sources: Emmerich et al., IEEE CEC 2011 (the expectation as a sum over boxes that are not dominated); Daulton et al.,
// NeurIPS 2020, eq. 2 to 4 (its products).
#pragma once

#include <Eigen/Core>
#include <array>
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

  size_t box_count() const { return boxes_.size(); }

  // A point by its objectives' places in the levels.
  using Place = std::array<size_t, 3>;

 private:
  // Places in levels_ of the lower and the upper side; the upper one is levels_.size() if there is none.
  struct Side {
    size_t low = 0;
    size_t high = 0;
  };
  using Box = std::array<Side, 3>;
  // The boxes beside `stairs`, which ascend in the second objective and descend in the first, between `third`'s sides.
  void AddBoxes(const std::vector<Place>& stairs, Side third);

  std::vector<std::vector<double>> levels_;  // by objective, ascending; the first is the reference's
  std::vector<Box> boxes_;
};

}  // namespace tuner::strategies::gp
