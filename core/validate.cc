#include "core/validate.h"

#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/definitions.h"
#include "core/feasible_points.h"
#include "core/resource_names.h"
#include "core/validate_notifications.h"
#include "core/validate_objectives.h"
#include "core/validate_text.h"
#include "core/warm_start.h"
#include "re2/re2.h"

namespace tuner::core {

size_t CharacterCount(const std::string& text) {
  size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80;  // not a continuation byte
  return count;
}

std::string TextProblem(const std::string& text, size_t min, size_t max) {
  const size_t count = CharacterCount(text);
  if (count < min || count > max) {
    if (count == 0) return absl::StrCat("is empty; give ", min, " to ", max, " characters");
    return absl::StrCat("has ", count, " characters; give ", min, " to ", max);
  }
  for (const char c : text) {
    if (absl::ascii_iscntrl(c)) return "holds a control character; drop it";
  }
  return "";
}

std::string NameProblem(const std::string& name) { return TextProblem(name, 1, 256); }

namespace {

constexpr int32_t kMaxTrials = 1'000'000;
constexpr int32_t kMaxParallelTrials = 10'000;
constexpr int32_t kMinTrialsNotImproving = 3;
constexpr int32_t kMaxRetries = 30;
constexpr absl::Duration kMinRunTime = absl::Seconds(1);
constexpr absl::Duration kMaxGracePeriod = absl::Hours(1);
constexpr size_t kMaxStaticParameters = 100;
// Boxes of a finite space that are looked at for a point that satisfies the constraints: some tenths of a second.
constexpr int64_t kSearchEffort = 200'000;
constexpr size_t kMaxMetrics = 40;
constexpr size_t kMaxRegexLength = 500;
constexpr size_t kMaxExecutors = 10;
constexpr size_t kMaxInputs = 20;
constexpr size_t kMaxChannelName = 64;
constexpr size_t kMaxEnvironment = 100;
constexpr size_t kMaxTags = 50;
constexpr size_t kMaxTagKey = 128;
constexpr size_t kMaxTagValue = 256;

class SpecChecker {
 public:
  explicit SpecChecker(const JobSpec& spec) : spec_(spec) {}

  Problems Check() && {
    if (!IsJobId(spec_.name)) {
      Add("name", absl::StrCat("\"", spec_.name,
                               "\" is not a job's name; give 1 to 63 letters, digits, '.', '_' or '-', beginning with ",
                               "a letter or digit"));
    }
    for (Problem& problem : ValidateObjectives(spec_)) problems_.push_back(std::move(problem));
    CheckStaticParameters();
    CheckConstraints();
    CheckLimits();
    CheckCompletion();
    CheckWarmStart();
    CheckExecutors();
    CheckMetrics();
    CheckTrial();
    CheckInputs();
    CheckEnvironment();
    CheckTags();
    for (Problem& problem : ValidateNotifications(spec_)) problems_.push_back(std::move(problem));
    return std::move(problems_);
  }

 private:
  void Add(std::string path, std::string text) { problems_.push_back({std::move(path), std::move(text)}); }
  void AddUnlessEmpty(std::string path, std::string text) {
    if (!text.empty()) Add(std::move(path), std::move(text));
  }
  void CheckRange(int64_t value, int64_t min, int64_t max, std::string path) {
    if (value < min || value > max) Add(std::move(path), absl::StrCat("is ", value, "; give ", min, " to ", max));
  }
  void CheckAtMost(size_t count, size_t max, std::string path) {
    if (count > max) Add(std::move(path), absl::StrCat("has ", count, " entries; give at most ", max));
  }
  void CheckAtLeast(absl::Duration value, absl::Duration min, std::string path) {
    if (value < min) {
      Add(std::move(path),
          absl::StrCat("is ", absl::FormatDuration(value), "; give at least ", absl::FormatDuration(min)));
    }
  }

  void CheckStaticParameters() {
    CheckAtMost(spec_.static_parameters.size(), kMaxStaticParameters, "static_parameters");
    for (const auto& [name, value] : spec_.static_parameters) {
      const std::string path = absl::StrCat("static_parameters.", name);
      AddUnlessEmpty(path, NameProblem(name));
      if (spec_.space.Find(name).has_value()) {
        Add(path, "is also among the parameters to tune; leave it out of one of them");
      }
      if (const auto* number = std::get_if<double>(&value); number != nullptr && !std::isfinite(*number)) {
        Add(path, absl::StrCat("is ", FormatValue(*number), "; give a finite number"));
      }
      if (const auto* text = std::get_if<std::string>(&value); text != nullptr && absl::StrContains(*text, '\0')) {
        Add(path, "holds a NUL character, which no program can be given; drop it");
      }
    }
  }

