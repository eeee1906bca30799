// Specifications: wire to core, and what was resolved back into the wire form.
#include <map>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/resource_names.h"
#include "core/validate.h"
#include "proto/convert.h"
#include "proto/convert_parameters.h"
#include "proto/convert_rules.h"
#include "proto/enums.h"
#include "proto/limits.h"
#include "proto/unimplemented.h"

namespace tuner::convert {
namespace {

class SpecReader {
 public:
  explicit SpecReader(const v1::TuningJobSpec& wire) : wire_(wire) {}

  ParsedSpec Read(const std::string& base_dir) {
    out_.unimplemented = UnimplementedFields(wire_);
    out_.spec.name = wire_.name();
    out_.spec.base_dir = base_dir;
    ReadObjectives();
    ReadSpace();
    ReadStaticParameters();
    ReadConstraints();
    ReadStrategy();
    ReadLimits(wire_.limits(), out_.spec.limits, out_.problems);
    out_.spec.completion.convergence = wire_.completion_criteria().convergence();
    if (wire_.completion_criteria().has_max_trials_not_improving()) {
      out_.spec.completion.max_trials_not_improving = wire_.completion_criteria().max_trials_not_improving();
    }
    ReadRules();
    ReadNotifications();
    ReadWarmStart();
    ReadTrial();
    out_.has_definitions = !wire_.definitions().empty();
    if (out_.has_definitions) CheckDefinitionsAlone();
    out_.spec.tags.insert(wire_.tags().begin(), wire_.tags().end());
    return std::move(out_);
  }

 private:
  void Add(std::string path, std::string text) { out_.problems.push_back({std::move(path), std::move(text)}); }

  void ReadObjectives() {
    out_.spec.objective = ReadObjective(wire_.objective(), "objective", wire_.definitions().empty());
    for (int i = 0; i < wire_.additional_objectives_size(); ++i) {
      const std::string path = absl::StrCat("additional_objectives[", i, "]");
      out_.spec.additional_objectives.push_back(ReadObjective(wire_.additional_objectives(i), path, true));
    }
    for (const v1::OutcomeConstraint& wire : wire_.outcome_constraints()) {
      core::OutcomeConstraint& constraint = out_.spec.outcome_constraints.emplace_back();
      constraint.metric = wire.metric();
      if (wire.has_min()) constraint.min = wire.min();
      if (wire.has_max()) constraint.max = wire.max();
    }
  }

  core::Objective ReadObjective(const v1::Objective& wire, const std::string& path, bool required) {
    core::Objective objective;
    objective.metric = wire.metric();
    if (wire.has_target()) objective.target = wire.target();
    if (wire.goal() == v1::Objective::MAXIMIZE) {
      objective.goal = core::Goal::kMaximize;
    } else if (wire.goal() != v1::Objective::MINIMIZE && required) {
      Add(path + ".goal", "is missing; give MINIMIZE or MAXIMIZE");
    }
    return objective;
  }

  void ReadSpace() {
    if (wire_.parameters().empty() && !wire_.definitions().empty()) return;
    const size_t before = out_.problems.size();
    std::vector<core::Parameter> parameters = ReadParameters(wire_.parameters(), out_.problems);
    for (core::Problem& problem : core::ValidateParameters(parameters)) out_.problems.push_back(std::move(problem));
    if (out_.problems.size() == before) {
      out_.spec.space = core::SearchSpace::Make(std::move(parameters));
      return;
    }
    // core::ValidateSpec cannot see this clash without a space.
    for (const core::Parameter& parameter : parameters) {
      if (wire_.static_parameters().contains(parameter.name)) {
        Add(absl::StrCat("static_parameters.", parameter.name),
            "is also among the parameters to tune; leave it out of one of them");
      }
    }
  }

  void ReadStaticParameters() {
    const std::map<std::string, google::protobuf::Value> ordered(wire_.static_parameters().begin(),
                                                                 wire_.static_parameters().end());
    for (const auto& [name, wire] : ordered) {
      absl::StatusOr<core::ParameterValue> value = FromProto(wire);
      if (value.ok()) {
        out_.spec.static_parameters.emplace(name, *std::move(value));
      } else {
        Add(absl::StrCat("static_parameters.", name), std::string(value.status().message()));
      }
    }
  }

