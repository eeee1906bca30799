#include "proto/convert.h"

#include <cmath>
#include <limits>
#include <string>

#include "gmock/gmock.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "tests/proto/random_values.h"

namespace tuner {
namespace {

using convert::FromProto;
using convert::ToProto;
using google::protobuf::util::MessageDifferencer;
using ::testing::HasSubstr;
using testing::RandomValues;

TEST(ConvertTest, TimesAndDurationsAreExactToTheNanosecond) {
  RandomValues random;
  for (int i = 0; i < 5000; ++i) {
    const absl::Time time = random.Time();
    EXPECT_EQ(FromProto(ToProto(time)), time);
    const absl::Duration duration = random.Duration();
    EXPECT_EQ(FromProto(ToProto(duration)), duration);
  }
  const google::protobuf::Timestamp before_epoch = ToProto(absl::UnixEpoch() - absl::Nanoseconds(1));
  EXPECT_EQ(before_epoch.seconds(), -1);  // Timestamp: nanos count forward
  EXPECT_EQ(before_epoch.nanos(), 999'999'999);
  const google::protobuf::Duration negative = ToProto(-absl::Milliseconds(1500));
  EXPECT_EQ(negative.seconds(), -1);  // Duration: both have its sign
  EXPECT_EQ(negative.nanos(), -500'000'000);
}

TEST(ConvertTest, TimesAndDurationsSaturate) {
  EXPECT_EQ(ToProto(absl::InfiniteFuture()).seconds(), 253'402'300'799);
  EXPECT_EQ(ToProto(absl::InfinitePast()).seconds(), -62'135'596'800);
  EXPECT_EQ(ToProto(absl::InfiniteDuration()).seconds(), 315'576'000'000);
  EXPECT_EQ(ToProto(-absl::InfiniteDuration()).seconds(), -315'576'000'000);
  google::protobuf::Duration far;
  far.set_seconds(std::numeric_limits<int64_t>::max());
  EXPECT_EQ(FromProto(far), absl::Seconds(315'576'000'000));
  far.set_seconds(std::numeric_limits<int64_t>::min());
  EXPECT_EQ(FromProto(far), -absl::Seconds(315'576'000'000));
}

TEST(ConvertTest, ValuesOfParameters) {
  for (const core::ParameterValue& value :
       {core::ParameterValue(0.25), core::ParameterValue(std::string("gbtree")), core::ParameterValue(true)}) {
    EXPECT_EQ(FromProto(ToProto(value)).value(), value);
  }
  EXPECT_EQ(FromProto(ToProto(core::ParameterValue(int64_t{4}))).value(), core::ParameterValue(4.0));

  google::protobuf::Value wire;
  EXPECT_EQ(FromProto(wire).status().code(), absl::StatusCode::kInvalidArgument);
  wire.set_null_value(google::protobuf::NULL_VALUE);
  EXPECT_EQ(FromProto(wire).status().code(), absl::StatusCode::kInvalidArgument);
  wire.mutable_list_value();
  EXPECT_THAT(std::string(FromProto(wire).status().message()), HasSubstr("list"));
  wire.mutable_struct_value();
  EXPECT_THAT(std::string(FromProto(wire).status().message()), HasSubstr("map"));
}

TEST(ConvertTest, MeasurementsKeepNanAndInfinity) {
  for (const double value :
       {1.5, -0.0, std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()}) {
    const core::Measurement measurement{
        "loss", value, 7, absl::FromUnixMicros(1'700'000'000'123'456), 2, core::MeasurementSource::kScanned};
    v1::Measurement wire;
    ASSERT_TRUE(wire.ParseFromString(ToProto(measurement).SerializeAsString()));
    const core::Measurement back = FromProto(wire);
    EXPECT_EQ(back.metric, "loss");
    EXPECT_EQ(back.value, value);
    EXPECT_EQ(std::signbit(back.value), std::signbit(value));
    EXPECT_EQ(back.step, 7);
    EXPECT_EQ(back.time, measurement.time);
    EXPECT_EQ(back.attempt, 2);
    EXPECT_EQ(back.source, core::MeasurementSource::kScanned);
  }
  core::Measurement nan;
  nan.value = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(std::isnan(FromProto(ToProto(nan)).value));
}

core::Trial SomeTrial() {
  core::Trial trial;
  trial.number = 5;
  trial.parameters = {{"eta", 0.1}, {"max_depth", int64_t{6}}, {"booster", std::string("dart")}, {"flag", false}};
  trial.state = core::TrialState::kCompleted;
  trial.reason = "the trial ended by itself";
  trial.objective = 0.25;
  core::Attempt first, second;
  first.number = 1;
  first.start_time = absl::FromUnixSeconds(100);
  first.end_time = absl::FromUnixSeconds(103);
  second.number = 2;
  second.start_time = absl::FromUnixSeconds(200);
  second.end_time = absl::FromUnixSeconds(204);
  trial.attempts = {first, second};
  return trial;
}

TEST(ConvertTest, TrialsShowNameRunTimeAndMeasurements) {
  const core::Measurement measurement{.metric = "loss", .value = 0.25, .step = 1};
  const v1::Trial wire = ToProto("job-1", SomeTrial(), {&measurement, 1});
  EXPECT_EQ(wire.name(), "tuningJobs/job-1/trials/5");
  EXPECT_EQ(wire.run_time().seconds(), 7);
  EXPECT_EQ(wire.measurements_size(), 1);
  EXPECT_EQ(wire.parameters().at("max_depth").number_value(), 6);
  EXPECT_EQ(wire.state(), v1::Trial::COMPLETED);
  EXPECT_FALSE(wire.has_ordinal());
  EXPECT_FALSE(wire.has_end_time());
  EXPECT_EQ(ToProto("", SomeTrial(), {}).name(), "");
}

TEST(ConvertTest, TrialsWithValuesThatAreNoneAreRefusedByPath) {
  v1::Trial wire;
  (*wire.mutable_parameters())["eta"].mutable_list_value();
  const absl::Status status = FromProto(wire).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("parameters.eta"));
}

TEST(ConvertTest, JobsShowTheLimitsInForceAndTheirState) {
  v1::TuningJobSpec spec;
  spec.set_name("job-1");
  spec.mutable_limits()->set_max_trials(10);
  spec.mutable_limits()->set_max_failed_trials(3);
  spec.mutable_limits()->set_max_cost(2.5);
  core::JobHeader header;
  header.job_id = "job-1";
  header.uid = "u";
  header.spec_bytes = spec.SerializeAsString();
  header.status = core::JobStatus::kStopping;
  header.reason = "stopped by a user \xFF";
  header.limits = {.max_trials = 20, .max_parallel_trials = 4, .max_run_time = absl::Seconds(90)};
  header.counts[core::TrialState::kRunning] = 2;
  header.counts[core::TrialState::kInfeasible] = 1;
  header.counts.imported = 3;
  header.counts.attempts = 4;
  header.advice = {"a", "b"};
  v1::Provenance provenance;
  provenance.set_git_revision("abc-dirty");
  header.provenance_bytes = provenance.SerializeAsString();

  v1::TuningJob job;
  ASSERT_TRUE(job.ParseFromString(ToProto(header, 17, SomeTrial()).SerializeAsString()));
  EXPECT_EQ(job.name(), "tuningJobs/job-1");
  EXPECT_EQ(job.revision(), 17);
  EXPECT_EQ(job.state(), v1::TuningJob::STOPPING);
  EXPECT_EQ(job.spec().name(), "job-1");
  EXPECT_EQ(job.spec().limits().max_trials(), 20);
  EXPECT_EQ(job.spec().limits().max_parallel_trials(), 4);
  EXPECT_EQ(job.spec().limits().max_run_time().seconds(), 90);
  EXPECT_FALSE(job.spec().limits().has_max_failed_trials()) << "an update took it away";
  EXPECT_EQ(job.spec().limits().max_cost(), 2.5);
  EXPECT_EQ(job.trial_counts().running(), 2);
  EXPECT_EQ(job.trial_counts().infeasible(), 1);
  EXPECT_EQ(job.trial_counts().imported(), 3);
  EXPECT_EQ(job.trial_counts().attempts(), 4);
  EXPECT_EQ(job.best_trial().name(), "tuningJobs/job-1/trials/5");
  EXPECT_EQ(job.provenance().git_revision(), "abc-dirty");
  EXPECT_EQ(job.advice_size(), 2);
  EXPECT_FALSE(job.has_end_time());
  EXPECT_FALSE(ToProto(header, 17, std::nullopt).has_best_trial());
}

TEST(ConvertTest, AFrontOfLargeTrialsIsThinnedToItsEndsAtLeast) {
  const auto front = [](int count, size_t bytes) {
    std::vector<core::Trial> trials(count);
    for (int i = 0; i < count; ++i) {
      trials[i].number = i + 1;
      trials[i].parameters["text"] = std::string(bytes, 'x');
    }
    v1::TuningJob job;
    convert::AddParetoFront("j", trials, job);
    return job;
  };
  EXPECT_EQ(front(0, 10).pareto_front_size(), 0);
  EXPECT_EQ(front(100, 1000).pareto_front_size(), 100);
  for (const int count : {2, 3, 100, 101}) {
    SCOPED_TRACE(count);
    const v1::TuningJob job = front(count, 100'000);
    EXPECT_LT(job.ByteSizeLong(), 2'200'000u);
    EXPECT_EQ(job.pareto_front().begin()->number(), 1);
    EXPECT_EQ(job.pareto_front().rbegin()->number(), count);
    EXPECT_EQ(job.pareto_front(0).name(), "tuningJobs/j/trials/1");
  }
  EXPECT_EQ(front(3, 3'000'000).pareto_front_size(), 2) << "never less than its ends";
}

TEST(ConvertTest, LimitsThatAreSetReplaceTheOthersStay) {
  core::Limits limits{
      .max_trials = 10, .max_parallel_trials = 2, .max_run_time = absl::Hours(1), .max_failed_trials = 5};
  v1::Limits update;
  update.set_max_trials(20);
  update.mutable_max_run_time()->set_seconds(90);
  EXPECT_TRUE(convert::MergeLimits(update, limits).empty());
  EXPECT_EQ(limits.max_trials, 20);
  EXPECT_EQ(limits.max_parallel_trials, 2);
  EXPECT_EQ(limits.max_run_time, absl::Seconds(90));
  EXPECT_EQ(limits.max_failed_trials, 5);
}

TEST(ConvertTest, BadLimitsChangeNothingAndAreAllNamed) {
  core::Limits limits{.max_trials = 10};
  v1::Limits update;
  update.set_max_trials(0);
  update.set_max_parallel_trials(10'001);
  update.mutable_max_run_time()->set_seconds(-1);
  update.set_max_failed_trials(-1);
  update.set_max_cost(1);
  std::vector<std::string> paths;
  for (const core::Problem& problem : convert::MergeLimits(update, limits)) paths.push_back(problem.path);
  EXPECT_THAT(paths,
              ::testing::UnorderedElementsAre("limits.max_trials", "limits.max_parallel_trials", "limits.max_run_time",
                                              "limits.max_failed_trials", "limits.max_cost"));
  EXPECT_EQ(limits.max_trials, 10);
  update.Clear();
  update.mutable_max_run_time()->set_nanos(999'999'999);
  EXPECT_EQ(convert::MergeLimits(update, limits).size(), 1u);
  EXPECT_FALSE(limits.max_run_time.has_value());
}

}  // namespace
}  // namespace tuner
