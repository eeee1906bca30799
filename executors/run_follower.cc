#include "executors/run_follower.h"

#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "executors/run_outcome.h"

namespace tuner::executors {
namespace {

constexpr size_t kChunkBytes = 64 << 10;
// What one call reads of each stream, so that a flood in one run does not hold up the others.
constexpr int kChunksPerCall = 16;
constexpr size_t kMeasurementsPerEvent = 1000;
constexpr size_t kFailureChars = 1024;
constexpr size_t kStderrTailBytes = 2048;

std::string HostName() {
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) == 0 ? name : "localhost";
}

}  // namespace

RunFollower::RunFollower(const RunSpec& spec, RunPaths paths, std::shared_ptr<const CompiledMetrics> metrics,
                         bool started, const core::Clock* clock)
    : id_(spec.id), paths_(std::move(paths)), clock_(clock), started_(started) {
  if (metrics != nullptr) scanner_ = std::make_unique<MetricScanner>(std::move(metrics), spec.cursor);
  OpenLogs();
}

bool RunFollower::OpenLogs() {
  if (logs_opened_) return true;
  absl::StatusOr<UniqueFd> out = OpenBelow(paths_.attempt, "stdout.log");
  absl::StatusOr<UniqueFd> err = OpenBelow(paths_.attempt, "stderr.log");
  if (!out.ok() || !err.ok()) return false;
  logs_[MetricScanner::kStdout] = *std::move(out);
  logs_[MetricScanner::kStderr] = *std::move(err);
  logs_opened_ = true;
  return true;
}

RunFollower::Progress RunFollower::Advance(bool supervised, std::vector<RunEvent>& events) {
  if (!OpenLogs()) return Progress::kAgain;
  if (!started_) {
    const absl::StatusOr<std::optional<records::Started>> started = ReadStarted(paths_.run);
    if (!started.ok()) return Progress::kAgain;
    if (*started) {
      started_ = true;
      events.push_back({id_, RunStarted{absl::StrCat(HostName(), ", process ", (*started)->pid), paths_.attempt,
                                        absl::FromUnixMicros((*started)->time_us)}});
    }
  }
  // The exit record before the output: once it is there, the output is whole.
  const absl::StatusOr<std::optional<records::Exit>> exit = ReadExit(paths_.run);
  if (!exit.ok()) return Progress::kAgain;
  std::optional<records::Launch> launch;  // an end is told with it
  if (*exit) {
    absl::StatusOr<std::optional<records::Launch>> read = ReadLaunch(paths_.run);
    if (!read.ok()) return Progress::kAgain;
    launch = *std::move(read);
  }
  const bool lost = !*exit && !supervised;
  const ClaimView claim = lost ? LookAtClaim(paths_) : ClaimView();
  if (claim.state == ClaimState::kUnknown) return Progress::kAgain;
  const bool last = *exit || lost;
  if (scanner_ != nullptr) {
    std::vector<core::Measurement> found;
    const bool at_end = ReadOutput(found, events);
    if (at_end && last) {
      scanner_->Finish(MetricScanner::kStdout, found);
      scanner_->Finish(MetricScanner::kStderr, found);
    }
    AddMetrics(found, events);
    if (!at_end) return Progress::kMore;
  }
  if (!last) return Progress::kWaiting;
  if (lost) {
    events.push_back({id_, Lost(claim)});
    return Progress::kEnded;
  }
  OutcomeTexts texts;
  // The texts only explain an end: it is not held up for them.
  absl::StatusOr<UniqueFd> failure = OpenBelow(paths_.attempt, "output/failure");
  if (failure.ok()) texts.failure = ReadHead(*failure, kFailureChars);
  texts.stderr_tail = ReadTail(logs_[MetricScanner::kStderr], kStderrTailBytes);
  events.push_back({id_, ToRunEnded(**exit, launch.value_or(records::Launch()), texts)});
  return Progress::kEnded;
}

bool RunFollower::ReadOutput(std::vector<core::Measurement>& found, std::vector<RunEvent>& events) {
  static thread_local std::string buffer(kChunkBytes, '\0');
  bool at_end = true;
  for (const MetricScanner::Stream stream : {MetricScanner::kStdout, MetricScanner::kStderr}) {
    if (!logs_[stream]) continue;
    bool stream_at_end = false;
    for (int i = 0; i < kChunksPerCall && !stream_at_end; ++i) {
      const ssize_t n = pread(logs_[stream].get(), buffer.data(), buffer.size(), scanner_->next_offset(stream));
      if (n > 0) scanner_->Feed(stream, std::string_view(buffer.data(), static_cast<size_t>(n)), found);
      if (found.size() >= kMeasurementsPerEvent) AddMetrics(found, events);
      stream_at_end = n < static_cast<ssize_t>(buffer.size());
    }
    at_end = at_end && stream_at_end;
  }
  return at_end;
}

void RunFollower::AddMetrics(std::vector<core::Measurement>& found, std::vector<RunEvent>& events) {
  if (found.empty()) return;
  const absl::Time now = clock_->Now();
  for (core::Measurement& measurement : found) {
    measurement.time = now;
    measurement.attempt = id_.attempt;
    measurement.source = core::MeasurementSource::kScanned;
  }
  events.push_back({id_, RunMetrics{std::exchange(found, {}), scanner_->cursor()}});
}

RunEnded RunFollower::Lost(const ClaimView& view) const {
  RunEnded ended;
  ended.outcome = RunEnded::Outcome::kLost;
  ended.time = clock_->Now();
  if (!view.claim) {
    ended.reason = "its supervisor could not start it; is the disk full?";
  } else if (view.claim->boot_id != records::BootId()) {
    ended.reason = "the machine was restarted while it ran";
  } else {
    ended.reason = absl::StrCat("its supervisor (process ", view.claim->pid, ") was killed");
  }
  return ended;
}

}  // namespace tuner::executors
