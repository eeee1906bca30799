#include "strategies/bayesian_outputs.h"

#include <algorithm>
#include <limits>

#include "strategies/transfer_models.h"

namespace tuner::strategies {

BayesianOutput BayesianOutput::Of(const core::Objective& objective) {
  BayesianOutput output;
  output.metric_ = objective.metric;
  output.sign_ = objective.goal == core::Goal::kMaximize ? 1 : -1;
  return output;
}

BayesianOutput BayesianOutput::Of(const core::OutcomeConstraint& constraint) {
  BayesianOutput output;
  output.metric_ = constraint.metric;
  output.is_constraint_ = true;
  output.min_ = constraint.min;
  output.max_ = constraint.max;
  return output;
}

double BayesianOutput::ValueOf(const core::Trial& trial) const {
  const bool has_values = trial.state == core::TrialState::kCompleted || trial.state == core::TrialState::kEarlyStopped;
  if (is_main_ && has_values && trial.objective.has_value()) {
    return sign_ * *trial.objective;
  }
  const auto metric = trial.final_metrics.find(metric_);
  if (!has_values || metric == trial.final_metrics.end()) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  if (!is_constraint_) return sign_ * metric->second;
  double slack = std::numeric_limits<double>::infinity();
  if (min_.has_value()) slack = std::min(slack, metric->second - *min_);
  if (max_.has_value()) slack = std::min(slack, *max_ - metric->second);
  return slack;
}

std::vector<BayesianOutput> BayesianOutput::AllOf(const core::JobSpec& spec) {
  std::vector<BayesianOutput> outputs = {Of(spec.objective)};
  outputs.front().is_main_ = true;
  for (const core::Objective& objective : spec.additional_objectives) outputs.push_back(Of(objective));
  if (spec.resources) return outputs;  // rungs tell of the objective only
  for (const core::OutcomeConstraint& constraint : spec.outcome_constraints) {
    outputs.push_back(Of(constraint));
  }
  return outputs;
}

std::optional<OutputFits> MakeOutputFits(const FitInputs& inputs, int64_t prefix, int64_t anchor, StopToken stop) {
  if (inputs.parents != nullptr && inputs.parents->Get(stop) == nullptr) return std::nullopt;
  OutputFits result{.prefix = prefix, .anchor = anchor, .fits = {}};
  for (size_t i = 0; i < inputs.observations.size(); ++i) {
    std::optional<gp::KnownAnchor> known;
    if (i < inputs.known_anchors.size()) known = inputs.known_anchors[i];
    std::optional<gp::Fit> fit = gp::MakeFit(inputs.observations[i], inputs.groups, inputs.group_count, prefix, anchor,
                                             known, inputs.plan, inputs.options[i], inputs.seed, stop);
    if (!fit.has_value()) return std::nullopt;
    result.fits.push_back(*std::move(fit));
  }
  return result;
}

void OutputFitTask::Run(StopToken stop) {
  const int64_t prefix = inputs_.observations.front().size();
  fits_ = MakeOutputFits(inputs_, prefix, inputs_.plan.AnchorOf(prefix), stop);
}

}  // namespace tuner::strategies
