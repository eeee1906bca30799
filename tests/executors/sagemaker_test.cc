// Trials on SageMaker, against a service that plays scripts.
#include <nlohmann/json.hpp>
#include <thread>

#include "executors/run_folder.h"
#include "executors/sagemaker/executor.h"
#include "executors/sagemaker/names.h"
#include "gmock/gmock.h"
#include "tests/executors/executor_conformance.h"
#include "tests/executors/sagemaker_harness.h"

namespace tuner::executors {
namespace {

using nlohmann::json;
using Outcome = RunEnded::Outcome;
using sagemaker::TrainingJobName;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

INSTANTIATE_TEST_SUITE_P(SageMaker, ExecutorConformance,
                         testing::Values(ConformanceParam{"sagemaker",
                                                          [] { return std::make_unique<SageMakerHarness>(); }}));

class SageMakerTest : public testing::Test {
 protected:
  RunId Id(int trial, int attempt = 1) const { return {"job", "uid-1", trial, attempt}; }
  json JobOf(const RunId& id, int instance_type = 0) {
    return json::parse(harness_.service().Job(TrainingJobName(id, instance_type)));
  }
  int StartsOf(const RunId& id, int instance_type) {
    return json::parse(harness_.service().Stats())["starts"].value(TrainingJobName(id, instance_type), 0);
  }
  std::vector<double> ValuesOf(const RunId& id) {
    std::vector<double> values;
    for (const core::Measurement& measurement : harness_.recorder().Get(id).measurements)
      values.push_back(measurement.value);
    return values;
  }
  // Waits until a call of the operation was seen, with a bound that only a broken executor reaches.
  bool AwaitCalls(const std::string& operation, int count) {
    const absl::Time end = absl::Now() + absl::Seconds(60);
    while (harness_.service().Calls(operation) < count) {
      if (absl::Now() > end) return false;
      std::this_thread::yield();
    }
    return true;
  }

