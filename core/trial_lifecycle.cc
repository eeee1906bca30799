// How one trial runs, measures, ends, is tried again.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/machine.h"
#include "core/objectives.h"

namespace tuner::core {
namespace {

// One text for one completion, so that the same one told again is recognised.
std::string CanonicalCompletion(const CompletionTold& event) {
  return absl::StrCat("told:",
                      absl::StrJoin(event.final_metrics, ",",
                                    [](std::string* out, const auto& metric) {
                                      absl::StrAppend(out, metric.first, "=", FormatValue(metric.second));
                                    }),
                      ";failed:", event.failure_reason, ";infeasible:", event.infeasible_reason);
}

bool IsObjective(const JobSpec& spec, const std::string& metric) {
  for (size_t i = 0; i < ObjectiveCount(spec); ++i) {
    if (ObjectiveAt(spec, i).metric == metric) return true;
  }
  return false;
}

int CountEndings(const Trial& trial, std::string_view ending) {
  return static_cast<int>(std::count_if(trial.attempts.begin(), trial.attempts.end(),
                                        [&](const Attempt& attempt) { return attempt.ending == ending; }));
}

}  // namespace

const Trial* Machine::Current(RunRef run) const {
  const Trial* trial = state_.FindTrial(run.trial);
  if (trial == nullptr || !IsActive(trial->state) || trial->attempts.back().number != run.attempt) return nullptr;
  return trial;
}

const Trial* Machine::CurrentForCaller(RunRef run, const std::string& worker_id) {
  const Trial* trial = state_.FindTrial(run.trial);
  if (trial == nullptr) {
    ReplyError(absl::NotFoundError(absl::StrCat("there is no trial ", run.trial)));
    return nullptr;
  }
  if (run.attempt < 1 || run.attempt > static_cast<int32_t>(trial->attempts.size())) {
    ReplyError(absl::NotFoundError(absl::StrCat("trial ", run.trial, " has no attempt ", run.attempt)));
    return nullptr;
  }
  if (run.attempt != trial->attempts.back().number) {
    ReplyError(absl::FailedPreconditionError(absl::StrCat("attempt ", run.attempt, " was superseded by attempt ",
                                                          trial->attempts.back().number, ": end this run")));
    return nullptr;
  }
  if (!IsActive(trial->state)) {
    ReplyError(absl::FailedPreconditionError(absl::StrCat("attempt ", run.attempt, " has ended: ", trial->reason)));
    return nullptr;
  }
  if (!worker_id.empty() && trial->attempts.back().worker_id != worker_id) {
    ReplyError(absl::FailedPreconditionError(absl::StrCat("attempt ", run.attempt, " is held by worker \"",
                                                          trial->attempts.back().worker_id, "\", not by \"", worker_id,
                                                          "\"")));
    return nullptr;
  }
  return trial;
}

std::vector<Measurement> Machine::AddMeasurements(Trial& trial, int32_t attempt,
                                                  const std::vector<Measurement>& measurements,
                                                  MeasurementSource source) {
  std::vector<Measurement> added;
  for (Measurement m : measurements) {
    const TrialMetrics* known = state_.FindMetrics(trial.number);
    if (m.step < 0) {
      m.step = 1;
      if (known != nullptr) {
        auto last = known->last.find(m.metric);
        if (last != known->last.end())
          m.step = last->second.step < std::numeric_limits<int64_t>::max() ? last->second.step + 1 : last->second.step;
      }
    }
    m.attempt = attempt;
    m.source = source;
    m.time = at_;
    bool is_new = true;
    bool replaces_last = false;
    if (known != nullptr && trial.measurement_count >= kMaxMeasurements) {
      auto last = known->last.find(m.metric);
      if (last == known->last.end() || last->second.attempt != attempt) continue;
      m.step = last->second.step;
      replaces_last = true;
    }
    if (known != nullptr) {
      auto it = known->values.find(MeasurementKey{attempt, m.metric, m.step});
      if (it != known->values.end()) {
        is_new = false;
        const bool upgrade = it->second.source == MeasurementSource::kScanned && source == MeasurementSource::kReported;
        if (!upgrade && !replaces_last) continue;
      }
    }
    if (is_new) added.push_back(m);
    decision_.changes.push_back(MeasurementPut{trial.number, std::move(m)});
    Apply(decision_.changes.back(), state_);
    if (is_new) ++trial.measurement_count;
  }
  CountSteps(trial, added);
  if (const TrialMetrics* metrics = state_.FindMetrics(trial.number)) trial.best_objective = metrics->best_objective;
  return added;
}

void Machine::FillFinalValues(Trial& trial) const {
  if (const TrialMetrics* metrics = state_.FindMetrics(trial.number)) {
    for (const auto& [name, last] : metrics->last) trial.final_metrics.try_emplace(name, last.value);
    trial.best_objective = metrics->best_objective;
  }
  const Objective& objective = state_.spec_of(trial).objective;
  auto it = trial.final_metrics.find(objective.metric);
  if (it == trial.final_metrics.end() || !std::isfinite(it->second)) return;
  trial.objective = it->second;
  if (!trial.best_objective || objective.Better(it->second, *trial.best_objective)) {
    trial.best_objective = it->second;
  }
}

void Machine::EndAttempt(Trial& trial, std::string_view ending, const std::string& reason) {
  state_.live.leases.erase(trial.number);
  if (trial.attempts.empty() || trial.attempts.back().end_time) return;
  Attempt& attempt = trial.attempts.back();
  attempt.end_time = at_;
  if (attempt.reason.empty()) attempt.reason = reason;
  attempt.lease_expire_time.reset();
  attempt.ending = ending;
}

void Machine::EndTrial(Trial trial, TrialState state, std::string reason) {
  EndAttempt(trial, kEnded, reason);
  trials_ended_ = true;
  FillFinalValues(trial);
  if (!trial.objective && !trial.rungs.empty() && state != TrialState::kFailed) {
    trial.objective = trial.rungs.back().objective;  // measured by an earlier attempt, or told without a measurement
  }
  if (state == TrialState::kInfeasible) trial.objective.reset();
  trial.state = state;
  trial.reason = std::move(reason);
  trial.end_time = at_;
  trial.retry_time.reset();
  trial.finish_seq = state_.header().finished + 1;
  decision_.effects.push_back(TellStrategy{trial.number});
  const int32_t number = trial.number;
  const bool failed = state == TrialState::kFailed && trial.origin != TrialOrigin::kImported;
  Put(std::move(trial));
  if (failed) Notify(NotificationEvent::kTrialFailed, number, state_.FindTrial(number)->reason);
  FinishJobIfIdle();
}

void Machine::EndByValues(Trial trial, std::string reason) {
  Trial probe = trial;
  FillFinalValues(probe);
  const JobSpec& spec = state_.spec_of(trial);
  const std::string* metric = MissingMetric(spec, probe);
  if (metric == nullptr) return EndTrial(std::move(trial), TrialState::kCompleted, std::move(reason));
  const char* what = IsObjective(spec, *metric) ? "objective metric" : "constrained metric";
  auto it = probe.final_metrics.find(*metric);
  EndTrial(std::move(trial), TrialState::kFailed,
           it == probe.final_metrics.end()
               ? absl::StrCat(reason, ", but never gave a value of the ", what, " \"", *metric,
                              "\": print it so that a metric definition finds it, or report it")
               : absl::StrCat(reason, ", but its last value of the ", what, " \"", *metric, "\" was ",
                              FormatValue(it->second)));
}

void Machine::Requeue(Trial trial, std::string reason, std::optional<absl::Time> not_before) {
  trial.state = TrialState::kQueued;
  trial.stop_as = TrialState::kStopped;
  trial.reason = std::move(reason);
  trial.retry_time = not_before;
  trial.final_metrics.clear();  // they were of the attempt that ended
  Put(std::move(trial));
}

void Machine::FailAttempt(Trial trial, std::string reason) {
  EndAttempt(trial, kFailed, reason);
  const RetryPolicy& retries = state_.spec_of(trial).trial.retries;
  ++trial.failures;
  if (trial.failures > retries.max_retries || !job_runs()) {
    if (retries.max_retries > 0) reason = absl::StrCat(reason, " (attempt ", trial.attempts.size(), ")");
    return EndTrial(std::move(trial), TrialState::kFailed, std::move(reason));
  }
  const absl::Duration wait = retries.backoff * (int64_t{1} << std::min(trial.failures - 1, 20));
  reason = absl::StrCat("retry ", trial.failures, " of ", retries.max_retries, " in ", absl::FormatDuration(wait), ": ",
                        reason);
  Requeue(std::move(trial), std::move(reason), at_ + wait);
}

void Machine::StopTrial(const Trial& current, TrialState as, const std::string& reason) {
  Trial trial = current;
  const Attempt& attempt = trial.attempts.back();
  // The first reason stands, but for one that would let the trial go on.
  const bool at_rung = trial.stop_as == TrialState::kPaused || trial.stop_as == TrialState::kCompleted;
  const bool goes_on = trial.stop_as == TrialState::kQueued || (at_rung && job_runs());
  if (trial.state == TrialState::kStopping && !goes_on) return;
  const absl::Duration grace = state_.spec_of(trial).trial.grace_period;
  trial.state = TrialState::kStopping;
  trial.stop_as = as;
  trial.reason = reason;
  if (state_.external(trial)) {
    state_.live.leases[trial.number] = at_ + grace;
  } else {
    decision_.effects.push_back(StopRun{{trial.number, attempt.number}, grace});
  }
  Put(std::move(trial));
}

void Machine::ExpireLease(const Trial& current) {
  Trial trial = current;
  if (trial.state == TrialState::kStopping) return EndStopped(std::move(trial));
  std::string reason = absl::StrCat("worker \"", trial.attempts.back().worker_id, "\" let its lease expire");
  EndAttempt(trial, kExpired, reason);
  if (!job_runs()) return EndTrial(std::move(trial), TrialState::kStopped, std::move(reason));
  const int expired = CountEndings(trial, kExpired);
  if (expired >= kMaxLostAttempts) {
    return EndTrial(std::move(trial), TrialState::kFailed,
                    absl::StrCat(reason, ", as ", expired, " workers did in all"));
  }
  Requeue(std::move(trial), std::move(reason), std::nullopt);
}

void Machine::On(const LaunchRefused& event) {
  const Trial* current = Current(event.run);
  if (current == nullptr) return;
  Trial trial = *current;
  if (trial.state == TrialState::kStopping) {
    const bool as_said = IsTerminal(trial.stop_as) && trial.stop_as != TrialState::kCompleted;
    return EndTrial(std::move(trial), as_said ? current->stop_as : TrialState::kStopped, event.reason);
  }
  EndTrial(std::move(trial), TrialState::kFailed, absl::StrCat("could not be started: ", event.reason));
}

void Machine::On(const RunBegan& event) {
  const Trial* current = Current(event.run);
  if (current == nullptr || !current->attempts.back().artifact_path.empty()) return;
  Trial trial = *current;
  Attempt& attempt = trial.attempts.back();
  attempt.location = event.location;
  attempt.artifact_path = event.artifact_path;
  if (!attempt.start_time) attempt.start_time = at_;  // its own report may have come first
  if (!trial.start_time) trial.start_time = at_;
  if (trial.state == TrialState::kPending) {
    trial.state = TrialState::kRunning;
    trial.reason = "runs";
  }
  Put(std::move(trial));
}

void Machine::On(const MetricsSeen& event) {
  const Trial* current = Current(event.run);
  if (current == nullptr) return;
  Trial trial = *current;
  const std::vector<Measurement> added =
      AddMeasurements(trial, event.run.attempt, event.measurements, MeasurementSource::kScanned);
  trial.attempts.back().cursor = event.cursor;
  Put(std::move(trial));
  Judge(event.run.trial, added);
}

void Machine::On(const RunFinished& event) {
  const Trial* current = Current(event.run);
  if (current == nullptr) return;
  decision_.effects.push_back(AcknowledgeEnd{event.run});
  Trial trial = *current;
  Attempt& attempt = trial.attempts.back();
  attempt.exit_code = event.exit_code;
  attempt.signal = event.signal;
  attempt.use = event.use;
  attempt.model_uri = event.model_uri;
  attempt.reason = event.reason;
  const bool stopping = trial.state == TrialState::kStopping;
  using Outcome = RunFinished::Outcome;
  if (event.outcome == Outcome::kSucceeded && !(stopping && trial.stop_as != TrialState::kQueued)) {
    return EndRun(std::move(trial), event.reason.empty() ? "ended by itself" : event.reason);
  }
  if (stopping && trial.stop_as == TrialState::kQueued && event.outcome != Outcome::kTimedOut) {
    std::string reason = trial.reason;
    EndAttempt(trial, kPreempted, reason);
    return Requeue(std::move(trial), std::move(reason), std::nullopt);
  }
  if (stopping && trial.stop_as == TrialState::kQueued) {
    return EndTrial(std::move(trial), TrialState::kFailed, event.reason);
  }
  if (stopping) return EndStopped(std::move(trial));
  switch (event.outcome) {
    case Outcome::kFailed:
      return FailAttempt(std::move(trial), event.reason);
    case Outcome::kTimedOut:
      return EndTrial(std::move(trial), TrialState::kFailed, event.reason);
    default:
      break;
  }
  std::string reason = absl::StrCat("lost: ", event.reason);  // ended from outside of the service
  EndAttempt(trial, kLost, reason);
  if (CountEndings(trial, kLost) >= kMaxLostAttempts) {
    return EndTrial(std::move(trial), TrialState::kFailed,
                    absl::StrCat(reason, "; given up after ", kMaxLostAttempts, " times"));
  }
  Requeue(std::move(trial), std::move(reason), std::nullopt);
}

void Machine::On(const Reported& event) {
  const Trial* current = CurrentForCaller(event.run, event.worker_id);
  if (current == nullptr) return;
  Trial trial = *current;
  const bool stopping = trial.state == TrialState::kStopping;
  Answer answer{.trials = {trial.number}};
  const bool external = state_.external(trial);
  if (external) {
    absl::Time& lease = state_.live.leases[trial.number];
    if (!stopping) lease = at_ + *state_.executor_of(trial).lease;
    answer.lease_expire_time = lease;
  }
  const int64_t before = static_cast<int64_t>(decision_.changes.size());
  const std::vector<Measurement> added =
      AddMeasurements(trial, event.run.attempt, event.measurements, MeasurementSource::kReported);
  const bool changed = static_cast<int64_t>(decision_.changes.size()) > before;
  if (trial.state == TrialState::kPending) {
    trial.state = TrialState::kRunning;
    trial.reason = "runs";
    if (!trial.attempts.back().start_time) trial.attempts.back().start_time = at_;
    if (!trial.start_time) trial.start_time = at_;
    Put(std::move(trial));
  } else if (changed) {
    Put(std::move(trial));
  }
  Judge(event.run.trial, added);
  const Trial& judged = *state_.FindTrial(event.run.trial);
  answer.should_stop = judged.state == TrialState::kStopping;
  if (answer.should_stop) {
    answer.reason = judged.reason;
    if (external) answer.lease_expire_time = state_.live.leases[judged.number];
  }
  Reply(std::move(answer));
}

void Machine::On(const CompletionTold& event) {
  const std::string completion = CanonicalCompletion(event);
  const Trial* told = state_.FindTrial(event.run.trial);
  if (told != nullptr && event.run.attempt >= 1 && event.run.attempt <= static_cast<int32_t>(told->attempts.size()) &&
      told->attempts[event.run.attempt - 1].completion == completion) {
    return Reply(Answer{.trials = {event.run.trial}});
  }
  const Trial* current = CurrentForCaller(event.run, event.worker_id);
  if (current == nullptr) return;
  if (!current->attempts.back().completion.empty()) {
    return ReplyError(absl::FailedPreconditionError("the attempt was completed with other values before"));
  }
  Trial trial = *current;
  trial.attempts.back().completion = completion;
  for (const auto& [metric, value] : event.final_metrics) trial.final_metrics[metric] = value;
  Reply(Answer{.trials = {trial.number}});
  if (!state_.external(trial)) {
    // From within a running trial: values wait for its exit, a failure ends it.
    if (!event.infeasible_reason.empty()) return StopTrial(trial, TrialState::kInfeasible, event.infeasible_reason);
    if (!event.failure_reason.empty()) return StopTrial(trial, TrialState::kFailed, event.failure_reason);
    return Put(std::move(trial));
  }
  // What its worker says of a trial that came to the end of its resource counts before that.
  const bool at_rung = trial.stop_as == TrialState::kPaused || trial.stop_as == TrialState::kCompleted;
  if (trial.state == TrialState::kStopping && !at_rung) return EndStopped(std::move(trial));
  if (!event.infeasible_reason.empty()) {
    return EndTrial(std::move(trial), TrialState::kInfeasible, event.infeasible_reason);
  }
  if (!event.failure_reason.empty()) return FailAttempt(std::move(trial), event.failure_reason);
  EndRun(std::move(trial), "completed by its worker");
}

}  // namespace tuner::core
