#include "core/clock.h"

#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace tuner::core {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);

TEST(ManualClockTest, StandsStillAndNeverGoesBack) {
  ManualClock clock(kStart);
  EXPECT_EQ(clock.Now(), kStart);
  clock.Advance(absl::Seconds(5));
  EXPECT_EQ(clock.Now(), kStart + absl::Seconds(5));
  clock.Set(kStart);
  EXPECT_EQ(clock.Now(), kStart + absl::Seconds(5));
}

TEST(ManualClockTest, PastDeadlineAndHoldingConditionReturnAtOnce) {
  ManualClock clock(kStart);
  absl::Mutex mutex;
  absl::MutexLock lock(&mutex);
  bool ready = false;
  EXPECT_FALSE(clock.AwaitUntil(mutex, absl::Condition(&ready), kStart));
  ready = true;
  EXPECT_TRUE(clock.AwaitUntil(mutex, absl::Condition(&ready), absl::InfiniteFuture()));
}

TEST(ManualClockTest, WakesByTime) {
  ManualClock clock(kStart);
  absl::Mutex mutex;
  bool ready = false;
  std::vector<std::thread> waiters;
  for (int i = 1; i <= 4; ++i) {
    waiters.emplace_back([&, i] {
      absl::MutexLock lock(&mutex);
      EXPECT_FALSE(clock.AwaitUntil(mutex, absl::Condition(&ready), kStart + absl::Seconds(i)));
      EXPECT_GE(clock.Now(), kStart + absl::Seconds(i));
    });
  }
  for (int i = 1; i <= 4; ++i) {
    clock.Advance(absl::Seconds(1));
    waiters[i - 1].join();
  }
}

TEST(ManualClockTest, WakesByCondition) {
  ManualClock clock(kStart);
  absl::Mutex mutex;
  bool ready = false;
  std::thread waiter([&] {
    absl::MutexLock lock(&mutex);
    EXPECT_TRUE(clock.AwaitUntil(mutex, absl::Condition(&ready), kStart + absl::Hours(1)));
  });
  {
    absl::MutexLock lock(&mutex);
    ready = true;
  }
  waiter.join();
  EXPECT_EQ(clock.Now(), kStart);
}

// Set beside waiters that come and go must neither miss one nor deadlock.
TEST(ManualClockTest, ManyWaitersWhileTimeGoesOn) {
  ManualClock clock(kStart);
  constexpr int kSteps = 500;
  std::vector<std::thread> waiters;
  for (int t = 0; t < 3; ++t) {
    waiters.emplace_back([&] {
      absl::Mutex mutex;
      const bool never = false;
      for (int i = 1; i <= kSteps; ++i) {
        absl::MutexLock lock(&mutex);
        EXPECT_FALSE(clock.AwaitUntil(mutex, absl::Condition(&never), kStart + absl::Seconds(i)));
      }
    });
  }
  for (int i = 0; i < kSteps; ++i) clock.Advance(absl::Seconds(1));
  for (std::thread& waiter : waiters) waiter.join();
}

TEST(SystemClockTest, FollowsTheMachineAndWaits) {
  const std::unique_ptr<Clock> clock = MakeSystemClock();
  const absl::Time before = clock->Now();
  EXPECT_LT(absl::AbsDuration(absl::Now() - before), absl::Minutes(1));
  absl::Mutex mutex;
  absl::MutexLock lock(&mutex);
  bool ready = false;
  EXPECT_FALSE(clock->AwaitUntil(mutex, absl::Condition(&ready), before));
  const absl::Time deadline = clock->Now() + absl::Milliseconds(1);
  EXPECT_FALSE(clock->AwaitUntil(mutex, absl::Condition(&ready), deadline));
  EXPECT_GE(clock->Now(), deadline);
  ready = true;
  EXPECT_TRUE(clock->AwaitUntil(mutex, absl::Condition(&ready), absl::InfiniteFuture()));
}

}  // namespace
}  // namespace tuner::core
