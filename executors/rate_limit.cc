#include "executors/rate_limit.h"

#include <algorithm>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "executors/later.h"

namespace tuner::executors {
namespace {

// A turn that nobody came for is forgotten: its run was stopped before, or its job deleted.
constexpr absl::Duration kKeepTurn = absl::Minutes(5);

class RateLimitedExecutor : public Executor {
 public:
  RateLimitedExecutor(std::unique_ptr<Executor> within, core::Clock* clock, RateLimit limit)
      : within_(std::move(within)),
        clock_(clock),
        limit_(limit),
        interval_(absl::Seconds(1 / limit.per_second)),
        tolerance_(interval_ * (limit.burst - 1)) {}

  absl::Status Launch(const RunSpec& spec) override {
    const absl::Duration wait = AwaitedTurn(spec.id);
    if (wait > absl::ZeroDuration()) {
      return WithRetryAfter(
          absl::ResourceExhaustedError(absl::StrCat("the server launches at most ", limit_.per_second,
                                                    " runs per second here; its turn is in ",
                                                    absl::FormatDuration(absl::Trunc(wait, absl::Milliseconds(1))))),
          wait);
    }
    return within_->Launch(spec);
  }
  absl::Status Stop(const RunId& id, absl::Duration grace) override { return within_->Stop(id, grace); }
  absl::StatusOr<std::vector<bool>> Adopt(absl::Span<const RunCursor> runs) override { return within_->Adopt(runs); }
  void Acknowledge(const RunId& id) override { within_->Acknowledge(id); }
  absl::Status Remove(const std::string& job_id, const std::string& job_uid) override {
    return within_->Remove(job_id, job_uid);
  }
  absl::Status RemoveArtifacts(const RunSpec& spec, bool with_logs) override {
    return within_->RemoveArtifacts(spec, with_logs);
  }
  Capabilities capabilities() const override { return within_->capabilities(); }

 private:
  // How long the run has yet to wait; 0: it has taken its token. The bucket is kept as the time at which it would be
  // full but for what was promised: a token is free while that is at most a burst ahead of now.
  absl::Duration AwaitedTurn(const RunId& id) {
    absl::MutexLock lock(&mutex_);
    const absl::Time now = clock_->Now();
    if (const auto it = turns_.find(id); it != turns_.end()) {
      if (it->second > now) return it->second - now;
      turns_.erase(it);
      return absl::ZeroDuration();
    }
    absl::erase_if(turns_, [&](const auto& turn) { return turn.second + kKeepTurn < now; });
    promised_ = std::max(promised_, now);
    const absl::Time turn = promised_ - tolerance_;
    promised_ += interval_;
    if (turn <= now) return absl::ZeroDuration();
    turns_[id] = turn;
    return turn - now;
  }

  const std::unique_ptr<Executor> within_;
  core::Clock* const clock_;
  const RateLimit limit_;
  const absl::Duration interval_;
  const absl::Duration tolerance_;

  absl::Mutex mutex_;
  absl::Time promised_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  absl::flat_hash_map<RunId, absl::Time> turns_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<Executor> MakeRateLimitedExecutor(std::unique_ptr<Executor> within, core::Clock* clock,
                                                  RateLimit limit) {
  return std::make_unique<RateLimitedExecutor>(std::move(within), clock, limit);
}

}  // namespace tuner::executors
