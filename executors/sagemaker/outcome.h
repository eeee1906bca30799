// What SageMaker says of a training job, and what that means for its run.
//
// Threads: pure functions. Ownership: values. Errors: INTERNAL: an answer that is not understood.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "executors/executor.h"

namespace tuner::executors::sagemaker {

// Of a list (Summary) only the first group is set.
struct TrainingJob {
  std::string name;
  std::string arn;
  std::string status;            // "InProgress", "Completed", "Failed", "Stopping", "Stopped"
  std::string secondary_status;  // "Starting", "Training", "Interrupted", ...
  absl::Time modified;

  std::string failure_reason;
  std::string model_uri;
  bool trained = false;  // it came to train
  absl::Duration training_time = absl::ZeroDuration();
  absl::Duration billable_time = absl::ZeroDuration();
  int interruptions = 0;
  struct Metric {
    std::string name;
    double value = 0;  // as rounded by SageMaker, to 32 bits
  };
  std::vector<Metric> final_metrics;

  bool terminal() const { return status == "Completed" || status == "Failed" || status == "Stopped"; }
  // It trains, or did.
  bool began() const;
};

// The answer of DescribeTrainingJob, or the record of Search.
absl::StatusOr<TrainingJob> ParseTrainingJob(const std::string& json);

struct TrainingJobPage {
  std::vector<TrainingJob> jobs;
  std::string next_token;  // empty: the last page
};
// The answer of ListTrainingJobs or of Search.
absl::StatusOr<TrainingJobPage> ParseTrainingJobs(const std::string& json);

// Why another instance type may do: no capacity, or no spot instance within the wait.
bool IsOutOfCapacity(const TrainingJob& job);

// The end of a run whose training job is terminal. `stopped`: we asked for it. `time_limit` is for its reason.
RunEnded ToRunEnded(const TrainingJob& job, bool stopped, absl::Duration time_limit);

// "trained 300 s, billed 90 s (70 % saved by spot), 2 spot interruptions"; empty if there is nothing to tell.
std::string UseText(const core::ResourceUse& use);

}  // namespace tuner::executors::sagemaker
