// What the strategy of a job's definition has observed, in the order in which it did: rebuilt from stored trials. Pure
// functions; any thread.
#pragma once

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "core/trial.h"
#include "strategies/strategy.h"

namespace tuner::engine {

// Results of rungs and finished trials of that definition; trials that have neither are not in it.
std::vector<strategies::Observation> HistoryOf(absl::Span<const core::Trial> trials, const std::string& definition);

// The trial as it was when it came to that one of its rungs.
strategies::RungReached AtRung(const core::Trial& trial, int32_t rung);

}  // namespace tuner::engine
