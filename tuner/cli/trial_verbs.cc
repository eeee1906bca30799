// trials, best, logs.
#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "executors/sagemaker/fetch.h"
#include "tuner/cli/definition_view.h"
#include "tuner/cli/errors.h"
#include "tuner/cli/job_view.h"
#include "tuner/cli/outcome_view.h"
#include "tuner/cli/pages.h"
#include "tuner/cli/text.h"
#include "tuner/cli/verbs.h"

namespace tuner::cli {
namespace {

namespace fs = std::filesystem;

std::string JobIdOfTrial(const v1::Trial& trial) {
  const std::string job_name = trial.name().substr(0, trial.name().find("/trials/"));
  return IdOf(job_name);
}

// Of one job, or, without one, of all jobs.
Table TrialTable(const v1::ListTrialsResponse& trials, const v1::TuningJob* job) {
  const bool with_job = job == nullptr;
  const auto names = job ? ParameterNames(job->spec()) : std::vector<std::string>();
  const auto metrics = job ? FurtherMetrics(job->spec()) : std::vector<std::string>();
  const bool several = job != nullptr && !job->spec().definitions().empty();
  const bool marked = several || !metrics.empty() || (job && !job->spec().outcome_constraints().empty());
  std::map<std::string, v1::TuningJob> definitions;
  if (several) {
    for (const v1::DefinitionResult& result : job->definitions()) {
      definitions.emplace(result.name(), JobOfDefinition(*job, result.name()));
    }
  }
  std::vector<Column> columns;
  if (with_job) columns.push_back({"JOB", Align::kLeft, true});
  columns.push_back({"TRIAL", Align::kRight});
  if (several) columns.push_back({"DEFINITION"});
  columns.push_back({"STATE"});
  // Where several metrics decide, each column says which it is.
  const bool named = !metrics.empty() && !several;
  columns.push_back({named ? Printable(job->spec().objective().metric()) : "OBJECTIVE", Align::kRight});
  for (const std::string& metric : metrics) columns.push_back({Printable(metric), Align::kRight});
  if (metrics.empty()) columns.push_back({"BEST", Align::kRight});
  if (marked) columns.push_back({"MARK"});
  columns.push_back({"TIME", Align::kRight});
  if (with_job) {
    columns.push_back({"PARAMETERS", Align::kLeft, true});
  } else {
    for (const std::string& name : names) columns.push_back({Printable(name), Align::kRight, true});
  }
  columns.push_back({"REASON", Align::kLeft, true});
  Table table(columns);
  for (const v1::Trial& trial : trials.trials()) {
    std::vector<std::string> cells;
    if (with_job) cells.push_back(JobIdOfTrial(trial));
    cells.push_back(absl::StrCat(trial.number()));
    if (several) cells.push_back(trial.definition());
    cells.push_back(StateText(trial.state()));
    cells.push_back(trial.has_objective() ? Number(trial.objective()) : "");
    for (const std::string& metric : metrics) {
      const std::optional<double> value = FinalValue(trial, metric);
      cells.push_back(value ? Number(*value) : "");
    }
    if (metrics.empty()) cells.push_back(trial.has_best_objective() ? Number(trial.best_objective()) : "");
    if (marked) cells.push_back(Mark(several ? definitions[trial.definition()] : *job, trial));
    cells.push_back(RunTime(trial) > absl::ZeroDuration() ? DurationText(RunTime(trial)) : "");
    if (with_job) {
      std::vector<std::string> all;
      for (const auto& [name, value] : trial.parameters()) all.push_back(name);
      std::sort(all.begin(), all.end());
      cells.push_back(ParametersText(trial, all));
    } else {
      for (const std::string& name : names) {
        const auto found = trial.parameters().find(name);
        cells.push_back(found == trial.parameters().end()  ? ""
                        : found->second.has_number_value() ? Number(found->second.number_value())
                                                           : ValueText(found->second));
      }
    }
    // A completed trial's reason says nothing new; the others' is what one looks for.
    cells.push_back(trial.state() == v1::Trial::COMPLETED ? "" : ReasonLine(trial.reason()));
    table.Add(std::move(cells));
  }
  return table;
}

Table MetricTable(const v1::Trial& trial) {
  Table table({{"METRIC"}, {"FINAL", Align::kRight}});
  std::vector<std::string> names;
  for (const auto& [name, value] : trial.final_metrics()) names.push_back(name);
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) table.Add({name, Number(trial.final_metrics().at(name), 10)});
  return table;
}

Table AttemptTable(const v1::Trial& trial) {
  Table table({{"ATTEMPT", Align::kRight},
               {"BECAUSE"},
               {"EXECUTOR"},
               {"WHERE", Align::kLeft, true},
               {"STARTED"},
               {"TIME", Align::kRight},
               {"CPU", Align::kRight},
               {"MEMORY", Align::kRight},
               {"REASON", Align::kLeft, true}});
  for (const v1::Attempt& attempt : trial.attempts()) {
    const bool timed = attempt.has_start_time() && attempt.has_end_time();
    table.Add({absl::StrCat(attempt.number()), v1::Attempt::StartReason_Name(attempt.start_reason()),
               attempt.executor(), attempt.location(), TimeText(attempt.start_time()),
               timed ? DurationText(ToTime(attempt.end_time()) - ToTime(attempt.start_time())) : "",
               attempt.has_cpu_time() ? DurationText(ToDuration(attempt.cpu_time())) : "",
               attempt.peak_memory_bytes() > 0 ? BytesText(static_cast<double>(attempt.peak_memory_bytes())) : "",
               attempt.has_artifacts_remove_time() ? absl::StrCat(ReasonLine(attempt.reason()), " (artefacts removed)")
                                                   : ReasonLine(attempt.reason())});
  }
  return table;
}

Table MeasurementTable(const v1::Trial& trial) {
  Table table({{"METRIC"}, {"STEP", Align::kRight}, {"VALUE", Align::kRight}, {"ATTEMPT", Align::kRight}, {"SOURCE"}});
  for (const v1::Measurement& measurement : trial.measurements()) {
    table.Add({measurement.metric(), absl::StrCat(measurement.step()), Number(measurement.value(), 10),
               absl::StrCat(measurement.attempt()), v1::Measurement::Source_Name(measurement.source())});
  }
  return table;
}

// ", size = 5" for each additional objective.
std::string FurtherObjectivesText(const v1::TuningJobSpec& spec, const v1::Trial& trial) {
  std::string text;
  for (const v1::Objective& objective : spec.additional_objectives()) {
    const std::optional<double> value = FinalValue(trial, objective.metric());
    absl::StrAppend(&text, ", ", objective.metric(), " = ", value ? Number(*value, 10) : "missing");
  }
  return text;
}

std::string ConstraintsOutcome(const v1::TuningJob& job, const v1::Trial& trial) {
  if (job.spec().outcome_constraints().empty() || trial.state() != v1::Trial::COMPLETED) return "";
  const std::string broken = BrokenText(job.spec(), trial);
  return broken.empty() ? "kept" : absl::StrCat("broken: ", broken);
}

// "LAST_FIT: 20 results known, model of 18, 3 pending".
std::string BasisText(const v1::Trial& trial) {
  const v1::Basis& basis = trial.basis();
  if (basis.kind() == v1::Basis::KIND_UNSPECIFIED) return "";
  std::string text = v1::Basis::Kind_Name(basis.kind());
  absl::StrAppend(&text, ": ", basis.known_prefix(), basis.known_prefix() == 1 ? " result" : " results", " known");
  if (basis.history_prefix() != basis.known_prefix()) absl::StrAppend(&text, ", model of ", basis.history_prefix());
  if (basis.pending_trials_size() > 0) absl::StrAppend(&text, ", ", basis.pending_trials_size(), " pending");
  return text;
}

void PrintTrial(Printer& printer, const v1::Trial& trial, const v1::TuningJob& job, bool with_measurements) {
  const std::string further = FurtherObjectivesText(job.spec(), trial);
  printer.PrintPairs({{"Trial", absl::StrCat(IdOf(job.name()), "/", trial.number())},
                      {"Definition", trial.definition()},
                      {"State", StateText(trial.state())},
                      {"Reason", trial.reason()},
                      {"Objective", trial.has_objective() ? absl::StrCat(job.spec().objective().metric(), " = ",
                                                                         Number(trial.objective(), 10), further)
                                                          : ""},
                      {"Constraints", ConstraintsOutcome(job, trial)},
                      {"Best seen", trial.has_best_objective() && trial.best_objective() != trial.objective()
                                        ? Number(trial.best_objective(), 10)
                                        : ""},
                      {"Origin", v1::Trial::Origin_Name(trial.origin())},
                      {"Basis", BasisText(trial)},
                      {"Created", TimeText(trial.create_time())},
                      {"Run time", RunTime(trial) > absl::ZeroDuration() ? DurationText(RunTime(trial)) : ""},
                      {"Files", ArtifactPath(trial)}});
  const auto print = [&](const Table& table) {
    if (table.empty()) return;
    printer.out() << "\n";
    printer.Print(table);
  };
  print(ParameterTable(trial, ParameterNames(job.spec())));
  print(MetricTable(trial));
  print(AttemptTable(trial));
  if (with_measurements) print(MeasurementTable(trial));
}

absl::StatusOr<int> ShowTrial(Context& context, const TrialsOptions& options) {
  const auto name = TrialNameOf(options.job);
  if (!name.ok()) return name.status();
  auto client = context.Open(Embed::kLookOnly);
  if (!client.ok()) return client.status();
  v1::GetTrialRequest request;
  request.set_name(*name);
  const auto trial = (*client)->Call(request);
  if (!trial.ok()) return trial.status();
  if (context.json()) {
    context.printer().PrintJson(*trial);
    return kDone;
  }
  const auto job = FetchJob(**client, name->substr(0, name->find("/trials/")));
  if (!job.ok()) return job.status();
  PrintTrial(context.printer(), *trial, JobOfDefinition(*job, trial->definition()), true);
  return kDone;
}

// The executor that ran the trial's last attempt with a model elsewhere; null: its model is with its files.
const v1::SageMakerExecutor* ModelOnSageMaker(const v1::TuningJob& job, const v1::Trial& trial) {
  if (trial.attempts().empty() || trial.attempts().rbegin()->model_uri().empty()) return nullptr;
  const v1::TrialTemplate& runs = job.spec().trial();
  if (runs.has_sagemaker()) return &runs.sagemaker();
  for (const v1::Executor& executor : runs.executors()) {
    if (executor.has_sagemaker()) return &executor.sagemaker();
  }
  return nullptr;
}

// Copies the last attempt's folder, and its model from S3. Artefacts that are not on this machine are named instead.
absl::Status Fetch(const v1::TuningJob& job, const v1::Trial& trial, const std::string& folder) {
  const v1::SageMakerExecutor* sagemaker = ModelOnSageMaker(job, trial);
  const std::string from = ArtifactPath(trial);
  if (from.empty())
    return absl::FailedPreconditionError(absl::StrCat(
        "trial ", trial.number(), " left no files: it ran outside, was imported, or has another's result."));
  std::error_code error;
  const bool is_here = fs::is_directory(from, error);
  if (!is_here && sagemaker == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("the trial's files are at ", from, ", which is not on this machine. Fetch them from there."));
  }
  if (fs::exists(folder, error) && !fs::is_empty(folder, error)) {
    return absl::FailedPreconditionError(
        absl::StrCat(folder, " exists and is not empty. Name another folder, or empty it."));
  }
  fs::create_directories(folder, error);
  if (!error && is_here) fs::copy(from, folder, fs::copy_options::recursive | fs::copy_options::copy_symlinks, error);
  if (error)
    return absl::PermissionDeniedError(absl::StrCat("cannot copy ", from, " to ", folder, ": ", error.message(), "."));
  if (sagemaker == nullptr) return absl::OkStatus();
  const std::string& uri = trial.attempts().rbegin()->model_uri();
  return executors::sagemaker::FetchModel(*sagemaker, uri, absl::StrCat(folder, uri.substr(uri.rfind('/'))));
}

}  // namespace

