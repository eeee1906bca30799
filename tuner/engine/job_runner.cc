#include "tuner/engine/job_runner.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tuner::engine {

core::Changes Coalesce(core::Changes changes) {
  absl::flat_hash_set<int32_t> trials;
  absl::flat_hash_set<int64_t> notifications;
  bool job = false;
  core::Changes kept;
  kept.reserve(changes.size());
  for (auto it = changes.rbegin(); it != changes.rend(); ++it) {
    if (std::holds_alternative<core::JobPut>(*it)) {
      if (std::exchange(job, true)) continue;
    } else if (const auto* trial = std::get_if<core::TrialPut>(&*it)) {
      if (!trials.insert(trial->trial.number).second) continue;
    } else if (const auto* put = std::get_if<core::NotificationPut>(&*it)) {
      if (!notifications.insert(put->notification.number).second) continue;
    }
    kept.push_back(std::move(*it));
  }
  std::reverse(kept.begin(), kept.end());
  return kept;
}

executors::RunId MakeRunId(const core::JobState& state, core::RunRef run) {
  return {state.header().job_id, state.header().uid, run.trial, run.attempt};
}

std::string StrategyId(const core::JobState& state, int definition) {
  return absl::StrCat(state.header().uid, "/", definition);
}

std::string JobUidOf(const std::string& strategy_id) { return strategy_id.substr(0, strategy_id.rfind('/')); }

executors::RunSpec MakeRunSpec(const core::JobState& state, const core::Trial& trial,
                               const ServiceEnvironment& service_environment) {
  const core::JobSpec& job = state.spec_of(trial);
  const core::Attempt& attempt = trial.attempts.back();
  executors::RunSpec spec;
  spec.id = MakeRunId(state, {trial.number, attempt.number});
  spec.options = job.trial.executors[attempt.executor_index].options;
  spec.parameters = trial.parameters;
  spec.static_parameters = job.static_parameters;
  spec.objective_metric = job.objective.metric;
  spec.metrics = job.trial.metrics;
  spec.cursor = attempt.cursor;
  spec.time_limit = job.trial.time_limit;
  spec.grace_period = job.trial.grace_period;
  spec.inputs = job.trial.inputs;
  spec.environment = job.trial.environment;
  spec.service_environment = service_environment(spec.id);
  if (!trial.definition.empty()) spec.service_environment["TUNER_DEFINITION"] = trial.definition;
  if (trial.resource > 0) {
    spec.service_environment["TUNER_RESOURCE"] = std::to_string(trial.resource);
    if (job.resources && !job.resources->parameter.empty()) {
      spec.static_parameters[job.resources->parameter] = trial.resource;
    }
  }
  spec.base_dir = state.header().base_dir;
  spec.checkpoint_dir = job.trial.checkpoint_dir;
  spec.max_parallel = state.header().limits.max_parallel_trials;
  return spec;
}

int ActiveOn(const core::JobState& state, const std::string& executor) {
  return static_cast<int>(std::ranges::count_if(
      state.active(), [&](int32_t number) { return state.FindTrial(number)->attempts.back().executor == executor; }));
}

absl::Time LastLaunchOn(const core::JobState& state, const std::string& executor) {
  absl::Time last = absl::InfinitePast();
  for (const core::Trial& trial : state.trials()) {
    for (const core::Attempt& attempt : trial.attempts) {
      if (attempt.executor == executor && attempt.launch_time) last = std::max(last, *attempt.launch_time);
    }
  }
  return last;
}

}  // namespace tuner::engine
