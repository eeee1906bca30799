#include "executors/training_contract.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "executors/command_template.h"
#include "executors/run_folder.h"

namespace tuner::executors {
namespace {

std::string JsonValue(const core::ParameterValue& value) {
  const std::string text = core::FormatValue(value);
  return std::holds_alternative<std::string>(value) ? JsonString(text) : text;
}

// {"a":1,"b":2} from name and JSON text.
std::string JsonObject(const absl::btree_map<std::string, std::string>& fields) {
  return absl::StrCat("{",
                      absl::StrJoin(fields, ",",
                                    [](std::string* out, const auto& field) {
                                      absl::StrAppend(out, JsonString(field.first), ":", field.second);
                                    }),
                      "}");
}

std::string JsonStrings(const std::vector<std::string>& texts) {
  return absl::StrCat(
      "[",
      absl::StrJoin(texts, ",",
                    [](std::string* out, const std::string& text) { absl::StrAppend(out, JsonString(text)); }),
      "]");
}

std::vector<std::string> ChannelNames(const RunSpec& spec) {
  std::vector<std::string> names;
  for (const core::Channel& channel : spec.inputs) names.push_back(channel.name);
  return names;
}

core::ParameterMap AllParameters(const RunSpec& spec) {
  core::ParameterMap all = spec.parameters;
  all.insert(spec.static_parameters.begin(), spec.static_parameters.end());
  return all;
}

std::string HyperparametersFile(const RunSpec& spec) {
  absl::btree_map<std::string, std::string> fields;
  for (const auto& [name, value] : AllParameters(spec)) fields[name] = JsonString(core::FormatValue(value));
  if (!spec.objective_metric.empty()) fields["_tuning_objective_metric"] = JsonString(spec.objective_metric);
  return JsonObject(fields);
}

std::string Hyperparameters(const RunSpec& spec) {
  absl::btree_map<std::string, std::string> fields;
  for (const auto& [name, value] : AllParameters(spec)) fields[name] = JsonValue(value);
  return JsonObject(fields);
}

std::string ResourceConfig(const Contract& contract) {
  return JsonObject(
      {{"current_host", JsonString(contract.current_host)},
       {"hosts", JsonStrings(contract.hosts)},
       {"network_interface_name", JsonString(contract.network_interface)},
       {"current_instance_type", JsonString("local")},
       {"current_group_name", JsonString("homogeneousCluster")},
       {"instance_groups", absl::StrCat("[",
                                        JsonObject({{"hosts", JsonStrings(contract.hosts)},
                                                    {"instance_group_name", JsonString("homogeneousCluster")},
                                                    {"instance_type", JsonString("local")}}),
                                        "]")}});
}

const char* ModeName(core::Channel::InputMode mode) {
  switch (mode) {
    case core::Channel::InputMode::kFastFile:
      return "FastFile";
    case core::Channel::InputMode::kPipe:
      return "Pipe";
    case core::Channel::InputMode::kUnspecified:
    case core::Channel::InputMode::kFile:
      break;
  }
  return "File";
}

std::string InputDataConfig(const RunSpec& spec) {
  absl::btree_map<std::string, std::string> channels;
  for (const core::Channel& channel : spec.inputs) {
    absl::btree_map<std::string, std::string> fields = {
        {"TrainingInputMode", JsonString(ModeName(channel.input_mode))},
        {"S3DistributionType", JsonString(channel.sharded ? "ShardedByS3Key" : "FullyReplicated")},
        {"RecordWrapperType", JsonString("None")}};
    if (!channel.content_type.empty()) fields["ContentType"] = JsonString(channel.content_type);
    channels[channel.name] = JsonObject(fields);
  }
  return JsonObject(channels);
}

// UPPER_CASE with everything but letters and digits as '_'.
std::string VariableName(std::string_view prefix, std::string_view name) {
  std::string variable(prefix);
  for (const char c : name)
    variable += absl::ascii_isalnum(static_cast<unsigned char>(c)) ? absl::ascii_toupper(c) : '_';
  return variable;
}

absl::Status Link(const std::string& target, const std::string& path) {
  // A launch that was cut off may have left it; it is made anew, as its target may have changed.
  if (symlink(target.c_str(), path.c_str()) == 0) return absl::OkStatus();
  if (errno == EEXIST && unlink(path.c_str()) == 0 && symlink(target.c_str(), path.c_str()) == 0)
    return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("cannot link ", path, ": ", strerror(errno)));
}

// A folder is the channel; a single file lies in the channel's folder, as on the service.
absl::Status LinkChannel(const Contract& contract, const RunSpec& spec, const core::Channel& channel) {
  const std::string source = ChannelSource(spec, channel);
  struct stat status;
  if (stat(source.c_str(), &status) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("input '", channel.name, "': ", source, ": ", strerror(errno)));
  }
  const std::string path = absl::StrCat(contract.root, "/input/data/", channel.name);
  if (S_ISDIR(status.st_mode)) return Link(source, path);
  if (absl::Status made = MakeFolder(path); !made.ok()) return made;
  return Link(source, absl::StrCat(path, source.substr(source.rfind('/'))));
}

}  // namespace

