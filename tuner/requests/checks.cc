#include "tuner/requests/checks.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace tuner::requests {
namespace {

absl::Status CheckLength(absl::string_view field, absl::string_view text, size_t max) {
  if (text.size() <= max) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, ": has ", text.size(), " characters; use up to ", max));
}

}  // namespace

absl::StatusOr<std::string> JobIdField(absl::string_view field, absl::string_view job_name) {
  absl::StatusOr<std::string> job_id = core::ParseJobName(std::string(job_name));
  if (job_id.ok()) return job_id;
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", job_id.status().message()));
}

absl::StatusOr<core::TrialId> TrialIdField(absl::string_view field, absl::string_view trial_name) {
  absl::StatusOr<core::TrialId> id = core::ParseTrialName(std::string(trial_name));
  if (id.ok()) return id;
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", id.status().message()));
}

absl::Status CheckReason(absl::string_view reason) { return CheckLength("reason", reason, 1024); }

bool HasControlCharacter(absl::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

absl::Status CheckRequestId(absl::string_view request_id) {
  if (HasControlCharacter(request_id)) {
    return absl::InvalidArgumentError("request_id: holds a control character; use printable ones");
  }
  return CheckLength("request_id", request_id, 128);
}

}  // namespace tuner::requests