  SageMakerHarness harness_;
};

TEST_F(SageMakerTest, AThrottledLaunchWaitsAndDoesNotFail) {
  harness_.service().Control(
      R"({"throttle": {"CreateTrainingJob": 3, "ListTrainingJobs": 2, "DescribeTrainingJob": 2}})");
  const RunEnded ended = harness_.Run(harness_.Scripted(Id(1), "log loss=1; succeed"));
  EXPECT_EQ(ended.outcome, Outcome::kSucceeded) << ended.reason;
  EXPECT_EQ(harness_.Starts(Id(1)), 1);
  EXPECT_GE(harness_.service().Calls("CreateTrainingJob"), 4);
}

TEST_F(SageMakerTest, ALimitOfTheAccountIsWaitedOut) {
  harness_.service().Control(R"({"limit": 1})");
  ASSERT_TRUE(harness_.executor().Launch(harness_.Scripted(Id(1), "hang")).ok());
  ASSERT_TRUE(harness_.recorder().AwaitStarted(Id(1)));
  ASSERT_TRUE(harness_.executor().Launch(harness_.Scripted(Id(2), "succeed")).ok());
  ASSERT_TRUE(AwaitCalls("CreateTrainingJob", 3));  // refused at least once
  EXPECT_FALSE(harness_.recorder().Get(Id(2)).started.has_value());
  ASSERT_TRUE(harness_.executor().Stop(Id(1), absl::Seconds(1)).ok());
  EXPECT_EQ(harness_.recorder().AwaitEnded(Id(2)).outcome, Outcome::kSucceeded);
}

TEST_F(SageMakerTest, ALaunchThatWaitsForALimitIsStoppedAtOnce) {
  harness_.service().Control(R"({"limit": 1})");
  ASSERT_TRUE(harness_.executor().Launch(harness_.Scripted(Id(1), "hang")).ok());
  ASSERT_TRUE(harness_.recorder().AwaitStarted(Id(1)));
  ASSERT_TRUE(harness_.executor().Launch(harness_.Scripted(Id(2), "succeed")).ok());
  ASSERT_TRUE(AwaitCalls("CreateTrainingJob", 2));
  ASSERT_TRUE(harness_.executor().Stop(Id(2), absl::Seconds(1)).ok());
  const RunEnded ended = harness_.recorder().AwaitEnded(Id(2));
  EXPECT_EQ(ended.outcome, Outcome::kStopped);
  EXPECT_THAT(ended.reason, HasSubstr("before its training job was created"));
}

TEST_F(SageMakerTest, AQuotaOfNoInstanceIsNotWaitedFor) {
  harness_.service().Control(R"({"limit": 0})");
  const RunEnded ended = harness_.Run(harness_.Scripted(Id(1), "succeed"));
  EXPECT_EQ(ended.outcome, Outcome::kFailed);
  EXPECT_THAT(ended.reason, HasSubstr("is 0 Instances"));
}

TEST_F(SageMakerTest, NoCapacityGoesOnToTheNextInstanceType) {
  harness_.service().Control(R"({"capacity": {"ml.p3.2xlarge": 1}})");
  const RunSpec spec = harness_.Scripted(Id(1), "log loss=2; succeed", [](v1::SageMakerExecutor& options) {
    options.clear_instance_types();
    options.add_instance_types("ml.p3.2xlarge");
    options.add_instance_types("ml.g5.xlarge");
  });
  const RunEnded ended = harness_.Run(spec);
  EXPECT_EQ(ended.outcome, Outcome::kSucceeded) << ended.reason;
  EXPECT_THAT(ValuesOf(Id(1)), ElementsAre(2));
  EXPECT_EQ(JobOf(Id(1), 0)["request"]["ResourceConfig"]["InstanceType"], "ml.p3.2xlarge");
  EXPECT_EQ(JobOf(Id(1), 1)["request"]["ResourceConfig"]["InstanceType"], "ml.g5.xlarge");
  EXPECT_EQ(harness_.recorder().Get(Id(1)).ends, 1);
}

TEST_F(SageMakerTest, WithoutCapacityOfAnyTypeTheRunIsLostAndNotTheTrialsFault) {
  harness_.service().Control(R"({"capacity": {"ml.m5.large": 1}})");
  const RunEnded ended = harness_.Run(harness_.Scripted(Id(1), "succeed"));
  EXPECT_EQ(ended.outcome, Outcome::kLost);
  EXPECT_THAT(ended.reason, HasSubstr("CapacityError"));
}

TEST_F(SageMakerTest, ASpotInterruptionIsShownAndItsLogIsWhole) {
  const RunSpec spec = harness_.Scripted(Id(1), "log loss=3; interrupt; log loss=2; wait 0.05; log loss=1; succeed",
                                         [](v1::SageMakerExecutor& options) {
                                           options.set_spot(true);
                                           options.mutable_max_wait()->set_seconds(2 * 86400);
                                           options.set_checkpoint_s3_uri("s3://bucket/checkpoints");
                                         });
  const RunEnded ended = harness_.Run(spec);
  EXPECT_EQ(ended.outcome, Outcome::kSucceeded) << ended.reason;
  EXPECT_THAT(ValuesOf(Id(1)), ElementsAre(3, 2, 1));
  EXPECT_EQ(harness_.Output(Id(1)), "loss=3\nloss=2\nloss=1\n");
  EXPECT_EQ(ended.use.interruptions, 1);
  EXPECT_GT(ended.use.training_time, ended.use.billable_time);
  EXPECT_THAT(ended.reason, AllOf(HasSubstr("1 spot interruption"), HasSubstr("% saved by spot")));
  EXPECT_EQ(ended.model_uri, "s3://bucket/out/" + TrainingJobName(Id(1), 0) + "/output/model.tar.gz");
  const json request = JobOf(Id(1))["request"];
  EXPECT_EQ(request["StoppingCondition"]["MaxWaitTimeInSeconds"], 2 * 86400);
  // Attempts of a trial share their checkpoints; trials do not.
  EXPECT_EQ(request["CheckpointConfig"]["S3Uri"], sagemaker::TrialUri("s3://bucket/checkpoints", Id(1, 2)));
  EXPECT_NE(request["CheckpointConfig"]["S3Uri"], sagemaker::TrialUri("s3://bucket/checkpoints", Id(2)));
}

TEST_F(SageMakerTest, ACreateWhoseAnswerWasLostIsFoundAgain) {
  harness_.service().Control(R"({"fault": {"CreateTrainingJob": ["cut_after", 1]}})");
  const RunEnded ended = harness_.Run(harness_.Scripted(Id(1), "log loss=1; succeed"));
  EXPECT_EQ(ended.outcome, Outcome::kSucceeded) << ended.reason;
  EXPECT_EQ(harness_.Starts(Id(1)), 1);
  EXPECT_EQ(harness_.service().Calls("ListTags"), 1);
}

TEST_F(SageMakerTest, AGarbledAnswerOrABrokenServerIsAskedAgain) {
  for (const char* fault : {"garble", "e500", "cut_before"}) {
    const RunId id = {"job", std::string("uid-") + fault, 1, 1};
    harness_.service().Control(
        json{{"fault",
              {{"CreateTrainingJob", {fault, 1}}, {"DescribeTrainingJob", {fault, 1}}, {"GetLogEvents", {fault, 1}}}}}
            .dump());
    const RunEnded ended = harness_.Run(harness_.Scripted(id, "log loss=1; log loss=2; succeed"));
    EXPECT_EQ(ended.outcome, Outcome::kSucceeded) << fault << ": " << ended.reason;
    EXPECT_EQ(harness_.Starts(id), 1) << fault;
    EXPECT_THAT(ValuesOf(id), ElementsAre(1, 2)) << fault;
  }
}

TEST_F(SageMakerTest, ATrainingJobOfThisNameThatIsNotOursIsLeftAlone) {
  ASSERT_TRUE(harness_.executor().Launch(harness_.Scripted(Id(1), "hang")).ok());
  ASSERT_TRUE(harness_.recorder().AwaitStarted(Id(1)));
  // Another server with another data folder, and another trial that happens to be called alike.
  SageMakerHarness other;
  RunSpec spec = other.Scripted(Id(1), "succeed", [this](v1::SageMakerExecutor& options) {
    options.set_endpoint(harness_.service().endpoint());
  });
  // Takes the tag away, as if somebody else had made it.
  harness_.service().Control(R"({"untag": ")" + TrainingJobName(Id(1), 0) + R"("})");
  const RunEnded ended = other.Run(spec);
  EXPECT_EQ(ended.outcome, Outcome::kFailed);
  EXPECT_THAT(ended.reason, HasSubstr("without our tag tuner:run"));
}

TEST_F(SageMakerTest, ARunThatWasAcceptedButNeverCreatedIsCreatedByTheNextServer) {
  harness_.service().Control(R"({"down": true})");
  const RunSpec spec = harness_.Scripted(Id(1), "log loss=1; succeed");
  ASSERT_TRUE(harness_.executor().Launch(spec).ok());
  harness_.Restart();
  harness_.service().Control(R"({"down": false})");
  const auto adopted = harness_.executor().Adopt({RunCursor{spec, false}});
  ASSERT_TRUE(adopted.ok()) << adopted.status();
  EXPECT_THAT(*adopted, ElementsAre(true));
  EXPECT_EQ(harness_.recorder().AwaitEnded(Id(1)).outcome, Outcome::kSucceeded);
  EXPECT_EQ(harness_.Starts(Id(1)), 1);
}

TEST_F(SageMakerTest, AnEndThatCameWhileNobodyWatchedIsToldOnce) {
  const RunSpec spec =
      harness_.Scripted(Id(1), "log loss=1; wait 0.2; log loss=2; fail AlgorithmError: bang, exit code: 7");
  ASSERT_TRUE(harness_.executor().Launch(spec).ok());
  ASSERT_TRUE(harness_.recorder().Await(Id(1), [](const auto& seen) { return seen.measurements.size() == 1; }));
  RunCursor cursor{spec, true};
  cursor.spec.cursor = harness_.recorder().Get(Id(1)).cursor;
  harness_.Restart();
  ASSERT_TRUE(harness_.executor().Adopt({cursor}).ok());
  const RunEnded ended = harness_.recorder().AwaitEnded(Id(1));
  EXPECT_EQ(ended.outcome, Outcome::kFailed);
  EXPECT_EQ(ended.exit_code, 7);
  EXPECT_THAT(ended.reason, AllOf(HasSubstr("AlgorithmError: bang"), HasSubstr("its log ends with:\nloss=1\nloss=2")));
  ASSERT_EQ(ValuesOf(Id(1)), std::vector<double>{2});
  EXPECT_EQ(harness_.recorder().Get(Id(1)).measurements[0].step, 2);
  EXPECT_EQ(harness_.recorder().Get(Id(1)).ends, 1);
}

TEST_F(SageMakerTest, ADeadServiceEndsNothingAndItsReturnIsNoticed) {
  ASSERT_TRUE(harness_.executor().Launch(harness_.Scripted(Id(1), "log loss=1; wait 0.3; log loss=2; succeed")).ok());
  ASSERT_TRUE(harness_.recorder().AwaitStarted(Id(1)));
  harness_.service().Control(R"({"down": true})");
  ASSERT_TRUE(harness_.executor().Launch(harness_.Scripted(Id(2), "succeed")).ok());
  harness_.service().Control(R"({"down": false})");
  EXPECT_EQ(harness_.recorder().AwaitEnded(Id(1)).outcome, Outcome::kSucceeded);
  EXPECT_EQ(harness_.recorder().AwaitEnded(Id(2)).outcome, Outcome::kSucceeded);
  EXPECT_THAT(ValuesOf(Id(1)), ElementsAre(1, 2));
}

TEST_F(SageMakerTest, OutcomesSayWhoEndedIt) {
  const RunEnded timed_out = harness_.Run(harness_.Scripted(Id(1), "log loss=1; timeout"));
  EXPECT_EQ(timed_out.outcome, Outcome::kTimedOut);
  EXPECT_THAT(timed_out.reason, HasSubstr("time limit of 24h"));
  const RunEnded lost =
      harness_.Run(harness_.Scripted(Id(2), "fail InternalServerError: We encountered an internal error"));
  EXPECT_EQ(lost.outcome, Outcome::kLost);
  const RunEnded client = harness_.Run(harness_.Scripted(Id(3), "fail ClientError: No S3 objects found"));
  EXPECT_EQ(client.outcome, Outcome::kFailed);
  const RunEnded waited = harness_.Run(harness_.Scripted(Id(4), "maxwait"));
  EXPECT_EQ(waited.outcome, Outcome::kFailed);
  EXPECT_THAT(waited.reason, HasSubstr("max_wait"));
  const RunEnded gone = harness_.Run(harness_.Scripted(Id(5), "wait 0.1; vanish"));
  EXPECT_EQ(gone.outcome, Outcome::kLost);
  EXPECT_THAT(gone.reason, HasSubstr("no training job"));
}

TEST_F(SageMakerTest, ASlowStopIsWaitedFor) {
  ASSERT_TRUE(harness_.executor().Launch(harness_.Scripted(Id(1), "log loss=4; slowstop 0.3; hang")).ok());
  ASSERT_TRUE(harness_.recorder().AwaitStarted(Id(1)));
  ASSERT_TRUE(harness_.executor().Stop(Id(1), absl::Seconds(1)).ok());
  ASSERT_TRUE(harness_.executor().Stop(Id(1), absl::Seconds(1)).ok());
  EXPECT_EQ(harness_.recorder().AwaitEnded(Id(1)).outcome, Outcome::kStopped);
  EXPECT_EQ(harness_.service().Calls("StopTrainingJob"), 1);
  EXPECT_THAT(ValuesOf(Id(1)), ElementsAre(4));
}

TEST_F(SageMakerTest, TheFinalValueCountsThoughTheLogIsRefused) {
  harness_.service().Control(
      R"({"refuse": {"GetLogEvents": ["AccessDeniedException", "no logs:GetLogEvents"],
                     "DescribeLogStreams": ["AccessDeniedException", "no logs:DescribeLogStreams"]}})");
  const RunEnded ended = harness_.Run(harness_.Scripted(Id(1), "log loss=0.5; log loss=0.1; succeed"));
  EXPECT_EQ(ended.outcome, Outcome::kSucceeded);
  EXPECT_THAT(ended.reason, HasSubstr("its log could not be read"));
  ASSERT_EQ(ValuesOf(Id(1)).size(), 1u);
  EXPECT_FLOAT_EQ(static_cast<float>(ValuesOf(Id(1))[0]), 0.1f);
}

