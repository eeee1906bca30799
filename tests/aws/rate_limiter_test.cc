#include "executors/aws/rate_limiter.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tuner::executors::aws {
namespace {

const absl::Time kStart = absl::UnixEpoch() + absl::Hours(24);

// Sends as fast as it is let to, at most `wanted` each second; a service throttles above `allowed` each second.
struct Load {
  RateLimiter limiter;
  absl::Time now = kStart;
  int throttled = 0;

  int Run(absl::Duration duration, double wanted, double allowed) {
    const absl::Time end = now + duration;
    double service_tokens = 1;
    int carried_out = 0;
    while (now < end) {
      const absl::Duration step = std::max(limiter.Delay(now), absl::Seconds(1 / wanted));
      now += step;
      service_tokens = std::min(1 + allowed / 10, service_tokens + allowed * absl::ToDoubleSeconds(step));
      limiter.Sent(now);
      const bool refused = service_tokens < 1;
      if (refused) {
        ++throttled;
      } else {
        service_tokens -= 1;
        ++carried_out;
      }
      limiter.Answered(refused, now);
    }
    return carried_out;
  }
};

TEST(RateLimiterTest, LimitsNothingBeforeItIsThrottled) {
  Load load;
  EXPECT_EQ(load.Run(absl::Seconds(10), 100, 1000), 1000);
  EXPECT_TRUE(std::isinf(load.limiter.rate()));
  EXPECT_EQ(load.limiter.Delay(load.now), absl::ZeroDuration());
}

TEST(RateLimiterTest, FallsToSeventyPercentOfWhatWasSent) {
  Load load;
  load.Run(absl::Seconds(10), 100, 1000);
  load.limiter.Answered(true, load.now);
  EXPECT_NEAR(load.limiter.rate(), 70, 5);
  EXPECT_GT(load.limiter.Delay(load.now), absl::ZeroDuration());
}

TEST(RateLimiterTest, SettlesNearWhatTheServiceAllows) {
  Load load;
  load.Run(absl::Seconds(30), 200, 20);
  load.throttled = 0;
  const int carried_out = load.Run(absl::Seconds(120), 200, 20);
  EXPECT_GT(carried_out, 120 * 20 / 2);
  EXPECT_LT(load.throttled, carried_out / 5);
}

TEST(RateLimiterTest, GrowsAgainOnceTheServiceAllowsMore) {
  Load load;
  load.Run(absl::Seconds(30), 50, 5);
  EXPECT_LT(load.limiter.rate(), 15);
  load.Run(absl::Seconds(120), 50, 1000);
  EXPECT_GT(load.limiter.rate(), 40);
}

TEST(RateLimiterTest, SendsOnAfterARefusalOfTheFirstRequest) {
  RateLimiter limiter;
  limiter.Sent(kStart);
  limiter.Answered(true, kStart);
  EXPECT_LE(limiter.Delay(kStart), absl::Seconds(2));
  EXPECT_EQ(limiter.Delay(kStart + absl::Seconds(2)), absl::ZeroDuration());
}

}  // namespace
}  // namespace tuner::executors::aws
