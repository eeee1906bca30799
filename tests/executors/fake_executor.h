// An executor whose runs do what a test tells them to: for the engine's tests, the simulation and the conformance
// suite.
//
// A FakeWorld is the machine on which runs live; it outlives a "crash" of the server, as processes do. A FakeExecutor
// is one server's view of it: destroy it and make another one on the same world to play a restart.
//
// Threads: any thread; nothing happens but inside of a call, so that a single-threaded test is deterministic.
// Ownership: executor and test share the world; the listener is borrowed. Errors: those of Executor, and those that a
// test injects.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "executors/executor.h"

namespace tuner::executors {

class FakeWorld {
 public:
  struct Run {
    RunSpec spec;
    int starts = 0;  // times that something was really started; 1, or the idempotence of Launch is broken
    bool started = false;
    std::vector<core::Measurement> output;  // the n-th one ends at stdout_offset n + 1
    core::ScanCursor end_cursor;            // after all of `output`
    std::vector<absl::Duration> stops;      // grace of each Stop
    std::optional<RunEnded> ended;
    bool acknowledged = false;  // the server said that the end is stored
    bool removed = false;       // its artefacts were
    bool logs_removed = false;
  };

  // Every run that was ever accepted, in the order of their first Launch.
  std::vector<RunSpec> launched() const;
  std::optional<Run> Find(const RunId& id) const;
  // Runs that were accepted and have not ended.
  std::vector<RunId> active() const;
  // Waits until the run was accepted, with a bound that only a broken executor reaches.
  bool AwaitLaunched(const RunId& id) const;

 private:
  friend class FakeExecutor;
  mutable absl::Mutex mutex_;
  absl::btree_map<RunId, Run> runs_ ABSL_GUARDED_BY(mutex_);
  std::vector<RunId> order_ ABSL_GUARDED_BY(mutex_);
};

class FakeExecutor : public Executor {
 public:
  struct Options {
    Capabilities capabilities = {.survives_server = true,
                                 .scans_output = true,
                                 .enforces_time_limit = true,
                                 .reports_resources = true,
                                 .has_logs = false,
                                 .is_external = false};
    bool start_on_launch = false;  // a run starts by itself when it is launched
    bool end_on_stop = true;       // a stopped run ends by itself as kStopped; else the test ends it
    bool queue_events =
        false;      // events wait until Deliver; else they are delivered before the call that made them returns
    int slots = 0;  // RESOURCE_EXHAUSTED beyond so many active runs; 0: no bound
  };
  enum class Call { kLaunch, kStop, kAdopt, kAcknowledge, kRemoveArtifacts };
  enum class Fault {
    kNone,
    kRefuse,   // nothing is done, the caller sees UNAVAILABLE
    kLoseAck,  // it is done, and the caller sees UNAVAILABLE all the same
  };

  FakeExecutor(std::shared_ptr<FakeWorld> world, RunListener* listener, Options options);
  FakeExecutor(std::shared_ptr<FakeWorld> world, RunListener* listener);

  absl::Status Launch(const RunSpec& spec) override;
  absl::Status Stop(const RunId& id, absl::Duration grace) override;
  absl::StatusOr<std::vector<bool>> Adopt(absl::Span<const RunCursor> runs) override;
  void Acknowledge(const RunId& id) override;
  absl::Status RemoveArtifacts(const RunSpec& spec, bool with_logs) override;
  absl::Status Remove(const std::string& job_id, const std::string& job_uid) override;
  Capabilities capabilities() const override { return options_.capabilities; }

  // What the test lets happen in the world. False: no such run, or it is not in a state for it. Calls about a run that
  // this instance was not asked to launch or adopt change the world without an event, as with a server that does not
  // know of the run yet.
  bool Start(const RunId& id);
  // With `step` < 0 the value gets the next counted step of its metric.
  bool Metric(const RunId& id, const std::string& metric, double value, int64_t step = -1);
  bool End(const RunId& id, RunEnded ended);
  bool Succeed(const RunId& id);
  bool Fail(const RunId& id, const std::string& reason);

  // Asked before each call is served; the id is that of the first run for Adopt.
  void SetFaults(std::function<Fault(Call, const RunId&)> faults);

  // With `queue_events`: number of events that wait, and delivery of the oldest event of one of the runs that have any;
  // `choice` says which, modulo their number, so that a random test reorders events between runs (never within one).
  // With `keep` it is delivered again later.
  size_t waiting() const;
  bool Deliver(uint64_t choice = 0, bool keep = false);
  void DeliverAll();

  std::vector<RunSpec> launched() const { return world_->launched(); }

 private:
  Fault NextFault(Call call, const RunId& id);
  void Emit(const RunId& id, std::variant<RunStarted, RunMetrics, RunEnded> what)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(world_->mutex_);
  bool Knows(const RunId& id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(world_->mutex_);
  // Delivers what waits, unless the test does so itself.
  void Flush();
  bool Pop(uint64_t choice, bool keep, RunEvent& event);

  const std::shared_ptr<FakeWorld> world_;
  RunListener* const listener_;
  const Options options_;
  std::function<Fault(Call, const RunId&)> faults_ ABSL_GUARDED_BY(world_->mutex_);
  absl::btree_map<RunId, bool> known_ ABSL_GUARDED_BY(world_->mutex_);
  absl::btree_map<RunId, std::deque<RunEvent>> events_ ABSL_GUARDED_BY(world_->mutex_);
};

}  // namespace tuner::executors
