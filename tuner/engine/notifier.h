// How those are told who want to hear of a job: the engine's view of it.
//
// Threads: Deliver from the engine's loop, which it does not block; `done` from any thread. Ownership: values in; the
// engine borrows its notifier. Errors: as Deliver says.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "core/job.h"
#include "core/notification.h"

namespace tuner::engine {

// One try to deliver a notification, and what its receiver is to be told.
struct Delivery {
  core::Notification notification;
  core::NotificationRule rule;
  std::string job_id;
  std::string job_uid;
  std::string base_dir;
  core::TrialCounts counts;
  std::optional<int32_t> best_trial;
  std::optional<double> best_objective;
};

class Notifier {
 public:
  virtual ~Notifier() = default;

  // Begins the try. `done` is called once, with what was wrong in a sentence if the receiver did not take it; not at
  // all once Shutdown was called. One try at a time is under way for a receiver, in the order in which they came, and
  // receivers do not wait for each other.
  virtual void Deliver(Delivery delivery, std::function<void(absl::Status)> done) = 0;

  // Ends what is under way, and waits for that; `done` is not called afterwards. Idempotent.
  virtual void Shutdown() = 0;
};

}  // namespace tuner::engine
