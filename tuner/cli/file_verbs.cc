// export, import.
#include <algorithm>
#include <cstdint>
#include <fstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tuner/cli/errors.h"
#include "tuner/cli/job_source.h"
#include "tuner/cli/job_view.h"
#include "tuner/cli/pages.h"
#include "tuner/cli/trial_file.h"
#include "tuner/cli/verbs.h"

namespace tuner::cli {
namespace {

constexpr int kBatch = 1000;  // AddTrials takes no more

std::string FormatOf(const TableFileOptions& options) {
  if (!options.format.empty()) return options.format;
  return absl::EndsWithIgnoreCase(options.file, ".json") ? "json" : "csv";
}

// Names a request by its content, so that an import that was cut short can be repeated. FNV-1a.
std::string RequestIdOf(const v1::AddTrialsRequest& request) {
  uint64_t hash = 14695981039346656037u;
  const auto mix = [&hash](const std::string& text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  };
  for (const v1::Trial& trial : request.trials()) {
    std::vector<std::string> parts;
    for (const auto& [name, value] : trial.parameters()) parts.push_back(name + value.SerializeAsString());
    for (const auto& [name, value] : trial.final_metrics()) parts.push_back(absl::StrFormat("%s%a", name, value));
    if (!trial.definition().empty()) parts.push_back(absl::StrCat("of ", trial.definition()));
    std::sort(parts.begin(), parts.end());
    for (const std::string& part : parts) mix(part);
    mix(absl::StrCat(trial.state(), trial.reason()));
  }
  return absl::StrFormat("import-%016x-%d", hash, request.trials_size());
}

absl::Status WriteWholeFile(const std::string& file, const std::string& text) {
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  if (!out)
    return absl::PermissionDeniedError(
        absl::StrCat("cannot write ", file, ". Does its folder exist, and is there room?"));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<int> ExportTrials(Context& context, const TableFileOptions& options) {
  const auto opened = OpenJob(context, options.job);
  if (!opened.ok()) return opened.status();
  const auto& [client, job] = *opened;
  const bool json = FormatOf(options) == "json" || context.json();
  v1::ListTrialsRequest request;
  request.set_parent(job.name());
  request.set_include_measurements(json && options.measurements);
  const auto trials = FetchTrials(*client, request, 0);
  if (!trials.ok()) return trials.status();
  const std::string text = json ? Json(*trials) : TrialsToCsv(job, *trials);
  if (options.file.empty() || options.file == "-") {
    context.printer().out() << text;
    return kDone;
  }
  if (auto status = WriteWholeFile(options.file, text); !status.ok()) return status;
  context.printer().Note(absl::StrCat("Wrote ", trials->trials_size(), " trials to ", options.file, "."));
  return kDone;
}

namespace {

absl::StatusOr<ImportedTrials> ReadTrials(const TableFileOptions& options, const std::string& text,
                                          const v1::TuningJobSpec& spec) {
  auto imported = FormatOf(options) == "json" ? TrialsFromJson(spec, text) : TrialsFromCsv(spec, text);
  if (!imported.ok()) return absl::InvalidArgumentError(absl::StrCat(options.file, ": ", imported.status().message()));
  if (imported->trials.empty())
    return absl::InvalidArgumentError(absl::StrCat(options.file, " holds no finished trial."));
  return imported;
}

// The job that is made of the trials. Doing it again goes on with the one that was made.
absl::Status CreateForImport(Client& client, const TableFileOptions& options, const JobSource& source) {
  v1::CreateTuningJobRequest request;
  *request.mutable_spec() = source.spec;
  request.mutable_spec()->set_name(options.job);
  request.set_base_dir(source.base_dir);
  request.set_import_only(true);
  request.set_request_id("import");
  const auto response = client.Call(request);
  return response.ok() ? absl::OkStatus() : WithLines(response.status(), source);
}

}  // namespace

absl::StatusOr<int> ImportTrials(Context& context, const TableFileOptions& options) {
  const auto name = JobNameOf(options.job);
  if (!name.ok()) return name.status();
  const bool makes_job = !options.space.empty();
  const auto text = ReadWholeFile(options.file);
  if (!text.ok()) return text.status();
  absl::StatusOr<JobSource> source = JobSource();
  if (makes_job) {
    source = ReadJobSource(options.space);
    if (!source.ok()) return source.status();
    // Before the job is made, so that a file that cannot be read leaves none behind.
    if (const auto readable = ReadTrials(options, *text, source->spec); !readable.ok()) return readable.status();
  }
  auto client = context.Open(Embed::kLookOnly);
  if (!client.ok()) return client.status();
  if (makes_job) {
    if (auto status = CreateForImport(**client, options, *source); !status.ok()) return status;
  }
  const auto job = FetchJob(**client, *name);
  if (!job.ok()) return job.status();
  const auto imported = ReadTrials(options, *text, job->spec());
  if (!imported.ok()) return imported.status();
  v1::AddTrialsResponse added;
  for (size_t first = 0; first < imported->trials.size(); first += kBatch) {
    v1::AddTrialsRequest request;
    request.set_parent(*name);
    for (size_t i = first; i < std::min(imported->trials.size(), first + kBatch); ++i)
      *request.add_trials() = imported->trials[i];
    request.set_request_id(RequestIdOf(request));
    request.set_import_done(makes_job && first + kBatch >= imported->trials.size());
    auto response = (*client)->Call(request);
    if (!response.ok())
      return absl::Status(
          response.status().code(),
          absl::StrCat(first == 0 ? "" : absl::StrCat("after ", first, " trials: "), response.status().message(),
                       makes_job ? absl::StrCat("\nJob ", IdOf(*name),
                                                " waits for its trials: correct the file and do this again.")
                                 : ""));
    added.MergeFrom(*response);
  }
  Printer& printer = context.printer();
  if (context.json()) {
    printer.PrintJson(added);
    return kDone;
  }
  printer.out() << (makes_job ? "Made job " : "Imported ") << (makes_job ? IdOf(*name) + " of " : "")
                << added.trials_size() << (makes_job ? " trials.\n" : " trials into " + IdOf(*name) + ".\n");
  if (imported->skipped > 0)
    printer.Note(
        absl::StrCat("Left out ", imported->skipped, " that did not run to their end, or have another's result."));
  return kDone;
}

}  // namespace tuner::cli
