// create, validate, list, show, stop, delete.
#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "core/resource_names.h"
#include "google/protobuf/struct.pb.h"
#include "tuner/cli/definition_view.h"
#include "tuner/cli/errors.h"
#include "tuner/cli/job_source.h"
#include "tuner/cli/job_view.h"
#include "tuner/cli/outcome_view.h"
#include "tuner/cli/pages.h"
#include "tuner/cli/text.h"
#include "tuner/cli/verbs.h"

namespace tuner::cli {

absl::StatusOr<std::string> JobNameOf(const std::string& argument) {
  const std::string id = absl::StartsWith(argument, "tuningJobs/") ? IdOf(argument) : argument;
  if (!core::IsJobId(id)) {
    return absl::InvalidArgumentError(absl::StrCat("\"", argument,
                                                   "\" is not the name of a job. Names are letters, digits, '.', '_' "
                                                   "and '-', up to 63; `tuner list` shows them."));
  }
  return core::JobName(id);
}

absl::StatusOr<std::string> TrialNameOf(const std::string& argument) {
  auto parsed = core::ParseTrialName(argument);
  if (!parsed.ok()) {
    const size_t slash = argument.rfind('/');
    const std::string name = slash == std::string::npos ? argument
                                                        : absl::StrCat("tuningJobs/", argument.substr(0, slash),
                                                                       "/trials/", argument.substr(slash + 1));
    parsed = core::ParseTrialName(name);
  }
  if (!parsed.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", argument, "\" is not a trial. Write JOB/NUMBER, for example xgboost/12; `tuner trials JOB` shows them."));
  }
  return core::TrialName(parsed->job_id, parsed->number);
}

namespace {

v1::CreateTuningJobRequest RequestOf(const JobSource& source) {
  v1::CreateTuningJobRequest request;
  *request.mutable_spec() = source.spec;
  request.set_base_dir(source.base_dir);
  return request;
}

// The problems of a line. Those that did not fit into the service's answer are on one, by their paths: "also wrong (2
// more): a, b".
std::vector<ProblemLine> ParseProblems(absl::string_view line) {
  if (!absl::ConsumePrefix(&line, "also wrong (")) return {ParseProblemLine(line)};
  std::vector<ProblemLine> problems;
  for (const absl::string_view path : absl::StrSplit(line.substr(line.find(": ") + 2), ", ")) {
    problems.push_back({0, std::string(path), "is wrong too; correct the others first to see why"});
  }
  return problems;
}

// {"valid": ..., "problems": [{"path", "text"}], "advice": [...]} of what the service or the file reader said.
google::protobuf::Struct ValidationDocument(const absl::Status& status, const std::vector<std::string>& advice) {
  google::protobuf::Struct document;
  auto& fields = *document.mutable_fields();
  fields["valid"].set_bool_value(status.ok());
  auto& problems = *fields["problems"].mutable_list_value();
  if (!status.ok()) {
    for (absl::string_view line : absl::StrSplit(status.message(), '\n', absl::SkipWhitespace())) {
      for (const ProblemLine& parsed : ParseProblems(line)) {
        auto& problem = *problems.add_values()->mutable_struct_value()->mutable_fields();
        problem["path"].set_string_value(parsed.path);
        problem["text"].set_string_value(parsed.text);
        if (parsed.line > 0) problem["line"].set_number_value(parsed.line);
      }
    }
  }
  auto& remarks = *fields["advice"].mutable_list_value();
  for (const std::string& remark : advice) remarks.add_values()->set_string_value(remark);
  return document;
}

// A file that cannot be checked at all (unreadable, no server) is another matter than one with problems in it.
bool IsAboutTheFile(const absl::Status& status) {
  return status.ok() || absl::IsInvalidArgument(status) || absl::IsUnimplemented(status);
}

absl::Status SetTime(const std::string& text, google::protobuf::Timestamp* (v1::ListTuningJobsRequest::*field)(),
                     v1::ListTuningJobsRequest& request) {
  if (text.empty()) return absl::OkStatus();
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, text, &time, &error) &&
      !absl::ParseTime("%Y-%m-%d", text, absl::LocalTimeZone(), &time, &error)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" is not a time. Write 2026-03-01 or 2026-03-01T14:00:00Z."));
  }
  (request.*field)()->set_seconds(absl::ToUnixSeconds(time));
  return absl::OkStatus();
}

