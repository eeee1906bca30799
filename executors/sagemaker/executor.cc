#include "executors/sagemaker/executor.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <deque>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "executors/process_launch.h"
#include "executors/sagemaker/names.h"
#include "executors/sagemaker/options.h"
#include "executors/sagemaker/request.h"

namespace tuner::executors::sagemaker {
namespace {

// Ended runs that are remembered, so that a launch that is repeated late is not told about its end twice.
constexpr size_t kRememberedEnds = 10'000;

class SageMakerExecutor : public Executor {
 public:
  SageMakerExecutor(const ExecutorContext& context, const Pace& pace) : context_(context), pace_(pace) {}

  absl::Status Launch(const RunSpec& spec) override;
  absl::Status Stop(const RunId& id, absl::Duration grace) override;
  absl::StatusOr<std::vector<bool>> Adopt(absl::Span<const RunCursor> runs) override;
  void Acknowledge(const RunId&) override {}  // the record is small, and says for ever that the run was accepted
  absl::Status Remove(const std::string& job_id, const std::string& job_uid) override;
  Capabilities capabilities() const override {
    return {.survives_server = true,
            .scans_output = true,
            .enforces_time_limit = true,
            .reports_resources = true,
            .has_logs = true};
  }

 private:
  absl::StatusOr<Fleet*> FleetOf(const v1::SageMakerExecutor& options) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Take(const RunSpec& spec, const v1::SageMakerExecutor& options, const RunPaths& paths, RunRecord record,
                    bool started) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsKnown(const RunId& id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Ended(const RunId& id);

  const ExecutorContext context_;
  const Pace pace_;

  mutable absl::Mutex ended_mutex_;
  absl::flat_hash_set<RunId> ended_ ABSL_GUARDED_BY(ended_mutex_);
  std::deque<RunId> ended_order_ ABSL_GUARDED_BY(ended_mutex_);

  mutable absl::Mutex mutex_ ABSL_ACQUIRED_BEFORE(ended_mutex_);
  absl::btree_map<std::string, std::unique_ptr<Fleet>> fleets_ ABSL_GUARDED_BY(mutex_);  // last: they call Ended
};

// What would be refused for sure is refused now, and not as a failure later.
absl::Status CheckSpec(const RunSpec& spec, const v1::SageMakerExecutor& options) {
  if (options.instance_types().empty() && options.instance_groups().empty())
    return absl::InvalidArgumentError("instance_types is empty; name at least one, such as ml.m5.large");
  TrainingJobPlan plan;
  plan.name = TrainingJobName(spec.id, std::max(0, options.instance_types_size() - 1));
  if (const auto request = CreateTrainingJobRequest(spec, options, plan); !request.ok()) return request.status();
  for (const core::Channel& channel : spec.inputs) {
    const std::string path = ResolvePath(spec.base_dir, channel.path);
    struct stat status;
    if (channel.s3_uri.empty() && stat(path.c_str(), &status) != 0)
      return absl::InvalidArgumentError(absl::StrCat("input '", channel.name, "': ", path, ": ", strerror(errno)));
  }
  return absl::OkStatus();
}

absl::Status MakeFolders(const RunPaths& paths, const std::string& job_uid) {
  if (absl::Status prepared = PrepareJobFolder(paths, job_uid); !prepared.ok()) return prepared;
  for (const std::string& folder : {paths.trial, paths.attempt, paths.run}) {
    if (absl::Status made = MakeFolder(folder); !made.ok()) return made;
  }
  for (const char* name : {"/stdout.log", "/stderr.log"}) {
    if (absl::Status written = WriteFile(paths.attempt + name, ""); !written.ok()) return written;
  }
  return absl::OkStatus();
}

absl::Status SageMakerExecutor::Launch(const RunSpec& spec) {
  if (absl::Status checked = CheckRunId(spec.id); !checked.ok()) return checked;
  const absl::StatusOr<v1::SageMakerExecutor> options = ParseSageMakerOptions(spec.options.bytes);
  if (!options.ok()) return options.status();
  const RunPaths paths = RunPaths::Of(context_.data_dir, spec.id);
  absl::MutexLock lock(&mutex_);
  if (IsKnown(spec.id)) return absl::OkStatus();
  const absl::StatusOr<bool> ours = IsFolderOfJob(paths, spec.id.job_uid);
  if (!ours.ok()) return ours.status();
  if (*ours) {
    absl::StatusOr<std::optional<RunRecord>> record = ReadRunRecord(paths);
    if (!record.ok()) return record.status();
    if (*record) return Take(spec, *options, paths, **std::move(record), false);
  }
  if (absl::Status checked = CheckSpec(spec, *options); !checked.ok()) return checked;
  if (const auto metrics = CompileMetrics(spec.metrics); !metrics.ok()) return metrics.status();
  if (const auto fleet = FleetOf(*options); !fleet.ok()) return fleet.status();
  if (absl::Status made = MakeFolders(paths, spec.id.job_uid); !made.ok()) return made;
  if (absl::Status written = WriteRunRecord(paths, RunRecord()); !written.ok()) return written;
  return Take(spec, *options, paths, RunRecord(), false);
}

absl::Status SageMakerExecutor::Take(const RunSpec& spec, const v1::SageMakerExecutor& options, const RunPaths& paths,
                                     RunRecord record, bool started) {
  std::shared_ptr<const CompiledMetrics> metrics;
  if (!spec.metrics.empty()) {
    absl::StatusOr<std::shared_ptr<const CompiledMetrics>> compiled = CompileMetrics(spec.metrics);
    if (!compiled.ok()) return compiled.status();
    metrics = *std::move(compiled);
  }
  const absl::StatusOr<Fleet*> fleet = FleetOf(options);
  if (!fleet.ok()) return fleet.status();
  (*fleet)->Add(spec, options, paths, std::move(record), std::move(metrics), started);
  return absl::OkStatus();
}

absl::Status SageMakerExecutor::Stop(const RunId& id, absl::Duration) {
  absl::MutexLock lock(&mutex_);
  for (const auto& [key, fleet] : fleets_) {
    if (fleet->Has(id)) return fleet->Stop(id);
  }
  return absl::NotFoundError("no such run, or it has ended");
}

absl::StatusOr<std::vector<bool>> SageMakerExecutor::Adopt(absl::Span<const RunCursor> runs) {
  std::vector<bool> known;
  absl::MutexLock lock(&mutex_);
  for (const RunCursor& run : runs) {
    if (absl::Status checked = CheckRunId(run.spec.id); !checked.ok()) return checked;
    if (IsKnown(run.spec.id)) {
      known.push_back(true);
      continue;
    }
    const RunPaths paths = RunPaths::Of(context_.data_dir, run.spec.id);
    const absl::StatusOr<bool> ours = IsFolderOfJob(paths, run.spec.id.job_uid);
    if (!ours.ok()) return ours.status();
    absl::StatusOr<std::optional<RunRecord>> record = std::nullopt;
    if (*ours) record = ReadRunRecord(paths);
    if (!record.ok()) return record.status();
    known.push_back(record->has_value());
    if (!record->has_value()) continue;
    const absl::StatusOr<v1::SageMakerExecutor> options = ParseSageMakerOptions(run.spec.options.bytes);
    if (!options.ok()) return options.status();
    if (absl::Status taken = Take(run.spec, *options, paths, **std::move(record), run.started); !taken.ok())
      return taken;
  }
  return known;
}

absl::Status SageMakerExecutor::Remove(const std::string& job_id, const std::string& job_uid) {
  const RunId id = {job_id, job_uid, 1, 1};
  if (absl::Status checked = CheckRunId(id); !checked.ok()) return checked;
  const RunPaths paths = RunPaths::Of(context_.data_dir, id);
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<bool> ours = IsFolderOfJob(paths, job_uid);
  if (!ours.ok()) return ours.status();
  return *ours ? RemoveTree(paths.job) : absl::OkStatus();
}

absl::StatusOr<Fleet*> SageMakerExecutor::FleetOf(const v1::SageMakerExecutor& options) {
  std::unique_ptr<Fleet>& fleet = fleets_[Site::Key(options)];
  if (fleet != nullptr) return fleet.get();
  absl::StatusOr<std::unique_ptr<Site>> site = Site::Make(options, *context_.clock);
  if (!site.ok()) {
    fleets_.erase(Site::Key(options));
    return site.status();
  }
  fleet = std::make_unique<Fleet>(*std::move(site), pace_, context_.clock, context_.listener,
                                  [this](const RunId& id) { Ended(id); });
  return fleet.get();
}

bool SageMakerExecutor::IsKnown(const RunId& id) const {
  for (const auto& [key, fleet] : fleets_) {
    if (fleet->Has(id)) return true;
  }
  absl::MutexLock lock(&ended_mutex_);
  return ended_.contains(id);
}

void SageMakerExecutor::Ended(const RunId& id) {
  absl::MutexLock lock(&ended_mutex_);
  if (!ended_.insert(id).second) return;
  ended_order_.push_back(id);
  if (ended_order_.size() > kRememberedEnds) {
    ended_.erase(ended_order_.front());
    ended_order_.pop_front();
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Executor>> MakeSageMakerExecutor(const ExecutorContext& context, const Pace& pace) {
  for (const std::string& folder : {context.data_dir, context.data_dir + "/jobs"}) {
    if (absl::Status made = MakeFolder(folder); !made.ok()) return made;
  }
  return std::make_unique<SageMakerExecutor>(context, pace);
}

}  // namespace tuner::executors::sagemaker
