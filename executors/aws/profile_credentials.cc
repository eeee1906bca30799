// What the profile says of credentials: keys, a role to assume, a program to ask.
#include <fstream>
#include <iterator>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "executors/aws/credential_sources.h"

namespace tuner::executors::aws {
namespace {

class ProfileResolver {
 public:
  ProfileResolver(const SourceContext& context, StopSignal* stop) : context_(context), stop_(stop) {}

  absl::StatusOr<Credentials> Resolve(const std::string& name) {
    const ProfileSection* section = context_.configuration.Profile(name);
    if (section == nullptr) {
      if (visited_.empty()) return absl::NotFoundError("no such profile");
      return Wrong(name, "is named by source_profile, and is in no file");
    }
    const bool again = !visited_.insert(name).second;
    if (again && Value(*section, "aws_access_key_id").empty()) {
      return Wrong(name, "is its own source_profile, by way of others or not: name one with keys");
    }
    if (!again && !Value(*section, "role_arn").empty()) return AssumeRoleOf(name, *section);
    if (!Value(*section, "aws_access_key_id").empty() || !Value(*section, "aws_secret_access_key").empty()) {
      return KeysOf(name, *section);
    }
    if (const std::string command = Value(*section, "credential_process"); !command.empty()) {
      return FromProcess(command, stop_);
    }
    for (const char* key : {"sso_session", "sso_start_url", "login_session"}) {
      if (Value(*section, key).empty()) continue;
      return Wrong(name, absl::StrCat("has ", key,
                                      ", which needs the AWS CLI: set credential_process = aws configure "
                                      "export-credentials --profile ",
                                      name, " --format process in another profile"));
    }
    if (visited_.size() > 1) return Wrong(name, "is named by source_profile, and has no credentials");
    return absl::NotFoundError(absl::StrCat("\"", name, "\" has none"));
  }

 private:
  static std::string Value(const ProfileSection& section, const char* key) {
    const auto found = section.find(key);
    return found == section.end() ? "" : found->second;
  }

  static absl::Status Wrong(const std::string& profile, absl::string_view what) {
    return absl::UnauthenticatedError(absl::StrCat("AWS profile \"", profile, "\": ", what));
  }

  absl::StatusOr<Credentials> KeysOf(const std::string& name, const ProfileSection& section) const {
    Credentials keys;
    keys.access_key_id = Value(section, "aws_access_key_id");
    keys.secret_access_key = Value(section, "aws_secret_access_key");
    keys.session_token = Value(section, "aws_session_token");
    if (keys.access_key_id.empty() || keys.secret_access_key.empty()) {
      return Wrong(name, "has only one of aws_access_key_id and aws_secret_access_key");
    }
    return keys;
  }

  absl::StatusOr<Credentials> AssumeRoleOf(const std::string& name, const ProfileSection& section) {
    AssumeRole role;
    role.role_arn = Value(section, "role_arn");
    role.session_name = Value(section, "role_session_name");
    role.external_id = Value(section, "external_id");
    role.duration_seconds = Value(section, "duration_seconds");
    if (!Value(section, "mfa_serial").empty()) {
      return Wrong(name, "has mfa_serial: a server cannot ask for its code; use a role without it");
    }
    const std::string token_file = Value(section, "web_identity_token_file");
    const std::string source_profile = Value(section, "source_profile");
    const std::string credential_source = Value(section, "credential_source");
    if (token_file.empty() + source_profile.empty() + credential_source.empty() != 2) {
      return Wrong(name, "needs one of source_profile, credential_source and web_identity_token_file beside role_arn");
    }
    if (!token_file.empty()) {
      absl::StatusOr<std::string> token = ReadToken(token_file);
      if (!token.ok()) return token.status();
      role.web_identity_token = *std::move(token);
      return FromSts(context_, role, {}, stop_);
    }
    absl::StatusOr<Credentials> source =
        source_profile.empty() ? FromNamedSource(name, credential_source) : Resolve(source_profile);
    if (!source.ok()) return source.status();
    return FromSts(context_, role, *source, stop_);
  }

  absl::StatusOr<Credentials> FromNamedSource(const std::string& name, const std::string& source) const {
    absl::StatusOr<Credentials> found = source == "Environment"    ? FromEnvironment(context_)
                                        : source == "EcsContainer" ? FromContainer(context_, stop_)
                                        : source == "Ec2InstanceMetadata"
                                            ? FromInstanceMetadata(context_, stop_)
                                            : Wrong(name,
                                                    "credential_source: must be Environment, EcsContainer or "
                                                    "Ec2InstanceMetadata");
    if (absl::IsNotFound(found.status())) {
      return Wrong(name, absl::StrCat("credential_source ", source, ": ", found.status().message()));
    }
    return found;
  }

  const SourceContext& context_;
  StopSignal* const stop_;
  std::set<std::string> visited_;
};

}  // namespace

absl::StatusOr<std::string> ReadToken(const std::string& path) {
  std::ifstream in(path);
  std::string token((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  absl::StripAsciiWhitespace(&token);
  if (token.empty())
    return absl::UnauthenticatedError(absl::StrCat("AWS credentials: cannot read a token from ", path));
  return token;
}

absl::StatusOr<Credentials> FromProfile(const SourceContext& context, StopSignal* stop) {
  absl::StatusOr<Configuration> configuration = context.configuration.Reload();
  if (!configuration.ok()) return absl::UnauthenticatedError(configuration.status().message());
  const SourceContext now = {*std::move(configuration), context.region, context.http, context.clock};
  return ProfileResolver(now, stop).Resolve(now.configuration.profile());
}

absl::StatusOr<Credentials> FromWebIdentity(const SourceContext& context, StopSignal* stop) {
  const Configuration& configuration = context.configuration;
  const std::string file = configuration.Variable("AWS_WEB_IDENTITY_TOKEN_FILE");
  if (file.empty()) return absl::NotFoundError("AWS_WEB_IDENTITY_TOKEN_FILE is not set");
  AssumeRole role;
  role.role_arn = configuration.Variable("AWS_ROLE_ARN");
  role.session_name = configuration.Variable("AWS_ROLE_SESSION_NAME");
  if (role.role_arn.empty()) {
    return absl::UnauthenticatedError("AWS_WEB_IDENTITY_TOKEN_FILE is set: set AWS_ROLE_ARN too");
  }
  absl::StatusOr<std::string> token = ReadToken(file);
  if (!token.ok()) return token.status();
  role.web_identity_token = *std::move(token);
  return FromSts(context, role, {}, stop);
}

}  // namespace tuner::executors::aws
