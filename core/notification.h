// Who is told what of a job, and the outbox of what they are to be told. Plain values; any thread.
//
// A notification is stored in the commit of what it tells of, and sent afterwards, again and again until its receiver
// took it or it is given up: at least once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"

namespace tuner::core {

enum class JobStatus;

enum class NotificationEvent { kUnspecified, kJobEnded, kTrialFailed, kHealthRule };

struct Webhook {
  std::string url;           // http or https
  std::string hmac_key_env;  // variable of the server that holds the key of the signature; empty: not signed
};
struct NotificationCommand {
  std::vector<std::string> command;  // program and arguments
};

// One receiver.
struct NotificationRule {
  std::variant<std::monostate, Webhook, NotificationCommand> target;  // monostate: not given, which is refused
  std::vector<NotificationEvent> events;
};

enum class NotificationState { kUnspecified, kDue, kDelivered, kGivenUp };

// One event for one receiver.
struct Notification {
  int64_t number = 0;  // of the job's, from 1
  int32_t rule = 0;    // index into JobSpec::notifications
  NotificationEvent event = NotificationEvent::kUnspecified;
  std::optional<int32_t> trial;
  std::string text;        // what happened, in a sentence
  JobStatus job_status{};  // when it happened
  absl::Time time;         // when it happened
  NotificationState state = NotificationState::kDue;
  int32_t tries = 0;    // that ended
  absl::Time next_try;  // not before this time; of kDue
  std::string failure;  // of the last try
};

// Of a job, by state.
struct NotificationCounts {
  int64_t due = 0;
  int64_t delivered = 0;
  int64_t given_up = 0;
  std::string last_failure;  // names the receiver; empty once it took what was given to it later
  int32_t last_failure_rule = 0;
  std::optional<absl::Time> last_failure_time;

  int64_t made() const { return due + delivered + given_up; }
};

}  // namespace tuner::core
