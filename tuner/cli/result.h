// The end of a job, in words: why it ended, its best trial, where things are, and what to do next. Any thread; no
// errors.
#pragma once

#include "absl/time/time.h"
#include "tuner/cli/format.h"
#include "tuner/v1/tuning_job.pb.h"

namespace tuner::cli {

// With --output json the job itself, as one document.
void PrintResult(Printer& printer, const v1::TuningJob& job, absl::Time now);
// 0, or 1 for a failed job.
int ExitCodeOf(const v1::TuningJob& job);

}  // namespace tuner::cli
