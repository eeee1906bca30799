#include "executors/aws/json_client.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace tuner::executors::aws {
namespace {

// Operations that do the same when they are done twice, by the verb that AWS names them with.
bool IsIdempotent(absl::string_view target) {
  const absl::string_view operation = target.substr(target.rfind('.') + 1);
  for (const absl::string_view verb : {"Describe", "Get", "List", "Search", "Batch", "Stop"}) {
    if (absl::StartsWith(operation, verb)) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<std::string> JsonClient::Call(const std::string& target, std::string body, const CallOptions& options) {
  ServiceClient::Call call;
  call.operation = target;
  call.request.method = "POST";
  call.request.url = client_.options().endpoint + "/";
  call.request.headers = {{"Content-Type", "application/x-amz-json-1.1"}, {"X-Amz-Target", target}};
  call.request.body = std::move(body);
  call.request.timeout = client_.options().timeout;
  call.idempotent = IsIdempotent(target);
  absl::StatusOr<HttpResponse> response = client_.Send(call, options);
  if (!response.ok()) return response.status();
  return response->body.empty() ? "{}" : std::move(response->body);
}

}  // namespace tuner::executors::aws
