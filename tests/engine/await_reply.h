// Calls of the engine that wait for their answer.
#pragma once

#include <utility>

#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "tuner/engine/engine.h"

namespace tuner::engine {

// `call` is given the callback that it passes on to the engine.
template <typename Call>
absl::StatusOr<Reply> AwaitReply(Call call) {
  absl::Notification answered;
  absl::StatusOr<Reply> answer = absl::InternalError("no answer");
  call([&](absl::StatusOr<Reply> reply) {
    answer = std::move(reply);
    answered.Notify();
  });
  answered.WaitForNotification();
  return answer;
}

}  // namespace tuner::engine
