// Who gets the free slots of an executor that all jobs of a server share: max-min fairness without preemption. The job
// with the fewest slots is next; of equals the one that got its last one the longest ago, then the older one. So a job
// that wants a slot has to wait for no more than one turn of each other job.
//
// Threads: a pure function.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/time/time.h"

namespace tuner::engine {

struct SlotClaim {
  int held = 0;     // by trials that are pending, running or stopping
  int granted = 0;  // to trials that are about to start
  int wanted = 0;   // trials that would start if they had slots; those that have been granted one among them
  absl::Time last_given = absl::InfinitePast();
  absl::Time create_time = absl::InfinitePast();
};

// Indexes of the claims that get one more slot each, in order; one that gets several is there several times. Never more
// than what is free of `total`.
std::vector<size_t> ShareOut(int total, std::vector<SlotClaim> claims);

}  // namespace tuner::engine
