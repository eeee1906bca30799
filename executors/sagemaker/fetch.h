// A training job's model, from S3.
//
// Threads: any. Ownership: none. Errors: as Site::Make and aws::S3Client.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "tuner/v1/executors.pb.h"

namespace tuner::executors::sagemaker {

// With the credentials, region and addresses of these options, as the caller's environment completes them.
absl::Status FetchModel(const v1::SageMakerExecutor& options, const std::string& uri, const std::string& path);

}  // namespace tuner::executors::sagemaker
