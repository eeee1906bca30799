// Kumaraswamy's distribution function as a warp of a unit coordinate: it stretches where the objective changes fast.
//
// Threads: pure functions. Source: Snoek et al. 2014 (arXiv 1402.0929), with Kumaraswamy's closed form for the beta
// distribution.
#pragma once

namespace tuner::strategies::gp {

struct WarpedInput {
  double value = 0;  // in [0, 1]
  double by_input = 0;
  double by_log_a = 0;
  double by_log_b = 0;
};

// w(u) = 1 - (1 - u^a)^b and its derivatives. u is clipped into [1e-9, 1 - 1e-9]; a, b > 0, meant to be in [0.25, 4].
WarpedInput WarpInput(double u, double a, double b);

}  // namespace tuner::strategies::gp
