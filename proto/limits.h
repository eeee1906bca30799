// Limits and durations, for the sources of the converter. Pure functions; any thread.
#pragma once

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "core/job_spec.h"
#include "core/problem.h"
#include "google/protobuf/duration.pb.h"
#include "tuner/v1/tuning_job.pb.h"

namespace tuner::convert {

// Writes the limits in force; fields of `out` that core does not have are left as they are.
void WriteLimits(const core::Limits& limits, v1::Limits& out);

// The fields that are set replace those of `limits`. Adds the problems of the wire form; bounds are core's to check.
void ReadLimits(const v1::Limits& wire, core::Limits& limits, core::Problems& problems);

// nullopt, and a problem at `path`, for a duration that is negative or none at all.
std::optional<absl::Duration> ReadDuration(const google::protobuf::Duration& duration, std::string path,
                                           core::Problems& problems);

}  // namespace tuner::convert
