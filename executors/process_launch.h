// From a run's specification to its folder and launch record: everything that a supervisor needs, and nothing started
// yet.
//
// Threads: any; two calls for one run must not overlap. Ownership: none. Errors: as each function says.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
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

// Makes the attempt's folder with the training contract in it, empty output files and, last of all, the launch record.
// INVALID_ARGUMENT: an input is missing. UNAVAILABLE: the disk.
absl::Status WriteRunFolder(const RunSpec& spec, const v1::ProcessExecutor& options, const RunPaths& paths,
                            const records::Launch& launch);

// --- what containers share

inline constexpr int64_t kProcessOutputLimit = int64_t{1} << 30;  // bytes of each stream, unless options say more

// Cores that a trial is told to use: those that were asked for, else its share of the machine's. At least 1.
int TrialCores(const RunSpec& spec, std::optional<int> asked);
// OMP_NUM_THREADS and its relatives.
void AddThreadVariables(int cpus, absl::btree_map<std::string, std::string>& variables);
// The folder that paths of a job are relative to: the job file's, else the server's.
std::string BaseDir(const RunSpec& spec);
// A folder of its own for each trial of each job, even of jobs that bear the same name one after the other.
std::string CheckpointDir(const RunSpec& spec, const RunPaths& paths);
// Whether there is no checkpoint to go on from.
bool IsFreshStart(const std::string& checkpoint_dir);
// With all folders on the way. UNAVAILABLE: the disk.
absl::Status MakeFolders(const std::string& path);

}  // namespace tuner::executors
