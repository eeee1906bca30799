// Resource names, built and parsed here and nowhere else. `x_id` is one component, `x_name` the full path.
// Pure functions; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace tuner::core {

// Whether `job_id` matches [A-Za-z0-9][A-Za-z0-9._-]{0,62}.
bool IsJobId(std::string_view job_id);

std::string JobName(std::string_view job_id);                          // tuningJobs/{job}
std::string TrialName(std::string_view job_id, int32_t trial_number);  // tuningJobs/{job}/trials/{number}

// INVALID_ARGUMENT with the form that was expected.
absl::StatusOr<std::string> ParseJobName(std::string_view job_name);
struct TrialId {
  std::string job_id;
  int32_t number = 0;
};
absl::StatusOr<TrialId> ParseTrialName(std::string_view trial_name);

}  // namespace tuner::core
