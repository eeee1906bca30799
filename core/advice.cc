#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/numeric/int128.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/definitions.h"
#include "core/rng.h"
#include "core/validate.h"

namespace tuner::core {
namespace {

// Less what division may lose.
constexpr double kThreeDecades = 1000 * (1 - 1e-9);
constexpr int kTrialsPerParameter = 5;
// A model-based strategy learns from results in rounds of this many at least.
constexpr int kMinRounds = 5;
constexpr int kHarmlessParallelism = 2;
constexpr uint64_t kLargeGrid = 10'000;
constexpr int kLargeJob = 200;
constexpr size_t kMinNumericChoices = 3;
// Random points that tell how much of the space the constraints leave, and their stream.
constexpr int kProbes = 10'000;
constexpr uint32_t kProbeStream = 91;

// A number that a person reads: exact below 10^15, else in powers of ten.
std::string Readable(absl::uint128 count) {
  if (count < absl::uint128(1'000'000'000'000'000)) return absl::StrCat(absl::Uint128Low64(count));
  return absl::StrCat("about ", static_cast<double>(count));
}

bool LearnsFromResults(const JobSpec& spec) {
  return spec.strategy.name == "bayesian" || spec.strategy.name == "hyperband";
}

class Adviser {
 public:
  explicit Adviser(const JobSpec& spec) : spec_(spec) {}

  std::vector<std::string> Advise() && {
    for (const Parameter& parameter : spec_.space.parameters()) {
      AboutScale(parameter);
      AboutNumbersAsWords(parameter);
    }
    AboutTrials();
    AboutParallelism();
    AboutGrid();
    AboutSize();
    AboutMetrics();
    AboutTimes();
    AboutConstraints();
    return std::move(advice_);
  }

 private:
  void AboutScale(const Parameter& parameter) {
    double min = 0;
    double max = 0;
    std::string arm;
    if (const auto* real = std::get_if<DoubleDomain>(&parameter.domain);
        real != nullptr && real->scale == Scale::kLinear) {
      min = real->min;
      max = real->max;
      arm = "double";
    } else if (const auto* whole = std::get_if<IntegerDomain>(&parameter.domain);
               whole != nullptr && whole->scale == Scale::kLinear) {
      min = static_cast<double>(whole->min);
      max = static_cast<double>(whole->max);
      arm = "integer";
    }
    if (!(min > 0) || max / min < kThreeDecades) return;
    advice_.push_back(absl::StrCat(parameter.path, ".", arm, ".scale: ", parameter.name, " ranges from ",
                                   FormatValue(min), " to ", FormatValue(max),
                                   " on a LINEAR scale, so nine in ten trials fall into the highest decade; ",
                                   "LOG gives each decade its share."));
  }

  void AboutNumbersAsWords(const Parameter& parameter) {
    const auto* words = std::get_if<CategoricalDomain>(&parameter.domain);
    if (words == nullptr || words->values.size() < kMinNumericChoices) return;
    double number = 0;
    const auto is_number = [&](const std::string& word) { return absl::SimpleAtod(word, &number); };
    if (!std::all_of(words->values.begin(), words->values.end(), is_number)) return;
    advice_.push_back(absl::StrCat(parameter.path, ".categorical: the values of ", parameter.name,
                                   " are all numbers; as a discrete parameter their order and distances would count."));
  }

  void AboutTrials() {
    const int parameters = static_cast<int>(spec_.space.parameters().size());
    if (!spec_.limits.max_trials.has_value() || spec_.strategy.name == "grid" || parameters < 2) return;
    const int wanted = parameters * kTrialsPerParameter;
    if (*spec_.limits.max_trials >= wanted) return;
    advice_.push_back(absl::StrCat("limits.max_trials: ", *spec_.limits.max_trials, " trials are few for ", parameters,
                                   " parameters; run ", wanted,
                                   " or more, or tune only the parameters that matter most."));
  }

  void AboutParallelism() {
    const int parallel = spec_.limits.max_parallel_trials;
    if (!LearnsFromResults(spec_) || !spec_.limits.max_trials.has_value() || parallel <= kHarmlessParallelism) return;
    if (parallel * int64_t{kMinRounds} <= *spec_.limits.max_trials) return;
    advice_.push_back(absl::StrCat(
        "limits.max_parallel_trials: with ", parallel, " of ", *spec_.limits.max_trials, " trials at a time, strategy ",
        spec_.strategy.name, " chooses most of them before it has learnt from others; ",
        std::max(1, *spec_.limits.max_trials / kMinRounds), " at a time or fewer find better ones."));
  }

  void AboutGrid() {
    if (spec_.strategy.name != "grid") return;
    const std::optional<absl::uint128> count = spec_.space.PointCount(/*for_grid=*/true);
    if (!count.has_value() || *count <= kLargeGrid) return;
    std::string largest;
    absl::uint128 most = 0;
    for (size_t i = 0; i < spec_.space.parameters().size(); ++i) {
      const absl::uint128 values = *spec_.space.ValueCount(static_cast<int>(i), /*for_grid=*/true);
      if (values <= most) continue;
      most = values;
      largest = spec_.space.parameters()[i].name;
    }
    advice_.push_back(absl::StrCat("strategy.grid: the grid has ", Readable(*count),
                                   " combinations; take fewer values (", largest, " has ", Readable(most),
                                   "), or the random strategy, which needs far fewer trials for as good a result."));
  }

  void AboutSize() {
    const bool runs_all_to_the_end = spec_.strategy.name == "random" || spec_.strategy.name == "bayesian";
    if (!runs_all_to_the_end || spec_.limits.max_trials.value_or(0) < kLargeJob) return;
    advice_.push_back(
        absl::StrCat("strategy: if trials report the objective as they go, hyperband would end most of these ",
                     *spec_.limits.max_trials, " trials early and spend the time on the promising ones."));
  }

  void AboutMetrics() {
    AboutMetric("the objective", spec_.objective.metric);
    for (const Objective& objective : spec_.additional_objectives) AboutMetric("the objective", objective.metric);
    for (const OutcomeConstraint& constraint : spec_.outcome_constraints) {
      AboutMetric("the outcome constraint on", constraint.metric);
    }
  }

  void AboutMetric(const char* what, const std::string& name) {
    const auto& metrics = spec_.trial.metrics;
    const auto is_it = [&](const MetricDefinition& metric) { return metric.name == name; };
    if (std::any_of(metrics.begin(), metrics.end(), is_it)) return;
    const auto scans = [](const ExecutorChoice& executor) { return executor.options.name != "external"; };
    if (std::none_of(spec_.trial.executors.begin(), spec_.trial.executors.end(), scans)) return;
    advice_.push_back(absl::StrCat("trial.metrics: has no regex for ", what, " \"", name,
                                   "\", so every trial has to report it by gRPC; one that does not, fails."));
  }

  void AboutTimes() {
    if (!spec_.trial.time_limit.has_value() || !spec_.limits.max_run_time.has_value()) return;
    if (*spec_.trial.time_limit <= *spec_.limits.max_run_time) return;
    advice_.push_back(absl::StrCat("trial.time_limit: ", absl::FormatDuration(*spec_.trial.time_limit),
                                   " is more than the whole job's ", absl::FormatDuration(*spec_.limits.max_run_time),
                                   " (limits.max_run_time), so it never applies."));
  }

  void AboutConstraints() {
    if (spec_.constraints.empty()) return;
    Rng rng(0, 0, kProbeStream);
    std::vector<double> units(spec_.space.parameters().size());
    std::vector<double> numbers(units.size());
    int feasible = 0;
    for (int i = 0; i < kProbes; ++i) {
      for (double& u : units) u = rng.NextDouble();
      spec_.space.NumbersFromUnits(units, absl::MakeSpan(numbers));
      feasible += spec_.constraints.Satisfied(numbers) ? 1 : 0;
    }
    if (feasible * 100 >= kProbes) return;
    const std::string share = feasible == 0 ? "none" : absl::StrCat(feasible);
    advice_.push_back(absl::StrCat("constraints: ", share, " of ", kProbes, " random points ",
                                   feasible <= 1 ? "satisfies" : "satisfy",
                                   " them all; ranges that lie closer around what is allowed are searched better."));
  }

  const JobSpec& spec_;
  std::vector<std::string> advice_;
};

}  // namespace

std::vector<std::string> Advise(const JobSpec& spec) {
  if (spec.definitions.empty()) return Adviser(spec).Advise();
  std::vector<std::string> advice;
  for (int i = 0; i < DefinitionCount(spec); ++i) {
    for (const std::string& text : Adviser(DefinitionAt(spec, i)).Advise()) {
      const std::string in_job = PathInJob(spec, i, text);
      advice.push_back(in_job == text ? absl::StrCat("definitions[", i, "]: ", text) : in_job);
    }
  }
  return advice;
}

}  // namespace tuner::core
