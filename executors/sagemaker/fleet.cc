#include "executors/sagemaker/fleet.h"

#include <algorithm>
#include <random>

#include "absl/strings/str_cat.h"
#include "executors/sagemaker/names.h"

namespace tuner::executors::sagemaker {
namespace {

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

uint64_t RandomSeed() {
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

}  // namespace

Fleet::Fleet(std::unique_ptr<Site> site, const Pace& pace, core::Clock* clock, RunListener* listener,
             std::function<void(const RunId&)> ended)
    : site_(std::move(site)),
      pace_(pace),
      clock_(clock),
      listener_(listener),
      ended_(std::move(ended)),
      jitter_(RandomSeed(), 0) {
  for (int i = 0; i < pace_.launch_threads; ++i) threads_.emplace_back([this] { LaunchLoop(); });
  threads_.emplace_back([this] { PollLoop(); });
  threads_.emplace_back([this] { LogLoop(); });
}

Fleet::~Fleet() {
  {
    absl::MutexLock lock(&mutex_);
    closing_ = true;
  }
  site_->stop().Raise();
  for (std::thread& thread : threads_) thread.join();
}

void Fleet::Add(const RunSpec& spec, const v1::SageMakerExecutor& options, const RunPaths& paths, RunRecord record,
                std::shared_ptr<const CompiledMetrics> metrics, bool started) {
  int hosts = options.has_instance_count() ? options.instance_count() : 1;
  if (!options.instance_groups().empty()) {
    hosts = 0;
    for (const auto& group : options.instance_groups()) hosts += std::max(1, group.instance_count());
  }
  auto run = std::make_shared<Run>(spec, options, paths, std::move(record),
                                   RunLog(paths, std::move(metrics), spec.cursor, hosts));
  run->told_start = started;
  const absl::Time now = clock_->Now();
  absl::MutexLock lock(&mutex_);
  runs_[spec.id] = run;
  if (run->record.end) {
    run->end = run->record.end;
    BeginEnd(*run);
  } else if (!run->record.arn.empty()) {
    run->phase = Phase::kLive;
    run->needs_detail = true;
    live_[Name(*run)] = run;
    next_poll_ = std::min(std::max(next_poll_, now), now + PollInterval());
  } else {
    launches_.insert({now, spec.id});
  }
}

bool Fleet::Has(const RunId& id) const {
  absl::MutexLock lock(&mutex_);
  return runs_.contains(id);
}

absl::Status Fleet::Stop(const RunId& id) {
  absl::MutexLock lock(&mutex_);
  const auto it = runs_.find(id);
  if (it == runs_.end()) return absl::NotFoundError("no such run, or it has ended");
  Run& run = *it->second;
  if (run.stop_wanted || run.phase == Phase::kEnding) return absl::OkStatus();
  run.stop_wanted = true;
  const absl::Time now = clock_->Now();
  if (run.phase == Phase::kLive) {
    stops_.insert({now, id});
  } else {
    // If it waits to be tried again, it need not; if it is being created, it is stopped after that.
    const auto waiting =
        std::find_if(launches_.begin(), launches_.end(), [&id](const auto& launch) { return launch.second == id; });
    if (waiting != launches_.end()) {
      launches_.erase(waiting);
      launches_.insert({now, id});
    }
  }
  return absl::OkStatus();
}

std::string Fleet::Name(const Run& run) const { return TrainingJobName(run.spec.id, run.record.instance_type); }

void Fleet::Tell(const RunId& id, std::variant<RunStarted, RunMetrics, RunEnded> what) {
  listener_->OnRunEvent({id, std::move(what)});
}

void Fleet::TellStart(Run& run) {
  Tell(run.spec.id, RunStarted{run.record.arn.empty() ? Name(run) : run.record.arn, run.paths.attempt, clock_->Now()});
  absl::MutexLock lock(&mutex_);
  run.told_start = true;
}

absl::Duration Fleet::RetryIn(int failures, absl::Duration first, absl::Duration last) {
  const absl::Duration most = std::min(last, first * (int64_t{1} << std::min(failures, 16)));
  return most * (0.5 + jitter_.NextDouble() / 2);
}

absl::Duration Fleet::PollInterval() const {
  absl::Duration least = absl::InfiniteDuration();
  for (const auto& [name, run] : live_) {
    least = std::min(least,
                     run->options.has_poll_interval() ? ToDuration(run->options.poll_interval()) : pace_.poll_interval);
  }
  // One call in each interval for each 100 runs.
  return least / std::max<int64_t>(1, static_cast<int64_t>(live_.size()) / 100);
}

void Fleet::BeginEnd(Run& run) {
  run.phase = Phase::kEnding;
  run.log_due = clock_->Now();
  live_.erase(Name(run));
}

}  // namespace tuner::executors::sagemaker
