#include "proto/set_field.h"

#include <gmock/gmock.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/message_differencer.h"
#include "proto/job_file.h"
#include "tuner/v1/tuning_job.pb.h"

namespace tuner::job_file {
namespace {

using ::testing::HasSubstr;

v1::TuningJobSpec Spec() {
  return ParseJobFile(R"(
name: a
objective: {metric: loss, goal: MINIMIZE, target: 0.5}
parameters:
- {name: x, double: {min: 0, max: 1}}
- {name: kind, categorical: {values: [a, b]}}
static_parameters: {rounds: 3}
strategy: {random: {}, random_seed: 7}
limits: {max_trials: 4}
tags: {team: vision, "with.dot": here}
)")
      .value();
}

v1::TuningJobSpec Changed(const std::string& path, const std::string& value) {
  v1::TuningJobSpec spec = Spec();
  const absl::Status status = SetField(path, value, &spec);
  EXPECT_TRUE(status.ok()) << path << "=" << value << ": " << status;
  return spec;
}

TEST(SetFieldTest, SetsEachKindOfField) {
  EXPECT_EQ(Changed("limits.max_trials", "40").limits().max_trials(), 40);
  EXPECT_EQ(Changed("limits.maxTrials", "41").limits().max_trials(), 41);
  EXPECT_EQ(Changed("limits.max_run_time", "1h30m").limits().max_run_time().seconds(), 5400);
  EXPECT_EQ(Changed("objective.goal", "MAXIMIZE").objective().goal(), v1::Objective::MAXIMIZE);
  EXPECT_EQ(Changed("parameters[0].double.max", "2.5").parameters(0).double_().max(), 2.5);
  EXPECT_EQ(Changed("parameters[1].categorical.values[1]", "c").parameters(1).categorical().values(1), "c");
  EXPECT_EQ(Changed("parameters[1].categorical.values[2]", "c").parameters(1).categorical().values_size(), 3);
  EXPECT_EQ(Changed("parameters[1].categorical.values", "[x, y, z]").parameters(1).categorical().values_size(), 3);
  EXPECT_EQ(Changed("parameters[0]", "{name: y, boolean: {}}").parameters(0).name(), "y");
  EXPECT_EQ(Changed("static_parameters.rounds", "9").static_parameters().at("rounds").number_value(), 9);
  EXPECT_TRUE(Changed("strategy.grid", "{}").strategy().has_grid());
}

TEST(SetFieldTest, SetsOneEntryOfAMapAndKeepsTheOthers) {
  const v1::TuningJobSpec spec = Changed("tags.with.dot", "there");
  EXPECT_EQ(spec.tags().size(), 2u);
  EXPECT_EQ(spec.tags().at("with.dot"), "there");
  EXPECT_EQ(spec.tags().at("team"), "vision");
  EXPECT_EQ(Changed("tags.new", "1").tags().at("new"), "1");
  EXPECT_EQ(Changed("tags", "{}").tags().size(), 0u);
}

TEST(SetFieldTest, TakesAway) {
  EXPECT_FALSE(Changed("objective.target", "null").objective().has_target());
  EXPECT_FALSE(Changed("limits", "").has_limits());
  const v1::TuningJobSpec spec = Changed("parameters[0]", "null");
  ASSERT_EQ(spec.parameters_size(), 1);
  EXPECT_EQ(spec.parameters(0).name(), "kind");
}

TEST(SetFieldTest, NamesThePathOfWhatIsWrong) {
  const struct {
    const char *path, *value, *problem;
  } cases[] = {
      {"limits.max_trails", "4", "limits.max_trails: is no field here; do you mean max_trials?"},
      {"limits.max_trials", "many", "limits.max_trials: "},
      {"limits.max_trials.more", "1", "max_trials is a value and has no fields"},
      {"parameters.name", "y", "parameters is a list; name one of its 2 entries"},
      {"parameters[2].name", "y", "parameters[2].name: parameters has 2 entries"},
      {"parameters[5]", "{name: y}", "parameters has 2 entries; the next is parameters[2]"},
      {"parameters[x]", "{name: y}", "is no entry of a list"},
      {"objective[0].metric", "y", "objective is no list"},
      {"parameters[0].double.max", "high", "parameters[0].double.max: "},
      {"", "1", "is no path of a field"},
      {"limits..max_trials", "1", "is no path of a field"},
  };
  for (const auto& [path, value, problem] : cases) {
    v1::TuningJobSpec spec = Spec();
    const absl::Status status = SetField(path, value, &spec);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << path;
    EXPECT_THAT(std::string(status.message()), HasSubstr(problem)) << path;
    EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(spec, Spec())) << path;
  }
}

}  // namespace
}  // namespace tuner::job_file
