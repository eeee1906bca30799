#include "core/warm_start.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "core/domain.h"
#include "core/objectives.h"

namespace tuner::core {
namespace {

std::string GoalText(const Objective& objective) {
  return absl::StrCat(objective.goal == Goal::kMaximize ? "MAXIMIZE " : "MINIMIZE ", objective.metric);
}

const char* KindOf(const Domain& domain) {
  constexpr const char* kNames[] = {"a double", "an integer", "a categorical", "a boolean", "a discrete"};
  return kNames[domain.index()];
}

const char* KindOf(const ParameterValue& value) {
  if (std::holds_alternative<std::string>(value)) return "a text";
  return std::holds_alternative<bool>(value) ? "a boolean" : "a number";
}

// Whether a fixed value is of the kind that the domain's values are.
bool FitsKind(const Domain& domain, const ParameterValue& value) {
  if (std::holds_alternative<CategoricalDomain>(domain)) return std::holds_alternative<std::string>(value);
  if (std::holds_alternative<BooleanDomain>(domain)) return std::holds_alternative<bool>(value);
  if (!std::holds_alternative<IntegerDomain>(domain)) {
    return std::holds_alternative<double>(value) || std::holds_alternative<int64_t>(value);
  }
  const auto* number = std::get_if<double>(&value);
  return std::holds_alternative<int64_t>(value) || (number != nullptr && *number == std::floor(*number));
}

// 4 and 4.0 are the same fixed value.
bool SameValue(const ParameterValue& a, const ParameterValue& b) {
  const auto number = [](const ParameterValue& value) -> std::optional<double> {
    if (const auto* x = std::get_if<double>(&value)) return *x;
    if (const auto* i = std::get_if<int64_t>(&value)) return static_cast<double>(*i);
    return std::nullopt;
  };
  const std::optional<double> x = number(a);
  const std::optional<double> y = number(b);
  return x && y ? *x == *y : a == b;
}

// Values that the listed domains have; a range counts as one.
int64_t ListedValues(const Domain& domain) {
  if (const auto* categorical = std::get_if<CategoricalDomain>(&domain)) return std::ssize(categorical->values);
  if (const auto* discrete = std::get_if<DiscreteDomain>(&domain)) return std::ssize(discrete->values);
  return std::holds_alternative<BooleanDomain>(domain) ? 2 : 1;
}

class ParentChecker {
 public:
  ParentChecker(const JobSpec& child, const JobSpec& parent, std::string path)
      : child_(child), parent_(parent), path_(std::move(path)) {}

  Problems Check(JobStatus status) && {
    if (!IsTerminal(status)) Add("still runs; wait until it has ended, or stop it");
    CheckObjectives();
    for (const Parameter& parameter : child_.space.parameters()) CheckTuned(parameter);
    for (const auto& [name, value] : child_.static_parameters) CheckFixed(name, value);
    CheckNames();
    if (child_.warm_start->type == WarmStart::Type::kIdentical && changes_ > kMaxFixedChanges) {
      Add(absl::StrCat("static_parameters differ from it by ", changes_, " values (", changed_,
                       "); IDENTICAL jobs may ", "differ by at most ", kMaxFixedChanges,
                       ", so change fewer, or give type TRANSFER_LEARNING"));
    }
    return std::move(problems_);
  }

 private:
  void Add(std::string text) { problems_.push_back({path_, absl::StrCat(parent_.name, ": ", std::move(text))}); }

  void CheckObjectives() {
    const size_t count = ObjectiveCount(child_);
    bool same = count == ObjectiveCount(parent_);
    for (size_t i = 0; same && i < count; ++i) {
      const Objective& ours = ObjectiveAt(child_, i);
      const Objective& theirs = ObjectiveAt(parent_, i);
      same = ours.metric == theirs.metric && ours.goal == theirs.goal;
    }
    if (same) return;
    std::string theirs = GoalText(parent_.objective);
    for (const Objective& objective : parent_.additional_objectives)
      absl::StrAppend(&theirs, ", ", GoalText(objective));
    Add(absl::StrCat("its objective is ", theirs, "; give this job the same, or name another parent"));
  }

  void CheckTuned(const Parameter& parameter) {
    if (const std::optional<int> index = parent_.space.Find(parameter.name)) {
      const Domain& theirs = parent_.space.parameters()[static_cast<size_t>(*index)].domain;
      if (theirs.index() == parameter.domain.index()) return;
      Add(absl::StrCat("parameter ", parameter.name, " is ", KindOf(parameter.domain), " here and ", KindOf(theirs),
                       " there; a parameter's kind may not change, so make it ", KindOf(theirs), " here"));
      return;
    }
    const auto fixed = parent_.static_parameters.find(parameter.name);
    if (fixed == parent_.static_parameters.end()) {
      return Add(absl::StrCat("has no parameter ", parameter.name,
                              "; leave it out of parameters, as names may not be added or dropped"));
    }
    if (FitsKind(parameter.domain, fixed->second)) return;
    Add(absl::StrCat("parameter ", parameter.name, " is ", KindOf(parameter.domain), " here and fixed there to ",
                     FormatValue(fixed->second), ", ", KindOf(fixed->second),
                     "; a parameter's kind may not change, so tune it as that kind"));
  }

