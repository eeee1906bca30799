// Creation of training jobs, and what they need uploaded.
#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "executors/aws/sigv4.h"
#include "executors/sagemaker/code_archive.h"
#include "executors/sagemaker/fleet.h"
#include "executors/sagemaker/names.h"
#include "executors/sagemaker/options.h"
#include "executors/sagemaker/request.h"

namespace tuner::executors::sagemaker {
namespace {

constexpr int kMostCredentialFailures = 6;

// A quota of no instance at all, which no waiting changes.
bool IsQuotaOfNothing(const absl::Status& status) { return absl::StrContains(status.message(), " is 0 Instances"); }

bool MayPass(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) || absl::IsResourceExhausted(status) ||
         absl::IsInternal(status) || absl::IsAborted(status);
}

RunEnded NeverCreated(RunEnded::Outcome outcome, std::string reason) {
  RunEnded ended;
  ended.outcome = outcome;
  ended.reason = std::move(reason);
  return ended;
}

}  // namespace

void Fleet::LaunchLoop() {
  while (true) {
    RunPtr run;
    {
      absl::MutexLock lock(&mutex_);
      const auto first = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return launches_.empty() ? absl::InfiniteFuture() : launches_.begin()->first;
      };
      AwaitDue(first);
      if (closing_) return;
      const auto it = runs_.find(launches_.begin()->second);
      launches_.erase(launches_.begin());
      if (it == runs_.end()) continue;
      run = it->second;
    }
    LaunchOne(run);
  }
}

void Fleet::LaunchOne(const RunPtr& run) {
  bool stop_wanted;
  {
    absl::MutexLock lock(&mutex_);
    stop_wanted = run->stop_wanted;
  }
  absl::StatusOr<std::string> arn = absl::NotFoundError("");
  if (!stop_wanted) {
    arn = CreateOrFind(*run);
  } else if (run->record.sent) {
    arn = FindOwn(*run);  // there may be one already, which has to be stopped
  }
  if (arn.ok()) {
    run->record.arn = *arn;
    if (absl::Status written = WriteRunRecord(run->paths, run->record); !written.ok()) arn = written;
  }
  absl::MutexLock lock(&mutex_);
  const absl::Time now = clock_->Now();
  if (arn.ok()) {
    run->failures = 0;
    run->phase = Phase::kLive;
    run->log_due = now;
    live_[Name(*run)] = run;
    next_poll_ = std::min(std::max(next_poll_, now), now + PollInterval());
    if (run->stop_wanted) stops_.insert({now, run->spec.id});
    return;
  }
  const absl::Status& failed = arn.status();
  const bool limited = absl::IsResourceExhausted(failed);
  if (absl::IsCancelled(failed)) return;  // closing: the next server goes on
  if (stop_wanted && absl::IsNotFound(failed)) {
    run->end = NeverCreated(RunEnded::Outcome::kStopped, "stopped before its training job was created");
    return BeginEnd(*run);
  }
  if (limited && IsQuotaOfNothing(failed) && TryNextInstanceType(*run)) return;
  const bool credentials_may_come = absl::IsUnauthenticated(failed) && run->failures < kMostCredentialFailures;
  if ((MayPass(failed) && !(limited && IsQuotaOfNothing(failed))) || credentials_may_come) {
    const std::optional<aws::AwsError> error = aws::AwsErrorOf(failed);
    const bool quota = limited && error && !error->throttled;
    const absl::Duration wait = quota ? RetryIn(0, pace_.limit_retry, pace_.limit_retry)
                                      : RetryIn(run->failures, pace_.first_retry, pace_.last_retry);
    ++run->failures;
    // A stop that came meanwhile does not wait.
    launches_.insert({run->stop_wanted ? now : now + wait, run->spec.id});
    return;
  }
  run->end = NeverCreated(RunEnded::Outcome::kFailed,
                          absl::StrCat("its training job could not be created: ", failed.message()));
  BeginEnd(*run);
}

bool Fleet::TryNextInstanceType(Run& run) {
  if (run.stop_wanted || run.record.instance_type + 1 >= run.options.instance_types_size()) return false;
  live_.erase(Name(run));
  ++run.record.instance_type;
  run.record.sent = false;
  run.record.arn.clear();
  run.phase = Phase::kCreating;
  run.failures = 0;
  run.needs_detail = false;
  run.listed_end = false;
  run.searches = 0;
  launches_.insert({clock_->Now(), run.spec.id});
  return true;
}

