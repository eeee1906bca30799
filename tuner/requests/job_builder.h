// From a request to the header of a new job: everything is checked, and what was left open is chosen.
//
// Threads: any. Errors: INVALID_ARGUMENT with every bad field by path, UNIMPLEMENTED naming everything that this
// version lacks.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "core/job.h"
#include "core/job_spec.h"
#include "core/parent_job.h"
#include "executors/executor.h"
#include "tuner/requests/earlier_jobs.h"
#include "tuner/v1/tuning_service.pb.h"

namespace tuner::requests {

struct CheckedSpec {
  core::JobSpec spec;          // as resolved: seed chosen, limits of a grid set, defaults of executors filled in
  v1::TuningJobSpec resolved;  // the same on the wire
  int64_t grid_size = 0;
  core::ParentJobs parents;
  std::vector<std::string> advice;
  std::vector<std::vector<std::string>> executor_paths;  // by definition: where each executor stands in it
};

// Checks a specification. `seed` is taken if the specification has none; earlier jobs that it names are looked up. A
// job that is `import_only` needs no limits.
absl::StatusOr<CheckedSpec> CheckSpec(const v1::TuningJobSpec& spec, const std::string& base_dir, uint64_t seed,
                                      const LookUpJob& look_up, bool import_only = false,
                                      const executors::ExecutorRegistry& executors = executors::BuiltInExecutors());

// Fills in what the specification leaves to its strategy. Expects one without problems.
void ResolveStrategy(core::JobSpec& spec);

struct NewJob {
  core::JobHeader header;
  core::ParentJobs parents;
};
// The job that a request asks for: identity, specification, provenance, and what it keeps of its parents. Reads files
// and runs git.
absl::StatusOr<NewJob> BuildJob(const v1::CreateTuningJobRequest& request, const LookUpJob& look_up,
                                const executors::ExecutorRegistry& executors = executors::BuiltInExecutors());
// The header of one that may name no earlier job.
absl::StatusOr<core::JobHeader> BuildJob(const v1::CreateTuningJobRequest& request);

// The same specification and folder give the same number.
uint64_t RequestHash(const v1::CreateTuningJobRequest& request);

// Whether the request is a retry of the one that made `existing`.
bool IsRetry(const v1::CreateTuningJobRequest& request, const core::JobHeader& existing);

// The specification that a stored header holds, as created: a strategy built from it proposes the same whatever limits
// are in force now, which are in the header. DATA_LOSS: it cannot be read. UNIMPLEMENTED: it names an executor that is
// not among `executors`; null: any will do, as nothing is to be run.
absl::StatusOr<core::JobSpec> SpecOfHeader(const core::JobHeader& header,
                                           const executors::ExecutorRegistry* executors = nullptr);

// The limits that `update` makes of a job's, checked together with the rest of its specification. INVALID_ARGUMENT.
absl::StatusOr<core::Limits> UpdatedLimits(const core::JobHeader& header, const v1::Limits& update);

}  // namespace tuner::requests
