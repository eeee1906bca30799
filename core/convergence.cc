// When the search of a definition has converged: what its model still expects, or, without a model, how little its last
// trials gained.
#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/machine.h"
#include "core/search_space.h"

namespace tuner::core {
namespace {

// What is left to gain is nothing material below this share of what the best trial is better than the median of the
// first ones (later ones are about as good as the best), or below this share of the noise, over so many trials to come
// ...
constexpr double kMaterialShare = 0.005;
constexpr double kNoiseShare = 0.5;
constexpr int kTrialsAhead = 10;
// ... as so many answers in a row say, when so many trials have completed.
constexpr int kForecastsInRow = 5;
constexpr int kLeastCompleted = 10;
// Without a model: trials in which nothing material was gained, and as many for each parameter.
constexpr int kLeastCalmTrials = 20;
constexpr int kCalmTrialsPerParameter = 5;

// Final objectives of a definition's completed trials in the order in which they finished.
std::vector<double> Objectives(const JobState& state, int definition) {
  const std::string& name = DefinitionAt(state.spec(), definition).definition;
  std::vector<const Trial*> completed;
  for (const Trial& trial : state.trials()) {
    if (trial.definition != name) continue;
    if (trial.state == TrialState::kCompleted && trial.objective) completed.push_back(&trial);
  }
  std::ranges::sort(completed, {}, &Trial::finish_seq);
  std::vector<double> objectives;
  objectives.reserve(completed.size());
  for (const Trial* trial : completed) objectives.push_back(*trial->objective);
  return objectives;
}

// Of the first ones, which are drawn from all over the space.
double FirstMedian(std::vector<double> values) {
  values.resize(std::min<size_t>(values.size(), kLeastCompleted));
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

void Machine::TakeForecast(int definition, const Forecast& forecast) {
  JobHeader header = state_.header();
  DefinitionProgress& progress = header.definitions[definition];
  const std::vector<double> objectives = Objectives(state_, definition);
  if (!progress.best_objective || static_cast<int>(objectives.size()) < kLeastCompleted) return;
  const double spread = std::abs(*progress.best_objective - FirstMedian(objectives));
  const double material = std::max(kMaterialShare * spread, kNoiseShare * forecast.noise);
  const double ahead = kTrialsAhead * forecast.gain;
  progress.calm_forecasts = ahead <= material ? progress.calm_forecasts + 1 : 0;
  if (progress.calm_forecasts >= kForecastsInRow) {
    progress.converged = absl::StrCat(
        "converged: the model expects ", kTrialsAhead, " more trials to improve ",
        DefinitionAt(state_.spec(), definition).objective.metric, " ", FormatValue(*progress.best_objective),
        " by at most ", absl::SixDigits(ahead), ", under ", absl::SixDigits(material), ", which is ",
        material > kNoiseShare * forecast.noise
            ? "half a percent of what the best is better than the median of the first 10 trials"
            : "half of the noise");
  }
  PutJob(std::move(header));
}

// A job has converged when each of its definitions has: of those that have nothing more to propose there is no more to
// gain either.
std::optional<std::string> Machine::Converged() const {
  if (!state_.spec().completion.convergence) return std::nullopt;
  std::vector<std::string> reasons;
  for (int i = 0; i < state_.definition_count(); ++i) {
    if (std::optional<std::string> reason = Converged(i)) {
      reasons.push_back(OfDefinition(i, *reason));
    } else if (!progress(i).exhausted) {
      return std::nullopt;
    }
  }
  if (reasons.empty()) return std::nullopt;
  return absl::StrJoin(reasons, "; ");
}

std::optional<std::string> Machine::Converged(int definition) const {
  const DefinitionProgress& now = progress(definition);
  if (!now.converged.empty()) return now.converged;
  const JobSpec& spec = DefinitionAt(state_.spec(), definition);
  if (spec.strategy.name == "bayesian" || !trials_ended_ || !now.best_objective) return std::nullopt;
  const std::vector<double> objectives = Objectives(state_, definition);
  const size_t calm = std::max<size_t>(kLeastCalmTrials, kCalmTrialsPerParameter * spec.space.parameters().size());
  if (objectives.size() < 2 * calm) return std::nullopt;
  const Objective& objective = spec.objective;
  double before = objectives.front();
  for (size_t i = 0; i + calm < objectives.size(); ++i)
    before = objective.Better(objectives[i], before) ? objectives[i] : before;
  const double gained = std::abs(*now.best_objective - before);
  const double material = kMaterialShare * std::abs(before - FirstMedian(objectives));
  if (gained > material) return std::nullopt;
  return absl::StrCat("converged: the last ", calm, " trials improved ", objective.metric, " ",
                      FormatValue(*now.best_objective), " by ", absl::SixDigits(gained), ", under ",
                      absl::SixDigits(material),
                      ", which is half a percent of what the best is better than the median of the first 10 trials");
}

}  // namespace tuner::core
