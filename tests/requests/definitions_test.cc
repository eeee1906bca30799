// Jobs with several training definitions: from the request to what is stored, and what AddTrials and Explain make of
// it.
#include "core/definitions.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/job_file.h"
#include "strategies/strategy.h"
#include "tuner/requests/added_points.h"
#include "tuner/requests/explain.h"
#include "tuner/requests/job_builder.h"
#include "tuner/requests/spec_diff.h"

namespace tuner::requests {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

v1::TuningJobSpec Wire(const std::string& yaml) {
  const absl::StatusOr<v1::TuningJobSpec> wire = job_file::ParseJobFile(yaml);
  EXPECT_TRUE(wire.ok()) << wire.status();
  return wire.value_or(v1::TuningJobSpec());
}

absl::StatusOr<core::JobHeader> Build(const v1::TuningJobSpec& spec) {
  v1::CreateTuningJobRequest request;
  *request.mutable_spec() = spec;
  return BuildJob(request);
}

// The paths of all problems.
std::vector<std::string> Paths(const absl::Status& status) {
  std::vector<std::string> paths;
  for (absl::string_view line : absl::StrSplit(status.message(), '\n')) {
    paths.emplace_back(line.substr(0, line.find(": ")));
  }
  return paths;
}

const char kTwo[] = R"(
name: models
strategy: {random: {}, random_seed: 7}
limits: {max_trials: 9, max_parallel_trials: 2}
definitions:
- name: tree
  objective: {metric: loss, goal: MINIMIZE}
  parameters: [{name: x, double: {min: 1e-5, max: 1}}]
  trial: {process: {command: [train, "{x}"]}}
- name: net
  objective: {metric: accuracy, goal: MAXIMIZE}
  parameters: [{name: depth, integer: {min: 1, max: 4}}, {name: wide, boolean: {}}]
  constraints: ["depth <= 3 or wide = false"]
  static_parameters: {rounds: 4}
  trial: {external: {lease: 7s}}
)";

TEST(DefinitionsTest, WhatIsStoredIsReadAgainAsItWas) {
  const absl::StatusOr<core::JobHeader> header = Build(Wire(kTwo));
  ASSERT_TRUE(header.ok()) << header.status();
  const core::JobSpec spec = *SpecOfHeader(*header);
  ASSERT_EQ(core::DefinitionCount(spec), 2);
  EXPECT_EQ(core::DefinitionAt(spec, 0).trial.executors.at(0).options.name, "process");
  EXPECT_EQ(core::DefinitionAt(spec, 1).trial.executors.at(0).lease, absl::Seconds(7));
  EXPECT_EQ(core::DefinitionAt(spec, 0).limits.max_trials, 5) << "its share";
  EXPECT_EQ(spec.limits.max_trials, 9);
  EXPECT_NE(core::DefinitionAt(spec, 0).random_seed, core::DefinitionAt(spec, 1).random_seed);
  EXPECT_EQ(header->limits.max_trials, 9);
  v1::Limits update;
  update.set_max_trials(50);
  EXPECT_EQ(UpdatedLimits(*header, update)->max_trials, 50);
}

TEST(DefinitionsTest, ASeedThatWasChosenStaysWithTheJob) {
  v1::TuningJobSpec wire = Wire(kTwo);
  wire.mutable_strategy()->clear_random_seed();
  const core::JobHeader header = *Build(wire);
  const core::JobSpec once = *SpecOfHeader(header);
  const core::JobSpec twice = *SpecOfHeader(header);
  EXPECT_EQ(core::DefinitionAt(once, 0).random_seed, once.random_seed);
  EXPECT_EQ(core::DefinitionAt(once, 1).random_seed, core::DefinitionAt(twice, 1).random_seed);
}

TEST(DefinitionsTest, EachBadFieldIsToldByItsPath) {
  v1::TuningJobSpec wire = Wire(kTwo);
  wire.mutable_definitions(0)->mutable_parameters(0)->mutable_double_()->set_min(2);
  *wire.mutable_definitions(1)->mutable_trial() = v1::TrialTemplate();
  wire.mutable_definitions(1)->mutable_trial()->mutable_process();
  wire.mutable_definitions(1)->mutable_objective()->clear_metric();
  EXPECT_THAT(Paths(Build(wire).status()),
              ElementsAre("definitions[0].parameters[0].double.min", "definitions[1].objective.metric",
                          "definitions[1].trial.process.command"));
}

// A command may name the parameters of its own definition only.
TEST(DefinitionsTest, ACommandSeesItsOwnParameters) {
  v1::TuningJobSpec wire = Wire(kTwo);
  wire.mutable_definitions(0)->mutable_trial()->mutable_process()->set_command(1, "{depth}");
  EXPECT_THAT(Paths(Build(wire).status()), ElementsAre("definitions[0].trial.process.command[1]"));
}

TEST(DefinitionsTest, WhatDefinitionsLackIsRefusedWithASentence) {
  v1::TuningJobSpec wire = Wire(kTwo);
  wire.add_additional_objectives()->set_metric("size");
  wire.mutable_additional_objectives(0)->set_goal(v1::Objective::MINIMIZE);
  wire.mutable_warm_start()->add_parents("tuningJobs/a");
  wire.mutable_warm_start()->set_type(v1::WarmStart::TRANSFER_LEARNING);
  wire.mutable_objective()->set_metric("loss");
  wire.mutable_definitions(1)->set_name("tree");
  EXPECT_THAT(Paths(Build(wire).status()),
              ElementsAre("additional_objectives", "warm_start", "definitions", "definitions[1].name"));
  wire = Wire(kTwo);
  while (wire.definitions_size() < 11) {
    *wire.add_definitions() = wire.definitions(0);
    wire.mutable_definitions(wire.definitions_size() - 1)->set_name("n" + std::to_string(wire.definitions_size()));
  }
  EXPECT_THAT(Paths(Build(wire).status()), ElementsAre("definitions"));
}

