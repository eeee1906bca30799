#include "executors/container_plan.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/resource_names.h"
#include "executors/command_template.h"
#include "executors/process_launch.h"
#include "re2/re2.h"

namespace tuner::executors {
namespace {

using BodyJson = nlohmann::json;

constexpr char kTrialRoot[] = "/opt/ml";
constexpr char kSocketFolder[] = "/run/tuner";
constexpr int64_t kDefaultContainerOutput = int64_t{100} << 20;
constexpr int kDefaultPids = 4096;
constexpr int64_t kLeastContainerMemory = 6 << 20;
constexpr int kMostHosts = 64;
constexpr size_t kMostSecretBytes = 64 << 10;

// FNV-1a: the same in every version, as it is part of names that outlive the server.
uint64_t StableHash(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

bool IsVariableName(std::string_view name) {
  if (name.empty() || absl::ascii_isdigit(static_cast<unsigned char>(name[0]))) return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_'; });
}

std::string Below(const std::string& base, const std::string& path) {
  return path.empty() || path[0] == '/' ? path : absl::StrCat(base, "/", path);
}

Contract ContractOf(const ContainerPlan& plan, int host) {
  Contract contract;
  contract.root = kTrialRoot;
  contract.checkpoints = absl::StrCat(kTrialRoot, "/checkpoints");
  contract.code = absl::StrCat(kTrialRoot, "/code");
  contract.job_name = absl::StrCat(plan.spec.id.job_id, "-", plan.spec.id.trial, "-", plan.spec.id.attempt);
  contract.cpus = plan.cpus;
  contract.gpus = plan.gpus;
  if (plan.hosts() > 1) {
    contract.hosts.clear();
    for (int k = 0; k < plan.hosts(); ++k) contract.hosts.push_back(HostOfTrial(k));
    contract.current_host = HostOfTrial(host);
    contract.network_interface = "eth0";
  }
  return contract;
}

// A folder that the container's user, whoever that is, may write to. Its way there is the server's alone.
absl::Status MakeOpenFolder(const std::string& path) {
  if (absl::Status made = MakeFolders(path); !made.ok()) return made;
  if (chmod(path.c_str(), 0777) == 0 || errno == EPERM) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("cannot open ", path, " to the trial: ", strerror(errno)));
}

BodyJson Bind(const std::string& source, const std::string& target, bool read_only) {
  return {{"Type", "bind"}, {"Source", source}, {"Target", target}, {"ReadOnly", read_only}};
}

BodyJson Mounts(const ContainerPlan& plan, int host) {
  const std::string root = kTrialRoot;
  BodyJson mounts = BodyJson::array();
  mounts.push_back(Bind(plan.InputFolder(host), root + "/input", true));
  mounts.push_back(Bind(plan.paths.attempt + "/model", root + "/model", false));
  mounts.push_back(Bind(plan.paths.attempt + "/output", root + "/output", false));
  mounts.push_back(Bind(plan.checkpoints, root + "/checkpoints", false));
  mounts.push_back(Bind(plan.code, root + "/code", true));
  for (const core::Channel& channel : plan.spec.inputs) {
    if (channel.input_mode != core::Channel::InputMode::kFastFile) continue;
    const std::string source = ChannelSource(plan.spec, channel);
    const std::string folder = absl::StrCat(root, "/input/data/", channel.name);
    struct stat status;
    if (stat(source.c_str(), &status) == 0 && !S_ISDIR(status.st_mode)) {
      mounts.push_back(Bind(source, absl::StrCat(folder, source.substr(source.rfind('/'))), true));
    } else if (channel.sharded && plan.hosts() > 1) {
      // The host's share are links to there.
      mounts.push_back(Bind(source, absl::StrCat(root, "/input/sharded/", channel.name), true));
    } else {
      mounts.push_back(Bind(source, folder, true));
    }
  }
  for (const auto& [name, file] : plan.options.secrets()) {
    mounts.push_back(Bind(Below(BaseDir(plan.spec), file), absl::StrCat("/run/secrets/", name), true));
  }
  if (!plan.trial_socket.empty()) {
    mounts.push_back(Bind(plan.trial_socket.substr(0, plan.trial_socket.rfind('/')), kSocketFolder, true));
  }
  return mounts;
}

BodyJson Variables(const ContainerPlan& plan, int host, const absl::btree_map<std::string, std::string>& secrets) {
  absl::btree_map<std::string, std::string> variables = {{"PYTHONUNBUFFERED", "1"}};
  AddThreadVariables(plan.cpus, variables);
  for (const auto& [name, value] : ContractEnvironment(ContractOf(plan, host), plan.spec)) variables[name] = value;
  for (const auto& [name, value] : plan.spec.environment) variables[name] = value;
  for (const auto& [name, value] : secrets) variables[name] = value;
  for (const auto& [name, value] : plan.spec.service_environment) variables[name] = value;
  if (!plan.trial_socket.empty()) {
    variables["TUNER_ENDPOINT"] =
        absl::StrCat("unix:", kSocketFolder, plan.trial_socket.substr(plan.trial_socket.rfind('/')));
  }
  BodyJson list = BodyJson::array();
  for (const auto& [name, value] : variables) list.push_back(absl::StrCat(name, "=", value));
  return list;
}

BodyJson HostConfig(const ContainerPlan& plan, int host) {
  const v1::ContainerExecutor& options = plan.options;
  BodyJson config = {
      {"Mounts", Mounts(plan, host)},
      {"PidsLimit", options.has_pids_limit() ? options.pids_limit() : kDefaultPids},
      // Some engines are set to a driver that gives nothing back. What is kept there is bounded, with
      // room for both outputs and the engine's own words on each line.
      {"LogConfig",
       {{"Type", "json-file"}, {"Config", {{"max-size", absl::StrCat(3 * plan.output_limit() + (16 << 20))}}}}}};
  if (options.has_cpus()) config["NanoCpus"] = static_cast<int64_t>(std::llround(options.cpus() * 1e9));
  if (options.has_memory_limit_bytes()) {
    config["Memory"] = options.memory_limit_bytes();
    config["MemorySwap"] = options.memory_limit_bytes();
  }
  if (!plan.network.empty()) {
    config["NetworkMode"] = plan.network;
  } else if (!options.network().empty()) {
    config["NetworkMode"] = options.network();
  }
  if (!plan.gpus.empty()) {
    BodyJson devices = BodyJson::array();
    for (const int gpu : plan.gpus) devices.push_back(absl::StrCat(gpu));
    BodyJson request = {{"Driver", "nvidia"}, {"DeviceIDs", devices}, {"Options", BodyJson::object()}};
    request["Capabilities"] = BodyJson::array({BodyJson::array({"gpu"})});
    config["DeviceRequests"] = BodyJson::array({request});
  }
  return config;
}

}  // namespace

int64_t ContainerPlan::output_limit() const {
  return options.has_output_limit_bytes() ? options.output_limit_bytes() : kDefaultContainerOutput;
}

std::string ContainerPlan::ContainerName(int host) const {
  return hosts() == 1 ? name : absl::StrCat(name, "-", HostOfTrial(host));
}

std::string ContainerPlan::InputFolder(int host) const {
  return host == 0 ? paths.attempt + "/input" : absl::StrCat(paths.attempt, "/hosts/", HostOfTrial(host), "/input");
}

std::string ContainerPlan::OutputFolder(int host) const {
  return hosts() == 1 ? paths.attempt : absl::StrCat(paths.attempt, "/hosts/", HostOfTrial(host));
}

std::string HostOfTrial(int host) { return absl::StrCat("algo-", host + 1); }

absl::StatusOr<v1::ContainerExecutor> ParseContainerOptions(const std::string& bytes) {
  v1::ContainerExecutor options;
  if (!options.ParseFromString(bytes)) {
    return absl::InvalidArgumentError("the options are not a valid ContainerExecutor message");
  }
  return options;
}

core::Problems ValidateContainerOptions(const std::string& bytes, const core::JobSpec& spec) {
  absl::StatusOr<v1::ContainerExecutor> options = ParseContainerOptions(bytes);
  if (!options.ok()) return {{"", std::string(options.status().message())}};
  core::Problems problems;
  const auto add = [&](const char* path, std::string text) { problems.push_back({path, std::move(text)}); };
  if (options->image().empty()) add("image", "is required: the image by tag or digest");
  if (options->image().find_first_of(std::string(" \t\n\0", 4)) != std::string::npos) {
    add("image", "holds a space; give one image by tag or digest");
  }
  if (!options->command().empty()) {
    if (!options->entrypoint().empty() || !options->arguments().empty()) {
      add("command", "stands beside entrypoint or arguments; keep one of the two ways");
    }
    std::set<std::string> names;
    for (const core::Parameter& parameter : spec.space.parameters()) names.insert(parameter.name);
    for (const auto& [name, value] : spec.static_parameters) names.insert(name);
    if (spec.resources && !spec.resources->parameter.empty()) names.insert(spec.resources->parameter);
    for (core::Problem& problem : ValidateCommand({options->command().begin(), options->command().end()}, names)) {
      problems.push_back(std::move(problem));
    }
  }
  if (!v1::ContainerExecutor::PullPolicy_IsValid(options->pull_policy())) {
    add("pull_policy", "is no policy; use IF_NOT_PRESENT, ALWAYS or NEVER");
  }
  if (!v1::ContainerExecutor::MetricsFrom_IsValid(options->metrics_from())) {
    add("metrics_from", "is neither ALL_HOSTS nor FIRST_HOST");
  }
  if (!options->socket().empty() && options->socket()[0] != '/') {
    add("socket", "is no absolute path; give that of the engine's unix socket, such as /var/run/docker.sock");
  }
  if (options->has_cpus() && !(options->cpus() >= 0.01 && options->cpus() <= 1e6)) {
    add("cpus", "must be at least 0.01");
  }
  if (options->has_memory_limit_bytes() && options->memory_limit_bytes() < kLeastContainerMemory) {
    add("memory_limit_bytes", "must be at least 6 MiB (6291456)");
  }
  if (options->has_pids_limit() && options->pids_limit() < 1) add("pids_limit", "must be at least 1");
  if (options->has_gpus() && options->gpus() < 0) add("gpus", "must not be negative");
  if (options->has_output_limit_bytes() && options->output_limit_bytes() < 1) {
    add("output_limit_bytes", "must be at least 1");
  }
  const int hosts = options->has_hosts() ? options->hosts() : 1;
  if (hosts < 1 || hosts > kMostHosts) add("hosts", "must be 1 to 64");
  if (hosts > 1 && options->gpus() > 0) add("gpus", "are given to trials of one host only; leave out gpus or hosts");
  if (hosts > 1 && !options->network().empty() && options->network() != "none") {
    add("network", "must be \"none\" or left out where a trial has several hosts: they get a network of their own");
  }
  for (const auto& [name, file] : options->secrets()) {
    const std::string path = absl::StrCat("secrets.", name);
    if (!IsVariableName(name)) problems.push_back({path, "is no name of a variable; use [A-Za-z_][A-Za-z0-9_]*"});
    if (absl::StartsWith(name, "TUNER_") || absl::StartsWith(name, "SM_")) {
      problems.push_back({path, "begins with TUNER_ or SM_, which are the service's; choose another name"});
    }
    if (file.empty()) problems.push_back({path, "names no file"});
  }
  return problems;
}

std::vector<std::string> AdviseOnContainers(const std::string& bytes, const core::JobSpec&) {
  const absl::StatusOr<v1::ContainerExecutor> options = ParseContainerOptions(bytes);
  if (!options.ok()) return {};
  std::vector<std::string> advice;
  const std::string& image = options->image();
  const size_t slash = image.rfind('/');
  const std::string last = slash == std::string::npos ? image : image.substr(slash + 1);
  const bool untagged = last.find(':') == std::string::npos;
  if (last.find('@') == std::string::npos && (untagged || absl::EndsWith(last, ":latest"))) {
    advice.push_back(
        absl::StrCat("image: ", image, untagged ? " has no tag, which means :latest" : " is :latest",
                     ": trials of one job may then run different images; give a version's tag or a digest"));
  }
  return advice;
}

std::string NameMark(const std::string& folder_id, const std::string& job_uid) {
  return absl::StrFormat("%08x%08x", StableHash(folder_id) & 0xffffffffu, StableHash(job_uid) & 0xffffffffu);
}

std::optional<RunId> RunOfContainerName(const std::string& name, const std::string& folder_id) {
  static const RE2* const pattern =
      new RE2("tuner-(.+)-([0-9]+)-([0-9]+)-([0-9a-f]{8})[0-9a-f]{8}(-algo-[0-9]+)?(-again)?");
  RunId id;
  std::string folder;
  if (!RE2::FullMatch(name, *pattern, &id.job_id, &id.trial, &id.attempt, &folder)) return std::nullopt;
  if (folder != NameMark(folder_id, "").substr(0, folder.size())) return std::nullopt;
  return id;
}

ContainerPlan MakeContainerPlan(const RunSpec& spec, v1::ContainerExecutor options, const ExecutorContext& context,
                                const std::string& folder_id, const std::string& default_socket) {
  ContainerPlan plan;
  plan.spec = spec;
  plan.paths = RunPaths::Of(context.data_dir, spec.id);
  plan.socket = options.socket().empty() ? default_socket : options.socket();
  // The mark keeps apart what other data folders and earlier jobs of this name call alike.
  plan.name = absl::StrCat("tuner-", spec.id.job_id, "-", spec.id.trial, "-", spec.id.attempt, "-",
                           NameMark(folder_id, spec.id.job_uid));
  plan.labels = {{kLabelData, folder_id},
                 {kLabelJob, spec.id.job_id},
                 {kLabelUid, spec.id.job_uid},
                 {kLabelTrial, absl::StrCat(spec.id.trial)},
                 {kLabelAttempt, absl::StrCat(spec.id.attempt)}};
  plan.code = BaseDir(spec);
  plan.checkpoints = CheckpointDir(spec, plan.paths);
  plan.trial_socket = context.trial_socket;
  plan.cpus = TrialCores(spec, options.has_cpus()
                                   ? std::optional<int>(static_cast<int>(std::ceil(std::min(options.cpus(), 1e6))))
                                   : std::nullopt);
  plan.options = std::move(options);
  if (plan.hosts() > 1) plan.network = plan.name;
  return plan;
}

absl::Status CheckContainerPlan(const ContainerPlan& plan) {
  struct stat status;
  for (const core::Channel& channel : plan.spec.inputs) {
    if (!channel.s3_uri.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("input '", channel.name, "' is in S3, where containers cannot read it; copy it and use path"));
    }
    const std::string source = ChannelSource(plan.spec, channel);
    if (stat(source.c_str(), &status) != 0) {
      return absl::InvalidArgumentError(absl::StrCat("input '", channel.name, "': ", source, ": ", strerror(errno)));
    }
  }
  if (stat(plan.code.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat("the job's folder ", plan.code, " is not there"));
  }
  if (const auto secrets = ReadSecrets(plan); !secrets.ok()) return secrets.status();
  return CreateBody(plan, 0, {}).status();
}

