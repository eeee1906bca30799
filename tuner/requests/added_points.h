// The points of an AddTrials request. Pure function; any thread.
#pragma once

#include "absl/status/statusor.h"
#include "core/event.h"
#include "core/job_spec.h"
#include "tuner/v1/tuning_service.pb.h"

namespace tuner::requests {

// Points to run, or finished trials to import, each in its canonical form. INVALID_ARGUMENT: everything that is wrong
// with any of them, by path.
absl::StatusOr<core::TrialsAdded> ReadAddedPoints(const v1::AddTrialsRequest& request, const core::JobSpec& spec);

}  // namespace tuner::requests
