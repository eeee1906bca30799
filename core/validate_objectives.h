// Problems of what a job optimises, for core/validate.cc. Pure function; any thread.
#pragma once

#include "core/job_spec.h"
#include "core/problem.h"

namespace tuner::core {

// Of objective, additional_objectives and outcome_constraints, by path.
Problems ValidateObjectives(const JobSpec& spec);

}  // namespace tuner::core
