#include "executors/aws/rate_limiter.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tuner::executors::aws {
namespace {

// The values of the AWS SDKs' adaptive mode.
constexpr double kBeta = 0.7;             // the rate after a throttled answer, of the one before
constexpr double kScale = 0.4;            // of the cubic curve
constexpr double kSmoothing = 0.8;        // weight of the latest bucket in the measured rate
constexpr double kLeastRate = 0.5;        // each second
constexpr double kLeastCapacity = 1;      // tokens
constexpr double kMostAboveMeasured = 2;  // a limit that nobody reaches need not grow
constexpr absl::Duration kBucket = absl::Milliseconds(500);

}  // namespace

double RateLimiter::rate() const { return limits_ ? rate_ : std::numeric_limits<double>::infinity(); }

double RateLimiter::TokensAt(absl::Time now) const {
  const double filled = tokens_ + rate_ * std::max(0.0, absl::ToDoubleSeconds(now - filled_at_));
  return std::min(filled, std::max(rate_, kLeastCapacity));
}

absl::Duration RateLimiter::Delay(absl::Time now) const {
  if (!limits_) return absl::ZeroDuration();
  return absl::Seconds(std::max(0.0, (1 - TokensAt(now)) / rate_));
}

void RateLimiter::Sent(absl::Time now) {
  if (limits_) {
    // Below zero: several threads found a token at once, and the next ones wait for it.
    tokens_ = TokensAt(now) - 1;
    filled_at_ = std::max(filled_at_, now);
  }
  const absl::Duration passed = now - bucket_;
  sent_in_bucket_ += 1;
  if (passed >= kBucket) {
    const double rate = sent_in_bucket_ / std::min(absl::ToDoubleSeconds(passed), 60.0);
    measured_rate_ = kSmoothing * rate + (1 - kSmoothing) * measured_rate_;
    sent_in_bucket_ = 0;
    bucket_ = now;
  }
}

void RateLimiter::Answered(bool throttled, absl::Time now) {
  if (throttled) {
    const double reached = limits_ ? std::min(measured_rate_, rate_) : measured_rate_;
    rate_before_ = reached;
    throttled_at_ = now;
    limits_ = true;
    SetRate(reached * kBeta, now);
    return;
  }
  if (!limits_) return;
  const double flat =
      std::cbrt(rate_before_ * (1 - kBeta) / kScale);  // seconds until the curve is at rate_before_ again
  const double passed = absl::ToDoubleSeconds(now - throttled_at_);
  const double curve = kScale * std::pow(passed - flat, 3) + rate_before_;
  SetRate(std::min(curve, kMostAboveMeasured * measured_rate_), now);
}

void RateLimiter::SetRate(double rate, absl::Time now) {
  tokens_ = TokensAt(now);
  filled_at_ = std::max(filled_at_, now);
  rate_ = std::max(rate, kLeastRate);
  tokens_ = std::min(tokens_, std::max(rate_, kLeastCapacity));
}

}  // namespace tuner::executors::aws
