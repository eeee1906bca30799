// Calls of AWS JSON 1.1: POST /, the operation in X-Amz-Target, one JSON object each way.
//
// Threads: any. Ownership: borrows AwsServices. Errors: as ServiceClient; AwsErrorOf(status) has the service's words.
#pragma once

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "executors/aws/service_client.h"

namespace tuner::executors::aws {

class JsonClient {
 public:
  JsonClient(ServiceOptions options, AwsServices services) : client_(std::move(options), services) {}

  // `target`: "SageMaker.CreateTrainingJob"; `body`: a JSON object. Gives the answer's JSON; "{}" for an empty one.
  // Operations Describe*, Get*, List*, Search*, Batch* and Stop* are repeated after a lost or broken answer. Others are
  // repeated only when the service said that it did not carry them out (throttled): after UNAVAILABLE with
  // AwsError::http_status 0 or 5xx, look whether it was done.
  absl::StatusOr<std::string> Call(const std::string& target, std::string body, const CallOptions& options = {});

  absl::Duration ThrottleDelay() const { return client_.ThrottleDelay(); }
  const ServiceOptions& options() const { return client_.options(); }

 private:
  ServiceClient client_;
};

}  // namespace tuner::executors::aws
