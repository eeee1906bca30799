// One POST to a webhook.
//
// Threads: any; blocks until the receiver answered, a timeout, or `stop`. Errors: a sentence for people that tells
// neither the address, which may hold a secret, nor the answer's text. UNAVAILABLE: no answer, or one that may change.
#pragma once

#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace tuner::notify {

struct WebhookCall {
  std::string url;                   // http or https; nothing else is spoken, and redirects are not followed
  std::vector<std::string> headers;  // "Name: value"
  std::string body;
  absl::Duration connect_timeout = absl::Seconds(5);
  absl::Duration timeout = absl::Seconds(10);  // for all of it
};

// OK: the receiver answered 2xx. `stop` ends it within about a second.
absl::Status PostWebhook(const WebhookCall& call, const std::atomic<bool>& stop);

}  // namespace tuner::notify