  void ReadConstraints() {
    const std::vector<std::string> texts(wire_.constraints().begin(), wire_.constraints().end());
    // Names of what could not be read itself are not to blame.
    const bool has_names = !out_.spec.space.parameters().empty() &&
                           out_.spec.static_parameters.size() == static_cast<size_t>(wire_.static_parameters_size());
    const core::SearchSpace* space = has_names ? &out_.spec.space : nullptr;
    out_.spec.constraints = core::ConstraintSet::Parse(texts, space, out_.spec.static_parameters, out_.problems);
  }

  void ReadStrategy() {
    const v1::Strategy& wire = wire_.strategy();
    core::Options& options = out_.spec.strategy;
    switch (wire.strategy_case()) {
      case v1::Strategy::kBayesian:
        options = {"bayesian", wire.bayesian().SerializeAsString()};
        break;
      case v1::Strategy::kRandom:
        options = {"random", wire.random().SerializeAsString()};
        break;
      case v1::Strategy::kGrid:
        options = {"grid", wire.grid().SerializeAsString()};
        break;
      case v1::Strategy::kHyperband:
        options = {"hyperband", wire.hyperband().SerializeAsString()};
        break;
      case v1::Strategy::kCustom:
        options = {"custom", wire.custom().SerializeAsString()};
        break;
      case v1::Strategy::STRATEGY_NOT_SET:
        options = {"bayesian", ""};
        break;
    }
    out_.has_seed = wire.has_random_seed();
    if (wire.random_seed() < 0) {
      Add("strategy.random_seed",
          absl::StrCat("is ", wire.random_seed(), "; give a number of 0 or more, or leave it out"));
    } else {
      out_.spec.random_seed = static_cast<uint64_t>(wire.random_seed());
    }
  }

  void ReadRules() {
    out_.spec.early_stopping = ReadEarlyStopping(wire_, out_.problems);
    out_.spec.health_rules = ReadHealthRules(wire_, out_.problems);
    out_.spec.resources = ReadResources(wire_, out_.problems);
  }

  void ReadNotifications() {
    for (int i = 0; i < wire_.notifications_size(); ++i) {
      const v1::Notification& wire = wire_.notifications(i);
      core::NotificationRule& rule = out_.spec.notifications.emplace_back();
      if (wire.has_webhook()) {
        rule.target = core::Webhook{wire.webhook().url(), wire.webhook().hmac_key_env()};
      } else if (wire.has_command()) {
        rule.target = core::NotificationCommand{{wire.command().command().begin(), wire.command().command().end()}};
      } else {
        Add(absl::StrCat("notifications[", i, "]"), "has no target; give webhook or command");
      }
      for (const int event : wire.events()) {
        rule.events.push_back(CoreEvent(static_cast<v1::Notification::Event>(event)));
      }
    }
  }

  void ReadWarmStart() {
    if (!wire_.has_warm_start()) return;
    const v1::WarmStart& wire = wire_.warm_start();
    core::WarmStart& warm_start = out_.spec.warm_start.emplace();
    if (wire.type() == v1::WarmStart::TRANSFER_LEARNING) {
      warm_start.type = core::WarmStart::Type::kTransfer;
    } else if (wire.type() != v1::WarmStart::IDENTICAL_DATA_AND_ALGORITHM) {
      Add("warm_start.type",
          "is missing; give IDENTICAL_DATA_AND_ALGORITHM if this job tunes the same algorithm on the same data as its "
          "parents, else TRANSFER_LEARNING");
    }
    for (int i = 0; i < wire.parents_size(); ++i) {
      absl::StatusOr<std::string> job_id = core::ParseJobName(wire.parents(i));
      if (!job_id.ok()) Add(absl::StrCat("warm_start.parents[", i, "]"), std::string(job_id.status().message()));
      warm_start.parents.push_back(job_id.ok() ? *std::move(job_id) : "");
    }
  }