absl::StatusOr<std::string> Fleet::CreateOrFind(Run& run) {
  TrainingJobPlan plan;
  plan.name = Name(run);
  plan.instance_type = run.record.instance_type;
  plan.region = site_->region();
  for (const core::Channel& channel : run.spec.inputs) {
    if (!channel.s3_uri.empty()) continue;
    absl::StatusOr<std::string> uri =
        UploadOf(run.spec.id.job_uid, ResolvePath(run.spec.base_dir, channel.path), run.options);
    if (!uri.ok()) return uri.status();
    plan.channels[channel.name] = *std::move(uri);
  }
  if (!run.options.entry_point().empty()) {
    absl::StatusOr<std::string> uri = UploadCode(run);
    if (!uri.ok()) return uri.status();
    plan.code = *std::move(uri);
  }
  absl::StatusOr<std::string> request = CreateTrainingJobRequest(run.spec, run.options, plan);
  if (!request.ok()) return request.status();
  if (!run.record.sent) {
    run.record.sent = true;
    if (absl::Status written = WriteRunRecord(run.paths, run.record); !written.ok()) {
      run.record.sent = false;
      return written;
    }
  }
  absl::StatusOr<std::string> arn = site_->service().Create(*request);
  return absl::IsAlreadyExists(arn.status()) ? FindOwn(run) : arn;
}

absl::StatusOr<std::string> Fleet::FindOwn(Run& run) {
  const absl::StatusOr<TrainingJob> job = site_->service().Describe(Name(run));
  if (!job.ok()) return job.status();
  const absl::StatusOr<bool> ours = site_->service().HasTag(job->arn, kRunTag, RunTag(run.spec.id));
  if (!ours.ok()) return ours.status();
  if (*ours) return job->arn;
  return absl::AlreadyExistsError(absl::StrCat("there is a training job ", job->name, " without our tag ", kRunTag,
                                               "; give the tuning job another name"));
}

absl::StatusOr<std::string> Fleet::UploadOf(const std::string& job_uid, const std::string& path,
                                            const v1::SageMakerExecutor& options) {
  const std::string key = absl::StrCat(job_uid, "\n", path, "\n", UploadUri(options));
  {
    absl::MutexLock lock(&uploads_mutex_);
    if (const auto it = uploads_.find(key); it != uploads_.end()) return it->second;
  }
  const absl::StatusOr<aws::S3Uri> base = aws::ParseS3Uri(UploadUri(options));
  if (!base.ok()) return base.status();
  const absl::StatusOr<aws::S3Uri> uri = site_->s3().UploadOnce(path, *base, site_->call_options());
  if (!uri.ok()) return uri.status();
  absl::MutexLock lock(&uploads_mutex_);
  return uploads_.emplace(key, uri->ToString()).first->second;
}

absl::StatusOr<std::string> Fleet::UploadCode(const Run& run) {
  const std::string& source = run.options.source_dir();
  if (absl::StartsWith(source, "s3://")) return source;
  const std::string key = absl::StrCat(run.spec.id.job_uid, "\ncode\n", source, "\n", run.options.entry_point());
  {
    absl::MutexLock lock(&uploads_mutex_);
    if (const auto it = uploads_.find(key); it != uploads_.end()) return it->second;
  }
  const std::string folder = ResolvePath(run.spec.base_dir, source);
  const std::string archive = absl::StrCat(run.paths.run, "/sourcedir.tar.gz");
  absl::Status packed = PackCode(folder, source.empty() ? run.options.entry_point() : "", archive);
  if (!packed.ok()) return packed;
  const absl::StatusOr<aws::S3Uri> base = aws::ParseS3Uri(UploadUri(run.options));
  if (!base.ok()) return base.status();
  absl::StatusOr<aws::S3Uri> uri = site_->s3().UploadOnce(archive, *base, site_->call_options());
  if (!uri.ok()) return uri.status();
  const std::string file = uri->Join("sourcedir.tar.gz").ToString();
  absl::MutexLock lock(&uploads_mutex_);
  return uploads_.emplace(key, file).first->second;
}

}  // namespace tuner::executors::sagemaker
