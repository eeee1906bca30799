// From objective values to the labels that a Gaussian process fits well, and back.
//
// Units: values y are to be maximised; NaN stands for a failed or infeasible trial. +-infinity counts as the greatest
// or least finite value. Threads: immutable after Fit; any thread. Any doubles will do: nothing overflows, and the
// order of values is kept but for what rounding makes equal.
//
// Source: the output warpers of OSS Vizier's Gaussian process bandit (Song et al. 2024, arXiv 2408.11527, section 3.3).
#pragma once

#include <Eigen/Core>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "strategies/gp/half_rank.h"

namespace tuner::strategies::gp {

struct WarpOptions {
  bool half_rank = true;
  bool log = true;
  bool only_outliers = false;  // half-rank only where a value is worse than the first quartile by three times the
                               // distance between the quartiles
};

// 1/2 - ln(1 + (max - y) / (2 (max - min))) / ln 1.5: the best becomes 1/2, the worst -1/2; zeros if all are equal.
// Expects finite values.
Eigen::VectorXd LogStretch(const Eigen::VectorXd& y);

// NaN becomes bad = min - ((max - min) / 2 + 1), and then all are shifted so that p mean + (1 - p) bad = 0 with
// p = (1/2 + feasible) / (1 + n), mean over the feasible: far from all data a model of prior mean 0 expects something
// between the two. -1 for all if all are NaN. Expects magnitudes below 1e150.
Eigen::VectorXd PlaceInfeasible(const Eigen::VectorXd& y);

class OutputWarp {
 public:
  // HalfRank, then LogStretch, then to mean 0 and deviation 1 (0 where all are equal), then PlaceInfeasible if there is
  // a NaN.
  static OutputWarp Fit(absl::Span<const double> y, WarpOptions options);

  // One per value given to Fit, infeasible ones included.
  const Eigen::VectorXd& labels() const { return labels_; }

  // The label of any value that is not NaN. Increasing; below the median linear between the fitted values, above the
  // greatest linear with the slope there. Finite.
  double Forward(double y) const;
  // Undoes Forward. Finite.
  double Inverse(double label) const { return Undo(label).value; }
  // dy / dlabel > 0: times a label's small deviation, the value's. Where all values are equal, their magnitude, or 1.
  double InverseSlope(double label) const { return Undo(label).slope; }

 private:
  OutputWarp(HalfRank half_rank, bool log) : half_rank_(std::move(half_rank)), log_(log) {}

  // Before standardising.
  double Stretched(double y) const;
  ValueAndSlope Undo(double label) const;

  Eigen::VectorXd labels_;
  HalfRank half_rank_;
  bool log_;
  // Of the values after half_rank_.
  double least_ = 0;
  double range_ = 1;
  // Of the values after the log.
  double mean_ = 0;
  double deviation_ = 1;
  double shift_ = 0;  // by PlaceInfeasible
};

}  // namespace tuner::strategies::gp
