// A proxy between a client and an engine on unix sockets that cuts, delays and garbles the engine's answers, by a seed.
#pragma once

#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "executors/unique_fd.h"

namespace tuner::executors {

class FaultProxy {
 public:
  // What may happen to one connection's answers, as parts of 1; the rest pass as they are.
  struct Faults {
    double cut = 0;     // the connection ends somewhere in the answer
    double refuse = 0;  // it ends before the request is passed on
    double lose = 0;    // the request is passed on, and its answer is not
    double delay = 0;   // the answer comes late
    double garble = 0;  // bytes of the answer's head are others
  };

  FaultProxy(std::string engine_socket, uint64_t seed, Faults faults);
  ~FaultProxy();

  const std::string& socket() const { return path_; }
  // From now on everything passes as it is.
  void Heal();
  // From now on looks for a request whose head begins with a line that contains `text`.
  void Watch(std::string text);
  // Returns when the engine was given one, or false after a time that only a broken client takes.
  bool AwaitWatched() const;
  // Connections to which something was done.
  int faults() const;

 private:
  enum class Fault { kNone, kCut, kRefuse, kLose, kDelay, kGarble };

  void Accept();
  void Pass(int client, Fault fault, uint64_t random);
  Fault Draw(uint64_t& random);
  void Look(absl::string_view request);

  const std::string engine_socket_;
  std::string folder_, path_;
  UniqueFd listener_, closing_;
  mutable absl::Mutex mutex_;
  Faults faults_ ABSL_GUARDED_BY(mutex_);
  uint64_t state_ ABSL_GUARDED_BY(mutex_);
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string watched_ ABSL_GUARDED_BY(mutex_);  // empty: nothing, or it was seen
  std::vector<std::thread> threads_;             // of Accept
  std::thread thread_;
};

}  // namespace tuner::executors