absl::StatusOr<int> ListTrials(Context& context, const TrialsOptions& options) {
  const bool all_jobs = options.job == "-";
  if (absl::StrContains(options.job, "/") && !all_jobs &&
      (absl::StrContains(options.job, "/trials/") || !absl::StartsWith(options.job, "tuningJobs/"))) {
    return ShowTrial(context, options);
  }
  const auto name = all_jobs ? absl::StatusOr<std::string>("tuningJobs/-") : JobNameOf(options.job);
  if (!name.ok()) return name.status();
  auto client = context.Open(Embed::kLookOnly);
  if (!client.ok()) return client.status();
  v1::ListTrialsRequest request;
  request.set_parent(*name);
  request.set_filter(options.filter);
  if (!options.state.empty()) {
    request.set_filter(options.filter.empty() ? absl::StrCat("state = ", options.state)
                                              : absl::StrCat("(", options.filter, ") AND state = ", options.state));
  }
  if (!options.definition.empty()) {
    const std::string only = absl::StrCat("definition = \"", options.definition, "\"");
    request.set_filter(request.filter().empty() ? only : absl::StrCat("(", request.filter(), ") AND ", only));
  }
  request.set_order_by(options.order_by);
  request.set_include_measurements(options.measurements && context.json());
  const auto trials = FetchTrials(**client, request, options.limit);
  if (!trials.ok()) return trials.status();
  Printer& printer = context.printer();
  if (context.json()) {
    printer.PrintJson(*trials);
    return kDone;
  }
  v1::TuningJob of;
  if (!all_jobs) {
    auto job = FetchJob(**client, *name);
    if (!job.ok()) return job.status();
    if (!options.definition.empty()) job = ChooseDefinition(*job, options.definition);
    if (!job.ok()) return job.status();
    of = *std::move(job);
  }
  const Table table = TrialTable(*trials, all_jobs ? nullptr : &of);
  if (table.empty()) {
    printer.Note("No trials.");
  } else {
    printer.Print(table);
  }
  if (!trials->next_page_token().empty())
    printer.Note(absl::StrCat("There are more than ", options.limit, "; --limit 0 shows all."));
  return kDone;
}

