#include "executors/sagemaker/check.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/clock.h"
#include "executors/sagemaker/names.h"
#include "executors/sagemaker/options.h"
#include "executors/sagemaker/site.h"

namespace tuner::executors::sagemaker {
namespace {

// What cannot be found here is not worth asking for there.
void CheckFiles(const v1::SageMakerExecutor& options, const core::JobSpec& spec, core::Problems& problems) {
  const auto look = [&problems](const std::string& path, const std::string& field) {
    struct stat status;
    if (stat(path.c_str(), &status) != 0) problems.push_back({field, absl::StrCat(path, ": ", strerror(errno))});
  };
  for (const core::Channel& channel : spec.trial.inputs) {
    if (channel.s3_uri.empty()) look(ResolvePath(spec.base_dir, channel.path), "");
  }
  if (options.entry_point().empty() || absl::StartsWith(options.source_dir(), "s3://")) return;
  look(absl::StrCat(ResolvePath(spec.base_dir, options.source_dir()), "/", options.entry_point()), "entry_point");
}

// A folder in S3: there is no asking whether it may be written but writing, so reading has to do.
void CheckFolder(Site& site, const std::string& uri, const std::string& field, bool must_hold_something,
                 core::Problems& problems) {
  const absl::StatusOr<aws::S3Uri> parsed = aws::ParseS3Uri(uri);
  if (!parsed.ok()) {
    problems.push_back({field, std::string(parsed.status().message())});
    return;
  }
  const auto objects = site.s3().List(*parsed, site.call_options(), 1);
  if (!objects.ok()) {
    problems.push_back({field, absl::StrCat(uri, " cannot be listed: ", objects.status().message())});
  } else if (must_hold_something && objects->empty()) {
    problems.push_back({field, absl::StrCat("there is nothing at ", uri)});
  }
}

}  // namespace

core::Problems CheckSageMaker(const std::string& bytes, const core::JobSpec& spec) {
  core::Problems problems;
  const absl::StatusOr<v1::SageMakerExecutor> options = ParseSageMakerOptions(bytes);
  if (!options.ok()) return {{"", std::string(options.status().message())}};
  CheckFiles(*options, spec, problems);
  const std::unique_ptr<core::Clock> clock = core::MakeSystemClock();
  const absl::StatusOr<std::unique_ptr<Site>> site = Site::Make(*options, *clock);
  if (!site.ok()) {
    problems.push_back({options->region().empty() ? "region" : "profile", std::string(site.status().message())});
    return problems;
  }
  if (const auto found = (*site)->credentials().Get(&(*site)->stop()); !found.ok()) {
    problems.push_back({"", absl::StrCat("no credentials: ", found.status().message())});
    return problems;  // nothing else can be asked
  }
  Service::Filter filter;
  filter.name_contains = kNamePrefix;
  if (const auto listed = (*site)->service().List(filter); !listed.ok())
    problems.push_back({"", absl::StrCat("training jobs cannot be listed: ", listed.status().message())});
  CheckFolder(**site, options->output_s3_uri(), "output_s3_uri", false, problems);
  if (!options->checkpoint_s3_uri().empty())
    CheckFolder(**site, options->checkpoint_s3_uri(), "checkpoint_s3_uri", false, problems);
  if (!options->upload_s3_uri().empty())
    CheckFolder(**site, options->upload_s3_uri(), "upload_s3_uri", false, problems);
  if (absl::StartsWith(options->source_dir(), "s3://"))
    CheckFolder(**site, options->source_dir(), "source_dir", true, problems);
  for (const core::Channel& channel : spec.trial.inputs) {
    if (!channel.s3_uri.empty()) CheckFolder(**site, channel.s3_uri, "", true, problems);
  }
  return problems;
}

}  // namespace tuner::executors::sagemaker
