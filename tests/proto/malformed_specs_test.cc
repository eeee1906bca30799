// Every bad field of a specification is named in one answer (issue 3, acceptance 5), as far as converter, core and
// registries see it.
#include "tests/proto/malformed_specs.h"

#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/problem.h"
#include "executors/executor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/convert.h"
#include "proto/job_file.h"
#include "strategies/strategy.h"

namespace tuner {
namespace {

using testing::MalformedSpec;

// As the server puts them together: the executors are asked with the names of all parameters, the strategy only where
// space, constraints and number of trials are sound.
core::Problems AllProblems(const v1::TuningJobSpec& wire) {
  const convert::ParsedSpec parsed = convert::SpecFromProto(wire, "/base");
  core::Problems problems = convert::SpecProblems(parsed);
  bool is_sound = true;
  for (const core::Problem& problem : problems) {
    for (const char* field : {"parameters", "constraints", "limits.max_trials"}) {
      if (absl::StartsWith(problem.path, field)) is_sound = false;
    }
  }
  core::JobSpec spec = parsed.spec;
  for (const v1::Parameter& parameter : wire.parameters()) spec.static_parameters.emplace(parameter.name(), 0.0);
  for (size_t i = 0; i < spec.trial.executors.size(); ++i) {
    const executors::ExecutorKind* kind = executors::FindExecutorKind(spec.trial.executors[i].options.name);
    if (kind == nullptr) continue;
    for (const core::Problem& problem : kind->validate(spec.trial.executors[i].options.bytes, spec)) {
      problems.push_back({absl::StrCat(parsed.executor_paths[0][i], ".", problem.path), problem.text});
    }
  }
  const strategies::StrategyKind* strategy = strategies::FindStrategyKind(parsed.spec.strategy.name);
  if (strategy != nullptr && is_sound) {
    for (const core::Problem& problem : strategy->validate(parsed.spec)) problems.push_back(problem);
  }
  return problems;
}

class MalformedSpecTest : public ::testing::TestWithParam<MalformedSpec> {};

TEST_P(MalformedSpecTest, NamesAllItsBadFieldsAndNoOthers) {
  const absl::StatusOr<v1::TuningJobSpec> wire = job_file::ParseJobFile(GetParam().yaml);
  ASSERT_TRUE(wire.ok()) << wire.status() << "\n" << GetParam().yaml;
  std::set<std::string> paths;
  for (const core::Problem& problem : AllProblems(*wire)) {
    paths.insert(problem.path);
    EXPECT_GE(problem.text.size(), 8u) << problem.path << " is refused without a sentence";
  }
  EXPECT_THAT(paths, ::testing::UnorderedElementsAreArray(GetParam().paths)) << GetParam().yaml;
}

INSTANTIATE_TEST_SUITE_P(Table, MalformedSpecTest, ::testing::ValuesIn(testing::LoadMalformedSpecs()),
                         [](const auto& test) { return test.param.name; });

TEST(MalformedSpecsTest, TheTableIsLargeEnough) {
  int with_several = 0;
  std::set<std::string> names;
  for (const MalformedSpec& spec : testing::LoadMalformedSpecs()) {
    EXPECT_TRUE(names.insert(spec.name).second) << spec.name << " is there twice";
    EXPECT_FALSE(spec.paths.empty()) << spec.name;
    with_several += spec.paths.size() > 1;
  }
  EXPECT_GE(names.size(), 100u);
  EXPECT_GE(with_several, 10);
}

// Otherwise each entry could be refused for what it has in common with the others.
TEST(MalformedSpecsTest, WhatTheyAreVariationsOfIsAccepted) {
  const absl::StatusOr<v1::TuningJobSpec> wire = job_file::ParseJobFile(testing::WellFormedSpecYaml());
  ASSERT_TRUE(wire.ok()) << wire.status();
  for (const core::Problem& problem : AllProblems(*wire)) ADD_FAILURE() << problem.path << ": " << problem.text;
  EXPECT_THAT(convert::SpecFromProto(*wire, "/base").unimplemented, ::testing::IsEmpty());
}

}  // namespace
}  // namespace tuner
