#include "executors/aws/errors.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <pugixml.hpp>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace tuner::executors::aws {
namespace {

constexpr char kPayload[] = "tuner/aws-error";
constexpr size_t kMostMessage = 1000;

using Names = std::initializer_list<absl::string_view>;

bool IsOneOf(absl::string_view code, Names names) { return std::find(names.begin(), names.end(), code) != names.end(); }

bool SaysThrottled(const AwsError& error) {
  return error.http_status == 429 ||
         IsOneOf(error.code, {"Throttling", "ThrottlingException", "ThrottledException", "RequestThrottledException",
                              "TooManyRequestsException", "ProvisionedThroughputExceededException",
                              "TransactionInProgressException", "RequestLimitExceeded", "BandwidthLimitExceeded",
                              "LimitExceededException", "RequestThrottled", "SlowDown", "PriorRequestNotComplete",
                              "EC2ThrottledException"});
}

bool MayDoLater(const AwsError& error) {
  return error.throttled || error.http_status == 0 || error.http_status >= 500 ||
         IsOneOf(error.code, {"RequestTimeout", "RequestTimeoutException", "IDPCommunicationError",
                              "ResourceLimitExceeded", "OperationAbortedException", "ConcurrentModification"});
}

absl::StatusCode CodeOf(const AwsError& error) {
  if (error.throttled || IsOneOf(error.code, {"ResourceLimitExceeded", "ServiceQuotaExceededException"})) {
    return absl::StatusCode::kResourceExhausted;
  }
  if (IsCredentialsError(error.code) || IsClockError(error.code) || error.http_status == 401) {
    return absl::StatusCode::kUnauthenticated;
  }
  if (error.http_status == 0 || error.http_status >= 500) return absl::StatusCode::kUnavailable;
  if (absl::StartsWith(error.code, "AccessDenied") || error.http_status == 403) {
    return absl::StatusCode::kPermissionDenied;
  }
  // SageMaker says of a training job that it does not know: ValidationException, "Requested resource not found."
  if (error.http_status == 404 || absl::StrContains(error.code, "NotFound") || absl::StartsWith(error.code, "NoSuch") ||
      (error.code == "ValidationException" && absl::StrContains(error.message, "resource not found"))) {
    return absl::StatusCode::kNotFound;
  }
  if (IsOneOf(error.code, {"ResourceInUse", "ConflictException", "ResourceAlreadyExistsException",
                           "BucketAlreadyExists", "BucketAlreadyOwnedByYou"})) {
    return absl::StatusCode::kAlreadyExists;
  }
  return absl::StatusCode::kInvalidArgument;
}

// The string of the first of `keys` that there is.
std::string Text(const nlohmann::json& object, Names keys) {
  for (const absl::string_view key : keys) {
    const auto found = object.find(std::string(key));
    if (found != object.end() && found->is_string()) return found->get<std::string>();
  }
  return "";
}

bool ReadJson(const std::string& body, AwsError& error) {
  const nlohmann::json json = nlohmann::json::parse(body, nullptr, false);
  if (!json.is_object()) return false;
  error.code = Text(json, {"__type", "code", "Code"});
  error.message = Text(json, {"message", "Message", "errorMessage"});
  return true;
}

// <Error>, <ErrorResponse><Error> or <Response><Errors><Error>.
bool ReadXml(const std::string& body, AwsError& error) {
  pugi::xml_document document;
  if (!document.load_buffer(body.data(), body.size())) return false;
  const pugi::xml_node root = document.document_element();
  const pugi::xml_node node =
      document.find_node([](pugi::xml_node n) { return n.name() == absl::string_view("Error"); });
  if (!node) return false;
  error.code = node.child_value("Code");
  error.message = node.child_value("Message");
  for (const char* name : {"RequestId", "RequestID"}) {
    if (error.request_id.empty()) error.request_id = root.child_value(name);
    if (error.request_id.empty()) error.request_id = node.child_value(name);
  }
  return true;
}

// "com.amazonaws.sagemaker#ResourceInUse:http://..." is "ResourceInUse".
std::string BareCode(absl::string_view code) {
  code = code.substr(0, code.find(':'));
  if (const size_t hash = code.rfind('#'); hash != absl::string_view::npos) code.remove_prefix(hash + 1);
  return std::string(absl::StripAsciiWhitespace(code));
}

std::string CleanMessage(const AwsError& error, const std::vector<std::string>& secrets) {
  absl::string_view message = error.message;
  // What follows the first line is the request, with its token.
  if (IsCredentialsError(error.code)) message = message.substr(0, message.find('\n'));
  std::string clean(message);
  for (const std::string& secret : secrets) {
    if (!secret.empty()) absl::StrReplaceAll({{secret, "<secret>"}}, &clean);
  }
  for (char& c : clean) c = absl::ascii_iscntrl(static_cast<unsigned char>(c)) ? ' ' : c;
  absl::RemoveExtraAsciiWhitespace(&clean);
  if (clean.size() > kMostMessage) clean = absl::StrCat(clean.substr(0, kMostMessage), "...");
  return clean;
}

}  // namespace

