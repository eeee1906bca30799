// What the AWS SDKs read before they call anything: environment variables, and the profile in ~/.aws/config and
// ~/.aws/credentials. docs/aws.md has the order.
//
// Threads: immutable once loaded. Ownership: values. Errors: INVALID_ARGUMENT: a file that cannot be parsed, or a
// profile that is asked for and is in neither file; messages name file, line and key, and no value of a key.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/container/btree_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tuner::executors::aws {

// A variable of the environment; nullopt: it is not set. An empty one counts as not set everywhere here.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
Environment ProcessEnvironment();

// The keys of one section, in lower case. Of a nested block "s3 =\n  key = value" the key is "s3.key".
using ProfileSection = absl::btree_map<std::string, std::string>;

class Configuration {
 public:
  // `profile`: empty for AWS_PROFILE, AWS_DEFAULT_PROFILE or "default". Files that do not exist are empty.
  static absl::StatusOr<Configuration> Load(Environment environment, std::string profile = "");

  // The files as they are now.
  absl::StatusOr<Configuration> Reload() const { return Load(environment_, asked_for_); }

  const std::string& profile() const { return profile_; }
  // Load's caller named it: the environment's keys do not count then.
  bool profile_is_chosen() const { return !asked_for_.empty(); }
  // "" if it is not set.
  std::string Variable(const std::string& name) const;
  // Of both files together, keys of the credentials file first; null: in neither.
  const ProfileSection* Profile(absl::string_view name) const;
  // A key of the profile itself; "" if it is not set.
  std::string Setting(const std::string& key) const;

  // AWS_REGION, AWS_DEFAULT_REGION, the profile's region; "" if none is set.
  std::string Region() const;

  // AWS_ENDPOINT_URL_<SERVICE>, AWS_ENDPOINT_URL, the profile's `services` section, its endpoint_url; "" if none is
  // set. `service`: "sagemaker", "logs" (also as CLOUDWATCH_LOGS, the SDKs' name for it), "s3", "sts".
  std::string EndpointOverride(absl::string_view service) const;

 private:
  Environment environment_;
  std::string asked_for_;  // by Load's caller
  std::string profile_;
  absl::btree_map<std::string, ProfileSection> profiles_;
  absl::btree_map<std::string, ProfileSection> services_;
};

// Where AWS itself serves `service` in `region`: "https://api.sagemaker.eu-west-1.amazonaws.com". Without a bucket for
// "s3". Knows the partitions by the region's name.
std::string AwsEndpoint(absl::string_view service, absl::string_view region);

}  // namespace tuner::executors::aws
