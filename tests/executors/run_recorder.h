// A listener that keeps what it is told, and waits for it: tests of executors never sleep.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/synchronization/mutex.h"
#include "executors/executor.h"

namespace tuner::executors {

class RunRecorder : public RunListener {
 public:
  struct Seen {
    std::vector<std::string> order;  // "started", "metrics", "ended"
    std::optional<RunStarted> started;
    std::vector<core::Measurement> measurements;
    core::ScanCursor cursor;
    std::optional<RunEnded> ended;
    int ends = 0;
  };

  void OnRunEvent(RunEvent event) override {
    absl::MutexLock lock(&mutex_);
    Seen& seen = seen_[event.id];
    if (auto* started = std::get_if<RunStarted>(&event.what)) {
      seen.order.push_back("started");
      seen.started = *started;
    } else if (auto* metrics = std::get_if<RunMetrics>(&event.what)) {
      seen.order.push_back("metrics");
      seen.measurements.insert(seen.measurements.end(), metrics->measurements.begin(), metrics->measurements.end());
      seen.cursor = metrics->cursor;
    } else {
      seen.order.push_back("ended");
      seen.ended = std::get<RunEnded>(event.what);
      ++seen.ends;
    }
  }

  Seen Get(const RunId& id) const {
    absl::MutexLock lock(&mutex_);
    auto it = seen_.find(id);
    return it == seen_.end() ? Seen() : it->second;
  }

  // Waits, with a bound that only a broken executor reaches, until `condition` holds for what was seen of the run.
  template <typename Condition>
  bool Await(const RunId& id, const Condition& condition) const {
    absl::MutexLock lock(&mutex_);
    const auto holds = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      auto it = seen_.find(id);
      return it != seen_.end() && condition(it->second);
    };
    return mutex_.AwaitWithTimeout(absl::Condition(&holds), absl::Minutes(3));
  }
  bool AwaitStarted(const RunId& id) const {
    return Await(id, [](const Seen& seen) { return seen.started.has_value(); });
  }
  RunEnded AwaitEnded(const RunId& id) const {
    if (!Await(id, [](const Seen& seen) { return seen.ended.has_value(); }))
      return RunEnded{.reason = "the test waited in vain"};
    return *Get(id).ended;
  }

 private:
  mutable absl::Mutex mutex_;
  absl::btree_map<RunId, Seen> seen_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tuner::executors