absl::StatusOr<v1::ListTuningJobsRequest> RequestOf(const ListOptions& options) {
  v1::ListTuningJobsRequest request;
  for (const std::string& name : options.states) {
    v1::TuningJob::State state;
    if (v1::TuningJob::State_Parse(name, &state)) request.add_states(state);
  }
  for (const std::string& tag : options.tags) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(tag, absl::MaxSplits('=', 1));
    if (!absl::StrContains(tag, '=')) {
      return absl::InvalidArgumentError(absl::StrCat("the tag \"", tag, "\" has no value. Write --tag key=value."));
    }
    (*request.mutable_tags())[parts.first] = parts.second;
  }
  request.set_name_contains(options.name_contains);
  if (auto status = SetTime(options.created_after, &v1::ListTuningJobsRequest::mutable_created_after, request);
      !status.ok())
    return status;
  if (auto status = SetTime(options.created_before, &v1::ListTuningJobsRequest::mutable_created_before, request);
      !status.ok())
    return status;
  return request;
}

std::string CountsText(const v1::TrialCounts& counts) {
  std::vector<std::string> parts;
  const auto add = [&](int count, const char* name) {
    if (count > 0) parts.push_back(absl::StrCat(count, " ", name));
  };
  add(counts.completed(), "completed");
  add(counts.early_stopped(), "early stopped");
  add(counts.running(), "running");
  add(counts.pending(), "pending");
  add(counts.queued(), "queued");
  add(counts.paused(), "paused");
  add(counts.stopping(), "stopping");
  add(counts.stopped(), "stopped");
  add(counts.failed(), "failed");
  add(counts.infeasible(), "infeasible");
  if (counts.imported() > 0) parts.push_back(absl::StrCat(counts.imported(), " of them imported"));
  return parts.empty() ? "none yet" : absl::StrJoin(parts, ", ");
}

std::string LimitsText(const v1::Limits& limits) {
  std::vector<std::string> parts;
  if (limits.has_max_trials()) parts.push_back(absl::StrCat(limits.max_trials(), " trials"));
  if (limits.has_max_parallel_trials()) parts.push_back(absl::StrCat(limits.max_parallel_trials(), " in parallel"));
  if (limits.has_max_run_time())
    parts.push_back(absl::StrCat(DurationText(ToDuration(limits.max_run_time())), " in all"));
  if (limits.has_max_failed_trials()) parts.push_back(absl::StrCat(limits.max_failed_trials(), " failed trials"));
  if (limits.has_max_cost()) parts.push_back(absl::StrCat("cost ", Number(limits.max_cost())));
  return absl::StrJoin(parts, ", ");
}

void PrintSpace(Printer& printer, const v1::TuningJobSpec& spec) {
  Table table({{"PARAMETER"}, {"DOMAIN", Align::kLeft, true}, {"DEFAULT"}});
  for (const v1::Parameter* parameter : AllParameters(spec)) {
    table.Add(
        {parameter->name(), DomainText(*parameter), parameter->has_default_() ? ValueText(parameter->default_()) : ""});
  }
  if (!table.empty()) {
    printer.out() << "\n";
    printer.Print(table);
  }
}

// What the trials cost by the account of engines that bill; empty for a job without such.
absl::StatusOr<std::string> BilledText(Client& client, const v1::TuningJob& job) {
  const v1::TrialTemplate& runs = job.spec().trial();
  const bool bills = runs.has_sagemaker() || std::any_of(runs.executors().begin(), runs.executors().end(),
                                                         [](const v1::Executor& e) { return e.has_sagemaker(); });
  if (!bills) return std::string();
  v1::ListTrialsRequest request;
  request.set_parent(job.name());
  const auto trials = FetchTrials(client, request, 0);
  if (!trials.ok()) return trials.status();
  absl::Duration trained, billed;
  int interruptions = 0;
  for (const v1::Trial& trial : trials->trials()) {
    for (const v1::Attempt& attempt : trial.attempts()) {
      trained += ToDuration(attempt.training_time());
      billed += ToDuration(attempt.billable_time());
      interruptions += attempt.interruptions();
    }
  }
  if (trained == absl::ZeroDuration()) return std::string();
  std::string text = absl::StrCat(DurationText(billed), " billed of ", DurationText(trained), " trained");
  if (billed < trained) {
    absl::StrAppend(&text, ", ", static_cast<int>((1 - absl::FDivDuration(billed, trained)) * 100 + 0.5), " % saved");
  }
  if (interruptions > 0) absl::StrAppend(&text, ", ", interruptions, " spot interruptions");
  return text;
}

