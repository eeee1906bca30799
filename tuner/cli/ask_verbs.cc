// suggest, report, complete: what a worker does by hand or from a script.
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tuner/cli/errors.h"
#include "tuner/cli/job_view.h"
#include "tuner/cli/text.h"
#include "tuner/cli/verbs.h"

namespace tuner::cli {
namespace {

std::string DefaultWorker(const Environment& environment) {
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  return absl::StrCat(environment.variable("USER").value_or("user"), "@", host).substr(0, 128);
}

// What report and complete were told: which trial and attempt, which values.
struct Told {
  std::string trial;
  int attempt = 0;  // 0: the last one
  std::vector<std::pair<std::string, double>> values;
};

absl::StatusOr<Told> Parse(const Environment& environment, const TellOptions& options) {
  Told told;
  for (const std::string& argument : options.arguments) {
    // Metric names may hold anything but '=', such as validation:logloss.
    const size_t equals = argument.rfind('=');
    if (equals == std::string::npos) {
      if (!told.trial.empty())
        return absl::InvalidArgumentError(
            absl::StrCat("\"", argument, "\" is no value. Write METRIC=NUMBER, for example loss=0.31."));
      auto name = TrialNameOf(argument);
      if (!name.ok()) return name.status();
      told.trial = *std::move(name);
      continue;
    }
    double value = 0;
    if (equals == 0 || !absl::SimpleAtod(argument.substr(equals + 1), &value)) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", argument, "\" is no value. Write METRIC=NUMBER, for example loss=0.31."));
    }
    told.values.emplace_back(argument.substr(0, equals), value);
  }
  if (told.trial.empty()) {
    told.trial = environment.variable("TUNER_TRIAL").value_or("");
    if (told.trial.empty())
      return absl::InvalidArgumentError(
          "which trial? Write it first, as JOB/NUMBER; only inside of a trial it may be left out.");
    if (!absl::SimpleAtoi(environment.variable("TUNER_ATTEMPT").value_or("0"), &told.attempt)) told.attempt = 0;
  }
  if (options.attempt) told.attempt = *options.attempt;
  return told;
}

absl::Status FillAttempt(Client& client, Told& told) {
  if (told.attempt > 0) return absl::OkStatus();
  v1::GetTrialRequest request;
  request.set_name(told.trial);
  const auto trial = client.Call(request);
  if (!trial.ok()) return trial.status();
  told.attempt = trial->attempts_size() == 0 ? 1 : trial->attempts(trial->attempts_size() - 1).number();
  return absl::OkStatus();
}

std::string TrialArgument(const v1::Trial& trial) {
  const std::string job_name = trial.name().substr(0, trial.name().find("/trials/"));
  return absl::StrCat(IdOf(job_name), "/", trial.number());
}

}  // namespace

absl::StatusOr<int> SuggestTrials(Context& context, const SuggestOptions& options) {
  const auto name = JobNameOf(options.job);
  if (!name.ok()) return name.status();
  auto client = context.Open(Embed::kAskAndTell);
  if (!client.ok()) return client.status();
  v1::SuggestTrialsRequest request;
  request.set_parent(*name);
  request.set_worker_id(options.worker.empty() ? DefaultWorker(context.environment()) : options.worker);
  request.set_count(options.count);
  request.set_request_id(options.request_id);
  const absl::Duration deadline = absl::Seconds(options.deadline_seconds);
  request.mutable_deadline()->set_seconds(absl::ToInt64Seconds(deadline));
  request.mutable_deadline()->set_nanos(static_cast<int>(absl::ToInt64Nanoseconds(deadline % absl::Seconds(1))));
  const auto response = (*client)->Call(request);
  if (!response.ok()) return response.status();
  Printer& printer = context.printer();
  if (context.json()) {
    printer.PrintJson(*response);
    return kDone;
  }
  const bool several = std::any_of(response->trials().begin(), response->trials().end(),
                                   [](const v1::Trial& trial) { return !trial.definition().empty(); });
  std::vector<Column> columns = {{"TRIAL"}, {"ATTEMPT", Align::kRight}, {"PARAMETERS", Align::kLeft}};
  if (several) columns.insert(columns.begin() + 1, Column{"DEFINITION"});
  Table table(columns);
  for (const v1::Trial& trial : response->trials()) {
    std::vector<std::string> names;
    for (const auto& [parameter, value] : trial.parameters()) names.push_back(parameter);
    std::sort(names.begin(), names.end());
    std::vector<std::string> cells = {TrialArgument(trial)};
    if (several) cells.push_back(trial.definition());
    cells.push_back(absl::StrCat(trial.attempts_size() == 0 ? 1 : trial.attempts(trial.attempts_size() - 1).number()));
    cells.push_back(ParametersText(trial, names));
    table.Add(std::move(cells));
  }
  if (!table.empty()) printer.Print(table);
  if (!response->reason().empty()) printer.Note(Printable(response->reason()));
  if (response->job_done()) printer.Note("No further trial will come.");
  return kDone;
}

absl::StatusOr<int> ReportValues(Context& context, const TellOptions& options) {
  auto told = Parse(context.environment(), options);
  if (!told.ok()) return told.status();
  auto client = context.Open(Embed::kAskAndTell);
  if (!client.ok()) return client.status();
  if (auto status = FillAttempt(**client, *told); !status.ok()) return status;
  v1::ReportMeasurementsRequest request;
  request.set_name(told->trial);
  request.set_attempt(told->attempt);
  request.set_worker_id(options.worker);
  for (const auto& [metric, value] : told->values) {
    v1::Measurement& measurement = *request.add_measurements();
    measurement.set_metric(metric);
    measurement.set_value(value);
    if (options.step) measurement.set_step(*options.step);
  }
  const auto response = (*client)->Call(request);
  if (!response.ok()) return response.status();
  if (context.json()) {
    context.printer().PrintJson(*response);
  } else if (response->should_stop()) {
    context.printer().out() << "stop" << (response->reason().empty() ? "" : ": ") << Printable(response->reason())
                            << "\n";
  } else {
    context.printer().out() << "continue\n";
  }
  return kDone;
}

absl::StatusOr<int> CompleteTrial(Context& context, const TellOptions& options) {
  auto told = Parse(context.environment(), options);
  if (!told.ok()) return told.status();
  auto client = context.Open(Embed::kAskAndTell);
  if (!client.ok()) return client.status();
  if (auto status = FillAttempt(**client, *told); !status.ok()) return status;
  v1::CompleteTrialRequest request;
  request.set_name(told->trial);
  request.set_attempt(told->attempt);
  request.set_worker_id(options.worker);
  request.set_failure_reason(options.failed);
  request.set_infeasible_reason(options.infeasible);
  for (const auto& [metric, value] : told->values) (*request.mutable_final_metrics())[metric] = value;
  const auto trial = (*client)->Call(request);
  if (!trial.ok()) return trial.status();
  Printer& printer = context.printer();
  if (context.json()) {
    printer.PrintJson(*trial);
  } else {
    printer.out() << "Trial " << TrialArgument(*trial) << " is " << StateText(trial->state());
    if (trial->has_objective()) printer.out() << ", objective " << Number(trial->objective(), 10);
    if (trial->state() != v1::Trial::COMPLETED && !trial->reason().empty())
      printer.out() << ": " << Printable(trial->reason());
    printer.out() << "\n";
  }
  return kDone;
}

}  // namespace tuner::cli