bool IsCredentialsError(absl::string_view code) {
  return IsExpiredError(code) ||
         IsOneOf(code, {"UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId", "InvalidToken",
                        "InvalidSecurity", "IncompleteSignature", "IncompleteSignatureException",
                        "MissingAuthenticationToken", "MissingAuthenticationTokenException", "SignatureDoesNotMatch",
                        "InvalidSignatureException", "InvalidSignature", "AuthFailure", "InvalidIdentityToken",
                        "AuthorizationHeaderMalformed"});
}

bool IsExpiredError(absl::string_view code) {
  return IsOneOf(code, {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpiredToken"});
}

bool IsClockError(absl::string_view code) {
  return IsOneOf(code, {"RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture"});
}

AwsError ReadAwsError(const HttpResponse& response, const std::vector<std::string>& secrets) {
  AwsError error;
  error.http_status = response.code;
  const auto header = [&](const char* name) {
    const auto found = response.headers.find(name);
    return found == response.headers.end() ? std::string() : found->second;
  };
  error.request_id = header("x-amzn-requestid");
  if (error.request_id.empty()) error.request_id = header("x-amz-request-id");
  if (!ReadJson(response.body, error)) ReadXml(response.body, error);
  if (error.code.empty()) error.code = header("x-amzn-errortype");
  error.code = BareCode(error.code);
  if (error.code.empty()) error.code = absl::StrCat("Http", response.code);  // an answer to HEAD, or of a proxy
  error.message = CleanMessage(error, secrets);
  const std::string region = header("x-amz-bucket-region");
  if (!region.empty() && (response.code == 301 || response.code == 307 || response.code == 400)) {
    absl::StrAppend(&error.message, error.message.empty() ? "" : " ", "(the bucket is in the region ", region, ")");
  }
  error.throttled = SaysThrottled(error);
  error.retryable = MayDoLater(error);
  return error;
}

AwsError NoAnswer(const absl::Status& status) {
  AwsError error;
  error.message = std::string(status.message());
  error.retryable = absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
  return error;
}

absl::Status ToStatus(const AwsError& error, absl::string_view operation) {
  std::string text = absl::StrCat(operation, ": ");
  if (error.http_status == 0) {
    absl::StrAppend(&text, error.message);
  } else {
    absl::StrAppend(&text, error.code, error.message.empty() ? "" : ": ", error.message, " (HTTP ", error.http_status,
                    error.request_id.empty() ? "" : ", request ", error.request_id, ")");
  }
  absl::Status status(CodeOf(error), text);
  const nlohmann::json payload = {{"code", error.code},
                                  {"message", error.message},
                                  {"http_status", error.http_status},
                                  {"request_id", error.request_id},
                                  {"retryable", error.retryable},
                                  {"throttled", error.throttled},
                                  {"retry_after_ns", absl::ToInt64Nanoseconds(error.retry_after)}};
  status.SetPayload(kPayload, absl::Cord(payload.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
  return status;
}

std::optional<AwsError> AwsErrorOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kPayload);
  if (!payload.has_value()) return std::nullopt;
  const nlohmann::json json = nlohmann::json::parse(std::string(*payload), nullptr, false);
  if (!json.is_object()) return std::nullopt;
  AwsError error;
  error.code = json.value("code", "");
  error.message = json.value("message", "");
  error.http_status = json.value("http_status", 0);
  error.request_id = json.value("request_id", "");
  error.retryable = json.value("retryable", false);
  error.throttled = json.value("throttled", false);
  error.retry_after = absl::Nanoseconds(json.value("retry_after_ns", int64_t{0}));
  return error;
}

}  // namespace tuner::executors::aws
