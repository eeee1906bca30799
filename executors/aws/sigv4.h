// AWS Signature Version 4 in headers, as botocore signs: a pure function of the request, the keys and the time.
//
// Threads: any. Ownership: values. Errors: INVALID_ARGUMENT for a URL that is none. Nothing of this file's results but
// Authorization and X-Amz-Security-Token is secret.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "executors/aws/sha256.h"

namespace tuner::executors::aws {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Credentials {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;  // empty: of a user, not of a role
  absl::Time expires = absl::InfiniteFuture();
};

// What the signature is for. "s3" (and its kin) alone signs paths as they are and the payload's hash as a header.
struct SigningScope {
  std::string service;  // "sagemaker"
  std::string region;   // "eu-west-1"
};

struct SigningRequest {
  std::string method;
  std::string url;           // as it will be sent: what a segment or a query holds is percent-encoded already
  Headers headers;           // all are signed but those that proxies change
  std::string payload_hash;  // HexSha256(body), or kUnsignedPayload
};

inline constexpr char kUnsignedPayload[] = "UNSIGNED-PAYLOAD";

// What is to be sent beside `request.headers`: Host, X-Amz-Date, Authorization, and where there is need
// X-Amz-Security-Token and X-Amz-Content-Sha256. Those that `request.headers` holds by these names are left out of the
// signature, and must not be sent.
absl::StatusOr<Headers> Sign(const SigningRequest& request, const SigningScope& scope, const Credentials& credentials,
                             absl::Time now);

// What is hashed into the signature, of a request that has all of its headers. For tests, and to see what a service
// disagrees with.
absl::StatusOr<std::string> CanonicalRequest(const SigningRequest& request, const SigningScope& scope);

}  // namespace tuner::executors::aws