TEST_F(SageMakerTest, LinesThatComeLateAreWaitedFor) {
  const RunEnded ended = harness_.Run(harness_.Scripted(Id(1), "log loss=0.5; late loss=0.25; succeed"));
  EXPECT_EQ(ended.outcome, Outcome::kSucceeded);
  EXPECT_THAT(ValuesOf(Id(1)), ElementsAre(0.5, 0.25));
}

TEST_F(SageMakerTest, ChannelsAndCodeAreUploadedOnceForAllTrials) {
  const std::string source = harness_.data_dir() + "/source";
  ASSERT_TRUE(MakeFolder(source).ok());
  ASSERT_TRUE(WriteFile(source + "/train.py", "print('hello')\n").ok());
  ASSERT_TRUE(WriteFile(harness_.data_dir() + "/data.csv", "1,2\n").ok());
  for (int trial = 1; trial <= 4; ++trial) {
    RunSpec spec = harness_.Scripted(Id(trial), "succeed", [](v1::SageMakerExecutor& options) {
      options.set_entry_point("train.py");
      options.set_source_dir("source");
    });
    spec.base_dir = harness_.data_dir();
    core::Channel local, remote;
    local.name = "train";
    local.path = "data.csv";
    remote.name = "test";
    remote.s3_uri = "s3://bucket/test";
    remote.sharded = true;
    remote.input_mode = core::Channel::InputMode::kFastFile;
    spec.inputs = {local, remote};
    const RunEnded ended = harness_.Run(spec);
    ASSERT_EQ(ended.outcome, Outcome::kSucceeded) << ended.reason;
  }
  EXPECT_EQ(harness_.service().Calls("S3.PUT"), 2);
  const json request = JobOf(Id(4))["request"];
  const json first = request["InputDataConfig"][0]["DataSource"]["S3DataSource"];
  const json second = request["InputDataConfig"][1];
  EXPECT_THAT(first["S3Uri"].get<std::string>(), testing::MatchesRegex("s3://bucket/out/tuner-uploads/[0-9a-f]{64}/"));
  EXPECT_EQ(second["DataSource"]["S3DataSource"]["S3Uri"], "s3://bucket/test");
  EXPECT_EQ(second["DataSource"]["S3DataSource"]["S3DataDistributionType"], "ShardedByS3Key");
  EXPECT_EQ(second["InputMode"], "FastFile");
  EXPECT_EQ(request["HyperParameters"]["sagemaker_program"], "\"train.py\"");
  EXPECT_THAT(request["HyperParameters"]["sagemaker_submit_directory"].get<std::string>(),
              testing::MatchesRegex("\"s3://bucket/out/tuner-uploads/[0-9a-f]{64}/sourcedir.tar.gz\""));
}

