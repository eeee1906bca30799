// Jobs: header to wire.
#include <string>
#include <utility>
#include <vector>

#include "core/resource_names.h"
#include "proto/convert.h"
#include "proto/enums.h"
#include "proto/limits.h"
#include "proto/utf8.h"

namespace tuner::convert {
namespace {

void WriteNotifications(const core::NotificationCounts& counts, v1::NotificationSummary& out) {
  out.set_due(counts.due);
  out.set_delivered(counts.delivered);
  out.set_given_up(counts.given_up);
  out.set_last_failure(ToUtf8(counts.last_failure));
  if (counts.last_failure_time) *out.mutable_last_failure_time() = ToProto(*counts.last_failure_time);
}

// Of equals the parents', which was first.
void AddOverallBest(const core::JobHeader& header, v1::TuningJob& out) {
  if (out.spec().warm_start().type() != v1::WarmStart::IDENTICAL_DATA_AND_ALGORITHM) return;
  const auto& theirs = header.best_of_parents;
  if (!theirs || !theirs->trial.objective) {
    if (out.has_best_trial()) *out.mutable_overall_best_trial() = out.best_trial();
    return;
  }
  const double sign = out.spec().objective().goal() == v1::Objective::MAXIMIZE ? 1 : -1;
  if (out.has_best_trial() && sign * out.best_trial().objective() > sign * *theirs->trial.objective) {
    *out.mutable_overall_best_trial() = out.best_trial();
  } else {
    *out.mutable_overall_best_trial() = ToProto(theirs->job_id, theirs->trial, {});
  }
}

void AddDefinitions(const core::JobHeader& header, v1::TuningJob& out) {
  for (int i = 0; i < out.spec().definitions_size(); ++i) {
    v1::DefinitionResult& result = *out.add_definitions();
    result.set_name(out.spec().definitions(i).name());
    if (i >= static_cast<int>(header.definitions.size())) continue;  // validate_only: there is nothing yet
    const core::DefinitionProgress& progress = header.definitions[static_cast<size_t>(i)];
    *result.mutable_trial_counts() = ToProto(progress.counts);
    result.set_done_reason(ToUtf8(progress.converged.empty() ? progress.exhausted_reason : progress.converged));
    if (!progress.best_trial) continue;
    v1::Trial& best = *result.mutable_best_trial();
    best.set_name(core::TrialName(header.job_id, *progress.best_trial));
    best.set_number(*progress.best_trial);
    best.set_definition(result.name());
    if (progress.best_objective) best.set_objective(*progress.best_objective);
  }
}

}  // namespace

v1::TrialCounts ToProto(const core::TrialCounts& counts) {
  v1::TrialCounts out;
  out.set_queued(counts[core::TrialState::kQueued]);
  out.set_pending(counts[core::TrialState::kPending]);
  out.set_running(counts[core::TrialState::kRunning]);
  out.set_paused(counts[core::TrialState::kPaused]);
  out.set_stopping(counts[core::TrialState::kStopping]);
  out.set_completed(counts[core::TrialState::kCompleted]);
  out.set_early_stopped(counts[core::TrialState::kEarlyStopped]);
  out.set_stopped(counts[core::TrialState::kStopped]);
  out.set_failed(counts[core::TrialState::kFailed]);
  out.set_infeasible(counts[core::TrialState::kInfeasible]);
  out.set_imported(counts.imported);
  out.set_attempts(counts.attempts);
  return out;
}

v1::TuningJob ToProto(const core::JobHeader& header, int64_t revision, const std::optional<core::Trial>& best_trial) {
  v1::TuningJob out;
  out.set_name(core::JobName(header.job_id));
  out.set_uid(header.uid);
  // Written by this server and checked by storage; should it not parse all the same, the job is shown without it.
  if (!out.mutable_spec()->ParseFromString(header.spec_bytes)) out.clear_spec();
  WriteLimits(header.limits, *out.mutable_spec()->mutable_limits());
  out.set_state(WireStatus(header.status));
  out.set_reason(ToUtf8(header.reason));
  *out.mutable_trial_counts() = ToProto(header.counts);
  if (best_trial) *out.mutable_best_trial() = ToProto(header.job_id, *best_trial, {});
  out.set_revision(revision);
  *out.mutable_create_time() = ToProto(header.create_time);
  *out.mutable_update_time() = ToProto(header.update_time);
  if (header.end_time) *out.mutable_end_time() = ToProto(*header.end_time);
  if (!out.mutable_provenance()->ParseFromString(header.provenance_bytes)) out.clear_provenance();
  out.mutable_advice()->Add(header.advice.begin(), header.advice.end());
  out.set_grid_size(header.grid_size);
  out.set_steps_run(header.steps_run);
  out.set_steps_repeated(header.steps_repeated);
  out.set_front_size(static_cast<int32_t>(header.pareto_front.size()));
  if (!out.spec().notifications().empty()) WriteNotifications(header.notifications, *out.mutable_notifications());
  AddOverallBest(header, out);
  AddDefinitions(header, out);
  return out;
}

std::vector<int32_t> BestOfDefinitions(const v1::TuningJob& job) {
  std::vector<int32_t> numbers;
  for (const v1::DefinitionResult& result : job.definitions()) {
    if (result.has_best_trial()) numbers.push_back(result.best_trial().number());
  }
  return numbers;
}

void AddBestOfDefinitions(const std::string& job_id, absl::Span<const core::Trial> trials, v1::TuningJob& job) {
  auto next = trials.begin();
  for (v1::DefinitionResult& result : *job.mutable_definitions()) {
    if (result.has_best_trial() && next != trials.end()) *result.mutable_best_trial() = ToProto(job_id, *next++, {});
  }
}

void AddParetoFront(const std::string& job_id, absl::Span<const core::Trial> trials, v1::TuningJob& job) {
  constexpr size_t kMaxBytes = 2 << 20;  // clients take messages of 4 MiB by default
  std::vector<v1::Trial> front;
  front.reserve(trials.size());
  for (const core::Trial& trial : trials) front.push_back(ToProto(job_id, trial, {}));
  const auto bytes = [&front] {
    size_t sum = 0;
    for (const v1::Trial& trial : front) sum += trial.ByteSizeLong();
    return sum;
  };
  while (front.size() > 2 && bytes() > kMaxBytes) {
    std::vector<v1::Trial> half;
    for (size_t i = 0; i + 1 < front.size(); i += 2) half.push_back(std::move(front[i]));
    half.push_back(std::move(front.back()));
    front = std::move(half);
  }
  for (v1::Trial& trial : front) *job.add_pareto_front() = std::move(trial);
}

}  // namespace tuner::convert
