// The calls of SageMaker that runs need, as values.
//
// Threads: any. Ownership: borrows the client. Errors: as aws::JsonClient; INTERNAL: an answer that is not understood.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "executors/aws/json_client.h"
#include "executors/sagemaker/outcome.h"

namespace tuner::executors::sagemaker {

class Service {
 public:
  Service(aws::ServiceOptions options, aws::AwsServices services, StopSignal* stop)
      : client_(std::move(options), services), stop_(stop) {}

  // `request`: of CreateTrainingJobRequest. ALREADY_EXISTS: the name is taken. Gives the ARN.
  absl::StatusOr<std::string> Create(const std::string& request);
  // NOT_FOUND: no training job of this name.
  absl::StatusOr<TrainingJob> Describe(const std::string& name);
  // Whether the training job has this tag.
  absl::StatusOr<bool> HasTag(const std::string& arn, const std::string& key, const std::string& value);
  // OK also if it has ended, or is stopping. NOT_FOUND as above.
  absl::Status Stop(const std::string& name);

  struct Filter {
    std::string name_contains;
    absl::Time modified_after = absl::InfinitePast();
    bool in_progress = false;  // these only
    std::string token;         // of the page before
  };
  absl::StatusOr<TrainingJobPage> List(const Filter& filter);
  // The 100 that changed last of those whose names contain this, with all that Describe tells.
  absl::StatusOr<TrainingJobPage> Search(const std::string& name_contains);

 private:
  absl::StatusOr<std::string> Call(const char* operation, std::string body);

  aws::JsonClient client_;
  StopSignal* const stop_;
};

}  // namespace tuner::executors::sagemaker
