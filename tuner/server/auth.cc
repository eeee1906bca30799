#include "tuner/server/auth.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <sys/stat.h>

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "tuner/requests/sha256.h"

namespace tuner::server {
namespace {

constexpr absl::string_view kTrialPrefix = "trial.";

bool SameBytes(absl::string_view a, absl::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::optional<absl::string_view> BearerToken(const grpc::ServerContextBase& context) {
  const auto found = context.client_metadata().find("authorization");
  if (found == context.client_metadata().end()) return std::nullopt;
  absl::string_view value(found->second.data(), found->second.size());
  if (value.size() < 7 || !absl::EqualsIgnoreCase(value.substr(0, 7), "Bearer ")) return absl::string_view();
  return absl::StripAsciiWhitespace(value.substr(7));
}

// The socket that trials are given has credentials of its own kind, by which it is known.
bool IsTrialSocket(const grpc::ServerContextBase& context) {
  for (const grpc::string_ref& type : context.auth_context()->FindPropertyValues("transport_security_type")) {
    if (type == "local") return true;
  }
  return false;
}

bool IsTrustedSocket(const grpc::ServerContextBase& context) {
  return absl::StartsWith(context.peer(), "unix:") && !IsTrialSocket(context);
}

// trial.<attempt>.<mac>.<trial name>; the name comes last as it may hold dots.
std::string Mac(const std::string& secret, absl::string_view trial_name, int32_t attempt) {
  const std::string text = absl::StrCat(trial_name, "#", attempt);
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac, &size);
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(mac), size));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Authenticator>> Authenticator::Open(Options options) {
  absl::StatusOr<std::string> token = ReadOrMakeServerToken(options.data_dir);
  if (!token.ok()) return token.status();
  absl::StatusOr<std::string> secret = ReadOrMakeSecret(options.data_dir);
  if (!secret.ok()) return secret.status();
  absl::StatusOr<std::string> process_token = RandomToken();
  if (!process_token.ok()) return process_token.status();
  return std::unique_ptr<Authenticator>(
      new Authenticator(std::move(options), *token, *std::move(secret), *std::move(process_token)));
}

Authenticator::Authenticator(Options options, const std::string& token, std::string secret, std::string process_token)
    : options_(std::move(options)),
      token_sha256_(requests::Sha256(token)),
      secret_(std::move(secret)),
      process_token_(std::move(process_token)),
      process_sha256_(requests::Sha256(process_token_)),
      named_(std::make_shared<const Named>()) {}

absl::Status Authenticator::Check(const grpc::ServerContextBase& context) const {
  const std::optional<absl::string_view> token = BearerToken(context);
  if (token && absl::StartsWith(*token, kTrialPrefix)) {
    if (absl::StatusOr<TrialClaim> claim = VerifyTrialToken(*token); !claim.ok()) return claim.status();
    return absl::PermissionDeniedError(
        "the token of a trial is good for GetTrial, ReportMeasurements and CompleteTrial of that trial only");
  }
  return CheckFull(context, token);
}

absl::Status Authenticator::CheckTrial(const grpc::ServerContextBase& context, absl::string_view trial_name,
                                       int32_t attempt) const {
  const std::optional<absl::string_view> token = BearerToken(context);
  if (!token || !absl::StartsWith(*token, kTrialPrefix)) return CheckFull(context, token);
  absl::StatusOr<TrialClaim> claim = VerifyTrialToken(*token);
  if (!claim.ok()) return claim.status();
  if (claim->trial_name != trial_name || (attempt != 0 && claim->attempt != attempt)) {
    return absl::PermissionDeniedError(
        absl::StrCat("this token is for attempt ", claim->attempt, " of ", claim->trial_name));
  }
  return absl::OkStatus();
}

absl::Status Authenticator::CheckFull(const grpc::ServerContextBase& context,
                                      std::optional<absl::string_view> token) const {
  if (token && IsKnown(*token)) return absl::OkStatus();
  if (IsTrustedSocket(context) || (!options_.tcp_needs_token && !IsTrialSocket(context))) return absl::OkStatus();
  return absl::UnauthenticatedError(token ? "this token is not known here: set TUNER_TOKEN to the one in the server's "
                                            "data folder, or to one made by `tuner token create`"
                                          : "a token is needed: send `authorization: Bearer <token>` (TUNER_TOKEN), "
                                            "with the token in the server's data folder or one made "
                                            "by `tuner token create`");
}

absl::StatusOr<Authenticator::TrialClaim> Authenticator::VerifyTrialToken(absl::string_view token) const {
  const absl::Status unknown = absl::UnauthenticatedError("this trial's token was not made by this server");
  token.remove_prefix(kTrialPrefix.size());
  const size_t attempt_end = token.find('.');
  const size_t mac_end = attempt_end == absl::string_view::npos ? attempt_end : token.find('.', attempt_end + 1);
  if (mac_end == absl::string_view::npos) return unknown;
  TrialClaim claim{token.substr(mac_end + 1), 0};
  if (!absl::SimpleAtoi(token.substr(0, attempt_end), &claim.attempt)) return unknown;
  const absl::string_view mac = token.substr(attempt_end + 1, mac_end - attempt_end - 1);
  if (!SameBytes(mac, Mac(secret_, claim.trial_name, claim.attempt))) return unknown;
  return claim;
}

std::string Authenticator::TrialToken(absl::string_view trial_name, int32_t attempt) const {
  return absl::StrCat(kTrialPrefix, attempt, ".", Mac(secret_, trial_name, attempt), ".", trial_name);
}

bool Authenticator::IsKnown(absl::string_view token) const {
  const std::string sha256 = requests::Sha256(token);
  return SameBytes(sha256, token_sha256_) || SameBytes(sha256, process_sha256_) || IsNamed(sha256);
}

bool Authenticator::IsNamed(absl::string_view sha256) const {
  struct stat info {};
  Named seen;
  if (stat((options_.data_dir + "/tokens").c_str(), &info) == 0) {
    seen.inode = info.st_ino;
    seen.modified_ns = info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec;
  }
  std::shared_ptr<const Named> named;
  {
    absl::MutexLock lock(&mutex_);
    named = named_;
  }
  if (named->inode != seen.inode || named->modified_ns != seen.modified_ns) {
    absl::StatusOr<std::vector<NamedToken>> tokens = ListTokens(options_.data_dir);
    if (!tokens.ok()) return false;  // a damaged file lets nobody in by name
    for (NamedToken& token : *tokens) seen.sha256.push_back(std::move(token.sha256));
    named = std::make_shared<const Named>(std::move(seen));
    absl::MutexLock lock(&mutex_);
    named_ = named;
  }
  bool known = false;
  for (const std::string& each : named->sha256) known = SameBytes(each, sha256) || known;
  return known;
}

}  // namespace tuner::server
