#include "tuner/cli/job_view.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tuner/cli/text.h"

namespace tuner::cli {
namespace {

void Collect(const google::protobuf::RepeatedPtrField<v1::Parameter>& parameters,
             std::vector<const v1::Parameter*>& all) {
  for (const v1::Parameter& parameter : parameters) {
    all.push_back(&parameter);
    for (const v1::ConditionalChildren& children : parameter.children()) Collect(children.parameters(), all);
  }
}

std::string ScaleText(v1::Scaling::Scale scale) {
  if (scale == v1::Scaling::SCALE_UNSPECIFIED || scale == v1::Scaling::LINEAR) return "";
  return absl::StrCat(", ", absl::AsciiStrToLower(v1::Scaling::Scale_Name(scale)));
}

}  // namespace

std::string IdOf(const std::string& name) { return name.substr(name.rfind('/') + 1); }

std::string StateText(v1::TuningJob::State state) { return v1::TuningJob::State_Name(state); }
std::string StateText(v1::Trial::State state) { return v1::Trial::State_Name(state); }

bool IsTerminal(v1::TuningJob::State state) { return state >= v1::TuningJob::COMPLETED; }
bool IsTerminal(v1::Trial::State state) { return state >= v1::Trial::COMPLETED; }

int DoneTrials(const v1::TuningJob& job) {
  const v1::TrialCounts& counts = job.trial_counts();
  const int ended =
      counts.completed() + counts.early_stopped() + counts.stopped() + counts.failed() + counts.infeasible();
  return std::max(0, ended - counts.imported());
}

int ActiveTrials(const v1::TuningJob& job) {
  const v1::TrialCounts& counts = job.trial_counts();
  return counts.pending() + counts.running() + counts.stopping();
}

std::string DoneOfAll(const v1::TuningJob& job) {
  const int done = DoneTrials(job);
  if (!job.spec().limits().has_max_trials()) return absl::StrCat(done);
  return absl::StrCat(done, "/", job.spec().limits().max_trials());
}

std::string ObjectiveText(const v1::Objective& objective) {
  return absl::StrCat(objective.goal() == v1::Objective::MAXIMIZE ? "maximize " : "minimize ", objective.metric());
}

std::string StrategyText(const v1::Strategy& strategy) {
  std::string name = "bayesian";
  switch (strategy.strategy_case()) {
    case v1::Strategy::kRandom:
      name = "random";
      break;
    case v1::Strategy::kGrid:
      name = "grid";
      break;
    case v1::Strategy::kHyperband:
      name = "hyperband";
      break;
    case v1::Strategy::kCustom:
      name = strategy.custom().name();
      break;
    case v1::Strategy::kBayesian:
    case v1::Strategy::STRATEGY_NOT_SET:
      break;
  }
  return strategy.has_random_seed() ? absl::StrCat(name, ", seed ", strategy.random_seed()) : name;
}

std::string DomainText(const v1::Parameter& parameter) {
  switch (parameter.domain_case()) {
    case v1::Parameter::kDouble: {
      const auto& domain = parameter.double_();
      return absl::StrCat("double ", Number(domain.min()), " to ", Number(domain.max()),
                          domain.has_step() ? absl::StrCat(", step ", Number(domain.step())) : "",
                          ScaleText(domain.scale()));
    }
    case v1::Parameter::kInteger: {
      const auto& domain = parameter.integer();
      return absl::StrCat("integer ", domain.min(), " to ", domain.max(),
                          domain.has_step() ? absl::StrCat(", step ", domain.step()) : "", ScaleText(domain.scale()));
    }
    case v1::Parameter::kCategorical:
      return absl::StrCat("one of ", absl::StrJoin(parameter.categorical().values(), ", "));
    case v1::Parameter::kBoolean:
      return "true or false";
    case v1::Parameter::kDiscrete: {
      const auto number = [](std::string* out, double value) { out->append(Number(value)); };
      return absl::StrCat("one of ", absl::StrJoin(parameter.discrete().values(), ", ", number),
                          ScaleText(parameter.discrete().scale()));
    }
    case v1::Parameter::DOMAIN_NOT_SET:
      return "";
  }
  return "";
}

std::vector<const v1::Parameter*> AllParameters(const v1::TuningJobSpec& spec) {
  std::vector<const v1::Parameter*> all;
  Collect(spec.parameters(), all);
  for (const v1::TrainingDefinition& definition : spec.definitions()) Collect(definition.parameters(), all);
  return all;
}

std::vector<std::string> ParameterNames(const v1::TuningJobSpec& spec) {
  std::vector<std::string> names;
  std::set<std::string> seen;
  for (const v1::Parameter* parameter : AllParameters(spec)) {
    if (seen.insert(parameter->name()).second) names.push_back(parameter->name());
  }
  return names;
}

std::string OverallBestText(const v1::TuningJob& job) {
  if (!job.has_overall_best_trial()) return "";
  const v1::Trial& best = job.overall_best_trial();
  const std::string owner = best.name().substr(0, best.name().find("/trials/"));
  return absl::StrCat(Number(best.objective()), " by trial ", best.number(), " of ",
                      owner == job.name() ? "this job" : IdOf(owner), ": ",
                      ParametersText(best, ParameterNames(job.spec())));
}

std::string ParentsText(const v1::TuningJobSpec& spec) {
  if (!spec.has_warm_start()) return "";
  std::vector<std::string> names;
  for (const std::string& parent : spec.warm_start().parents()) names.push_back(IdOf(parent));
  return absl::StrCat(absl::StrJoin(names, ", "), " (", v1::WarmStart::Type_Name(spec.warm_start().type()), ")");
}

std::string ChildrenText(const v1::TuningJob& job) {
  std::vector<std::string> names;
  for (const std::string& child : job.child_jobs()) names.push_back(IdOf(child));
  return absl::StrJoin(names, ", ");
}

const v1::Trial* BestTrial(const v1::TuningJob& job) {
  if (job.has_best_trial()) return &job.best_trial();
  return job.pareto_front().empty() ? nullptr : &job.pareto_front(0);
}

std::string ParametersText(const v1::Trial& trial, const std::vector<std::string>& names) {
  std::vector<std::string> parts;
  for (const std::string& name : names) {
    const auto found = trial.parameters().find(name);
    if (found != trial.parameters().end()) parts.push_back(absl::StrCat(name, "=", ValueText(found->second)));
  }
  return absl::StrJoin(parts, " ");
}

std::string NotificationsText(const v1::TuningJob& job) {
  if (!job.has_notifications()) return "";
  const v1::NotificationSummary& summary = job.notifications();
  std::string text = absl::StrCat(summary.delivered(), " delivered");
  if (summary.due() > 0) absl::StrAppend(&text, ", ", summary.due(), " to be delivered");
  if (summary.given_up() > 0) absl::StrAppend(&text, ", ", summary.given_up(), " given up");
  return text;
}

Table ParameterTable(const v1::Trial& trial, const std::vector<std::string>& names) {
  Table table({{"PARAMETER"}, {"VALUE", Align::kRight, true}});
  for (const std::string& name : names) {
    const auto found = trial.parameters().find(name);
    if (found != trial.parameters().end()) table.Add({name, ValueText(found->second)});
  }
  return table;
}

absl::Duration Elapsed(const v1::TuningJob& job, absl::Time now) {
  const absl::Time end = job.has_end_time() ? ToTime(job.end_time()) : now;
  return std::max(absl::ZeroDuration(), end - ToTime(job.create_time()));
}

absl::Duration RunTime(const v1::Trial& trial) {
  if (trial.has_run_time()) return ToDuration(trial.run_time());
  if (!trial.has_start_time() || !trial.has_end_time()) return absl::ZeroDuration();
  return ToTime(trial.end_time()) - ToTime(trial.start_time());
}

std::string ReasonLine(const std::string& reason) {
  const std::vector<std::string> lines = absl::StrSplit(reason, '\n', absl::SkipWhitespace());
  if (lines.empty()) return "";
  if (lines.size() == 1 || lines.front().back() != ':') return lines.front();
  return absl::StrCat(lines.front(), " ", absl::StripAsciiWhitespace(lines.back()));
}

std::string ArtifactPath(const v1::Trial& trial) {
  for (int i = trial.attempts_size(); i-- > 0;) {
    if (!trial.attempts(i).artifact_path().empty()) return trial.attempts(i).artifact_path();
  }
  return "";
}

}  // namespace tuner::cli
