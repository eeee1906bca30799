// Trials as processes of this machine, each under a supervisor that outlives the server.
//
// A run lives in <data>/jobs/<job>/<trial>/<attempt>: its output (stdout.log, stderr.log), the SageMaker training tree
// (training_contract.h), and run/, the supervisor's records (supervisor/records.h). Those records alone say what
// happened to a run; nothing else is remembered across a restart. One thread watches all runs through inotify and
// pidfds; nothing is polled while trials are quiet.
//
// Threads: any. Ownership: borrows what the context names. The destructor detaches: runs go on. Errors: as Executor
// says.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "executors/executor.h"

namespace tuner::executors {

// A supervisor path without a slash is looked for in PATH. FAILED_PRECONDITION: no supervisor there. UNAVAILABLE: the
// kernel refused inotify or epoll.
absl::StatusOr<std::unique_ptr<Executor>> MakeLocalProcessExecutor(const ExecutorContext& context);

// Problems of serialised v1.ProcessExecutor options.
core::Problems ValidateProcessOptions(const std::string& bytes, const core::JobSpec& spec);

// What this machine lacks to run processes this way, or "".
std::string MissingForProcesses();

}  // namespace tuner::executors
