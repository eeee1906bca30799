#include "executors/sagemaker/service.h"

#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace tuner::executors::sagemaker {
namespace {

using nlohmann::json;

constexpr int kPageSize = 100;

// SageMaker says of what is not there that the request is not valid.
bool SaysNotFound(const absl::Status& status) {
  if (absl::IsNotFound(status)) return true;
  const std::optional<aws::AwsError> error = aws::AwsErrorOf(status);
  return error && (error->code == "ResourceNotFound" ||
                   (error->code == "ValidationException" && (absl::StrContains(error->message, "not found") ||
                                                             absl::StrContains(error->message, "does not exist"))));
}

}  // namespace

absl::StatusOr<std::string> Service::Call(const char* operation, std::string body) {
  aws::CallOptions options;
  options.stop = stop_;
  return client_.Call(absl::StrCat("SageMaker.", operation), std::move(body), options);
}

absl::StatusOr<std::string> Service::Create(const std::string& request) {
  absl::StatusOr<std::string> answer = Call("CreateTrainingJob", request);
  if (!answer.ok()) {
    const std::optional<aws::AwsError> error = aws::AwsErrorOf(answer.status());
    if (error && error->code == "ResourceInUse") return absl::AlreadyExistsError(error->message);
    return answer.status();
  }
  const json object = json::parse(*answer, nullptr, false);
  // An answer that was garbled on its way: asked again, the name is taken.
  if (!object.is_object() || !object.contains("TrainingJobArn") || !object["TrainingJobArn"].is_string())
    return absl::UnavailableError("CreateTrainingJob was answered without an ARN");
  return object["TrainingJobArn"].get<std::string>();
}

absl::StatusOr<TrainingJob> Service::Describe(const std::string& name) {
  absl::StatusOr<std::string> answer = Call("DescribeTrainingJob", json{{"TrainingJobName", name}}.dump());
  if (answer.ok()) return ParseTrainingJob(*answer);
  if (SaysNotFound(answer.status())) return absl::NotFoundError(answer.status().message());
  return answer.status();
}

absl::StatusOr<bool> Service::HasTag(const std::string& arn, const std::string& key, const std::string& value) {
  std::string token;
  do {
    json request = {{"ResourceArn", arn}};
    if (!token.empty()) request["NextToken"] = token;
    absl::StatusOr<std::string> answer = Call("ListTags", request.dump());
    if (!answer.ok()) return answer.status();
    const json object = json::parse(*answer, nullptr, false);
    if (!object.is_object()) return absl::InternalError("ListTags was answered with something that is no JSON object");
    for (const json& tag : object.value("Tags", json::array())) {
      if (tag.is_object() && tag.value("Key", json()) == key && tag.value("Value", json()) == value) return true;
    }
    const auto next = object.find("NextToken");
    token = next != object.end() && next->is_string() ? next->get<std::string>() : "";
  } while (!token.empty());
  return false;
}

absl::Status Service::Stop(const std::string& name) {
  absl::StatusOr<std::string> answer = Call("StopTrainingJob", json{{"TrainingJobName", name}}.dump());
  if (answer.ok()) return absl::OkStatus();
  const std::optional<aws::AwsError> error = aws::AwsErrorOf(answer.status());
  if (error && error->code == "ValidationException" && absl::StrContains(error->message, "in status"))
    return absl::OkStatus();
  return SaysNotFound(answer.status()) ? absl::NotFoundError(answer.status().message()) : answer.status();
}

absl::StatusOr<TrainingJobPage> Service::List(const Filter& filter) {
  json request = {{"MaxResults", kPageSize}, {"NameContains", filter.name_contains}};
  if (filter.in_progress) request["StatusEquals"] = "InProgress";
  if (filter.modified_after != absl::InfinitePast()) {
    request["LastModifiedTimeAfter"] =
        static_cast<double>(absl::ToUnixMillis(filter.modified_after)) / 1000;  // milliseconds are what SDKs send
  }
  if (!filter.token.empty()) request["NextToken"] = filter.token;
  absl::StatusOr<std::string> answer = Call("ListTrainingJobs", request.dump());
  if (!answer.ok()) return answer.status();
  return ParseTrainingJobs(*answer);
}

absl::StatusOr<TrainingJobPage> Service::Search(const std::string& name_contains) {
  const json filter = {{"Name", "TrainingJobName"}, {"Operator", "Contains"}, {"Value", name_contains}};
  const json request = {{"Resource", "TrainingJob"},
                        {"SearchExpression", {{"Filters", json::array({filter})}}},
                        {"SortBy", "LastModifiedTime"},
                        {"SortOrder", "Descending"},
                        {"MaxResults", kPageSize}};
  absl::StatusOr<std::string> answer = Call("Search", request.dump());
  if (!answer.ok()) return answer.status();
  return ParseTrainingJobs(*answer);
}

}  // namespace tuner::executors::sagemaker