namespace {

// What `best` shows of a job with several objectives.
absl::StatusOr<int> ShowFront(Context& context, const v1::TuningJob& job, const BestOptions& options) {
  if (!options.fetch.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "job ", IdOf(job.name()), " has several objectives, so no single trial is the best. Choose one; `tuner trials ",
        IdOf(job.name()), "/NUMBER` says where its files are."));
  }
  if (context.json()) {
    v1::ListTrialsResponse front;
    *front.mutable_trials() = job.pareto_front();
    context.printer().PrintJson(front);
    return kDone;
  }
  context.printer().Print(FrontTable(job));
  if (job.front_size() > job.pareto_front().size()) {
    context.printer().Note(absl::StrCat("These are ", job.pareto_front().size(), " of ", job.front_size(),
                                        " trials on the front, evenly from along it."));
  }
  return kDone;
}

// What `best` shows of definitions with different objectives.
absl::StatusOr<int> ShowBests(Context& context, const v1::TuningJob& job, const BestOptions& options) {
  if (!options.fetch.empty()) return ChooseDefinition(job, "").status();
  if (context.json()) {
    v1::ListTrialsResponse bests;
    for (const v1::DefinitionResult& result : job.definitions()) {
      if (result.has_best_trial()) *bests.add_trials() = result.best_trial();
    }
    context.printer().PrintJson(bests);
  } else {
    context.printer().Print(DefinitionTable(job));
  }
  return kDone;
}

}  // namespace

