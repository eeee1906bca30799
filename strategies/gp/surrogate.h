// From a job's results to a fitted posterior, in steps that can be repeated exactly.
//
// A fit is a pure function of the first `prefix` observations and of the first `anchor` of them: at anchors the
// kernel's parameters are searched from many starts, between anchors from those of the last anchor. So a
// fit can be made again without all fits before it. The factorisation takes the rows of the fit at once and later
// observations one by one, so that results are equal bit by bit however they came about.
//
// Threads: values; const functions from any thread.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "strategies/gp/encoder.h"
#include "strategies/gp/fit.h"
#include "strategies/gp/output_warp.h"
#include "strategies/gp/posterior.h"

namespace tuner::strategies::gp {

// Results in the order in which they came.
struct Observations {
  Eigen::MatrixXd points;      // width x capacity; the first size() columns count
  std::vector<double> values;  // to be maximised; NaN: the point cannot be evaluated
  // By value, or empty if all were measured alike: at which resource, and of which trial.
  std::vector<int64_t> resources;
  std::vector<int32_t> trials;

  int64_t size() const { return static_cast<int64_t>(values.size()); }
  void Add(const Encoder& encoder, absl::Span<const double> snapped, double value);
  // The same at a fidelity, which the encoder has a column for; at `resource`, of `trial`.
  void AddAt(const Encoder& encoder, absl::Span<const double> snapped, double value, double fidelity, int64_t resource,
             int32_t trial);
  // The first `prefix` values, each moved to where it would be at the largest resource: by the median of what trials
  // gained from one resource to the next. Trials that were promoted are better than others, so the levels' own means
  // would not do.
  std::vector<double> Aligned(int64_t prefix) const;
  // The points of some places: width x rows.
  Eigen::MatrixXd PointsAt(const std::vector<int>& places) const;
  // The first `prefix` of them.
  Observations Head(int64_t prefix) const;
};

struct FitPlan {
  int first_anchor = 4;  // observations at the first fit
  double anchor_growth = 1.3;
  int random_starts = 4;  // at anchors
  int most_rows = 256;    // of which the kernel's parameters are learnt
  int window = 1000;      // rows of the posterior once there are more than window_from
  int window_from = 1500;
  int every_time = 150;  // observations up to which each makes a fit due
  double refit_growth = 1.2;
  int window_refit = 50;    // new observations after which a window is chosen anew
  int most_appended = 200;  // results after a fit that its posterior takes in; later ones wait for the next fit

  // Largest anchor that is not above `prefix`; 0 if there is none.
  int64_t AnchorOf(int64_t prefix) const;
  bool IsDue(int64_t fitted, int64_t known) const;
};

struct Fit {
  KernelParameters parameters;
  KernelParameters anchor_parameters;
  std::vector<int> rows;               // of the posterior, in its order: places in the observations
  std::optional<Posterior> posterior;  // without labels
};

// Everything of one fit. `known_anchor`: parameters of an earlier fit at an anchor, used if its prefix is the one
// needed. nullopt: told to stop.
struct KnownAnchor {
  int64_t prefix = 0;
  KernelParameters parameters;
};
std::optional<Fit> MakeFit(const Observations& observations, const std::vector<int>& groups, int group_count,
                           int64_t prefix, int64_t anchor, const std::optional<KnownAnchor>& known_anchor,
                           const FitPlan& plan, const FitOptions& options, uint64_t seed, core::StopToken stop);

// Labels of the observations at some places, of a warp that was fitted to all values that are known.
Eigen::VectorXd LabelsAt(const OutputWarp& warp, const std::vector<int>& places);

}  // namespace tuner::strategies::gp