  void CheckFixed(const std::string& name, const ParameterValue& value) {
    if (const std::optional<int> index = parent_.space.Find(name)) {
      const Domain& theirs = parent_.space.parameters()[static_cast<size_t>(*index)].domain;
      if (!FitsKind(theirs, value)) {
        Add(absl::StrCat("static_parameters.", name, " is ", FormatValue(value), " here and ", KindOf(theirs),
                         " parameter there; a parameter's kind may not change, so fix it to a value of that kind"));
        return;
      }
      return Count(name, ListedValues(theirs));
    }
    const auto fixed = parent_.static_parameters.find(name);
    if (fixed == parent_.static_parameters.end()) {
      return Add(absl::StrCat("has no parameter ", name,
                              "; leave it out of static_parameters, as names may not be added or dropped"));
    }
    if (KindOf(fixed->second) != std::string_view(KindOf(value))) {
      return Add(absl::StrCat("static_parameters.", name, " is ", FormatValue(value), " here and ",
                              FormatValue(fixed->second), " there; a parameter's kind may not change, so give ",
                              KindOf(fixed->second)));
    }
    if (!SameValue(fixed->second, value)) Count(name, 2);  // the old one and the new one
  }

  void CheckNames() {
    const auto missing = [this](const std::string& name) {
      if (child_.space.Find(name) || child_.static_parameters.contains(name)) return;
      Add(absl::StrCat("its parameter ", name, " is missing here; tune it, or give it in static_parameters"));
    };
    for (const Parameter& parameter : parent_.space.parameters()) missing(parameter.name);
    for (const auto& [name, value] : parent_.static_parameters) missing(name);
  }

  void Count(const std::string& name, int64_t values) {
    changes_ += values;
    absl::StrAppend(&changed_, changed_.empty() ? "" : ", ", name);
  }

  const JobSpec& child_;
  const JobSpec& parent_;
  const std::string path_;
  int64_t changes_ = 0;
  std::string changed_;
  Problems problems_;
};

// A trial that was stopped says of its point what it came to at rungs.
bool SaysSomething(const Trial& trial) { return RanToItsEnd(trial) || !trial.rungs.empty(); }

}  // namespace

Problems ValidateParent(const JobSpec& child, const JobSpec& parent, JobStatus status, const std::string& path) {
  return ParentChecker(child, parent, path).Check(status);
}

bool RanToItsEnd(const Trial& trial) {
  return (trial.state == TrialState::kCompleted && trial.objective.has_value()) || trial.state == TrialState::kFailed ||
         trial.state == TrialState::kInfeasible;
}

ParentJob ParentOf(const JobHeader& header, const JobSpec& spec, const std::vector<Trial>& trials) {
  ParentJob parent{.job_id = header.job_id, .uid = header.uid, .static_parameters = spec.static_parameters};
  for (const Trial& trial : trials) {
    if (!SaysSomething(trial) || trial.origin == TrialOrigin::kReused) continue;
    Trial& kept = parent.trials.emplace_back();
    kept.number = trial.number;
    kept.parameters = trial.parameters;
    kept.state = trial.state;
    kept.origin = trial.origin;
    kept.objective = trial.objective;
    kept.best_objective = trial.best_objective;
    kept.final_metrics = trial.final_metrics;
    kept.create_time = trial.create_time;
    kept.start_time = trial.start_time;
    kept.end_time = trial.end_time;
    kept.finish_seq = trial.finish_seq;
    kept.rungs = trial.rungs;
  }
  std::ranges::stable_sort(parent.trials, {}, &Trial::finish_seq);
  return parent;
}

std::optional<ParentTrial> BestOfParents(const JobSpec& child, const ParentJobs& parents) {
  if (!child.additional_objectives.empty()) return std::nullopt;
  const ParentJob* job = nullptr;
  const Trial* best = nullptr;
  for (const ParentJob& parent : parents) {
    for (const Trial& trial : parent.trials) {
      if (trial.state != TrialState::kCompleted || !trial.objective || !KeepsConstraints(child, trial)) continue;
      if (best != nullptr && !child.objective.Better(*trial.objective, *best->objective)) continue;
      job = &parent;
      best = &trial;
    }
  }
  if (best == nullptr) return std::nullopt;
  return ParentTrial{job->job_id, *best};
}

}  // namespace tuner::core
