// What strategy bayesian models of a job: its objectives first, then by how much each outcome constraint holds.
//
// Threads: values; const functions from any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/job_spec.h"
#include "core/trial.h"
#include "strategies/gp/surrogate.h"
#include "strategies/strategy.h"

namespace tuner::strategies {

class TransferModels;

class BayesianOutput {
 public:
  // Of a job: objectives first.
  static std::vector<BayesianOutput> AllOf(const core::JobSpec& spec);

  bool is_constraint() const { return is_constraint_; }
  // To be maximised; a constraint holds where it is at least 0. NaN: the trial has none, or failed.
  double ValueOf(const core::Trial& trial) const;

 private:
  static BayesianOutput Of(const core::Objective& objective);
  static BayesianOutput Of(const core::OutcomeConstraint& constraint);

  std::string metric_;
  bool is_main_ = false;  // the job's first objective: Trial::objective
  double sign_ = 1;
  bool is_constraint_ = false;
  std::optional<double> min_;
  std::optional<double> max_;
};

// One fit to the same observations for each output.
struct OutputFits {
  int64_t prefix = 0;
  int64_t anchor = 0;
  std::vector<gp::Fit> fits;
};

// What a fit of all outputs is made with.
struct FitInputs {
  std::vector<gp::Observations> observations;  // by output
  std::vector<gp::FitOptions> options;         // by output
  std::vector<int> groups;
  int group_count = 0;
  gp::FitPlan plan;
  uint64_t seed = 0;
  std::vector<gp::KnownAnchor> known_anchors;  // by output, or none
  std::shared_ptr<TransferModels> parents;     // made before the fits; null: none
};
// nullopt: told to stop. See gp::MakeFit.
std::optional<OutputFits> MakeOutputFits(const FitInputs& inputs, int64_t prefix, int64_t anchor, StopToken stop);

// A fit under way, on a copy of the results.
class OutputFitTask : public FitTask {
 public:
  explicit OutputFitTask(FitInputs inputs) : inputs_(std::move(inputs)) {}
  void Run(StopToken stop) override;
  std::optional<OutputFits> TakeFits() { return std::move(fits_); }

 private:
  const FitInputs inputs_;
  std::optional<OutputFits> fits_;
};

}  // namespace tuner::strategies
