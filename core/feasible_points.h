// The points of a finite space that satisfy its constraints, numbered from 0 in the order of SearchSpace::PointAt.
//
// They are found by branch and bound: ranges of values that interval arithmetic rules out are left out as a whole, and
// those where all points are feasible are counted without a look at each. So a space of 10^9 points costs little where
// the constraints speak of few parameters, and memory is bounded in any case: one entry for each run of consecutive
// points, thinned out above some thousands (what lies between is found again when it is asked for).
//
// Threads: Extend excludes all other calls; any thread otherwise. Ownership: borrows the space and the constraints,
// which outlive it.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/numeric/int128.h"
#include "core/constraint.h"
#include "core/search_space.h"
#include "core/stop_token.h"

namespace tuner::core {

class FeasiblePoints {
 public:
  // Whether the space can be numbered: no continuous parameter (`for_grid`: without grid_points), under 2^128 - 1
  // points.
  static bool CanNumber(const SearchSpace& space, bool for_grid);

  // Expects a space that CanNumber. Knows no point yet.
  FeasiblePoints(const SearchSpace& space, const ConstraintSet& constraints, bool for_grid);

  // Goes on until at least `wanted` points are known, or all are, or `effort` more boxes were looked at (about 1 us
  // each), or `stop` is true.
  void Extend(absl::uint128 wanted, int64_t effort, StopToken stop = nullptr);

  absl::uint128 known() const { return known_; }
  // Whether there are no others.
  bool complete() const { return complete_; }
  // The index in PointAt of the point of this number, and the point. rank < known().
  absl::uint128 IndexAt(absl::uint128 rank) const;
  ParameterMap At(absl::uint128 rank) const { return space_.PointAt(IndexAt(rank), for_grid_); }

 private:
  // Consecutive feasible points.
  struct Run {
    absl::uint128 rank = 0;   // number of the first
    absl::uint128 index = 0;  // of the first, in PointAt
    absl::uint128 count = 0;
  };
  class Walk;

  void Keep(const Run& run);

  const SearchSpace& space_;
  const ConstraintSet& constraints_;
  const bool for_grid_;
  absl::uint128 known_ = 0;
  absl::uint128 next_index_ = 0;  // all feasible points below it are known
  bool complete_ = false;
  std::vector<Run> runs_;  // every stride_-th, ascending
  uint64_t stride_ = 1;
  uint64_t run_count_ = 0;
};

}  // namespace tuner::core