  void ReadTrial() {
    const v1::TrialTemplate& wire = wire_.trial();
    core::TrialTemplate& trial = out_.spec.trial;
    ReadExecutors(wire);
    for (const v1::MetricDefinition& metric : wire.metrics()) trial.metrics.push_back({metric.name(), metric.regex()});
    if (wire.retries().has_max_retries()) trial.retries.max_retries = wire.retries().max_retries();
    const auto read = [&](bool given, const google::protobuf::Duration& from, const char* path, auto& to) {
      if (!given) return;
      if (const auto duration = ReadDuration(from, path, out_.problems)) to = *duration;
    };
    read(wire.retries().has_backoff(), wire.retries().backoff(), "trial.retries.backoff", trial.retries.backoff);
    read(wire.has_time_limit(), wire.time_limit(), "trial.time_limit", trial.time_limit);
    read(wire.has_grace_period(), wire.grace_period(), "trial.grace_period", trial.grace_period);
    for (int i = 0; i < wire.inputs_size(); ++i) ReadChannel(wire.inputs(i), absl::StrCat("trial.inputs[", i, "]"));
    trial.environment.insert(wire.environment().begin(), wire.environment().end());
    trial.checkpoint_dir = wire.checkpoint_dir();
  }

  // The arms that a template has by itself are those of an entry of its list, but for `custom`.
  template <typename Message>
  core::Options ReadExecutor(const Message& wire) {
    if (wire.has_process()) return {"process", wire.process().SerializeAsString()};
    if (wire.has_container()) return {"container", wire.container().SerializeAsString()};
    if (wire.has_slurm()) return {"slurm", wire.slurm().SerializeAsString()};
    if (wire.has_kubernetes()) return {"kubernetes", wire.kubernetes().SerializeAsString()};
    if (wire.has_sagemaker()) return {"sagemaker", wire.sagemaker().SerializeAsString()};
    if (wire.has_external()) return {"external", wire.external().SerializeAsString()};
    return {};
  }

  void ReadExecutors(const v1::TrialTemplate& wire) {
    const bool has_one = wire.executor_case() != v1::TrialTemplate::EXECUTOR_NOT_SET;
    if (has_one && !wire.executors().empty()) {
      Add("trial.executors", absl::StrCat("is given beside trial.", ReadExecutor(wire).name, "; keep one of the two"));
    }
    if (has_one) {
      AddExecutor({ReadExecutor(wire), std::nullopt}, "trial");
    } else if (wire.executors().empty()) {
      AddExecutor({{"external", ""}, std::nullopt}, "trial");
    }
    for (int i = 0; i < wire.executors_size(); ++i) {
      const v1::Executor& entry = wire.executors(i);
      const std::string path = absl::StrCat("trial.executors[", i, "]");
      core::ExecutorChoice choice{ReadExecutor(entry), std::nullopt};
      if (entry.has_custom()) choice.options = {"custom", entry.custom().SerializeAsString()};
      if (entry.has_slots()) choice.slots = entry.slots();
      if (choice.options.name.empty()) {
        Add(path,
            "names no executor; give one of process, container, slurm, kubernetes, sagemaker, external or custom");
      }
      AddExecutor(std::move(choice), path);
    }
  }

  void AddExecutor(core::ExecutorChoice choice, const std::string& path) {
    if (choice.options.name == "external") {
      v1::ExternalExecutor external;
      external.ParseFromString(choice.options.bytes);  // serialised just above
      choice.lease = external.has_lease() ? FromProto(external.lease()) : absl::Seconds(300);
    }
    out_.executor_paths.push_back(choice.options.name.empty() ? path : absl::StrCat(path, ".", choice.options.name));
    out_.spec.trial.executors.push_back(std::move(choice));
  }

  static core::Channel::InputMode ModeOf(v1::Channel::InputMode mode) {
    switch (mode) {
      case v1::Channel::FILE:
        return core::Channel::InputMode::kFile;
      case v1::Channel::FAST_FILE:
        return core::Channel::InputMode::kFastFile;
      case v1::Channel::PIPE:
        return core::Channel::InputMode::kPipe;
      default:
        return core::Channel::InputMode::kUnspecified;
    }
  }

