// Sentences that say why a point was chosen and what to expect of it. Pure functions; any thread.
#pragma once

#include <string>

#include "absl/types/span.h"
#include "core/job_spec.h"
#include "core/trial.h"
#include "strategies/strategy.h"

namespace tuner::requests {

// Chance that a value at the point is better than `best`, noise left out.
double ChanceToImprove(const core::Objective& objective, const strategies::ModelView::Prediction& prediction,
                       double best);

// Whether a model chose the trial's point.
bool ProposedByModel(const core::Trial& trial);

// Where the trial's point came from: "Trial 12 was chosen by the model, freshly fitted to 11 results, with trials 9 and
// 10 pending."
std::string OriginText(const core::Trial& trial);

// What the model expects of a point; `best` may be null.
std::string ExpectationText(const core::JobSpec& spec, const strategies::ModelView::Prediction& prediction,
                            const core::Trial* best);

// Why the model of that time chose a point: near what is good, or where little is known.
std::string ProposalText(const core::JobSpec& spec, const strategies::ModelView::Prediction& prediction,
                         const core::Trial* best, absl::Span<const strategies::ModelView::Neighbour> nearest);

}  // namespace tuner::requests
