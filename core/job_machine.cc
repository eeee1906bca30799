#include "core/job_machine.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/machine.h"

namespace tuner::core {

std::string AskRequestKey(const std::string& request_id) { return "ask:" + request_id; }
std::string AddRequestKey(const std::string& request_id) { return "add:" + request_id; }

void Machine::Put(Trial trial) {
  // Counts, best and next ordinal are part of the header; a trial that only measures changes none of them.
  const Trial* before = state_.FindTrial(trial.number);
  job_dirty_ |= before == nullptr || before->state != trial.state || before->attempts.size() != trial.attempts.size();
  decision_.changes.push_back(TrialPut{std::move(trial)});
  Apply(decision_.changes.back(), state_);
}

void Machine::PutJob(JobHeader header) {
  Apply(JobPut{std::move(header)}, state_);
  job_dirty_ = true;
}

void Machine::Reply(Answer answer) {
  answer.call = call_;
  if (call_ != 0) decision_.effects.push_back(std::move(answer));
}

void Machine::ReplyError(absl::Status status) { Reply(Answer{.status = std::move(status)}); }

Decision Machine::Take() {
  if (job_dirty_) {
    JobHeader header = state_.header();
    header.update_time = at_;
    decision_.changes.push_back(JobPut{std::move(header)});
    Apply(decision_.changes.back(), state_);
  }
  return std::move(decision_);
}

void Machine::On(const Resumed& event) {
  trials_ended_ = true;
  state_.live.notify_all = true;
  const std::vector<int32_t> active(state_.active().begin(), state_.active().end());
  for (int32_t number : active) {
    const Trial& trial = *state_.FindTrial(number);
    const Attempt& attempt = trial.attempts.back();
    const RunRef run{number, attempt.number};
    if (state_.external(trial)) {
      // The time without a server is not the worker's fault.
      const bool stopping = trial.state == TrialState::kStopping;
      state_.live.leases[number] =
          at_ + (stopping ? state_.spec_of(trial).trial.grace_period : *state_.executor_of(trial).lease);
      continue;
    }
    const bool known = std::any_of(event.known.begin(), event.known.end(),
                                   [&](const RunRef& k) { return k.trial == run.trial && k.attempt == run.attempt; });
    if (known) {
      if (trial.state == TrialState::kStopping) {
        decision_.effects.push_back(StopRun{run, state_.spec_of(trial).trial.grace_period});
      }
    } else if (trial.state == TrialState::kPending && state_.live.start_allowed && !state_.live.preempted) {
      decision_.effects.push_back(Launch{run});
    } else if (trial.state != TrialState::kPending) {
      const bool ran = attempt.start_time.has_value();
      On(RunFinished{run,
                     ran ? RunFinished::Outcome::kLost : RunFinished::Outcome::kStopped,
                     ran ? "its executor no longer knows it" : "stopped before it was started",
                     {},
                     {},
                     {}});
    }
  }
}

void Machine::On(const TrialsAdded& event) {
  const std::string key = AddRequestKey(event.request_id);
  if (const std::vector<int32_t>* numbers = event.request_id.empty() ? nullptr : state_.FindRequest(key)) {
    const bool same =
        numbers->size() == event.points.size() &&
        std::equal(numbers->begin(), numbers->end(), event.points.begin(), [&](int32_t number, const auto& point) {
          const Trial& trial = *state_.FindTrial(number);
          return trial.definition == point.definition && trial.parameters == point.parameters;
        });
    if (same) return Reply(Answer{.trials = *numbers});
    return ReplyError(absl::AlreadyExistsError("request_id was used with other points: take a new one for each call"));
  }
  if (!job_runs()) {
    return ReplyError(absl::FailedPreconditionError(
        absl::StrCat("the job has ended or is stopping: ", state_.header().reason, "; add trials to a running job")));
  }
  const bool import_only = state_.header().import_only;
  if (event.import_done && !import_only) {
    return ReplyError(
        absl::FailedPreconditionError("import_done is for a job that was created with import_only; this one goes on by "
                                      "itself: leave import_done out"));
  }
  const int64_t to_run = std::count_if(event.points.begin(), event.points.end(),
                                       [](const auto& point) { return point.state == TrialState::kQueued; });
  if (import_only && to_run > 0) {
    return ReplyError(absl::FailedPreconditionError(
        "the job was created with import_only and runs nothing; give each trial its state and final_metrics"));
  }
  if (limits().max_trials && Claimed() + to_run > *limits().max_trials) {
    return ReplyError(absl::ResourceExhaustedError(
        absl::StrCat("limits.max_trials is ", *limits().max_trials, " and ", Claimed(), " trials are taken; ", to_run,
                     " more do not fit: raise limits.max_trials or add fewer")));
  }
  Answer answer;
  for (const TrialsAdded::Point& point : event.points) {
    Trial trial;
    trial.number = static_cast<int32_t>(state_.trials().size()) + 1;
    trial.definition = point.definition;
    trial.parameters = point.parameters;
    trial.create_time = at_;
    trial.request_id = event.request_id.empty() ? "" : key;
    answer.trials.push_back(trial.number);
    if (point.state == TrialState::kQueued) {
      trial.origin = TrialOrigin::kEnqueued;
      if (state_.spec().resources) trial.resource = state_.spec().resources->max;  // what a user chose is run in full
      trial.state = TrialState::kQueued;
      trial.reason = kWaitsForASlot;
      Put(std::move(trial));
    } else {
      trial.origin = TrialOrigin::kImported;
      trial.final_metrics = point.final_metrics;
      EndTrial(std::move(trial), point.state, point.reason.empty() ? "imported" : point.reason);
    }
  }
  Reply(std::move(answer));
  if (event.import_done) {
    BeginJobStop(JobStatus::kCompleted, absl::StrCat("all of its ", state_.trials().size(), " trials were imported"));
  }
}

void Machine::On(const LimitsUpdated& event) {
  if (state_.header().import_only) {
    return ReplyError(absl::FailedPreconditionError(
        "the job was created with import_only and runs nothing, so its limits bound nothing; create another job, with "
        "this one as its warm_start parent"));
  }
  trials_ended_ = true;
  JobHeader header = state_.header();
  const bool more_trials =
      header.limits.max_trials && (!event.limits.max_trials || *event.limits.max_trials > *header.limits.max_trials);
  const bool more_time = header.limits.max_run_time &&
                         (!event.limits.max_run_time || *event.limits.max_run_time > *header.limits.max_run_time);
  if (header.status == JobStatus::kCompleted && (more_trials || more_time)) {
    header.status = JobStatus::kRunning;
    header.reason = "goes on with larger limits";
    header.end_time.reset();
  } else if (header.status != JobStatus::kRunning) {
    return ReplyError(absl::FailedPreconditionError(
        absl::StrCat("the job has ended or is stopping: ", header.reason,
                     "; only a COMPLETED job goes on, with a larger max_trials or max_run_time")));
  }
  header.limits = event.limits;
  for (JobState::VolatileStrategy& strategy : state_.live.strategies) strategy.waiting_since.reset();
  PutJob(std::move(header));
  Reply(Answer{});
}

void Machine::On(const JobStopAsked& event) {
  if (job_runs()) {
    BeginJobStop(JobStatus::kStopped,
                 event.reason.empty() ? "stopped by request" : "stopped by request: " + event.reason);
  }
  Reply(Answer{});
}

void Machine::On(const TrialStopAsked& event) {
  const Trial* trial = state_.FindTrial(event.trial);
  if (trial == nullptr) return ReplyError(absl::NotFoundError(absl::StrCat("there is no trial ", event.trial)));
  const std::string reason = event.reason.empty() ? "stopped by request" : "stopped by request: " + event.reason;
  if (IsActive(trial->state)) {
    StopTrial(*trial, TrialState::kStopped, reason);
  } else if (!IsTerminal(trial->state)) {
    Trial ended = *trial;
    TakeRungResult(ended);
    EndTrial(std::move(ended), TrialState::kStopped, reason);
  }
  Reply(Answer{.trials = {event.trial}});
}

void Machine::On(const Preempted& event) {
  state_.live.preempted = true;
  const std::vector<int32_t> active(state_.active().begin(), state_.active().end());
  for (int32_t number : active) {
    const Trial& trial = *state_.FindTrial(number);
    if (trial.state == TrialState::kStopping) continue;
    if (state_.external(trial)) continue;  // its worker goes on by itself, under its lease
    StopTrial(trial, TrialState::kQueued, event.reason);
  }
  Reply(Answer{});
}

void Machine::On(const TimerFired&) {
  std::vector<int32_t> expired;
  for (const auto& [number, end] : state_.live.leases) {
    if (end <= at_) expired.push_back(number);
  }
  std::sort(expired.begin(), expired.end());
  for (int32_t number : expired) {
    state_.live.leases.erase(number);
    const Trial* trial = state_.FindTrial(number);
    if (trial != nullptr && IsActive(trial->state)) ExpireLease(*trial);
  }
}

void Machine::BeginJobStop(JobStatus as, const std::string& reason) {
  JobHeader header = state_.header();
  header.status = JobStatus::kStopping;
  header.stop_as = as;
  header.reason = reason;
  PutJob(std::move(header));
  const std::set<int32_t> queued = state_.queued();
  const std::set<int32_t> paused = state_.paused();
  for (int32_t number : queued) {
    Trial trial = *state_.FindTrial(number);
    // A promoted one that had no slot yet ends as the paused one that it was.
    const bool was_paused = !trial.rungs.empty();
    TakeRungResult(trial);
    EndTrial(std::move(trial), was_paused ? TrialState::kEarlyStopped : TrialState::kStopped,
             absl::StrCat("its job ended: ", reason));
  }
  for (int32_t number : paused) {
    Trial trial = *state_.FindTrial(number);
    TakeRungResult(trial);
    const std::string reached = AtRung(trial);
    EndTrial(std::move(trial), TrialState::kEarlyStopped,
             absl::StrCat(reached, ", and was not promoted: its job ended: ", reason));
  }
  const std::vector<int32_t> active(state_.active().begin(), state_.active().end());
  for (int32_t number : active) {
    StopTrial(*state_.FindTrial(number), TrialState::kStopped, absl::StrCat("its job ended: ", reason));
  }
  FinishJobIfIdle();
}

void Machine::FinishJobIfIdle() {
  if (state_.header().status != JobStatus::kStopping || !state_.active().empty()) return;
  JobHeader header = state_.header();
  header.status = header.stop_as;
  header.end_time = at_;
  PutJob(std::move(header));
  Notify(NotificationEvent::kJobEnded, std::nullopt, state_.header().reason);
}

Decision Step(JobState& state, const Event& event) {
  Machine machine(state, event.at, event.call);
  std::visit([&](const auto& what) { machine.On(what); }, event.what);
  machine.Schedule();
  return machine.Take();
}

Changes FirstChanges(JobHeader header, absl::Time now) {
  header.status = JobStatus::kRunning;
  header.reason = header.import_only ? "takes imported trials" : "runs";
  header.create_time = now;
  header.update_time = now;
  return {JobPut{std::move(header)}};
}

}  // namespace tuner::core
