// What a strategy host answered, for tests to wait for.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "core/clock.h"
#include "gtest/gtest.h"
#include "tuner/engine/strategy_host.h"

namespace tuner::engine {

struct Answers {
  core::ManualClock clock{absl::FromUnixSeconds(1'000'000)};
  absl::Mutex mutex;
  std::vector<core::Proposed> all;

  StrategyHostOptions Options(int threads) {
    StrategyHostOptions options;
    options.threads = threads;
    options.clock = &clock;
    return options;
  }
  StrategyHost::AnswerCallback Callback() {
    return [this](const std::string&, core::Proposed proposed) {
      absl::MutexLock lock(&mutex);
      all.push_back(std::move(proposed));
    };
  }
  void Await(size_t count) {
    absl::MutexLock lock(&mutex);
    const auto enough = [&] { return all.size() >= count; };
    ASSERT_TRUE(mutex.AwaitWithTimeout(absl::Condition(&enough), absl::Seconds(60)));
  }
  size_t count() {
    absl::MutexLock lock(&mutex);
    return all.size();
  }
  core::Proposed Last() {
    absl::MutexLock lock(&mutex);
    return all.back();
  }
};

}  // namespace tuner::engine
