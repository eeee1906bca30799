// Trials as training jobs on Amazon SageMaker, or on what speaks its API.
//
// A run lives on the service; here are its record (<data>/jobs/<job>/sagemaker/<trial>-<attempt>), which is durable
// before anything is asked of the service, and its output, copied from CloudWatch Logs to <attempt>/stdout.log. The
// name of its training job follows from the run, so that after a lost answer or a restart the same one is found again.
// docs/sagemaker.md
//
// Threads: any; per site (account, region, addresses) a few of its own. Ownership: borrows clock and listener. Errors:
// as Executor.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "executors/executor.h"
#include "executors/sagemaker/fleet.h"

namespace tuner::executors::sagemaker {

// UNAVAILABLE: the data folder.
absl::StatusOr<std::unique_ptr<Executor>> MakeSageMakerExecutor(const ExecutorContext& context, const Pace& pace = {});

}  // namespace tuner::executors::sagemaker
