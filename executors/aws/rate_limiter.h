// How fast a throttled client sends: the AWS SDKs' adaptive mode. Nothing is limited before the first throttled answer;
// then the rate falls to 0.7 of what was measured, and grows again along the cubic curve of TCP CUBIC (RFC 8312, 4.1).
//
// Threads: none of its own; its user guards it. Pure: time is passed in. Errors: none.
#pragma once

#include "absl/time/time.h"

namespace tuner::executors::aws {

class RateLimiter {
 public:
  // How long the next request has to wait; zero: none.
  absl::Duration Delay(absl::Time now) const;
  // A request is sent.
  void Sent(absl::Time now);
  // Its answer came.
  void Answered(bool throttled, absl::Time now);

  // Requests each second; infinite before the first throttled answer.
  double rate() const;

 private:
  double TokensAt(absl::Time now) const;
  void SetRate(double rate, absl::Time now);

  bool limits_ = false;
  double rate_ = 0;  // tokens each second
  double tokens_ = 0;
  absl::Time filled_at_;
  // Measured, in buckets of half a second, smoothed.
  double measured_rate_ = 0;
  double sent_in_bucket_ = 0;
  absl::Time bucket_;
  // The curve since the last throttled answer.
  double rate_before_ = 0;
  absl::Time throttled_at_;
};

}  // namespace tuner::executors::aws
