#include "tests/executors/faulty_executor.h"

#include <deque>
#include <iterator>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "core/rng.h"

namespace tuner::executors {
namespace {

class FaultyExecutor : public Executor, public RunListener {
 public:
  FaultyExecutor(const MakeExecutor& make, RunListener* listener, FaultRates rates)
      : rates_(rates), listener_(listener), rng_(rates.seed, 0) {
    within_ = make(this);
    thread_ = std::thread([this] { Deliver(); });
  }
  ~FaultyExecutor() override {
    within_.reset();
    {
      absl::MutexLock lock(&mutex_);
      stopping_ = true;
    }
    thread_.join();
  }

  absl::Status Launch(const RunSpec& spec) override {
    {
      absl::MutexLock lock(&mutex_);
      known_.insert(spec.id);
    }
    return Tamper(spec.id, [&] { return within_->Launch(spec); });
  }
  absl::Status Stop(const RunId& id, absl::Duration grace) override {
    return Tamper(id, [&] { return within_->Stop(id, grace); });
  }
  absl::StatusOr<std::vector<bool>> Adopt(absl::Span<const RunCursor> runs) override {
    absl::StatusOr<std::vector<bool>> known = within_->Adopt(runs);
    absl::MutexLock lock(&mutex_);
    for (size_t i = 0; known.ok() && i < runs.size(); ++i) {
      if ((*known)[i]) known_.insert(runs[i].spec.id);
    }
    return known;
  }
  void Acknowledge(const RunId& id) override { within_->Acknowledge(id); }
  absl::Status Remove(const std::string& job_id, const std::string& job_uid) override {
    return within_->Remove(job_id, job_uid);
  }
  absl::Status RemoveArtifacts(const RunSpec& spec, bool with_logs) override {
    return within_->RemoveArtifacts(spec, with_logs);
  }
  Capabilities capabilities() const override { return within_->capabilities(); }

  void OnRunEvent(RunEvent event) override {
    absl::MutexLock lock(&mutex_);
    events_[event.id].push_back(std::move(event));
  }

 private:
  enum class Fault { kNone, kRefused, kLost, kTwice };

  template <typename Call>
  absl::Status Tamper(const RunId& id, const Call& call) {
    const Fault fault = Choose(id);
    if (fault == Fault::kRefused) return absl::UnavailableError("the engine is down");
    const absl::Status status = call();
    if (fault == Fault::kTwice) call().IgnoreError();
    return fault == Fault::kLost ? absl::UnavailableError("the answer was lost") : status;
  }

  Fault Choose(const RunId& id) {
    absl::MutexLock lock(&mutex_);
    if (!known_.contains(id) || ended_.contains(id)) return Fault::kNone;
    const double draw = rng_.NextDouble();
    if (draw < rates_.refused) return Fault::kRefused;
    if (draw < rates_.refused + rates_.lost) return Fault::kLost;
    return draw < rates_.refused + rates_.lost + rates_.twice ? Fault::kTwice : Fault::kNone;
  }

  void Deliver() {
    while (true) {
      RunEvent event;
      {
        absl::MutexLock lock(&mutex_);
        const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || !events_.empty(); };
        mutex_.Await(absl::Condition(&ready));
        if (stopping_) return;
        const auto it = std::next(events_.begin(), static_cast<ptrdiff_t>(rng_.NextBelow(events_.size())));
        event = std::move(it->second.front());
        it->second.pop_front();
        if (it->second.empty()) events_.erase(it);
        if (std::holds_alternative<RunEnded>(event.what)) ended_.insert(event.id);
      }
      listener_->OnRunEvent(std::move(event));
    }
  }

  const FaultRates rates_;
  RunListener* const listener_;
  std::unique_ptr<Executor> within_;

  absl::Mutex mutex_;
  core::Rng rng_ ABSL_GUARDED_BY(mutex_);
  absl::btree_map<RunId, std::deque<RunEvent>> events_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<RunId> known_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<RunId> ended_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Executor> MakeFaultyExecutor(const MakeExecutor& make, RunListener* listener, FaultRates rates) {
  return std::make_unique<FaultyExecutor>(make, listener, rates);
}

}  // namespace tuner::executors
