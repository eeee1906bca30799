#include "executors/process_launch.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/resource_names.h"
#include "executors/command_template.h"
#include "executors/training_contract.h"

namespace tuner::executors {
namespace {

int MachineCores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

int Cpus(const RunSpec& spec, const v1::ProcessExecutor& options) {
  return TrialCores(spec, options.has_cpus() ? std::optional<int>(options.cpus()) : std::nullopt);
}

std::string WorkingDir(const RunSpec& spec, const v1::ProcessExecutor& options) {
  const std::string& own = options.working_dir();
  if (!own.empty() && own[0] == '/') return own;
  const std::string base = BaseDir(spec);
  return own.empty() ? base : absl::StrCat(base, "/", own);
}

Contract MakeContract(const RunSpec& spec, const v1::ProcessExecutor& options, const RunPaths& paths,
                      const std::vector<int>& gpus) {
  Contract contract;
  contract.root = paths.attempt;
  contract.checkpoints = CheckpointDir(spec, paths);
  contract.code = WorkingDir(spec, options);
  contract.job_name = absl::StrCat(spec.id.job_id, "-", spec.id.trial, "-", spec.id.attempt);
  contract.cpus = Cpus(spec, options);
  contract.gpus = gpus;
  return contract;
}

// The server's, below the contract's, below the user's, below the service's.
std::vector<std::string> Environment(const RunSpec& spec, const Contract& contract,
                                     const std::vector<std::string>& inherited) {
  // Unbuffered, or metrics of Python programs would be seen only when a buffer is full.
  absl::btree_map<std::string, std::string> variables = {{"PYTHONUNBUFFERED", "1"}};
  for (const std::string& variable : inherited) {
    const size_t equals = variable.find('=');
    // The server's own settings, its token among them, are not the trial's.
    if (equals == std::string::npos || absl::StartsWith(variable, "TUNER_") || absl::StartsWith(variable, "SM_"))
      continue;
    variables[variable.substr(0, equals)] = variable.substr(equals + 1);
  }
  AddThreadVariables(contract.cpus, variables);
  if (!contract.gpus.empty()) {
    variables["CUDA_VISIBLE_DEVICES"] = absl::StrJoin(contract.gpus, ",");
    variables["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID";
  }
  for (const auto& [name, value] : ContractEnvironment(contract, spec)) variables[name] = value;
  for (const auto& [name, value] : spec.environment) variables[name] = value;
  for (const auto& [name, value] : spec.service_environment) variables[name] = value;

  std::vector<std::string> environment;
  for (const auto& [name, value] : variables) environment.push_back(absl::StrCat(name, "=", value));
  return environment;
}

}  // namespace

int TrialCores(const RunSpec& spec, std::optional<int> asked) {
  return asked ? std::max(1, *asked) : std::max(1, MachineCores() / std::max(1, spec.max_parallel));
}

void AddThreadVariables(int cpus, absl::btree_map<std::string, std::string>& variables) {
  for (const char* name : {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
                           "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "RAYON_NUM_THREADS"}) {
    variables[name] = absl::StrCat(cpus);
  }
}

std::string BaseDir(const RunSpec& spec) {
  if (!spec.base_dir.empty()) return spec.base_dir;
  char current[4096];
  return getcwd(current, sizeof(current)) != nullptr ? current : "/";
}

std::string CheckpointDir(const RunSpec& spec, const RunPaths& paths) {
  if (spec.checkpoint_dir.empty()) return paths.trial + "/checkpoints";
  return absl::StrCat(spec.checkpoint_dir, "/", spec.id.job_id, "-", spec.id.job_uid, "/", spec.id.trial);
}

bool IsFreshStart(const std::string& checkpoint_dir) {
  std::error_code error;  // a folder that is not there holds no checkpoint
  return std::filesystem::is_empty(checkpoint_dir, error) || error;
}

absl::Status MakeFolders(const std::string& path) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    if (absl::Status made = MakeFolder(path.substr(0, slash)); !made.ok()) return made;
  }
  return MakeFolder(path);
}

absl::StatusOr<v1::ProcessExecutor> ParseProcessOptions(const std::string& bytes) {
  v1::ProcessExecutor options;
  if (!options.ParseFromString(bytes))
    return absl::InvalidArgumentError("the options are not a valid ProcessExecutor message");
  return options;
}

absl::Status CheckRunId(const RunId& id) {
  if (!core::IsJobId(id.job_id) || id.job_uid.empty() || id.trial < 1 || id.attempt < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", id.job_id, "', trial ", id.trial, ", attempt ", id.attempt, " names no run"));
  }
  return absl::OkStatus();
}

absl::StatusOr<records::Launch> MakeLaunch(const RunSpec& spec, const v1::ProcessExecutor& options,
                                           const RunPaths& paths, const std::vector<int>& gpus,
                                           const std::vector<std::string>& inherited) {
  const std::vector<std::string> command(options.command().begin(), options.command().end());
  absl::StatusOr<std::vector<std::string>> expanded = ExpandCommand(command, spec.parameters, spec.static_parameters);
  if (!expanded.ok()) return expanded.status();
  const Contract contract = MakeContract(spec, options, paths, gpus);
  struct stat status;
  if (stat(contract.code.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat("the working directory ", contract.code, " is not there"));
  }
  records::Launch launch;
  launch.job_uid = spec.id.job_uid;
  launch.command = *std::move(expanded);
  launch.environment = Environment(spec, contract, inherited);
  launch.working_dir = contract.code;
  launch.gpus = gpus;
  launch.fresh_start = IsFreshStart(contract.checkpoints);
  if (spec.time_limit) launch.time_limit_ms = std::max<int64_t>(1, absl::ToInt64Milliseconds(*spec.time_limit));
  launch.grace_ms = std::max<int64_t>(0, absl::ToInt64Milliseconds(spec.grace_period));
  launch.memory_limit_bytes = options.memory_limit_bytes();
  launch.output_limit_bytes = options.has_output_limit_bytes() ? options.output_limit_bytes() : kProcessOutputLimit;
  return launch;
}

absl::Status WriteRunFolder(const RunSpec& spec, const v1::ProcessExecutor& options, const RunPaths& paths,
                            const records::Launch& launch) {
  for (const std::string& folder : {paths.trial, paths.attempt, paths.run}) {
    if (absl::Status made = MakeFolder(folder); !made.ok()) return made;
  }
  const Contract contract = MakeContract(spec, options, paths, launch.gpus);
  if (absl::Status made = MakeFolders(contract.checkpoints); !made.ok()) return made;
  if (absl::Status written = WriteContract(contract, spec); !written.ok()) return written;
  for (const char* name : {"/stdout.log", "/stderr.log"}) {
    // Made for whoever watches them, but never emptied: only the run's supervisor knows that there is nothing in them
    // yet.
    const std::string path = paths.attempt + name;
    const UniqueFd file(open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!file) return absl::UnavailableError(absl::StrCat("cannot make ", path, ": ", strerror(errno)));
  }
  const UniqueFd run(open(paths.run.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  records::Files files;
  const int error = run ? records::WriteAtomically(files, run.get(), records::kLaunch, records::Format(launch)) : errno;
  return error == 0 ? absl::OkStatus()
                    : absl::UnavailableError(absl::StrCat("cannot write in ", paths.run, ": ", strerror(error)));
}

}  // namespace tuner::executors
