#include "tuner/cli/follow.h"

#include <algorithm>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tuner/cli/job_view.h"
#include "tuner/cli/pages.h"

namespace tuner::cli {
namespace {

constexpr absl::Duration kGiveUpAfter = absl::Minutes(1);

// Reads the watch on a thread of its own and joins it again where the connection breaks.
class Reader {
 public:
  Reader(Client& client, std::string job_name, FollowInbox& inbox)
      : client_(client), job_name_(std::move(job_name)), inbox_(inbox), thread_([this] { Run(); }) {}
  ~Reader() {
    {
      absl::MutexLock lock(&mutex_);
      ended_ = true;
      if (stream_) stream_->Cancel();
    }
    thread_.join();
  }

 private:
  void Run() {
    absl::Duration pause = absl::Milliseconds(100);
    absl::Time last_word = absl::Now();
    while (true) {
      const auto [status, heard] = ReadOnce();
      if (heard) {
        last_word = absl::Now();
        pause = absl::Milliseconds(100);
      }
      const bool again = absl::IsUnavailable(status) && absl::Now() - last_word < kGiveUpAfter;
      if (!again) return inbox_.Push({FollowEvent::Kind::kStreamEnded, {}, status});
      absl::MutexLock lock(&mutex_);
      if (mutex_.AwaitWithTimeout(absl::Condition(&ended_), pause)) return;
      pause = std::min(pause * 2, absl::Seconds(5));
    }
  }

  // One stream to its end: how it ended, and whether it brought anything.
  std::pair<absl::Status, bool> ReadOnce() {
    v1::WatchTuningJobRequest request;
    request.set_name(job_name_);
    request.set_after_revision(revision_);
    std::shared_ptr<WatchStream> stream = client_.Watch(request);
    {
      absl::MutexLock lock(&mutex_);
      if (ended_) return {absl::OkStatus(), false};
      stream_ = stream;
    }
    bool heard = false;
    v1::WatchTuningJobResponse change;
    while (stream->Next(change)) {
      heard = true;
      revision_ = std::max(revision_, change.revision());
      inbox_.Push({FollowEvent::Kind::kChange, std::move(change), {}});
      change.Clear();
    }
    absl::Status status = stream->Finish();
    absl::MutexLock lock(&mutex_);
    stream_ = nullptr;
    return {ended_ ? absl::OkStatus() : status, heard};
  }

  Client& client_;
  const std::string job_name_;
  FollowInbox& inbox_;
  int64_t revision_ = 0;  // of the reader thread
  absl::Mutex mutex_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<WatchStream> stream_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace

void FollowInbox::Push(FollowEvent event) {
  absl::MutexLock lock(&mutex_);
  events_.push_back(std::move(event));
}

bool FollowInbox::Pop(absl::Duration timeout, FollowEvent& event) {
  absl::MutexLock lock(&mutex_);
  const auto filled = [this] {
    mutex_.AssertHeld();
    return !events_.empty();
  };
  if (!mutex_.AwaitWithTimeout(absl::Condition(&filled), timeout)) return false;
  event = std::move(events_.front());
  events_.pop_front();
  return true;
}

absl::StatusOr<FollowEnd> Follow(Client& client, const std::string& job_name, JobProgress& progress, ProgressView& view,
                                 FollowInbox& inbox, const InterruptHandler& on_interrupt) {
  Reader reader(client, job_name, inbox);
  int interrupts = 0;
  bool draining = false;
  while (true) {
    FollowEvent event;
    if (inbox.Pop(draining ? absl::Milliseconds(100) : view.interval(), event)) {
      switch (event.kind) {
        case FollowEvent::Kind::kChange:
          progress.Apply(event.change);
          break;
        case FollowEvent::Kind::kStreamEnded: {
          if (!event.status.ok()) return event.status;
          // The stream ends when the job does; what it said last may be older than the end.
          auto job = FetchJob(client, job_name);
          if (!job.ok()) return job.status();
          return FollowEnd{*std::move(job), draining};
        }
        case FollowEvent::Kind::kInterrupt:
          if (on_interrupt(++interrupts, true, progress.job()) == OnInterrupt::kLeave)
            return FollowEnd{progress.job(), true};
          draining = true;
          break;
      }
    }
    view.Show(progress, absl::Now());
    if (progress.known() && IsTerminal(progress.job().state())) return FollowEnd{progress.job(), draining};
    if (draining) {
      auto job = FetchJob(client, job_name);
      if (!job.ok()) return job.status();
      if (ActiveTrials(*job) == 0) return FollowEnd{*std::move(job), true};
      on_interrupt(interrupts, false, *job);
    }
  }
}

}  // namespace tuner::cli
