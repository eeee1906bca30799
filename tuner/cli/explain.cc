// explain: what a job's model knows, of the whole job, a trial, or a point.
#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tuner/cli/definition_view.h"
#include "tuner/cli/errors.h"
#include "tuner/cli/job_view.h"
#include "tuner/cli/outcome_view.h"
#include "tuner/cli/pages.h"
#include "tuner/cli/text.h"
#include "tuner/cli/trial_file.h"
#include "tuner/cli/verbs.h"

namespace tuner::cli {
namespace {

using Parameters = google::protobuf::Map<std::string, google::protobuf::Value>;

// Takes out what other values of the point make inactive, but for what was given: that the service refuses.
void DropInactive(const google::protobuf::RepeatedPtrField<v1::Parameter>& parameters, bool active,
                  const std::set<std::string>& given, Parameters& point) {
  for (const v1::Parameter& parameter : parameters) {
    if (!active && !given.contains(parameter.name())) point.erase(parameter.name());
    const auto value = point.find(parameter.name());
    for (const v1::ConditionalChildren& children : parameter.children()) {
      const bool below = active && value != point.end() &&
                         std::any_of(children.values().begin(), children.values().end(),
                                     [&](const auto& wanted) { return ValueText(wanted) == ValueText(value->second); });
      DropInactive(children.parameters(), below, given, point);
    }
  }
}

// "x=0.5" of each argument; what is not given is as in the best trial, or the first on the front.
absl::Status ReadPoint(const std::vector<std::string>& arguments, const v1::TuningJob& job, Parameters& point) {
  if (const v1::Trial* best = BestTrial(job)) point = best->parameters();
  const std::vector<const v1::Parameter*> parameters = AllParameters(job.spec());
  std::set<std::string> given;
  for (const std::string& argument : arguments) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(argument, absl::MaxSplits('=', 1));
    const auto found = std::find_if(parameters.begin(), parameters.end(),
                                    [&](const v1::Parameter* parameter) { return parameter->name() == parts.first; });
    if (found == parameters.end() || argument.find('=') == std::string::npos) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--at ", argument,
          ": write NAME=VALUE with a parameter of the job: ", absl::StrJoin(ParameterNames(job.spec()), ", "), "."));
    }
    auto value = TypedValue(**found, parts.second);
    if (!value.ok()) return absl::InvalidArgumentError(absl::StrCat("--at ", value.status().message()));
    point[parts.first] = *std::move(value);
    given.insert(parts.first);
  }
  DropInactive(job.spec().parameters(), true, given, point);
  return absl::OkStatus();
}

std::string Percent(double share) { return absl::StrFormat("%.1f %%", 100 * share); }

void PrintPoint(Printer& printer, const v1::ExplainTuningJobResponse& explained, const v1::TuningJob& job) {
  const auto& point = explained.point();
  std::vector<std::string> nearest;
  for (int i = 0; i < point.nearest_trials_size(); ++i) {
    const double distance = i < point.nearest_distances_size() ? point.nearest_distances(i) : 0;
    nearest.push_back(absl::StrCat(point.nearest_trials(i), " (", Number(distance, 3), ")"));
  }
  v1::Trial as_trial;
  *as_trial.mutable_parameters() = point.parameters();
  printer.out() << Printable(point.explanation()) << "\n\n";
  printer.PrintPairs({{"Point", ParametersText(as_trial, ParameterNames(job.spec()))},
                      {"Expected", absl::StrCat(explained.metric(), " ", Number(point.mean()), " +- ",
                                                Number(point.standard_deviation()))},
                      {"Acquisition", Number(point.acquisition())},
                      {"Nearest", absl::StrJoin(nearest, ", ")}});
  printer.out() << "\n";
}

void PrintExplained(Printer& printer, const v1::ExplainTuningJobResponse& explained, const v1::TuningJob& job) {
  if (explained.has_point()) PrintPoint(printer, explained, job);
  const bool ended = IsTerminal(job.state());
  printer.PrintPairs(
      {{"Model", absl::StrCat("of ", explained.metric(), ", fitted to ", explained.observations(), " trials")},
       {"Noise", absl::StrCat("the same point again deviates by ", Number(explained.noise_deviation(), 4))},
       {"10 more trials",
        absl::StrCat("improve the best by ", Number(explained.expected_improvement(), 4), ", as the model expects")},
       {"Time left", ended || !explained.has_estimated_time_left()
                         ? ""
                         : absl::StrCat("about ", DurationText(ToDuration(explained.estimated_time_left())))}});
  std::vector<std::pair<double, std::string>> order;
  for (const auto& [name, share] : explained.fanova_importance()) order.emplace_back(-share, name);
  std::sort(order.begin(), order.end());
  Table table({{"PARAMETER", Align::kLeft, true}, {"IMPORTANCE", Align::kRight}, {"BY LENGTH-SCALE", Align::kRight}});
  for (const auto& [share, name] : order) {
    const auto by_length = explained.length_scale_importance().find(name);
    table.Add({name, Percent(-share),
               by_length == explained.length_scale_importance().end() ? "" : Percent(by_length->second)});
  }
  if (table.empty()) return;
  printer.out() << "\n";
  printer.Print(table);
}

}  // namespace

absl::StatusOr<int> ExplainJob(Context& context, const ExplainOptions& options) {
  const auto opened = OpenJob(context, options.job);
  if (!opened.ok()) return opened.status();
  Client* const client = opened->client;
  std::string definition = options.definition;
  if (options.trial && definition.empty() && !opened->job.spec().definitions().empty()) {
    v1::GetTrialRequest of;
    of.set_name(absl::StrCat(opened->job.name(), "/trials/", *options.trial));
    const auto trial = client->Call(of);
    if (!trial.ok()) return trial.status();
    definition = trial->definition();
  }
  const auto chosen = ChooseDefinition(opened->job, definition);
  if (!chosen.ok()) return chosen.status();
  const v1::TuningJob& job = *chosen;
  v1::ExplainTuningJobRequest request;
  request.set_name(job.name());
  request.set_definition(definition);
  if (options.trial) request.set_trial(*options.trial);
  if (!options.at.empty()) {
    if (auto status = ReadPoint(options.at, job, *request.mutable_at()); !status.ok()) return status;
  }
  request.set_include_data(options.data && context.json());
  const auto explained = client->Call(request);
  if (!explained.ok()) return explained.status();
  if (context.json()) {
    context.printer().PrintJson(*explained);
  } else {
    PrintExplained(context.printer(), *explained, job);
  }
  return kDone;
}

}  // namespace tuner::cli
