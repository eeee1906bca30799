// `tuner run` on a job that exists: the same specification goes on, larger limits are applied, anything else is refused
// with the difference.
//
// Threads: any. Ownership: values. Errors: as Rerun says.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tuner/cli/client.h"
#include "tuner/cli/job_source.h"

namespace tuner::cli {

struct Rerunning {
  v1::TuningJob job;
  std::string what_changed;  // the limits that were raised, in a sentence; empty: none
};
// FAILED_PRECONDITION: the file asks for another job than the stored one; each difference on a line.
// FAILED_PRECONDITION: the job has ended, so that its limits stay.
absl::StatusOr<Rerunning> Rerun(Client& client, v1::TuningJob job, const JobSource& source);

// What the file's limits change about those in force.
struct LimitChanges {
  std::vector<std::string> raised;   // "max_trials from 20 to 50"
  std::vector<std::string> refused;  // "limits.max_trials: the job has 50, the file says 20"
};
LimitChanges CompareLimits(const v1::Limits& stored, const v1::Limits& file);

}  // namespace tuner::cli