  void ReadChannel(const v1::Channel& wire, const std::string& path) {
    if (!v1::Channel::InputMode_IsValid(wire.input_mode())) {
      Add(absl::StrCat(path, ".input_mode"),
          absl::StrCat("is ", static_cast<int>(wire.input_mode()), ", which is no mode; use FILE"));
    }
    core::Channel channel;
    channel.name = wire.name();
    channel.path = wire.path();
    channel.s3_uri = wire.s3_uri();
    channel.content_type = wire.content_type();
    channel.input_mode = ModeOf(wire.input_mode());
    channel.sharded = wire.sharded();
    if (wire.has_best_artifact_of()) {
      absl::StatusOr<std::string> job_id = core::ParseJobName(wire.best_artifact_of());
      if (!job_id.ok()) Add(absl::StrCat(path, ".best_artifact_of"), std::string(job_id.status().message()));
      channel.best_artifact_of = job_id.ok() ? *std::move(job_id) : wire.best_artifact_of();
      channel.path = wire.artifact_path();
    }
    out_.spec.trial.inputs.push_back(std::move(channel));
  }

  void CheckDefinitionsAlone() {
    const char* beside = wire_.has_objective()                ? "objective"
                         : !wire_.parameters().empty()        ? "parameters"
                         : !wire_.static_parameters().empty() ? "static_parameters"
                         : wire_.has_trial()                  ? "trial"
                                                              : nullptr;
    if (beside == nullptr) return;
    Add("definitions",
        absl::StrCat("stands beside ", beside,
                     "; with definitions, each has its own objective, parameters, static_parameters and trial"));
  }

  const v1::TuningJobSpec& wire_;
  ParsedSpec out_;
};

}  // namespace

ParsedSpec SpecFromProto(const v1::TuningJobSpec& spec, const std::string& base_dir) {
  return SpecReader(spec).Read(base_dir);
}

core::Problems SpecProblems(const ParsedSpec& parsed) {
  core::Problems problems = parsed.problems;
  if (parsed.has_definitions) return problems;  // the rest of `spec` is empty then, and rightly so
  absl::flat_hash_set<std::string> paths;
  bool has_space = true;
  for (const core::Problem& problem : parsed.problems) {
    paths.insert(problem.path);
    if (absl::StartsWith(problem.path, "parameters")) has_space = false;
  }
  for (core::Problem& problem : core::ValidateSpec(parsed.spec)) {
    if (paths.contains(problem.path)) continue;
    // What an empty space lacks is not the user's fault.
    if (!has_space && absl::StartsWith(problem.path, "parameters")) continue;
    problems.push_back(std::move(problem));
  }
  return problems;
}

v1::TuningJobSpec ResolveSpec(const v1::TuningJobSpec& spec, const core::JobSpec& resolved) {
  v1::TuningJobSpec out = spec;
  WriteScales(resolved.space, *out.mutable_parameters());
  if (out.strategy().strategy_case() == v1::Strategy::STRATEGY_NOT_SET) out.mutable_strategy()->mutable_bayesian();
  if (out.strategy().has_hyperband()) {
    // Written by its own strategy, which resolves what was left to it.
    out.mutable_strategy()->mutable_hyperband()->ParseFromString(resolved.strategy.bytes);
  }
  out.mutable_strategy()->set_random_seed(static_cast<int64_t>(resolved.random_seed));
  WriteLimits(resolved.limits, *out.mutable_limits());
  for (int i = 0; i < out.trial().inputs_size(); ++i) {
    v1::Channel& channel = *out.mutable_trial()->mutable_inputs(i);
    if (channel.has_best_artifact_of()) {
      channel.set_artifact_path(resolved.trial.inputs[static_cast<size_t>(i)].path);
    } else {
      channel.clear_artifact_path();
    }
  }
  return out;
}

}  // namespace tuner::convert
