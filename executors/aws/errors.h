// What an AWS service says of a request that it did not carry out, as an absl::Status that keeps the whole of it.
//
// Threads: any. Ownership: values. Of the status: NOT_FOUND, ALREADY_EXISTS (ResourceInUse and the like),
// PERMISSION_DENIED, UNAUTHENTICATED (keys, token or signature), RESOURCE_EXHAUSTED (throttled, or a quota is used up:
// AwsError::throttled tells which), UNAVAILABLE (5xx, or no answer), INVALID_ARGUMENT (any other refusal).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "executors/http_client.h"

namespace tuner::executors::aws {

struct AwsError {
  std::string code;     // "ThrottlingException"; empty: no answer came
  std::string message;  // the service's own, without secrets
  // 0: no answer came. Unless `throttled` (then it was not sent), nobody knows whether the request was carried out.
  int http_status = 0;
  std::string request_id;
  bool retryable = false;  // the same request may succeed later
  bool throttled = false;  // too many requests; this one was not carried out
  // How long the caller should wait before it sends another request of this kind. Zero unless `throttled`.
  absl::Duration retry_after;
};

// "SageMaker.CreateTrainingJob: ThrottlingException: Rate exceeded (HTTP 400, request 7f3a)".
absl::Status ToStatus(const AwsError& error, absl::string_view operation);

// nullopt: not a status made by ToStatus.
std::optional<AwsError> AwsErrorOf(const absl::Status& status);

// Of the clients, to make one.

// Of an answer that is not 2xx: JSON, XML or neither. None of `secrets` is in the message, whatever the service echoes.
AwsError ReadAwsError(const HttpResponse& response, const std::vector<std::string>& secrets);
// Of what HttpClient::Send said instead of an answer.
AwsError NoAnswer(const absl::Status& status);

// The keys, the token or the signature.
bool IsCredentialsError(absl::string_view code);
// The token was good once.
bool IsExpiredError(absl::string_view code);
// The time of the request.
bool IsClockError(absl::string_view code);

}  // namespace tuner::executors::aws
