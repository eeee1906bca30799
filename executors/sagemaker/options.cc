#include "executors/sagemaker/options.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "executors/sagemaker/request.h"
#include "re2/re2.h"

namespace tuner::executors::sagemaker {
namespace {

constexpr int kMostInstanceTypes = 10;
constexpr int kMostTags = 48;  // of 50, one is ours
constexpr int64_t kMostKeepAlive = 3600;
constexpr int64_t kMostRunTime = int64_t{28} * 24 * 3600;
constexpr size_t kMostMetrics = 40;

bool Matches(const std::string& text, const char* regex) { return re2::RE2::FullMatch(text, regex); }

bool IsS3Folder(const std::string& uri) { return Matches(uri, R"(s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?)"); }

class OptionsValidator {
 public:
  OptionsValidator(const v1::SageMakerExecutor& options, const core::JobSpec& spec) : options_(options), spec_(spec) {}

  core::Problems Run() {
    CheckAlgorithm();
    CheckInstances();
    CheckPlaces();
    CheckTimes();
    CheckNetworkAndTags();
    CheckJob();
    return std::move(problems_);
  }

 private:
  void Add(std::string path, std::string text) { problems_.push_back({std::move(path), std::move(text)}); }

  void CheckAlgorithm() {
    if (options_.training_image().empty() == options_.algorithm_name().empty()) {
      Add("training_image", options_.training_image().empty() ? "is missing; give an image's URI, or algorithm_name"
                                                              : "is given beside algorithm_name; keep one of the two");
    }
    if (options_.training_image().size() > 255) Add("training_image", "is longer than 255 characters");
    if (!Matches(options_.role_arn(), R"(arn:aws[a-z-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@_/-]+)")) {
      Add("role_arn", absl::StrCat("\"", options_.role_arn(),
                                   "\" is not a role's ARN; give one such as arn:aws:iam::123456789012:role/trainer"));
    }
    if (!options_.source_dir().empty() && options_.entry_point().empty())
      Add("source_dir", "is given without entry_point; say which script of it is to run");
    if (absl::StartsWith(options_.entry_point(), "/") || absl::StrContains(options_.entry_point(), ".."))
      Add("entry_point", "must be relative to source_dir, and in it");
  }

  void CheckInstances() {
    if (options_.instance_types().empty() == options_.instance_groups().empty()) {
      Add("instance_types", options_.instance_types().empty() ? "is empty; name at least one, such as ml.m5.large"
                                                              : "is given beside instance_groups; keep one of the two");
    }
    if (options_.instance_types_size() > kMostInstanceTypes)
      Add("instance_types", absl::StrCat("has more than ", kMostInstanceTypes, " entries"));
    for (int i = 0; i < options_.instance_types_size(); ++i)
      CheckType(absl::StrCat("instance_types[", i, "]"), options_.instance_types(i));
    if (options_.instance_groups_size() > 5) Add("instance_groups", "has more than 5 entries");
    for (int i = 0; i < options_.instance_groups_size(); ++i) {
      const auto& group = options_.instance_groups(i);
      const std::string path = absl::StrCat("instance_groups[", i, "]");
      if (group.name().empty() || group.name().size() > 64) Add(path + ".name", "must have 1 to 64 characters");
      CheckType(path + ".instance_type", group.instance_type());
      if (group.has_instance_count() && group.instance_count() < 1) Add(path + ".instance_count", "must be at least 1");
    }
    if (options_.has_instance_count() && options_.instance_count() < 1) Add("instance_count", "must be at least 1");
    if (options_.has_volume_size_gb() && options_.volume_size_gb() < 1) Add("volume_size_gb", "must be at least 1");
    if (options_.has_max_retry_attempts() && (options_.max_retry_attempts() < 1 || options_.max_retry_attempts() > 30))
      Add("max_retry_attempts", "must be 1 to 30");
  }

  void CheckType(const std::string& path, const std::string& type) {
    if (!Matches(type, R"(ml\.[a-z0-9-]+\.[a-z0-9-]+)"))
      Add(path, absl::StrCat("\"", type, "\" is not an instance type of SageMaker; they look like ml.m5.large"));
  }

  void CheckPlaces() {
    const std::pair<const char*, const std::string*> folders[] = {{"output_s3_uri", &options_.output_s3_uri()},
                                                                  {"checkpoint_s3_uri", &options_.checkpoint_s3_uri()},
                                                                  {"upload_s3_uri", &options_.upload_s3_uri()}};
    for (const auto& [path, uri] : folders) {
      const bool required = path == folders[0].first;
      if ((!uri->empty() || required) && !IsS3Folder(*uri))
        Add(path, absl::StrCat("\"", *uri, "\" is not a folder in S3; give one such as s3://my-bucket/tuning"));
    }
    const std::pair<const char*, const std::string*> addresses[] = {{"endpoint", &options_.endpoint()},
                                                                    {"s3_endpoint", &options_.s3_endpoint()},
                                                                    {"logs_endpoint", &options_.logs_endpoint()}};
    for (const auto& [path, address] : addresses) {
      if (!address->empty() && !Matches(*address, R"(https?://[^/?#]+)"))
        Add(path, "must be https://HOST or http://HOST:PORT, without a path");
    }
    if (!options_.checkpoint_local_path().empty() && options_.checkpoint_s3_uri().empty())
      Add("checkpoint_local_path", "is given without checkpoint_s3_uri; say where checkpoints are kept");
    if (!options_.region().empty() && !Matches(options_.region(), R"([a-z]{2,}(-[a-z]+)+-\d+)"))
      Add("region", absl::StrCat("\"", options_.region(), "\" is not a region; they look like eu-west-1"));
  }

