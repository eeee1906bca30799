#include "executors/aws/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "absl/synchronization/notification.h"
#include "tests/aws/aws_fixture.h"

namespace tuner::executors::aws {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::JumpingClock;
using testing::TestTime;

// Gives keys "1", "2", ... that hold for an hour; fails while it is told to.
struct Source {
  explicit Source(core::Clock& the_clock) : clock(the_clock) {}

  std::vector<CredentialsSource> sources() {
    return {{"a test", [this](StopSignal*) -> absl::StatusOr<Credentials> {
               ++calls;
               if (!failure.ok()) return failure;
               return Credentials{absl::StrCat(calls.load()), "s", "t", clock.Now() + lifetime};
             }}};
  }

  core::Clock& clock;
  std::atomic<int> calls{0};
  absl::Status failure;
  absl::Duration lifetime = absl::Hours(1);
};

struct CachingCredentialsTest : ::testing::Test {
  std::string Key() {
    const absl::StatusOr<Credentials> got = credentials.Get(nullptr);
    return got.ok() ? got->access_key_id : std::string(got.status().message());
  }

  JumpingClock clock{TestTime()};
  Source source{clock};
  CachingCredentials credentials{source.sources(), clock};
};

TEST_F(CachingCredentialsTest, RefreshesFiveMinutesBeforeTheyExpire) {
  EXPECT_EQ(Key(), "1");
  clock.Advance(absl::Minutes(54));
  EXPECT_EQ(Key(), "1");
  clock.Advance(absl::Minutes(1));
  EXPECT_EQ(Key(), "2");
  EXPECT_EQ(source.calls, 2);
}

TEST_F(CachingCredentialsTest, KeepsTheOldOnesWhileTheyHoldAndAsksEachMinute) {
  EXPECT_EQ(Key(), "1");
  source.failure = absl::UnavailableError("no answer");
  clock.Advance(absl::Minutes(56));
  EXPECT_EQ(Key(), "1");
  EXPECT_EQ(Key(), "1");
  EXPECT_EQ(source.calls, 2);
  clock.Advance(absl::Minutes(1));
  EXPECT_EQ(Key(), "1");
  EXPECT_EQ(source.calls, 3);
  clock.Advance(absl::Minutes(4));
  EXPECT_EQ(Key(), "no answer") << "they have expired";
  source.failure = absl::OkStatus();
  EXPECT_EQ(Key(), "5");
}

TEST_F(CachingCredentialsTest, DoesNotAskAllTheTimeForShortLivedOnes) {
  source.lifetime = absl::Minutes(2);
  EXPECT_EQ(Key(), "1");
  clock.Advance(absl::Seconds(59));
  EXPECT_EQ(Key(), "1");
  clock.Advance(absl::Seconds(1));
  EXPECT_EQ(Key(), "2");
}

TEST_F(CachingCredentialsTest, DoesNotGiveRefusedOnesAgain) {
  EXPECT_EQ(Key(), "1");
  credentials.Refuse("other");
  EXPECT_EQ(Key(), "1");
  credentials.Refuse("1");
  EXPECT_EQ(Key(), "2");
}

TEST(CachingCredentialsOfManyThreadsTest, OneRefreshesForAll) {
  JumpingClock clock(TestTime());
  std::atomic<int> calls{0};
  std::atomic<int> waiting{0};
  CachingCredentials credentials({{"slow",
                                   [&](StopSignal*) {
                                     ++calls;
                                     while (waiting < 8) std::this_thread::yield();
                                     return Credentials{"1", "s", "t", clock.Now() + absl::Hours(1)};
                                   }}},
                                 clock);
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      ++waiting;
      good += credentials.Get(nullptr).ok();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 8);
  EXPECT_EQ(calls, 1);
}

TEST(CachingCredentialsOfManyThreadsTest, OthersGoOnWithWhatStillHolds) {
  JumpingClock clock(TestTime());
  std::atomic<int> calls{0};
  absl::Notification asked;
  absl::Notification answered;
  CachingCredentials credentials(
      {{"slow",
        [&](StopSignal*) {
          if (++calls == 2) {
            asked.Notify();
            answered.WaitForNotification();
          }
          return Credentials{absl::StrCat(calls.load()), "s", "", clock.Now() + absl::Hours(1)};
        }}},
      clock);
  EXPECT_EQ(credentials.Get(nullptr)->access_key_id, "1");
  clock.Advance(absl::Minutes(56));
  std::thread refreshing([&] { EXPECT_EQ(credentials.Get(nullptr)->access_key_id, "2"); });
  asked.WaitForNotification();
  EXPECT_EQ(credentials.Get(nullptr)->access_key_id, "1");
  answered.Notify();
  refreshing.join();
  EXPECT_EQ(credentials.Get(nullptr)->access_key_id, "2");
}

TEST(CachingCredentialsOfManyThreadsTest, AStopEndsTheWaitForAnother) {
  JumpingClock clock(TestTime());
  absl::Notification asked;
  absl::Notification answered;
  CachingCredentials credentials({{"slow",
                                   [&](StopSignal*) {
                                     asked.Notify();
                                     answered.WaitForNotification();
                                     return Credentials{"1", "s", ""};
                                   }}},
                                 clock);
  std::thread refreshing([&] { EXPECT_TRUE(credentials.Get(nullptr).ok()); });
  asked.WaitForNotification();
  StopSignal stop;
  std::thread stopping([&] { stop.Raise(); });
  EXPECT_TRUE(absl::IsCancelled(credentials.Get(&stop).status()));
  stopping.join();
  answered.Notify();
  refreshing.join();
}

TEST(CredentialsOrderTest, LooksOnWhereNothingIsSetUpAndSaysWhereItLooked) {
  JumpingClock clock(TestTime());
  const auto nothing = [](StopSignal*) { return absl::NotFoundError("not set"); };
  CachingCredentials none({{"here", nothing}, {"there", nothing}}, clock);
  const absl::Status status = none.Get(nullptr).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("here (not set), there (not set)"), HasSubstr("AWS_ACCESS_KEY_ID")));

  const auto broken = [](StopSignal*) { return absl::UnauthenticatedError("broken"); };
  const auto good = [](StopSignal*) { return Credentials{"id", "s", ""}; };
  CachingCredentials wrong({{"here", nothing}, {"there", broken}, {"last", good}}, clock);
  EXPECT_EQ(wrong.Get(nullptr).status().message(), "broken") << "what is set up must not be passed over";
  CachingCredentials right({{"here", nothing}, {"last", good}}, clock);
  EXPECT_EQ(right.Get(nullptr)->access_key_id, "id");
}

}  // namespace
}  // namespace tuner::executors::aws
