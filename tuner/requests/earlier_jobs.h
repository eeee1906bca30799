// The earlier jobs that a new one names: parents of a warm start, and jobs whose best artefact is an input.
//
// Threads: any; reads folders, so it is called on no gRPC thread. Errors: problems by field path.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/job.h"
#include "core/job_spec.h"
#include "core/parent_job.h"
#include "core/problem.h"
#include "core/trial.h"

namespace tuner::requests {

struct EarlierJob {
  core::JobHeader header;
  std::vector<core::Trial> trials;
};
// NOT_FOUND: there is none of this id.
using LookUpJob = std::function<absl::StatusOr<EarlierJob>(const std::string& job_id)>;

// What the job keeps of its parents, in their order; or why they may not be its parents.
core::ParentJobs FindParents(const core::JobSpec& spec, const LookUpJob& look_up, core::Problems& problems);

// Sets the paths of the inputs that are artefacts of earlier jobs' best trials. `inputs`: their path in the
// specification.
void FindArtifacts(const LookUpJob& look_up, const std::string& inputs, core::TrialTemplate& trial,
                   core::Problems& problems);

}  // namespace tuner::requests