  void CheckEndsWithoutMaxTrials(bool is_grid) {
    if (is_grid || spec_.limits.max_run_time.has_value()) return;
    if (spec_.completion.convergence && spec_.outcome_constraints.empty()) return;
    if (!spec_.completion.max_trials_not_improving.has_value()) {
      Add("limits.max_trials",
          absl::StrCat("is missing, and nothing else ends the job; give 1 to ", kMaxTrials,
                       ", or limits.max_run_time, or completion_criteria.max_trials_not_improving"));
    } else if (!spec_.outcome_constraints.empty()) {
      Add("limits.max_trials",
          absl::StrCat("is missing, and nothing ends the job if no trial ever keeps the outcome_constraints, as ",
                       "completion_criteria.max_trials_not_improving counts from the first best trial; give 1 to ",
                       kMaxTrials, ", or limits.max_run_time"));
    }
  }

  void CheckConstraints() {
    const size_t before = problems_.size();
    for (int i = 0; i < spec_.constraints.size(); ++i) {
      if (spec_.constraints.Judge(i, spec_.space.Box()) != Extent::kNone) continue;
      Add(absl::StrCat("constraints[", i, "]"),
          absl::StrCat("`", spec_.constraints.text(i), "` holds for no point of the search space; loosen it"));
    }
    if (spec_.constraints.empty() || problems_.size() != before) return;
    CheckSomePointIsFeasible();
    CheckDefaults();
  }

  void CheckSomePointIsFeasible() {
    if (!FeasiblePoints::CanNumber(spec_.space, /*for_grid=*/false)) return;
    FeasiblePoints points(spec_.space, spec_.constraints, /*for_grid=*/false);
    points.Extend(1, kSearchEffort);
    if (points.known() > 0 || !points.complete()) return;
    Add("constraints", "hold together for no point of the search space; loosen one of them");
  }

  // Model-based strategies evaluate the point of all defaults first.
  void CheckDefaults() {
    ParameterMap defaults;
    const std::vector<Parameter>& parameters = spec_.space.parameters();
    for (size_t i = 0; i < parameters.size(); ++i) {
      if (!spec_.space.IsActive(static_cast<int>(i), defaults)) continue;
      if (!parameters[i].default_value.has_value()) return;
      defaults.emplace(parameters[i].name, *parameters[i].default_value);
    }
    const std::optional<int> broken = spec_.constraints.Broken(defaults);
    if (!broken.has_value()) return;
    Add(absl::StrCat("constraints[", *broken, "]"),
        absl::StrCat(
            "`", spec_.constraints.text(*broken),
            "` is broken by the point of all defaults, which is the first to be evaluated; change a default of "
            "its parameters, or loosen it"));
  }

  void CheckLimits() {
    const Limits& limits = spec_.limits;
    const bool is_grid = spec_.strategy.name == "grid";
    CheckRange(limits.max_parallel_trials, 1, kMaxParallelTrials, "limits.max_parallel_trials");
    if (limits.max_run_time.has_value()) CheckAtLeast(*limits.max_run_time, kMinRunTime, "limits.max_run_time");
    if (limits.max_failed_trials.has_value() && *limits.max_failed_trials < 0) {
      Add("limits.max_failed_trials", absl::StrCat("is ", *limits.max_failed_trials, "; give 0 or more"));
    }
    if (!limits.max_trials.has_value()) {
      CheckEndsWithoutMaxTrials(is_grid);
      return;
    }
    const int32_t max_trials = *limits.max_trials;
    CheckRange(max_trials, 1, kMaxTrials, "limits.max_trials");
    if (max_trials < 1) return;
    // A grid's max_trials is its number of combinations, which its user may not have counted.
    if (limits.max_parallel_trials > max_trials && !is_grid) {
      Add("limits.max_parallel_trials",
          absl::StrCat("is ", limits.max_parallel_trials, ", more than limits.max_trials ", max_trials,
                       "; lower it or raise max_trials"));
    }
    if (limits.max_failed_trials.value_or(0) > max_trials) {
      Add("limits.max_failed_trials", absl::StrCat("is ", *limits.max_failed_trials, ", more than limits.max_trials ",
                                                   max_trials, ", so it is never reached; lower it or leave it out"));
    }
    if (spec_.completion.max_trials_not_improving.value_or(0) > max_trials) {
      Add("completion_criteria.max_trials_not_improving",
          absl::StrCat("is ", *spec_.completion.max_trials_not_improving, ", more than limits.max_trials ", max_trials,
                       ", so it is never reached; lower it or leave it out"));
    }
  }

