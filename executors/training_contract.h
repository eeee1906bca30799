// The SageMaker training contract: the folders, files and SM_* variables that a training script finds. Below `root` (an
// attempt's folder, or /opt/ml of a container):
//
//   input/config/{hyperparameters,resourceconfig,inputdataconfig}.json   input/data/<channel>   code   checkpoints
//   model   output/data   output/failure (written by the trial)
//
// hyperparameters.json holds strings only, as the service's does, with `_tuning_objective_metric`; SM_HPS holds numbers
// and booleans as such.
//
// Threads: any. Ownership: none. Errors: as each function says.
#pragma once

#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "executors/executor.h"

namespace tuner::executors {

struct Contract {
  std::string root;         // as the trial sees it
  std::string checkpoints;  // target of root/checkpoints; outlives the attempt
  std::string code;         // target of root/code: the working directory
  std::string job_name;     // told as SM_JOB_NAME and TRAINING_JOB_NAME
  int cpus = 1;
  std::vector<int> gpus;
  std::vector<std::string> hosts = {"algo-1"};
  std::string current_host = "algo-1";
  std::string network_interface = "lo";
};

// Makes the folders and files, with links to channels, code and checkpoints. INVALID_ARGUMENT: an input is missing.
// UNAVAILABLE: the disk.
absl::Status WriteContract(const Contract& contract, const RunSpec& spec);
// Makes config/ and data/ in an input folder, and the files of config/. UNAVAILABLE: the disk.
absl::Status WriteInputConfig(const std::string& input_folder, const Contract& contract, const RunSpec& spec);
// Where a channel comes from on this machine.
std::string ChannelSource(const RunSpec& spec, const core::Channel& channel);

// The SM_* variables (and TRAINING_JOB_NAME).
absl::btree_map<std::string, std::string> ContractEnvironment(const Contract& contract, const RunSpec& spec);

// `text` as a JSON string, with its quotes.
std::string JsonString(std::string_view text);

}  // namespace tuner::executors
