// A trial, its attempts and its measurements. Plain values; any thread. Field meanings are those of
// proto/tuner/v1/trial.proto.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/time/time.h"
#include "core/search_space.h"

namespace tuner::core {

enum class TrialState {
  kUnspecified,
  kQueued,        // waits for a slot. Next: kPending, kStopped
  kPending,       // handed to its executor. Next: kRunning, kQueued (preempted), kStopping, any terminal state
  kRunning,       // Next: kPending (another attempt), kQueued (preempted), kPaused, kStopping, any terminal state
  kPaused,        // waits for promotion. Next: kQueued (promoted), any terminal state
  kStopping,      // told to end. Next: any terminal state, kQueued (preempted)
  kCompleted,     // terminal
  kEarlyStopped,  // terminal
  kStopped,       // terminal
  kFailed,        // terminal
  kInfeasible,    // terminal
};
constexpr bool IsTerminal(TrialState state) { return state >= TrialState::kCompleted; }
// Counts against max_parallel_trials.
constexpr bool IsActive(TrialState state) {
  return state == TrialState::kPending || state == TrialState::kRunning || state == TrialState::kStopping;
}

enum class TrialOrigin { kUnspecified, kStrategy, kEnqueued, kImported, kReused };
enum class MeasurementSource { kUnspecified, kReported, kScanned };
enum class StartReason { kUnspecified, kFirst, kRetry, kExpiredLease, kPreemption, kPromotion };

struct Measurement {
  std::string metric;
  double value = 0;
  int64_t step = 0;
  absl::Time time;
  int32_t attempt = 0;
  MeasurementSource source = MeasurementSource::kUnspecified;
};

struct Basis {
  enum class Kind { kUnspecified, kFresh, kLastFit, kFallback };
  Kind kind = Kind::kUnspecified;
  int64_t history_prefix = 0;
  std::string fingerprint;
  int64_t warm_start_prefix = 0;
  std::vector<int32_t> pending_trials;
  int64_t known_prefix = 0;  // finished trials that were known
  // The call of the strategy that proposed it: its first ordinal, and how many it was asked for. 0: not recorded (by an
  // earlier version).
  int64_t first_ordinal = 0;
  int32_t asked_count = 0;
};

// What an attempt used. Units: bytes.
struct ResourceUse {
  absl::Duration cpu_time = absl::ZeroDuration();
  int64_t peak_memory_bytes = 0;
  int64_t read_bytes = 0;
  int64_t written_bytes = 0;
  // Of engines that bill: how long it trained, and how much of that is paid for. Zero: not told.
  absl::Duration training_time = absl::ZeroDuration();
  absl::Duration billable_time = absl::ZeroDuration();
  int32_t interruptions = 0;  // of its spot instance
};

// How far an attempt's output has been scanned. Committed together with the measurements found up to there, so that a
// restarted server neither loses nor repeats one.
struct ScanCursor {
  int64_t stdout_offset = 0;
  int64_t stderr_offset = 0;
  absl::btree_map<std::string, int64_t> last_step;  // by metric: step of its last match, carried on by counted steps
};

struct Attempt {
  int32_t number = 0;
  StartReason start_reason = StartReason::kUnspecified;
  int32_t executor_index = 0;  // in trial.executors of its definition
  std::string executor;        // its type, "process"
  std::string location;
  std::optional<absl::Time> launch_time;
  std::optional<absl::Time> start_time;
  std::optional<absl::Time> end_time;
  std::optional<int32_t> exit_code;
  std::optional<int32_t> signal;
  std::string reason;
  ResourceUse use;
  std::string artifact_path;
  std::optional<absl::Time> artifacts_remove_time;
  std::string model_uri;  // where its model is, if not in artifact_path
  ScanCursor cursor;
  std::string worker_id;
  std::optional<absl::Time> lease_expire_time;
  std::string
      ending;  // how it ended, for the service: "ended", "failed", "preempted", "expired", "lost"; empty while it runs
  std::string completion;  // canonical text of the completion that ended it, to tell the same one from another
};

// What a trial had when it came to the end of a resource (Hyperband).
struct RungResult {
  int64_t resource = 0;
  double objective = 0;
  absl::Time time;
  // Its place among what the job's strategy observes: after `finished_before` finished trials, and the seq-th result of
  // a rung, from 1.
  int64_t finished_before = 0;
  int64_t seq = 0;
};

// What a health rule with action WARN said of a trial, once.
struct HealthWarning {
  int32_t rule = 0;  // its place in the specification
  std::string text;
};

struct Trial {
  int32_t number = 0;
  std::string definition;  // name of the training definition that it is of; empty in a job that has only one
  ParameterMap parameters;
  TrialState state = TrialState::kUnspecified;
  std::string reason;
  TrialOrigin origin = TrialOrigin::kUnspecified;
  std::optional<double> objective;
  std::optional<double> best_objective;
  absl::btree_map<std::string, double> final_metrics;
  std::vector<Attempt> attempts;
  Basis basis;
  absl::Time create_time;
  std::optional<absl::Time> start_time;
  std::optional<absl::Time> end_time;
  int64_t resource = 0;
  std::optional<int64_t> ordinal;  // among the proposals of its definition's strategy
  int64_t measurement_count = 0;
  std::vector<RungResult> rungs;  // in the order in which they were reached
  std::vector<HealthWarning> warnings;
  int64_t steps_run = 0;       // steps of the objective that its attempts measured
  int64_t steps_repeated = 0;  // of these, those that an earlier attempt had measured before

  // Not shown to clients.
  int64_t finish_seq = 0;                // place among the job's finished trials, from 1; 0 while it is not finished
  std::optional<absl::Time> retry_time;  // a queued trial is not started before
  TrialState stop_as = TrialState::kStopped;  // what a kStopping trial becomes; kQueued if it was preempted
  std::string request_id;                     // of the SuggestTrials or AddTrials that made it
  int32_t failures = 0;                       // attempts that count against retries.max_retries
};

// Counts against max_trials for good: it was started once, or has the result of an earlier one.
inline bool TakesPlace(const Trial& trial) { return !trial.attempts.empty() || trial.origin == TrialOrigin::kReused; }

}  // namespace tuner::core
