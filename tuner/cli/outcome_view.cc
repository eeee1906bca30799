#include "tuner/cli/outcome_view.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tuner/cli/job_view.h"
#include "tuner/cli/text.h"

namespace tuner::cli {
namespace {

bool Keeps(const v1::OutcomeConstraint& constraint, const v1::Trial& trial) {
  const std::optional<double> value = FinalValue(trial, constraint.metric());
  return value.has_value() && (!constraint.has_min() || *value >= constraint.min()) &&
         (!constraint.has_max() || *value <= constraint.max());
}

// "<= 5", ">= 1", "from 1 to 5".
std::string BoundText(const v1::OutcomeConstraint& constraint) {
  if (constraint.has_min() && constraint.has_max())
    return absl::StrCat("from ", Number(constraint.min()), " to ", Number(constraint.max()));
  return constraint.has_max() ? absl::StrCat("<= ", Number(constraint.max()))
                              : absl::StrCat(">= ", Number(constraint.min()));
}

}  // namespace

std::vector<const v1::Objective*> Objectives(const v1::TuningJobSpec& spec) {
  std::vector<const v1::Objective*> objectives;
  if (spec.definitions().empty()) objectives.push_back(&spec.objective());
  for (const v1::TrainingDefinition& definition : spec.definitions()) {
    const std::string text = ObjectiveText(definition.objective());
    const bool known = std::any_of(objectives.begin(), objectives.end(),
                                   [&](const v1::Objective* objective) { return ObjectiveText(*objective) == text; });
    if (!known) objectives.push_back(&definition.objective());
  }
  for (const v1::Objective& objective : spec.additional_objectives()) objectives.push_back(&objective);
  return objectives;
}

std::string ObjectivesText(const v1::TuningJobSpec& spec) {
  if (!spec.definitions().empty() && Objectives(spec).size() > 1) {
    return absl::StrJoin(spec.definitions(), ", ", [](std::string* out, const v1::TrainingDefinition& definition) {
      absl::StrAppend(out, definition.name(), ": ", ObjectiveText(definition.objective()));
    });
  }
  return absl::StrJoin(Objectives(spec), ", ", [](std::string* out, const v1::Objective* objective) {
    out->append(ObjectiveText(*objective));
  });
}

std::string ConstraintText(const v1::OutcomeConstraint& constraint) {
  return absl::StrCat(constraint.metric(), " ", BoundText(constraint));
}

std::string ConstraintsText(const v1::TuningJobSpec& spec) {
  return absl::StrJoin(spec.outcome_constraints(), ", ", [](std::string* out, const v1::OutcomeConstraint& constraint) {
    out->append(ConstraintText(constraint));
  });
}

std::vector<std::string> FurtherMetrics(const v1::TuningJobSpec& spec) {
  std::vector<std::string> metrics;
  const auto add = [&](const std::string& metric) {
    if (metric == spec.objective().metric()) return;
    if (std::find(metrics.begin(), metrics.end(), metric) == metrics.end()) metrics.push_back(metric);
  };
  for (const v1::Objective& objective : spec.additional_objectives()) add(objective.metric());
  for (const v1::OutcomeConstraint& constraint : spec.outcome_constraints()) add(constraint.metric());
  return metrics;
}

std::optional<double> FinalValue(const v1::Trial& trial, const std::string& metric) {
  const auto found = trial.final_metrics().find(metric);
  if (found == trial.final_metrics().end()) return std::nullopt;
  return found->second;
}

std::string ValuesText(const v1::TuningJobSpec& spec, const v1::Trial& trial) {
  std::vector<std::string> parts;
  if (trial.has_objective()) parts.push_back(absl::StrCat(spec.objective().metric(), " ", Number(trial.objective())));
  for (const v1::Objective& objective : spec.additional_objectives()) {
    if (const auto value = FinalValue(trial, objective.metric()))
      parts.push_back(absl::StrCat(objective.metric(), " ", Number(*value)));
  }
  return absl::StrJoin(parts, ", ");
}

std::string BrokenText(const v1::TuningJobSpec& spec, const v1::Trial& trial) {
  if (trial.state() != v1::Trial::COMPLETED) return "";
  std::vector<std::string> parts;
  for (const v1::OutcomeConstraint& constraint : spec.outcome_constraints()) {
    if (Keeps(constraint, trial)) continue;
    const std::optional<double> value = FinalValue(trial, constraint.metric());
    parts.push_back(
        absl::StrCat(constraint.metric(), " ", value ? Number(*value) : "missing", ", not ", BoundText(constraint)));
  }
  return absl::StrJoin(parts, "; ");
}

bool OnFront(const v1::TuningJob& job, const v1::Trial& trial) {
  return std::any_of(job.pareto_front().begin(), job.pareto_front().end(),
                     [&](const v1::Trial& member) { return member.number() == trial.number(); });
}

std::string Mark(const v1::TuningJob& job, const v1::Trial& trial) {
  if (OnFront(job, trial)) return "front";
  if (job.has_best_trial() && job.best_trial().number() == trial.number()) return "best";
  if (trial.state() != v1::Trial::COMPLETED) return "";
  for (const v1::OutcomeConstraint& constraint : job.spec().outcome_constraints()) {
    if (!Keeps(constraint, trial)) return absl::StrCat("breaks ", ConstraintText(constraint));
  }
  return "";
}

std::string BestCell(const v1::TuningJob& job) {
  if (job.front_size() > 0) return absl::StrCat("front of ", job.front_size());
  if (job.has_best_trial()) return Number(job.best_trial().objective());
  const bool some = std::any_of(job.definitions().begin(), job.definitions().end(),
                                [](const v1::DefinitionResult& result) { return result.has_best_trial(); });
  return some ? "by definition" : "";
}

std::string NoBestText(const v1::TuningJob& job) {
  if (BestCell(job) == "by definition") {
    return "Its definitions have different objectives, so each has a best trial of its own.";
  }
  if (job.trial_counts().completed() > 0 && !job.spec().outcome_constraints().empty())
    return absl::StrCat("None of the ", job.trial_counts().completed(), " completed trials keeps the constraints (",
                        ConstraintsText(job.spec()), ").");
  const auto metric = [](std::string* out, const v1::Objective* objective) { out->append(objective->metric()); };
  return absl::StrCat("No trial has a value of ", absl::StrJoin(Objectives(job.spec()), " and ", metric), ".");
}

Table FrontTable(const v1::TuningJob& job) {
  std::vector<Column> columns = {{"TRIAL", Align::kRight}, {job.spec().objective().metric(), Align::kRight}};
  const std::vector<std::string> metrics = FurtherMetrics(job.spec());
  const std::vector<std::string> names = ParameterNames(job.spec());
  for (const std::string& metric : metrics) columns.push_back({Printable(metric), Align::kRight});
  for (const std::string& name : names) columns.push_back({Printable(name), Align::kRight, true});
  Table table(columns);
  for (const v1::Trial& trial : job.pareto_front()) {
    std::vector<std::string> cells = {absl::StrCat(trial.number()), Number(trial.objective())};
    for (const std::string& metric : metrics) {
      const std::optional<double> value = FinalValue(trial, metric);
      cells.push_back(value ? Number(*value) : "");
    }
    for (const std::string& name : names) {
      const auto found = trial.parameters().find(name);
      cells.push_back(found == trial.parameters().end()  ? ""
                      : found->second.has_number_value() ? Number(found->second.number_value())
                                                         : ValueText(found->second));
    }
    table.Add(std::move(cells));
  }
  return table;
}

}  // namespace tuner::cli
