// Jobs with several training definitions, as people see them: one definition is shown as the job that it would be by
// itself. Pure functions; any thread.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "tuner/cli/format.h"
#include "tuner/v1/tuning_job.pb.h"

namespace tuner::cli {

// The job with the specification, counts and best trial of one of its definitions only. A job without definitions, or a
// name that is none of them: the job as it is.
v1::TuningJob JobOfDefinition(const v1::TuningJob& job, const std::string& name);

// The same of the definition that an option names. INVALID_ARGUMENT: there is none of that name, or none was named and
// the job has several.
absl::StatusOr<v1::TuningJob> ChooseDefinition(const v1::TuningJob& job, const std::string& name);
// INVALID_ARGUMENT unless the name is one of the job's definitions.
absl::Status CheckDefinition(const v1::TuningJob& job, const std::string& name);

// "xgb, mlp".
std::string DefinitionNames(const v1::TuningJobSpec& spec);
// One line each: trials, objective, best value and its trial.
Table DefinitionTable(const v1::TuningJob& job);

}  // namespace tuner::cli
