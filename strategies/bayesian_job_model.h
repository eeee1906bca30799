// One state of knowledge of a job: a posterior for each output, and what follows from all of them.
//
// Threads: immutable; any thread. Rows are those of the first output's posterior; places number the job's observations.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "strategies/bayesian_outputs.h"
#include "strategies/gp/acquisition.h"
#include "strategies/gp/output_warp.h"
#include "strategies/gp/posterior.h"
#include "strategies/gp/ranked_ensemble.h"

namespace tuner::strategies {

class JobModel {
 public:
  // `observations`, `options` and `fits` by output. With `constant_mean` the objectives' posteriors have one.
  JobModel(const std::vector<BayesianOutput>& outputs, const std::vector<gp::Observations>& observations,
           const std::vector<gp::FitOptions>& options, bool constant_mean, const OutputFits& fits,
           std::optional<double> target_fidelity = std::nullopt);

  // From now on the objectives' posteriors are of what these leave of the labels; by output, constraints left out.
  void Blend(std::vector<gp::MeanBlend> blends);

  const gp::Posterior& posterior(size_t output) const { return posteriors_[output]; }
  const gp::OutputWarp& warp(size_t output) const { return warps_[output]; }
  const std::vector<int>& rows() const { return rows_; }  // as places

  // `confidence`, of one output: coefficient of the upper confidence bound; 0 stands for the expected improvement.
  // `reference_margin`, of several objectives: how far below the front points count, as a share of each objective's
  // range over all rows, feasible or not.
  std::unique_ptr<gp::Acquisition> MakeAcquisition(double confidence, double reference_margin,
                                                   const Eigen::MatrixXd& pending) const;
  // Places of the observations that are expected to be best: a twentieth of them, at least three. With several
  // objectives those that the fewest dominate; points that break constraints come last.
  std::vector<int> BestPlaces() const;
  // The best mean of the first objective over observations that are expected to keep the constraints, as a label;
  // nullopt: there are none.
  std::optional<double> BestMean() const;
  // The place of the best mean, as long as what is not known of it is a good part of the noise, and the noise is
  // material: each result there lowers that. One output only.
  std::optional<int> PlaceToReplicate() const;

 private:
  Eigen::VectorXd Ranges() const;  // of the objectives, over all rows

  gp::MeanBlend BlendOf(size_t output) const { return output < blends_.size() ? blends_[output] : gp::MeanBlend(); }

  bool constant_mean_;
  size_t objective_count_ = 0;
  std::vector<gp::MeanBlend> blends_;
  std::vector<gp::OutputWarp> warps_;
  std::vector<gp::Posterior> posteriors_;
  std::vector<double> least_;  // by output: label from which a constraint holds
  std::vector<int> rows_;
  std::vector<std::vector<double>> worth_;  // by row: posterior mean of each objective
  std::vector<bool> feasible_;              // by row: the constraints are expected to hold
};

}  // namespace tuner::strategies
