#include "executors/circuit_breaker.h"

#include <algorithm>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "executors/later.h"

namespace tuner::executors {
namespace {

class CircuitBreaker : public Executor {
 public:
  CircuitBreaker(std::unique_ptr<Executor> within, core::Clock* clock, std::string name, BreakerOptions options)
      : within_(std::move(within)), clock_(clock), name_(std::move(name)), options_(options) {}

  absl::Status Launch(const RunSpec& spec) override {
    return Guard([&] { return within_->Launch(spec); });
  }
  absl::Status Stop(const RunId& id, absl::Duration grace) override {
    return Guard([&] { return within_->Stop(id, grace); });
  }
  absl::StatusOr<std::vector<bool>> Adopt(absl::Span<const RunCursor> runs) override {
    absl::StatusOr<std::vector<bool>> known = std::vector<bool>();
    const absl::Status status = Guard([&] {
      known = within_->Adopt(runs);
      return known.status();
    });
    if (!status.ok()) return status;
    return known;
  }
  void Acknowledge(const RunId& id) override { within_->Acknowledge(id); }
  absl::Status Remove(const std::string& job_id, const std::string& job_uid) override {
    return Guard([&] { return within_->Remove(job_id, job_uid); });
  }
  absl::Status RemoveArtifacts(const RunSpec& spec, bool with_logs) override {
    return Guard([&] { return within_->RemoveArtifacts(spec, with_logs); });
  }
  Capabilities capabilities() const override { return within_->capabilities(); }

 private:
  template <typename Call>
  absl::Status Guard(const Call& call) {
    bool probe = false;
    if (absl::Status refused = Enter(probe); !refused.ok()) return refused;
    absl::Status status = call();
    Leave(status, probe);
    return status;
  }

  absl::Status Enter(bool& probe) {
    absl::MutexLock lock(&mutex_);
    if (in_a_row_ < options_.failures) return absl::OkStatus();
    const absl::Duration wait = open_until_ - clock_->Now();
    if (wait <= absl::ZeroDuration() && !probing_) {
      probing_ = probe = true;  // the one that is let through
      return absl::OkStatus();
    }
    const absl::Duration again = std::max(wait, absl::Seconds(1));  // while one call is on its way: soon
    return WithRetryAfter(
        absl::UnavailableError(absl::StrCat(
            "executor ", name_, " did not answer ", in_a_row_, " times in a row, and is asked again in ",
            absl::FormatDuration(absl::Ceil(again, absl::Milliseconds(1))), "; the last time: ", last_failure_)),
        again);
  }

  void Leave(const absl::Status& status, bool probe) {
    absl::MutexLock lock(&mutex_);
    if (probe) probing_ = false;
    if (!absl::IsUnavailable(status)) {
      in_a_row_ = 0;
      return;
    }
    ++in_a_row_;
    last_failure_ = std::string(status.message());
    open_until_ = clock_->Now() + options_.cool_down;
  }

  const std::unique_ptr<Executor> within_;
  core::Clock* const clock_;
  const std::string name_;
  const BreakerOptions options_;

  absl::Mutex mutex_;
  int in_a_row_ ABSL_GUARDED_BY(mutex_) = 0;
  bool probing_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time open_until_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  std::string last_failure_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<Executor> MakeCircuitBreaker(std::unique_ptr<Executor> within, core::Clock* clock, std::string name,
                                             BreakerOptions options) {
  return std::make_unique<CircuitBreaker>(std::move(within), clock, std::move(name), options);
}

}  // namespace tuner::executors