TEST_F(SageMakerTest, WhatCannotRunIsRefusedAtOnce) {
  RunSpec spec = harness_.Scripted(Id(1), "succeed");
  core::Channel missing;
  missing.name = "train";
  missing.path = "/nowhere/at/all";
  spec.inputs = {missing};
  EXPECT_TRUE(absl::IsInvalidArgument(harness_.executor().Launch(spec)));
  spec = harness_.Scripted(Id(1), "succeed");
  spec.static_parameters["text"] = std::string(3000, 'x');
  EXPECT_TRUE(absl::IsInvalidArgument(harness_.executor().Launch(spec)));
  EXPECT_EQ(harness_.service().Calls("CreateTrainingJob"), 0);
}

TEST_F(SageMakerTest, ARefusalOfTheServiceIsTheTrialsReason) {
  harness_.service().Control(
      R"({"refuse": {"CreateTrainingJob": ["AccessDeniedException", "User is not authorized to perform: iam:PassRole"]}})");
  const RunEnded ended = harness_.Run(harness_.Scripted(Id(1), "succeed"));
  EXPECT_EQ(ended.outcome, Outcome::kFailed);
  EXPECT_THAT(ended.reason, AllOf(HasSubstr("iam:PassRole"), Not(HasSubstr("planted-secret"))));
}

