// The engine: runs every job's state machine over storage, strategies and executors. No gRPC.
//
// One loop thread takes events from the jobs' mailboxes, decides, commits everything of one round behind one fsync, and
// then acts and answers. Strategies run on a pool of their own; executors call back from their threads; neither ever
// blocks the loop.
//
// Threads: every public method may be called from any thread; callbacks run on the engine's threads and must not block.
// Ownership: the engine borrows everything in its environment, which outlives it. Errors: as each method says;
// UNAVAILABLE: shutting down, or storage refuses writes.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "core/event.h"
#include "core/job.h"
#include "core/parent_job.h"
#include "executors/executor.h"
#include "storage/storage.h"
#include "tuner/engine/notifier.h"
#include "tuner/engine/strategy_host.h"

namespace tuner::engine {

// Reads the resolved specification out of a header. Given by the shell, as core and engine know no wire format.
using ParseSpec = std::function<absl::StatusOr<core::JobSpec>(const core::JobHeader&)>;
// TUNER_ENDPOINT, TUNER_TRIAL, TUNER_ATTEMPT, TUNER_TOKEN of a run.
using ServiceEnvironment = std::function<absl::btree_map<std::string, std::string>(const executors::RunId&)>;

struct EngineOptions {
  std::string server_id;          // stable for a data folder: a restarted server takes its jobs over at once
  int strategy_threads = 2;       // that answer, and as many that fit models
  bool start_trials = true;       // false: jobs are looked at and stopped, but no trial is started
  bool load_running_jobs = true;  // false: a job is loaded when somebody asks for it
  bool own_threads = true;        // false: nothing happens but in RunRound, on the caller's thread (simulation)
  absl::Duration ownership_lease = absl::Minutes(10);
  // Trials of all jobs together that may be on an executor at the same time, by its name: shared out fairly
  // (slot_sharing.h). Of one that is not there, no bound. Not for executors whose trials are handed to workers.
  absl::btree_map<std::string, int> executor_slots;
};

struct EngineEnvironment {
  storage::Storage* storage = nullptr;
  core::Clock* clock = nullptr;
  ParseSpec parse_spec;
  ServiceEnvironment service_environment;
  MakeStrategy make_strategy = &MakeRegisteredStrategy;
  Notifier* notifier = nullptr;  // null: what is due stays so, for another server
  // Only without own_threads: see StrategyHostOptions.
  std::function<void(std::function<void()>)> run_fit;
};

// What a call is told.
struct Reply {
  core::JobHeader header;
  storage::Revision revision = 0;
  std::vector<core::Trial> trials;  // those that the call is about, without measurements
  std::optional<core::Trial> best_trial;
  std::string reason;
  bool job_done = false;
  bool should_stop = false;
  std::optional<absl::Time> lease_expire_time;
};
using ReplyCallback = std::function<void(absl::StatusOr<Reply>)>;

class Engine {
 public:
  virtual ~Engine() = default;  // Shutdown(), then joins all threads

  // Where executors send their events. Valid from construction, before Start.
  virtual executors::RunListener* listener() = 0;

  // Names the executors (they need `listener()` first), then takes charge of the stored jobs and starts the loop. Once.
  // The executors try again by themselves what is UNAVAILABLE (executors/decorate.h).
  virtual absl::Status Start(absl::flat_hash_map<std::string, executors::Executor*> executors) = 0;

  // Stores a new job and starts it. The header has job_id, uid, spec_bytes, base_dir, limits, tags, request_id,
  // spec_hash, advice, provenance_bytes and grid_size set. ALREADY_EXISTS (also for a retry: the caller compares
  // request_id and spec_hash). `parents`: what it keeps of the jobs that it starts from.
  virtual void CreateJob(core::JobHeader header, core::ParentJobs parents, ReplyCallback done) = 0;

  // Sends an event to a job and answers after its changes are durable. The event's `at` and `call` are set by the
  // engine. NOT_FOUND and what core::Step answers.
  virtual void Post(const std::string& job_id, core::EventKind event, ReplyCallback done) = 0;

  // Removes a job that has ended, with its folders. NOT_FOUND, FAILED_PRECONDITION: it still runs.
  virtual void DeleteJob(const std::string& job_id, std::function<void(absl::Status)> done) = 0;

  // Why the engine cannot go on with a job for the moment, or "".
  virtual std::string PausedReason(const std::string& job_id) const = 0;

  // Calls `changed` (soon, on an engine thread) after each commit to the job with its new revision, and once at once
  // with the present one, until the returned object is destroyed, which waits for a call under way.
  class Subscription {
   public:
    virtual ~Subscription() = default;
  };
  virtual std::unique_ptr<Subscription> Subscribe(const std::string& job_id,
                                                  std::function<void(storage::Revision)> changed) = 0;

  // Stops the running trials of all jobs, to be started again as a new attempt by the next server; nothing is started
  // any more.
  virtual void PreemptAll(const std::string& reason) = 0;
  // Shortens the grace period of every stopping run to zero.
  virtual void KillAll() = 0;

  // Waits until everybody has been told what they are to be told of the loaded jobs, and what is to be removed of their
  // artefacts now is gone, at most for `most`. False: some is left, which the next server goes on with. Before
  // Shutdown; only with own_threads.
  virtual bool AwaitNotifications(absl::Duration most) = 0;

  // Drains: takes no calls any more (UNAVAILABLE), commits what is in the mailboxes, gives the jobs up, and leaves
  // running trials alone. Idempotent.
  virtual void Shutdown() = 0;

  // Only without own_threads: does everything that is due now. False: there was nothing to do.
  virtual bool RunRound() = 0;
  // Only without own_threads: when RunRound has something to do next though nothing else happens.
  virtual absl::Time NextWake() const = 0;
};

std::unique_ptr<Engine> MakeEngine(EngineOptions options, EngineEnvironment environment);

}  // namespace tuner::engine
