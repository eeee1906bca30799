// Drives one run on its engine, from its inputs to the end of its last container, and tells the listener.
//
// A thread of its own goes from step to step; each step can be repeated, so an engine that does not answer is asked
// again, with longer and longer pauses, and nobody else waits for it. One more thread for each host reads its output.
//
// Threads: any. Ownership: owns its threads; borrows what the environment names. The destructor leaves the containers
// as they are. Errors: none; how a run fails is its end.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "executors/container_inputs.h"
#include "executors/container_output.h"
#include "executors/container_plan.h"
#include "executors/container_records.h"
#include "executors/docker_api.h"
#include "executors/executor.h"

namespace tuner::executors {

class ContainerRun {
 public:
  struct Environment {
    HttpClient* http = nullptr;
    core::Clock* clock = nullptr;
    RunListener* listener = nullptr;
    // Called before the listener hears the end.
    std::function<void(const RunId&)> ended;
    // Last of all: the run's thread is about to return. `left_behind`: not all that it had on its engine is surely
    // gone.
    std::function<void(const RunId&, bool left_behind)> done;
  };

  // `told_started`: its RunStarted was told before.
  ContainerRun(ContainerPlan plan, std::shared_ptr<const CompiledMetrics> metrics, bool told_started,
               Environment environment);
  ~ContainerRun();

  void Begin();
  // False: it has ended.
  bool Stop(absl::Duration grace);
  // Leaves the containers as they are; nothing more is told. The destructor waits for the threads.
  void Detach();

  const ContainerPlan& plan() const { return plan_; }

 private:
  // How a host's container ended.
  struct HostEnd {
    ContainerState state;
    bool lost = false;
    bool unread = false;  // its output could not be read
    bool by_us = false;   // after it was told to end
    int order = 0;        // among the hosts
  };
  struct Host {
    std::thread follower;
    std::optional<HostEnd> end;
  };

  void Drive();
  // Everything before the first start. ABORTED: it was told to stop. CANCELLED: left alone.
  absl::Status Provide();
  absl::Status ProvideImage();
  absl::Status CreateAll();
  absl::StatusOr<std::string> CreateOne(int host, const absl::btree_map<std::string, std::string>& secrets);
  // INTERNAL: why a container cannot be started. DATA_LOSS: nobody knows whether it was.
  absl::Status StartAll();
  absl::Status StartOne(int host);
  // Makes a host's container anew, of which it is known that it never ran.
  absl::Status Replace(int host);
  absl::Status WriteStart();
  // Watches over the containers until the last has ended.
  void Supervise();
  void Follow(int host);
  // Gives a signal to all hosts that run. False: an engine did not answer.
  bool Signal(const std::string& signal);

  void Conclude(RunEnded ended);
  RunEnded EndOf(const absl::Status& failure);
  RunEnded EndOfHosts();
  std::string HowItEnded(const ContainerState& state) const;
  void AddTexts(RunEnded& ended, const std::string& how) const;
  std::string WithoutSecrets(std::string text) const;
  bool RemoveContainers();
  // Of a container that was started under an earlier boot of the machine.
  static bool EndedByReboot(const ContainerState& state);
  void TellRecorded(const ContainerEnd& end);

  // Calls until it is answered. CANCELLED: left alone; ABORTED: told to stop while `stoppable`.
  template <typename Call>
  auto Ask(bool stoppable, const Call& call) -> decltype(call(std::declval<StopSignal*>()));
  absl::Status Pause(int tries, bool stoppable);
  absl::Status GivenUp(bool stoppable) const;
  bool detached() const { return detach_.raised(); }

  const ContainerPlan plan_;
  const Environment environment_;
  const DockerApi api_;
  std::thread thread_;

  StopSignal detach_;     // the server goes away
  StopSignal interrupt_;  // or the run is told to stop

  // Of the driving thread.
  ContainerOutput output_;
  std::unique_ptr<PipeFeeder> feeder_;
  std::optional<RunStarted> started_;
  bool told_started_;
  std::vector<std::string> ids_;  // of each host's container, as recorded; constant once all are started
  std::string boot_id_;           // under which it was started
  bool begun_ = false;            // the record of its start is written
  bool resumed_ = false;          // ... by a server before this one
  bool timed_out_ = false;
  bool doubtful_ = false;             // an answer was lost: the engine may have more of this run than is recorded
  std::vector<std::string> secrets_;  // values, to be kept out of what is told

  mutable absl::Mutex mutex_;
  std::optional<absl::Time> stop_by_ ABSL_GUARDED_BY(mutex_);  // told to stop: when to kill it
  bool stop_asked_ ABSL_GUARDED_BY(mutex_) = false;
  bool has_ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool detaching_ ABSL_GUARDED_BY(mutex_) = false;
  bool signalled_ ABSL_GUARDED_BY(mutex_) = false;  // an engine may have told a container to end
  std::vector<Host> hosts_ ABSL_GUARDED_BY(mutex_);
  int ended_hosts_ ABSL_GUARDED_BY(mutex_) = 0;
  int failed_hosts_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace tuner::executors
