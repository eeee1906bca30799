// A data folder of its own for tests of container trials, and an executor on it that uses the program's engine.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "executors/docker_api.h"
#include "executors/executor.h"
#include "executors/http_client.h"
#include "tests/executors/executor_conformance.h"
#include "tests/executors/run_recorder.h"
#include "tuner/v1/executors.pb.h"

namespace tuner::executors {

class ContainerHarness : public ExecutorHarness {
 public:
  // `socket`: of the engine or of a proxy before it; empty: Engine()'s.
  explicit ContainerHarness(std::string socket = "");
  // Removes its containers and folder.
  ~ContainerHarness() override;

  Executor& executor() override { return *executor_; }
  RunRecorder& recorder() override { return *recorder_; }
  RunSpec Spec(const RunId& id, Script script) override;
  void Play(const RunId&, Script) override {}
  void Restart() override;
  int Starts(const RunId& id) override;

  // A run of `sh -c script` in localhost/busybox:1 without a network that scans `loss=([0-9.einfa+-]+)`.
  RunSpec ShellSpec(const RunId& id, const std::string& script,
                    const std::function<void(v1::ContainerExecutor&)>& change = nullptr);
  // Launches and waits for the end.
  RunEnded Run(const RunSpec& spec);

  const std::string& data_dir() const { return data_dir_; }
  std::string AttemptDir(const RunId& id) const;
  std::string Output(const RunId& id) const;  // stdout.log
  // Destroys the executor only.
  void Shutdown() { executor_.reset(); }
  ExecutorContext& context() { return context_; }  // of the next Restart
  // The engine's containers of this harness.
  std::vector<ContainerEntry> Containers();
  // Returns once there are so many of them.
  bool AwaitContainers(size_t count);
  bool AwaitNoContainers() { return AwaitContainers(0); }
  bool AwaitNoNetworks();
  // Returns once the engine keeps no name of ours without a container.
  bool AwaitNoStorage();
  const DockerApi& engine() const { return engine_; }

 private:
  Labels OwnLabels() const;

  std::string data_dir_;
  std::string socket_;
  std::unique_ptr<core::Clock> clock_;
  HttpClient http_;
  DockerApi engine_;
  ExecutorContext context_;
  std::unique_ptr<RunRecorder> recorder_;
  std::unique_ptr<Executor> executor_;
};

}  // namespace tuner::executors
