// Gaussian-process Bayesian optimisation.
//
// The first points come from an initial design (the defaults or the centre, then a scrambled Sobol sequence), the
// others maximise an acquisition function of a Gaussian process (Matern-5/2, one length-scale a parameter) that was
// fitted to the warped results: an upper confidence bound whose coefficient goes round from exploring to exploiting.
// Pending trials lower the deviation near them; failed and infeasible ones are bad results.
// docs/bayesian.md tells why.
//
// Threads, ownership, errors: strategy.h. Memory: of n results n * width, and 3 * 8 * min(n, 1500)^2 bytes for the
// model.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "core/job_spec.h"
#include "strategies/gp/fit.h"
#include "strategies/gp/maximiser.h"
#include "strategies/gp/ranked_ensemble.h"
#include "strategies/gp/surrogate.h"
#include "strategies/strategy.h"

namespace tuner::strategies {

// The constants of the method; what is here is what ships, and bench/ablation changes it.
struct BayesianSettings {
  // Taken by turns, one a proposal: coefficient of the upper confidence bound; 0 stands for the expected improvement.
  std::vector<double> confidences = {1.8, 0.9, 0.4};
  // Taken by turns as well: how far below the front points count, as a share of the range of the results. Far, a front
  // is found longer at its ends; near, denser in its middle.
  std::vector<double> reference_margins = {0.5, 0.05};
  bool trust_region = true;
  gp::WarpOptions warp;
  gp::FitPlan fit;
  gp::RankOptions transfer;
  // Of the results' variance, left by parents: with more the design goes on; with more they are not believed at all.
  double most_unexplained = 0.5;
  double disbelief = 0.8;
  int transfer_design = 2;  // points of the initial design after those of the parents, of type TRANSFER_LEARNING
  int fit_screening = gp::FitOptions().screening_evaluations;
  gp::SearchOptions search;
  gp::LengthPrior numeric_prior;
  std::optional<gp::LengthPrior> nominal_prior;  // of categorical and boolean ones; else by the number of parameters
  bool constant_mean = true;  // of the posterior; the kernel is fitted with mean 0 all the same, which explores more
  // Of the resource at which a result was measured, where results differ in it: values are alike over most of its
  // range.
  gp::LengthPrior fidelity_prior = {gp::LengthPrior::Kind::kGamma, 4, 3};
  int least_at_target = 3;  // results at a resource before suggestions are made for it
  // Every so manieth proposal is drawn at random once there is a model; 0: none. With several resources, where a model
  // that took the beginning of trials for their end would be led astray for long.
  int random_every = 0;
  double noise_location = -8;
  double noise_deviation = 3;
};

// `settings` as they ship.
absl::StatusOr<std::unique_ptr<Strategy>> MakeBayesianStrategy(const core::JobSpec& spec,
                                                               const BayesianSettings& settings);

// The registry's row.
StrategyKind BayesianStrategyKind();

}  // namespace tuner::strategies
