// What SageMaker would refuse of a job, as far as can be told by asking without starting anything.
//
// Threads: any; takes seconds where a service does not answer. Ownership: none. Errors: as problems.
#pragma once

#include <string>

#include "core/job_spec.h"
#include "core/problem.h"

namespace tuner::executors::sagemaker {

// Credentials, region, the buckets, inputs and code that are named, and whether the calls that runs need are allowed.
// Expects valid options. Paths are relative to them.
core::Problems CheckSageMaker(const std::string& bytes, const core::JobSpec& spec);

}  // namespace tuner::executors::sagemaker
