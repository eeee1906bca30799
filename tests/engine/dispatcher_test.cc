#include "tuner/engine/dispatcher.h"

#include <memory>
#include <string>
#include <vector>

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
    dispatcher_ = MakeDispatcher(executor_.get(), std::move(callbacks), /*own_thread=*/false);
  }

  static executors::RunSpec Spec(int trial) {
    executors::RunSpec spec;
    spec.id = {"job", "uid", trial, 1};
    return spec;
  }

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

// What waits for time waits within the executor.
TEST_F(DispatcherTest, WhatIsUnavailableHereIsRefused) {
  executor_->SetFaults([](FakeExecutor::Call, const RunId&) { return FakeExecutor::Fault::kRefuse; });
  dispatcher_->Launch(Spec(1));
  EXPECT_THAT(refused_, ElementsAre(1));
  EXPECT_THAT(world_->launched(), IsEmpty());
}

}  // namespace
}  // namespace tuner::engine