  void CheckTimes() {
    const int64_t run = absl::ToInt64Seconds(spec_.trial.time_limit.value_or(kDefaultRunTime));
    if (run > kMostRunTime) Add("", "trains for 28 days at most; lower trial.time_limit");
    if (options_.spot() && !options_.has_max_wait()) {
      Add("max_wait",
          absl::StrCat("is required with spot: how long to wait for capacity, training included; at least ", run, "s"));
    } else if (options_.has_max_wait() && !options_.spot()) {
      Add("max_wait", "is for spot only; set spot, or drop it");
    } else if (options_.spot() && options_.max_wait().seconds() < run) {
      Add("max_wait", absl::StrCat("is ", options_.max_wait().seconds(), "s, less than ",
                                   spec_.trial.time_limit ? "trial.time_limit" : "the default time limit", " of ", run,
                                   "s; raise it, or lower trial.time_limit"));
    }
    if (options_.has_keep_alive() &&
        (options_.keep_alive().seconds() < 0 || options_.keep_alive().seconds() > kMostKeepAlive)) {
      Add("keep_alive", "must be at most 1 hour");
    }
    if (options_.has_keep_alive() && (options_.spot() || !options_.instance_groups().empty()))
      Add("keep_alive", "cannot be used with spot or instance_groups; drop one of the two");
    if (options_.has_poll_interval() &&
        (options_.poll_interval().seconds() < 1 || options_.poll_interval().seconds() > 600)) {
      Add("poll_interval", "must be 1 s to 10 min");
    }
  }

  void CheckNetworkAndTags() {
    if (options_.subnets().empty() != options_.security_groups().empty())
      Add(options_.subnets().empty() ? "subnets" : "security_groups",
          "is missing; a VPC needs subnets and security_groups");
    if (options_.subnets_size() > 16) Add("subnets", "has more than 16 entries");
    if (options_.security_groups_size() > 5) Add("security_groups", "has more than 5 entries");
    if (options_.tags_size() > kMostTags) Add("tags", absl::StrCat("has more than ", kMostTags, " entries"));
    for (const auto& [key, value] : options_.tags()) {
      const std::string path = absl::StrCat("tags.", key);
      if (key.empty() || key.size() > 128 || value.size() > 256)
        Add(path, "must have a key of 1 to 128 characters, and a value of up to 256");
      if (absl::StartsWith(key, "aws:") || absl::StartsWith(key, "tuner:"))
        Add(path, "begins with aws: or tuner:, which are kept for the services; choose another key");
    }
  }

  void CheckJob() {
    if (!options_.builtin_metrics() && spec_.trial.metrics.size() > kMostMetrics)
      Add("", absl::StrCat("takes at most ", kMostMetrics, " metrics"));
    // The objective of a training job, and what script mode adds.
    const size_t own = options_.entry_point().empty() ? 1 : 6;
    const size_t all = spec_.space.parameters().size() + spec_.static_parameters.size() + own;
    if (all > 100) {
      Add("", absl::StrCat("gives a training job 100 hyperparameters at most, of which ", own,
                           " are its own; drop parameters or static_parameters"));
    }
    for (const auto& [name, value] : spec_.trial.environment) {
      if (value.size() > 512) Add("", absl::StrCat("takes environment values of 512 characters; shorten ", name));
    }
  }

  const v1::SageMakerExecutor& options_;
  const core::JobSpec& spec_;
  core::Problems problems_;
};

}  // namespace

absl::StatusOr<v1::SageMakerExecutor> ParseSageMakerOptions(const std::string& bytes) {
  v1::SageMakerExecutor options;
  if (!options.ParseFromString(bytes)) return absl::InvalidArgumentError("is not a valid SageMakerExecutor message");
  return options;
}

core::Problems ValidateSageMakerOptions(const std::string& bytes, const core::JobSpec& spec) {
  const absl::StatusOr<v1::SageMakerExecutor> options = ParseSageMakerOptions(bytes);
  if (!options.ok()) return {{"", std::string(options.status().message())}};
  return OptionsValidator(*options, spec).Run();
}

std::string ResolvePath(const std::string& base_dir, const std::string& path) {
  if (absl::StartsWith(path, "/") || base_dir.empty()) return path;
  const std::string stripped(absl::StripSuffix(path, "/"));
  return stripped.empty() || stripped == "." ? base_dir : absl::StrCat(base_dir, "/", stripped);
}

std::string UploadUri(const v1::SageMakerExecutor& options) {
  if (!options.upload_s3_uri().empty()) return options.upload_s3_uri();
  return absl::StrCat(std::string(absl::StripSuffix(options.output_s3_uri(), "/")), "/tuner-uploads");
}

}  // namespace tuner::executors::sagemaker
