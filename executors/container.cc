#include "executors/container.h"

#include <errno.h>
#include <sys/stat.h>

#include <deque>
#include <set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "executors/container_janitor.h"
#include "executors/container_plan.h"
#include "executors/container_records.h"
#include "executors/container_run.h"
#include "executors/docker_api.h"
#include "executors/gpu_pool.h"
#include "executors/process_launch.h"
#include "executors/run_folder.h"

namespace tuner::executors {
namespace {

// Ended runs that are remembered, so that a launch that is repeated late is not told about its end twice.
constexpr size_t kRememberedEnds = 10'000;
// Every engine that runs of this data folder were ever given to, a path on each line.
constexpr char kSocketsFile[] = "/container-engines";

class ContainerExecutor : public Executor {
 public:
  explicit ContainerExecutor(const ExecutorContext& context) : context_(context), gpus_(context.gpus) {}
  ~ContainerExecutor() override;

  absl::Status Open();

  absl::Status Launch(const RunSpec& spec) override;
  absl::Status Stop(const RunId& id, absl::Duration grace) override;
  absl::StatusOr<std::vector<bool>> Adopt(absl::Span<const RunCursor> runs) override;
  // The record of the end is small and stays with the job; the container went when it was written.
  void Acknowledge(const RunId&) override {}
  absl::Status Remove(const std::string& job_id, const std::string& job_uid) override;
  Capabilities capabilities() const override {
    return {.survives_server = true, .scans_output = true, .enforces_time_limit = true, .has_logs = true};
  }

 private:
  absl::StatusOr<bool> AdoptOne(const RunSpec& spec, bool told_started) ABSL_EXCLUSIVE_LOCKS_REQUIRED(launch_mutex_);
  absl::Status Begin(ContainerPlan plan, bool told_started);
  absl::Status NoteSocket(const std::string& socket) ABSL_EXCLUSIVE_LOCKS_REQUIRED(launch_mutex_);
  // Lets go of the runs of a job.
  void Forget(const std::string& job_uid);
  bool IsKnown(const RunId& id) const;
  // Of containers and networks that a server before this one left: whether nobody needs them any more.
  bool IsLeftOver(const Labels& labels) const;
  bool IsLeftOverName(const std::string& name) const;
  void Ended(const RunId& id);
  void Done(const RunId& id, bool left_behind);
  void Reap();

  const ExecutorContext context_;
  std::string folder_id_;       // constant after Open
  std::string default_socket_;  // constant after Open
  GpuPool gpus_;
  HttpClient http_;
  std::unique_ptr<ContainerJanitor> janitor_;

  absl::Mutex launch_mutex_;  // one launch or adoption at a time; none waits for an engine
  std::set<std::string> sockets_ ABSL_GUARDED_BY(launch_mutex_);

