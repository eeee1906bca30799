// A machine of its own for tests of process trials: a temporary data folder, and an executor on it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "executors/executor.h"
#include "executors/spawner.h"
#include "tests/executors/executor_conformance.h"
#include "tests/executors/run_recorder.h"
#include "tuner/v1/executors.pb.h"

namespace tuner::executors {

class ProcessHarness : public ExecutorHarness {
 public:
  struct Options {
    bool use_spawner = true;
    std::vector<int32_t> gpus;
    DecorateExecutor decorate;  // null: as it is
  };
  ProcessHarness() : ProcessHarness(Options()) {}
  explicit ProcessHarness(Options options);
  // Ends what still runs and removes the folder.
  ~ProcessHarness() override;

  Executor& executor() override { return *executor_; }
  RunRecorder& recorder() override { return *recorder_; }
  RunSpec Spec(const RunId& id, Script script) override;
  void Play(const RunId&, Script) override {}
  void Restart() override;
  int Starts(const RunId& id) override;

  // A run of `/bin/sh -c script` that scans `loss=([0-9.einfa+-]+)`.
  RunSpec ShellSpec(const RunId& id, const std::string& script);
  // A run of any command, without metrics and parameters.
  RunSpec CommandSpec(const RunId& id, const std::vector<std::string>& command,
                      const std::function<void(v1::ProcessExecutor&)>& change = nullptr);
  // Launches and waits for the end.
  RunEnded Run(const RunSpec& spec);

  const std::string& data_dir() const { return data_dir_; }
  std::string AttemptDir(const RunId& id) const;
  std::string Output(const RunId& id) const;  // stdout.log
  // Destroys the executor only.
  void Shutdown() { executor_.reset(); }
  ExecutorContext Context() const;
  pid_t spawner_pid() const { return spawner_.pid; }

 private:
  const Options options_;
  std::string data_dir_;
  std::unique_ptr<core::Clock> clock_;
  SpawnerHandle spawner_;
  std::unique_ptr<RunRecorder> recorder_;
  std::unique_ptr<Executor> executor_;
  std::vector<RunId> runs_;
};

// A run of a shell that adds a line to <data>/starts-<trial>-<attempt>, then does what `script` says. Scans loss=VALUE.
RunSpec CountedSpec(const std::string& data_dir, const RunId& id, const std::string& script);

std::string ReadWholeFile(const std::string& path);
// Whether a process that has not been reaped has this pid and is not a zombie.
bool IsRunning(pid_t pid);

}  // namespace tuner::executors
