// The places that CachingCredentials looks in.
//
// Threads: each source may be asked by one thread at a time. Ownership: a source keeps a copy of its SourceContext,
// which borrows HttpClient and Clock. Errors: of CredentialsSource and CredentialsProvider.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "executors/aws/configuration.h"
#include "executors/aws/credentials.h"
#include "executors/http_client.h"

namespace tuner::executors::aws {

struct SourceContext {
  Configuration configuration;
  std::string region;  // of STS; empty: the configuration's
  HttpClient& http;
  core::Clock& clock;
};

// In the order in which they are asked.
std::vector<CredentialsSource> DefaultSources(const SourceContext& context);

absl::StatusOr<Credentials> FromEnvironment(const SourceContext& context);
absl::StatusOr<Credentials> FromWebIdentity(const SourceContext& context, StopSignal* stop);
// Reads the files again.
absl::StatusOr<Credentials> FromProfile(const SourceContext& context, StopSignal* stop);
absl::StatusOr<Credentials> FromContainer(const SourceContext& context, StopSignal* stop);
absl::StatusOr<Credentials> FromInstanceMetadata(const SourceContext& context, StopSignal* stop);

// What credential_process runs: words, quotes as a shell has them, but no shell. UNAUTHENTICATED: it failed.
absl::StatusOr<Credentials> FromProcess(const std::string& command, StopSignal* stop);

// A file's text without outer white space. UNAUTHENTICATED: there is none.
absl::StatusOr<std::string> ReadToken(const std::string& path);

// {"AccessKeyId": ..., "SecretAccessKey": ..., `token_key`: ..., "Expiration": ...}. UNAUTHENTICATED: it is not that.
absl::StatusOr<Credentials> ParseCredentials(const std::string& json, const char* token_key, absl::string_view from);

// STS.
struct AssumeRole {
  std::string role_arn;
  std::string session_name;  // empty: one is made up
  std::string external_id;
  std::string duration_seconds;    // empty: the role's own
  std::string web_identity_token;  // instead of `source`
};
absl::StatusOr<Credentials> FromSts(const SourceContext& context, const AssumeRole& role, const Credentials& source,
                                    StopSignal* stop);

}  // namespace tuner::executors::aws
