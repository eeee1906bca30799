// Where an acquisition function is highest: candidates, then climbs in the smooth coordinates and moves in the others
// by turns.
//
// Threads: pure functions. Everything random comes from the Rng, so equal arguments give equal results.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "core/rng.h"
#include "core/stop_token.h"
#include "strategies/gp/acquisition.h"
#include "strategies/gp/encoder.h"
#include "strategies/gp/lockstep_lbfgs.h"

namespace tuner::strategies::gp {

struct SearchOptions {
  int global_candidates = 512;  // spread over the space, or over the trust region
  int local_candidates = 512;   // around the best points
  int exact_candidates = 64;    // those of the highest upper bounds are evaluated exactly
  int starts = 8;
  int rounds = 4;  // of climbs and moves by turns
  ClimbOptions climb;
};

// What the search knows beside the acquisition function.
struct SearchContext {
  const Encoder* encoder = nullptr;
  // Snapped units of observed and pending points. Local candidates are drawn around those named by `best`, best first.
  const std::vector<std::vector<double>>* known = nullptr;
  std::vector<int> best;
  // Largest distance, in any one smooth coordinate, from the nearest known point; 0: no bound (Vizier's trust region).
  double trust_radius = 0;
  // Length-scale of each column's group: natural lengths for climbing.
  Eigen::VectorXd column_lengths;
  // Whether a snapped point may be proposed; null: all may.
  std::function<bool(const std::vector<double>&)> allowed;
  // Draws an allowed point if drawing blindly does not find any; null: none.
  std::function<std::optional<std::vector<double>>(core::Rng&)> draw_allowed;
  core::StopToken stop = nullptr;
};

struct Optimum {
  std::vector<double> units;  // snapped
  double value = 0;
};

// Distinct allowed points of high value, best first. Empty if no allowed point was met, or told to stop.
std::vector<Optimum> Maximise(const Acquisition& acquisition, const SearchContext& context,
                              const SearchOptions& options, core::Rng rng);

}  // namespace tuner::strategies::gp
