// From a run's specification to its folder and launch record: everything that a supervisor needs, and nothing started
// yet.
//
// Threads: any; two calls for one run must not overlap. Ownership: none. Errors: as each function says.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "executors/executor.h"
#include "executors/run_folder.h"
#include "executors/supervisor/records.h"
#include "tuner/v1/executors.pb.h"

namespace tuner::executors {

// INVALID_ARGUMENT: not a ProcessExecutor message.
absl::StatusOr<v1::ProcessExecutor> ParseProcessOptions(const std::string& bytes);

// Names, job ids and numbers that are fit to be parts of a path. INVALID_ARGUMENT.
absl::Status CheckRunId(const RunId& id);

// The command, environment, limits and working directory of the run. `inherited` is the server's environment; of it,
// TUNER_* and SM_* are not passed on. INVALID_ARGUMENT: the command, or a working directory that is not there.
absl::StatusOr<records::Launch> MakeLaunch(const RunSpec& spec, const v1::ProcessExecutor& options,
                                           const RunPaths& paths, const std::vector<int>& gpus,
                                           const std::vector<std::string>& inherited);

// Removes the checkpoints of the run's trial. OK if there are none. UNAVAILABLE names what could not be removed.
absl::Status RemoveCheckpoints(const RunSpec& spec, const RunPaths& paths);

// Makes the attempt's folder with the training contract in it, empty output files and, last of all, the launch record.
// INVALID_ARGUMENT: an input is missing. UNAVAILABLE: the disk.
absl::Status WriteRunFolder(const RunSpec& spec, const v1::ProcessExecutor& options, const RunPaths& paths,
                            const records::Launch& launch);

}  // namespace tuner::executors
