// Objective values without their bad tail: what lies below the median only counts by its rank.
//
// Units: finite values y to be maximised; centred units u = (y - median) / radius, radius = greatest |y - median|, so
// that fitted values are in [-1, 1]. Threads: immutable after Fit; any thread. Any finite doubles will do: nothing
// overflows, and the order of values is kept but for what rounding makes equal.
//
// Source: OSS Vizier's half-rank warper (Song et al. 2024, arXiv 2408.11527, section 3.3).
#pragma once

#include <vector>

#include "absl/types/span.h"
#include "strategies/gp/normal.h"

namespace tuner::strategies::gp {

class HalfRank {
 public:
  // Values below the median m become those that a normal distribution has at their rank,
  // m + s PhiInverse((r - 1/2) / (2 D)): s^2 = mean over distinct y >= m of (y - m)^2 (over all distinct y if that is
  // 0), r = place among the distinct values from 1, D = number of distinct values below m, and 1/2 more if m is a
  // value. With `enabled` false all values stay. Expects at least one.
  static HalfRank Fit(std::vector<double> y, bool enabled);

  // In centred units; linear between the fitted values, and beyond the least with the slope there. Finite.
  double Forward(double y) const;
  // y and dy / du of a result of Forward. Finite; the slope is > 0.
  ValueAndSlope Inverse(double u) const;

  // Whether all fitted values are equal: then radius is their magnitude, or 1.
  bool constant() const { return constant_; }
  // A centred value in the unit of y.
  double FromCentred(double u) const;

 private:
  HalfRank() = default;

  double Centred(double y) const;
  // The middle values are those in between which the median lies.
  void FitRanks(absl::Span<const double> distinct, double left_middle, double right_middle);

  bool constant_ = true;
  // u = (2^-exponent y - centre) / radius.
  int exponent_ = 0;
  double centre_ = 0;
  double radius_ = 1;
  // Distinct values below the median, then the median, ascending: centred, and as they become. Empty if not enabled.
  struct Knot {
    double y = 0;
    double centred = 0;
    double ranked = 0;
  };
  std::vector<Knot> knots_;
};

}  // namespace tuner::strategies::gp
