#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/domain.h"
#include "core/validate.h"
#include "core/validate_text.h"

namespace tuner::core {
namespace {

constexpr size_t kMaxParameters = 100;
constexpr size_t kMaxListedValues = 1000;
constexpr int kMaxDepth = 5;
constexpr int64_t kMaxExactInteger = int64_t{1} << 53;
constexpr double kMaxMagnitude = 1e300;
// Steps and grid distances below this share of the largest bound cannot be told apart reliably.
constexpr double kMinRelativeStep = 1e-8;
constexpr int32_t kMaxGridPoints = 10'000;

// Looks at one parameter after the other; knows nothing of the rest of the specification.
class ParameterChecker {
 public:
  explicit ParameterChecker(const std::vector<Parameter>& parameters) : parameters_(parameters) {}

  Problems Check() && {
    if (parameters_.empty()) Add("parameters", "is empty; give at least one parameter to tune");
    if (parameters_.size() > kMaxParameters) {
      Add("parameters",
          absl::StrCat("has ", parameters_.size(), " parameters, children included; give at most ", kMaxParameters));
    }
    std::set<std::string> names;
    for (size_t i = 0; i < parameters_.size(); ++i) {
      const Parameter& parameter = parameters_[i];
      const size_t before = problems_.size();
      CheckName(parameter, names);
      std::visit([&](const auto& domain) { CheckDomain(domain, parameter.path); }, parameter.domain);
      const bool sound = problems_.size() == before;
      sound_.push_back(sound);
      // What refers to a domain that is broken itself is only noise beside that.
      if (sound) CheckDefault(parameter);
      CheckParent(i);
    }
    return std::move(problems_);
  }

 private:
  void Add(std::string path, std::string text) {
    const auto same = [&](const Problem& p) { return p.path == path && p.text == text; };
    if (std::any_of(problems_.begin(), problems_.end(), same)) return;  // siblings share the values of their parent
    problems_.push_back({std::move(path), std::move(text)});
  }

  void CheckName(const Parameter& parameter, std::set<std::string>& names) {
    const std::string path = absl::StrCat(parameter.path, ".name");
    if (const std::string problem = NameProblem(parameter.name); !problem.empty()) Add(path, problem);
    if (!names.insert(parameter.name).second && !parameter.name.empty()) {
      Add(path, absl::StrCat("\"", parameter.name, "\" is the name of another parameter too; give each its own"));
    }
  }

  void CheckScale(Scale scale, double min, const std::string& path, const std::string& lowest) {
    if (scale == Scale::kLog && !(min > 0)) {
      Add(absl::StrCat(path, ".scale"),
          absl::StrCat("LOG needs ", lowest, " above 0, which is ", FormatValue(min), "; raise it or take LINEAR"));
    }
  }

  void CheckReverseLog(Scale scale, double min, double max, const std::string& path) {
    if (scale == Scale::kReverseLog && !(min >= 0 && max < 1)) {
      Add(absl::StrCat(path, ".scale"), absl::StrCat("REVERSE_LOG needs 0 <= min and max < 1, not ", FormatValue(min),
                                                     " to ", FormatValue(max), "; change the range or the scale"));
    }
  }

  // Whether the number can be worked with.
  bool CheckFinite(double value, const std::string& path) {
    if (!std::isfinite(value)) {
      Add(path, absl::StrCat("is ", FormatValue(value), "; give a finite number"));
      return false;
    }
    if (std::fabs(value) > kMaxMagnitude) {
      Add(path, absl::StrCat("is ", FormatValue(value), "; give a number within +-", FormatValue(kMaxMagnitude)));
      return false;
    }
    return true;
  }

  void CheckDomain(const DoubleDomain& domain, const std::string& parameter_path) {
    const std::string path = absl::StrCat(parameter_path, ".double");
    const bool min_fits = CheckFinite(domain.min, path + ".min");
    const bool max_fits = CheckFinite(domain.max, path + ".max");
    if (!min_fits || !max_fits) return;
    if (domain.min > domain.max) {
      Add(path + ".min",
          absl::StrCat("is ", FormatValue(domain.min), ", above max ", FormatValue(domain.max), "; swap them"));
      return;
    }
    CheckScale(domain.scale, domain.min, path, "min");
    CheckReverseLog(domain.scale, domain.min, domain.max, path);
    const double range = domain.max - domain.min;
    const double smallest = kMinRelativeStep * std::max(std::fabs(domain.min), std::fabs(domain.max));
    if (domain.step.has_value()) CheckStep(*domain.step, range, smallest, path + ".step");
    if (!domain.grid_points.has_value()) return;
    const int32_t points = *domain.grid_points;
    if (points < 1 || points > kMaxGridPoints) {
      Add(path + ".grid_points", absl::StrCat("is ", points, "; give 1 to ", kMaxGridPoints));
    } else if (domain.step.has_value()) {
      Add(path + ".grid_points", "is given beside step; leave one of them out");
    } else if (points > 1 && !(range / points > smallest)) {
      Add(path + ".grid_points", absl::StrCat("asks for ", points, " different values from ", FormatValue(domain.min),
                                              " to ", FormatValue(domain.max), "; widen the range or take fewer"));
    }
  }

  void CheckStep(double step, double range, double smallest, const std::string& path) {
    if (!std::isfinite(step) || !(step > 0)) {
      Add(path, absl::StrCat("is ", FormatValue(step), "; give a finite number above 0"));
    } else if (step > range) {
      Add(path, absl::StrCat("is ", FormatValue(step), ", more than max - min = ", FormatValue(range),
                             "; take a smaller one, or leave it out"));
    } else if (step < smallest) {
      Add(path, absl::StrCat("is ", FormatValue(step), ", too fine for a range of this size; take at least ",
                             FormatValue(smallest), ", or leave it out for a continuous parameter"));
    }
  }

