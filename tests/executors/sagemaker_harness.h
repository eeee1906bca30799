// A SageMaker of the test's own (scripted_sagemaker.py), and the executor on it.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>

#include "core/clock.h"
#include "executors/executor.h"
#include "executors/sagemaker/executor.h"
#include "executors/unique_fd.h"
#include "tests/executors/executor_conformance.h"
#include "tests/executors/run_recorder.h"
#include "tuner/v1/executors.pb.h"

namespace tuner::executors {

// The service; ends with this object.
class ScriptedSageMaker {
 public:
  ScriptedSageMaker();
  ~ScriptedSageMaker();

  std::string endpoint() const;
  // `json`: as the script's own text says.
  void Control(const std::string& json);
  std::string Stats();
  // What was asked for under this name, and how it is; "{}" if there is no such training job.
  std::string Job(const std::string& name);
  // Calls of an operation so far.
  int Calls(const std::string& operation);

 private:
  std::string Get(const std::string& path);

  pid_t pid_ = 0;
  UniqueFd input_;
  int port_ = 0;
};

class SageMakerHarness : public ExecutorHarness {
 public:
  SageMakerHarness();
  ~SageMakerHarness() override;

  Executor& executor() override { return *executor_; }
  RunRecorder& recorder() override { return *recorder_; }
  RunSpec Spec(const RunId& id, Script script) override;
  void Play(const RunId&, Script) override {}
  void Restart() override;
  int Starts(const RunId& id) override;

  // A run whose training job plays this script.
  RunSpec Scripted(const RunId& id, const std::string& script,
                   const std::function<void(v1::SageMakerExecutor&)>& change = nullptr);
  // Launches and waits for the end.
  RunEnded Run(const RunSpec& spec);

  ScriptedSageMaker& service() { return service_; }
  const std::string& data_dir() const { return data_dir_; }
  std::string Output(const RunId& id) const;  // stdout.log
  void Shutdown() { executor_.reset(); }
  sagemaker::Pace& pace() { return pace_; }

 private:
  ScriptedSageMaker service_;
  std::string data_dir_;
  sagemaker::Pace pace_;
  std::unique_ptr<core::Clock> clock_;
  std::unique_ptr<RunRecorder> recorder_;
  std::unique_ptr<Executor> executor_;
};

}  // namespace tuner::executors
