// One AWS service in one region: requests signed, repeated where that is safe, slowed down when the service says so.
//
// Threads: any; all share the limit of the rate. Ownership: borrows what AwsServices holds. Errors: errors.h, and
// CANCELLED by the StopSignal, which ends waits at once.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "core/rng.h"
#include "executors/aws/credentials.h"
#include "executors/aws/errors.h"
#include "executors/aws/rate_limiter.h"
#include "executors/aws/sigv4.h"
#include "executors/http_client.h"

namespace tuner::executors::aws {

// Borrowed; outlives the clients.
struct AwsServices {
  HttpClient& http;
  CredentialsProvider& credentials;
  core::Clock& clock;
};

struct ServiceOptions {
  std::string service;   // as it signs: "sagemaker", "logs", "s3"
  std::string region;    // required
  std::string endpoint;  // "https://host", no path; empty: AWS's own. Configuration::EndpointOverride gives the user's
  int max_attempts = 4;  // of one call
  absl::Duration base_backoff = absl::Milliseconds(200);  // before the n-th repetition: random up to this times 2^(n-1)
  absl::Duration most_backoff = absl::Seconds(20);
  absl::Duration connect_timeout = absl::Seconds(5);
  absl::Duration timeout = absl::Seconds(60);
  uint64_t jitter_seed = 0;  // 0: another each time
};

struct CallOptions {
  StopSignal* stop = nullptr;
  // Of all waits of the call together, for the rate and between attempts. A call that would have to wait longer ends at
  // once with the error that made it wait, and `retry_after`. Zero: never waits.
  absl::Duration most_wait = absl::Seconds(60);
};

class ServiceClient {
 public:
  ServiceClient(ServiceOptions options, AwsServices services);

  struct Call {
    std::string operation;     // for messages: "SageMaker.DescribeTrainingJob"
    HttpRequest request;       // without what signing adds; `connect_timeout` is the options'
    std::string payload_hash;  // of the body; empty: of request.body
    // False: repeated only when the service said that it did not carry it out.
    bool idempotent = true;
    bool sign = true;
    std::vector<std::string> secrets;     // in no message, beside the keys
    std::function<absl::Status()> begin;  // before each attempt, if set: forgets what on_body took of the last one
  };
  // An answer of 2xx; others are errors.
  absl::StatusOr<HttpResponse> Send(const Call& call, const CallOptions& options);

  // How long a call that is sent now would wait for the limit of the rate; zero while nothing is throttled.
  absl::Duration ThrottleDelay() const;

  const ServiceOptions& options() const { return options_; }  // with the endpoint filled in

 private:
  struct Attempt;
  absl::Status CheckOptions() const;
  absl::Duration TakeToken();
  absl::StatusOr<HttpResponse> SendOnce(const Call& call, const CallOptions& options, Attempt& attempt);
  absl::Status SignRequest(const Call& call, StopSignal* stop, HttpRequest& request, Attempt& attempt);
  void Learn(const HttpResponse& response, Attempt& attempt);
  bool Mend(Attempt& attempt);
  absl::Status Wait(absl::Duration duration, StopSignal* stop) const;
  absl::Duration Backoff(int repetition);

  const ServiceOptions options_;
  HttpClient& http_;
  CredentialsProvider& credentials_;
  core::Clock& clock_;

  mutable absl::Mutex mutex_;
  RateLimiter limiter_ ABSL_GUARDED_BY(mutex_);
  core::Rng jitter_ ABSL_GUARDED_BY(mutex_);
  absl::Duration clock_offset_ ABSL_GUARDED_BY(mutex_);  // the service's clock is ahead of ours by this
};

}  // namespace tuner::executors::aws