  void CheckDomain(const IntegerDomain& domain, const std::string& parameter_path) {
    const std::string path = absl::StrCat(parameter_path, ".integer");
    bool fits = true;
    for (const auto& [name, bound] : {std::pair{".min", domain.min}, std::pair{".max", domain.max}}) {
      if (bound < -kMaxExactInteger || bound > kMaxExactInteger) {
        Add(path + name, absl::StrCat("is ", bound, "; give a whole number within +-2^53"));
        fits = false;
      }
    }
    if (fits && domain.min > domain.max) {
      Add(path + ".min", absl::StrCat("is ", domain.min, ", above max ", domain.max, "; swap them"));
      fits = false;
    }
    if (domain.scale == Scale::kReverseLog) {
      Add(path + ".scale", "REVERSE_LOG is for double parameters only; take LINEAR or LOG");
    }
    if (!fits) return;
    CheckScale(domain.scale, static_cast<double>(domain.min), path, "min");
    if (!domain.step.has_value()) return;
    if (*domain.step < 1) {
      Add(path + ".step", absl::StrCat("is ", *domain.step, "; give 1 or more"));
    } else if (*domain.step > domain.max - domain.min) {
      Add(path + ".step", absl::StrCat("is ", *domain.step, ", more than max - min = ", domain.max - domain.min,
                                       "; take a smaller one, or leave it out"));
    }
  }

  bool CheckListSize(size_t size, const std::string& path) {
    if (size >= 1 && size <= kMaxListedValues) return true;
    Add(path, absl::StrCat("has ", size, " values; give 1 to ", kMaxListedValues));
    return false;
  }

  void CheckDomain(const CategoricalDomain& domain, const std::string& parameter_path) {
    const std::string path = absl::StrCat(parameter_path, ".categorical.values");
    if (!CheckListSize(domain.values.size(), path)) return;
    std::set<std::string> seen;
    for (size_t i = 0; i < domain.values.size(); ++i) {
      const std::string at = absl::StrCat(path, "[", i, "]");
      if (!seen.insert(domain.values[i]).second)
        Add(at, absl::StrCat("\"", domain.values[i], "\" is listed twice; drop one"));
      if (absl::StrContains(domain.values[i], '\0'))
        Add(at, "holds a NUL character, which no program can be given; drop it");
    }
  }

  void CheckDomain(const BooleanDomain&, const std::string&) {}

  void CheckDomain(const DiscreteDomain& domain, const std::string& parameter_path) {
    const std::string path = absl::StrCat(parameter_path, ".discrete");
    if (!CheckListSize(domain.values.size(), path + ".values")) return;
    std::set<double> seen;
    for (size_t i = 0; i < domain.values.size(); ++i) {
      const std::string at = absl::StrCat(path, ".values[", i, "]");
      if (!CheckFinite(domain.values[i], at)) continue;
      if (!seen.insert(domain.values[i]).second) {
        Add(at, absl::StrCat(FormatValue(domain.values[i]), " is listed twice; drop one"));
      }
    }
    if (seen.empty()) return;
    CheckScale(domain.scale, *seen.begin(), path, "the smallest value");
    CheckReverseLog(domain.scale, *seen.begin(), *seen.rbegin(), path);
  }

  void CheckDefault(const Parameter& parameter) {
    if (!parameter.default_value.has_value() ||
        domain::Canonical(parameter.domain, *parameter.default_value).has_value())
      return;
    Add(absl::StrCat(parameter.path, ".default"),
        absl::StrCat(FormatValue(*parameter.default_value), " is outside of the domain; give ",
                     domain::Describe(parameter.domain)));
  }

  void CheckParent(size_t index) {
    const Parameter& child = parameters_[index];
    if (child.parent < 0) {
      depth_.push_back(1);
      return;
    }
    const Parameter& parent = parameters_[child.parent];
    depth_.push_back(depth_[child.parent] + 1);
    if (depth_.back() > kMaxDepth) {
      Add(child.path, absl::StrCat("is nested ", depth_.back(), " levels deep; nest at most ", kMaxDepth));
    }
    // "parameters[1].children[0].parameters[2]" -> "parameters[1].children[0].values"
    const std::string path = absl::StrCat(child.path.substr(0, child.path.rfind('.')), ".values");
    if (std::holds_alternative<DoubleDomain>(parent.domain)) {
      Add(path,
          absl::StrCat("\"", parent.name,
                       "\" is a double, which has no children; make it categorical, boolean, discrete or integer"));
      return;
    }
    if (child.parent_values.empty())
      Add(path, absl::StrCat("is empty; list the values of \"", parent.name, "\" that bring the children"));
    if (!sound_[child.parent]) return;
    for (size_t i = 0; i < child.parent_values.size(); ++i) {
      if (domain::Canonical(parent.domain, child.parent_values[i]).has_value()) continue;
      Add(absl::StrCat(path, "[", i, "]"), absl::StrCat(FormatValue(child.parent_values[i]), " is not a value of \"",
                                                        parent.name, "\"; give ", domain::Describe(parent.domain)));
    }
  }

  const std::vector<Parameter>& parameters_;
  std::vector<bool> sound_;
  std::vector<int> depth_;
  Problems problems_;
};

}  // namespace

Problems ValidateParameters(const std::vector<Parameter>& parameters) { return ParameterChecker(parameters).Check(); }

}  // namespace tuner::core
