// The form in which storage keeps trials and jobs. Pure functions without reflection, made for the hot path; any
// thread.
//
// Lossless but for times, which are kept to the nanosecond and within the years 1 to 9999, and for text that the API
// shows: bytes that are not UTF-8 become U+FFFD there, since a record that holds them could not be read again.
#pragma once

#include "absl/status/statusor.h"
#include "core/job.h"
#include "core/notification.h"
#include "core/parent_job.h"
#include "core/trial.h"
#include "tuner/internal/v1/records.pb.h"

namespace tuner::convert {

internal::v1::StoredTrial ToStored(const core::Trial& trial);
// DATA_LOSS: a record that ToStored cannot have made.
absl::StatusOr<core::Trial> FromStored(const internal::v1::StoredTrial& stored);

internal::v1::StoredJob ToStored(const core::JobHeader& header);
core::JobHeader FromStored(const internal::v1::StoredJob& stored);

internal::v1::StoredNotification ToStored(const core::Notification& notification);
core::Notification FromStored(const internal::v1::StoredNotification& stored);
internal::v1::StoredParent ToStored(const core::ParentJob& parent);
// DATA_LOSS: a record that ToStored cannot have made.
absl::StatusOr<core::ParentJob> FromStored(const internal::v1::StoredParent& stored);

}  // namespace tuner::convert
