#include "tests/executors/container_harness.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "executors/container.h"
#include "executors/container_plan.h"
#include "executors/run_folder.h"
#include "tests/executors/podman_service.h"
#include "tests/executors/process_harness.h"

namespace tuner::executors {
namespace {

constexpr int kAwaitTries = 3000;
constexpr int kAwaitPollMs = 20;
// The first process of a container ends by a signal only if it says so.
constexpr char kUntilStopped[] = "trap 'exit 143' TERM; sleep 1000 & wait";

std::string NewFolder() {
  char folder[] = "/tmp/tuner-container-test-XXXXXX";
  if (mkdtemp(folder) == nullptr) abort();
  return folder;
}

}  // namespace

ContainerHarness::ContainerHarness(std::string socket)
    : data_dir_(NewFolder()),
      socket_(socket.empty() ? Engine().socket() : std::move(socket)),
      clock_(core::MakeSystemClock()),
      engine_(&http_, Engine().socket()) {
  context_.data_dir = data_dir_;
  context_.clock = clock_.get();
  Restart();
}

ContainerHarness::~ContainerHarness() {
  executor_.reset();
  for (const ContainerEntry& entry : Containers()) engine_.Remove(entry.id, nullptr).IgnoreError();
  (void)RemoveTree(data_dir_);
}

void ContainerHarness::Restart() {
  executor_.reset();
  recorder_ = std::make_unique<RunRecorder>();
  context_.listener = recorder_.get();
  absl::StatusOr<std::unique_ptr<Executor>> executor = MakeContainerExecutor(context_);
  if (!executor.ok()) abort();
  executor_ = *std::move(executor);
}

RunSpec ContainerHarness::ShellSpec(const RunId& id, const std::string& script,
                                    const std::function<void(v1::ContainerExecutor&)>& change) {
  v1::ContainerExecutor options;
  options.set_image("localhost/busybox:1");
  options.set_pull_policy(v1::ContainerExecutor::NEVER);
  options.set_network("none");
  options.set_socket(socket_);
  for (const std::string& word : {std::string("/bin/sh"), std::string("-c"), script}) options.add_entrypoint(word);
  if (change) change(options);
  RunSpec spec;
  spec.id = id;
  spec.options = {"container", options.SerializeAsString()};
  spec.grace_period = absl::Seconds(10);
  spec.base_dir = data_dir_;
  spec.metrics = {{"loss", "loss=([0-9.einfa+-]+)"}};
  return spec;
}

RunSpec ContainerHarness::Spec(const RunId& id, Script script) {
  const std::string start = "echo start >> /opt/ml/output/starts; ";
  const std::string metrics = "echo loss=0.5; echo loss=0.25; echo loss=0.125; ";
  switch (script) {
    case Script::kSucceed:
      return ShellSpec(id, start + "exit 0");
    case Script::kFail:
      return ShellSpec(id, start + "echo no luck >&2; exit 3");
    case Script::kMetrics:
      return ShellSpec(id, start + metrics);
    case Script::kMetricsThenWait:
      return ShellSpec(id, start + metrics + kUntilStopped);
    case Script::kWait:
      return ShellSpec(id, start + kUntilStopped);
  }
  return {};
}

int ContainerHarness::Starts(const RunId& id) {
  const std::string text = ReadWholeFile(AttemptDir(id) + "/output/starts");
  return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
}

RunEnded ContainerHarness::Run(const RunSpec& spec) {
  const absl::Status launched = executor_->Launch(spec);
  if (!launched.ok()) return RunEnded{.reason = std::string(launched.message())};
  return recorder_->AwaitEnded(spec.id);
}

std::string ContainerHarness::AttemptDir(const RunId& id) const { return RunPaths::Of(data_dir_, id).attempt; }

std::string ContainerHarness::Output(const RunId& id) const { return ReadWholeFile(AttemptDir(id) + "/stdout.log"); }

Labels ContainerHarness::OwnLabels() const {
  struct stat status;
  if (stat(data_dir_.c_str(), &status) != 0) abort();
  return {{kLabelData, absl::StrCat("folder-", status.st_dev, "-", status.st_ino)}};
}

std::vector<ContainerEntry> ContainerHarness::Containers() {
  const absl::StatusOr<std::vector<ContainerEntry>> entries = engine_.List(OwnLabels(), nullptr);
  return entries.ok() ? *entries : std::vector<ContainerEntry>();
}

bool ContainerHarness::AwaitContainers(size_t count) {
  for (int i = 0; i < kAwaitTries; ++i) {
    const absl::StatusOr<std::vector<ContainerEntry>> entries = engine_.List(OwnLabels(), nullptr);
    if (entries.ok() && entries->size() == count) return true;
    poll(nullptr, 0, kAwaitPollMs);
  }
  return false;
}

bool ContainerHarness::AwaitNoStorage() {
  for (int i = 0; i < kAwaitTries; ++i) {
    const absl::StatusOr<std::vector<ContainerEntry>> entries = engine_.ListStorage(nullptr);
    if (entries.ok() && entries->empty()) return true;
    poll(nullptr, 0, kAwaitPollMs);
  }
  return false;
}

bool ContainerHarness::AwaitNoNetworks() {
  for (int i = 0; i < kAwaitTries; ++i) {
    const absl::StatusOr<std::vector<NetworkEntry>> networks = engine_.ListNetworks(OwnLabels(), nullptr);
    if (networks.ok() && networks->empty()) return true;
    poll(nullptr, 0, kAwaitPollMs);
  }
  return false;
}

}  // namespace tuner::executors