  void CheckCompletion() {
    if (spec_.completion.convergence && !spec_.additional_objectives.empty()) {
      Add("completion_criteria.convergence",
          "looks at one objective, and a front has no single best value; use max_trials_not_improving, which counts "
          "trials "
          "that do not enter the front");
    }
    const std::optional<int32_t> not_improving = spec_.completion.max_trials_not_improving;
    if (not_improving.has_value() && *not_improving < kMinTrialsNotImproving) {
      Add("completion_criteria.max_trials_not_improving",
          absl::StrCat("is ", *not_improving, "; give ", kMinTrialsNotImproving, " or more"));
    }
  }

  void CheckWarmStart() {
    if (!spec_.warm_start.has_value()) return;
    if (spec_.strategy.name == "grid") {
      Add("warm_start",
          "strategy grid tries every combination once whatever is known of it; leave warm_start out, or use "
          "strategy.bayesian or strategy.random");
    }
    const std::vector<std::string>& parents = spec_.warm_start->parents;
    if (parents.empty() || parents.size() > kMaxParents) {
      Add("warm_start.parents", absl::StrCat("has ", parents.size(), " jobs; give 1 to ", kMaxParents));
    }
    std::set<std::string> names;
    for (size_t i = 0; i < parents.size(); ++i) {
      const std::string path = absl::StrCat("warm_start.parents[", i, "]");
      if (parents[i] == spec_.name)
        Add(path, "is this job itself; name a job that has ended, and give this one another name");
      if (!parents[i].empty() && !names.insert(parents[i]).second)
        Add(path, absl::StrCat(parents[i], " is given twice; drop one"));
    }
  }

  void CheckExecutors() {
    CheckAtMost(spec_.trial.executors.size(), kMaxExecutors, "trial.executors");
    for (size_t i = 0; i < spec_.trial.executors.size(); ++i) {
      if (const std::optional<int32_t> slots = spec_.trial.executors[i].slots; slots.has_value()) {
        CheckRange(*slots, 1, kMaxParallelTrials, absl::StrCat("trial.executors[", i, "].slots"));
      }
    }
  }

  void CheckMetrics() {
    CheckAtMost(spec_.trial.metrics.size(), kMaxMetrics, "trial.metrics");
    std::set<std::string> names;
    for (size_t i = 0; i < spec_.trial.metrics.size(); ++i) {
      const MetricDefinition& metric = spec_.trial.metrics[i];
      const std::string path = absl::StrCat("trial.metrics[", i, "]");
      AddUnlessEmpty(path + ".name", NameProblem(metric.name));
      if (!names.insert(metric.name).second && !metric.name.empty()) {
        Add(path + ".name", absl::StrCat("\"", metric.name, "\" is defined twice; drop one, or join the regexes by |"));
      }
      AddUnlessEmpty(path + ".regex", RegexProblem(metric.regex));
    }
  }

  static std::string RegexProblem(const std::string& pattern) {
    if (pattern.empty() || CharacterCount(pattern) > kMaxRegexLength) {
      return absl::StrCat("has ", CharacterCount(pattern), " characters; give 1 to ", kMaxRegexLength);
    }
    RE2::Options options;
    options.set_log_errors(false);
    const RE2 regex(pattern, options);
    if (!regex.ok()) return absl::StrCat("is no RE2 expression: ", regex.error(), "; correct it");
    if (regex.NumberOfCapturingGroups() < 1) {
      return "has no group for the number; put parentheses around it, as in loss=([0-9.eE+-]+)";
    }
    const std::map<std::string, int>& named = regex.NamedCapturingGroups();
    const auto step = named.find("step");
    if (!named.contains("value") && step != named.end() && step->second == 1) {
      return "has `step` as its first group; name the group of the number `value`, as in (?P<value>[0-9.]+)";
    }
    return "";
  }

  void CheckTrial() {
    CheckRange(spec_.trial.retries.max_retries, 0, kMaxRetries, "trial.retries.max_retries");
    CheckAtLeast(spec_.trial.retries.backoff, absl::ZeroDuration(), "trial.retries.backoff");
    if (spec_.trial.time_limit.has_value()) CheckAtLeast(*spec_.trial.time_limit, kMinRunTime, "trial.time_limit");
    const absl::Duration grace = spec_.trial.grace_period;
    if (grace < absl::ZeroDuration() || grace > kMaxGracePeriod) {
      Add("trial.grace_period", absl::StrCat("is ", absl::FormatDuration(grace), "; give 0 to 1h"));
    }
    if (absl::StrContains(spec_.trial.checkpoint_dir, '\0'))
      Add("trial.checkpoint_dir", "holds a NUL character; drop it");
  }

