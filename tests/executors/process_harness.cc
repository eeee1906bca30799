#include "tests/executors/process_harness.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "executors/local_process.h"
#include "executors/run_folder.h"

namespace tuner::executors {
namespace {

const core::MetricDefinition kLoss = {"loss", "loss=([0-9.einfa+-]+)"};

RunSpec MakeSpec(const RunId& id, const std::vector<std::string>& command,
                 const std::function<void(v1::ProcessExecutor&)>& change) {
  v1::ProcessExecutor options;
  for (const std::string& argument : command) options.add_command(argument);
  if (change) change(options);
  RunSpec spec;
  spec.id = id;
  spec.options = {"process", options.SerializeAsString()};
  spec.grace_period = absl::Seconds(10);
  spec.base_dir = "/tmp";
  return spec;
}

}  // namespace

RunSpec CountedSpec(const std::string& data_dir, const RunId& id, const std::string& script) {
  const std::string count = absl::StrCat("echo start >> ", data_dir, "/starts-", id.trial, "-", id.attempt, "; ");
  RunSpec spec = MakeSpec(id, {"/bin/sh", "-c", count + script}, nullptr);
  spec.metrics = {kLoss};
  return spec;
}

std::string ReadWholeFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

bool IsRunning(pid_t pid) {
  const std::string stat = ReadWholeFile(absl::StrCat("/proc/", pid, "/stat"));
  const size_t name_end = stat.rfind(')');
  return name_end != std::string::npos && stat[name_end + 2] != 'Z';
}

ProcessHarness::ProcessHarness(Options options) : options_(std::move(options)), clock_(core::MakeSystemClock()) {
  char folder[] = "/tmp/tuner-process-test-XXXXXX";
  if (mkdtemp(folder) == nullptr) abort();
  data_dir_ = folder;
  if (options_.use_spawner) {
    absl::StatusOr<SpawnerHandle> spawner = StartSpawner();
    if (!spawner.ok()) abort();
    spawner_ = *std::move(spawner);
  }
  Restart();
}

ProcessHarness::~ProcessHarness() {
  executor_.reset();
  for (const RunId& id : runs_) {
    const ClaimView view = LookAtClaim(RunPaths::Of(data_dir_, id));
    if (view.state != ClaimState::kActive || !view.claim) continue;
    const UniqueFd supervisor = OpenPidfd(view.claim->pid);
    kill(view.claim->pid, SIGTERM);
    struct pollfd fd = {supervisor.get(), POLLIN, 0};
    poll(&fd, 1, 30'000);
  }
  (void)RemoveTree(data_dir_);
}

ExecutorContext ProcessHarness::Context() const {
  ExecutorContext context;
  context.data_dir = data_dir_;
  context.clock = clock_.get();
  context.listener = recorder_.get();
  context.gpus = options_.gpus;
  context.supervisor_path = TUNER_SUPERVISOR;
  context.spawner_fd = spawner_.fd();
  return context;
}

void ProcessHarness::Restart() {
  executor_.reset();
  recorder_ = std::make_unique<RunRecorder>();
  const MakeExecutor make = [this](RunListener* listener) {
    ExecutorContext context = Context();
    context.listener = listener;
    absl::StatusOr<std::unique_ptr<Executor>> executor = MakeLocalProcessExecutor(context);
    if (!executor.ok()) abort();
    return *std::move(executor);
  };
  executor_ = options_.decorate ? options_.decorate(make, recorder_.get(), clock_.get()) : make(recorder_.get());
}

RunSpec ProcessHarness::CommandSpec(const RunId& id, const std::vector<std::string>& command,
                                    const std::function<void(v1::ProcessExecutor&)>& change) {
  runs_.push_back(id);
  return MakeSpec(id, command, change);
}

RunSpec ProcessHarness::ShellSpec(const RunId& id, const std::string& script) {
  RunSpec spec = CommandSpec(id, {"/bin/sh", "-c", script});
  spec.metrics = {kLoss};
  return spec;
}

RunSpec ProcessHarness::Spec(const RunId& id, Script script) {
  const std::string metrics = "echo loss=0.5; echo loss=0.25; echo loss=0.125; ";
  runs_.push_back(id);
  switch (script) {
    case Script::kSucceed:
      return CountedSpec(data_dir_, id, "exit 0");
    case Script::kFail:
      return CountedSpec(data_dir_, id, "echo no luck >&2; exit 3");
    case Script::kMetrics:
      return CountedSpec(data_dir_, id, metrics);
    case Script::kMetricsThenWait:
      return CountedSpec(data_dir_, id, metrics + "exec sleep 1000");
    case Script::kWait:
      return CountedSpec(data_dir_, id, "exec sleep 1000");
  }
  return {};
}

int ProcessHarness::Starts(const RunId& id) {
  const std::string text = ReadWholeFile(absl::StrCat(data_dir_, "/starts-", id.trial, "-", id.attempt));
  return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
}

RunEnded ProcessHarness::Run(const RunSpec& spec) {
  const absl::Status launched = executor_->Launch(spec);
  if (!launched.ok()) return RunEnded{.reason = std::string(launched.message())};
  return recorder_->AwaitEnded(spec.id);
}

std::string ProcessHarness::AttemptDir(const RunId& id) const { return RunPaths::Of(data_dir_, id).attempt; }

std::string ProcessHarness::Output(const RunId& id) const { return ReadWholeFile(AttemptDir(id) + "/stdout.log"); }

}  // namespace tuner::executors
