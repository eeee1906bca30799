#include "tuner/engine/dispatcher.h"

#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/executors/fake_executor.h"

namespace tuner::engine {
namespace {

using executors::FakeExecutor;
using executors::FakeWorld;
using executors::RunId;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class NoListener : public executors::RunListener {
 public:
  void OnRunEvent(executors::RunEvent) override {}
};

class DispatcherTest : public testing::Test {
 protected:
  DispatcherTest() {
    FakeExecutor::Options options;
    options.slots = 1;
    executor_ = std::make_unique<FakeExecutor>(world_, &listener_, options);
    Dispatcher::Callbacks callbacks;
    callbacks.refused = [this](const RunId& id, const absl::Status&) { refused_.push_back(id.trial); };
    callbacks.never_started = [this](const RunId& id) { never_started_.push_back(id.trial); };
    dispatcher_ = MakeDispatcher(executor_.get(), &clock_, std::move(callbacks), /*own_thread=*/false);
  }

  static executors::RunSpec Spec(int trial) {
    executors::RunSpec spec;
    spec.id = {"job", "uid", trial, 1};
    return spec;
  }

  core::ManualClock clock_{absl::FromUnixSeconds(1'000'000)};
  NoListener listener_;
  std::shared_ptr<FakeWorld> world_ = std::make_shared<FakeWorld>();
  std::unique_ptr<FakeExecutor> executor_;
  std::vector<int> refused_, never_started_;
  std::unique_ptr<Dispatcher> dispatcher_;
};

TEST_F(DispatcherTest, WhatHasNoSlotWaitsForOne) {
  dispatcher_->Launch(Spec(1));
  dispatcher_->Launch(Spec(2));
  EXPECT_THAT(world_->launched(), SizeIs(1));
  executor_->Start(Spec(1).id);
  executor_->Succeed(Spec(1).id);
  dispatcher_->SlotFreed();
  EXPECT_THAT(world_->launched(), SizeIs(2));
}

TEST_F(DispatcherTest, WhatWaitsForASlotIsStoppedWithoutBeingStarted) {
  dispatcher_->Launch(Spec(1));
  dispatcher_->Launch(Spec(2));
  dispatcher_->Stop(Spec(2).id, absl::Seconds(1));
  EXPECT_THAT(never_started_, ElementsAre(2));
  executor_->End(Spec(1).id, {});
  dispatcher_->SlotFreed();
  EXPECT_THAT(world_->launched(), SizeIs(1));
}

TEST_F(DispatcherTest, AnEngineThatIsDownIsAskedAgainLater) {
  executor_->SetFaults([](FakeExecutor::Call, const RunId&) { return FakeExecutor::Fault::kRefuse; });
  dispatcher_->Launch(Spec(1));
  EXPECT_THAT(world_->launched(), IsEmpty());
  executor_->SetFaults(nullptr);
  dispatcher_->RunDue();
  EXPECT_THAT(world_->launched(), IsEmpty()) << "not before its time";
  clock_.Set(dispatcher_->NextDue());
  dispatcher_->RunDue();
  EXPECT_THAT(world_->launched(), SizeIs(1));
}

// The engine may have started what it did not acknowledge: it may not be called never started.
TEST_F(DispatcherTest, ALostAcknowledgementIsNotTakenForARefusal) {
  executor_->SetFaults([](FakeExecutor::Call call, const RunId&) {
    return call == FakeExecutor::Call::kLaunch ? FakeExecutor::Fault::kLoseAck : FakeExecutor::Fault::kNone;
  });
  dispatcher_->Launch(Spec(1));
  dispatcher_->Stop(Spec(1).id, absl::Seconds(3));
  EXPECT_THAT(never_started_, IsEmpty());
  const auto run = world_->Find(Spec(1).id);
  ASSERT_TRUE(run.has_value());
  EXPECT_EQ(run->starts, 1);
  EXPECT_THAT(run->stops, ElementsAre(absl::Seconds(3)));
}

// While the engine is down nobody knows; the stop follows as soon as it answers.
TEST_F(DispatcherTest, AStopWaitsForAnEngineThatIsDown) {
  executor_->SetFaults([](FakeExecutor::Call, const RunId&) { return FakeExecutor::Fault::kLoseAck; });
  dispatcher_->Launch(Spec(1));
  dispatcher_->Stop(Spec(1).id, absl::Seconds(3));
  EXPECT_THAT(never_started_, IsEmpty());
  EXPECT_THAT(world_->Find(Spec(1).id)->stops, IsEmpty());
  executor_->SetFaults(nullptr);
  clock_.Set(dispatcher_->NextDue());
  dispatcher_->RunDue();
  EXPECT_THAT(world_->Find(Spec(1).id)->stops, ElementsAre(absl::Seconds(3)));
}

// An engine that never took the launch: the run can be called never started at once.
TEST_F(DispatcherTest, AStopOfWhatTheEngineNeverTookIsToldAtOnce) {
  executor_->SetFaults([](FakeExecutor::Call call, const RunId&) {
    return call == FakeExecutor::Call::kLaunch ? FakeExecutor::Fault::kRefuse : FakeExecutor::Fault::kNone;
  });
  dispatcher_->Launch(Spec(1));
  dispatcher_->Stop(Spec(1).id, absl::Seconds(3));
  EXPECT_THAT(never_started_, ElementsAre(1));
}

}  // namespace
}  // namespace tuner::engine
