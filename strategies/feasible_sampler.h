// Draws points that satisfy a job's constraints: what every strategy that is not a plain list takes its points from.
//
// Plain rejection first. Where few draws are feasible, a finite space is numbered (core/feasible_points.h) if that
// takes no more than a moment, and numbers are drawn. Else the unit cube is paved with boxes that interval arithmetic
// could not rule out (Jaulin and Walter, "Set inversion via interval analysis for nonlinear bounded-error estimation",
// Automatica 29, 1993), and draws come from those; both are uniform over the feasible points. Where that fails too
// (many dimensions, a small region), a randomised descent into boxes finds a feasible point, and hit-and-run steps
// (Smith 1984; with the shrinkage of Neal, "Slice sampling", 2003) carry it away from where it was found.
//
// Threads: immutable after construction; any thread. Ownership: borrows the space and the constraints, which outlive
// it. Memory: under 2 MB.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "core/constraint.h"
#include "core/feasible_points.h"
#include "core/rng.h"
#include "core/search_space.h"
#include "strategies/strategy.h"

namespace tuner::strategies {

class FeasibleSampler {
 public:
  // Without constraints free; with them some milliseconds, up to 300 for a large finite space.
  FeasibleSampler(const core::SearchSpace& space, const core::ConstraintSet& constraints);

  bool Satisfied(const core::ParameterMap& point) const { return constraints_.Satisfied(point); }
  // Of unit coordinates, one for each parameter of the space. No allocation up to 128 parameters.
  bool SatisfiedUnits(absl::Span<const double> units) const;

  // Unit coordinates, one for each parameter, of a point that satisfies the constraints: a function of the state of
  // `rng` alone. nullopt: none was found (ExhaustedReason), or told to stop. Without constraints: uniform, one
  // rng.NextDouble for each parameter.
  std::optional<std::vector<double>> DrawUnits(core::Rng& rng, StopToken stop = nullptr) const;

  // Number of points that satisfy the constraints, and the point of each number; nullopt: the space has continuous
  // parameters, or could not be numbered, or has no constraints.
  std::optional<uint64_t> point_count() const { return point_count_; }
  core::ParameterMap PointAt(uint64_t number) const { return points_->At(number); }

  // Why a job ends whose DrawUnits found nothing: a sentence with figures.
  std::string ExhaustedReason() const;

 private:
  // Bounds of the unit coordinates in branching_, in that order: [low, high).
  struct Box {
    std::vector<double> low;
    std::vector<double> high;
  };

  Box Cube() const;
  struct Judgement {
    core::Extent extent = core::Extent::kAll;  // in how much of the box all constraints hold
    int split = -1;      // kSome: place in branching_ of the coordinate to halve, or -1 if none can be
    double promise = 1;  // a guess at the share of the box that is feasible
  };
  Judgement Judge(const Box& box) const;
  std::pair<Box, Box> Halve(const Box& box, int split) const;
  void Pave();
  // Fills units, those outside of branching_ from all of [0, 1).
  void DrawIn(const Box& box, core::Rng& rng, std::vector<double>& units) const;
  // Whether the units satisfy all constraints, or do after those that are broken got one of their pins.
  bool AcceptOrPin(core::Rng& rng, std::vector<double>& units) const;
  bool Descend(core::Rng& rng, StopToken stop, std::vector<double>& units) const;
  void HitAndRun(core::Rng& rng, std::vector<double>& units) const;

  const core::SearchSpace& space_;
  const core::ConstraintSet& constraints_;
  std::vector<int> branching_;  // parameters that constraints mention, and their ancestors; ascending
  std::optional<core::FeasiblePoints> points_;
  std::optional<uint64_t> point_count_;
  bool few_ = false;   // few plain draws are feasible
  bool none_ = false;  // no point is, for certain
  std::vector<Box> paving_;
  std::vector<double> volume_below_;  // of paving_: share of all boxes up to and with this one
};

}  // namespace tuner::strategies
