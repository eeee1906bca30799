#include "core/validate_objectives.h"

#include <cmath>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/validate_text.h"

namespace tuner::core {
namespace {

constexpr size_t kMaxAdditionalObjectives = 2;
constexpr size_t kMaxOutcomeConstraints = 10;

class ObjectiveChecker {
 public:
  explicit ObjectiveChecker(const JobSpec& spec) : spec_(spec) {}

  Problems Check() && {
    CheckObjective(spec_.objective, "objective");
    CheckAtMost(spec_.additional_objectives.size(), kMaxAdditionalObjectives, "additional_objectives");
    for (size_t i = 0; i < spec_.additional_objectives.size(); ++i) {
      CheckObjective(spec_.additional_objectives[i], absl::StrCat("additional_objectives[", i, "]"));
    }
    CheckAtMost(spec_.outcome_constraints.size(), kMaxOutcomeConstraints, "outcome_constraints");
    for (size_t i = 0; i < spec_.outcome_constraints.size(); ++i) {
      CheckConstraint(spec_.outcome_constraints[i], absl::StrCat("outcome_constraints[", i, "]"));
    }
    return std::move(problems_);
  }

 private:
  void Add(std::string path, std::string text) { problems_.push_back({std::move(path), std::move(text)}); }
  void CheckAtMost(size_t count, size_t max, std::string path) {
    if (count > max) Add(std::move(path), absl::StrCat("has ", count, " entries; give at most ", max));
  }
  void CheckMetric(const std::string& metric, const std::string& path, std::set<std::string>& seen, const char* twice) {
    if (std::string problem = NameProblem(metric); !problem.empty()) {
      Add(path + ".metric", std::move(problem));
    } else if (!seen.insert(metric).second) {
      Add(path + ".metric", absl::StrCat("\"", metric, "\" ", twice));
    }
  }
  void CheckFinite(std::optional<double> value, std::string path) {
    if (!value.has_value() || std::isfinite(*value)) return;
    Add(std::move(path), absl::StrCat("is ", FormatValue(*value), "; give a finite number"));
  }

  void CheckObjective(const Objective& objective, const std::string& path) {
    CheckMetric(objective.metric, path, objectives_, "is an objective already; drop one, or give another metric");
    CheckFinite(objective.target, path + ".target");
    if (objective.target.has_value() && !spec_.additional_objectives.empty()) {
      Add(path + ".target",
          "is for one objective, and with additional_objectives no single trial is the best; leave it out, or bound "
          "the metric by outcome_constraints");
    }
  }

  void CheckConstraint(const OutcomeConstraint& constraint, const std::string& path) {
    CheckMetric(constraint.metric, path, constrained_, "is bounded twice; give one entry with min and max");
    CheckFinite(constraint.min, path + ".min");
    CheckFinite(constraint.max, path + ".max");
    if (!constraint.min.has_value() && !constraint.max.has_value()) {
      Add(path, "has no bound; give max, min, or both");
    } else if (constraint.min.has_value() && constraint.max.has_value() && *constraint.min > *constraint.max) {
      Add(path + ".min", absl::StrCat("is ", FormatValue(*constraint.min), ", more than max ",
                                      FormatValue(*constraint.max), ", so no trial keeps both; exchange them"));
    }
  }

  const JobSpec& spec_;
  std::set<std::string> objectives_;
  std::set<std::string> constrained_;
  Problems problems_;
};

}  // namespace

Problems ValidateObjectives(const JobSpec& spec) { return ObjectiveChecker(spec).Check(); }

}  // namespace tuner::core
