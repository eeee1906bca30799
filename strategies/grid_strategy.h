// Every combination of the parameters' values, once, in a fixed order: the last parameter changes fastest.
//
// The proposal of an ordinal is the combination of that number, so it needs no memory and points that users add shift
// nothing. Threads, ownership, errors: strategy.h.
#pragma once

#include "strategies/strategy.h"

namespace tuner::strategies {

// The registry's row.
StrategyKind GridStrategyKind();

}  // namespace tuner::strategies
