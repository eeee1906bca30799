// How long work is told to end early. Any thread may set the flag, at any time.
#pragma once

#include <atomic>

namespace tuner::core {

// Asked between steps of long work; true: return what you have. Null: nobody ends it.
using StopToken = const std::atomic<bool>*;

inline bool Stopped(StopToken stop) { return stop != nullptr && stop->load(std::memory_order_relaxed); }

}  // namespace tuner::core