absl::Status WriteContainerFolder(const ContainerPlan& plan) {
  for (const std::string& folder : {plan.paths.trial, plan.paths.attempt}) {
    if (absl::Status made = MakeFolder(folder); !made.ok()) return made;
  }
  for (const char* folder : {"/model", "/output", "/output/data"}) {
    if (absl::Status made = MakeOpenFolder(plan.paths.attempt + folder); !made.ok()) return made;
  }
  if (absl::Status made = MakeOpenFolder(plan.checkpoints); !made.ok()) return made;
  for (int host = 0; host < plan.hosts(); ++host) {
    const std::string input = plan.InputFolder(host);
    if (absl::Status made = MakeFolders(input); !made.ok()) return made;
    if (absl::Status made = MakeFolders(plan.OutputFolder(host)); !made.ok()) return made;
    if (absl::Status written = WriteInputConfig(input, ContractOf(plan, host), plan.spec); !written.ok()) {
      return written;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<absl::btree_map<std::string, std::string>> ReadSecrets(const ContainerPlan& plan) {
  absl::btree_map<std::string, std::string> secrets;
  for (const auto& [name, file] : plan.options.secrets()) {
    const std::string path = Below(BaseDir(plan.spec), file);
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status;
    const bool readable = fd && fstat(fd.get(), &status) == 0 && S_ISREG(status.st_mode);
    std::string value(kMostSecretBytes + 1, '\0');
    const ssize_t size = readable ? read(fd.get(), value.data(), value.size()) : -1;
    if (size < 0 || size > static_cast<ssize_t>(kMostSecretBytes)) {
      return absl::InvalidArgumentError(
          absl::StrCat("secrets.", name, ": cannot read ", path, "; give a readable file of up to 64 KiB"));
    }
    value.resize(static_cast<size_t>(size));
    if (absl::EndsWith(value, "\n")) value.pop_back();
    if (absl::EndsWith(value, "\r")) value.pop_back();
    if (value.find('\0') != std::string::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat("secrets.", name, ": ", path, " holds a NUL, which no variable can"));
    }
    secrets[name] = std::move(value);
  }
  return secrets;
}

absl::StatusOr<std::string> CreateBody(const ContainerPlan& plan, int host,
                                       const absl::btree_map<std::string, std::string>& secrets) {
  const v1::ContainerExecutor& options = plan.options;
  BodyJson body = {{"Image", options.image()},
                   {"Env", Variables(plan, host, secrets)},
                   {"Labels", BodyJson::object()},
                   {"HostConfig", HostConfig(plan, host)}};
  for (const auto& [name, value] : plan.labels) body["Labels"][name] = value;
  if (!options.command().empty()) {
    absl::StatusOr<std::vector<std::string>> command = ExpandCommand(
        {options.command().begin(), options.command().end()}, plan.spec.parameters, plan.spec.static_parameters);
    if (!command.ok()) return command.status();
    body["Entrypoint"] = BodyJson::array({command->front()});
    body["Cmd"] = std::vector<std::string>(command->begin() + 1, command->end());
    body["WorkingDir"] = absl::StrCat(kTrialRoot, "/code");
  } else {
    if (!options.entrypoint().empty()) {
      body["Entrypoint"] = std::vector<std::string>(options.entrypoint().begin(), options.entrypoint().end());
    }
    std::vector<std::string> arguments(options.arguments().begin(), options.arguments().end());
    if (arguments.empty() && options.entrypoint().empty()) arguments = {"train"};
    body["Cmd"] = std::move(arguments);
  }
  if (!options.user().empty()) body["User"] = options.user();
  if (!plan.network.empty()) {
    body["Hostname"] = HostOfTrial(host);
    body["NetworkingConfig"]["EndpointsConfig"][plan.network]["Aliases"] = BodyJson::array({HostOfTrial(host)});
  }
  return body.dump(-1, ' ', true, BodyJson::error_handler_t::replace);
}

std::string ProgramOf(const ContainerPlan& plan) {
  const v1::ContainerExecutor& options = plan.options;
  if (!options.command().empty()) return options.command(0);
  if (!options.entrypoint().empty()) return options.entrypoint(0);
  return options.arguments().empty() ? "train" : options.arguments(0);
}

}  // namespace tuner::executors
