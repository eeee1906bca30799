// The requests of the ask-and-tell loop as events. Pure functions; any thread. Errors: INVALID_ARGUMENT that begins
// with the field's path.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "core/event.h"
#include "tuner/v1/tuning_service.pb.h"

namespace tuner::requests {

absl::StatusOr<core::SuggestAsked> ReadSuggest(const v1::SuggestTrialsRequest& request);
absl::StatusOr<core::Reported> ReadReport(const v1::ReportMeasurementsRequest& request, int32_t trial);
absl::StatusOr<core::CompletionTold> ReadCompletion(const v1::CompleteTrialRequest& request, int32_t trial);

}  // namespace tuner::requests
