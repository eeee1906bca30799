// What the tests of executors/aws share: a clock that waits for nobody, and services of a test's own.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "executors/aws/service_client.h"
#include "executors/http_client.h"

namespace tuner::testing {

// Jumps to the end of every wait, and keeps how long each was.
class JumpingClock : public core::Clock {
 public:
  explicit JumpingClock(absl::Time start) : now_(start) {}

  absl::Time Now() const override {
    absl::MutexLock lock(&mutex_);
    return now_;
  }
  bool AwaitUntil(absl::Mutex&, const absl::Condition& condition, absl::Time deadline) override {
    if (condition.Eval()) return true;
    absl::MutexLock lock(&mutex_);
    waits_.push_back(deadline - now_);
    if (deadline > now_) now_ = deadline;
    return false;
  }
  void Advance(absl::Duration step) {
    absl::MutexLock lock(&mutex_);
    now_ += step;
  }
  std::vector<absl::Duration> waits() const {
    absl::MutexLock lock(&mutex_);
    return waits_;
  }

 private:
  mutable absl::Mutex mutex_;
  absl::Time now_ ABSL_GUARDED_BY(mutex_);
  std::vector<absl::Duration> waits_ ABSL_GUARDED_BY(mutex_);
};

// 2026-01-02 03:04:05 UTC.
inline absl::Time TestTime() { return absl::FromCivil(absl::CivilSecond(2026, 1, 2, 3, 4, 5), absl::UTCTimeZone()); }

inline std::string HttpDate(absl::Time time) {
  return absl::FormatTime("%a, %d %b %Y %H:%M:%S GMT", time, absl::UTCTimeZone());
}

// Planted, and looked for in everything that is said.
inline constexpr char kSecret[] = "planted/Secret+Key";
inline constexpr char kToken[] = "planted==session//token";

inline executors::aws::Credentials TestKeys() { return {"AKIDTEST", kSecret, kToken}; }

struct AwsFixture {
  JumpingClock clock{TestTime()};
  executors::HttpClient http;
  std::unique_ptr<executors::aws::CredentialsProvider> credentials = executors::aws::MakeStaticCredentials(TestKeys());

  executors::aws::AwsServices services() { return {http, *credentials, clock}; }
  static executors::aws::ServiceOptions Options(std::string endpoint) {
    executors::aws::ServiceOptions options;
    options.service = "sagemaker";
    options.region = "eu-west-1";
    options.endpoint = std::move(endpoint);
    options.jitter_seed = 7;
    return options;
  }
};

// An environment of a test's own.
inline executors::aws::Environment EnvironmentOf(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
}

}  // namespace tuner::testing
