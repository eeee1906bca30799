// One thread that watches all runs of the machine and tells the listener what they do.
//
// It sleeps until inotify (records, output) or a pidfd (a supervisor that is gone) wakes it; quiet runs cost nothing.
// Output of a chatty run is read at most every kReadInterval. Where the kernel gives no watch, a run is looked at every
// kPollInterval instead.
//
// Threads: any. Ownership: owns followers and pidfds; borrows the listener. Errors: as each method says. Events are
// delivered by its own thread, never under its lock.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "executors/executor.h"
#include "executors/run_follower.h"
#include "executors/unique_fd.h"

namespace tuner::executors {

class RunWatch {
 public:
  // `ended` is called before the listener hears that a run has ended, while it is still watched: what the run held is
  // free then. UNAVAILABLE: the kernel refused.
  static absl::StatusOr<std::unique_ptr<RunWatch>> Make(RunListener* listener, std::function<void(const RunId&)> ended);
  // Stops watching; a call to the listener that is under way ends first. Runs go on.
  ~RunWatch();

  // From now on tells about the run. An empty pidfd: whoever holds the claim supervises it.
  void Add(const RunId& id, std::unique_ptr<RunFollower> follower, UniqueFd pidfd);
  bool Watches(const RunId& id) const;
  // Asks the run's supervisor to end it. NOT_FOUND: not watched, or its supervisor is gone.
  absl::Status Stop(const RunId& id, absl::Duration grace);
  // Tells the supervisor of a run that has ended that nobody will ask for its end again.
  void Acknowledge(const RunId& id);

 private:
  struct Entry {
    std::unique_ptr<RunFollower> follower;  // used by the thread only
    UniqueFd pidfd;                         // replaced by the thread, under the lock
    uint64_t token = 0;                     // of pidfd in epoll
    std::vector<int> watches;               // inotify
    bool unwatched = false;                 // the kernel gave no watch
    bool unsupervised = false;              // its supervisor cannot be watched
    bool unread = false;                    // something of it could not be read
    std::optional<absl::Duration> stop;     // asked for while nobody could be told
    int64_t read_ms = 0;                    // when its output was last read

    bool polled() const { return unwatched || unsupervised || unread; }
  };
  // A supervisor that is done with, until it is gone.
  struct Leaving {
    RunId id;
    UniqueFd pidfd;
  };
  // What a wake-up wants from a run.
  enum Wanted { kLater, kNow };

  RunWatch(RunListener* listener, std::function<void(const RunId&)> ended)
      : listener_(listener), ended_(std::move(ended)) {}
  absl::Status Open();
  void Loop();
  int WaitMs(int64_t now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TakeInotify() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TakePidfd(uint64_t token) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Look(const RunId& id, int64_t now);
  bool IsSupervised(Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WatchPidfd(const RunId& id, Entry& entry, UniqueFd pidfd) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AddWatch(const RunId& id, Entry& entry, const std::string& path, uint32_t mask)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Forget(const RunId& id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void LetGo(const RunId& id, Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Wake();

  // Constant after Make.
  RunListener* const listener_;
  const std::function<void(const RunId&)> ended_;
  UniqueFd epoll_, inotify_, wake_;
  std::thread thread_;

  mutable absl::Mutex mutex_;
  absl::btree_map<RunId, std::unique_ptr<Entry>> entries_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<int, RunId> by_watch_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<uint64_t, RunId> by_token_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<uint64_t, Leaving> leaving_ ABSL_GUARDED_BY(mutex_);  // by token
  absl::btree_map<RunId, Wanted> wanted_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_token_ ABSL_GUARDED_BY(mutex_) = 2;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace tuner::executors
