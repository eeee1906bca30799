#include "executors/sagemaker/request.h"

#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "executors/sagemaker/names.h"
#include "re2/re2.h"

namespace tuner::executors::sagemaker {
namespace {

using nlohmann::json;

constexpr size_t kMaxHyperparameters = 100;
constexpr size_t kMaxValueLength = 2500;
constexpr size_t kMaxEnvironmentEntries = 100;
constexpr size_t kMaxEnvironmentValue = 512;

std::string JsonText(const std::string& text) { return json(text).dump(-1, ' ', true, json::error_handler_t::replace); }

const char* InputModeName(v1::SageMakerExecutor::InputMode mode) {
  return mode == v1::SageMakerExecutor::PIPE ? "Pipe" : mode == v1::SageMakerExecutor::FAST_FILE ? "FastFile" : "File";
}

json Strings(const google::protobuf::RepeatedPtrField<std::string>& texts) {
  json list = json::array();
  for (const std::string& text : texts) list.push_back(text);
  return list;
}

json Algorithm(const RunSpec& spec, const v1::SageMakerExecutor& options) {
  json algorithm = {{"TrainingInputMode", InputModeName(options.input_mode())}};
  if (!options.training_image().empty()) algorithm["TrainingImage"] = options.training_image();
  if (!options.algorithm_name().empty()) algorithm["AlgorithmName"] = options.algorithm_name();
  if (!options.container_entrypoint().empty())
    algorithm["ContainerEntrypoint"] = Strings(options.container_entrypoint());
  if (!options.container_arguments().empty()) algorithm["ContainerArguments"] = Strings(options.container_arguments());
  if (options.builtin_metrics()) return algorithm;
  for (const core::MetricDefinition& metric : spec.metrics) {
    algorithm["MetricDefinitions"].push_back({{"Name", metric.name}, {"Regex", SageMakerRegex(metric.regex)}});
  }
  return algorithm;
}

// Framework images read each value as JSON; others are given the plain text.
json Hyperparameters(const RunSpec& spec, const v1::SageMakerExecutor& options, const TrainingJobPlan& plan) {
  const bool script = !options.entry_point().empty();
  json values = json::object();
  for (const core::ParameterMap* parameters : {&spec.static_parameters, &spec.parameters}) {
    for (const auto& [name, value] : *parameters) {
      const std::string text = core::FormatValue(value);
      values[name] = script && std::holds_alternative<std::string>(value) ? JsonText(text) : text;
    }
  }
  if (!spec.objective_metric.empty()) values["_tuning_objective_metric"] = spec.objective_metric;
  if (!script) return values;
  values["sagemaker_program"] = JsonText(options.entry_point());
  values["sagemaker_submit_directory"] = JsonText(plan.code);
  values["sagemaker_container_log_level"] = "20";
  values["sagemaker_job_name"] = JsonText(plan.name);
  values["sagemaker_region"] = JsonText(plan.region);
  return values;
}

const char* ChannelMode(core::Channel::InputMode mode) {
  using Mode = core::Channel::InputMode;
  return mode == Mode::kPipe ? "Pipe" : mode == Mode::kFastFile ? "FastFile" : "File";
}

json Inputs(const RunSpec& spec, const TrainingJobPlan& plan) {
  json channels = json::array();
  for (const core::Channel& channel : spec.inputs) {
    const auto uploaded = plan.channels.find(channel.name);
    json source = {{"S3DataType", "S3Prefix"},
                   {"S3Uri", uploaded != plan.channels.end() ? uploaded->second : channel.s3_uri},
                   {"S3DataDistributionType", channel.sharded ? "ShardedByS3Key" : "FullyReplicated"}};
    json entry = {{"ChannelName", channel.name}, {"DataSource", {{"S3DataSource", std::move(source)}}}};
    if (!channel.content_type.empty()) entry["ContentType"] = channel.content_type;
    if (channel.input_mode != core::Channel::InputMode::kUnspecified)
      entry["InputMode"] = ChannelMode(channel.input_mode);
    channels.push_back(std::move(entry));
  }
  return channels;
}

json Resources(const v1::SageMakerExecutor& options, const TrainingJobPlan& plan) {
  json resources = {{"VolumeSizeInGB", options.has_volume_size_gb() ? options.volume_size_gb() : 30}};
  if (options.instance_groups().empty()) {
    resources["InstanceType"] = options.instance_types(plan.instance_type);
    resources["InstanceCount"] = options.has_instance_count() ? options.instance_count() : 1;
  }
  for (const auto& group : options.instance_groups()) {
    resources["InstanceGroups"].push_back({{"InstanceGroupName", group.name()},
                                           {"InstanceType", group.instance_type()},
                                           {"InstanceCount", group.has_instance_count() ? group.instance_count() : 1}});
  }
  if (!options.volume_kms_key().empty()) resources["VolumeKmsKeyId"] = options.volume_kms_key();
  if (options.has_keep_alive()) resources["KeepAlivePeriodInSeconds"] = options.keep_alive().seconds();
  return resources;
}

json Output(const v1::SageMakerExecutor& options) {
  json output = {{"S3OutputPath", options.output_s3_uri()}};
  if (!options.output_kms_key().empty()) output["KmsKeyId"] = options.output_kms_key();
  if (options.output_compression() != v1::SageMakerExecutor::OUTPUT_COMPRESSION_UNSPECIFIED) {
    output["CompressionType"] = options.output_compression() == v1::SageMakerExecutor::NONE ? "NONE" : "GZIP";
  }
  return output;
}

// Of the service's own variables only what a trial can use there: no address of this machine, and no token.
json Environment(const RunSpec& spec) {
  json variables = json::object();
  for (const auto& [name, value] : spec.environment) variables[name] = value;
  if (const auto it = spec.service_environment.find("TUNER_RESOURCE"); it != spec.service_environment.end())
    variables[it->first] = it->second;
  return variables;
}

void AddSpotAndCheckpoints(const RunSpec& spec, const v1::SageMakerExecutor& options, json& request) {
  const int64_t run = absl::ToInt64Seconds(absl::Ceil(spec.time_limit.value_or(kDefaultRunTime), absl::Seconds(1)));
  request["StoppingCondition"] = {{"MaxRuntimeInSeconds", run}};
  if (options.spot()) {
    request["EnableManagedSpotTraining"] = true;
    request["StoppingCondition"]["MaxWaitTimeInSeconds"] = std::max(run, options.max_wait().seconds());
  }
  if (!options.checkpoint_s3_uri().empty()) {
    request["CheckpointConfig"] = {{"S3Uri", TrialUri(options.checkpoint_s3_uri(), spec.id)}};
    if (!options.checkpoint_local_path().empty())
      request["CheckpointConfig"]["LocalPath"] = options.checkpoint_local_path();
  }
}

json Tags(const RunSpec& spec, const v1::SageMakerExecutor& options) {
  // In the order of their keys, so that a request that is repeated is the same.
  const absl::btree_map<std::string, std::string> sorted(options.tags().begin(), options.tags().end());
  json tags = json::array();
  for (const auto& [key, value] : sorted) tags.push_back({{"Key", key}, {"Value", value}});
  tags.push_back({{"Key", kRunTag}, {"Value", RunTag(spec.id)}});
  return tags;
}

absl::Status CheckSizes(const json& request) {
  const json& values = request["HyperParameters"];
  if (values.size() > kMaxHyperparameters) {
    return absl::InvalidArgumentError(absl::StrCat("a training job has at most ", kMaxHyperparameters,
                                                   " hyperparameters, those of script mode included; this has ",
                                                   values.size()));
  }
  for (const auto& [name, value] : values.items()) {
    if (value.get_ref<const std::string&>().size() > kMaxValueLength) {
      return absl::InvalidArgumentError(
          absl::StrCat("hyperparameter '", name, "' is longer than SageMaker's ", kMaxValueLength, " characters"));
    }
  }
  if (!request.contains("Environment")) return absl::OkStatus();
  if (request["Environment"].size() > kMaxEnvironmentEntries) {
    return absl::InvalidArgumentError(
        absl::StrCat("a training job has at most ", kMaxEnvironmentEntries, " environment variables"));
  }
  for (const auto& [name, value] : request["Environment"].items()) {
    if (value.get_ref<const std::string&>().size() > kMaxEnvironmentValue) {
      return absl::InvalidArgumentError(absl::StrCat("environment variable '", name, "' is longer than SageMaker's ",
                                                     kMaxEnvironmentValue, " characters"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::string SageMakerRegex(const std::string& regex) {
  re2::RE2::Options quiet;
  quiet.set_log_errors(false);
  const re2::RE2 parsed(regex, quiet);
  const auto& names = parsed.NamedCapturingGroups();
  const auto named = names.find("value");
  const int value_group = named != names.end() ? named->second : 1;
  std::string out;
  int group = 0;
  bool in_class = false;
  for (size_t i = 0; i < regex.size(); ++i) {
    const char c = regex[i];
    if (c == '\\' && i + 1 < regex.size()) {
      out.append(regex, i++, 2);
      continue;
    }
    if (in_class) {
      in_class = c != ']';
      out += c;
      continue;
    }
    if (c == '[') {
      in_class = true;
      out += c;
      // A bracket that comes first is one of the class.
      if (i + 1 < regex.size() && regex[i + 1] == '^') out += regex[++i];
      if (i + 1 < regex.size() && regex[i + 1] == ']') out += regex[++i];
      continue;
    }
    const bool is_named = absl::StartsWith(absl::string_view(regex).substr(i), "(?P<");
    if (c != '(' || (!is_named && i + 1 < regex.size() && regex[i + 1] == '?')) {
      out += c;
      continue;
    }
    out += ++group == value_group ? "(" : "(?:";
    if (is_named) i = regex.find('>', i);
  }
  return out;
}

absl::StatusOr<std::string> CreateTrainingJobRequest(const RunSpec& spec, const v1::SageMakerExecutor& options,
                                                     const TrainingJobPlan& plan) {
  if (plan.name.size() > kMaxNameLength) {
    return absl::InvalidArgumentError(absl::StrCat("the training job's name would be ", plan.name,
                                                   ", longer than SageMaker's ", kMaxNameLength, " characters"));
  }
  json request = {{"TrainingJobName", plan.name},        {"AlgorithmSpecification", Algorithm(spec, options)},
                  {"RoleArn", options.role_arn()},       {"HyperParameters", Hyperparameters(spec, options, plan)},
                  {"OutputDataConfig", Output(options)}, {"ResourceConfig", Resources(options, plan)},
                  {"Tags", Tags(spec, options)}};
  AddSpotAndCheckpoints(spec, options, request);
  if (!spec.inputs.empty()) request["InputDataConfig"] = Inputs(spec, plan);
  if (!options.subnets().empty()) {
    request["VpcConfig"] = {{"Subnets", Strings(options.subnets())},
                            {"SecurityGroupIds", Strings(options.security_groups())}};
  }
  if (options.network_isolation()) request["EnableNetworkIsolation"] = true;
  if (options.encrypt_inter_container_traffic()) request["EnableInterContainerTrafficEncryption"] = true;
  if (options.has_max_retry_attempts())
    request["RetryStrategy"] = {{"MaximumRetryAttempts", options.max_retry_attempts()}};
  if (json variables = Environment(spec); !variables.empty()) request["Environment"] = std::move(variables);
  if (options.debugger()) {
    request["DebugHookConfig"] = {{"S3OutputPath", options.output_s3_uri()},
                                  {"CollectionConfigurations", json::array()}};
    request["ProfilerConfig"] = {{"S3OutputPath", options.output_s3_uri()}, {"DisableProfiler", false}};
  }
  if (absl::Status checked = CheckSizes(request); !checked.ok()) return checked;
  return request.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace tuner::executors::sagemaker
