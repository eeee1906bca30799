// From a run's specification to the containers that it takes: names, labels, folders, and what the engine is asked to
// create. Nothing is started here.
//
//   <attempt>/input            /opt/ml/input, read-only; of host k > 1 <attempt>/hosts/algo-k/input
//   <attempt>/model, output    /opt/ml/model, /opt/ml/output
//   the trial's checkpoints    /opt/ml/checkpoints
//   the job file's folder      /opt/ml/code, read-only
//   <attempt>/stdout.log ...   the output; of several hosts, host k's is in <attempt>/hosts/algo-k
//
// Threads: any; two calls for one run must not overlap. Ownership: values. Errors: as each function says.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "executors/docker_api.h"
#include "executors/executor.h"
#include "executors/run_folder.h"
#include "executors/training_contract.h"
#include "tuner/v1/executors.pb.h"

namespace tuner::executors {

inline constexpr char kLabelData[] = "tuner.data";  // the data folder that the trial belongs to
inline constexpr char kLabelJob[] = "tuner.job";
inline constexpr char kLabelUid[] = "tuner.uid";
inline constexpr char kLabelTrial[] = "tuner.trial";
inline constexpr char kLabelAttempt[] = "tuner.attempt";

struct ContainerPlan {
  RunSpec spec;
  v1::ContainerExecutor options;
  RunPaths paths;
  std::string socket;  // the engine's
  std::string name;    // of the container; the first part of those of several hosts
  Labels labels;
  std::string network;  // of several hosts; empty: none of their own
  std::string code;     // the job file's folder
  std::string checkpoints;
  std::string trial_socket;  // the server's, for trials alone in its folder; empty: none
  bool fresh_start = true;   // there is no checkpoint to go on from
  int cpus = 1;              // told to the trial
  std::vector<int> gpus;

  int hosts() const { return options.has_hosts() ? options.hosts() : 1; }
  int64_t output_limit() const;
  std::string ContainerName(int host) const;  // hosts count from 0
  std::string InputFolder(int host) const;
  std::string OutputFolder(int host) const;  // of its stdout.log and stderr.log
};

std::string HostOfTrial(int host);  // algo-1, ...

// What the names of runs of a data folder, and of a job in it, have in common.
std::string NameMark(const std::string& folder_id, const std::string& job_uid);
// The run whose container is called so, with no uid. Nothing: it is none of this data folder's.
std::optional<RunId> RunOfContainerName(const std::string& name, const std::string& folder_id);

// INVALID_ARGUMENT: not a ContainerExecutor message.
absl::StatusOr<v1::ContainerExecutor> ParseContainerOptions(const std::string& bytes);

// Problems of serialised v1.ContainerExecutor options.
core::Problems ValidateContainerOptions(const std::string& bytes, const core::JobSpec& spec);
// Remarks on options that are not wrong.
std::vector<std::string> AdviseOnContainers(const std::string& bytes, const core::JobSpec& spec);

// `folder_id` names the data folder among all that use the engine.
ContainerPlan MakeContainerPlan(const RunSpec& spec, v1::ContainerExecutor options, const ExecutorContext& context,
                                const std::string& folder_id, const std::string& default_socket);

// What can be told to be wrong before anything is made: a command that cannot be expanded, an input or a secret that is
// missing. INVALID_ARGUMENT.
absl::Status CheckContainerPlan(const ContainerPlan& plan);

// Makes the attempt's folders and the files of the training contract, but no copies of inputs. UNAVAILABLE: the disk.
absl::Status WriteContainerFolder(const ContainerPlan& plan);

// By name, without the newline at the end of the file. INVALID_ARGUMENT: one cannot be read.
absl::StatusOr<absl::btree_map<std::string, std::string>> ReadSecrets(const ContainerPlan& plan);

// The JSON of ContainerCreate. INVALID_ARGUMENT: the command.
absl::StatusOr<std::string> CreateBody(const ContainerPlan& plan, int host,
                                       const absl::btree_map<std::string, std::string>& secrets);

// The program that the containers run, as far as the options say; else "train".
std::string ProgramOf(const ContainerPlan& plan);

}  // namespace tuner::executors
