// What each decorator adds, on a clock that stands still until it is set.
#include "executors/decorate.h"
#include "executors/later.h"
#include "gmock/gmock.h"
#include "tests/executors/fake_executor.h"
#include "tests/executors/run_recorder.h"

namespace tuner::executors {
namespace {

using Call = FakeExecutor::Call;
using Fault = FakeExecutor::Fault;
using Outcome = RunEnded::Outcome;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

RunSpec Spec(int trial) { return RunSpec{.id = {"job", "uid", trial, 1}}; }

class DecoratorsTest : public testing::Test {
 protected:
  std::unique_ptr<FakeExecutor> MakeFake(FakeExecutor::Options options = {}) {
    auto fake = std::make_unique<FakeExecutor>(world_, &recorder_, options);
    fake_ = fake.get();
    return fake;
  }
  void Fail(Fault fault) {
    fake_->SetFaults([this, fault](Call, const RunId&) {
      ++calls_;
      return fault;
    });
  }
  void FailLaunches(Fault fault) {
    fake_->SetFaults([fault](Call call, const RunId&) { return call == Call::kLaunch ? fault : Fault::kNone; });
  }

  core::ManualClock clock_{absl::FromUnixSeconds(1'000'000)};
  RunRecorder recorder_;
  std::shared_ptr<FakeWorld> world_ = std::make_shared<FakeWorld>();
  FakeExecutor* fake_ = nullptr;
  int calls_ = 0;
};

// ---- retrying
// ------------------------------------------------------------------------------------------------------------

class RetryingTest : public DecoratorsTest {
 protected:
  RetryingTest() {
    options_.own_thread = false;
    options_.jitter = 0;
    Make({});
  }
  void Make(FakeExecutor::Options fake) {
    retrying_ = MakeRetryingExecutor(MakeFake(fake), &recorder_, &clock_, options_);
  }
  // Sets the clock to what is due next, and does it; the time that passed.
  absl::Duration NextTry() {
    const absl::Time before = clock_.Now();
    clock_.Set(retrying_->NextDue());
    retrying_->RunDue();
    return clock_.Now() - before;
  }

