// Trials that workers ask for and tell about over the API. Nothing is started here: the engine hands such trials out
// and keeps their leases, so this class only states what it is, and refuses what does not apply.
//
// Threads: any. Errors: Launch and Stop are FAILED_PRECONDITION; Adopt knows no run.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "executors/executor.h"

namespace tuner::executors {

absl::StatusOr<std::unique_ptr<Executor>> MakeExternalExecutor(const ExecutorContext& context);

// Problems of serialised v1.ExternalExecutor options.
core::Problems ValidateExternalOptions(const std::string& bytes, const core::JobSpec& spec);

}  // namespace tuner::executors
