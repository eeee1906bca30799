// What every executor has to do, whatever runs its trials. A back end's test instantiates this suite with a harness of
// its own:
//
//   INSTANTIATE_TEST_SUITE_P(Process, ExecutorConformance, testing::Values(ConformanceParam{"process",
//   &MakeProcessHarness}), ...);
//
// A test is skipped only where a capability says that it does not apply.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "executors/executor.h"
#include "gtest/gtest.h"
#include "tests/executors/run_recorder.h"

namespace tuner::executors {

// What a run of a test does.
enum class Script {
  kSucceed,          // ends with exit code 0
  kFail,             // prints "no luck" to stderr and ends with exit code 3
  kMetrics,          // prints loss=0.5, loss=0.25, loss=0.125 and ends with exit code 0
  kMetricsThenWait,  // prints the same and runs until it is stopped
  kWait,             // runs until it is stopped
};

class ExecutorHarness {
 public:
  virtual ~ExecutorHarness() = default;
  virtual Executor& executor() = 0;
  virtual RunRecorder& recorder() = 0;
  virtual RunSpec Spec(const RunId& id, Script script) = 0;
  // Plays the script of a run that was launched, where somebody has to.
  virtual void Play(const RunId& id, Script script) = 0;
  // Destroys the executor, and makes a new one with a new recorder on the same machine.
  virtual void Restart() = 0;
  // How often the run was really started.
  virtual int Starts(const RunId& id) = 0;
};

// Puts an executor around the one that `make` gives for a listener; itself tells `listener`.
using MakeExecutor = std::function<std::unique_ptr<Executor>(RunListener*)>;
using DecorateExecutor =
    std::function<std::unique_ptr<Executor>(const MakeExecutor& make, RunListener* listener, core::Clock* clock)>;

struct ConformanceParam {
  std::string name;
  std::function<std::unique_ptr<ExecutorHarness>()> make;
};

class ExecutorConformance : public testing::TestWithParam<ConformanceParam> {
 protected:
  ExecutorConformance() : harness_(GetParam().make()) {}

  Executor& executor() { return harness_->executor(); }
  RunRecorder& recorder() { return harness_->recorder(); }
  void Launch(const RunId& id, Script script) {
    ASSERT_TRUE(executor().Launch(harness_->Spec(id, script)).ok());
    harness_->Play(id, script);
  }
  // Returns when the run has begun to do what it is for, where that can be seen.
  void LaunchAndAwaitItsScript(const RunId& id) {
    Launch(id, Script::kMetricsThenWait);
    ASSERT_TRUE(recorder().AwaitStarted(id));
    if (!executor().capabilities().scans_output) return;
    ASSERT_TRUE(recorder().Await(id, [](const RunRecorder::Seen& seen) { return seen.measurements.size() == 3; }));
  }

  const RunId id_ = {"job", "uid-1", 1, 1};
  std::unique_ptr<ExecutorHarness> harness_;
};

}  // namespace tuner::executors
