#include "executors/sagemaker/site.h"

#include <utility>

#include "absl/strings/str_join.h"

namespace tuner::executors::sagemaker {

std::string Site::Key(const v1::SageMakerExecutor& options) {
  return absl::StrJoin(
      {options.profile(), options.region(), options.endpoint(), options.s3_endpoint(), options.logs_endpoint()}, "\n");
}

absl::StatusOr<std::unique_ptr<Site>> Site::Make(const v1::SageMakerExecutor& options, core::Clock& clock) {
  absl::StatusOr<aws::Configuration> configuration =
      aws::Configuration::Load(aws::ProcessEnvironment(), options.profile());
  if (!configuration.ok()) return configuration.status();
  std::unique_ptr<Site> site(new Site());
  site->region_ = options.region().empty() ? configuration->Region() : options.region();
  if (site->region_.empty()) {
    return absl::InvalidArgumentError(
        "no AWS region is set: give trial.sagemaker.region, set AWS_REGION, or `region` in the profile");
  }
  const auto options_of = [&](const char* service, const std::string& endpoint) {
    aws::ServiceOptions made;
    made.service = service;
    made.region = site->region_;
    made.endpoint = endpoint.empty() ? configuration->EndpointOverride(service) : endpoint;
    return made;
  };
  site->credentials_ = aws::MakeDefaultCredentials(*configuration, site->http_, clock, site->region_);
  const aws::AwsServices services{site->http_, *site->credentials_, clock};
  site->service_ = std::make_unique<Service>(options_of("sagemaker", options.endpoint()), services, &site->stop_);
  site->logs_ = std::make_unique<aws::LogsClient>(options_of("logs", options.logs_endpoint()), services);
  aws::S3Options s3;
  s3.service = options_of("s3", options.s3_endpoint());
  site->s3_ = std::make_unique<aws::S3Client>(std::move(s3), services);
  return site;
}

}  // namespace tuner::executors::sagemaker
