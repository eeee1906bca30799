// Where training jobs of the same account, region and addresses are: the clients of its services.
//
// Threads: any. Ownership: owns the clients; borrows the clock. Errors: INVALID_ARGUMENT: what is configured cannot be
// used; the message says what to change.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "core/clock.h"
#include "executors/aws/configuration.h"
#include "executors/aws/credentials.h"
#include "executors/aws/logs.h"
#include "executors/aws/s3.h"
#include "executors/http_client.h"
#include "executors/sagemaker/service.h"
#include "tuner/v1/executors.pb.h"

namespace tuner::executors::sagemaker {

class Site {
 public:
  static absl::StatusOr<std::unique_ptr<Site>> Make(const v1::SageMakerExecutor& options, core::Clock& clock);

  // The same for runs that share a site.
  static std::string Key(const v1::SageMakerExecutor& options);

  const std::string& region() const { return region_; }
  Service& service() { return *service_; }
  aws::LogsClient& logs() { return *logs_; }
  aws::S3Client& s3() { return *s3_; }
  aws::CredentialsProvider& credentials() { return *credentials_; }
  StopSignal& stop() { return stop_; }  // ends all calls
  aws::CallOptions call_options() { return {.stop = &stop_}; }

 private:
  Site() = default;

  std::string region_;
  StopSignal stop_;
  HttpClient http_;
  std::unique_ptr<aws::CredentialsProvider> credentials_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<aws::LogsClient> logs_;
  std::unique_ptr<aws::S3Client> s3_;
};

}  // namespace tuner::executors::sagemaker
