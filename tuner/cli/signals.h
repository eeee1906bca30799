// Ctrl-C and its relatives as a callback instead of the end of the process.
//
// Threads: construct before any other thread starts, as the signals are blocked in the calling thread and those it
// starts; the callback runs on a thread of the watcher's own. Ownership: the destructor ends that thread and restores
// the mask. No errors.
#pragma once

#include <signal.h>

#include <functional>
#include <thread>

namespace tuner::cli {

class SignalWatcher {
 public:
  // Calls `on_signal` with SIGINT, SIGTERM or SIGHUP for each that comes.
  explicit SignalWatcher(std::function<void(int signal)> on_signal);
  ~SignalWatcher();
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;

 private:
  sigset_t before_;
  int signal_fd_ = -1;
  int end_fd_ = -1;
  std::thread thread_;
};

}  // namespace tuner::cli
