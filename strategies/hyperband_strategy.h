// Strategy "hyperband": successive halving over brackets, asynchronous by default.
//
// New configurations come from a sampler: random draws, or a model over parameters and resource. The n-th proposal
// belongs to a bracket by its ordinal alone: brackets are filled one after the other, the most exploring one first, and
// then again. A trial runs to the resource of its rung and is paused there.
//
// Asynchronous (Li et al. 2020, arXiv 1810.05934, algorithm 2): whenever something can be started, rungs are looked at
// from the largest resource down, and a paused trial among the best floor(entries / eta) that its rung ever had goes
// on; if there is none, a new configuration starts. Synchronous (arXiv 1603.06560): a rung's best floor(size / eta) go
// on when all of its trials have come to it. A trial that failed counts as the worst of the rung that it was running
// to.
#pragma once

#include "strategies/strategy.h"

namespace tuner::strategies {

StrategyKind HyperbandStrategyKind();

}  // namespace tuner::strategies
