// What a stored job keeps of its parents, put where its strategy finds it.
//
// Threads: any. Errors: those of Storage::ReadParents.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "core/job_spec.h"
#include "storage/storage.h"

namespace tuner::engine {

// Sets spec.warm_start->jobs; without a warm start nothing. To be called wherever a strategy is made of a stored job.
absl::Status AttachParents(const storage::Storage& storage, const std::string& job_id, core::JobSpec& spec);

}  // namespace tuner::engine
