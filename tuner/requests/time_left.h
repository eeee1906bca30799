// When a job will be done, from how long its trials took so far. Pure function; any thread.
#pragma once

#include <optional>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/job.h"
#include "core/trial.h"

namespace tuner::requests {

// Time until all trials that limits.max_trials allows have ended, if each takes the mean time of those that ran to an
// end: running ones go on from where they are, the others follow as slots come free. At most until max_run_time is
// over. Zero for a job that has ended; nullopt if no trial ended yet, or nothing says how many will come.
std::optional<absl::Duration> EstimateTimeLeft(const core::JobHeader& header, absl::Span<const core::Trial> trials,
                                               absl::Time now);

}  // namespace tuner::requests
