// Logs of training jobs, and the ends of runs.
#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "executors/sagemaker/fleet.h"
#include "executors/sagemaker/request.h"

namespace tuner::executors::sagemaker {
namespace {

constexpr int kMostLogFailures = 6;
constexpr size_t kLogTailBytes = 2048;

}  // namespace

void Fleet::LogLoop() {
  while (true) {
    RunPtr run;
    {
      absl::MutexLock lock(&mutex_);
      // The one that has waited for longest. Before its start was told, nothing else is told of a run.
      const auto first = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        absl::Time due = absl::InfiniteFuture();
        run.reset();
        for (const auto& [id, candidate] : runs_) {
          const bool reads =
              candidate->phase == Phase::kEnding || (candidate->phase == Phase::kLive && candidate->told_start);
          if (!reads || candidate->log_due >= due) continue;
          due = candidate->log_due;
          run = candidate;
        }
        return std::max(due, next_log_);
      };
      AwaitDue(first);
      if (closing_) return;
      first();
    }
    const absl::Duration again = ReadLog(run);
    absl::MutexLock lock(&mutex_);
    run->log_due = clock_->Now() + again;
  }
}

absl::Duration Fleet::ReadLog(const RunPtr& run) {
  bool ending;
  absl::Duration interval;
  std::string name;
  {
    absl::MutexLock lock(&mutex_);
    ending = run->phase == Phase::kEnding;
    interval = run->options.has_poll_interval() ? absl::Seconds(run->options.poll_interval().seconds()) +
                                                      absl::Nanoseconds(run->options.poll_interval().nanos())
                                                : pace_.poll_interval;
    name = Name(*run);
  }
  run->log.Follow(name);
  if (ending) {
    const bool began = run->final ? run->final->began() : run->record.began;
    if (began && !run->told_start) TellStart(*run);
    if (!run->final || !began) {
      End(run);  // there is no log, or it was read before the end was written down
      return interval;
    }
  }
  std::vector<core::Measurement> found;
  const absl::StatusOr<RunLog::Progress> progress =
      run->log.Fetch(site_->logs(), site_->call_options(), ending && run->log_rounds == 0, found);
  TellMetrics(*run, std::move(found));
  {
    absl::MutexLock lock(&mutex_);
    next_log_ = clock_->Now() + pace_.log_gap * (progress.ok() ? progress->calls : 1);
    if (!progress.ok()) {
      if (absl::IsCancelled(progress.status())) return interval;
      ++run->log_failures;
      const bool hopeless = absl::IsPermissionDenied(progress.status()) || run->log_failures >= kMostLogFailures;
      if (!ending || !hopeless)
        return std::max(interval, RetryIn(run->log_failures, pace_.first_retry, pace_.last_retry));
      run->log_trouble = std::string(progress.status().message());
    }
  }
  if (progress.ok()) run->log_failures = 0;
  if (!ending) return progress->at_end ? interval : absl::ZeroDuration();
  if (progress.ok()) {
    if (!progress->at_end) return absl::ZeroDuration();
    const bool complete = run->log.has_streams() && FinalValues(*run).empty();
    if (!complete && ++run->log_rounds < pace_.log_rounds) return interval;
  }
  End(run);
  return interval;
}

void Fleet::TellMetrics(Run& run, std::vector<core::Measurement> found) {
  if (found.empty()) return;
  for (core::Measurement& measurement : found) {
    measurement.time = clock_->Now();
    measurement.attempt = run.spec.id.attempt;
    measurement.source = core::MeasurementSource::kScanned;
  }
  core::ScanCursor cursor = run.log.cursor();
  // What the log did not tell stands behind it.
  for (const core::Measurement& value : run.record.final_values) cursor.last_step[value.metric] = value.step;
  Tell(run.spec.id, RunMetrics{std::move(found), std::move(cursor)});
}

std::vector<core::Measurement> Fleet::FinalValues(Run& run) const {
  std::vector<core::Measurement> values;
  if (!run.final) return values;
  const absl::btree_map<std::string, double> scanned = run.log.LastValues();
  for (const TrainingJob::Metric& metric : run.final->final_metrics) {
    const bool wanted = run.spec.metrics.empty() ||
                        std::any_of(run.spec.metrics.begin(), run.spec.metrics.end(),
                                    [&metric](const core::MetricDefinition& m) { return m.name == metric.name; });
    const auto it = scanned.find(metric.name);
    const bool known = it != scanned.end() && static_cast<float>(it->second) == static_cast<float>(metric.value);
    if (!wanted || known) continue;
    core::Measurement value;
    value.metric = metric.name;
    value.value = metric.value;
    const auto last = run.log.cursor().last_step.find(metric.name);
    value.step = last == run.log.cursor().last_step.end() ? 1 : last->second + 1;
    values.push_back(std::move(value));
  }
  return values;
}

void Fleet::End(const RunPtr& run) {
  std::vector<core::Measurement> found;
  while (true) {
    const absl::StatusOr<bool> scanned = run->log.Scan(true, found);
    if (!scanned.ok() || *scanned) break;
  }
  TellMetrics(*run, std::move(found));
  RunRecord& record = run->record;
  if (!record.end) {
    RunEnded ended = run->end.value_or(RunEnded());
    if (run->final) {
      record.began = run->final->began();
      record.final_values = FinalValues(*run);
      bool stopped;
      {
        absl::MutexLock lock(&mutex_);
        stopped = run->stop_wanted;
      }
      ended = ToRunEnded(*run->final, stopped, run->spec.time_limit.value_or(kDefaultRunTime));
    }
    if (!run->log_trouble.empty()) {
      absl::StrAppend(&ended.reason, "; its log could not be read: ", run->log_trouble);
    } else if (ended.outcome == RunEnded::Outcome::kFailed && record.began) {
      absl::StatusOr<UniqueFd> log = OpenBelow(run->paths.attempt, "stdout.log");
      const std::string tail = log.ok() ? ReadTail(*log, kLogTailBytes) : "";
      const std::string stripped(absl::StripAsciiWhitespace(tail));
      if (!stripped.empty()) absl::StrAppend(&ended.reason, "; its log ends with:\n", stripped);
    }
    ended.time = clock_->Now();
    record.end = std::move(ended);
    if (!WriteRunRecord(run->paths, record).ok()) {
      record.end.reset();  // again, when the disk has room
      return;
    }
  }
  TellMetrics(*run, record.final_values);
  // Before it is forgotten, so that a launch that is repeated meanwhile finds it either here or ended.
  ended_(run->spec.id);
  {
    absl::MutexLock lock(&mutex_);
    runs_.erase(run->spec.id);
  }
  Tell(run->spec.id, *record.end);
}

}  // namespace tuner::executors::sagemaker
