// What a Gaussian process says of points and of the job: the ModelView of strategy bayesian.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/job_spec.h"
#include "strategies/gp/encoder.h"
#include "strategies/gp/maximiser.h"
#include "strategies/gp/output_warp.h"
#include "strategies/gp/posterior.h"
#include "strategies/strategy.h"

namespace tuner::strategies {

// A snapshot of the strategy's model.
struct BayesianSnapshot {
  std::shared_ptr<const gp::Encoder> encoder;
  core::Goal goal = core::Goal::kMinimize;
  uint64_t seed = 0;
  double confidence = 0;  // of the acquisition that is shown
  gp::SearchOptions search;
  std::vector<std::vector<double>> units;  // of the posterior's rows
  std::vector<int32_t> trials;             // of the posterior's rows
  std::vector<double> objectives;          // of the posterior's rows, in the user's direction; NaN: none
  gp::Posterior posterior;                 // with labels
  gp::OutputWarp warp;
};

std::shared_ptr<const ModelView> MakeBayesianModel(BayesianSnapshot snapshot);

}  // namespace tuner::strategies
