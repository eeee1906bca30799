#include "executors/aws/service_client.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "executors/aws/configuration.h"

namespace tuner::executors::aws {
namespace {

// A service's clock that differs by less is not why a signature was refused: services allow five minutes.
constexpr absl::Duration kClockTolerance = absl::Minutes(1);

ServiceOptions Complete(ServiceOptions options) {
  if (options.endpoint.empty()) options.endpoint = AwsEndpoint(options.service, options.region);
  options.endpoint = std::string(absl::StripSuffix(options.endpoint, "/"));
  if (options.jitter_seed == 0) options.jitter_seed = std::random_device()();
  return options;
}

std::string HeaderOf(const HttpResponse& response, const char* name) {
  const auto found = response.headers.find(name);
  return found == response.headers.end() ? "" : found->second;
}

// Whether another attempt of the same call can do no harm and may help. A used up quota is the caller's to wait for.
bool MayRepeat(const ServiceClient::Call& call, const AwsError& error) {
  if (error.throttled) return true;
  if (!call.idempotent) return false;
  if (error.http_status == 0) return error.retryable;
  return (error.http_status >= 500 && error.http_status != 501) || error.code == "RequestTimeout" ||
         error.code == "RequestTimeoutException" || error.code == "IDPCommunicationError";
}

AwsError NotSent(absl::Duration delay) {
  AwsError error;
  error.code = "ThrottlingException";
  error.message = absl::StrCat("not sent: the service throttles; the next request may go in ",
                               absl::FormatDuration(absl::Ceil(delay, absl::Milliseconds(1))));
  error.retryable = true;
  error.throttled = true;
  error.retry_after = delay;
  return error;
}

}  // namespace

// What one call knows of its attempts.
struct ServiceClient::Attempt {
  Credentials credentials;
  absl::Duration clock_offset;                    // signed with
  std::optional<absl::Duration> measured_offset;  // by the answer's Date
  std::optional<AwsError> error;  // of the last attempt; none: it did not come to an answer, and is not to be repeated
  bool clock_was_set = false;
  bool keys_were_refused = false;
};

ServiceClient::ServiceClient(ServiceOptions options, AwsServices services)
    : options_(Complete(std::move(options))),
      http_(services.http),
      credentials_(services.credentials),
      clock_(services.clock),
      jitter_(options_.jitter_seed, 0) {}

absl::StatusOr<HttpResponse> ServiceClient::Send(const Call& call, const CallOptions& options) {
  if (absl::Status status = CheckOptions(); !status.ok()) return status;
  absl::Duration waited;
  Attempt attempt;
  for (int repetition = 1;; ++repetition) {
    for (absl::Duration delay = TakeToken(); delay > absl::ZeroDuration(); delay = TakeToken()) {
      waited += delay;
      if (waited > options.most_wait) {
        AwsError error = attempt.error.value_or(NotSent(delay));
        if (error.throttled) error.retry_after = delay;
        return ToStatus(error, call.operation);
      }
      if (absl::Status status = Wait(delay, options.stop); !status.ok()) return status;
    }
    absl::StatusOr<HttpResponse> response = SendOnce(call, options, attempt);
    if (response.ok() || !attempt.error.has_value()) return response;
    if (Mend(attempt)) {
      --repetition;  // it did not reach what was asked for
      continue;
    }
    if (repetition >= options_.max_attempts || !MayRepeat(call, *attempt.error)) return response;
    const absl::Duration backoff = std::max(Backoff(repetition), attempt.error->retry_after);
    waited += backoff;
    if (waited > options.most_wait) return response;
    if (absl::Status status = Wait(backoff, options.stop); !status.ok()) return status;
  }
}

absl::Duration ServiceClient::ThrottleDelay() const {
  absl::MutexLock lock(&mutex_);
  return limiter_.Delay(clock_.Now());
}

absl::Status ServiceClient::CheckOptions() const {
  const std::string& region = options_.region;
  if (region.empty()) {
    return absl::InvalidArgumentError(
        "no AWS region: set `region`, the environment's AWS_REGION, or `region` in ~/.aws/config");
  }
  if (!std::all_of(region.begin(), region.end(), [](unsigned char c) { return absl::ascii_isalnum(c) || c == '-'; })) {
    return absl::InvalidArgumentError("region: must be letters, digits and dashes, as in eu-west-1");
  }
  if (!absl::StartsWith(options_.endpoint, "http://") && !absl::StartsWith(options_.endpoint, "https://")) {
    return absl::InvalidArgumentError("endpoint: must begin with https:// or http://");
  }
  return absl::OkStatus();
}

// Zero: a request may be sent, and counts as sent.
absl::Duration ServiceClient::TakeToken() {
  absl::MutexLock lock(&mutex_);
  const absl::Time now = clock_.Now();
  const absl::Duration delay = limiter_.Delay(now);
  if (delay <= absl::ZeroDuration()) limiter_.Sent(now);
  return delay;
}

absl::StatusOr<HttpResponse> ServiceClient::SendOnce(const Call& call, const CallOptions& options, Attempt& attempt) {
  attempt.error.reset();
  attempt.measured_offset.reset();
  if (call.begin) {
    if (absl::Status status = call.begin(); !status.ok()) return status;
  }
  HttpRequest request = call.request;
  request.connect_timeout = options_.connect_timeout;
  request.fresh_connection = !call.idempotent;
  if (call.sign) {
    if (absl::Status status = SignRequest(call, options.stop, request, attempt); !status.ok()) return status;
  }
  absl::StatusOr<HttpResponse> response = http_.Send(request, options.stop);
  if (!response.ok()) {
    if (!absl::IsUnavailable(response.status()) && !absl::IsDeadlineExceeded(response.status())) return response;
    attempt.error = NoAnswer(response.status());
    return ToStatus(*attempt.error, call.operation);
  }
  if (response->code < 200 || response->code >= 300) {
    std::vector<std::string> secrets = call.secrets;
    secrets.push_back(attempt.credentials.secret_access_key);
    secrets.push_back(attempt.credentials.session_token);
    attempt.error = ReadAwsError(*response, secrets);
  }
  Learn(*response, attempt);
  if (attempt.error.has_value()) return ToStatus(*attempt.error, call.operation);
  return response;
}

absl::Status ServiceClient::SignRequest(const Call& call, StopSignal* stop, HttpRequest& request, Attempt& attempt) {
  absl::StatusOr<Credentials> credentials = credentials_.Get(stop);
  if (!credentials.ok()) return credentials.status();
  attempt.credentials = *std::move(credentials);
  {
    absl::MutexLock lock(&mutex_);
    attempt.clock_offset = clock_offset_;
  }
  const SigningRequest to_sign = {request.method, request.url, request.headers,
                                  call.payload_hash.empty() ? HexSha256(request.body) : call.payload_hash};
  absl::StatusOr<Headers> added =
      Sign(to_sign, {options_.service, options_.region}, attempt.credentials, clock_.Now() + attempt.clock_offset);
  if (!added.ok()) return added.status();
  for (auto& header : *added) request.headers.push_back(std::move(header));
  return absl::OkStatus();
}

// From an answer: how fast to go on, and how far the clocks are apart.
void ServiceClient::Learn(const HttpResponse& response, Attempt& attempt) {
  const absl::Time now = clock_.Now();
  absl::Time date;
  std::string error;
  if (absl::ParseTime("%a, %d %b %Y %H:%M:%S GMT", HeaderOf(response, "date"), &date, &error)) {
    attempt.measured_offset = date - now;
  }
  const bool throttled = attempt.error.has_value() && attempt.error->throttled;
  int seconds = 0;
  if (throttled && absl::SimpleAtoi(HeaderOf(response, "retry-after"), &seconds) && seconds > 0) {
    attempt.error->retry_after = absl::Seconds(seconds);
  }
  absl::MutexLock lock(&mutex_);
  limiter_.Answered(throttled, now);
  if (throttled) attempt.error->retry_after = std::max(attempt.error->retry_after, limiter_.Delay(now));
}

// Removes the cause of a refusal that is in the request's time or keys; each once in a call.
bool ServiceClient::Mend(Attempt& attempt) {
  const std::string& code = attempt.error->code;
  if (IsExpiredError(code) && !std::exchange(attempt.keys_were_refused, true)) {
    credentials_.Refuse(attempt.credentials.access_key_id);
    return true;
  }
  if ((!IsClockError(code) && !IsCredentialsError(code)) || !attempt.measured_offset.has_value()) return false;
  const absl::Duration wrong = absl::AbsDuration(*attempt.measured_offset - attempt.clock_offset);
  if (wrong <= (IsClockError(code) ? absl::Seconds(1) : kClockTolerance)) return false;
  if (std::exchange(attempt.clock_was_set, true)) return false;
  absl::MutexLock lock(&mutex_);
  clock_offset_ = *attempt.measured_offset;
  return true;
}

absl::Status ServiceClient::Wait(absl::Duration duration, StopSignal* stop) const {
  absl::Mutex mutex;
  bool stopped = false;
  const uint64_t wake = stop == nullptr ? 0 : stop->Add([&] {
    absl::MutexLock lock(&mutex);
    stopped = true;
  });
  {
    absl::MutexLock lock(&mutex);
    clock_.AwaitUntil(mutex, absl::Condition(&stopped), clock_.Now() + duration);
  }
  if (stop == nullptr) return absl::OkStatus();
  stop->Remove(wake);
  if (!stop->raised()) return absl::OkStatus();
  return absl::CancelledError(absl::StrCat(options_.service, ": the call was given up"));
}

absl::Duration ServiceClient::Backoff(int repetition) {
  absl::MutexLock lock(&mutex_);
  const absl::Duration most = options_.base_backoff * std::pow(2, repetition - 1);
  return std::min(most, options_.most_backoff) * jitter_.NextDouble();
}

}  // namespace tuner::executors::aws
