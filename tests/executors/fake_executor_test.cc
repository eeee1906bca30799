// The fake keeps the contract that it stands in for, and does what tests of the engine rely on.
#include "tests/executors/fake_executor.h"

#include "core/search_space.h"
#include "gmock/gmock.h"
#include "tests/executors/executor_conformance.h"
#include "tests/executors/fake_harness.h"

namespace tuner::executors {
namespace {

using testing::ElementsAre;

INSTANTIATE_TEST_SUITE_P(Fake, ExecutorConformance,
                         testing::Values(ConformanceParam{"fake", [] { return std::make_unique<FakeHarness>(); }}));

const RunId kRun = {"job", "uid", 1, 1};

TEST(FakeExecutorTest, ALostAcknowledgementHasHappened) {
  auto world = std::make_shared<FakeWorld>();
  RunRecorder recorder;
  FakeExecutor executor(world, &recorder);
  executor.SetFaults([](FakeExecutor::Call, const RunId&) { return FakeExecutor::Fault::kLoseAck; });
  EXPECT_EQ(executor.Launch(RunSpec{.id = kRun}).code(), absl::StatusCode::kUnavailable);
  executor.SetFaults(nullptr);
  EXPECT_TRUE(executor.Launch(RunSpec{.id = kRun}).ok());
  EXPECT_EQ(world->Find(kRun)->starts, 1);
}

TEST(FakeExecutorTest, QueuedEventsComeInAnyOrderOfRunsAndMayComeTwice) {
  auto world = std::make_shared<FakeWorld>();
  RunRecorder recorder;
  FakeExecutor executor(world, &recorder, {.queue_events = true});
  const RunId other = {"job", "uid", 2, 1};
  for (const RunId& id : {kRun, other}) {
    ASSERT_TRUE(executor.Launch(RunSpec{.id = id}).ok());
    executor.Start(id);
    executor.Succeed(id);
  }
  EXPECT_EQ(executor.waiting(), 4u);
  EXPECT_TRUE(executor.Deliver(1, /*keep=*/true));
  EXPECT_TRUE(executor.Deliver(1));
  EXPECT_THAT(recorder.Get(other).order, ElementsAre("started", "started"));
  EXPECT_TRUE(recorder.Get(kRun).order.empty());
  executor.DeliverAll();
  EXPECT_THAT(recorder.Get(kRun).order, ElementsAre("started", "ended"));
  EXPECT_FALSE(executor.Deliver());
}

TEST(FakeExecutorTest, SlotsAreBounded) {
  RunRecorder recorder;
  FakeExecutor executor(std::make_shared<FakeWorld>(), &recorder, {.slots = 1});
  ASSERT_TRUE(executor.Launch(RunSpec{.id = kRun}).ok());
  const RunSpec other = {.id = {"job", "uid", 2, 1}};
  EXPECT_EQ(executor.Launch(other).code(), absl::StatusCode::kResourceExhausted);
  executor.Succeed(kRun);
  EXPECT_TRUE(executor.Launch(other).ok());
}

TEST(FakeExecutorTest, WhatHappensWhileNobodyWatchesIsToldOnAdoption) {
  auto world = std::make_shared<FakeWorld>();
  RunRecorder first, second;
  ASSERT_TRUE(FakeExecutor(world, &first).Launch(RunSpec{.id = kRun}).ok());
  FakeExecutor executor(world, &second);
  executor.Start(kRun);
  executor.Metric(kRun, "loss", 1);
  executor.Succeed(kRun);
  EXPECT_TRUE(second.Get(kRun).order.empty());
  ASSERT_TRUE(executor.Adopt({RunCursor{RunSpec{.id = kRun}, false}}).ok());
  EXPECT_THAT(second.Get(kRun).order, ElementsAre("started", "metrics", "ended"));
}

}  // namespace
}  // namespace tuner::executors