void PrintJob(Printer& printer, const v1::TuningJob& job, const std::string& billed, absl::Time now) {
  const v1::Trial& best = job.best_trial();
  std::string best_text;
  if (job.has_best_trial()) {
    best_text = absl::StrCat(Number(best.objective()), " by trial ", best.number(), ": ",
                             ParametersText(best, ParameterNames(job.spec())));
  } else if (job.front_size() > 0) {
    best_text =
        absl::StrCat("Pareto front of ", job.front_size(), " trials; `tuner best ", IdOf(job.name()), "` shows them");
  } else if (job.trial_counts().completed() > 0) {
    best_text = NoBestText(job);
  }
  const bool several = !job.definitions().empty();
  if (several && job.has_best_trial()) best_text = absl::StrCat(best.definition(), ", ", best_text);
  printer.PrintPairs(
      {{"Job", IdOf(job.name())},
       {"State", job.paused_reason().empty() ? StateText(job.state())
                                             : absl::StrCat(StateText(job.state()), ", paused: ", job.paused_reason())},
       {"Reason", job.reason()},
       {"Objective", ObjectivesText(job.spec())},
       {"Constraints", ConstraintsText(job.spec())},
       {"Strategy", StrategyText(job.spec().strategy())},
       {"Trials", absl::StrCat(DoneOfAll(job), " done: ", CountsText(job.trial_counts()))},
       {"Best", best_text},
       {"Overall best", OverallBestText(job)},
       {"Parents", ParentsText(job.spec())},
       {"Children", ChildrenText(job)},
       {"Limits", LimitsText(job.spec().limits())},
       {"Notified", NotificationsText(job)},
       {"Not notified", job.notifications().last_failure()},
       {"Created", TimeText(job.create_time())},
       {"Ended", TimeText(job.end_time())},
       {"Elapsed", DurationText(Elapsed(job, now))},
       {"Billed", billed},
       {"Command", job.provenance().command()},
       {"Revision", job.provenance().git_revision()}});
  if (several) {
    printer.out() << "\n";
    printer.Print(DefinitionTable(job));
  } else {
    PrintSpace(printer, job.spec());
  }
  for (const v1::DefinitionResult& definition : job.definitions()) {
    printer.out() << "\n" << printer.Bold(definition.name());
    if (!definition.done_reason().empty()) printer.out() << ": " << Printable(definition.done_reason());
    PrintSpace(printer, JobOfDefinition(job, definition.name()).spec());
  }
  if (job.advice_size() > 0) printer.out() << "\n";
  for (const std::string& remark : job.advice())
    printer.out() << printer.Yellow("advice: ") << Printable(remark) << "\n";
}

}  // namespace

absl::StatusOr<int> CreateJob(Context& context, const FileOptions& options) {
  auto source = ReadJobSource(options.file);
  if (!source.ok()) return source.status();
  auto client = context.Open(Embed::kLookOnly);
  if (!client.ok()) return client.status();
  const auto response = (*client)->Call(RequestOf(*source));
  if (!response.ok()) return WithLines(response.status(), *source);
  Printer& printer = context.printer();
  if (context.json()) {
    printer.PrintJson(*response);
    return kDone;
  }
  for (const std::string& remark : response->advice()) printer.Note(absl::StrCat("advice: ", Printable(remark)));
  printer.out() << "Created job " << printer.Bold(IdOf(response->job().name())) << ".\n";
  if (context.connection().server) {
    printer.Note(absl::StrCat("No server runs on ", context.connection().data_dir,
                              ", so it waits. `tuner serve --data ", context.connection().data_dir,
                              "` runs it, and so does `tuner run`."));
  }
  return kDone;
}

absl::StatusOr<int> ValidateJob(Context& context, const FileOptions& options) {
  absl::Status verdict;
  std::vector<std::string> advice;
  auto source = ReadJobSource(options.file);
  if (source.ok()) {
    const auto response = CheckJob(context, *source, options.check);
    verdict = WithLines(response.status(), *source);
    if (response.ok()) advice.assign(response->advice().begin(), response->advice().end());
  } else {
    verdict = source.status();
  }
  if (!IsAboutTheFile(verdict)) return verdict;
  Printer& printer = context.printer();
  if (context.json()) {
    printer.PrintJson(ValidationDocument(verdict, advice));
    return verdict.ok() ? kDone : kBadInput;
  }
  if (!verdict.ok())
    return absl::Status(verdict.code(), absl::StrCat(options.file, " has problems:\n", verdict.message()));
  for (const std::string& remark : advice) printer.out() << printer.Yellow("advice: ") << Printable(remark) << "\n";
  printer.out() << options.file << " is valid.\n";
  return kDone;
}

