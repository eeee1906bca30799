#include "executors/sagemaker/outcome.h"

#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "re2/re2.h"

namespace tuner::executors::sagemaker {
namespace {

using nlohmann::json;

std::string TextAt(const json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

double NumberAt(const json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_number() ? it->get<double>() : 0;
}

const json& ListAt(const json& object, const char* key) {
  static const auto& kNone = *new json(json::array());
  const auto it = object.find(key);
  return it != object.end() && it->is_array() ? *it : kNone;
}

TrainingJob ReadTrainingJob(const json& object) {
  TrainingJob job;
  job.name = TextAt(object, "TrainingJobName");
  job.arn = TextAt(object, "TrainingJobArn");
  job.status = TextAt(object, "TrainingJobStatus");
  job.secondary_status = TextAt(object, "SecondaryStatus");
  job.modified = absl::UnixEpoch() + absl::Seconds(NumberAt(object, "LastModifiedTime"));
  job.failure_reason = TextAt(object, "FailureReason");
  if (const auto it = object.find("ModelArtifacts"); it != object.end() && it->is_object())
    job.model_uri = TextAt(*it, "S3ModelArtifacts");
  job.trained = NumberAt(object, "TrainingStartTime") > 0;
  job.training_time = absl::Seconds(NumberAt(object, "TrainingTimeInSeconds"));
  job.billable_time = absl::Seconds(NumberAt(object, "BillableTimeInSeconds"));
  for (const json& transition : ListAt(object, "SecondaryStatusTransitions")) {
    if (transition.is_object() && TextAt(transition, "Status") == "Interrupted") ++job.interruptions;
  }
  for (const json& metric : ListAt(object, "FinalMetricDataList")) {
    if (metric.is_object()) job.final_metrics.push_back({TextAt(metric, "MetricName"), NumberAt(metric, "Value")});
  }
  return job;
}

absl::StatusOr<json> ParseObject(const std::string& text) {
  json object = json::parse(text, nullptr, false);
  if (!object.is_object()) return absl::InternalError("SageMaker answered with something that is no JSON object");
  return object;
}

std::optional<int32_t> ExitCodeOf(const std::string& failure_reason) {
  static const auto& kCode = *new re2::RE2(R"((?i)exit ?code:? \"?(\d+))");
  int32_t code = 0;
  if (re2::RE2::PartialMatch(failure_reason, kCode, &code)) return code;
  return std::nullopt;
}

}  // namespace

bool TrainingJob::began() const {
  return terminal() ? trained
                    : status == "InProgress" && !secondary_status.empty() && secondary_status != "Starting" &&
                          secondary_status != "Pending" && secondary_status != "LaunchingMLInstances" &&
                          secondary_status != "PreparingTrainingStack" && secondary_status != "Downloading" &&
                          secondary_status != "DownloadingTrainingImage";
}

absl::StatusOr<TrainingJob> ParseTrainingJob(const std::string& text) {
  absl::StatusOr<json> object = ParseObject(text);
  if (!object.ok()) return object.status();
  TrainingJob job = ReadTrainingJob(*object);
  if (job.name.empty() || job.status.empty())
    return absl::InternalError("SageMaker described a training job without its name and status");
  return job;
}

absl::StatusOr<TrainingJobPage> ParseTrainingJobs(const std::string& text) {
  absl::StatusOr<json> object = ParseObject(text);
  if (!object.ok()) return object.status();
  TrainingJobPage page;
  page.next_token = TextAt(*object, "NextToken");
  for (const json& summary : ListAt(*object, "TrainingJobSummaries")) {
    if (summary.is_object()) page.jobs.push_back(ReadTrainingJob(summary));
  }
  for (const json& result : ListAt(*object, "Results")) {
    const auto it = result.is_object() ? result.find("TrainingJob") : result.end();
    if (result.is_object() && it != result.end() && it->is_object()) page.jobs.push_back(ReadTrainingJob(*it));
  }
  return page;
}

bool IsOutOfCapacity(const TrainingJob& job) {
  if (job.status == "Stopped") return job.secondary_status == "MaxWaitTimeExceeded";
  return job.status == "Failed" &&
         (absl::StartsWith(job.failure_reason, "CapacityError") ||
          absl::StrContains(job.failure_reason, "Unable to provision requested ML compute capacity") ||
          absl::StrContains(job.failure_reason, "InsufficientInstanceCapacity"));
}

std::string UseText(const core::ResourceUse& use) {
  std::string text;
  if (use.training_time > absl::ZeroDuration()) {
    absl::StrAppend(&text, "trained ", absl::ToInt64Seconds(use.training_time), " s, billed ",
                    absl::ToInt64Seconds(use.billable_time), " s");
    if (use.billable_time < use.training_time) {
      const double saved = 1 - absl::FDivDuration(use.billable_time, use.training_time);
      absl::StrAppend(&text, " (", static_cast<int>(saved * 100 + 0.5), " % saved by spot)");
    }
  }
  if (use.interruptions > 0) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", use.interruptions, " spot interruption",
                    use.interruptions == 1 ? "" : "s");
  }
  return text;
}

RunEnded ToRunEnded(const TrainingJob& job, bool stopped, absl::Duration time_limit) {
  RunEnded ended;
  using Outcome = RunEnded::Outcome;
  if (job.status == "Completed") {
    ended.outcome = Outcome::kSucceeded;
    ended.exit_code = 0;
    ended.reason = "completed";
    ended.model_uri = job.model_uri;
  } else if (job.status == "Stopped" && job.secondary_status == "MaxRuntimeExceeded") {
    ended.outcome = Outcome::kTimedOut;
    ended.reason = absl::StrCat("reached its time limit of ", absl::FormatDuration(time_limit));
  } else if (job.status == "Stopped" && job.secondary_status == "MaxWaitTimeExceeded" && !stopped) {
    ended.outcome = Outcome::kFailed;
    ended.reason = "waited for spot capacity for longer than max_wait allows; raise it, or name further instance_types";
  } else if (job.status == "Stopped") {
    ended.outcome = Outcome::kStopped;
    ended.reason = stopped ? "stopped" : "stopped on SageMaker by somebody else";
  } else if (IsOutOfCapacity(job) || absl::StartsWith(job.failure_reason, "InternalServerError")) {
    ended.outcome = Outcome::kLost;
    ended.reason = job.failure_reason;
  } else {
    ended.outcome = Outcome::kFailed;
    ended.exit_code = ExitCodeOf(job.failure_reason);
    ended.reason = job.failure_reason.empty() ? "failed without a reason" : job.failure_reason;
  }
  // What was trained until then is kept, whatever the end was.
  if (job.trained && ended.outcome != Outcome::kFailed) ended.model_uri = job.model_uri;
  ended.use.training_time = job.training_time;
  ended.use.billable_time = job.billable_time;
  ended.use.interruptions = job.interruptions;
  if (const std::string use = UseText(ended.use); !use.empty()) absl::StrAppend(&ended.reason, "; ", use);
  return ended;
}

}  // namespace tuner::executors::sagemaker
