// What happened to a job, what to do about it, and what to answer. Plain values; any thread.
//
// Each event carries the time at which the shell saw it; decisions never read a clock.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/job_spec.h"
#include "core/trial.h"

namespace tuner::core {

// Names a caller that waits for an answer. 0: nobody waits.
using CallId = uint64_t;

struct RunRef {
  int32_t trial = 0;
  int32_t attempt = 0;

  auto operator<=>(const RunRef&) const = default;
};

// --- events
// -----------------------------------------------------------------------------------------------------------------

// The job was created or loaded; `known` names active runs that their executor knows (the others were never accepted).
struct Resumed {
  std::vector<RunRef> known;
};
// A worker asks for trials.
struct SuggestAsked {
  std::string worker_id;
  int32_t count = 1;
  std::string request_id;
  absl::Duration deadline = absl::Milliseconds(200);
};
// What a model expects of the next trial, in the objective's unit.
struct Forecast {
  double gain = 0;   // expected improvement of the best value, >= 0
  double noise = 0;  // deviation of the objective when the same point is run again
};
// The strategy answered AskStrategy.
struct Proposed {
  int32_t definition = 0;  // whose strategy
  struct Proposal {
    ParameterMap parameters;
    int64_t resource = 0;
    int32_t reused_trial = 0;  // a completed one at this point, whose result counts again without a run; 0: none
  };
  // A paused trial that goes on to a larger resource.
  struct Promotion {
    int32_t trial = 0;
    int64_t resource = 0;
    std::string reason;
  };
  int64_t first_ordinal = 0;
  std::vector<Proposal> proposals;
  std::vector<Promotion> promotions;
  Basis basis;
  bool exhausted = false;
  std::string exhausted_reason;
  // Nothing more comes before the strategy observes more than basis.known_prefix says, or limits change.
  bool waiting = false;
  std::string waiting_reason;
  std::optional<Forecast> forecast;
  absl::Status error;  // the strategy failed; the job fails with it
};
struct LaunchRefused {
  RunRef run;
  std::string reason;  // the specification cannot be run there
};
struct RunBegan {
  RunRef run;
  std::string location;
  std::string artifact_path;
};
struct MetricsSeen {
  RunRef run;
  std::vector<Measurement> measurements;
  ScanCursor cursor;
};
struct RunFinished {
  enum class Outcome { kSucceeded, kFailed, kStopped, kTimedOut, kLost };
  RunRef run;
  Outcome outcome = Outcome::kFailed;
  std::string reason;
  std::optional<int32_t> exit_code;
  std::optional<int32_t> signal;
  ResourceUse use;
  std::string model_uri;
};
// A trial, or the worker that holds it, tells values. Steps below 0 mean "the next one".
struct Reported {
  RunRef run;
  std::string worker_id;  // empty: not checked
  std::vector<Measurement> measurements;
};
struct CompletionTold {
  RunRef run;
  std::string worker_id;
  absl::btree_map<std::string, double> final_metrics;
  std::string failure_reason;
  std::string infeasible_reason;
};
struct TrialsAdded {
  struct Point {
    std::string definition;
    ParameterMap parameters;                 // canonical
    TrialState state = TrialState::kQueued;  // kQueued: run it; else imported in this terminal state
    std::string reason;
    absl::btree_map<std::string, double> final_metrics;
  };
  std::vector<Point> points;
  std::string request_id;
  bool import_done = false;  // the last ones of a job that only takes imported trials
};
struct LimitsUpdated {
  Limits limits;
};
struct JobStopAsked {
  std::string reason;
};
struct TrialStopAsked {
  int32_t trial = 0;
  std::string reason;
};
// Running trials go back to the queue as preempted, and nothing is started any more (Ctrl-C of `tuner run`).
struct Preempted {
  std::string reason;
};
struct TimerFired {};
// More of the slots that jobs share were granted to this one: JobState::Volatile::shared_slots.
struct SlotsGranted {};
// An executor was told to remove what a run left behind.
struct ArtifactsRemoved {
  RunRef run;
  bool ok = false;
  bool again = false;  // if not: it is worth another try
};
// A try to deliver a notification has ended.
struct Notified {
  int64_t number = 0;
  bool ok = false;
  std::string reason;  // why not
};

using EventKind = std::variant<Resumed, SuggestAsked, Proposed, LaunchRefused, RunBegan, MetricsSeen, RunFinished,
                               Reported, CompletionTold, TrialsAdded, LimitsUpdated, JobStopAsked, TrialStopAsked,
                               Preempted, TimerFired, SlotsGranted, ArtifactsRemoved, Notified>;
struct Event {
  absl::Time at;
  EventKind what;
  CallId call = 0;
};

// --- effects: each may be repeated without harm
// -----------------------------------------------------------------------------

// Asks the strategy of a definition. Again for the same first_ordinal while it is not answered: the earlier of the
// deadlines holds.
struct AskStrategy {
  int64_t first_ordinal = 0;
  int32_t count = 0;                                 // trials to start: new ones and promotions
  absl::Time deadline = absl::InfiniteFuture();      // when somebody stops waiting for the answer
  std::optional<int32_t> new_trials = std::nullopt;  // at most so many new ones; unset: all may be
  int32_t definition = 0;
};
// Hand the finished trial to the strategy of its definition, before any later AskStrategy.
// With `rung`: the result of that one of its rungs, and the trial goes on.
struct TellStrategy {
  int32_t trial = 0;
  std::optional<int32_t> rung;
};
struct Launch {
  RunRef run;
};
struct StopRun {
  RunRef run;
  absl::Duration grace;
};
// The end of this run is stored: its executor need not keep it any more.
struct AcknowledgeEnd {
  RunRef run;
};
// Remove what the run left behind; the answer is ArtifactsRemoved.
struct RemoveArtifacts {
  RunRef run;
  bool with_logs = false;
};
// Try to deliver this notification; the answer is Notified.
struct SendNotification {
  int64_t number = 0;
};
// The job wants a TimerFired at this time; replaces the one before.
struct WakeAt {
  absl::Time time;
};
// What a caller is told. Trials are named by number and read from the state after Apply.
struct Answer {
  CallId call = 0;
  absl::Status status;
  std::vector<int32_t> trials;
  std::string reason;
  bool job_done = false;
  bool should_stop = false;
  std::optional<absl::Time> lease_expire_time;
};
using Effect = std::variant<AskStrategy, TellStrategy, Launch, StopRun, AcknowledgeEnd, RemoveArtifacts, WakeAt,
                            SendNotification, Answer>;

}  // namespace tuner::core
