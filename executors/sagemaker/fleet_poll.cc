// What running training jobs do, and stops.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "executors/sagemaker/fleet.h"
#include "executors/sagemaker/names.h"

namespace tuner::executors::sagemaker {
namespace {

// How far apart two of the service's machines may be about the time.
constexpr absl::Duration kListSlack = absl::Seconds(10);
// Requests of machines whose clocks differ by more are not served.
constexpr absl::Duration kMostClockSkew = absl::Minutes(15);
// Searches that may not know yet what a list told, before it is asked for alone.
constexpr int kMostSearches = 2;

}  // namespace

void Fleet::PollLoop() {
  while (true) {
    RunPtr to_stop;
    {
      absl::MutexLock lock(&mutex_);
      const auto first = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        const absl::Time poll = live_.empty() ? absl::InfiniteFuture() : next_poll_;
        return stops_.empty() ? poll : std::min(poll, stops_.begin()->first);
      };
      AwaitDue(first);
      if (closing_) return;
      if (!stops_.empty() && stops_.begin()->first <= clock_->Now()) {
        const auto it = runs_.find(stops_.begin()->second);
        stops_.erase(stops_.begin());
        if (it == runs_.end() || it->second->phase != Phase::kLive) continue;
        to_stop = it->second;
      }
    }
    if (to_stop != nullptr) {
      StopOne(to_stop);
      continue;
    }
    const absl::Status polled = Poll();
    absl::MutexLock lock(&mutex_);
    const absl::Time now = clock_->Now();
    if (polled.ok()) {
      poll_failures_ = 0;
      next_poll_ = now + PollInterval();
    } else {
      const absl::Duration wait = RetryIn(poll_failures_++, pace_.first_retry, pace_.last_retry);
      next_poll_ = now + std::max(wait, live_.empty() ? wait : PollInterval());
    }
  }
}

void Fleet::StopOne(const RunPtr& run) {
  std::string name;
  {
    absl::MutexLock lock(&mutex_);
    name = Name(*run);
  }
  const absl::Status stopped = site_->service().Stop(name);
  absl::MutexLock lock(&mutex_);
  if (stopped.ok() || absl::IsNotFound(stopped)) {
    run->failures = 0;
    // One that is gone is seen to be so.
    if (!stopped.ok()) run->needs_detail = true;
  } else if (!absl::IsCancelled(stopped) && run->phase == Phase::kLive) {
    stops_.insert({clock_->Now() + RetryIn(run->failures++, pace_.first_retry, pace_.last_retry), run->spec.id});
  }
}

absl::Status Fleet::Poll() {
  std::vector<RunPtr> live, unknown;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [name, run] : live_) {
      live.push_back(run);
      if (run->needs_detail) unknown.push_back(run);
    }
  }
  if (live.empty()) return absl::OkStatus();
  // Of a single one all is told by one call; so too of the only one that is not known.
  if (live.size() == 1) return DescribeOne(live[0]);
  if (!unknown.empty() && (detail_next_ || unknown.size() == live.size())) {
    detail_next_ = false;
    return PollDetails(unknown);
  }
  detail_next_ = true;
  return PollList(live);
}

absl::Status Fleet::PollList(const std::vector<RunPtr>& live) {
  if (listing_.token.empty()) {
    std::vector<std::string> names;
    for (const RunPtr& run : live) names.push_back(Name(*run));
    listing_ = Service::Filter();
    listing_.name_contains = CommonPrefix(names);
    const absl::Time now = clock_->Now();
    if (seen_until_ == absl::InfinitePast()) {
      seen_until_ = now - kMostClockSkew;
      sweep_due_ = now + pace_.sweep_interval;
    }
    listing_is_sweep_ = now >= sweep_due_;
    if (listing_is_sweep_) {
      listing_.in_progress = true;
      sweep_due_ = now + pace_.sweep_interval;
      swept_.clear();
      sweep_expects_ = live;
    } else {
      listing_.modified_after = seen_until_ - kListSlack;
    }
  }
  const bool first_page = listing_.token.empty();
  absl::StatusOr<TrainingJobPage> page = site_->service().List(listing_);
  if (!page.ok()) {
    listing_.token.clear();  // from the beginning: a token may have expired
    if (!absl::IsPermissionDenied(page.status())) return page.status();
    absl::MutexLock lock(&mutex_);
    for (const RunPtr& run : live) run->needs_detail = true;  // asked for by other calls, which may be allowed
    return absl::OkStatus();
  }
  listing_.token = page->next_token;
  for (const TrainingJob& job : page->jobs) {
    // Of later pages not, as what changes on the first one meanwhile would be missed.
    if (first_page && !listing_is_sweep_) seen_until_ = std::max(seen_until_, job.modified);
    RunPtr run;
    {
      absl::MutexLock lock(&mutex_);
      const auto it = live_.find(job.name);
      if (it != live_.end()) run = it->second;
    }
    if (listing_is_sweep_) swept_.insert(job.name);
    if (run != nullptr) TakeSummary(run, job);
  }
  if (listing_is_sweep_ && listing_.token.empty()) {
    absl::MutexLock lock(&mutex_);
    for (const RunPtr& run : sweep_expects_) {
      if (run->phase == Phase::kLive && !swept_.contains(Name(*run))) run->needs_detail = true;
    }
    sweep_expects_.clear();
  }
  return absl::OkStatus();
}