absl::StatusOr<int> ListJobs(Context& context, const ListOptions& options) {
  auto request = RequestOf(options);
  if (!request.ok()) return request.status();
  auto client = context.Open(Embed::kLookOnly);
  if (!client.ok()) return client.status();
  const auto jobs = FetchJobs(**client, *request, options.limit);
  if (!jobs.ok()) return jobs.status();
  Printer& printer = context.printer();
  if (context.json()) {
    printer.PrintJson(*jobs);
    return kDone;
  }
  Table table({{"JOB"},
               {"STATE"},
               {"DONE", Align::kRight},
               {"ACTIVE", Align::kRight},
               {"FAILED", Align::kRight},
               {"BEST", Align::kRight},
               {"OBJECTIVE", Align::kLeft, true},
               {"CREATED"}});
  for (const v1::TuningJob& job : jobs->jobs()) {
    table.Add({IdOf(job.name()), StateText(job.state()), DoneOfAll(job), absl::StrCat(ActiveTrials(job)),
               absl::StrCat(job.trial_counts().failed()), BestCell(job), ObjectivesText(job.spec()),
               TimeText(job.create_time())});
  }
  if (table.empty()) {
    printer.Note("No jobs. `tuner run job.yaml` starts one.");
  } else {
    printer.Print(table);
  }
  if (!jobs->next_page_token().empty())
    printer.Note(absl::StrCat("There are more than ", options.limit, "; --limit 0 shows all."));
  return kDone;
}

absl::StatusOr<int> ShowJob(Context& context, const JobOptions& options) {
  const auto name = JobNameOf(options.job);
  if (!name.ok()) return name.status();
  auto client = context.Open(Embed::kLookOnly);
  if (!client.ok()) return client.status();
  v1::GetTuningJobRequest request;
  request.set_name(*name);
  const auto job = (*client)->Call(request);
  if (!job.ok()) return job.status();
  if (context.json()) {
    context.printer().PrintJson(*job);
  } else {
    const auto billed = BilledText(**client, *job);
    if (!billed.ok()) return billed.status();
    PrintJob(context.printer(), *job, *billed, absl::Now());
  }
  return kDone;
}

absl::StatusOr<int> Stop(Context& context, const JobOptions& options) {
  const bool is_trial = absl::StrContains(options.job, "/trials/") ||
                        (absl::StrContains(options.job, '/') && !absl::StartsWith(options.job, "tuningJobs/"));
  const auto name = is_trial ? TrialNameOf(options.job) : JobNameOf(options.job);
  if (!name.ok()) return name.status();
  auto client = context.Open(Embed::kLookOnly);
  if (!client.ok()) return client.status();
  Printer& printer = context.printer();
  if (is_trial) {
    v1::StopTrialRequest request;
    request.set_name(*name);
    request.set_reason(options.reason);
    const auto trial = (*client)->Call(request);
    if (!trial.ok()) return trial.status();
    if (context.json()) {
      printer.PrintJson(*trial);
    } else {
      printer.out() << "Trial " << trial->number() << " is " << StateText(trial->state())
                    << (trial->reason().empty() ? "" : ": ") << Printable(trial->reason()) << "\n";
    }
    return kDone;
  }
  v1::StopTuningJobRequest request;
  request.set_name(*name);
  request.set_reason(options.reason);
  const auto job = (*client)->Call(request);
  if (!job.ok()) return job.status();
  if (context.json()) {
    printer.PrintJson(*job);
  } else {
    printer.out() << "Job " << IdOf(job->name()) << " is " << StateText(job->state())
                  << (job->reason().empty() ? "" : ": ") << Printable(job->reason()) << "\n";
  }
  return kDone;
}

absl::StatusOr<int> DeleteJob(Context& context, const JobOptions& options) {
  const auto name = JobNameOf(options.job);
  if (!name.ok()) return name.status();
  auto client = context.Open(Embed::kLookOnly);
  if (!client.ok()) return client.status();
  v1::DeleteTuningJobRequest request;
  request.set_name(*name);
  const auto done = (*client)->Call(request);
  if (!done.ok()) return done.status();
  if (context.json()) {
    context.printer().PrintJson(*done);
  } else {
    context.printer().out() << "Deleted job " << IdOf(*name) << ", its trials and files.\n";
  }
  return kDone;
}

}  // namespace tuner::cli
