// STS speaks the query protocol: a form in, XML out.
#include <pugixml.hpp>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "executors/aws/credential_sources.h"
#include "executors/aws/service_client.h"

namespace tuner::executors::aws {
namespace {

std::string Form(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::vector<std::string> pairs;
  for (const auto& [name, value] : fields) {
    if (!value.empty()) pairs.push_back(absl::StrCat(name, "=", PercentEncode(value)));
  }
  return absl::StrJoin(pairs, "&");
}

absl::StatusOr<Credentials> ReadAnswer(const std::string& body, const std::string& operation) {
  pugi::xml_document document;
  document.load_buffer(body.data(), body.size());
  const pugi::xml_node node = document.document_element().child((operation + "Result").c_str()).child("Credentials");
  Credentials credentials;
  credentials.access_key_id = node.child_value("AccessKeyId");
  credentials.secret_access_key = node.child_value("SecretAccessKey");
  credentials.session_token = node.child_value("SessionToken");
  std::string error;
  if (credentials.access_key_id.empty() || credentials.secret_access_key.empty() ||
      !absl::ParseTime(absl::RFC3339_full, node.child_value("Expiration"), &credentials.expires, &error)) {
    return absl::UnauthenticatedError(absl::StrCat("sts.", operation, ": the answer holds no credentials"));
  }
  return credentials;
}

}  // namespace

absl::StatusOr<Credentials> FromSts(const SourceContext& context, const AssumeRole& role, const Credentials& source,
                                    StopSignal* stop) {
  const bool by_token = !role.web_identity_token.empty();
  const std::string operation = by_token ? "AssumeRoleWithWebIdentity" : "AssumeRole";
  ServiceOptions options;
  options.service = "sts";
  options.region = context.region.empty() ? context.configuration.Region() : context.region;
  options.endpoint = context.configuration.EndpointOverride("sts");
  if (options.region.empty()) {  // the one that is everywhere
    options.region = "us-east-1";
    if (options.endpoint.empty()) options.endpoint = "https://sts.amazonaws.com";
  }
  const std::unique_ptr<CredentialsProvider> keys = MakeStaticCredentials(source);
  ServiceClient client(std::move(options), {context.http, *keys, context.clock});
  ServiceClient::Call call;
  call.operation = "sts." + operation;
  call.sign = !by_token;
  call.secrets = {role.web_identity_token};
  call.request.method = "POST";
  call.request.url = client.options().endpoint + "/";
  call.request.headers = {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}};
  const std::string session =
      role.session_name.empty() ? absl::StrCat("tuner-", absl::ToUnixSeconds(context.clock.Now())) : role.session_name;
  call.request.body = Form({{"Action", operation},
                            {"Version", "2011-06-15"},
                            {"RoleArn", role.role_arn},
                            {"RoleSessionName", session},
                            {"ExternalId", role.external_id},
                            {"DurationSeconds", role.duration_seconds},
                            {"WebIdentityToken", role.web_identity_token}});
  const absl::StatusOr<HttpResponse> response = client.Send(call, {.stop = stop});
  if (!response.ok()) return response.status();
  return ReadAnswer(response->body, operation);
}

}  // namespace tuner::executors::aws
