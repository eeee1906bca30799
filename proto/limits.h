// Limits in both directions, for the sources of the converter. Pure functions; any thread.
#pragma once

#include "core/job_spec.h"
#include "tuner/v1/tuning_job.pb.h"

namespace tuner::convert {

// Writes the limits in force; fields of `out` that core does not have are left as they are.
void WriteLimits(const core::Limits& limits, v1::Limits& out);

}  // namespace tuner::convert
