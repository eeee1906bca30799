// Carries launches, stops, adoptions and acknowledgements to one executor, in order, on a thread of its own: a slow
// engine delays nobody else. What has no free slot there (RESOURCE_EXHAUSTED) waits here for the end of another run.
// What waits for time waits in the executor (executors/retrying.h): a launch that is UNAVAILABLE here is refused.
//
// Threads: every method from any thread; callbacks run on the dispatcher's thread (inline without own thread).
// Ownership: borrows the executor.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "executors/executor.h"

namespace tuner::engine {

class Dispatcher {
 public:
  struct Callbacks {
    // The run cannot be started with this specification.
    std::function<void(const executors::RunId&, const absl::Status&)> refused;
    // The run was stopped before it was started.
    std::function<void(const executors::RunId&)> never_started;
  };
  using AdoptCallback = std::function<void(absl::StatusOr<std::vector<bool>>)>;

  virtual ~Dispatcher() = default;  // Shutdown()

  virtual void Launch(executors::RunSpec spec) = 0;
  virtual void Stop(executors::RunId id, absl::Duration grace) = 0;
  virtual void Adopt(std::vector<executors::RunCursor> runs, AdoptCallback done) = 0;
  virtual void Acknowledge(executors::RunId id) = 0;
  virtual void Remove(std::string job_id, std::string job_uid) = 0;
  // Done when nothing else is to be done: it may take long. `done` is not called if Shutdown comes first.
  virtual void RemoveArtifacts(executors::RunSpec spec, bool with_logs, std::function<void(absl::Status)> done) = 0;
  // A run of this executor has ended: those that wait for a slot are tried again.
  virtual void SlotFreed() = 0;
  // Does what is at hand, drops what waits and removals of artefacts, and joins.
  virtual void Shutdown() = 0;
};

std::unique_ptr<Dispatcher> MakeDispatcher(executors::Executor* executor, Dispatcher::Callbacks callbacks,
                                           bool own_thread);

}  // namespace tuner::engine
