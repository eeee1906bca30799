// Specifications between wire and core. Malformed ones: malformed_specs_test.cc.
#include <limits>
#include <set>
#include <string>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/definitions.h"
#include "gmock/gmock.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/text_format.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "proto/convert.h"
#include "proto/job_file.h"
#include "tests/proto/random_values.h"

namespace tuner {
namespace {

using convert::ParsedSpec;
using google::protobuf::util::MessageDifferencer;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

v1::TuningJobSpec Wire(const std::string& yaml) {
  const absl::StatusOr<v1::TuningJobSpec> wire = job_file::ParseJobFile(yaml);
  EXPECT_TRUE(wire.ok()) << wire.status() << "\n" << yaml;
  return wire.value_or(v1::TuningJobSpec());
}

ParsedSpec Parse(const std::string& yaml) { return convert::SpecFromProto(Wire(yaml), "/base"); }

// Of what the conversion itself finds.
std::vector<std::string> Paths(const ParsedSpec& parsed) {
  std::vector<std::string> paths;
  for (const core::Problem& problem : parsed.problems) paths.push_back(problem.path);
  return paths;
}

constexpr char kSpec[] = R"(
name: job-1
objective: {metric: loss, goal: MAXIMIZE, target: 0.5}
parameters:
- {name: eta, double: {min: 0.0001, max: 1, grid_points: 3}, default: 0.5}
- {name: depth, integer: {min: 1, max: 8, scale: LOG}, default: 4}
- name: booster
  categorical: {values: [gbtree, dart]}
  default: dart
  children:
  - values: [dart]
    parameters:
    - {name: drop, discrete: {values: [0.5, 0.25]}}
    - name: level
      integer: {min: 1, max: 5000}
      children:
      - {values: [1, 3], parameters: [{name: flag, boolean: {}}]}
- {name: momentum, double: {min: 0, max: 0.99, scale: REVERSE_LOG, step: 0.01}}
static_parameters: {rounds: 60, mode: fast, verbose: false}
strategy: {random: {}, random_seed: 7}
limits: {max_trials: 50, max_parallel_trials: 4, max_run_time: 1h, max_failed_trials: 2}
completion_criteria: {max_trials_not_improving: 9}
trial:
  executors:
  - {process: {command: [./train], cpus: 2}, slots: 2}
  - {external: {lease: 30s}}
  metrics: [{name: loss, regex: loss=(.*)
}]
  retries: {max_retries: 3, backoff: 2s}
  time_limit: 10m
  grace_period: 5s
  inputs: [{name: train, path: data, content_type: text/csv}]
  environment: {A: b}
  checkpoint_dir: ckpt
tags: {team: x}
)";

TEST(ConvertSpecTest, ReadsEveryField) {
  const ParsedSpec parsed = Parse(kSpec);
  EXPECT_THAT(parsed.problems, IsEmpty());
  EXPECT_THAT(parsed.unimplemented, IsEmpty());
  EXPECT_TRUE(parsed.has_seed);
  EXPECT_THAT(parsed.spec.definitions, IsEmpty());
  EXPECT_THAT(convert::SpecProblems(parsed), IsEmpty());
  const core::JobSpec& spec = parsed.spec;
  EXPECT_EQ(spec.name, "job-1");
  EXPECT_EQ(spec.base_dir, "/base");
  EXPECT_EQ(spec.objective.metric, "loss");
  EXPECT_EQ(spec.objective.goal, core::Goal::kMaximize);
  EXPECT_EQ(spec.objective.target, 0.5);
  EXPECT_EQ(spec.static_parameters.at("rounds"), core::ParameterValue(60.0));
  EXPECT_EQ(spec.static_parameters.at("mode"), core::ParameterValue(std::string("fast")));
  EXPECT_EQ(spec.static_parameters.at("verbose"), core::ParameterValue(false));
  EXPECT_EQ(spec.strategy.name, "random");
  EXPECT_EQ(spec.random_seed, 7u);
  EXPECT_EQ(spec.limits.max_trials, 50);
  EXPECT_EQ(spec.limits.max_parallel_trials, 4);
  EXPECT_EQ(spec.limits.max_run_time, absl::Hours(1));
  EXPECT_EQ(spec.limits.max_failed_trials, 2);
  EXPECT_EQ(spec.completion.max_trials_not_improving, 9);
  const core::TrialTemplate& trial = spec.trial;
  ASSERT_EQ(trial.executors.size(), 2u);
  EXPECT_EQ(trial.executors[0].options.name, "process");
  EXPECT_EQ(trial.executors[0].slots, 2);
  EXPECT_FALSE(trial.executors[0].lease.has_value());
  v1::ProcessExecutor process;
  ASSERT_TRUE(process.ParseFromString(trial.executors[0].options.bytes));
  EXPECT_EQ(process.cpus(), 2);
  EXPECT_EQ(trial.executors[1].options.name, "external");
  EXPECT_EQ(trial.executors[1].lease, absl::Seconds(30));
  EXPECT_FALSE(trial.executors[1].slots.has_value());
  EXPECT_THAT(parsed.executor_paths,
              ElementsAre(ElementsAre("trial.executors[0].process", "trial.executors[1].external")));
  ASSERT_EQ(trial.metrics.size(), 1u);
  EXPECT_EQ(trial.metrics[0].regex, "loss=(.*)");
  EXPECT_EQ(trial.retries.max_retries, 3);
  EXPECT_EQ(trial.retries.backoff, absl::Seconds(2));
  EXPECT_EQ(trial.time_limit, absl::Minutes(10));
  EXPECT_EQ(trial.grace_period, absl::Seconds(5));
  ASSERT_EQ(trial.inputs.size(), 1u);
  EXPECT_EQ(trial.inputs[0].path, "data");
  EXPECT_EQ(trial.inputs[0].content_type, "text/csv");
  EXPECT_EQ(trial.environment.at("A"), "b");
  EXPECT_EQ(trial.checkpoint_dir, "ckpt");
  EXPECT_EQ(spec.tags.at("team"), "x");
}

TEST(ConvertSpecTest, ReadsTheSpaceWithParentsFirst) {
  const ParsedSpec parsed = Parse(kSpec);
  const auto& parameters = parsed.spec.space.parameters();
  std::vector<std::string> names;
  for (const core::Parameter& parameter : parameters) names.push_back(parameter.name);
  ASSERT_THAT(names, ElementsAre("eta", "depth", "booster", "drop", "level", "flag", "momentum"));
  EXPECT_EQ(std::get<core::DoubleDomain>(parameters[0].domain).grid_points, 3);
  EXPECT_EQ(parameters[0].default_value, core::ParameterValue(0.5));
  EXPECT_EQ(std::get<core::IntegerDomain>(parameters[1].domain).scale, core::Scale::kLog);
  EXPECT_EQ(parameters[1].default_value, core::ParameterValue(int64_t{4})) << "in its domain's type";
  EXPECT_EQ(parameters[2].parent, -1);
  EXPECT_EQ(parameters[3].parent, 2);
  EXPECT_THAT(parameters[3].parent_values, ElementsAre(core::ParameterValue(std::string("dart"))));
  EXPECT_EQ(parameters[4].parent, 2);
  EXPECT_EQ(parameters[5].parent, 4);
  EXPECT_THAT(parameters[5].parent_values,
              ElementsAre(core::ParameterValue(int64_t{1}), core::ParameterValue(int64_t{3})));
  EXPECT_EQ(parameters[5].path, "parameters[2].children[0].parameters[1].children[0].parameters[0]");
  EXPECT_EQ(std::get<core::DoubleDomain>(parameters[6].domain).step, 0.01);
}

TEST(ConvertSpecTest, DefaultsOfWhatIsLeftOut) {
  const ParsedSpec parsed = Parse(R"(
name: a
objective: {metric: loss, goal: MINIMIZE}
parameters: [{name: x, boolean: {}}]
strategy: {grid: {}}
)");
  EXPECT_THAT(convert::SpecProblems(parsed), IsEmpty());
  EXPECT_THAT(parsed.unimplemented, IsEmpty());
  EXPECT_FALSE(parsed.has_seed);
  EXPECT_EQ(parsed.spec.limits.max_parallel_trials, 1);
  EXPECT_FALSE(parsed.spec.limits.max_trials.has_value());
  EXPECT_EQ(parsed.spec.trial.grace_period, absl::Seconds(10));
  EXPECT_EQ(parsed.spec.trial.retries.max_retries, 0);
  ASSERT_EQ(parsed.spec.trial.executors.size(), 1u);
  EXPECT_EQ(parsed.spec.trial.executors[0].options.name, "external");
  EXPECT_EQ(parsed.spec.trial.executors[0].lease, absl::Minutes(5));
  EXPECT_THAT(parsed.executor_paths, ElementsAre(ElementsAre("trial.external")));
}

TEST(ConvertSpecTest, WritesWhatWasResolved) {
  v1::TuningJobSpec wire = job_file::ParseJobFile(kSpec).value();
  core::JobSpec resolved = convert::SpecFromProto(wire, "").spec;
  resolved.random_seed = 42;
  resolved.limits = {.max_trials = 6, .max_parallel_trials = 2};
  const v1::TuningJobSpec written = convert::ResolveSpec(wire, resolved);
  EXPECT_EQ(written.strategy().random_seed(), 42);
  EXPECT_TRUE(written.strategy().has_random());
  EXPECT_EQ(written.limits().max_trials(), 6);
  EXPECT_FALSE(written.limits().has_max_run_time());
  EXPECT_EQ(written.parameters(0).double_().scale(), v1::Scaling::LOG) << "four decades";
  EXPECT_EQ(written.parameters(1).integer().scale(), v1::Scaling::LOG);
  const v1::ConditionalChildren& children = written.parameters(2).children(0);
  EXPECT_EQ(children.parameters(0).discrete().scale(), v1::Scaling::LINEAR);
  EXPECT_EQ(children.parameters(1).integer().scale(), v1::Scaling::LOG) << "three decades and more";
  EXPECT_EQ(written.parameters(3).double_().scale(), v1::Scaling::REVERSE_LOG);
  // Nothing else changes, and a resolved specification stays as it is.
  const core::JobSpec again = convert::SpecFromProto(written, "").spec;
  EXPECT_TRUE(MessageDifferencer::Equals(convert::ResolveSpec(written, again), written));
  wire.clear_limits();
  v1::TuningJobSpec rest = written;
  rest.clear_limits();
  rest.mutable_strategy()->set_random_seed(7);
  for (auto* spec : {&wire, &rest}) {
    spec->mutable_parameters(0)->mutable_double_()->clear_scale();
    for (auto& child : *spec->mutable_parameters(2)->mutable_children(0)->mutable_parameters()) {
      if (child.has_discrete()) child.mutable_discrete()->clear_scale();
      if (child.has_integer()) child.mutable_integer()->clear_scale();
    }
  }
  EXPECT_TRUE(MessageDifferencer::Equals(wire, rest));
}

// What job files cannot say, but other clients can.
TEST(ConvertSpecTest, NumbersThatAreNoEnumValues) {
  v1::TuningJobSpec wire = job_file::ParseJobFile(kSpec).value();
  wire.mutable_objective()->set_goal(static_cast<v1::Objective::Goal>(9));
  wire.mutable_parameters(0)->mutable_double_()->set_scale(static_cast<v1::Scaling::Scale>(9));
  wire.mutable_parameters(1)->mutable_integer()->set_scale(static_cast<v1::Scaling::Scale>(-1));
  wire.mutable_trial()->mutable_inputs(0)->set_input_mode(static_cast<v1::Channel::InputMode>(9));
  std::set<std::string> paths;
  for (const core::Problem& problem : convert::SpecProblems(convert::SpecFromProto(wire, "")))
    paths.insert(problem.path);
  EXPECT_THAT(paths, ElementsAre("objective.goal", "parameters[0].double.scale", "parameters[1].integer.scale",
                                 "trial.inputs[0].input_mode"));
}

TEST(ConvertSpecTest, DurationsThatAreNone) {
  v1::TuningJobSpec wire = job_file::ParseJobFile(kSpec).value();
  wire.mutable_limits()->mutable_max_run_time()->set_nanos(1'000'000'000);
  wire.mutable_trial()->mutable_time_limit()->set_seconds(315'576'000'001);
  wire.mutable_trial()->mutable_grace_period()->set_nanos(-1);
  wire.mutable_trial()->mutable_retries()->mutable_backoff()->set_seconds(std::numeric_limits<int64_t>::min());
  std::set<std::string> paths;
  for (const core::Problem& problem : convert::SpecProblems(convert::SpecFromProto(wire, "")))
    paths.insert(problem.path);
  EXPECT_THAT(paths,
              ElementsAre("limits.max_run_time", "trial.grace_period", "trial.retries.backoff", "trial.time_limit"));
}

struct UnimplementedCase {
  std::string field;   // as reported
  std::string change;  // merged into a specification that is served
};

class Unimplemented : public ::testing::TestWithParam<UnimplementedCase> {};
TEST_P(Unimplemented, IsNamedWithWhatToDoInstead) {
  v1::TuningJobSpec wire = job_file::ParseJobFile(kSpec).value();
  if (absl::StrContains(GetParam().change, "strategy:")) wire.clear_strategy();
  if (absl::StrContains(GetParam().change, "trial:")) wire.clear_trial();
  ASSERT_TRUE(job_file::MergeYaml(GetParam().change, &wire).ok());
  const ParsedSpec parsed = convert::SpecFromProto(wire, "");
  ASSERT_EQ(parsed.unimplemented.size(), 1u) << ::testing::PrintToString(parsed.unimplemented);
  EXPECT_THAT(parsed.unimplemented[0], StartsWith(GetParam().field + ": "));
  EXPECT_GE(parsed.unimplemented[0].size(), GetParam().field.size() + 30) << "a sentence that says what to change";
  // Right in itself: the answer is UNIMPLEMENTED, not INVALID_ARGUMENT.
  for (const core::Problem& problem : convert::SpecProblems(parsed))
    ADD_FAILURE() << problem.path << ": " << problem.text;
}

const std::vector<UnimplementedCase>& UnimplementedCases() {
  static const std::vector<UnimplementedCase> cases = {
      {"strategy.custom", "strategy: {custom: {name: mine}}"},
      {"limits.max_cost", "limits: {max_cost: 5}"},
      {"early_stopping.custom", "early_stopping: {custom: {name: mine}}"},
      {"trial.slurm", "trial: {slurm: {command: [a]}}"},
      {"trial.kubernetes", "trial: {kubernetes: {image: a}}"},
      {"trial.executors[0].slurm", "trial: {executors: [{slurm: {command: [a]}}]}"},
      {"trial.executors[0].kubernetes", "trial: {executors: [{kubernetes: {image: a}}]}"},
  };
  return cases;
}
INSTANTIATE_TEST_SUITE_P(ConvertSpec, Unimplemented, ::testing::ValuesIn(UnimplementedCases()));

TEST(ConvertSpecTest, ReadsWarmStartAndEarlierArtefacts) {
  v1::TuningJobSpec wire = job_file::ParseJobFile(kSpec).value();
  wire.clear_trial();
  ASSERT_TRUE(job_file::MergeYaml("warm_start: {parents: [tuningJobs/a, tuningJobs/b], type: TRANSFER_LEARNING}\n"
                                  "trial: {external: {}, inputs: [{name: model, best_artifact_of: tuningJobs/c}]}\n",
                                  &wire)
                  .ok());
  ParsedSpec parsed = convert::SpecFromProto(wire, "");
  EXPECT_THAT(convert::SpecProblems(parsed), IsEmpty());
  EXPECT_THAT(parsed.unimplemented, IsEmpty());
  ASSERT_TRUE(parsed.spec.warm_start.has_value());
  EXPECT_EQ(parsed.spec.warm_start->type, core::WarmStart::Type::kTransfer);
  EXPECT_THAT(parsed.spec.warm_start->parents, ElementsAre("a", "b"));
  EXPECT_EQ(parsed.spec.trial.inputs[0].best_artifact_of, "c");
  EXPECT_EQ(parsed.spec.trial.inputs[0].path, "");
  // What was found is stored with the specification, and read again.
  parsed.spec.trial.inputs[0].path = "/data/model";
  EXPECT_EQ(convert::SpecFromProto(convert::ResolveSpec(wire, parsed.spec), "").spec.trial.inputs[0].path,
            "/data/model");
}

TEST(ConvertSpecTest, NamesWhatIsWrongWithAWarmStart) {
  v1::TuningJobSpec wire = job_file::ParseJobFile(kSpec).value();
  const auto problems = [&](const char* warm_start) {
    v1::TuningJobSpec spec = wire;
    EXPECT_TRUE(job_file::MergeYaml(warm_start, &spec).ok());
    std::vector<std::string> paths;
    for (const core::Problem& problem : convert::SpecProblems(convert::SpecFromProto(spec, ""))) {
      paths.push_back(problem.path);
    }
    return paths;
  };
  EXPECT_THAT(problems("warm_start: {parents: [tuningJobs/a]}"), ElementsAre("warm_start.type"));
  EXPECT_THAT(problems("warm_start: {type: TRANSFER_LEARNING}"), ElementsAre("warm_start.parents"));
  EXPECT_THAT(problems("warm_start: {parents: [a, tuningJobs/b, tuningJobs/b], type: TRANSFER_LEARNING}"),
              ElementsAre("warm_start.parents[0]", "warm_start.parents[2]"));
  EXPECT_THAT(problems("warm_start: {parents: [tuningJobs/a, tuningJobs/b, tuningJobs/c, tuningJobs/d, tuningJobs/e, "
                       "tuningJobs/f], type: TRANSFER_LEARNING}"),
              ElementsAre("warm_start.parents"));
  wire.mutable_strategy()->mutable_grid();
  EXPECT_THAT(problems("warm_start: {parents: [tuningJobs/a], type: TRANSFER_LEARNING}"), Contains("warm_start"));
}

TEST(ConvertSpecTest, ReadsSeveralObjectivesAndTheirConstraints) {
  v1::TuningJobSpec wire = job_file::ParseJobFile(kSpec).value();
  wire.mutable_objective()->clear_target();
  ASSERT_TRUE(
      job_file::MergeYaml("additional_objectives: [{metric: size, goal: MINIMIZE}, {metric: f1, goal: MAXIMIZE}]\n"
                          "outcome_constraints: [{metric: size, max: 1e6}, {metric: f1, min: 0.25, max: 1}]\n",
                          &wire)
          .ok());
  const ParsedSpec parsed = convert::SpecFromProto(wire, "");
  EXPECT_THAT(convert::SpecProblems(parsed), IsEmpty());
  const core::JobSpec& spec = parsed.spec;
  ASSERT_EQ(spec.additional_objectives.size(), 2u);
  EXPECT_EQ(spec.additional_objectives[0].metric, "size");
  EXPECT_EQ(spec.additional_objectives[0].goal, core::Goal::kMinimize);
  EXPECT_EQ(spec.additional_objectives[1].metric, "f1");
  EXPECT_EQ(spec.additional_objectives[1].goal, core::Goal::kMaximize);
  ASSERT_EQ(spec.outcome_constraints.size(), 2u);
  EXPECT_EQ(spec.outcome_constraints[0].metric, "size");
  EXPECT_EQ(spec.outcome_constraints[0].min, std::nullopt);
  EXPECT_EQ(spec.outcome_constraints[0].max, 1e6);
  EXPECT_EQ(spec.outcome_constraints[1].min, 0.25);
  EXPECT_EQ(spec.outcome_constraints[1].max, 1);
}

TEST(ConvertSpecTest, ReadsNotifications) {
  v1::TuningJobSpec wire = job_file::ParseJobFile(kSpec).value();
  ASSERT_TRUE(
      job_file::MergeYaml("notifications:\n"
                          "- {webhook: {url: 'https://a/b', hmac_key_env: KEY}, events: [JOB_ENDED, HEALTH_RULE]}\n"
                          "- {command: {command: [mail, me]}, events: [TRIAL_FAILED]}\n",
                          &wire)
          .ok());
  const ParsedSpec parsed = convert::SpecFromProto(wire, "");
  EXPECT_THAT(convert::SpecProblems(parsed), IsEmpty());
  EXPECT_THAT(parsed.unimplemented, IsEmpty());
  const std::vector<core::NotificationRule>& rules = parsed.spec.notifications;
  ASSERT_EQ(rules.size(), 2u);
  EXPECT_EQ(std::get<core::Webhook>(rules[0].target).url, "https://a/b");
  EXPECT_EQ(std::get<core::Webhook>(rules[0].target).hmac_key_env, "KEY");
  EXPECT_THAT(rules[0].events, ElementsAre(core::NotificationEvent::kJobEnded, core::NotificationEvent::kHealthRule));
  EXPECT_THAT(std::get<core::NotificationCommand>(rules[1].target).command, ElementsAre("mail", "me"));
}

TEST(ConvertSpecTest, AnExecutorThatWasLinkedInGoesByItsName) {
  const ParsedSpec parsed = Parse("trial: {executors: [{custom: {name: mine, options: {calls: 4}}, slots: 2}]}");
  EXPECT_THAT(Paths(parsed), Not(Contains(StartsWith("trial"))));
  EXPECT_THAT(parsed.unimplemented, IsEmpty());
  ASSERT_EQ(parsed.spec.trial.executors.size(), 1u);
  EXPECT_EQ(parsed.spec.trial.executors[0].options.name, "mine");
  EXPECT_EQ(parsed.spec.trial.executors[0].slots, 2);
  google::protobuf::Struct options;
  ASSERT_TRUE(options.ParseFromString(parsed.spec.trial.executors[0].options.bytes));
  EXPECT_EQ(options.fields().at("calls").number_value(), 4);

  for (const char* name : {"", "process", "sagemaker", "custom"}) {
    const ParsedSpec refused = Parse(absl::StrCat("trial: {executors: [{custom: {name: \"", name, "\"}}]}"));
    EXPECT_THAT(Paths(refused), Contains("trial.executors[0].custom.name")) << name;
  }
}

TEST(ConvertSpecTest, ReadsWhichArtefactsAreKept) {
  using Policy = core::ArtifactRetention::Policy;
  EXPECT_EQ(Parse("name: j").spec.artifacts.policy, Policy::kKeepAll);
  const core::ArtifactRetention rule =
      Parse("artifacts: {policy: KEEP_BEST, best_count: 3, after: 90s, remove_logs: true}").spec.artifacts;
  EXPECT_EQ(rule.policy, Policy::kKeepBest);
  EXPECT_EQ(rule.best_count, 3);
  EXPECT_EQ(rule.after, absl::Seconds(90));
  EXPECT_TRUE(rule.remove_logs);
  EXPECT_EQ(Parse("artifacts: {policy: KEEP_SUCCESSFUL}").spec.artifacts.policy, Policy::kKeepSuccessful);
  const std::pair<const char*, const char*> bad[] = {
      {"artifacts: {policy: KEEP_SUCCESSFUL, best_count: 3}", "artifacts.best_count"},
      {"artifacts: {policy: KEEP_BEST, best_count: 0}", "artifacts.best_count"},
      {"artifacts: {policy: KEEP_BEST, best_count: 1001}", "artifacts.best_count"},
      {"{artifacts: {policy: KEEP_BEST, best_count: 2}, additional_objectives: [{metric: m, goal: MINIMIZE}]}",
       "artifacts.best_count"},
      {"artifacts: {policy: KEEP_BEST, after: -1s}", "artifacts.after"},
      {"artifacts: {policy: KEEP_BEST, after: 400000000s}", "artifacts.after"},
  };
  for (const auto& [text, path] : bad) {
    const ParsedSpec parsed = Parse(text);
    EXPECT_THAT(Paths(parsed), Contains(path)) << text;
  }
}

TEST(ConvertSpecTest, DefinitionsAreReadAsJobsOfTheirOwn) {
  const ParsedSpec parsed = Parse(R"(
name: a
strategy: {random: {}, random_seed: 7}
limits: {max_trials: 3, max_parallel_trials: 2}
outcome_constraints: [{metric: size, max: 5}]
definitions:
- name: one
  objective: {metric: loss, goal: MINIMIZE}
  parameters: [{name: x, boolean: {}}]
  trial: {external: {}}
- name: two
  objective: {metric: accuracy, goal: MAXIMIZE}
  parameters: [{name: y, double: {min: 1e-5, max: 1, scale: AUTO}}, {name: z, double: {max: 1}}]
  constraints: ["z <= y"]
  static_parameters: {rounds: 4}
  trial:
    executors: [{process: {command: [a]}, slots: 2}, {external: {lease: 5s}}]
)");
  EXPECT_THAT(parsed.unimplemented, IsEmpty());
  EXPECT_THAT(convert::SpecProblems(parsed), IsEmpty());
  ASSERT_EQ(parsed.spec.definitions.size(), 2u);
  const core::JobSpec& one = parsed.spec.definitions[0];
  const core::JobSpec& two = parsed.spec.definitions[1];
  EXPECT_EQ(one.name, "a");
  EXPECT_EQ(one.definition, "one");
  EXPECT_EQ(one.objective.metric, "loss");
  EXPECT_EQ(one.trial.executors.at(0).lease, absl::Seconds(300));
  EXPECT_EQ(two.definition, "two");
  EXPECT_EQ(two.objective.goal, core::Goal::kMaximize);
  EXPECT_EQ(two.space.parameters().size(), 2u);
  EXPECT_EQ(two.constraints.size(), 1);
  EXPECT_EQ(two.static_parameters.size(), 1u);
  EXPECT_EQ(two.trial.executors.at(0).slots, 2);
  EXPECT_EQ(two.strategy.name, "random");
  EXPECT_EQ(two.outcome_constraints.size(), 1u);
  // Each plans with its share of the trials, and draws from a stream of its own.
  EXPECT_EQ(two.limits.max_trials, 2);
  EXPECT_EQ(one.random_seed, 7u);
  EXPECT_NE(two.random_seed, 7u);
  EXPECT_TRUE(parsed.spec.trial.executors.empty());
  EXPECT_THAT(parsed.executor_paths,
              ElementsAre(ElementsAre("trial.external"),
                          ElementsAre("trial.executors[0].process", "trial.executors[1].external")));
}

// Scales and limits are written where they were asked for, and reading that again gives the same job.
TEST(ConvertSpecTest, DefinitionsAreResolvedInTheirPlaces) {
  const v1::TuningJobSpec wire = Wire(R"(
name: a
strategy: {random: {}}
limits: {max_trials: 3}
definitions:
- name: one
  objective: {metric: loss, goal: MINIMIZE}
  parameters: [{name: x, double: {min: 1e-5, max: 1}}]
- name: two
  objective: {metric: loss, goal: MINIMIZE}
  parameters: [{name: x, boolean: {}, children: [{values: [true], parameters: [{name: y, integer: {min: 1, max: 5000}}]}]}]
)");
  ParsedSpec parsed = convert::SpecFromProto(wire, "/base");
  core::SetSeed(parsed.spec, 5);
  const v1::TuningJobSpec resolved = convert::ResolveSpec(wire, parsed.spec);
  EXPECT_EQ(resolved.definitions(0).parameters(0).double_().scale(), v1::Scaling::LOG);
  EXPECT_EQ(resolved.definitions(1).parameters(0).children(0).parameters(0).integer().scale(), v1::Scaling::LOG);
  EXPECT_EQ(resolved.strategy().random_seed(), 5);
  EXPECT_TRUE(resolved.parameters().empty());
  EXPECT_FALSE(resolved.has_trial());
  const ParsedSpec again = convert::SpecFromProto(resolved, "/base");
  for (int d = 0; d < 2; ++d) EXPECT_EQ(again.spec.definitions[d].random_seed, parsed.spec.definitions[d].random_seed);
  EXPECT_EQ(convert::ResolveSpec(resolved, again.spec).SerializeAsString(), resolved.SerializeAsString());
}

TEST(ConvertSpecTest, WhatIsWrongWithDefinitionsIsToldByPath) {
  const ParsedSpec parsed = Parse(R"(
name: a
strategy: {random: {}}
limits: {max_trials: 0, max_parallel_trials: 0}
additional_objectives: [{metric: size, goal: MINIMIZE}]
definitions:
- name: one
  objective: {metric: loss, goal: MINIMIZE}
  parameters: [{name: x, boolean: {}}]
  static_parameters: {x: 1}
- name: one
  objective: {metric: loss}
  parameters: [{name: x, double: {min: 2, max: 1}}]
  constraints: ["x <"]
  trial: {metrics: [{name: loss, regex: "loss"}], time_limit: 0s}
- name: "no name"
  objective: {metric: loss, goal: MINIMIZE}
  parameters: []
  trial: {slurm: {}, executors: [{process: {}}]}
warm_start: {parents: [tuningJobs/b], type: TRANSFER_LEARNING}
)");
  std::vector<std::string> paths;
  for (const core::Problem& problem : convert::SpecProblems(parsed)) paths.push_back(problem.path);
  EXPECT_THAT(paths, UnorderedElementsAre("limits.max_trials", "limits.max_parallel_trials", "additional_objectives",
                                          "warm_start", "definitions[0].static_parameters.x", "definitions[1].name",
                                          "definitions[1].objective.goal", "definitions[1].parameters[0].double.min",
                                          "definitions[1].constraints[0]", "definitions[1].trial.metrics[0].regex",
                                          "definitions[1].trial.time_limit", "definitions[2].name",
                                          "definitions[2].parameters", "definitions[2].trial.executors"));
  EXPECT_THAT(parsed.unimplemented, ElementsAre(StartsWith("definitions[2].trial.slurm: ")));
}

TEST(ConvertSpecTest, PipesAndShardsAreForContainers) {
  const std::string inputs =
      "inputs: [{name: a, path: p, input_mode: PIPE}, {name: b, path: p, sharded: true, input_mode: FAST_FILE}]";
  const ParsedSpec container = Parse("trial: {container: {image: a}, " + inputs + "}");
  EXPECT_EQ(container.spec.trial.inputs[0].input_mode, core::Channel::InputMode::kPipe);
  EXPECT_EQ(container.spec.trial.inputs[1].input_mode, core::Channel::InputMode::kFastFile);
  EXPECT_TRUE(container.spec.trial.inputs[1].sharded);
  const auto paths = [](const ParsedSpec& parsed) {
    std::vector<std::string> found;
    for (const core::Problem& problem : convert::SpecProblems(parsed)) {
      if (problem.path.find("trial.inputs") == 0) found.push_back(problem.path);
    }
    return found;
  };
  EXPECT_THAT(paths(container), IsEmpty());
  const ParsedSpec mixed =
      Parse("trial: {executors: [{container: {image: a}}, {process: {command: [a]}}], " + inputs + "}");
  EXPECT_THAT(paths(mixed), ElementsAre("trial.inputs[0].input_mode", "trial.inputs[1].sharded"));

  const std::string in_s3 = "inputs: [{name: a, s3_uri: s3://bucket/data}]";
  EXPECT_THAT(paths(Parse("trial: {sagemaker: {role_arn: a}, " + in_s3 + "}")), IsEmpty());
  EXPECT_EQ(Parse("trial: {sagemaker: {role_arn: a}, " + in_s3 + "}").spec.trial.inputs[0].s3_uri, "s3://bucket/data");
  EXPECT_THAT(paths(Parse("trial: {executors: [{container: {image: a}}, {process: {command: [a]}}], " + in_s3 + "}")),
              ElementsAre("trial.inputs[0].s3_uri"));
  EXPECT_THAT(paths(Parse("trial: {sagemaker: {role_arn: a}, inputs: [{name: a, s3_uri: data}]}")),
              ElementsAre("trial.inputs[0].s3_uri"));
}

TEST(ConvertSpecTest, EveryUnimplementedFieldIsNamedAtOnce) {
  const ParsedSpec parsed = Parse(R"(
strategy: {custom: {name: mine}}
limits: {max_cost: 3}
early_stopping: {custom: {name: mine}}
trial: {slurm: {command: [a]}}
)");
  std::vector<std::string> fields;
  for (const std::string& text : parsed.unimplemented) fields.push_back(text.substr(0, text.find(':')));
  EXPECT_THAT(fields, ElementsAre("strategy.custom", "limits.max_cost", "early_stopping.custom", "trial.slurm"));
}

// Whatever a client sends, it is read without a crash, and nothing that is wrong passes for whole.
TEST(ConvertSpecTest, RandomMessagesAreReadOrRefused) {
  testing::RandomValues random;
  for (int i = 0; i < 3000; ++i) {
    v1::TuningJobSpec filled, wire;
    random.Fill(filled, /*with_special=*/true);
    ASSERT_TRUE(wire.ParseFromString(filled.SerializeAsString()));
    const ParsedSpec parsed = convert::SpecFromProto(wire, "/base");
    for (const core::Problem& problem : convert::SpecProblems(parsed)) {
      EXPECT_FALSE(problem.path.empty());
      EXPECT_FALSE(problem.text.empty());
    }
    ASSERT_EQ(parsed.executor_paths.size(), static_cast<size_t>(core::DefinitionCount(parsed.spec)));
    for (int d = 0; d < core::DefinitionCount(parsed.spec); ++d) {
      EXPECT_EQ(parsed.executor_paths[d].size(), core::DefinitionAt(parsed.spec, d).trial.executors.size());
    }
    if (parsed.problems.empty()) convert::ResolveSpec(wire, parsed.spec);
  }
}

}  // namespace
}  // namespace tuner