TEST_F(SageMakerTest, AHundredRunsAreAskedAboutByOneCallInEachInterval) {
  constexpr int kRuns = 100, kRounds = 3;
  constexpr double kInterval = 0.2;
  for (int round = 0; round < kRounds; ++round) {
    for (int trial = 1; trial <= kRuns; ++trial) {
      const RunSpec spec = harness_.Scripted(
          Id(trial, round + 1), "log loss=1; wait 0.3; log loss=2; succeed",
          [](v1::SageMakerExecutor& options) { options.mutable_poll_interval()->set_nanos(200'000'000); });
      ASSERT_TRUE(harness_.executor().Launch(spec).ok());
    }
    for (int trial = 1; trial <= kRuns; ++trial) {
      EXPECT_EQ(harness_.recorder().AwaitEnded(Id(trial, round + 1)).outcome, Outcome::kSucceeded);
      EXPECT_THAT(ValuesOf(Id(trial, round + 1)), ElementsAre(1, 2));
    }
  }
  const json stats = json::parse(harness_.service().Stats());
  int polls = 0;
  for (const char* operation : {"ListTrainingJobs", "DescribeTrainingJob", "Search"})
    polls += stats["calls"].value(operation, 0);
  const double seconds = stats["timeline"].back()[0].get<double>() - stats["timeline"].front()[0].get<double>();
  EXPECT_LE(polls, seconds / kInterval + 2) << stats["calls"];
  EXPECT_GE(polls, 2 * kRounds);
}