absl::StatusOr<int> ShowBest(Context& context, const BestOptions& options) {
  auto opened = OpenJob(context, options.job);
  if (!opened.ok()) return opened.status();
  std::string definition = options.definition;
  if (definition.empty() && opened->job.has_best_trial()) definition = opened->job.best_trial().definition();
  if (!options.definition.empty()) {
    if (auto status = CheckDefinition(opened->job, options.definition); !status.ok()) return status;
  }
  const v1::TuningJob job = definition.empty() ? opened->job : JobOfDefinition(opened->job, definition);
  if (job.front_size() > 0) return ShowFront(context, job, options);
  if (BestCell(job) == "by definition") return ShowBests(context, job, options);
  if (!job.has_best_trial()) {
    return absl::FailedPreconditionError(
        absl::StrCat("job ", IdOf(job.name()), " has no best trial yet. ", NoBestText(job)));
  }
  if (!options.fetch.empty()) {
    if (auto status = Fetch(job, job.best_trial(), options.fetch); !status.ok()) return status;
    context.printer().Note(
        absl::StrCat("Copied the files of trial ", job.best_trial().number(), " to ", options.fetch, "."));
  }
  if (context.json()) {
    context.printer().PrintJson(job.best_trial());
  } else {
    PrintTrial(context.printer(), job.best_trial(), job, false);
    if (job.overall_best_trial().name() != job.best_trial().name() && job.has_overall_best_trial()) {
      context.printer().Note(absl::StrCat("Better, of a parent: ", OverallBestText(job)));
    }
  }
  return kDone;
}

absl::StatusOr<int> ShowLogs(Context& context, const LogsOptions& options) {
  const auto name = TrialNameOf(options.trial);
  if (!name.ok()) return name.status();
  auto client = context.Open(Embed::kLookOnly);
  if (!client.ok()) return client.status();
  v1::StreamTrialLogsRequest request;
  request.set_name(*name);
  if (options.attempt) request.set_attempt(*options.attempt);
  request.set_stream(options.error_output ? v1::StreamTrialLogsRequest::STDERR : v1::StreamTrialLogsRequest::STDOUT);
  request.set_offset(options.offset);
  request.set_follow(options.follow);
  const auto stream = (*client)->Logs(request);
  v1::StreamTrialLogsResponse piece;
  // Bytes as they are: a log may hold what its program meant for a terminal. Ends with its reader, too.
  while (stream->Next(piece)) {
    if (!(context.printer().out() << piece.data() << std::flush)) return kDone;
  }
  const absl::Status status = stream->Finish();
  if (!status.ok()) return status;
  return kDone;
}

}  // namespace tuner::cli
