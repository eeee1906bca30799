#include "executors/aws/credential_sources.h"

#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "executors/aws/service_client.h"

namespace tuner::executors::aws {
namespace {

// The body of an answer of an endpoint that only this machine or container can reach.
struct LocalCall {
  std::string what;  // for messages
  std::string method = "GET";
  std::string endpoint;
  std::string path;
  std::pair<std::string, std::string> header;  // secret; none: no name
  int max_attempts = 3;
  absl::Duration timeout = absl::Seconds(5);
};

absl::StatusOr<std::string> CallLocal(const SourceContext& context, const LocalCall& local, StopSignal* stop) {
  ServiceOptions options;
  options.service = "local";
  options.region = "local";
  options.endpoint = local.endpoint;
  options.max_attempts = local.max_attempts;
  options.connect_timeout = local.timeout;
  const std::unique_ptr<CredentialsProvider> none = MakeStaticCredentials({});
  ServiceClient client(std::move(options), {context.http, *none, context.clock});
  ServiceClient::Call call;
  call.operation = local.what;
  call.sign = false;
  call.request.method = local.method;
  call.request.url = client.options().endpoint + local.path;
  call.request.past_proxies = true;
  call.request.timeout = local.timeout;
  call.request.most_body_bytes = 1 << 20;
  if (!local.header.first.empty()) {
    call.request.headers.push_back(local.header);
    call.secrets.push_back(local.header.second);
  }
  absl::StatusOr<HttpResponse> response = client.Send(call, {.stop = stop});
  if (!response.ok()) return response.status();
  return std::move(response->body);
}

// Whether a token may be sent to this http:// URL unencrypted.
bool IsLocalHost(absl::string_view url) {
  url = url.substr(url.find("://") + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  if (absl::StrContains(url, "@")) return false;
  const size_t colon = url.rfind(':');
  if (colon != absl::string_view::npos && url.find(']', colon) == absl::string_view::npos) url = url.substr(0, colon);
  for (const absl::string_view host :
       {"localhost", "127.0.0.1", "[::1]", "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"}) {
    if (absl::EqualsIgnoreCase(url, host)) return true;
  }
  return false;
}

absl::StatusOr<std::string> ContainerToken(const Configuration& configuration) {
  if (const std::string file = configuration.Variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); !file.empty()) {
    return ReadToken(file);
  }
  return configuration.Variable("AWS_CONTAINER_AUTHORIZATION_TOKEN");
}

// Where the path of `url` begins.
size_t UrlPathAt(absl::string_view url) { return std::min(url.find_first_of("/?", url.find("://") + 3), url.size()); }

}  // namespace

absl::StatusOr<Credentials> ParseCredentials(const std::string& json, const char* token_key, absl::string_view from) {
  const nlohmann::json object = nlohmann::json::parse(json, nullptr, false);
  const auto text = [&](const char* key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  Credentials credentials;
  credentials.access_key_id = text("AccessKeyId");
  credentials.secret_access_key = text("SecretAccessKey");
  credentials.session_token = text(token_key);
  if (credentials.access_key_id.empty() || credentials.secret_access_key.empty()) {
    return absl::UnauthenticatedError(
        absl::StrCat(from, ": the answer is no JSON object with AccessKeyId and SecretAccessKey"));
  }
  const std::string expires = text("Expiration");
  std::string error;
  if (!expires.empty() && !absl::ParseTime(absl::RFC3339_full, expires, &credentials.expires, &error)) {
    return absl::UnauthenticatedError(absl::StrCat(from, ": the answer's Expiration is no RFC 3339 time"));
  }
  return credentials;
}

absl::StatusOr<Credentials> FromEnvironment(const SourceContext& context) {
  const Configuration& configuration = context.configuration;
  Credentials keys;
  keys.access_key_id = configuration.Variable("AWS_ACCESS_KEY_ID");
  keys.secret_access_key = configuration.Variable("AWS_SECRET_ACCESS_KEY");
  keys.session_token = configuration.Variable("AWS_SESSION_TOKEN");
  if (keys.access_key_id.empty() && keys.secret_access_key.empty()) {
    return absl::NotFoundError("AWS_ACCESS_KEY_ID is not set");
  }
  if (keys.access_key_id.empty() || keys.secret_access_key.empty()) {
    return absl::UnauthenticatedError("only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set: set both");
  }
  return keys;
}

absl::StatusOr<Credentials> FromContainer(const SourceContext& context, StopSignal* stop) {
  const Configuration& configuration = context.configuration;
  LocalCall call;
  call.what = "the container's credentials endpoint";
  if (const std::string path = configuration.Variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"); !path.empty()) {
    call.endpoint = "http://169.254.170.2";
    call.path = path;
  } else if (const std::string url = configuration.Variable("AWS_CONTAINER_CREDENTIALS_FULL_URI"); !url.empty()) {
    if (!absl::StartsWith(url, "https://") && !(absl::StartsWith(url, "http://") && IsLocalHost(url))) {
      return absl::UnauthenticatedError(
          "AWS_CONTAINER_CREDENTIALS_FULL_URI: must be https://, or http:// to this machine or container's own "
          "addresses");
    }
    call.endpoint = url.substr(0, UrlPathAt(url));
    call.path = url.substr(UrlPathAt(url));
  } else {
    return absl::NotFoundError("AWS_CONTAINER_CREDENTIALS_FULL_URI is not set");
  }
  absl::StatusOr<std::string> token = ContainerToken(configuration);
  if (!token.ok()) return token.status();
  if (!token->empty()) call.header = {"Authorization", *std::move(token)};
  const absl::StatusOr<std::string> answer = CallLocal(context, call, stop);
  if (!answer.ok()) return answer.status();
  return ParseCredentials(*answer, "Token", call.what);
}

absl::StatusOr<Credentials> FromInstanceMetadata(const SourceContext& context, StopSignal* stop) {
  const Configuration& configuration = context.configuration;
  if (absl::EqualsIgnoreCase(configuration.Variable("AWS_EC2_METADATA_DISABLED"), "true")) {
    return absl::NotFoundError("AWS_EC2_METADATA_DISABLED is true");
  }
  LocalCall call;
  call.what = "instance metadata";
  call.endpoint = configuration.Variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
  if (call.endpoint.empty()) {
    const bool ipv6 = absl::EqualsIgnoreCase(configuration.Variable("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"), "ipv6");
    call.endpoint = ipv6 ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
  }
  // Where there is none, nobody answers: not for long.
  int seconds = 1;
  if (!absl::SimpleAtoi(configuration.Variable("AWS_METADATA_SERVICE_TIMEOUT"), &seconds) || seconds < 1) seconds = 1;
  call.timeout = absl::Seconds(seconds);
  if (!absl::SimpleAtoi(configuration.Variable("AWS_METADATA_SERVICE_NUM_ATTEMPTS"), &call.max_attempts)) {
    call.max_attempts = 1;
  }
  call.method = "PUT";
  call.path = "/latest/api/token";
  call.header = {"X-aws-ec2-metadata-token-ttl-seconds", "21600"};
  absl::StatusOr<std::string> token = CallLocal(context, call, stop);
  if (!token.ok()) {
    if (absl::IsCancelled(token.status())) return token.status();
    return absl::NotFoundError(token.status().message());
  }
  call.method = "GET";
  call.header = {"X-aws-ec2-metadata-token", *std::move(token)};
  call.timeout = absl::Seconds(5);
  call.max_attempts = 3;
  const std::string folder = "/latest/meta-data/iam/security-credentials/";
  call.path = folder;
  const absl::StatusOr<std::string> role = CallLocal(context, call, stop);
  if (absl::IsNotFound(role.status())) return absl::NotFoundError("the instance has no role");
  if (!role.ok()) return role.status();
  const absl::string_view name = absl::StripAsciiWhitespace(*role);
  call.path = folder + PercentEncode(name.substr(0, name.find('\n')));
  const absl::StatusOr<std::string> answer = CallLocal(context, call, stop);
  if (!answer.ok()) return answer.status();
  return ParseCredentials(*answer, "Token", call.what);
}

std::vector<CredentialsSource> DefaultSources(const SourceContext& context) {
  std::vector<CredentialsSource> sources;
  if (!context.configuration.profile_is_chosen()) {
    sources.push_back({"the environment", [context](StopSignal*) { return FromEnvironment(context); }});
    sources.push_back({"web identity", [context](StopSignal* stop) { return FromWebIdentity(context, stop); }});
  }
  sources.push_back({"the profile", [context](StopSignal* stop) { return FromProfile(context, stop); }});
  sources.push_back({"the container", [context](StopSignal* stop) { return FromContainer(context, stop); }});
  sources.push_back(
      {"the instance's metadata", [context](StopSignal* stop) { return FromInstanceMetadata(context, stop); }});
  return sources;
}

}  // namespace tuner::executors::aws
