// When a job has done enough, or has failed.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/machine.h"

namespace tuner::core {
namespace {

// A job without a bound of its own on failures ends when this many trials failed and none did anything else, as
// SageMaker does.
constexpr int kHopelessFailures = 5;

}  // namespace

std::optional<std::string> Machine::FailureReason() const {
  const TrialCounts& counts = state_.header().counts;
  const int failed = counts[TrialState::kFailed] - state_.imported_failed();
  if (limits().max_failed_trials) {
    if (failed <= *limits().max_failed_trials) return std::nullopt;
    return absl::StrCat(failed, " trials failed, limits.max_failed_trials is ", *limits().max_failed_trials);
  }
  const int ended_otherwise = counts[TrialState::kCompleted] + counts[TrialState::kEarlyStopped] +
                              counts[TrialState::kStopped] + counts[TrialState::kInfeasible] -
                              (counts.imported - state_.imported_failed()) - state_.reused();
  // What came to a rung did something, too.
  if (failed < kHopelessFailures || ended_otherwise > 0 || state_.header().rungs_reached > 0) return std::nullopt;
  return absl::StrCat("the first ", failed,
                      " trials all failed; look at their reasons, or set limits.max_failed_trials");
}

std::optional<std::string> Machine::CompletionReason() const {
  const JobHeader& header = state_.header();
  if (std::optional<std::string> reason = TargetReached()) return reason;
  if (limits().max_run_time && at_ >= header.create_time + *limits().max_run_time) {
    return absl::StrCat("limits.max_run_time of ", absl::FormatDuration(*limits().max_run_time), " is over");
  }
  if (std::optional<std::string> reason = NotImproving()) return reason;
  if (std::optional<std::string> reason = Converged()) return reason;
  if (!state_.active().empty()) return std::nullopt;
  bool all_wait = true;
  bool some_may_propose = false;
  for (int i = 0; i < state_.definition_count(); ++i) {
    if (state_.tally(i).paused > 0 && !Waits(i)) return std::nullopt;
    all_wait &= Waits(i);
    some_may_propose |= MayPropose(i);
  }
  const bool some_to_start = std::any_of(state_.queued().begin(), state_.queued().end(),
                                         [&](int32_t n) { return MayStart(*state_.FindTrial(n)); });
  if (some_to_start) return std::nullopt;
  const bool all_started = limits().max_trials && state_.started() >= *limits().max_trials;
  if (!all_started && some_may_propose) return std::nullopt;
  std::string ended = absl::StrCat("all ", state_.started(), " trials have ended");
  if (!state_.paused().empty()) absl::StrAppend(&ended, " or are paused (", state_.paused().size(), ")");
  absl::StrAppend(&ended, NoneFeasible());
  return all_started && !all_wait ? ended : absl::StrCat(ended, "; ", NoMore());
}

std::optional<std::string> Machine::TargetReached() const {
  for (int i = 0; i < state_.definition_count(); ++i) {
    const Objective& objective = DefinitionAt(state_.spec(), i).objective;
    const DefinitionProgress& now = progress(i);
    if (!objective.target || !now.best_objective || objective.Better(*objective.target, *now.best_objective)) continue;
    return absl::StrCat("target reached: trial ", *now.best_trial, " has ", objective.metric, " ",
                        FormatValue(*now.best_objective), ", the target is ", FormatValue(*objective.target));
  }
  return std::nullopt;
}

std::optional<std::string> Machine::NotImproving() const {
  const JobHeader& header = state_.header();
  const auto& most = state_.spec().completion.max_trials_not_improving;
  if (!most || header.best_finish_seq == 0 || !trials_ended_) return std::nullopt;
  const auto since = std::count_if(state_.trials().begin(), state_.trials().end(), [&](const Trial& trial) {
    return trial.finish_seq > header.best_finish_seq && trial.origin != TrialOrigin::kImported &&
           trial.origin != TrialOrigin::kReused;
  });
  if (since < *most) return std::nullopt;
  if (state_.definition_count() > 1) {
    return absl::StrCat("the last ", since, " trials did not improve on the best trial of their definition");
  }
  if (header.best_trial) {
    return absl::StrCat("the last ", since, " trials did not improve on trial ", *header.best_trial, " (",
                        FormatValue(*header.best_objective), ")");
  }
  return absl::StrCat("none of the last ", since, " trials entered the Pareto front of ", header.pareto_front.size());
}

// Why a job that has completed trials has no best one; else empty.
std::string Machine::NoneFeasible() const {
  const JobHeader& header = state_.header();
  const int completed = header.counts[TrialState::kCompleted];
  if (header.best_finish_seq > 0 || completed == 0) return "";
  return absl::StrCat("; none of the ", completed, " that completed kept the outcome constraints");
}

// Of several definitions: with its name.
std::string Machine::OfDefinition(int definition, const std::string& text) const {
  const std::string& name = DefinitionAt(state_.spec(), definition).definition;
  return name.empty() ? text : absl::StrCat(name, ": ", text);
}

// Why each strategy proposes nothing now.
std::string Machine::WhyNothing() const {
  std::vector<std::string> reasons;
  for (int i = 0; i < state_.definition_count(); ++i) {
    const DefinitionProgress& now = progress(i);
    const std::string& reason = Waits(i)                ? state_.live.strategies[i].waiting_reason
                                : now.converged.empty() ? now.exhausted_reason
                                                        : now.converged;
    if (!reason.empty()) reasons.push_back(OfDefinition(i, reason));
  }
  return absl::StrJoin(reasons, "; ");
}

std::string Machine::NoMore() const {
  return absl::StrCat(state_.definition_count() == 1 ? "the strategy has" : "the strategies have",
                      " no more: ", WhyNothing());
}

void Machine::CheckCompletion() {
  if (!job_runs() || state_.header().import_only) return;
  if (std::optional<std::string> reason = FailureReason()) {
    BeginJobStop(JobStatus::kFailed, *reason);
  } else if (std::optional<std::string> done = CompletionReason()) {
    const TrialCounts& counts = state_.header().counts;
    const int64_t ran = state_.started() - state_.reused();
    const bool all_failed = ran > 0 && counts[TrialState::kFailed] - state_.imported_failed() == ran;
    if (all_failed) done = absl::StrCat("no trial succeeded: all ", ran, " failed; look at their reasons");
    BeginJobStop(all_failed ? JobStatus::kFailed : JobStatus::kCompleted, *done);
  }
}

}  // namespace tuner::core
