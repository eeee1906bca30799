// Every combination of the parameters' values, once, in a fixed order: the last parameter changes fastest.
//
// The proposal of an ordinal is the combination of that number, among those that satisfy the constraints, so it needs
// no memory (with constraints: a bounded amount) and points that users add shift nothing. Threads, ownership, errors:
// strategy.h.
#pragma once

#include "strategies/strategy.h"

namespace tuner::strategies {

// The registry's row.
StrategyKind GridStrategyKind();

}  // namespace tuner::strategies
