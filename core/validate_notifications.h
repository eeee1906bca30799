// Problems of who is told what of a job, for core/validate.cc. Pure function; any thread.
#pragma once

#include "core/job_spec.h"
#include "core/problem.h"

namespace tuner::core {

// Of notifications, by path. Rules without a target are somebody else's to report.
Problems ValidateNotifications(const JobSpec& spec);

}  // namespace tuner::core
