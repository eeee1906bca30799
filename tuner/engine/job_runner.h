// One job as the engine's loop holds it: its state, its mailbox, and what the present round has decided but not yet
// committed.
//
// Threads: only the loop's. Private to tuner/engine/.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"
#include "core/job_machine.h"
#include "core/job_state.h"
#include "executors/executor.h"
#include "storage/storage.h"
#include "tuner/engine/engine.h"

namespace tuner::engine {

struct JobRunner {
  enum class Phase {
    kUnloaded,  // nothing in memory; an event loads it
    kAdopting,  // loaded, waits for its executors to say which runs they know
    kReady,
    kSuspended,  // storage or executor failed; loaded again at `retry_time`
  };

  std::string job_id;
  Phase phase = Phase::kUnloaded;
  std::unique_ptr<core::JobState> state;  // in kAdopting and kReady
  storage::Revision revision = 0;
  storage::Epoch epoch = 0;
  absl::Time wake = absl::InfiniteFuture();
  absl::Time retry_time = absl::InfiniteFuture();
  absl::Time unload_time = absl::InfiniteFuture();

  // Of executors whose slots jobs share, by name.
  struct SharedSlot {
    int held = 0;                                  // at most, as long as there is no state to count in
    absl::Time last_start = absl::InfinitePast();  // when a trial of this job was last launched there
  };
  absl::btree_map<std::string, SharedSlot> shared_slots;

  std::deque<core::Event> mailbox;
  absl::flat_hash_map<core::CallId, ReplyCallback> calls;  // that wait for an answer
  absl::flat_hash_set<executors::RunId> attached;          // launched or adopted by this process
  int adoptions_left = 0;
  std::vector<core::RunRef> adopted;

  // The present round.
  core::Changes changes;
  std::vector<core::Effect> effects;
  std::vector<core::Event> done_events;  // of executors and strategies: done again if the commit fails
};

// Keeps of several puts of the same thing only the last one. Order is kept otherwise.
core::Changes Coalesce(core::Changes changes);

// What an executor needs to know to run the last attempt of `trial`.
executors::RunSpec MakeRunSpec(const core::JobState& state, const core::Trial& trial,
                               const ServiceEnvironment& service_environment);
executors::RunId MakeRunId(const core::JobState& state, core::RunRef run);
// Trials that are pending, running or stopping there.
int ActiveOn(const core::JobState& state, const std::string& executor);
// When the last trial was launched there; InfinitePast: none was.
absl::Time LastLaunchOn(const core::JobState& state, const std::string& executor);

// What the strategy host knows the strategy of a job's definition by, and whose it is.
std::string StrategyId(const core::JobState& state, int definition);
std::string JobUidOf(const std::string& strategy_id);

}  // namespace tuner::engine
