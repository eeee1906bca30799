#include "proto/stored.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "proto/convert.h"
#include "proto/enums.h"
#include "proto/limits.h"
#include "proto/utf8.h"

namespace tuner::convert {
namespace {

using internal::v1::StoredAttempt;
using internal::v1::StoredJob;
using internal::v1::StoredTrial;

StoredAttempt AttemptToStored(const core::Attempt& attempt) {
  StoredAttempt out;
  out.set_executor_index(attempt.executor_index);
  internal::v1::StoredCursor& cursor = *out.mutable_cursor();
  cursor.set_stdout_offset(attempt.cursor.stdout_offset);
  cursor.set_stderr_offset(attempt.cursor.stderr_offset);
  for (const auto& [metric, step] : attempt.cursor.last_step) (*cursor.mutable_last_step())[metric] = step;
  out.set_completion(attempt.completion);
  out.set_ending(attempt.ending);
  return out;
}

void ReadAttempt(const StoredAttempt& stored, core::Attempt& out) {
  out.executor_index = stored.executor_index();
  out.cursor.stdout_offset = stored.cursor().stdout_offset();
  out.cursor.stderr_offset = stored.cursor().stderr_offset();
  for (const auto& [metric, step] : stored.cursor().last_step()) out.cursor.last_step.emplace(metric, step);
  out.completion = stored.completion();
  out.ending = stored.ending();
}

core::Limits LimitsFromStored(const v1::Limits& limits) {
  core::Limits out;
  if (limits.has_max_trials()) out.max_trials = limits.max_trials();
  out.max_parallel_trials = limits.max_parallel_trials();
  if (limits.has_max_run_time()) out.max_run_time = FromProto(limits.max_run_time());
  if (limits.has_max_failed_trials()) out.max_failed_trials = limits.max_failed_trials();
  return out;
}

void CountsToStored(const core::TrialCounts& counts, internal::v1::StoredTrialCounts& out) {
  out.mutable_by_state()->Add(std::begin(counts.by_state), std::end(counts.by_state));
  out.set_imported(counts.imported);
  out.set_attempts(counts.attempts);
}

core::TrialCounts CountsFromStored(const internal::v1::StoredTrialCounts& stored) {
  core::TrialCounts out;
  const int states = std::min<int>(stored.by_state_size(), std::size(out.by_state));
  for (int i = 0; i < states; ++i) out.by_state[i] = stored.by_state(i);
  out.imported = stored.imported();
  out.attempts = stored.attempts();
  return out;
}

// `Message` is StoredDefinition, or StoredJob of a job that has only one.
template <typename Message>
void ProgressToStored(const core::DefinitionProgress& progress, Message& out) {
  out.set_next_ordinal(progress.next_ordinal);
  out.set_exhausted(progress.exhausted);
  out.set_exhausted_reason(ToUtf8(progress.exhausted_reason));
  out.set_calm_forecasts(progress.calm_forecasts);
  out.set_converged(progress.converged);
}

template <typename Message>
core::DefinitionProgress ProgressFromStored(const Message& stored) {
  core::DefinitionProgress out;
  out.next_ordinal = stored.next_ordinal();
  out.exhausted = stored.exhausted();
  out.exhausted_reason = stored.exhausted_reason();
  out.calm_forecasts = stored.calm_forecasts();
  out.converged = stored.converged();
  out.counts = CountsFromStored(stored.counts());
  if (stored.has_best_trial()) out.best_trial = stored.best_trial();
  if (stored.has_best_objective()) out.best_objective = stored.best_objective();
  return out;
}

void DefinitionsToStored(const std::vector<core::DefinitionProgress>& definitions, StoredJob& out) {
  if (definitions.size() == 1) return ProgressToStored(definitions.front(), out);
  for (const core::DefinitionProgress& progress : definitions) {
    internal::v1::StoredDefinition& definition = *out.add_definitions();
    ProgressToStored(progress, definition);
    CountsToStored(progress.counts, *definition.mutable_counts());
    if (progress.best_trial) definition.set_best_trial(*progress.best_trial);
    if (progress.best_objective) definition.set_best_objective(*progress.best_objective);
  }
}

void CountsToStored(const core::NotificationCounts& counts, internal::v1::StoredNotificationCounts& out) {
  out.set_due(counts.due);
  out.set_delivered(counts.delivered);
  out.set_given_up(counts.given_up);
  out.set_last_failure(counts.last_failure);
  out.set_last_failure_rule(counts.last_failure_rule);
  if (counts.last_failure_time) *out.mutable_last_failure_time() = ToProto(*counts.last_failure_time);
}

core::NotificationCounts CountsFromStored(const internal::v1::StoredNotificationCounts& stored) {
  core::NotificationCounts out{stored.due(),          stored.delivered(),         stored.given_up(),
                               stored.last_failure(), stored.last_failure_rule(), std::nullopt};
  if (stored.has_last_failure_time()) out.last_failure_time = FromProto(stored.last_failure_time());
  return out;
}

}  // namespace

internal::v1::StoredNotification ToStored(const core::Notification& notification) {
  internal::v1::StoredNotification out;
  out.set_number(notification.number);
  out.set_rule(notification.rule);
  out.set_event(WireEvent(notification.event));
  if (notification.trial) out.set_trial(*notification.trial);
  out.set_text(notification.text);
  out.set_job_status(WireStatus(notification.job_status));
  *out.mutable_time() = ToProto(notification.time);
  out.set_state(static_cast<internal::v1::StoredNotification::State>(notification.state));
  out.set_tries(notification.tries);
  *out.mutable_next_try() = ToProto(notification.next_try);
  out.set_failure(notification.failure);
  return out;
}

core::Notification FromStored(const internal::v1::StoredNotification& stored) {
  core::Notification out;
  out.number = stored.number();
  out.rule = stored.rule();
  out.event = CoreEvent(stored.event());
  if (stored.has_trial()) out.trial = stored.trial();
  out.text = stored.text();
  out.job_status = CoreStatus(stored.job_status());
  out.time = FromProto(stored.time());
  out.state = internal::v1::StoredNotification::State_IsValid(stored.state())
                  ? static_cast<core::NotificationState>(stored.state())
                  : core::NotificationState::kUnspecified;
  out.tries = stored.tries();
  out.next_try = FromProto(stored.next_try());
  out.failure = stored.failure();
  return out;
}

StoredTrial ToStored(const core::Trial& trial) {
  StoredTrial out;
  *out.mutable_trial() = ToProto(/*job_id=*/"", trial, /*measurements=*/{});
  for (const auto& [name, value] : trial.parameters) {
    const auto* integer = std::get_if<int64_t>(&value);
    if (integer == nullptr) continue;
    out.mutable_trial()->mutable_parameters()->erase(name);
    (*out.mutable_integer_parameters())[name] = *integer;
  }
  for (const core::Attempt& attempt : trial.attempts) *out.add_attempts() = AttemptToStored(attempt);
  out.set_finish_seq(trial.finish_seq);
  if (trial.retry_time) *out.mutable_retry_time() = ToProto(*trial.retry_time);
  out.set_stop_as(WireState(trial.stop_as));
  out.set_request_id(trial.request_id);
  out.set_failures(trial.failures);
  for (const core::RungResult& rung : trial.rungs) {
    StoredTrial::Place& place = *out.add_rung_places();
    place.set_finished_before(rung.finished_before);
    place.set_seq(rung.seq);
  }
  for (const core::HealthWarning& warning : trial.warnings) out.add_warned_rules(warning.rule);
  return out;
}

absl::StatusOr<core::Trial> FromStored(const StoredTrial& stored) {
  absl::StatusOr<core::Trial> out = FromProto(stored.trial());
  if (!out.ok()) {
    return absl::DataLossError(absl::StrCat("stored trial ", stored.trial().number(), ": ", out.status().message()));
  }
  for (const auto& [name, value] : stored.integer_parameters()) out->parameters.emplace(name, value);
  if (stored.attempts_size() != stored.trial().attempts_size()) {
    return absl::DataLossError(absl::StrCat("stored trial ", out->number, ": ", stored.trial().attempts_size(),
                                            " attempts, but details of ", stored.attempts_size()));
  }
  for (int i = 0; i < stored.attempts_size(); ++i) ReadAttempt(stored.attempts(i), out->attempts[i]);
  out->finish_seq = stored.finish_seq();
  if (stored.has_retry_time()) out->retry_time = FromProto(stored.retry_time());
  out->stop_as = CoreState(stored.stop_as());
  out->request_id = stored.request_id();
  out->failures = stored.failures();
  if (stored.rung_places_size() != stored.trial().rungs_size() ||
      stored.warned_rules_size() != stored.trial().warnings_size()) {
    return absl::DataLossError(absl::StrCat("stored trial ", out->number, ": its rungs or warnings lack their places"));
  }
  for (int i = 0; i < stored.rung_places_size(); ++i) {
    out->rungs[i].finished_before = stored.rung_places(i).finished_before();
    out->rungs[i].seq = stored.rung_places(i).seq();
  }
  for (int i = 0; i < stored.warned_rules_size(); ++i) out->warnings[i].rule = stored.warned_rules(i);
  return out;
}

StoredJob ToStored(const core::JobHeader& header) {
  StoredJob out;
  out.set_job_id(header.job_id);
  out.set_uid(header.uid);
  out.set_spec_bytes(header.spec_bytes);
  out.set_base_dir(header.base_dir);
  out.set_provenance_bytes(header.provenance_bytes);
  for (const std::string& advice : header.advice) out.add_advice(ToUtf8(advice));
  out.set_request_id(header.request_id);
  out.set_spec_hash(header.spec_hash);
  for (const auto& [key, value] : header.tags) (*out.mutable_tags())[key] = value;
  out.set_status(WireStatus(header.status));
  out.set_stop_as(WireStatus(header.stop_as));
  out.set_reason(header.reason);
  WriteLimits(header.limits, *out.mutable_limits());
  *out.mutable_create_time() = ToProto(header.create_time);
  *out.mutable_update_time() = ToProto(header.update_time);
  if (header.end_time) *out.mutable_end_time() = ToProto(*header.end_time);
  out.set_grid_size(header.grid_size);
  if (header.next_artifact_removal) *out.mutable_next_artifact_removal() = ToProto(*header.next_artifact_removal);
  out.set_finished(header.finished);
  out.set_rungs_reached(header.rungs_reached);
  out.set_steps_run(header.steps_run);
  out.set_steps_repeated(header.steps_repeated);
  CountsToStored(header.counts, *out.mutable_counts());
  if (header.best_trial) out.set_best_trial(*header.best_trial);
  if (header.best_objective) out.set_best_objective(*header.best_objective);
  out.set_best_finish_seq(header.best_finish_seq);
  out.mutable_pareto_front()->Add(header.pareto_front.begin(), header.pareto_front.end());
  if (header.notifications.made() > 0) CountsToStored(header.notifications, *out.mutable_notifications());
  out.set_import_only(header.import_only);
  DefinitionsToStored(header.definitions, out);
  if (header.best_of_parents) {
    out.mutable_best_of_parents()->set_job_id(header.best_of_parents->job_id);
    *out.mutable_best_of_parents()->mutable_trial() = ToStored(header.best_of_parents->trial);
  }
  return out;
}

core::JobHeader FromStored(const StoredJob& stored) {
  core::JobHeader out;
  out.job_id = stored.job_id();
  out.uid = stored.uid();
  out.spec_bytes = stored.spec_bytes();
  out.base_dir = stored.base_dir();
  out.provenance_bytes = stored.provenance_bytes();
  out.advice.assign(stored.advice().begin(), stored.advice().end());
  out.request_id = stored.request_id();
  out.spec_hash = stored.spec_hash();
  for (const auto& [key, value] : stored.tags()) out.tags.emplace(key, value);
  out.status = CoreStatus(stored.status());
  out.stop_as = CoreStatus(stored.stop_as());
  out.reason = stored.reason();
  out.limits = LimitsFromStored(stored.limits());
  out.create_time = FromProto(stored.create_time());
  out.update_time = FromProto(stored.update_time());
  if (stored.has_end_time()) out.end_time = FromProto(stored.end_time());
  out.grid_size = stored.grid_size();
  if (stored.has_next_artifact_removal()) out.next_artifact_removal = FromProto(stored.next_artifact_removal());
  out.finished = stored.finished();
  out.rungs_reached = stored.rungs_reached();
  out.steps_run = stored.steps_run();
  out.steps_repeated = stored.steps_repeated();
  out.counts = CountsFromStored(stored.counts());
  out.definitions.clear();
  if (stored.definitions().empty()) out.definitions.push_back(ProgressFromStored(stored));
  for (const internal::v1::StoredDefinition& definition : stored.definitions()) {
    out.definitions.push_back(ProgressFromStored(definition));
  }
  if (stored.has_best_trial()) out.best_trial = stored.best_trial();
  if (stored.has_best_objective()) out.best_objective = stored.best_objective();
  out.best_finish_seq = stored.best_finish_seq();
  out.pareto_front.assign(stored.pareto_front().begin(), stored.pareto_front().end());
  out.notifications = CountsFromStored(stored.notifications());
  out.import_only = stored.import_only();
  if (stored.has_best_of_parents()) {
    absl::StatusOr<core::Trial> best = FromStored(stored.best_of_parents().trial());
    if (best.ok()) out.best_of_parents = core::ParentTrial{stored.best_of_parents().job_id(), *std::move(best)};
  }
  return out;
}

internal::v1::StoredParent ToStored(const core::ParentJob& parent) {
  internal::v1::StoredParent out;
  out.set_job_id(parent.job_id);
  out.set_uid(parent.uid);
  for (const auto& [name, value] : parent.static_parameters) {
    (*out.mutable_static_parameters())[name] = ToProto(value);
  }
  for (const core::Trial& trial : parent.trials) *out.add_trials() = ToStored(trial);
  return out;
}

absl::StatusOr<core::ParentJob> FromStored(const internal::v1::StoredParent& stored) {
  core::ParentJob out{.job_id = stored.job_id(), .uid = stored.uid()};
  for (const auto& [name, wire] : stored.static_parameters()) {
    absl::StatusOr<core::ParameterValue> value = FromProto(wire);
    if (!value.ok()) {
      return absl::DataLossError(absl::StrCat("parent ", out.job_id, ": ", name, ": ", value.status().message()));
    }
    out.static_parameters.emplace(name, *std::move(value));
  }
  out.trials.reserve(static_cast<size_t>(stored.trials_size()));
  for (const StoredTrial& wire : stored.trials()) {
    absl::StatusOr<core::Trial> trial = FromStored(wire);
    if (!trial.ok()) return trial.status();
    out.trials.push_back(*std::move(trial));
  }
  return out;
}

}  // namespace tuner::convert
