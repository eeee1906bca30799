// Who may call. A unix socket (its mode lets in the server's user only) needs no token; TCP needs one. Channels inside
// of the process bring a token of their own. The socket that is given to trials in containers asks for a token always.
//
// A trial's token is good for that trial alone, and only for GetTrial, ReportMeasurements and CompleteTrial.
//
// Threads: every method may be called from any thread. Ownership: values. Errors: UNAUTHENTICATED (no token, or one
// that is not known), PERMISSION_DENIED (a trial's token for anything else).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "grpcpp/server_context.h"
#include "tuner/server/tokens.h"

namespace tuner::server {

class Authenticator {
 public:
  struct Options {
    std::string data_dir;         // where tokens and the secret are kept
    bool tcp_needs_token = true;  // false: --no-auth
  };
  // Makes the folder's token and secret when there are none.
  static absl::StatusOr<std::unique_ptr<Authenticator>> Open(Options options);

  // Whether the caller may do anything.
  absl::Status Check(const grpc::ServerContextBase& context) const;
  // Whether the caller may act for this trial; `attempt` 0 stands for any.
  absl::Status CheckTrial(const grpc::ServerContextBase& context, absl::string_view trial_name, int32_t attempt) const;

  // Good for everything, known to this process only.
  const std::string& process_token() const { return process_token_; }

  // What the attempt of a trial is given to call back with.
  std::string TrialToken(absl::string_view trial_name, int32_t attempt) const;

 private:
  struct TrialClaim {
    absl::string_view trial_name;
    int32_t attempt = 0;
  };
  Authenticator(Options options, const std::string& token, std::string secret, std::string process_token);

  // Whose trial the token says it is. UNAUTHENTICATED: it was not made here.
  absl::StatusOr<TrialClaim> VerifyTrialToken(absl::string_view token) const;
  absl::Status CheckFull(const grpc::ServerContextBase& context, std::optional<absl::string_view> token) const;
  bool IsKnown(absl::string_view token) const;
  bool IsNamed(absl::string_view sha256) const;

  const Options options_;
  const std::string token_sha256_;
  const std::string secret_;
  const std::string process_token_;
  const std::string process_sha256_;

  // <data>/tokens as last read; read again when the file was replaced.
  struct Named {
    uint64_t inode = 0;
    int64_t modified_ns = -1;
    std::vector<std::string> sha256;
  };
  mutable absl::Mutex mutex_;
  mutable std::shared_ptr<const Named> named_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tuner::server
