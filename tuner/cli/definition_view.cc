#include "tuner/cli/definition_view.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/convert.h"
#include "tuner/cli/job_view.h"
#include "tuner/cli/text.h"

namespace tuner::cli {

v1::TuningJob JobOfDefinition(const v1::TuningJob& job, const std::string& name) {
  for (int i = 0; i < job.spec().definitions_size() && i < job.definitions_size(); ++i) {
    if (job.spec().definitions(i).name() != name) continue;
    v1::TuningJob of = job;
    *of.mutable_spec() = convert::DefinitionAsJob(job.spec(), i);
    of.clear_definitions();
    of.clear_best_trial();
    const v1::DefinitionResult& result = job.definitions(i);
    *of.mutable_trial_counts() = result.trial_counts();
    if (result.has_best_trial()) *of.mutable_best_trial() = result.best_trial();
    return of;
  }
  return job;
}

std::string DefinitionNames(const v1::TuningJobSpec& spec) {
  return absl::StrJoin(spec.definitions(), ", ", [](std::string* out, const v1::TrainingDefinition& definition) {
    out->append(definition.name());
  });
}

absl::Status CheckDefinition(const v1::TuningJob& job, const std::string& name) {
  for (const v1::TrainingDefinition& definition : job.spec().definitions()) {
    if (definition.name() == name) return absl::OkStatus();
  }
  if (job.spec().definitions().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--definition ", name, ": job ", IdOf(job.name()), " has only one definition. Leave it out."));
  }
  return absl::InvalidArgumentError(absl::StrCat("--definition ", name, ": job ", IdOf(job.name()),
                                                 " has no such definition. Give one of ", DefinitionNames(job.spec()),
                                                 "."));
}

absl::StatusOr<v1::TuningJob> ChooseDefinition(const v1::TuningJob& job, const std::string& name) {
  if (name.empty() && job.spec().definitions().empty()) return job;
  if (name.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("job ", IdOf(job.name()), " has several definitions. Give one by ",
                                                   "--definition: ", DefinitionNames(job.spec()), "."));
  }
  if (auto status = CheckDefinition(job, name); !status.ok()) return status;
  return JobOfDefinition(job, name);
}

Table DefinitionTable(const v1::TuningJob& job) {
  Table table({{"DEFINITION"},
               {"DONE", Align::kRight},
               {"FAILED", Align::kRight},
               {"OBJECTIVE"},
               {"BEST", Align::kRight},
               {"TRIAL", Align::kRight},
               {"PARAMETERS", Align::kLeft, true}});
  for (const v1::DefinitionResult& result : job.definitions()) {
    const v1::TuningJob of = JobOfDefinition(job, result.name());
    const bool has_best = of.has_best_trial();
    table.Add({result.name(), absl::StrCat(DoneTrials(of)), absl::StrCat(of.trial_counts().failed()),
               ObjectiveText(of.spec().objective()), has_best ? Number(of.best_trial().objective()) : "",
               has_best ? absl::StrCat(of.best_trial().number()) : "",
               has_best ? ParametersText(of.best_trial(), ParameterNames(of.spec())) : ""});
  }
  return table;
}

}  // namespace tuner::cli
