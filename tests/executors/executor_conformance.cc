#include "tests/executors/executor_conformance.h"

#include "gmock/gmock.h"

namespace tuner::executors {
namespace {

using Outcome = RunEnded::Outcome;
using testing::ElementsAre;
using testing::HasSubstr;

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ExecutorConformance);

std::vector<std::pair<int64_t, double>> StepsAndValues(const std::vector<core::Measurement>& measurements) {
  std::vector<std::pair<int64_t, double>> pairs;
  for (const core::Measurement& measurement : measurements) pairs.emplace_back(measurement.step, measurement.value);
  return pairs;
}

TEST_P(ExecutorConformance, TellsStartThenSuccess) {
  Launch(id_, Script::kSucceed);
  const RunEnded ended = recorder().AwaitEnded(id_);
  EXPECT_EQ(ended.outcome, Outcome::kSucceeded) << ended.reason;
  EXPECT_EQ(ended.exit_code, 0);
  EXPECT_FALSE(ended.reason.empty());
  EXPECT_THAT(recorder().Get(id_).order, ElementsAre("started", "ended"));
}

TEST_P(ExecutorConformance, AFailureIsDataWithItsReason) {
  Launch(id_, Script::kFail);
  const RunEnded ended = recorder().AwaitEnded(id_);
  EXPECT_EQ(ended.outcome, Outcome::kFailed);
  EXPECT_THAT(ended.reason, HasSubstr("no luck"));
}

TEST_P(ExecutorConformance, MetricsComeInOrderBeforeTheEnd) {
  if (!executor().capabilities().scans_output) GTEST_SKIP() << "scans_output";
  Launch(id_, Script::kMetrics);
  recorder().AwaitEnded(id_);
  const RunRecorder::Seen seen = recorder().Get(id_);
  EXPECT_EQ(seen.order.back(), "ended");
  EXPECT_THAT(StepsAndValues(seen.measurements),
              ElementsAre(std::pair(int64_t{1}, 0.5), std::pair(int64_t{2}, 0.25), std::pair(int64_t{3}, 0.125)));
  EXPECT_EQ(seen.measurements[0].attempt, 1);
  EXPECT_EQ(seen.measurements[0].source, core::MeasurementSource::kScanned);
}

TEST_P(ExecutorConformance, LaunchIsIdempotentWhileItRuns) {
  LaunchAndAwaitItsScript(id_);
  EXPECT_TRUE(executor().Launch(harness_->Spec(id_, Script::kMetricsThenWait)).ok());
  ASSERT_TRUE(executor().Stop(id_, absl::Seconds(5)).ok());
  recorder().AwaitEnded(id_);
  EXPECT_EQ(harness_->Starts(id_), 1);
  EXPECT_EQ(recorder().Get(id_).ends, 1);
}

TEST_P(ExecutorConformance, LaunchIsIdempotentAfterTheEnd) {
  Launch(id_, Script::kSucceed);
  recorder().AwaitEnded(id_);
  EXPECT_TRUE(executor().Launch(harness_->Spec(id_, Script::kSucceed)).ok());
  // Another run's end shows that nothing more comes of the first.
  const RunId other = {"job", "uid-1", 2, 1};
  Launch(other, Script::kSucceed);
  recorder().AwaitEnded(other);
  EXPECT_EQ(harness_->Starts(id_), 1);
  EXPECT_EQ(recorder().Get(id_).ends, 1);
}

TEST_P(ExecutorConformance, AnAcknowledgedEndStaysOne) {
  executor().Acknowledge(id_);  // of an unknown run
  Launch(id_, Script::kSucceed);
  recorder().AwaitEnded(id_);
  executor().Acknowledge(id_);
  executor().Acknowledge(id_);
  EXPECT_TRUE(executor().Launch(harness_->Spec(id_, Script::kSucceed)).ok());
  EXPECT_EQ(executor().Stop(id_, absl::Seconds(5)).code(), absl::StatusCode::kNotFound);
  const RunId other = {"job", "uid-1", 2, 1};
  Launch(other, Script::kSucceed);
  recorder().AwaitEnded(other);
  EXPECT_EQ(harness_->Starts(id_), 1);
  EXPECT_EQ(recorder().Get(id_).ends, 1);
}

TEST_P(ExecutorConformance, AttemptsAreRunsOfTheirOwn) {
  Launch(id_, Script::kFail);
  recorder().AwaitEnded(id_);
  const RunId second = {"job", "uid-1", 1, 2};
  Launch(second, Script::kSucceed);
  EXPECT_EQ(recorder().AwaitEnded(second).outcome, Outcome::kSucceeded);
}

TEST_P(ExecutorConformance, StopEndsTheRun) {
  Launch(id_, Script::kWait);
  ASSERT_TRUE(recorder().AwaitStarted(id_));
  ASSERT_TRUE(executor().Stop(id_, absl::Seconds(5)).ok());
  EXPECT_EQ(recorder().AwaitEnded(id_).outcome, Outcome::kStopped);
  EXPECT_EQ(executor().Stop(id_, absl::Seconds(5)).code(), absl::StatusCode::kNotFound);
}

TEST_P(ExecutorConformance, StopBeforeTheStartIsNotLost) {
  ASSERT_TRUE(executor().Launch(harness_->Spec(id_, Script::kWait)).ok());
  ASSERT_TRUE(executor().Stop(id_, absl::Seconds(5)).ok());
  EXPECT_EQ(recorder().AwaitEnded(id_).outcome, Outcome::kStopped);
}

TEST_P(ExecutorConformance, StopOfAnUnknownRunIsNotFound) {
  EXPECT_EQ(executor().Stop(id_, absl::Seconds(1)).code(), absl::StatusCode::kNotFound);
}

TEST_P(ExecutorConformance, AdoptKnowsOnlyWhatWasAccepted) {
  Launch(id_, Script::kWait);
  ASSERT_TRUE(recorder().AwaitStarted(id_));
  harness_->Restart();
  const RunCursor known = {harness_->Spec(id_, Script::kWait), true};
  const RunCursor unknown = {harness_->Spec({"job", "uid-1", 2, 1}, Script::kWait), false};
  const RunCursor of_another_job = {harness_->Spec({"job", "uid-2", 1, 1}, Script::kWait), false};
  const absl::StatusOr<std::vector<bool>> adopted = executor().Adopt({known, unknown, of_another_job});
  ASSERT_TRUE(adopted.ok()) << adopted.status();
  const bool survives = executor().capabilities().survives_server;
  EXPECT_THAT(*adopted, ElementsAre(survives, false, false));
  if (!survives) return;
  ASSERT_TRUE(executor().Stop(id_, absl::Seconds(5)).ok());
  EXPECT_EQ(recorder().AwaitEnded(id_).outcome, Outcome::kStopped);
  EXPECT_THAT(recorder().Get(id_).order, ElementsAre("ended"));
}

TEST_P(ExecutorConformance, AdoptTellsOnlyWhatTheCursorHasNot) {
  if (!executor().capabilities().survives_server) GTEST_SKIP() << "survives_server";
  Launch(id_, Script::kMetricsThenWait);
  ASSERT_TRUE(recorder().Await(id_, [](const RunRecorder::Seen& seen) { return seen.measurements.size() == 3; }));
  const core::ScanCursor cursor = recorder().Get(id_).cursor;
  harness_->Restart();
  RunCursor run = {harness_->Spec(id_, Script::kMetricsThenWait), true};
  run.spec.cursor = cursor;
  ASSERT_TRUE(executor().Adopt({run}).ok());
  ASSERT_TRUE(executor().Stop(id_, absl::Seconds(5)).ok());
  recorder().AwaitEnded(id_);
  EXPECT_TRUE(recorder().Get(id_).measurements.empty());
}

TEST_P(ExecutorConformance, AdoptTellsAgainWhatWasNotCommitted) {
  if (!executor().capabilities().survives_server) GTEST_SKIP() << "survives_server";
  Launch(id_, Script::kMetrics);
  recorder().AwaitEnded(id_);
  harness_->Restart();
  ASSERT_TRUE(executor().Adopt({RunCursor{harness_->Spec(id_, Script::kMetrics), false}}).ok());
  EXPECT_EQ(recorder().AwaitEnded(id_).outcome, Outcome::kSucceeded);
  const RunRecorder::Seen seen = recorder().Get(id_);
  EXPECT_EQ(seen.order.front(), "started");
  EXPECT_THAT(StepsAndValues(seen.measurements),
              ElementsAre(std::pair(int64_t{1}, 0.5), std::pair(int64_t{2}, 0.25), std::pair(int64_t{3}, 0.125)));
  EXPECT_EQ(seen.ends, 1);
}

TEST_P(ExecutorConformance, LaunchAgainAfterARestartStartsNothing) {
  if (!executor().capabilities().survives_server) GTEST_SKIP() << "survives_server";
  LaunchAndAwaitItsScript(id_);
  harness_->Restart();
  ASSERT_TRUE(executor().Launch(harness_->Spec(id_, Script::kMetricsThenWait)).ok());
  ASSERT_TRUE(executor().Stop(id_, absl::Seconds(5)).ok());
  EXPECT_EQ(recorder().AwaitEnded(id_).outcome, Outcome::kStopped);
  EXPECT_EQ(harness_->Starts(id_), 1);
}

TEST_P(ExecutorConformance, WhatIsRemovedOfARunIsNotTheMemoryOfIt) {
  Launch(id_, Script::kSucceed);
  recorder().AwaitEnded(id_);
  executor().Acknowledge(id_);
  const RunSpec spec = harness_->Spec(id_, Script::kSucceed);
  const absl::Status removed = executor().RemoveArtifacts(spec, /*with_logs=*/false);
  if (absl::IsUnimplemented(removed)) GTEST_SKIP() << "it removes no artefacts";
  ASSERT_TRUE(removed.ok()) << removed;
  EXPECT_TRUE(executor().RemoveArtifacts(spec, /*with_logs=*/true).ok()) << "again";
  EXPECT_TRUE(executor().RemoveArtifacts(harness_->Spec({"job", "uid-1", 9, 1}, Script::kSucceed), false).ok())
      << "of a run that never was";
  EXPECT_TRUE(executor().Launch(spec).ok());
  const RunId other = {"job", "uid-1", 2, 1};
  Launch(other, Script::kSucceed);
  recorder().AwaitEnded(other);
  EXPECT_EQ(harness_->Starts(id_), 1);
  EXPECT_EQ(recorder().Get(id_).ends, 1);
}

TEST_P(ExecutorConformance, RemoveForgetsTheJob) {
  Launch(id_, Script::kSucceed);
  recorder().AwaitEnded(id_);
  ASSERT_TRUE(executor().Remove("job", "uid-1").ok());
  harness_->Restart();
  const absl::StatusOr<std::vector<bool>> adopted =
      executor().Adopt({RunCursor{harness_->Spec(id_, Script::kSucceed), true}});
  ASSERT_TRUE(adopted.ok());
  EXPECT_THAT(*adopted, ElementsAre(false));
}

TEST_P(ExecutorConformance, ManyRunsAtOnceEachEndOnce) {
  constexpr int kRuns = 20;
  for (int trial = 1; trial <= kRuns; ++trial) {
    Launch({"job", "uid-1", trial, 1}, trial % 2 == 0 ? Script::kSucceed : Script::kFail);
  }
  for (int trial = 1; trial <= kRuns; ++trial) {
    const RunId id = {"job", "uid-1", trial, 1};
    EXPECT_EQ(recorder().AwaitEnded(id).outcome, trial % 2 == 0 ? Outcome::kSucceeded : Outcome::kFailed);
    EXPECT_EQ(recorder().Get(id).ends, 1);
  }
}

}  // namespace
}  // namespace tuner::executors
