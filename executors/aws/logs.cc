#include "executors/aws/logs.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tuner::executors::aws {
namespace {

ServiceOptions ForLogs(ServiceOptions options) {
  options.service = "logs";
  return options;
}

absl::StatusOr<nlohmann::json> CallLogs(JsonClient& client, const std::string& operation, const nlohmann::json& request,
                                        const CallOptions& options) {
  const std::string target = "Logs_20140328." + operation;
  const auto replace = nlohmann::json::error_handler_t::replace;
  const absl::StatusOr<std::string> body = client.Call(target, request.dump(-1, ' ', false, replace), options);
  if (!body.ok()) return body.status();
  nlohmann::json answer = nlohmann::json::parse(*body, nullptr, false);
  if (!answer.is_object()) return absl::UnavailableError(absl::StrCat(target, ": the answer is no JSON object"));
  return answer;
}

// Members of another type than the API's count as missing.
std::string TextOf(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

absl::Time TimeOf(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number()) return absl::InfinitePast();
  return absl::FromUnixMillis(found->get<int64_t>());
}

nlohmann::json ListOf(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_array() ? *found : nlohmann::json::array();
}

}  // namespace

LogsClient::LogsClient(ServiceOptions options, AwsServices services) : client_(ForLogs(std::move(options)), services) {}

absl::StatusOr<std::vector<LogStream>> LogsClient::DescribeLogStreams(const std::string& group,
                                                                      const std::string& prefix,
                                                                      const CallOptions& options) {
  std::vector<LogStream> streams;
  nlohmann::json request = {{"logGroupName", group}};
  if (!prefix.empty()) request["logStreamNamePrefix"] = prefix;
  for (;;) {
    const absl::StatusOr<nlohmann::json> page = CallLogs(client_, "DescribeLogStreams", request, options);
    if (!page.ok()) return page.status();
    for (const nlohmann::json& stream : ListOf(*page, "logStreams")) {
      if (stream.is_object())
        streams.push_back({TextOf(stream, "logStreamName"), TimeOf(stream, "lastEventTimestamp")});
    }
    const std::string next = TextOf(*page, "nextToken");
    if (next.empty() || next == TextOf(request, "nextToken")) return streams;
    request["nextToken"] = next;
  }
}

absl::StatusOr<LogPage> LogsClient::GetLogEvents(const std::string& group, const std::string& stream,
                                                 const std::string& token, const CallOptions& options) {
  nlohmann::json request = {{"logGroupName", group}, {"logStreamName", stream}, {"startFromHead", true}};
  if (!token.empty()) request["nextToken"] = token;
  const absl::StatusOr<nlohmann::json> answer = CallLogs(client_, "GetLogEvents", request, options);
  if (!answer.ok()) return answer.status();
  LogPage page;
  for (const nlohmann::json& event : ListOf(*answer, "events")) {
    if (event.is_object()) page.events.push_back({TimeOf(event, "timestamp"), TextOf(event, "message")});
  }
  page.next_token = TextOf(*answer, "nextForwardToken");
  // AWS gives the token back that it was asked with.
  page.at_end = page.next_token.empty() || page.next_token == token;
  if (page.next_token.empty()) page.next_token = token;
  return page;
}

}  // namespace tuner::executors::aws
