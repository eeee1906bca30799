// Who gets the free slots of an executor that all jobs of a server share: max-min fairness without preemption. The job
// with the fewest slots is next; of equals the one that last started a trial there the longest ago, then the older one.
// So a job that wants a slot has to wait for no more than one turn of each other job.
//
// Threads: a pure function.
#pragma once

#include <vector>

#include "absl/time/time.h"

namespace tuner::engine {

struct SlotClaim {
  int held = 0;    // by trials that are pending, running or stopping
  int wanted = 0;  // further trials that would start if they had slots
  absl::Time last_start = absl::InfinitePast();
  absl::Time create_time = absl::InfinitePast();
};

// How many of the free slots each claim gets: all of them, or all that is wanted.
std::vector<int> ShareOut(int total, const std::vector<SlotClaim>& claims);

}  // namespace tuner::engine
