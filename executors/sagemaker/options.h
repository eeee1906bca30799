// The options of the SageMaker executor: read, checked against SageMaker's documented limits, and completed.
//
// Threads: pure functions, but for what reads a folder. Ownership: none. Errors: as each function says.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "core/job_spec.h"
#include "core/problem.h"
#include "tuner/v1/executors.pb.h"

namespace tuner::executors::sagemaker {

// INVALID_ARGUMENT: not a SageMakerExecutor message.
absl::StatusOr<v1::SageMakerExecutor> ParseSageMakerOptions(const std::string& bytes);

// Problems of serialised options, and of what they ask of the job; nobody is asked.
core::Problems ValidateSageMakerOptions(const std::string& bytes, const core::JobSpec& spec);

// `path` as the job means it.
std::string ResolvePath(const std::string& base_dir, const std::string& path);
// s3:// folder below which inputs and code are put.
std::string UploadUri(const v1::SageMakerExecutor& options);

}  // namespace tuner::executors::sagemaker
