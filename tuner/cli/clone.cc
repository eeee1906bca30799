// clone, compare.
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/set_field.h"
#include "tuner/cli/errors.h"
#include "tuner/cli/job_view.h"
#include "tuner/cli/outcome_view.h"
#include "tuner/cli/pages.h"
#include "tuner/cli/text.h"
#include "tuner/cli/verbs.h"

namespace tuner::cli {
namespace {

// PATH=VALUE; keys of maps may hold anything but "=".
absl::Status Change(const std::string& change, v1::TuningJobSpec& spec) {
  const size_t equals = change.find('=');
  if (equals == std::string::npos || equals == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("--set ", change, ": write PATH=VALUE, as in --set limits.max_trials=40"));
  }
  const std::string path = change.substr(0, equals);
  if (path == "name") return absl::InvalidArgumentError("--set name: the new job's name is the second argument");
  return job_file::SetField(path, change.substr(equals + 1), &spec);
}

absl::StatusOr<v1::TuningJobSpec> Cloned(const v1::TuningJob& job, const CloneOptions& options) {
  v1::TuningJobSpec spec = job.spec();
  spec.set_name(options.name);
  // Artefacts are looked up again.
  const auto forget = [](v1::TrialTemplate& trial) {
    for (v1::Channel& channel : *trial.mutable_inputs()) channel.clear_artifact_path();
  };
  if (spec.has_trial()) forget(*spec.mutable_trial());
  for (v1::TrainingDefinition& definition : *spec.mutable_definitions()) {
    if (definition.has_trial()) forget(*definition.mutable_trial());
  }
  if (options.max_trials) spec.mutable_limits()->set_max_trials(*options.max_trials);
  if (options.max_parallel_trials) spec.mutable_limits()->set_max_parallel_trials(*options.max_parallel_trials);
  if (options.warm_start || !options.warm_start_type.empty()) {
    v1::WarmStart& warm_start = *spec.mutable_warm_start();
    warm_start.clear_parents();
    warm_start.add_parents(job.name());
    warm_start.set_type(absl::EqualsIgnoreCase(options.warm_start_type, "TRANSFER_LEARNING")
                            ? v1::WarmStart::TRANSFER_LEARNING
                            : v1::WarmStart::IDENTICAL_DATA_AND_ALGORITHM);
  }
  for (const std::string& change : options.changes) {
    if (absl::Status status = Change(change, spec); !status.ok()) return status;
  }
  return spec;
}

}  // namespace

absl::StatusOr<int> CloneJob(Context& context, const CloneOptions& options) {
  const auto name = JobNameOf(options.job);
  if (!name.ok()) return name.status();
  if (const auto new_name = JobNameOf(options.name); !new_name.ok()) return new_name.status();
  auto client = context.Open(Embed::kLookOnly);
  if (!client.ok()) return client.status();
  const auto job = FetchJob(**client, *name);
  if (!job.ok()) return job.status();
  v1::CreateTuningJobRequest request;
  auto spec = Cloned(*job, options);
  if (!spec.ok()) return spec.status();
  *request.mutable_spec() = *std::move(spec);
  Printer& printer = context.printer();
  if (options.file_only) {
    printer.PrintJson(request.spec());
    return kDone;
  }
  // Relative paths of the old job are meant from its file's folder, which is where people are when they go on with it.
  // On another machine they have no meaning, and the server decides.
  std::error_code error;
  const std::filesystem::path here = std::filesystem::current_path(error);
  if (!error && !context.connection().data_dir.empty()) request.set_base_dir(here.string());
  const auto response = (*client)->Call(request);
  if (!response.ok()) return response.status();
  if (context.json()) {
    printer.PrintJson(*response);
    return kDone;
  }
  for (const std::string& remark : response->advice()) printer.Note(absl::StrCat("advice: ", Printable(remark)));
  printer.out() << "Created job " << printer.Bold(options.name) << " like " << IdOf(*name) << ".\n";
  return kDone;
}

absl::StatusOr<int> CompareJobs(Context& context, const CompareOptions& options) {
  v1::CompareTuningJobsRequest request;
  for (const std::string& argument : options.jobs) {
    auto name = JobNameOf(argument);
    if (!name.ok()) return name.status();
    request.add_names(*std::move(name));
  }
  auto client = context.Open(Embed::kLookOnly);
  if (!client.ok()) return client.status();
  const auto response = (*client)->Call(request);
  if (!response.ok()) return response.status();
  Printer& printer = context.printer();
  if (context.json()) {
    printer.PrintJson(*response);
    return kDone;
  }
  Table jobs({{"JOB"},
              {"STATE"},
              {"BEST", Align::kRight},
              {"OBJECTIVE", Align::kLeft, true},
              {"DONE", Align::kRight},
              {"FAILED", Align::kRight},
              {"TO BEST", Align::kRight},
              {"ELAPSED", Align::kRight},
              {"TRIAL TIME", Align::kRight}});
  std::vector<Column> columns = {{"FIELD"}};
  for (const auto& row : response->rows()) {
    const v1::TuningJob& job = row.job();
    columns.push_back({IdOf(job.name()), Align::kLeft, true});
    jobs.Add({IdOf(job.name()), StateText(job.state()), BestCell(job), ObjectivesText(job.spec()), DoneOfAll(job),
              absl::StrCat(job.trial_counts().failed()),
              row.trials_to_best() > 0 ? absl::StrCat(row.trials_to_best()) : "",
              DurationText(ToDuration(row.elapsed())), DurationText(ToDuration(row.trial_time()))});
  }
  printer.Print(jobs);
  Table differences(columns);
  for (const auto& difference : response->differences()) {
    std::vector<std::string> cells = {difference.path()};
    for (const std::string& value : difference.values()) cells.push_back(value.empty() ? "-" : value);
    differences.Add(std::move(cells));
  }
  printer.out() << "\n";
  if (differences.empty()) {
    printer.out() << "The specifications are the same.\n";
  } else {
    printer.Print(differences);
  }
  return kDone;
}

}  // namespace tuner::cli
