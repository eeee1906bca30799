// Follows a job to its end: watches it, shows its progress, and hands interrupts to whoever runs it.
//
// Threads: Follow runs on the caller's thread with one reader thread of its own; Interrupts::Push from any thread.
// Ownership: all borrowed. Errors: the watch's; UNAVAILABLE only after the server could not be reached again for a
// minute.
#pragma once

#include <deque>
#include <functional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "tuner/cli/client.h"
#include "tuner/cli/progress.h"

namespace tuner::cli {

// What may happen to a follower, in order of arrival.
struct FollowEvent {
  enum class Kind { kChange, kStreamEnded, kInterrupt };
  Kind kind = Kind::kChange;
  v1::WatchTuningJobResponse change;
  absl::Status status;
};

class FollowInbox {
 public:
  void Push(FollowEvent event) ABSL_LOCKS_EXCLUDED(mutex_);
  void Interrupt() { Push({FollowEvent::Kind::kInterrupt, {}, {}}); }
  // Waits up to `timeout`; false: nothing came.
  bool Pop(absl::Duration timeout, FollowEvent& event) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Mutex mutex_;
  std::deque<FollowEvent> events_ ABSL_GUARDED_BY(mutex_);
};

struct FollowEnd {
  v1::TuningJob job;
  bool interrupted = false;  // `on_interrupt` said so
};

// What an interrupt does; `count` is 1 for the first. Called once for each (`news`), and while draining again and again
// with the last count, since trials may come to be stopped only after the interrupt that should kill them.
enum class OnInterrupt {
  kLeave,  // end the following now
  kDrain,  // go on until no trial of the job is active
};
using InterruptHandler = std::function<OnInterrupt(int count, bool news, const v1::TuningJob& job)>;

// `progress` may hold what is known already.
absl::StatusOr<FollowEnd> Follow(Client& client, const std::string& job_name, JobProgress& progress, ProgressView& view,
                                 FollowInbox& inbox, const InterruptHandler& on_interrupt);

}  // namespace tuner::cli