std::string JsonString(std::string_view text) {
  std::string json = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      json += '\\';
      json += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppendFormat(&json, "\\u%04x", static_cast<int>(c));
    } else {
      json += c;
    }
  }
  return json + '"';
}

std::string ChannelSource(const RunSpec& spec, const core::Channel& channel) {
  const bool whole = channel.path.empty() || channel.path[0] == '/' || spec.base_dir.empty();
  return whole ? channel.path : absl::StrCat(spec.base_dir, "/", channel.path);
}

absl::Status WriteInputConfig(const std::string& input_folder, const Contract& contract, const RunSpec& spec) {
  for (const char* folder : {"", "/config", "/data"}) {
    if (absl::Status made = MakeFolder(input_folder + folder); !made.ok()) return made;
  }
  const std::string config = input_folder + "/config/";
  if (absl::Status s = WriteFile(config + "hyperparameters.json", HyperparametersFile(spec)); !s.ok()) return s;
  if (absl::Status s = WriteFile(config + "resourceconfig.json", ResourceConfig(contract)); !s.ok()) return s;
  return WriteFile(config + "inputdataconfig.json", InputDataConfig(spec));
}

absl::Status WriteContract(const Contract& contract, const RunSpec& spec) {
  if (absl::Status s = WriteInputConfig(contract.root + "/input", contract, spec); !s.ok()) return s;
  for (const char* folder : {"/model", "/output", "/output/data"}) {
    if (absl::Status made = MakeFolder(contract.root + folder); !made.ok()) return made;
  }
  for (const core::Channel& channel : spec.inputs) {
    if (absl::Status s = LinkChannel(contract, spec, channel); !s.ok()) return s;
  }
  if (absl::Status s = Link(contract.code, contract.root + "/code"); !s.ok()) return s;
  return Link(contract.checkpoints, contract.root + "/checkpoints");
}

absl::btree_map<std::string, std::string> ContractEnvironment(const Contract& contract, const RunSpec& spec) {
  const std::string& root = contract.root;
  absl::btree_map<std::string, std::string> variables = {
      {"SM_CHANNELS", JsonStrings(ChannelNames(spec))},
      {"SM_CHECKPOINT_DIR", root + "/checkpoints"},
      {"SM_CURRENT_HOST", contract.current_host},
      {"SM_HOSTS", JsonStrings(contract.hosts)},
      {"SM_HPS", Hyperparameters(spec)},
      {"SM_INPUT_CONFIG_DIR", root + "/input/config"},
      {"SM_INPUT_DATA_CONFIG", InputDataConfig(spec)},
      {"SM_INPUT_DIR", root + "/input"},
      {"SM_JOB_NAME", contract.job_name},
      {"SM_LOG_LEVEL", "20"},
      {"SM_MODEL_DIR", root + "/model"},
      {"SM_MODULE_DIR", contract.code},
      {"SM_NETWORK_INTERFACE_NAME", contract.network_interface},
      {"SM_NUM_CPUS", absl::StrCat(contract.cpus)},
      {"SM_NUM_GPUS", absl::StrCat(contract.gpus.size())},
      {"SM_OUTPUT_DATA_DIR", root + "/output/data"},
      {"SM_OUTPUT_DIR", root + "/output"},
      {"SM_OUTPUT_INTERMEDIATE_DIR", root + "/output/intermediate"},
      {"SM_RESOURCE_CONFIG", ResourceConfig(contract)},
      {"SM_USER_ARGS", JsonStrings(ParameterArguments(spec.parameters, spec.static_parameters))},
      {"TRAINING_JOB_NAME", contract.job_name},
  };
  absl::btree_map<std::string, std::string> channel_dirs;
  for (const core::Channel& channel : spec.inputs) {
    const std::string folder = absl::StrCat(root, "/input/data/", channel.name);
    variables[VariableName("SM_CHANNEL_", channel.name)] = folder;
    channel_dirs[channel.name] = JsonString(folder);
  }
  for (const auto& [name, value] : AllParameters(spec))
    variables[VariableName("SM_HP_", name)] = core::FormatValue(value);
  variables["SM_TRAINING_ENV"] =
      JsonObject({{"channel_input_dirs", JsonObject(channel_dirs)},
                  {"current_host", JsonString(contract.current_host)},
                  {"hosts", JsonStrings(contract.hosts)},
                  {"hyperparameters", Hyperparameters(spec)},
                  {"input_config_dir", JsonString(root + "/input/config")},
                  {"input_data_config", InputDataConfig(spec)},
                  {"input_dir", JsonString(root + "/input")},
                  {"is_master", contract.current_host == contract.hosts.front() ? "true" : "false"},
                  {"job_name", JsonString(contract.job_name)},
                  {"log_level", "20"},
                  {"master_hostname", JsonString(contract.hosts.front())},
                  {"model_dir", JsonString(root + "/model")},
                  {"module_dir", JsonString(contract.code)},
                  {"network_interface_name", JsonString(contract.network_interface)},
                  {"num_cpus", absl::StrCat(contract.cpus)},
                  {"num_gpus", absl::StrCat(contract.gpus.size())},
                  {"output_data_dir", JsonString(root + "/output/data")},
                  {"output_dir", JsonString(root + "/output")},
                  {"resource_config", ResourceConfig(contract)}});
  return variables;
}

}  // namespace tuner::executors
