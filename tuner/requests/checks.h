// Checks of single request fields. Pure functions; any thread. Errors: INVALID_ARGUMENT that begins with the field's
// path.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/resource_names.h"

namespace tuner::requests {

absl::StatusOr<std::string> JobIdField(absl::string_view field, absl::string_view job_name);
absl::StatusOr<core::TrialId> TrialIdField(absl::string_view field, absl::string_view trial_name);

bool HasControlCharacter(absl::string_view text);

// Up to 1,024 characters.
absl::Status CheckReason(absl::string_view reason);
// Up to 128 characters, no control characters.
absl::Status CheckRequestId(absl::string_view request_id);

}  // namespace tuner::requests
