// The fake executor under the conformance suite, alone or within decorators.
//
// Threads: that of the test. Ownership: owns world, recorder and executor.
#pragma once

#include <memory>

#include "core/clock.h"
#include "tests/executors/executor_conformance.h"
#include "tests/executors/fake_executor.h"
#include "tests/executors/run_recorder.h"

namespace tuner::executors {

class FakeHarness : public ExecutorHarness {
 public:
  // `decorate`: null: as it is.
  explicit FakeHarness(DecorateExecutor decorate = nullptr) : decorate_(std::move(decorate)) { Restart(); }

  Executor& executor() override { return *executor_; }
  RunRecorder& recorder() override { return *recorder_; }
  RunSpec Spec(const RunId& id, Script) override { return RunSpec{.id = id}; }
  void Play(const RunId& id, Script script) override {
    if (!world_->AwaitLaunched(id)) return;  // a decorator may launch it later
    fake_->Start(id);
    if (script == Script::kMetrics || script == Script::kMetricsThenWait) {
      for (const double value : {0.5, 0.25, 0.125}) fake_->Metric(id, "loss", value);
    }
    if (script == Script::kSucceed || script == Script::kMetrics) fake_->Succeed(id);
    if (script == Script::kFail) fake_->Fail(id, "exit code 3; no luck");
  }
  void Restart() override {
    executor_.reset();
    recorder_ = std::make_unique<RunRecorder>();
    const MakeExecutor make = [this](RunListener* listener) {
      auto fake = std::make_unique<FakeExecutor>(world_, listener);
      fake_ = fake.get();
      return fake;
    };
    executor_ = decorate_ ? decorate_(make, recorder_.get(), clock_.get()) : make(recorder_.get());
  }
  int Starts(const RunId& id) override { return world_->Find(id)->starts; }

 private:
  const DecorateExecutor decorate_;
  const std::unique_ptr<core::Clock> clock_ = core::MakeSystemClock();
  const std::shared_ptr<FakeWorld> world_ = std::make_shared<FakeWorld>();
  std::unique_ptr<RunRecorder> recorder_;
  FakeExecutor* fake_ = nullptr;
  std::unique_ptr<Executor> executor_;
};

}  // namespace tuner::executors