  void CheckInputs() {
    CheckAtMost(spec_.trial.inputs.size(), kMaxInputs, "trial.inputs");
    std::set<std::string> names;
    for (size_t i = 0; i < spec_.trial.inputs.size(); ++i) {
      const Channel& channel = spec_.trial.inputs[i];
      const std::string path = absl::StrCat("trial.inputs[", i, "]");
      if (!IsChannelName(channel.name)) {
        Add(path + ".name", absl::StrCat("\"", channel.name, "\" is not a channel's name; give 1 to ", kMaxChannelName,
                                         " letters, digits, '.', '_' or '-'"));
      } else if (!names.insert(channel.name).second) {
        Add(path + ".name",
            absl::StrCat("\"", channel.name, "\" is the name of another channel too; give each its own"));
      }
      if (channel.path.empty() && channel.best_artifact_of.empty() && channel.s3_uri.empty()) {
        Add(path + ".path", "is empty; give a file or folder");
      }
      if (!channel.s3_uri.empty() && (!absl::StartsWith(channel.s3_uri, "s3://") || channel.s3_uri.size() < 8)) {
        Add(path + ".s3_uri",
            absl::StrCat("\"", channel.s3_uri, "\" is not in S3; give one such as s3://my-bucket/data"));
      }
      CheckModes(channel, path);
    }
  }

  // Pipes are made, and channels split, only where a trial sees nothing but what it is given.
  void CheckModes(const Channel& channel, const std::string& path) {
    bool s3_refused = channel.s3_uri.empty();
    for (const ExecutorChoice& choice : spec_.trial.executors) {
      const std::string& name = choice.options.name;
      if (name == "sagemaker") continue;
      if (!std::exchange(s3_refused, true)) {
        Add(path + ".s3_uri",
            absl::StrCat("is in S3, from where trials of executor ", name,
                         " are given nothing; copy the data and use path, or use executor sagemaker"));
      }
      if (name == "container") continue;
      if (channel.input_mode == Channel::InputMode::kPipe) {
        Add(path + ".input_mode", absl::StrCat("is PIPE, which trials of executor ", name,
                                               " do not have; use FILE or FAST_FILE, or executor container"));
      }
      if (channel.sharded) {
        Add(path + ".sharded", absl::StrCat("splits the channel over the hosts of a trial, and trials of executor ",
                                            name, " have one; leave it out, or use executor container"));
      }
      return;
    }
  }

  // A channel is a folder's name, so "." and ".." are none.
  static bool IsChannelName(const std::string& name) {
    if (name.empty() || name.size() > kMaxChannelName || name == "." || name == "..") return false;
    for (const char c : name) {
      if (!absl::ascii_isalnum(c) && c != '.' && c != '_' && c != '-') return false;
    }
    return true;
  }

  void CheckEnvironment() {
    CheckAtMost(spec_.trial.environment.size(), kMaxEnvironment, "trial.environment");
    for (const auto& [name, value] : spec_.trial.environment) {
      const std::string path = absl::StrCat("trial.environment.", name);
      if (!IsVariableName(name)) {
        Add(path, "is not a variable's name; give letters, digits and _, not beginning with a digit");
      } else if (absl::StartsWith(name, "TUNER_") || absl::StartsWith(name, "SM_")) {
        Add(path, "begins with TUNER_ or SM_, which the server sets; choose another name");
      }
      if (absl::StrContains(value, '\0')) Add(path, "holds a NUL character, which no program can be given; drop it");
    }
  }

  static bool IsVariableName(const std::string& name) {
    if (name.empty() || absl::ascii_isdigit(name[0])) return false;
    for (const char c : name) {
      if (!absl::ascii_isalnum(c) && c != '_') return false;
    }
    return true;
  }

  void CheckTags() {
    CheckAtMost(spec_.tags.size(), kMaxTags, "tags");
    for (const auto& [key, value] : spec_.tags) {
      const std::string path = absl::StrCat("tags.", key);
      if (const std::string problem = TextProblem(key, 1, kMaxTagKey); !problem.empty())
        Add(path, absl::StrCat("the key ", problem));
      if (const std::string problem = TextProblem(value, 0, kMaxTagValue); !problem.empty()) {
        Add(path, absl::StrCat("the value ", problem));
      }
    }
  }

  const JobSpec& spec_;
  Problems problems_;
};

}  // namespace

Problems ValidateSpec(const JobSpec& spec) {
  if (spec.definitions.empty()) return SpecChecker(spec).Check();
  Problems problems = ValidateDefinitions(spec);
  std::set<std::pair<std::string, std::string>> told;  // what all have in common is told once
  for (int i = 0; i < DefinitionCount(spec); ++i) {
    JobSpec definition = DefinitionAt(spec, i);
    definition.limits = spec.limits;
    for (Problem& problem : SpecChecker(definition).Check()) {
      problem.path = PathInJob(spec, i, problem.path);
      if (told.emplace(problem.path, problem.text).second) problems.push_back(std::move(problem));
    }
  }
  return problems;
}

}  // namespace tuner::core
