// What a refusal "not now" (UNAVAILABLE, RESOURCE_EXHAUSTED) may say beside its text: when to ask again. Carried in the
// status, so that executors and decorators need to know nothing of each other.
//
// Threads: pure functions.
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace tuner::executors {

// `status` with the time after which the same call is worth another try.
absl::Status WithRetryAfter(absl::Status status, absl::Duration wait);
std::optional<absl::Duration> RetryAfter(const absl::Status& status);

}  // namespace tuner::executors
