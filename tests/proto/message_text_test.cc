#include "proto/message_text.h"

#include <limits>
#include <string>

#include "gmock/gmock.h"
#include "google/protobuf/util/json_util.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "proto/job_file.h"
#include "tests/proto/random_values.h"
#include "tuner/v1/tuning_service.pb.h"

namespace tuner {
namespace {

using google::protobuf::util::MessageDifferencer;
using job_file::JsonLayout;
using job_file::MergeYaml;
using job_file::ToJson;
using job_file::ToYaml;
using testing::RandomValues;

// A random message as it is after the wire, where map keys are distinct.
template <typename T>
T Random(RandomValues& random, bool with_special) {
  T filled, message;
  random.Fill(filled, with_special);
  EXPECT_TRUE(message.ParseFromString(filled.SerializeAsString()));
  return message;
}

bool SameWithNan(const google::protobuf::Message& a, const google::protobuf::Message& b) {
  MessageDifferencer differencer;
  google::protobuf::util::DefaultFieldComparator comparator;
  comparator.set_treat_nan_as_equal(true);
  differencer.set_field_comparator(&comparator);
  return differencer.Compare(a, b);
}

template <typename T>
void ExpectRoundTrips(int count) {
  RandomValues random;
  for (int i = 0; i < count && !::testing::Test::HasFailure(); ++i) {
    const T message = Random<T>(random, /*with_special=*/true);
    for (const std::string& text : {ToYaml(message), ToJson(message), ToJson(message, JsonLayout::kOneLine)}) {
      T back;
      const absl::Status status = MergeYaml(text, &back);
      ASSERT_TRUE(status.ok()) << status << "\n" << text;
      EXPECT_TRUE(SameWithNan(message, back)) << text << "\n" << message.DebugString() << "\n" << back.DebugString();
    }
    T by_protobuf;
    const auto status = google::protobuf::util::JsonStringToMessage(ToJson(message), &by_protobuf);
    ASSERT_TRUE(status.ok()) << status.ToString() << "\n" << ToJson(message);
    EXPECT_TRUE(SameWithNan(message, by_protobuf)) << ToJson(message);
  }
}

TEST(MessageTextTest, SpecificationsReadBack) { ExpectRoundTrips<v1::TuningJobSpec>(500); }
TEST(MessageTextTest, TrialsReadBack) { ExpectRoundTrips<v1::Trial>(300); }
TEST(MessageTextTest, JobsReadBack) { ExpectRoundTrips<v1::TuningJob>(100); }
TEST(MessageTextTest, OtherAnswersReadBack) {
  ExpectRoundTrips<v1::ExplainTuningJobResponse>(100);
  ExpectRoundTrips<v1::CompareTuningJobsResponse>(20);
  ExpectRoundTrips<v1::StreamTrialLogsResponse>(100);
}

constexpr char kJob[] = R"x(name: xgboost-cancer
objective: {metric: "validation:logloss", goal: MINIMIZE}
parameters:
- {name: eta, double: {min: 0, max: 0.5}}
- {name: max_depth, integer: {min: 2, max: 10, scale: LOG}}
- {name: booster, categorical: {values: [gbtree, "no", "1e-4"]}}
static_parameters: {flag: "true", num_round: 60, "with space: x": null}
strategy: {random: {}, random_seed: 7}
limits: {max_trials: 50, max_run_time: 5400s}
trial:
  process:
    command:
    - python3
    - train.py
    - "--a-long-argument={eta} {max_depth} {booster} with all that belongs to it"
    - --another-long-argument
  metrics: [{name: "validation:logloss", regex: "validation-logloss:([0-9.eE+-]+)\\s"}]
tags: {a: b, c: ""}
)x";

// Written as a person would, and the same every time.
TEST(MessageTextTest, YamlStaysReadable) {
  v1::TuningJobSpec spec;
  ASSERT_TRUE(MergeYaml(kJob, &spec).ok());
  EXPECT_EQ(ToYaml(spec), kJob);
}

TEST(MessageTextTest, EmptyMessages) {
  EXPECT_EQ(ToYaml(v1::RandomStrategy()), "{}\n");
  EXPECT_EQ(ToJson(v1::RandomStrategy()), "{}\n");
  EXPECT_EQ(ToJson(v1::RandomStrategy(), JsonLayout::kOneLine), "{}");
}

TEST(MessageTextTest, JsonHasSnakeCaseNamesAndShowsZeros) {
  v1::Trial trial;
  trial.set_number(1);
  trial.set_state(v1::Trial::COMPLETED);
  trial.set_objective(std::numeric_limits<double>::infinity());
  trial.mutable_create_time()->set_seconds(1738321200);
  trial.mutable_run_time()->set_nanos(-1'500'000);
  (*trial.mutable_parameters())["x"].set_number_value(4);
  EXPECT_EQ(ToJson(trial), R"({
  "number": 1,
  "parameters": {
    "x": 4
  },
  "state": "COMPLETED",
  "objective": "Infinity",
  "create_time": "2025-01-31T11:00:00Z",
  "resource": "0",
  "run_time": "-0.001500s",
  "measurement_count": "0",
  "steps_run": "0",
  "steps_repeated": "0"
}
)");
  v1::ReportMeasurementsResponse response;
  EXPECT_EQ(ToJson(response, JsonLayout::kOneLine), R"({"should_stop": false})");
}

// Numbers keep their shortest form that reads back to the same.
TEST(MessageTextTest, NumbersAreShort) {
  v1::DiscreteParameter values;
  for (const double value : {0.1, 1e-4, 1e300, 4.0, -0.0, 123456789.0}) values.add_values(value);
  EXPECT_EQ(ToJson(values, JsonLayout::kOneLine), R"({"values": [0.1, 1e-4, 1e300, 4, -0.0, 123456789]})");
}

TEST(MessageTextTest, BytesThatAreNotUtf8AreReplaced) {
  v1::Attempt attempt;
  attempt.set_reason("caf\xE9");
  EXPECT_THAT(ToJson(attempt), ::testing::HasSubstr("\"reason\": \"caf\xEF\xBF\xBD\""));
}

}  // namespace
}  // namespace tuner
