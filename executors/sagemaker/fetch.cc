#include "executors/sagemaker/fetch.h"

#include "core/clock.h"
#include "executors/sagemaker/site.h"

namespace tuner::executors::sagemaker {

absl::Status FetchModel(const v1::SageMakerExecutor& options, const std::string& uri, const std::string& path) {
  const absl::StatusOr<aws::S3Uri> from = aws::ParseS3Uri(uri);
  if (!from.ok()) return from.status();
  const std::unique_ptr<core::Clock> clock = core::MakeSystemClock();
  const absl::StatusOr<std::unique_ptr<Site>> site = Site::Make(options, *clock);
  if (!site.ok()) return site.status();
  return (*site)->s3().GetFile(*from, path, (*site)->call_options());
}

}  // namespace tuner::executors::sagemaker
