// Specifications: wire to core, and what was resolved back into the wire form.
#include <algorithm>
#include <map>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/definitions.h"
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

  // A job with definitions: what they have in common.
  ParsedSpec Read(const std::string& base_dir) {
    out_.unimplemented = UnimplementedFields(wire_);
    out_.spec.name = wire_.name();
    out_.spec.base_dir = base_dir;
    ReadStrategy();
    if (wire_.definitions().empty()) {
      ReadDefinition();
    } else {
      CheckDefinitionsAlone();
    }
    for (int i = 0; i < wire_.additional_objectives_size(); ++i) {
      const std::string path = absl::StrCat("additional_objectives[", i, "]");
      out_.spec.additional_objectives.push_back(ReadObjective(wire_.additional_objectives(i), path));
    }
    for (const v1::OutcomeConstraint& wire : wire_.outcome_constraints()) {
      core::OutcomeConstraint& constraint = out_.spec.outcome_constraints.emplace_back();
      constraint.metric = wire.metric();
      if (wire.has_min()) constraint.min = wire.min();
      if (wire.has_max()) constraint.max = wire.max();
    }
    ReadLimits(wire_.limits(), out_.spec.limits, out_.problems);
    out_.spec.completion.convergence = wire_.completion_criteria().convergence();
    if (wire_.completion_criteria().has_max_trials_not_improving()) {
      out_.spec.completion.max_trials_not_improving = wire_.completion_criteria().max_trials_not_improving();
    }
    ReadRules();
    ReadNotifications();
    ReadArtifacts();
    ReadWarmStart();
    out_.spec.tags.insert(wire_.tags().begin(), wire_.tags().end());
    return std::move(out_);
  }

 private:
  std::vector<std::string>& executor_paths() {
    if (out_.executor_paths.empty()) out_.executor_paths.emplace_back();
    return out_.executor_paths.front();
  }
  void Add(std::string path, std::string text) { out_.problems.push_back({std::move(path), std::move(text)}); }

  void ReadDefinition() {
    out_.spec.objective = ReadObjective(wire_.objective(), "objective");
    ReadSpace();
    ReadStaticParameters();
    ReadConstraints();
    ReadTrial();
  }

  core::Objective ReadObjective(const v1::Objective& wire, const std::string& path) {
    core::Objective objective;
    objective.metric = wire.metric();
    if (wire.has_target()) objective.target = wire.target();
    if (wire.goal() == v1::Objective::MAXIMIZE) {
      objective.goal = core::Goal::kMaximize;
    } else if (wire.goal() != v1::Objective::MINIMIZE) {
      Add(path + ".goal", "is missing; give MINIMIZE or MAXIMIZE");
    }
    return objective;
  }

  void ReadSpace() {
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

  void ReadArtifacts() {
    if (!wire_.has_artifacts()) return;
    const v1::ArtifactRetention& wire = wire_.artifacts();
    core::ArtifactRetention& rule = out_.spec.artifacts;
    using Policy = core::ArtifactRetention::Policy;
    rule.policy = wire.policy() == v1::ArtifactRetention::KEEP_BEST         ? Policy::kKeepBest
                  : wire.policy() == v1::ArtifactRetention::KEEP_SUCCESSFUL ? Policy::kKeepSuccessful
                                                                            : Policy::kKeepAll;
    rule.remove_logs = wire.remove_logs();
    if (wire.has_best_count()) {
      rule.best_count = wire.best_count();
      if (rule.policy != Policy::kKeepBest) {
        Add("artifacts.best_count", "is for policy KEEP_BEST; leave it out, or set artifacts.policy to that");
      } else if (wire_.additional_objectives_size() > 0) {
        Add("artifacts.best_count", "is for one objective; leave it out, and the Pareto front is kept");
      } else if (wire.best_count() < 1 || wire.best_count() > 1'000) {
        Add("artifacts.best_count", absl::StrCat(wire.best_count(), " must be between 1 and 1000"));
      }
    }
    if (!wire.has_after()) return;
    if (const auto after = ReadDuration(wire.after(), "artifacts.after", out_.problems)) {
      rule.after = *after;
      if (*after < absl::ZeroDuration() || *after > absl::Hours(24 * 3'650)) {
        Add("artifacts.after", "must be between 0 s and 3650 days");
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

  // One that was linked in goes by its own name.
  core::Options ReadCustom(const v1::CustomOptions& wire, const std::string& path) {
    if (wire.name().empty()) {
      Add(absl::StrCat(path, ".name"), "is missing; give the name under which the executor was linked in");
    } else if (v1::Executor::descriptor()->FindFieldByName(wire.name()) != nullptr) {
      Add(absl::StrCat(path, ".name"),
          absl::StrCat("\"", wire.name(), "\" is one of tuner's own; write ", wire.name(), " in place of custom"));
    }
    return {wire.name().empty() ? "custom" : wire.name(), wire.options().SerializeAsString()};
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
      if (entry.has_custom()) choice.options = ReadCustom(entry.custom(), absl::StrCat(path, ".custom"));
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
    executor_paths().push_back(choice.options.name.empty() ? path : absl::StrCat(path, ".", choice.options.name));
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
                         : !wire_.constraints().empty()       ? "constraints"
                         : !wire_.static_parameters().empty() ? "static_parameters"
                         : wire_.has_trial()                  ? "trial"
                                                              : nullptr;
    if (beside == nullptr) return;
    Add("definitions",
        absl::StrCat("stands beside ", beside,
                     "; with definitions, each has its own objective, parameters, constraints, static_parameters and "
                     "trial"));
  }

  const v1::TuningJobSpec& wire_;
  ParsedSpec out_;
};

// The limits within which the strategy of one of `count` definitions plans: its share of the trials. A grid is counted
// by itself, but for a partial one.
core::Limits LimitsOfDefinition(const v1::TuningJobSpec& job, core::Limits limits, int count) {
  const bool grid = job.strategy().has_grid();
  if (grid && !job.strategy().grid().allow_partial()) limits.max_trials.reset();
  if (!grid && limits.max_trials) limits.max_trials = (*limits.max_trials + count - 1) / count;
  return limits;
}

void AddDefinition(const v1::TuningJobSpec& job, int index, const std::string& base_dir, ParsedSpec& parsed) {
  const v1::TuningJobSpec own = DefinitionAsJob(job, index);
  ParsedSpec definition = SpecReader(own).Read(base_dir);
  definition.spec.definition = job.definitions(index).name();
  definition.spec.warm_start.reset();
  definition.spec.additional_objectives.clear();
  definition.spec.limits = LimitsOfDefinition(job, definition.spec.limits, job.definitions_size());
  parsed.spec.definitions.push_back(std::move(definition.spec));
  parsed.executor_paths.push_back(std::move(definition.executor_paths.front()));
  const auto add = [](auto& all, auto one) {
    if (std::find(all.begin(), all.end(), one) == all.end()) all.push_back(std::move(one));
  };
  for (core::Problem& problem : definition.problems) {
    problem.path = core::PathInJob(parsed.spec, index, problem.path);
    const auto same = [&](const core::Problem& p) { return p.path == problem.path && p.text == problem.text; };
    if (std::none_of(parsed.problems.begin(), parsed.problems.end(), same)) {
      parsed.problems.push_back(std::move(problem));
    }
  }
  for (const std::string& field : definition.unimplemented) {
    add(parsed.unimplemented, core::PathInJob(parsed.spec, index, field));
  }
}

void WriteArtifacts(const core::TrialTemplate& resolved, v1::TrialTemplate& out) {
  for (int i = 0; i < out.inputs_size(); ++i) {
    v1::Channel& channel = *out.mutable_inputs(i);
    if (channel.has_best_artifact_of()) {
      channel.set_artifact_path(resolved.inputs[static_cast<size_t>(i)].path);
    } else {
      channel.clear_artifact_path();
    }
  }
}

}  // namespace

v1::TuningJobSpec DefinitionAsJob(const v1::TuningJobSpec& job, int index) {
  v1::TuningJobSpec own = job;
  if (job.definitions().empty()) return own;
  own.clear_definitions();
  const v1::TrainingDefinition& definition = job.definitions(index);
  *own.mutable_objective() = definition.objective();
  *own.mutable_parameters() = definition.parameters();
  *own.mutable_constraints() = definition.constraints();
  *own.mutable_static_parameters() = definition.static_parameters();
  *own.mutable_trial() = definition.trial();
  return own;
}

ParsedSpec SpecFromProto(const v1::TuningJobSpec& spec, const std::string& base_dir) {
  ParsedSpec parsed = SpecReader(spec).Read(base_dir);
  for (int i = 0; i < spec.definitions_size(); ++i) AddDefinition(spec, i, base_dir, parsed);
  core::SetSeed(parsed.spec, parsed.spec.random_seed);
  return parsed;
}

core::Problems SpecProblems(const ParsedSpec& parsed) {
  core::Problems problems = parsed.problems;
  absl::flat_hash_set<std::string> paths;
  std::vector<std::string> without_space;
  for (const core::Problem& problem : parsed.problems) paths.insert(problem.path);
  for (int i = 0; i < core::DefinitionCount(parsed.spec); ++i) {
    const std::string parameters = core::PathInJob(parsed.spec, i, "parameters");
    const auto concerns = [&](const core::Problem& problem) { return absl::StartsWith(problem.path, parameters); };
    if (std::any_of(problems.begin(), problems.end(), concerns)) without_space.push_back(parameters);
  }
  for (core::Problem& problem : core::ValidateSpec(parsed.spec)) {
    if (paths.contains(problem.path)) continue;
    // What an empty space lacks is not the user's fault.
    const auto concerned = [&](const std::string& parameters) { return absl::StartsWith(problem.path, parameters); };
    if (std::any_of(without_space.begin(), without_space.end(), concerned)) continue;
    problems.push_back(std::move(problem));
  }
  return problems;
}

v1::TuningJobSpec ResolveSpec(const v1::TuningJobSpec& spec, const core::JobSpec& resolved) {
  v1::TuningJobSpec out = spec;
  WriteScales(resolved.space, *out.mutable_parameters());
  if (out.has_trial()) WriteArtifacts(resolved.trial, *out.mutable_trial());
  for (int i = 0; i < out.definitions_size(); ++i) {
    const core::JobSpec& definition = core::DefinitionAt(resolved, i);
    v1::TrainingDefinition& wire = *out.mutable_definitions(i);
    WriteScales(definition.space, *wire.mutable_parameters());
    if (wire.has_trial()) WriteArtifacts(definition.trial, *wire.mutable_trial());
  }
  if (out.strategy().strategy_case() == v1::Strategy::STRATEGY_NOT_SET) out.mutable_strategy()->mutable_bayesian();
  if (out.strategy().has_hyperband()) {
    // Written by its own strategy, which resolves what was left to it.
    out.mutable_strategy()->mutable_hyperband()->ParseFromString(resolved.strategy.bytes);
  }
  out.mutable_strategy()->set_random_seed(static_cast<int64_t>(resolved.random_seed));
  WriteLimits(resolved.limits, *out.mutable_limits());
  return out;
}

}  // namespace tuner::convert
