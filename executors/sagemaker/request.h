// From a run to the CreateTrainingJob request that starts it: the one that the SageMaker Python SDK sends for an
// estimator of the same settings, with a tag by which the run is found again.
//
// Threads: pure functions. Ownership: none. Errors: INVALID_ARGUMENT: what SageMaker's limits refuse.
#pragma once

#include <string>

#include "absl/container/btree_map.h"
#include "absl/status/statusor.h"
#include "executors/executor.h"
#include "tuner/v1/executors.pb.h"

namespace tuner::executors::sagemaker {

// What is not in the specification: what was chosen or uploaded.
struct TrainingJobPlan {
  std::string name;
  int instance_type = 0;  // place in options.instance_types
  std::string region;
  absl::btree_map<std::string, std::string> channels;  // by the name of a channel from this machine: its URI
  std::string code;                                    // URI of the packed code; empty: no script mode
};

absl::StatusOr<std::string> CreateTrainingJobRequest(const RunSpec& spec, const v1::SageMakerExecutor& options,
                                                     const TrainingJobPlan& plan);

// A regex of ours (RE2, value in group 1 or in the group named `value`) as SageMaker's: the value in its only group.
std::string SageMakerRegex(const std::string& regex);

// Without a time limit of the job's own: SageMaker's default.
inline constexpr absl::Duration kDefaultRunTime = absl::Hours(24);

}  // namespace tuner::executors::sagemaker