TEST_F(SageMakerTest, WithoutTheRightToListEachIsDescribed) {
  harness_.service().Control(R"({"refuse": {"ListTrainingJobs": ["AccessDeniedException", "no"],
                                            "Search": ["AccessDeniedException", "no"]}})");
  for (int trial = 1; trial <= 3; ++trial)
    ASSERT_TRUE(harness_.executor().Launch(harness_.Scripted(Id(trial), "log loss=1; wait 0.2; succeed")).ok());
  for (int trial = 1; trial <= 3; ++trial)
    EXPECT_EQ(harness_.recorder().AwaitEnded(Id(trial)).outcome, Outcome::kSucceeded);
}

TEST_F(SageMakerTest, RunsAreSearchedForTogetherAndOneByOneWhereThatIsDenied) {
  for (const bool denied : {false, true}) {
    if (denied) harness_.service().Control(R"({"refuse": {"Search": ["AccessDeniedException", "no"]}})");
    const int describes = harness_.service().Calls("DescribeTrainingJob");
    for (int trial = 1; trial <= 30; ++trial) {
      ASSERT_TRUE(harness_.executor()
                      .Launch(harness_.Scripted({"job", "uid-1", trial + (denied ? 100 : 0), 1},
                                                "log loss=1; wait 0.3; log loss=2; succeed"))
                      .ok());
    }
    for (int trial = 1; trial <= 30; ++trial) {
      const RunId id = {"job", "uid-1", trial + (denied ? 100 : 0), 1};
      EXPECT_EQ(harness_.recorder().AwaitEnded(id).outcome, Outcome::kSucceeded);
      EXPECT_THAT(ValuesOf(id), ElementsAre(1, 2));
    }
    if (denied) {
      EXPECT_GE(harness_.service().Calls("DescribeTrainingJob") - describes, 30);
    } else {
      EXPECT_GE(harness_.service().Calls("Search"), 1);
      EXPECT_LT(harness_.service().Calls("DescribeTrainingJob") - describes, 30);
    }
  }
}

}  // namespace
}  // namespace tuner::executors
