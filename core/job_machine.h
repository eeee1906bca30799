// The one place that decides. Pure but for the state it is handed: no I/O, no clock, no threads.
//
//              SuggestAsked, free slot                    RunBegan, lease             exit, completion
//   (strategy) ----------------------> QUEUED/PENDING ----------------------> RUNNING -----------------> COMPLETED |
//   FAILED | INFEASIBLE
//                                        ^    ^                                |  | stop verdict
//                                        |    +-- retry, expired lease, -------+  +------> STOPPING ---> STOPPED |
//                                        EARLY_STOPPED
//                                   AddTrials       preemption: attempt + 1
//
// Threads: one call at a time per JobState. The shell's duties for each event, in this order:
//   1. call Step; 2. commit `changes` to storage (they are already applied to `state`; if the commit fails, throw the
//   state away and load it again); 3. only then carry out `effects`. Effects may be carried out again after a crash:
//   each is idempotent by its run or ordinal.
#pragma once

#include <vector>

#include "core/change.h"
#include "core/event.h"
#include "core/job_state.h"

namespace tuner::core {

struct Decision {
  Changes changes;
  std::vector<Effect> effects;
};

// What follows from `event`. An event that does not fit the state (stale, duplicate, late) changes nothing; if a caller
// waits, the answer says so: NOT_FOUND, FAILED_PRECONDITION, RESOURCE_EXHAUSTED, ALREADY_EXISTS as the API documents.
// The changes are applied to `state`.
Decision Step(JobState& state, const Event& event);

// Changes that make a new job; `header` comes with identity, specification and limits set.
Changes FirstChanges(JobHeader header, absl::Time now);

}  // namespace tuner::core