  mutable absl::Mutex mutex_;
  absl::btree_map<RunId, std::unique_ptr<ContainerRun>> runs_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<ContainerRun>> leaving_ ABSL_GUARDED_BY(mutex_);  // their threads are about to return
  absl::flat_hash_set<RunId> ended_ ABSL_GUARDED_BY(mutex_);
  std::deque<RunId> ended_order_ ABSL_GUARDED_BY(mutex_);
};

absl::Status ContainerExecutor::Open() {
  for (const std::string& folder : {context_.data_dir, context_.data_dir + "/jobs"}) {
    if (absl::Status made = MakeFolder(folder); !made.ok()) return made;
  }
  struct stat status;
  if (stat(context_.data_dir.c_str(), &status) != 0) {
    return absl::UnavailableError(absl::StrCat("cannot look at ", context_.data_dir));
  }
  folder_id_ = absl::StrCat("folder-", status.st_dev, "-", status.st_ino);
  default_socket_ = DefaultEngineSocket();
  janitor_ = std::make_unique<ContainerJanitor>(&http_, context_.clock);
  const absl::StatusOr<UniqueFd> file = OpenBelow(context_.data_dir, kSocketsFile + 1);
  if (!file.ok()) return file.status();
  absl::MutexLock lock(&launch_mutex_);
  for (const absl::string_view line : absl::StrSplit(ReadHead(*file, 1 << 20), '\n', absl::SkipEmpty())) {
    sockets_.insert(std::string(line));
    janitor_->Sweep(
        std::string(line), {{kLabelData, folder_id_}}, [this](const Labels& labels) { return IsLeftOver(labels); },
        [this](const std::string& name) { return IsLeftOverName(name); });
  }
  return absl::OkStatus();
}

ContainerExecutor::~ContainerExecutor() {
  absl::btree_map<RunId, std::unique_ptr<ContainerRun>> runs;
  {
    absl::MutexLock lock(&mutex_);
    runs.swap(runs_);
  }
  // All at once, as each may be waiting for an engine.
  for (const auto& [id, run] : runs) run->Detach();
  runs.clear();
  Reap();
  janitor_.reset();
}

absl::Status ContainerExecutor::Launch(const RunSpec& spec) {
  if (absl::Status checked = CheckRunId(spec.id); !checked.ok()) return checked;
  absl::StatusOr<v1::ContainerExecutor> options = ParseContainerOptions(spec.options.bytes);
  if (!options.ok()) return options.status();
  if (absl::StatusOr<std::shared_ptr<const CompiledMetrics>> metrics = CompileMetrics(spec.metrics); !metrics.ok()) {
    return metrics.status();
  }
  Reap();
  absl::MutexLock lock(&launch_mutex_);
  if (IsKnown(spec.id)) return absl::OkStatus();
  const absl::StatusOr<bool> adopted = AdoptOne(spec, false);
  if (!adopted.ok()) return adopted.status();
  if (*adopted) return absl::OkStatus();

  ContainerPlan plan = MakeContainerPlan(spec, *std::move(options), context_, folder_id_, default_socket_);
  if (absl::Status checked = CheckContainerPlan(plan); !checked.ok()) return checked;
  absl::StatusOr<std::vector<int>> gpus = gpus_.Reserve(spec.id, plan.options.gpus());
  if (!gpus.ok()) return gpus.status();
  plan.gpus = *std::move(gpus);
  plan.fresh_start = IsFreshStart(plan.checkpoints);
  absl::Status accepted = PrepareJobFolder(plan.paths, spec.id.job_uid);
  if (accepted.ok()) accepted = WriteContainerFolder(plan);
  if (accepted.ok()) accepted = NoteSocket(plan.socket);
  if (accepted.ok()) {
    accepted = WriteContainerClaim(plan.paths, {plan.socket, plan.name, plan.fresh_start, plan.gpus});
  }
  if (!accepted.ok()) {
    gpus_.Release(spec.id);
    return accepted;
  }
  return Begin(std::move(plan), false);
}

absl::Status ContainerExecutor::Begin(ContainerPlan plan, bool told_started) {
  const RunId id = plan.spec.id;
  std::shared_ptr<const CompiledMetrics> metrics;
  if (!plan.spec.metrics.empty()) {
    absl::StatusOr<std::shared_ptr<const CompiledMetrics>> compiled = CompileMetrics(plan.spec.metrics);
    if (!compiled.ok()) return compiled.status();
    metrics = *std::move(compiled);
  }
  ContainerRun::Environment environment;
  environment.http = &http_;
  environment.clock = context_.clock;
  environment.listener = context_.listener;
  environment.ended = [this](const RunId& run) { Ended(run); };
  environment.done = [this](const RunId& run, bool left_behind) { Done(run, left_behind); };
  auto run = std::make_unique<ContainerRun>(std::move(plan), std::move(metrics), told_started, std::move(environment));
  absl::MutexLock lock(&mutex_);
  // Under the lock: its thread may be done before it is entered.
  run->Begin();
  runs_[id] = std::move(run);
  return absl::OkStatus();
}

absl::Status ContainerExecutor::Stop(const RunId& id, absl::Duration grace) {
  absl::MutexLock lock(&mutex_);
  const auto it = runs_.find(id);
  if (it != runs_.end() && it->second->Stop(grace)) return absl::OkStatus();
  return absl::NotFoundError("no such run, or it has ended");
}

absl::StatusOr<bool> ContainerExecutor::AdoptOne(const RunSpec& spec, bool told_started) {
  if (IsKnown(spec.id)) return true;
  const RunPaths paths = RunPaths::Of(context_.data_dir, spec.id);
  const absl::StatusOr<bool> ours = IsFolderOfJob(paths, spec.id.job_uid);
  if (!ours.ok()) return ours.status();
  if (!*ours) return false;
  absl::StatusOr<std::optional<ContainerClaim>> claim = ReadContainerClaim(paths);
  if (!claim.ok()) return claim.status();
  if (!*claim) return false;
  absl::StatusOr<v1::ContainerExecutor> options = ParseContainerOptions(spec.options.bytes);
  if (!options.ok()) return options.status();
  ContainerPlan plan = MakeContainerPlan(spec, *std::move(options), context_, folder_id_, default_socket_);
  // As it was when it was accepted, whatever the server is set to now.
  plan.socket = (*claim)->socket;
  plan.fresh_start = (*claim)->fresh_start;
  plan.gpus = (*claim)->gpus;
  gpus_.Hold(spec.id, plan.gpus);
  if (absl::Status begun = Begin(std::move(plan), told_started); !begun.ok()) return begun;
  return true;
}

absl::StatusOr<std::vector<bool>> ContainerExecutor::Adopt(absl::Span<const RunCursor> runs) {
  absl::MutexLock lock(&launch_mutex_);
  std::vector<bool> known;
  for (const RunCursor& run : runs) {
    if (absl::Status checked = CheckRunId(run.spec.id); !checked.ok()) return checked;
    const absl::StatusOr<bool> adopted = AdoptOne(run.spec, run.started);
    if (!adopted.ok()) return adopted.status();
    known.push_back(*adopted);
  }
  return known;
}

absl::Status ContainerExecutor::Remove(const std::string& job_id, const std::string& job_uid) {
  const RunId first = {job_id, job_uid, 1, 1};
  if (absl::Status checked = CheckRunId(first); !checked.ok()) return checked;
  absl::MutexLock lock(&launch_mutex_);
  Forget(job_uid);
  const RunPaths paths = RunPaths::Of(context_.data_dir, first);
  const absl::StatusOr<bool> ours = IsFolderOfJob(paths, job_uid);
  if (!ours.ok()) return ours.status();
  absl::Status removed = *ours ? RemoveTree(paths.job) : absl::OkStatus();
  for (const std::string& socket : sockets_) {
    janitor_->Sweep(
        socket, {{kLabelData, folder_id_}, {kLabelUid, job_uid}}, nullptr,
        [mark = NameMark(folder_id_, job_uid)](const std::string& name) { return absl::StrContains(name, mark); });
  }
  return removed;
}

void ContainerExecutor::Forget(const std::string& job_uid) {
  std::vector<std::unique_ptr<ContainerRun>> gone;
  {
    absl::MutexLock lock(&mutex_);
    for (auto it = runs_.begin(); it != runs_.end();) {
      if (it->first.job_uid == job_uid) {
        gone.push_back(std::move(it->second));
        it = runs_.erase(it);
      } else {
        ++it;
      }
    }
  }
  for (const std::unique_ptr<ContainerRun>& run : gone) run->Detach();
  for (const std::unique_ptr<ContainerRun>& run : gone) gpus_.Release(run->plan().spec.id);
}

absl::Status ContainerExecutor::NoteSocket(const std::string& socket) {
  if (sockets_.contains(socket)) return absl::OkStatus();
  std::set<std::string> all = sockets_;
  all.insert(socket);
  const std::string path = context_.data_dir + kSocketsFile;
  if (absl::Status written = WriteFile(path, absl::StrCat(absl::StrJoin(all, "\n"), "\n")); !written.ok()) {
    return written;
  }
  sockets_ = std::move(all);
  return absl::OkStatus();
}

bool ContainerExecutor::IsKnown(const RunId& id) const {
  absl::MutexLock lock(&mutex_);
  return runs_.contains(id) || ended_.contains(id);
}

bool ContainerExecutor::IsLeftOver(const Labels& labels) const {
  const auto label = [&](const char* name) {
    const auto it = labels.find(name);
    return it == labels.end() ? std::string() : it->second;
  };
  RunId id = {label(kLabelJob), label(kLabelUid), 0, 0};
  if (!absl::SimpleAtoi(label(kLabelTrial), &id.trial) || !absl::SimpleAtoi(label(kLabelAttempt), &id.attempt)) {
    return false;
  }
  if (!CheckRunId(id).ok()) return false;
  const RunPaths paths = RunPaths::Of(context_.data_dir, id);
  const absl::StatusOr<bool> ours = IsFolderOfJob(paths, id.job_uid);
  if (!ours.ok()) return false;  // not because we could not look
  if (!*ours) return true;
  const absl::StatusOr<std::optional<ContainerEnd>> end = ReadContainerEnd(paths);
  return end.ok() && *end && !(*end)->kept;
}

bool ContainerExecutor::IsLeftOverName(const std::string& name) const {
  // While its run has not ended, the name may be one of a creation that goes on.
  const std::optional<RunId> id = RunOfContainerName(name, folder_id_);
  if (!id) return false;
  const RunPaths paths = RunPaths::Of(context_.data_dir, *id);
  struct stat status;
  if (stat(paths.job.c_str(), &status) != 0) return errno == ENOENT;
  const absl::StatusOr<std::optional<ContainerEnd>> end = ReadContainerEnd(paths);
  return end.ok() && end->has_value();
}

void ContainerExecutor::Ended(const RunId& id) {
  gpus_.Release(id);
  absl::MutexLock lock(&mutex_);
  if (!ended_.insert(id).second) return;
  ended_order_.push_back(id);
  if (ended_order_.size() > kRememberedEnds) {
    ended_.erase(ended_order_.front());
    ended_order_.pop_front();
  }
}

void ContainerExecutor::Done(const RunId& id, bool left_behind) {
  absl::MutexLock lock(&mutex_);
  const auto it = runs_.find(id);
  if (it == runs_.end()) return;  // the executor goes away
  if (left_behind) {
    const ContainerPlan& plan = it->second->plan();
    janitor_->Sweep(plan.socket, plan.labels, nullptr,
                    [prefix = plan.name](const std::string& name) { return absl::StartsWith(name, prefix); });
  }
  leaving_.push_back(std::move(it->second));
  runs_.erase(it);
}

void ContainerExecutor::Reap() {
  std::vector<std::unique_ptr<ContainerRun>> leaving;
  absl::MutexLock lock(&mutex_);
  leaving.swap(leaving_);
  // Destroyed after the lock is released: they join threads that have nothing more to do.
}

}  // namespace

absl::StatusOr<std::unique_ptr<Executor>> MakeContainerExecutor(const ExecutorContext& context) {
  auto executor = std::make_unique<ContainerExecutor>(context);
  if (absl::Status opened = executor->Open(); !opened.ok()) return opened;
  return executor;
}

std::string MissingForContainers() {
  HttpClient http;
  const absl::StatusOr<std::string> version = DockerApi(&http, DefaultEngineSocket()).Version(nullptr);
  if (version.ok()) return "";
  return absl::StrCat("no container engine answers on ", absl::StrJoin(EngineSocketCandidates(), " or "),
                      ": start Docker, or Podman's service (systemctl enable --now podman.socket), or set "
                      "DOCKER_HOST=unix:///path/of/its/socket (",
                      version.status().message(), ")");
}

}  // namespace tuner::executors
