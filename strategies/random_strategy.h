// Independent draws from the search space, on each parameter's scale; no point twice while the space has others.
//
// A proposal is a function of (seed, ordinal) alone, but where it meets a known point (pending, observed or proposed in
// the same call): then the same stream goes on to the next draw. A finite space whose draws keep meeting known points
// is walked in a seeded order. With constraints a draw is one of FeasibleSampler's, the walk goes over the feasible
// points, and the strategy is exhausted when these are, or when none (or no other) is found by the effort that the
// reason states. Threads, ownership, errors: strategy.h. Memory: 8 bytes for each observed point.
#pragma once

#include "strategies/strategy.h"

namespace tuner::strategies {

// The registry's row.
StrategyKind RandomStrategyKind();

}  // namespace tuner::strategies
