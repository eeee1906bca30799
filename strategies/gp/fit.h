// The kernel's parameters that the observations make most plausible: maximum of likelihood times priors (MAP).
//
// Threads: pure functions; any thread. Sources: likelihood and gradient: Rasmussen and Williams 2006, eqs. 2.30
// and 5.9; prior of length-scales in many dimensions: Hvarfner et al. 2024 (arXiv 2402.02229).
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/stop_token.h"
#include "strategies/gp/kernel.h"
#include "strategies/gp/output_warp.h"

namespace tuner::strategies::gp {

// Log of a prior density over a length-scale, at its logarithm.
struct LengthPrior {
  enum class Kind { kGamma, kLogNormal };
  Kind kind = Kind::kGamma;
  double a = 5;   // shape; or location of ln l
  double b = 10;  // rate; or deviation of ln l

  // LogNormal(sqrt 2 + ln(d) / 2, sqrt 3), which grows with the number of length-scales.
  static LengthPrior Broad(int dimensions);
  // Value and derivative with respect to ln l. The density is over l, not ln l.
  double LogDensity(double log_length, double& slope) const;
  // Where a search may start.
  double TypicalLength(int dimensions) const;
};

struct FitOptions {
  std::vector<LengthPrior> length_priors = {LengthPrior()};  // by group; the last stands for those that are missing
  WarpOptions warp;                                          // of the values, before they are labels
  double noise_location = -6;                                // of ln(noise variance)
  double noise_deviation = 2;
  int max_evaluations = 100;      // of the climb to the end
  int screening_evaluations = 8;  // of each start, where there are several; the best of them climbs on. 0: all do
};

// Log of likelihood alone; with gradient with respect to (log_length..., log_signal, log_noise) if it is not null.
double LogLikelihood(const Eigen::Ref<const Eigen::MatrixXd>& points, const std::vector<int>& groups,
                     const Eigen::Ref<const Eigen::VectorXd>& labels, const KernelParameters& parameters,
                     Eigen::VectorXd* gradient);
// Likelihood times priors.
double LogPosterior(const Eigen::Ref<const Eigen::MatrixXd>& points, const std::vector<int>& groups,
                    const Eigen::Ref<const Eigen::VectorXd>& labels, const KernelParameters& parameters,
                    const FitOptions& options, Eigen::VectorXd* gradient);

// Where searches start when nothing is known.
KernelParameters DefaultParameters(int groups, const FitOptions& options);
// Within the bounds of the search, drawn by `seed` and `index`.
KernelParameters RandomParameters(int groups, uint64_t seed, uint64_t index);

struct FitResult {
  KernelParameters parameters;
  double log_posterior = 0;
  int evaluations = 0;
};
// Climbs from the start (NLopt, L-BFGS within bounds); of several starts, a little from each, and from the best to the
// end. `stop`, if it is true, ends the search at what it has. Needs at least one start; with no points the first one
// comes back.
FitResult FitParameters(const Eigen::Ref<const Eigen::MatrixXd>& points, const std::vector<int>& groups,
                        const Eigen::Ref<const Eigen::VectorXd>& labels, const std::vector<KernelParameters>& starts,
                        const FitOptions& options, core::StopToken stop);

}  // namespace tuner::strategies::gp