  RetryOptions options_;
  std::unique_ptr<RetryingExecutor> retrying_;
};

TEST_F(RetryingTest, ALaunchIsTriedAgainLaterAndLater) {
  Fail(Fault::kRefuse);
  EXPECT_TRUE(retrying_->Launch(Spec(1)).ok());
  retrying_->RunDue();
  EXPECT_EQ(calls_, 1) << "not before its time";
  std::vector<absl::Duration> waits;
  for (int i = 0; i < 7; ++i) waits.push_back(NextTry());
  EXPECT_THAT(waits, ElementsAre(absl::Seconds(1), absl::Seconds(2), absl::Seconds(4), absl::Seconds(8),
                                 absl::Seconds(16), absl::Seconds(30), absl::Seconds(30)));
  fake_->SetFaults(nullptr);
  NextTry();
  EXPECT_THAT(world_->launched(), SizeIs(1));
  EXPECT_EQ(retrying_->NextDue(), absl::InfiniteFuture());
}

TEST_F(RetryingTest, WaitsAreShortenedAtRandom) {
  options_.jitter = 0.5;
  options_.most = options_.initial;
  Make({});
  Fail(Fault::kRefuse);
  ASSERT_TRUE(retrying_->Launch(Spec(1)).ok());
  std::set<absl::Duration> waits;
  for (int i = 0; i < 20; ++i) waits.insert(NextTry());
  EXPECT_GE(*waits.begin(), absl::Milliseconds(500));
  EXPECT_LE(*waits.rbegin(), absl::Seconds(1));
  EXPECT_GT(waits.size(), 10u);
}

TEST_F(RetryingTest, OneThatWaitsDelaysNoOther) {
  fake_->SetFaults([](Call, const RunId& id) { return id.trial == 1 ? Fault::kRefuse : Fault::kNone; });
  EXPECT_TRUE(retrying_->Launch(Spec(1)).ok());
  EXPECT_TRUE(retrying_->Launch(Spec(2)).ok());
  EXPECT_TRUE(retrying_->Stop(Spec(2).id, absl::Seconds(1)).ok());
  EXPECT_EQ(recorder_.Get(Spec(2).id).ended->outcome, Outcome::kStopped);
}

TEST_F(RetryingTest, ARefusalThatComesLaterIsTold) {
  class Refusing : public FakeExecutor {
   public:
    using FakeExecutor::FakeExecutor;
    absl::Status Launch(const RunSpec&) override {
      return ++launches == 1 ? absl::UnavailableError("down") : absl::InvalidArgumentError("no such image");
    }
    int launches = 0;
  };
  retrying_ = MakeRetryingExecutor(std::make_unique<Refusing>(world_, &recorder_), &recorder_, &clock_, options_);
  EXPECT_TRUE(retrying_->Launch(Spec(1)).ok());
  NextTry();
  EXPECT_EQ(recorder_.Get(Spec(1).id).ended->outcome, Outcome::kRefused);
  EXPECT_EQ(recorder_.Get(Spec(1).id).ended->reason, "no such image");
  EXPECT_TRUE(retrying_->Launch(Spec(1)).ok()) << "again";
  EXPECT_EQ(recorder_.Get(Spec(1).id).ends, 1);
  EXPECT_EQ(retrying_->Launch(Spec(2)).code(), absl::StatusCode::kInvalidArgument) << "at once";
}

TEST_F(RetryingTest, NoSlotIsTheCallersToWaitForUnlessTheLaunchWasTakenOver) {
  Make({.slots = 1});
  ASSERT_TRUE(retrying_->Launch(Spec(1)).ok());
  EXPECT_EQ(retrying_->Launch(Spec(2)).code(), absl::StatusCode::kResourceExhausted);
  FailLaunches(Fault::kRefuse);
  ASSERT_TRUE(retrying_->Launch(Spec(2)).ok());
  fake_->SetFaults(nullptr);
  NextTry();
  EXPECT_THAT(world_->launched(), SizeIs(1));
  fake_->Succeed(Spec(1).id);
  NextTry();
  EXPECT_THAT(world_->launched(), SizeIs(2));
}

// The engine may have started what it did not acknowledge: it may not be called never started.
TEST_F(RetryingTest, ALostAcknowledgementIsNotTakenForARefusal) {
  FailLaunches(Fault::kLoseAck);
  ASSERT_TRUE(retrying_->Launch(Spec(1)).ok());
  ASSERT_TRUE(retrying_->Stop(Spec(1).id, absl::Seconds(3)).ok());
  const auto run = world_->Find(Spec(1).id);
  ASSERT_TRUE(run.has_value());
  EXPECT_EQ(run->starts, 1);
  EXPECT_THAT(run->stops, ElementsAre(absl::Seconds(3)));
  EXPECT_EQ(recorder_.Get(Spec(1).id).ends, 1);
}

// While the engine is down nobody knows; the stop follows as soon as it answers.
TEST_F(RetryingTest, AStopWaitsForAnEngineThatIsDown) {
  Fail(Fault::kLoseAck);
  ASSERT_TRUE(retrying_->Launch(Spec(1)).ok());
  ASSERT_TRUE(retrying_->Stop(Spec(1).id, absl::Seconds(3)).ok());
  ASSERT_TRUE(retrying_->Stop(Spec(1).id, absl::Seconds(1)).ok()) << "shortens it";
  EXPECT_EQ(recorder_.Get(Spec(1).id).ends, 0);
  EXPECT_THAT(world_->Find(Spec(1).id)->stops, IsEmpty());
  fake_->SetFaults(nullptr);
  NextTry();
  EXPECT_THAT(world_->Find(Spec(1).id)->stops, ElementsAre(absl::Seconds(1)));
}

TEST_F(RetryingTest, AStopOfWhatTheEngineNeverTookIsToldAtOnce) {
  FailLaunches(Fault::kRefuse);
  ASSERT_TRUE(retrying_->Launch(Spec(1)).ok());
  ASSERT_TRUE(retrying_->Stop(Spec(1).id, absl::Seconds(3)).ok());
  EXPECT_EQ(recorder_.Get(Spec(1).id).ended->outcome, Outcome::kStopped);
  EXPECT_EQ(retrying_->Stop(Spec(1).id, absl::Seconds(3)).code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(retrying_->Launch(Spec(1)).ok());
  EXPECT_THAT(world_->launched(), IsEmpty());
}

TEST_F(RetryingTest, AStopThatWasNotTakenIsTriedAgain) {
  ASSERT_TRUE(retrying_->Launch(Spec(1)).ok());
  Fail(Fault::kRefuse);
  ASSERT_TRUE(retrying_->Stop(Spec(1).id, absl::Seconds(3)).ok());
  EXPECT_THAT(world_->Find(Spec(1).id)->stops, IsEmpty());
  NextTry();
  fake_->SetFaults(nullptr);
  NextTry();
  EXPECT_THAT(world_->Find(Spec(1).id)->stops, ElementsAre(absl::Seconds(3)));
  EXPECT_EQ(retrying_->NextDue(), absl::InfiniteFuture());
}

TEST_F(RetryingTest, AnAdoptionSaysWhenToAskAgain) {
  const RunCursor cursor{Spec(1), false};
  Fail(Fault::kRefuse);
  EXPECT_EQ(RetryAfter(retrying_->Adopt({&cursor, 1}).status()), absl::Seconds(1));
  EXPECT_EQ(RetryAfter(retrying_->Adopt({&cursor, 1}).status()), absl::Seconds(2));
  fake_->SetFaults(nullptr);
  EXPECT_TRUE(retrying_->Adopt({&cursor, 1}).ok());
  Fail(Fault::kRefuse);
  EXPECT_EQ(RetryAfter(retrying_->Adopt({&cursor, 1}).status()), absl::Seconds(1));
}

TEST_F(RetryingTest, WhatWasTakenOverIsKnown) {
  Fail(Fault::kRefuse);
  ASSERT_TRUE(retrying_->Launch(Spec(1)).ok());
  fake_->SetFaults(nullptr);
  const RunCursor cursors[] = {{Spec(1), false}, {Spec(2), false}};
  EXPECT_THAT(*retrying_->Adopt(cursors), ElementsAre(true, false));
}

TEST_F(RetryingTest, ADeletedJobIsNotLaunched) {
  Fail(Fault::kRefuse);
  ASSERT_TRUE(retrying_->Launch(Spec(1)).ok());
  ASSERT_TRUE(retrying_->Remove("job", "uid").ok());
  fake_->SetFaults(nullptr);
  clock_.Advance(absl::Hours(1));
  retrying_->RunDue();
  EXPECT_THAT(world_->launched(), IsEmpty());
}

TEST_F(RetryingTest, ItsOwnThreadWaitsForTheClock) {
  options_.own_thread = true;
  Make({.start_on_launch = true});
  Fail(Fault::kRefuse);
  ASSERT_TRUE(retrying_->Launch(Spec(1)).ok());
  fake_->SetFaults(nullptr);
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(recorder_.AwaitStarted(Spec(1).id));
}

// ---- rate limit
// ----------------------------------------------------------------------------------------------------------

TEST_F(DecoratorsTest, LaunchesPassAtTheRateAfterABurst) {
  const auto limited = MakeRateLimitedExecutor(MakeFake(), &clock_, {.per_second = 2, .burst = 3});
  for (int trial = 1; trial <= 3; ++trial) EXPECT_TRUE(limited->Launch(Spec(trial)).ok());
  const absl::Status fourth = limited->Launch(Spec(4));
  const absl::Status fifth = limited->Launch(Spec(5));
  EXPECT_EQ(fourth.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(fourth.message()), HasSubstr("at most 2 runs per second"));
  EXPECT_EQ(RetryAfter(fourth), absl::Milliseconds(500));
  EXPECT_EQ(RetryAfter(fifth), absl::Seconds(1));
  clock_.Advance(absl::Milliseconds(500));
  EXPECT_EQ(RetryAfter(limited->Launch(Spec(5))), absl::Milliseconds(500)) << "the fourth was first";
  EXPECT_TRUE(limited->Launch(Spec(4)).ok());
  clock_.Advance(absl::Milliseconds(500));
  EXPECT_TRUE(limited->Launch(Spec(5)).ok());
  EXPECT_FALSE(limited->Launch(Spec(6)).ok());
  clock_.Advance(absl::Hours(1));
  EXPECT_TRUE(limited->Launch(Spec(6)).ok());
  int burst = 0;
  for (int trial = 7; trial <= 20; ++trial) burst += limited->Launch(Spec(trial)).ok() ? 1 : 0;
  EXPECT_EQ(burst, 3) << "no more is saved up";
}

TEST_F(DecoratorsTest, RunsThatWaitForTheirTurnAreAllLaunchedInOrder) {
  RetryOptions options;
  options.own_thread = false;
  const auto retrying = MakeRetryingExecutor(
      MakeRateLimitedExecutor(MakeFake(), &clock_, {.per_second = 10, .burst = 1}), &recorder_, &clock_, options);
  for (int trial = 1; trial <= 30; ++trial) ASSERT_TRUE(retrying->Launch(Spec(trial)).ok());
  ASSERT_TRUE(retrying->Stop(Spec(7).id, absl::ZeroDuration()).ok());
  EXPECT_EQ(recorder_.Get(Spec(7).id).ended->outcome, Outcome::kStopped) << "it surely never began";
  const absl::Time begin = clock_.Now();
  while (retrying->NextDue() != absl::InfiniteFuture()) {
    clock_.Set(retrying->NextDue());
    retrying->RunDue();
  }
  EXPECT_EQ(clock_.Now() - begin, absl::Milliseconds(2'900));
  std::vector<int> trials, expected;
  for (const RunSpec& spec : world_->launched()) trials.push_back(spec.id.trial);
  for (int trial = 1; trial <= 30; ++trial) {
    if (trial != 7) expected.push_back(trial);
  }
  EXPECT_EQ(trials, expected);
}

// ---- circuit breaker
// -----------------------------------------------------------------------------------------------------

TEST_F(DecoratorsTest, ADeadEngineIsLeftAloneAndAskedOnceAfterTheCoolDown) {
  const auto breaker = MakeCircuitBreaker(MakeFake(), &clock_, "container", {3, absl::Seconds(10)});
  const RunCursor cursor{Spec(3), false};
  Fail(Fault::kRefuse);
  EXPECT_TRUE(absl::IsUnavailable(breaker->Launch(Spec(1))));
  EXPECT_TRUE(absl::IsUnavailable(breaker->Stop(Spec(1).id, absl::ZeroDuration())));
  EXPECT_TRUE(absl::IsUnavailable(breaker->Adopt({&cursor, 1}).status()));
  EXPECT_EQ(calls_, 3);
  const absl::Status refused = breaker->Launch(Spec(2));
  EXPECT_EQ(calls_, 3) << "it was asked";
  EXPECT_TRUE(absl::IsUnavailable(refused));
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("executor container did not answer 3 times in a row, and is asked again in 10s; the last time: "
                        "the engine is down"));
  EXPECT_EQ(RetryAfter(refused), absl::Seconds(10));

  clock_.Advance(absl::Seconds(10));
  EXPECT_EQ(RetryAfter(breaker->Launch(Spec(1))), std::nullopt) << "the one that is let through";
  EXPECT_EQ(calls_, 4);
  EXPECT_EQ(RetryAfter(breaker->Launch(Spec(1))), absl::Seconds(10));
  EXPECT_EQ(calls_, 4);

  clock_.Advance(absl::Seconds(10));
  fake_->SetFaults(nullptr);
  EXPECT_TRUE(breaker->Launch(Spec(1)).ok());
  EXPECT_TRUE(breaker->Launch(Spec(2)).ok()) << "it is back";
}

TEST_F(DecoratorsTest, WhileOneCallIsLetThroughOthersAreNot) {
  const auto breaker = MakeCircuitBreaker(MakeFake(), &clock_, "container", {1, absl::Seconds(10)});
  Fail(Fault::kRefuse);
  EXPECT_FALSE(breaker->Launch(Spec(1)).ok());
  clock_.Advance(absl::Seconds(10));
  absl::Status meanwhile;
  fake_->SetFaults([&](Call, const RunId& id) {
    if (id.trial == 1) meanwhile = breaker->Launch(Spec(2));
    return Fault::kNone;
  });
  EXPECT_TRUE(breaker->Launch(Spec(1)).ok());
  EXPECT_TRUE(absl::IsUnavailable(meanwhile));
  EXPECT_THAT(world_->launched(), SizeIs(1));
}

TEST_F(DecoratorsTest, OtherErrorsAreAnswers) {
  const auto breaker = MakeCircuitBreaker(MakeFake({.slots = 1}), &clock_, "container", {2, absl::Seconds(10)});
  ASSERT_TRUE(breaker->Launch(Spec(1)).ok());
  for (int i = 0; i < 5; ++i) {
    FailLaunches(Fault::kRefuse);
    EXPECT_TRUE(absl::IsUnavailable(breaker->Launch(Spec(2))));
    fake_->SetFaults(nullptr);
    EXPECT_TRUE(absl::IsResourceExhausted(breaker->Launch(Spec(2))));
  }
}

// ---- all of them
// ---------------------------------------------------------------------------------------------------------

TEST_F(DecoratorsTest, ALaunchThatWaitsForItsTurnIsNoFailureOfTheEngine) {
  Decoration decoration;
  decoration.retry.own_thread = false;
  decoration.rate_limit = RateLimit{.per_second = 1, .burst = 1};
  decoration.breaker = BreakerOptions{.failures = 2, .cool_down = absl::Minutes(1)};
  const auto executor = Decorate(MakeFake(), "container", &recorder_, &clock_, decoration);
  auto& retrying = static_cast<RetryingExecutor&>(*executor);
  for (int trial = 1; trial <= 10; ++trial) ASSERT_TRUE(executor->Launch(Spec(trial)).ok());
  clock_.Advance(absl::Seconds(9));
  retrying.RunDue();
  EXPECT_THAT(world_->launched(), SizeIs(10));
}

TEST_F(DecoratorsTest, AnExternalExecutorIsLeftAsItIs) {
  FakeExecutor::Options options;
  options.capabilities.is_external = true;
  auto fake = MakeFake(options);
  const Executor* before = fake.get();
  EXPECT_EQ(Decorate(std::move(fake), "external", &recorder_, &clock_, {}).get(), before);
}

}  // namespace
}  // namespace tuner::executors