absl::Status Fleet::PollDetails(const std::vector<RunPtr>& unknown) {
  const auto alone =
      std::find_if(unknown.begin(), unknown.end(), [](const RunPtr& run) { return run->searches >= kMostSearches; });
  if (alone != unknown.end()) return DescribeOne(*alone);
  if (unknown.size() == 1) return DescribeOne(unknown[0]);
  if (!may_search_) {
    // Each for itself; the ends of many are not held up by the pace of the lists.
    for (const RunPtr& run : unknown) {
      if (absl::Status described = DescribeOne(run); !described.ok()) return described;
    }
    return absl::OkStatus();
  }
  std::vector<std::string> names;
  for (const RunPtr& run : unknown) names.push_back(Name(*run));
  absl::StatusOr<TrainingJobPage> page = site_->service().Search(CommonPrefix(names));
  if (!page.ok()) {
    const bool passes = absl::IsUnavailable(page.status()) || absl::IsResourceExhausted(page.status()) ||
                        absl::IsDeadlineExceeded(page.status()) || absl::IsCancelled(page.status());
    may_search_ = passes;
    return passes ? page.status() : absl::OkStatus();
  }
  for (const RunPtr& run : unknown) ++run->searches;
  for (const TrainingJob& job : page->jobs) {
    const auto it = std::find(names.begin(), names.end(), job.name);
    if (it == names.end()) continue;
    const RunPtr& run = unknown[static_cast<size_t>(it - names.begin())];
    // The index may lag behind: an end that was listed is not taken back.
    if (job.terminal() || !run->listed_end) TakeDetail(run, job);
  }
  return absl::OkStatus();
}

absl::Status Fleet::DescribeOne(const RunPtr& run) {
  const std::string name = Name(*run);
  const absl::StatusOr<TrainingJob> job = site_->service().Describe(name);
  if (job.ok()) {
    TakeDetail(run, *job);
    return absl::OkStatus();
  }
  if (!absl::IsNotFound(job.status())) return job.status();
  absl::MutexLock lock(&mutex_);
  if (run->phase != Phase::kLive) return absl::OkStatus();
  run->end = RunEnded();
  run->end->outcome = run->stop_wanted ? RunEnded::Outcome::kStopped : RunEnded::Outcome::kLost;
  run->end->reason = absl::StrCat("SageMaker has no training job ", name, " any more");
  BeginEnd(*run);
  return absl::OkStatus();
}

void Fleet::TakeSummary(const RunPtr& run, const TrainingJob& job) {
  if (job.terminal()) {
    absl::MutexLock lock(&mutex_);
    run->needs_detail = true;
    run->listed_end = true;
    return;
  }
  if (!run->told_start && job.began()) TellStart(*run);
}

void Fleet::TakeDetail(const RunPtr& run, const TrainingJob& job) {
  if (!job.terminal()) {
    if (!run->told_start && job.began()) TellStart(*run);
    absl::MutexLock lock(&mutex_);
    run->needs_detail = false;
    run->searches = 0;
    return;
  }
  absl::MutexLock lock(&mutex_);
  if (run->phase != Phase::kLive) return;
  if (IsOutOfCapacity(job) && TryNextInstanceType(*run)) return;
  run->final = job;
  BeginEnd(*run);
}

}  // namespace tuner::executors::sagemaker
