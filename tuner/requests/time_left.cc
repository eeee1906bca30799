#include "tuner/requests/time_left.h"

#include <algorithm>
#include <functional>
#include <queue>
#include <vector>

namespace tuner::requests {
namespace {

// A worker that only tells the end of a trial began it when it got it.
std::optional<absl::Time> Start(const core::Attempt& attempt) {
  return attempt.start_time ? attempt.start_time : attempt.launch_time;
}

// Time on an executor, of all attempts; of the last one up to `now` if it still runs.
absl::Duration TimeUsed(const core::Trial& trial, absl::Time now) {
  absl::Duration used = absl::ZeroDuration();
  for (const core::Attempt& attempt : trial.attempts) {
    const std::optional<absl::Time> start = Start(attempt);
    if (start) used += std::max(absl::ZeroDuration(), attempt.end_time.value_or(now) - *start);
  }
  return used;
}

std::optional<absl::Duration> MeanTime(absl::Span<const core::Trial> trials, absl::Time now) {
  absl::Duration sum = absl::ZeroDuration();
  int count = 0;
  for (const core::Trial& trial : trials) {
    const bool ended = trial.state == core::TrialState::kCompleted || trial.state == core::TrialState::kEarlyStopped ||
                       trial.state == core::TrialState::kFailed || trial.state == core::TrialState::kInfeasible;
    if (!ended || trial.attempts.empty() || !Start(trial.attempts.back())) continue;
    sum += TimeUsed(trial, now);
    ++count;
  }
  if (count == 0) return std::nullopt;
  return sum / count;
}

}  // namespace

std::optional<absl::Duration> EstimateTimeLeft(const core::JobHeader& header, absl::Span<const core::Trial> trials,
                                               absl::Time now) {
  if (core::IsTerminal(header.status)) return absl::ZeroDuration();
  const std::optional<absl::Duration> mean = MeanTime(trials, now);
  std::optional<absl::Duration> most;
  if (header.limits.max_run_time) {
    most = std::max(absl::ZeroDuration(), header.create_time + *header.limits.max_run_time - now);
  }
  if (!mean || !header.limits.max_trials) return most;
  // When each slot comes free, the earliest first.
  std::priority_queue<absl::Duration, std::vector<absl::Duration>, std::greater<>> slots;
  int64_t started = 0;
  int64_t waiting = 0;  // started before, to be run again
  absl::Duration last = absl::ZeroDuration();
  for (const core::Trial& trial : trials) {
    if (core::TakesPlace(trial)) ++started;
    if (core::IsActive(trial.state)) {
      const absl::Duration left = std::max(absl::ZeroDuration(), *mean - TimeUsed(trial, now));
      slots.push(left);
      last = std::max(last, left);
    } else if (!core::IsTerminal(trial.state) && !trial.attempts.empty()) {
      ++waiting;
    }
  }
  while (static_cast<int64_t>(slots.size()) < header.limits.max_parallel_trials) slots.push(absl::ZeroDuration());
  const int64_t to_come = std::max<int64_t>(0, *header.limits.max_trials - started) + waiting;
  for (int64_t i = 0; i < to_come; ++i) {
    const absl::Duration end = slots.top() + *mean;
    slots.pop();
    slots.push(end);
    last = std::max(last, end);
  }
  return most ? std::min(last, *most) : last;
}

}  // namespace tuner::requests
