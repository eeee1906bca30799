// The durable state of a tuning job beside its trials. Plain values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "core/job_spec.h"
#include "core/notification.h"
#include "core/trial.h"

namespace tuner::core {

enum class JobStatus {
  kUnspecified,
  kRunning,    // Next: kStopping, kCompleted, kFailed
  kStopping,   // ends running trials, starts none. Next: kCompleted, kStopped, kFailed
  kCompleted,  // terminal. Next: kRunning, only when larger limits take it up again
  kStopped,    // terminal
  kFailed,     // terminal
};
constexpr bool IsTerminal(JobStatus status) { return status >= JobStatus::kCompleted; }

struct TrialCounts {
  int32_t by_state[static_cast<int>(TrialState::kInfeasible) + 1] = {};
  int32_t imported = 0;
  int32_t attempts = 0;

  int32_t& operator[](TrialState state) { return by_state[static_cast<int>(state)]; }
  int32_t operator[](TrialState state) const { return by_state[static_cast<int>(state)]; }
};

// How far the search of one training definition has come.
struct DefinitionProgress {
  int64_t next_ordinal = 0;  // first ordinal of its strategy that has no trial yet
  bool exhausted = false;    // its strategy has nothing more to propose
  std::string exhausted_reason;
  int32_t calm_forecasts = 0;  // in a row, by which nothing material is left to gain
  std::string converged;       // why it has converged; empty: it has not
  TrialCounts counts;
  // Of its trials that keep all outcome constraints. Not set with several objectives.
  std::optional<int32_t> best_trial;     // number
  std::optional<double> best_objective;  // its final objective
};

struct JobHeader {
  std::string job_id;
  std::string uid;
  std::string
      spec_bytes;  // serialised tuner.v1.TuningJobSpec as resolved at creation; its limits may have been updated since
  std::string base_dir;
  std::string provenance_bytes;  // serialised tuner.v1.Provenance
  std::vector<std::string> advice;
  std::string request_id;  // of the CreateTuningJob that made it
  uint64_t spec_hash = 0;  // of the request, to tell a retry from another job
  absl::btree_map<std::string, std::string> tags;
  JobStatus status = JobStatus::kUnspecified;
  JobStatus stop_as = JobStatus::kStopped;  // what a kStopping job becomes
  std::string reason;
  Limits limits;  // in force
  absl::Time create_time;
  absl::Time update_time;
  std::optional<absl::Time> end_time;
  int64_t grid_size = 0;
  bool import_only = false;  // runs nothing: takes trials that were run elsewhere until it is told that it has all

  // Of each of its training definitions, in their order.
  std::vector<DefinitionProgress> definitions = std::vector<DefinitionProgress>(1);
  int64_t finished = 0;        // trials that have a finish_seq
  int64_t rungs_reached = 0;   // results of rungs, over all trials
  int64_t steps_run = 0;       // over all trials
  int64_t steps_repeated = 0;  // over all trials
  TrialCounts counts;
  // Of the trials that keep all outcome constraints. Not set with several objectives, nor where definitions have
  // different ones.
  std::optional<int32_t> best_trial;     // number
  std::optional<double> best_objective;  // its final objective
  // finish_seq of the trial that set it, that was the last to enter the Pareto front, or the last best of its
  // definition; 0: there is none.
  int64_t best_finish_seq = 0;
  NotificationCounts notifications;
  // Of a job that has ended: when artefacts are to be removed next.
  std::optional<absl::Time> next_artifact_removal;
  // Of an IDENTICAL warm start: the best trial of the parents, as of this job's creation.
  std::optional<ParentTrial> best_of_parents;
  std::vector<int32_t> pareto_front;  // with several objectives: its numbers, the best of the first objective first
};

}  // namespace tuner::core
