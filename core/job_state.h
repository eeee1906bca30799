// The state of one job as decisions see it: what storage keeps, and beside it what is only known while a server runs
// the job.
//
// Threads: a value for one thread at a time. Apply is the only way in which the durable part changes: live, and again
// on load.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "core/change.h"
#include "core/curve.h"
#include "core/definitions.h"
#include "core/event.h"
#include "core/job.h"
#include "core/job_spec.h"
#include "core/objectives.h"
#include "core/trial.h"

namespace tuner::core {

// Separates the ids in Trial::request_id; API calls refuse control characters in request ids.
inline constexpr char kRequestSeparator = '\n';

// Key of a measurement within its trial.
struct MeasurementKey {
  int32_t attempt = 0;
  std::string metric;
  int64_t step = 0;

  bool operator==(const MeasurementKey&) const = default;
  template <typename H>
  friend H AbslHashValue(H h, const MeasurementKey& key) {
    return H::combine(std::move(h), key.attempt, key.metric, key.step);
  }
};
struct MeasuredValue {
  double value = 0;
  MeasurementSource source = MeasurementSource::kUnspecified;
};
// What the measurements of a trial that has not ended come to.
struct TrialMetrics {
  struct Last {
    double value = 0;
    int64_t step = 0;
    int32_t attempt = 0;
    MeasurementSource source = MeasurementSource::kUnspecified;
  };
  absl::flat_hash_map<MeasurementKey, MeasuredValue> values;
  absl::btree_map<std::string, Last> last;  // finite or not, by metric: highest (attempt, source, step)
  std::optional<double> best_objective;     // finite
};

// Slots of an executor that all jobs of the server share, as one of them sees it.
struct SharedSlots {
  int total = 0;
  int granted = 0;  // trials that this job may start now; one is taken by each start
  int wanted = 0;   // trials that it would start if it had slots for them: what the engine shares out by
};

// A worker that waits for trials of the strategy.
struct Waiter {
  CallId call = 0;
  SuggestAsked ask;
  absl::Time until;
};

class JobState {
 public:
  // An empty job; header and trials come by Apply. `spec` is what header.spec_bytes says, resolved; its limits are not
  // looked at.
  explicit JobState(JobSpec spec);

  const JobSpec& spec() const { return spec_; }
  const JobHeader& header() const { return header_; }
  int definition_count() const { return DefinitionCount(spec_); }
  // The specification of a trial's definition: of the job itself, if that has only one.
  const JobSpec& spec_of(const Trial& trial) const { return DefinitionOf(spec_, trial); }
  const DefinitionProgress& progress_of(const Trial& trial) const {
    return header_.definitions[DefinitionIndex(spec_, trial)];
  }
  // The executor of a trial's last attempt.
  const ExecutorChoice& executor_of(const Trial& trial) const {
    return spec_of(trial).trial.executors[trial.attempts.back().executor_index];
  }
  // Whether that hands its trials to workers that ask.
  bool external(const Trial& trial) const { return executor_of(trial).lease.has_value(); }

  const std::vector<Trial>& trials() const { return trials_; }  // trial n is at n - 1
  const Trial* FindTrial(int32_t number) const;
  const TrialMetrics* FindMetrics(int32_t number) const;  // null once the trial has ended
  // Learning curves of a trial by metric, of the metrics that rules look at; empty: there are none. Of an ended trial
  // the objective's, and only if the job's rule compares trials.
  const Curves& CurvesOf(int32_t number) const;
  // Whether ended trials' objective curves are kept; a loaded job is given them by Apply of their measurements.
  bool keeps_curves() const { return keeps_curves_; }

  // What the trials of a definition come to.
  struct Tally {
    int64_t observed = 0;    // what its strategy has been shown: results of rungs and finished trials
    int64_t started = 0;     // those that TakesPlace
    int64_t queued_new = 0;  // queued ones of which no attempt was started
    int active = 0;          // pending, running, stopping
    int paused = 0;
    std::vector<int> active_on;  // by executor
  };
  const Tally& tally(int definition) const { return tallies_[definition]; }

  const std::set<int32_t>& queued() const { return queued_; }  // numbers, first come first
  const std::set<int32_t>& active() const { return active_; }  // pending, running, stopping
  const std::set<int32_t>& paused() const { return paused_; }
  const std::set<int32_t>& retrying() const { return retrying_; }  // queued ones that wait for their retry
  int64_t queued_new() const { return queued_new_; }               // queued ones of which no attempt was started
  int imported_failed() const { return imported_failed_; }
  int reused() const { return reused_; }
  const std::map<int64_t, Notification>& due_notifications() const { return due_notifications_; }  // by number
  // Trials that TakesPlace.
  int64_t started() const { return started_; }
  const std::vector<int32_t>* FindRequest(const std::string& request_id) const;  // trials made under a request id

  // What lives only as long as the server: not durable, so decisions change it directly.
  struct VolatileStrategy {
    std::optional<AskStrategy> ask;  // that it has not answered
    // It waits since it had observed so much (Tally::observed), for the reason.
    std::optional<int64_t> waiting_since;
    std::string waiting_reason;
  };
  struct Volatile {
    std::vector<VolatileStrategy> strategies;  // by definition
    bool preempted = false;
    std::set<int64_t> notifying;                      // numbers of notifications that are being delivered
    bool notify_all = false;                          // also those that wait for their next try: the server is new
    absl::flat_hash_map<int32_t, absl::Time> leases;  // of external trials, as last renewed; a restart grants them anew
    bool start_allowed = true;  // false: trials are neither asked for nor started (listing servers, shutdown)
    std::deque<Waiter> waiters;
    // Of the removal of artefacts: under way; to be tried again, and when; and before when nothing is to be looked at.
    std::set<RunRef> removing;
    std::map<RunRef, absl::Time> removal_retries;
    absl::Time next_removal = absl::InfinitePast();
    absl::btree_map<std::string, SharedSlots> shared_slots;  // by executor; of one that is not there, no bound
  } live;

  friend void Apply(const Change& change, JobState& state);

 private:
  void PutHeader(const JobHeader& header);
  void PutTrial(const Trial& trial);
  void Count(const Trial& trial, int sign);
  void ConsiderBest(const Trial& trial);
  void ChooseBest(const Objective& objective);
  void PutMeasurement(const MeasurementPut& put);
  void PutNotification(const Notification& notification);

  JobSpec spec_;
  bool same_objective_ = SameObjective(spec_);
  std::vector<ParetoFront> fronts_;  // by definition
  std::vector<Tally> tallies_;       // by definition
  JobHeader header_;
  std::vector<Trial> trials_;
  absl::flat_hash_map<int32_t, TrialMetrics> metrics_;
  std::set<std::string> watched_;  // metrics of which curves are kept
  bool keeps_curves_ = false;
  absl::flat_hash_map<int32_t, Curves> curves_;
  std::set<int32_t> queued_, active_, paused_, retrying_;
  int64_t queued_new_ = 0;
  int imported_failed_ = 0;
  int reused_ = 0;
  int64_t started_ = 0;
  std::map<int64_t, Notification> due_notifications_;
  absl::flat_hash_map<std::string, std::vector<int32_t>> requests_;
};

// Puts the change's value in its place. Applying a change twice is applying it once.
void Apply(const Change& change, JobState& state);

}  // namespace tuner::core
