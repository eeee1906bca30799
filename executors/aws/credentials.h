// Credentials that hold now, from where the AWS SDKs look for them; docs/aws.md has the order.
//
// Threads: any; of those that ask at once, one refreshes and the others wait for it, or go on with what still holds.
// Ownership: borrows HttpClient and Clock. Errors: UNAUTHENTICATED: nothing was found, or what was found does not lead
// to credentials (the message says what was tried and what to change); UNAVAILABLE: the service that gives them does
// not answer; CANCELLED: by the StopSignal. No message, nor anything else here, holds a secret or a token.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "core/clock.h"
#include "executors/aws/configuration.h"
#include "executors/aws/sigv4.h"
#include "executors/http_client.h"

namespace tuner::executors::aws {

class CredentialsProvider {
 public:
  virtual ~CredentialsProvider() = default;
  virtual absl::StatusOr<Credentials> Get(StopSignal* stop = nullptr) = 0;
  // A service said that these have expired: they are not given again if others can be had.
  virtual void Refuse(absl::string_view access_key_id) = 0;
};

std::unique_ptr<CredentialsProvider> MakeStaticCredentials(Credentials credentials);

// One place to look in. NOT_FOUND: this place is not set up, look in the next one.
struct CredentialsSource {
  std::string name;  // for messages
  std::function<absl::StatusOr<Credentials>(StopSignal*)> fetch;
};

// The first source that is set up, kept until five minutes before its credentials expire; an error while they still
// hold leaves them in use for another minute.
class CachingCredentials : public CredentialsProvider {
 public:
  CachingCredentials(std::vector<CredentialsSource> sources, core::Clock& clock);

  absl::StatusOr<Credentials> Get(StopSignal* stop) override;
  void Refuse(absl::string_view access_key_id) override;

 private:
  absl::StatusOr<Credentials> Fetch(StopSignal* stop) const;
  absl::StatusOr<Credentials> AwaitRefresh(StopSignal* stop);
  absl::StatusOr<Credentials> Install(absl::StatusOr<Credentials> fetched) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Hold(absl::Time now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::vector<CredentialsSource> sources_;
  core::Clock& clock_;

  absl::Mutex mutex_;
  bool refreshing_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t refreshes_ ABSL_GUARDED_BY(mutex_) = 0;  // that have ended
  absl::Status last_refresh_ ABSL_GUARDED_BY(mutex_);
  Credentials current_ ABSL_GUARDED_BY(mutex_);  // no key: none
  absl::Time refresh_at_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

// Environment, web identity, the profile (keys, assumed role, process), container, instance metadata: as
// `configuration` sets them up. The first two do not count where Configuration::Load was told a profile. `region`:
// whose STS is asked; empty: the configuration's.
std::unique_ptr<CredentialsProvider> MakeDefaultCredentials(const Configuration& configuration, HttpClient& http,
                                                            core::Clock& clock, std::string region = "");

}  // namespace tuner::executors::aws
