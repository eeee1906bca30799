#include "executors/local_process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <boost/filesystem/operations.hpp>
#include <deque>
#include <set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "executors/command_template.h"
#include "executors/gpu_pool.h"
#include "executors/process_launch.h"
#include "executors/run_folder.h"
#include "executors/run_follower.h"
#include "executors/run_watch.h"
#include "executors/spawner.h"

namespace tuner::executors {
namespace {

// Ended runs that are remembered, so that a launch that is repeated late is not told about its end twice.
constexpr size_t kRememberedRuns = 10'000;
constexpr int64_t kLeastMemory = 1 << 20;

// The absolute path of a program; one without a slash is looked for in PATH, as execvp does. FAILED_PRECONDITION names
// where it is not.
absl::StatusOr<std::string> FindSupervisor(const std::string& program) {
  const bool by_path = program.find('/') == std::string::npos && !program.empty();
  const char* path = getenv("PATH");
  const std::string folders = path != nullptr ? path : "/bin:/usr/bin";
  std::vector<std::string> candidates = {program};
  if (by_path) {
    candidates.clear();
    for (const std::string& folder : std::vector<std::string>(absl::StrSplit(folders, ':'))) {
      candidates.push_back(absl::StrCat(folder.empty() ? std::string(".") : folder, "/", program));
    }
  }
  int error = ENOENT;
  for (const std::string& candidate : candidates) {
    struct stat status;
    if (access(candidate.c_str(), X_OK) != 0) {
      if (errno != ENOENT && errno != ENOTDIR) error = errno;
    } else if (stat(candidate.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
      error = EACCES;
    } else {
      boost::system::error_code failed;
      const std::string absolute = boost::filesystem::system_complete(candidate, failed).string();
      if (!failed) return absolute;
    }
  }
  return absl::FailedPreconditionError(absl::StrCat("no supervisor ", by_path ? "" : "at ", "'", program, "'",
                                                    by_path ? absl::StrCat(" in PATH (", folders, ")") : "", ": ",
                                                    strerror(error), "; it belongs beside the tuner program"));
}

class LocalProcessExecutor : public Executor {
 public:
  explicit LocalProcessExecutor(const ExecutorContext& context) : context_(context), gpus_(context.gpus) {
    for (char** variable = environ; *variable != nullptr; ++variable) inherited_.emplace_back(*variable);
  }

  absl::Status Open() {
    absl::StatusOr<std::string> supervisor = FindSupervisor(context_.supervisor_path);
    if (!supervisor.ok()) return supervisor.status();
    supervisor_path_ = *std::move(supervisor);
    for (const std::string& folder : {context_.data_dir, context_.data_dir + "/jobs"}) {
      if (absl::Status made = MakeFolder(folder); !made.ok()) return made;
    }
    absl::StatusOr<std::unique_ptr<RunWatch>> watch =
        RunWatch::Make(context_.listener, [this](const RunId& id) { Ended(id); });
    if (!watch.ok()) return watch.status();
    watch_ = *std::move(watch);
    return absl::OkStatus();
  }

  absl::Status Launch(const RunSpec& spec) override;
  absl::Status Stop(const RunId& id, absl::Duration grace) override { return watch_->Stop(id, grace); }
  absl::StatusOr<std::vector<bool>> Adopt(absl::Span<const RunCursor> runs) override;
  void Acknowledge(const RunId& id) override { watch_->Acknowledge(id); }
  absl::Status Remove(const std::string& job_id, const std::string& job_uid) override;
  Capabilities capabilities() const override {
    return {.survives_server = true,
            .scans_output = true,
            .enforces_time_limit = true,
            .reports_resources = true,
            .has_logs = true};
  }

 private:
  absl::Status Start(const RunSpec& spec, const v1::ProcessExecutor& options, const RunPaths& paths,
                     const std::vector<int>& gpus) ABSL_EXCLUSIVE_LOCKS_REQUIRED(launch_mutex_);
  absl::Status Follow(RunSpec spec, const RunPaths& paths, bool started, UniqueFd supervisor);
  // Takes charge of a run that was launched before, if there is one.
  absl::StatusOr<bool> AdoptOne(const RunSpec& spec, const RunPaths& paths, bool started)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(launch_mutex_);
  void Ended(const RunId& id);
  bool HasEnded(const RunId& id) const;

  const ExecutorContext context_;
  std::string supervisor_path_;         // absolute; constant after Open
  std::vector<std::string> inherited_;  // the server's environment; constant
  GpuPool gpus_;

  absl::Mutex launch_mutex_;  // one launch at a time: the spawner answers in order

  mutable absl::Mutex ended_mutex_;
  absl::flat_hash_set<RunId> ended_ ABSL_GUARDED_BY(ended_mutex_);
  std::deque<RunId> ended_order_ ABSL_GUARDED_BY(ended_mutex_);

  std::unique_ptr<RunWatch> watch_;  // last: its thread calls Ended
};

absl::Status LocalProcessExecutor::Launch(const RunSpec& spec) {
  if (absl::Status checked = CheckRunId(spec.id); !checked.ok()) return checked;
  absl::StatusOr<v1::ProcessExecutor> options = ParseProcessOptions(spec.options.bytes);
  if (!options.ok()) return options.status();
  const RunPaths paths = RunPaths::Of(context_.data_dir, spec.id);

  absl::MutexLock lock(&launch_mutex_);
  if (watch_->Watches(spec.id) || HasEnded(spec.id)) return absl::OkStatus();
  const absl::StatusOr<bool> ours = IsFolderOfJob(paths, spec.id.job_uid);
  if (!ours.ok()) return ours.status();
  if (*ours && LookAtClaim(paths).state != ClaimState::kNone) {
    const absl::StatusOr<bool> adopted = AdoptOne(spec, paths, false);
    if (!adopted.ok()) return adopted.status();
    if (*adopted) return absl::OkStatus();
    // The supervisor that was seen gave up before it claimed the run: nobody runs it.
  }
  absl::StatusOr<std::vector<int>> gpus = gpus_.Reserve(spec.id, options->gpus());
  if (!gpus.ok()) return gpus.status();
  absl::Status started = Start(spec, *options, paths, *gpus);
  if (!started.ok()) gpus_.Release(spec.id);
  return started;
}

absl::Status LocalProcessExecutor::Start(const RunSpec& spec, const v1::ProcessExecutor& options, const RunPaths& paths,
                                         const std::vector<int>& gpus) {
  absl::StatusOr<records::Launch> launch = MakeLaunch(spec, options, paths, gpus, inherited_);
  if (!launch.ok()) return launch.status();
  if (absl::StatusOr<std::shared_ptr<const CompiledMetrics>> metrics = CompileMetrics(spec.metrics); !metrics.ok())
    return metrics.status();
  if (absl::Status prepared = PrepareJobFolder(paths, spec.id.job_uid); !prepared.ok()) return prepared;
  if (absl::Status written = WriteRunFolder(spec, options, paths, *launch); !written.ok()) return written;
  absl::StatusOr<SpawnedProcess> supervisor = context_.spawner_fd >= 0
                                                  ? SpawnThrough(context_.spawner_fd, supervisor_path_, paths.attempt)
                                                  : StartDirectly(supervisor_path_, paths.attempt);
  if (!supervisor.ok() || !supervisor->pidfd) {
    // Without a pidfd nobody would see whether it claims the run. Told as not accepted, so it must not start later.
    if (WithdrawLaunch(paths).state != ClaimState::kNone) return Follow(spec, paths, false, UniqueFd());
    return supervisor.ok() ? absl::UnavailableError("no file descriptor left to watch the supervisor with")
                           : supervisor.status();
  }
  return Follow(spec, paths, false, std::move(supervisor->pidfd));
}

absl::Status LocalProcessExecutor::Follow(RunSpec spec, const RunPaths& paths, bool started, UniqueFd supervisor) {
  const bool unread = spec.cursor.stdout_offset == 0 && spec.cursor.stderr_offset == 0;
  if (unread && !spec.cursor.last_step.empty()) {
    // Steps that are counted go on after a checkpoint, and begin anew without one.
    const absl::StatusOr<std::optional<records::Launch>> launch = ReadLaunch(paths.run);
    if (launch.ok() && *launch && (*launch)->fresh_start) spec.cursor.last_step.clear();
  }
  std::shared_ptr<const CompiledMetrics> metrics;
  if (!spec.metrics.empty()) {
    absl::StatusOr<std::shared_ptr<const CompiledMetrics>> compiled = CompileMetrics(spec.metrics);
    if (!compiled.ok()) return compiled.status();
    metrics = *std::move(compiled);
  }
  watch_->Add(spec.id, std::make_unique<RunFollower>(spec, paths, std::move(metrics), started, context_.clock),
              std::move(supervisor));
  return absl::OkStatus();
}

absl::StatusOr<bool> LocalProcessExecutor::AdoptOne(const RunSpec& spec, const RunPaths& paths, bool started) {
  if (watch_->Watches(spec.id) || HasEnded(spec.id)) return true;
  const absl::StatusOr<bool> ours = IsFolderOfJob(paths, spec.id.job_uid);
  if (!ours.ok()) return ours.status();
  if (!*ours) return false;
  ClaimView view = LookAtClaim(paths);
  if (view.state == ClaimState::kNone) view = WithdrawLaunch(paths);
  if (view.state == ClaimState::kNone) return false;
  if (view.state == ClaimState::kUnknown) return absl::UnavailableError(absl::StrCat("cannot look at ", paths.claim));
  if (view.state == ClaimState::kActive) {
    const absl::StatusOr<std::optional<records::Launch>> launch = ReadLaunch(paths.run);
    if (!launch.ok()) return launch.status();
    if (!*launch && !view.claim) return false;  // it came after its launch was withdrawn, and finds nothing to start
    if (*launch) gpus_.Hold(spec.id, (*launch)->gpus);
  }
  if (absl::Status followed = Follow(spec, paths, started, UniqueFd()); !followed.ok()) return followed;
  return true;
}

absl::StatusOr<std::vector<bool>> LocalProcessExecutor::Adopt(absl::Span<const RunCursor> runs) {
  absl::MutexLock lock(&launch_mutex_);
  std::vector<bool> known;
  for (const RunCursor& run : runs) {
    if (absl::Status checked = CheckRunId(run.spec.id); !checked.ok()) return checked;
    absl::StatusOr<bool> adopted = AdoptOne(run.spec, RunPaths::Of(context_.data_dir, run.spec.id), run.started);
    if (!adopted.ok()) return adopted.status();
    known.push_back(*adopted);
  }
  return known;
}

absl::Status LocalProcessExecutor::Remove(const std::string& job_id, const std::string& job_uid) {
  const RunId id = {job_id, job_uid, 1, 1};
  if (absl::Status checked = CheckRunId(id); !checked.ok()) return checked;
  absl::MutexLock lock(&launch_mutex_);
  const RunPaths paths = RunPaths::Of(context_.data_dir, id);
  const absl::StatusOr<bool> ours = IsFolderOfJob(paths, job_uid);
  if (!ours.ok()) return ours.status();
  return *ours ? RemoveTree(paths.job) : absl::OkStatus();
}

void LocalProcessExecutor::Ended(const RunId& id) {
  gpus_.Release(id);
  absl::MutexLock lock(&ended_mutex_);
  if (!ended_.insert(id).second) return;
  ended_order_.push_back(id);
  if (ended_order_.size() > kRememberedRuns) {
    ended_.erase(ended_order_.front());
    ended_order_.pop_front();
  }
}

bool LocalProcessExecutor::HasEnded(const RunId& id) const {
  absl::MutexLock lock(&ended_mutex_);
  return ended_.contains(id);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Executor>> MakeLocalProcessExecutor(const ExecutorContext& context) {
  auto executor = std::make_unique<LocalProcessExecutor>(context);
  if (absl::Status opened = executor->Open(); !opened.ok()) return opened;
  return executor;
}

core::Problems ValidateProcessOptions(const std::string& bytes, const core::JobSpec& spec) {
  absl::StatusOr<v1::ProcessExecutor> options = ParseProcessOptions(bytes);
  if (!options.ok()) return {{"", std::string(options.status().message())}};
  std::set<std::string> names;
  for (const core::Parameter& parameter : spec.space.parameters()) names.insert(parameter.name);
  for (const auto& [name, value] : spec.static_parameters) names.insert(name);
  if (spec.resources && !spec.resources->parameter.empty()) names.insert(spec.resources->parameter);
  core::Problems problems = ValidateCommand({options->command().begin(), options->command().end()}, names);
  if (options->has_cpus() && options->cpus() < 1) problems.push_back({"cpus", "must be at least 1"});
  if (options->has_gpus() && options->gpus() < 0) problems.push_back({"gpus", "must not be negative"});
  if (options->has_memory_limit_bytes() && options->memory_limit_bytes() < kLeastMemory) {
    problems.push_back({"memory_limit_bytes", "must be at least 1 MiB (1048576)"});
  }
  if (options->has_output_limit_bytes() && options->output_limit_bytes() < 1) {
    problems.push_back({"output_limit_bytes", "must be at least 1"});
  }
  if (options->working_dir().find('\0') != std::string::npos)
    problems.push_back({"working_dir", "holds a NUL character; remove it"});
  return problems;
}

std::string MissingForProcesses() {
  if (const UniqueFd self = OpenPidfd(getpid()); !self) {
    struct utsname kernel;
    return absl::StrCat("pidfd_open, which Linux has since 5.3; this is ",
                        uname(&kernel) == 0 ? kernel.release : "another kernel");
  }
  if (records::BootId().empty()) return "/proc, which is not mounted here";
  return "";
}

}  // namespace tuner::executors
