// The channels of a container run: copies (FILE), shares of the hosts, and pipes that are fed (PIPE).
//
// Threads: as each class and function says. Ownership: a PipeFeeder owns its threads. Errors: as each function says.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "executors/container_plan.h"

namespace tuner::executors {

// The regular files of a channel in the order of their names, relative to its folder; of a single file its name.
absl::StatusOr<std::vector<std::string>> FilesOfChannel(const std::string& source);
// Those of one host: every n-th where the channel is sharded.
std::vector<std::string> ShareOfHost(std::vector<std::string> files, const core::Channel& channel, int host, int hosts);

// Fills input/data of every host; begins anew where it was cut off. `given_up` is asked between files: CANCELLED.
// INVALID_ARGUMENT: an input is missing. UNAVAILABLE: the disk.
absl::Status ProvideInputs(const ContainerPlan& plan, const std::function<bool()>& given_up);
// Removes the copies and pipes of an ended run.
void RemoveInputs(const ContainerPlan& plan);
bool HasPipes(const ContainerPlan& plan);

// Feeds the pipes <channel>_0, <channel>_1, ... of a run, one after the other: each gets the channel's files, one
// behind the other, once the trial opens it. Any thread.
class PipeFeeder {
 public:
  // The pipes are there after ProvideInputs.
  explicit PipeFeeder(const ContainerPlan& plan);
  // Ends without waiting for the trial.
  ~PipeFeeder();

 private:
  struct Pipe {
    std::string path;  // without the epoch
    std::string source;
    std::vector<std::string> files;
  };
  void Feed(const Pipe& pipe);
  // False: it is over.
  bool FeedEpoch(const Pipe& pipe, int64_t epoch);
  bool closing() const;

  std::vector<Pipe> pipes_;  // constant after construction
  mutable absl::Mutex mutex_;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace tuner::executors