TEST(DefinitionsTest, GridsAreCountedTogether) {
  v1::TuningJobSpec wire = Wire(kTwo);
  wire.mutable_strategy()->mutable_grid();
  wire.mutable_limits()->clear_max_trials();
  EXPECT_THAT(Paths(Build(wire).status()), ElementsAre("definitions[0].parameters[0].double.grid_points"));
  wire.mutable_definitions(0)->mutable_parameters(0)->mutable_double_()->set_grid_points(5);
  absl::StatusOr<core::JobHeader> header = Build(wire);
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_EQ(header->grid_size, 5 + 7) << "one of the eight breaks the constraint";
  EXPECT_EQ(header->limits.max_trials, 12);
  EXPECT_EQ(SpecOfHeader(*header)->definitions[0].limits.max_trials, std::nullopt);
  wire.mutable_limits()->set_max_trials(6);
  EXPECT_THAT(Paths(Build(wire).status()), ElementsAre("limits.max_trials"));
  wire.mutable_strategy()->mutable_grid()->set_allow_partial(true);
  EXPECT_TRUE(Build(wire).ok());
}

TEST(DefinitionsTest, HyperbandHasTheSameResourcesForAll) {
  v1::TuningJobSpec wire = Wire(kTwo);
  wire.mutable_strategy()->mutable_hyperband()->set_max_resource(27);
  wire.mutable_strategy()->mutable_hyperband()->set_resource_parameter("rounds");
  EXPECT_THAT(Paths(Build(wire).status()), ElementsAre("strategy.hyperband.resource_parameter"));
  wire.mutable_strategy()->mutable_hyperband()->set_resource_parameter("epochs");
  const absl::StatusOr<core::JobHeader> header = Build(wire);
  ASSERT_TRUE(header.ok()) << header.status();
  const core::JobSpec spec = *SpecOfHeader(*header);
  EXPECT_EQ(spec.definitions[1].resources->max, 27);
  EXPECT_EQ(spec.definitions[1].strategy.bytes, spec.strategy.bytes);
}

// `tuner run` again with the same file goes on.
TEST(DefinitionsTest, TheSameFileIsTheSameJob) {
  const v1::TuningJobSpec wire = Wire(kTwo);
  v1::TuningJobSpec stored;
  ASSERT_TRUE(stored.ParseFromString(Build(wire)->spec_bytes));
  EXPECT_THAT(DiffFromStored(stored, wire, ""), IsEmpty());
  v1::TuningJobSpec other = wire;
  other.mutable_definitions(1)->mutable_parameters(0)->mutable_integer()->set_max(5);
  const std::vector<SpecDifference> differences = DiffFromStored(stored, other, "");
  ASSERT_EQ(differences.size(), 1u);
  EXPECT_EQ(differences[0].path, "definitions[1].parameters[0].integer.max");
}

TEST(DefinitionsTest, AddedTrialsAreOfADefinition) {
  const core::JobSpec spec = *SpecOfHeader(*Build(Wire(kTwo)));
  v1::AddTrialsRequest request;
  v1::Trial& trial = *request.add_trials();
  trial.set_definition("net");
  (*trial.mutable_parameters())["depth"].set_number_value(2);
  (*trial.mutable_parameters())["wide"].set_bool_value(true);
  trial.set_state(v1::Trial::COMPLETED);
  (*trial.mutable_final_metrics())["accuracy"] = 0.5;
  const absl::StatusOr<core::TrialsAdded> added = ReadAddedPoints(request, spec);
  ASSERT_TRUE(added.ok()) << added.status();
  EXPECT_EQ(added->points.at(0).definition, "net");
  *request.add_trials() = trial;
  request.mutable_trials(0)->clear_definition();
  request.mutable_trials(1)->set_definition("tree");
  const absl::Status status = ReadAddedPoints(request, spec).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("trials[0].definition: is missing; give one of tree, net"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("trials[1]: parameters.x: is missing"));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("trials[1].final_metrics: has no finite value of the objective"));
}

TEST(DefinitionsTest, ExplainNeedsADefinition) {
  ExplainedJob job;
  job.spec = *SpecOfHeader(*Build(Wire(kTwo)));
  job.trials.resize(1);
  job.trials[0].number = 1;
  job.trials[0].definition = "net";
  const MakeStrategy make = [](const core::JobSpec& spec) {
    return strategies::FindStrategyKind("random")->make(spec);
  };
  v1::ExplainTuningJobRequest request;
  const auto explain = [&] { return Explain(request, job, make, absl::UnixEpoch(), nullptr).status(); };
  EXPECT_THAT(std::string(explain().message()), HasSubstr("definition: is missing; give one of tree, net"));
  request.set_definition("forest");
  EXPECT_THAT(std::string(explain().message()), HasSubstr("\"forest\" is none of the job's"));
  request.set_definition("tree");
  EXPECT_EQ(explain().code(), absl::StatusCode::kFailedPrecondition) << "strategy random has no model";
  request.set_trial(1);
  EXPECT_THAT(std::string(explain().message()), HasSubstr("trial 1 is of \"net\""));
  request.clear_definition();
  EXPECT_EQ(explain().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace tuner::requests
