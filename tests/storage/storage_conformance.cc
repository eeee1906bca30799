#include "tests/storage/storage_conformance.h"

#include <gmock/gmock.h>

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/storage/sample_data.h"

namespace tuner::storage {

using absl::StatusCode;
using core::TrialState;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

Epoch StorageConformance::CreateOwned(const std::string& job_id) {
  EXPECT_TRUE(storage().CreateJob(SampleHeader(job_id)).ok());
  const absl::StatusOr<Epoch> epoch = storage().AcquireJob(job_id, "server", At(0), absl::Hours(1));
  EXPECT_TRUE(epoch.ok()) << epoch.status();
  return epoch.value_or(0);
}

absl::Status StorageConformance::CommitNow(const std::string& job_id, Epoch epoch, core::Changes changes) {
  const absl::StatusOr<JobRecord> job = storage().ReadJob(job_id);
  if (!job.ok()) return job.status();
  const std::vector<JobCommit> commits = {{job_id, job->revision, epoch, std::move(changes)}};
  return storage().Commit(commits).front();
}

namespace {

// Jobs

TEST_P(StorageConformance, KeepsACreatedJob) {
  ASSERT_TRUE(storage().CreateJob(SampleHeader("a")).ok());
  Reopen();
  const absl::StatusOr<JobRecord> job = storage().ReadJob("a");
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->revision, 1);
  EXPECT_EQ(Text(job->header), Text(SampleHeader("a")));
  const absl::StatusOr<LoadedJob> loaded = storage().LoadJob("a");
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(Text(loaded->record), Text(*job));
  EXPECT_THAT(loaded->trials, IsEmpty());
}

std::string ParentsText(const core::ParentJobs& parents) {
  std::string text;
  for (const core::ParentJob& parent : parents) {
    absl::StrAppend(&text, parent.job_id, " ", parent.uid, "\n");
    for (const auto& [name, value] : parent.static_parameters) {
      absl::StrAppend(&text, name, "=", core::FormatValue(value), "\n");
    }
    for (const core::Trial& trial : parent.trials) absl::StrAppend(&text, Text(trial), "\n");
  }
  return text;
}

TEST_P(StorageConformance, KeepsWhatAJobKnowsOfItsParents) {
  const core::ParentJobs parents = {
      {"b", "uid-b", {{"mode", std::string("fast")}, {"rate", 0.5}}, {SampleTrial(1, TrialState::kCompleted)}},
      {"a", "uid-a", {}, {SampleTrial(2, TrialState::kFailed), SampleTrial(3, TrialState::kCompleted)}}};
  for (const char* name : {"a", "b"}) ASSERT_TRUE(storage().CreateJob(SampleHeader(name)).ok());
  ASSERT_TRUE(storage().CreateJob(SampleHeader("first"), parents).ok());
  ASSERT_TRUE(storage().CreateJob(SampleHeader("second"), {parents[1]}).ok());
  EXPECT_EQ(storage().CreateJob(SampleHeader("first"), {}).code(), StatusCode::kAlreadyExists);
  Reopen();
  EXPECT_EQ(ParentsText(storage().ReadParents("first").value()), ParentsText(parents));
  EXPECT_EQ(ParentsText(storage().ReadParents("second").value()), ParentsText({parents[1]}));
  EXPECT_THAT(storage().ReadParents("a").value(), IsEmpty());
  EXPECT_EQ(storage().ReadParents("none").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(storage().ReadParents("").status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(storage().ListChildren("uid-a", 10).value(), ElementsAre("second", "first"));
  EXPECT_THAT(storage().ListChildren("uid-a", 1).value(), ElementsAre("second"));
  EXPECT_THAT(storage().ListChildren("uid-b", 10).value(), ElementsAre("first"));
  EXPECT_THAT(storage().ListChildren("uid-first", 10).value(), IsEmpty());
  EXPECT_EQ(storage().ListChildren("uid-a", 0).status().code(), StatusCode::kInvalidArgument);
  // A parent may go; a child takes what it kept with it.
  ASSERT_TRUE(storage().DeleteJob("a").ok());
  EXPECT_EQ(ParentsText(storage().ReadParents("first").value()), ParentsText(parents));
  ASSERT_TRUE(storage().DeleteJob("first").ok());
  EXPECT_THAT(storage().ListChildren("uid-a", 10).value(), ElementsAre("second"));
  EXPECT_THAT(storage().ListChildren("uid-b", 10).value(), IsEmpty());
  ASSERT_TRUE(storage().CreateJob(SampleHeader("first")).ok());
  EXPECT_THAT(storage().ReadParents("first").value(), IsEmpty());
}

TEST_P(StorageConformance, RefusesASecondJobOfTheSameName) {
  ASSERT_TRUE(storage().CreateJob(SampleHeader("a")).ok());
  core::JobHeader other = SampleHeader("a");
  other.uid = "another";
  EXPECT_EQ(storage().CreateJob(other).code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(storage().ReadJob("a")->header.uid, "uid-a");
}

TEST_P(StorageConformance, RefusesAnEmptyJobId) {
  EXPECT_EQ(storage().CreateJob(SampleHeader("")).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(storage().LoadJob("").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(storage().ReadJob("").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(storage().ReadChanges("", 0, 1).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(storage().ReadTrial("", 1).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(storage().ReadTrials("", {}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(storage().DeleteJob("").code(), StatusCode::kInvalidArgument);
}

TEST_P(StorageConformance, NamesAJobThatIsMissing) {
  const std::vector<JobCommit> commits = {{"gone", 1, 1, {}}};
  for (const absl::Status& status :
       {storage().LoadJob("gone").status(), storage().ReadJob("gone").status(), storage().Commit(commits).front(),
        storage().ReadChanges("gone", 0, 1).status(), storage().ReadTrial("gone", 1).status(),
        storage().ReadTrials("gone", {}).status(), storage().ListTrials({.job_id = "gone"}).status(),
        storage().DeleteJob("gone"), storage().ReleaseJob("gone", 1),
        storage().AcquireJob("gone", "server", At(0), absl::Seconds(1)).status()}) {
    EXPECT_EQ(status.code(), StatusCode::kNotFound);
    EXPECT_THAT(std::string(status.message()), HasSubstr("gone"));
  }
}

TEST_P(StorageConformance, DeletesAJobWithAllThatBelongsToIt) {
  const Epoch epoch = CreateOwned("a");
  CreateOwned("b");
  ASSERT_TRUE(CommitNow("a", epoch, {core::TrialPut{SampleTrial(1)}, SampleMeasurement(1, 1, 0.5)}).ok());
  ASSERT_TRUE(storage().DeleteJob("a").ok());
  Reopen();
  EXPECT_EQ(storage().ReadJob("a").status().code(), StatusCode::kNotFound);
  EXPECT_TRUE(storage().ReadJob("b").ok());
  EXPECT_THAT(storage().ListTrials({})->entries, IsEmpty());

  // A new job of that name begins from nothing.
  ASSERT_TRUE(storage().CreateJob(SampleHeader("a")).ok());
  EXPECT_EQ(storage().ReadJob("a")->revision, 1);
  EXPECT_EQ(storage().ReadTrial("a", 1).status().code(), StatusCode::kNotFound);
  EXPECT_THAT(storage().ReadChanges("a", 0, 10)->entries, SizeIs(1));
  EXPECT_EQ(storage().AcquireJob("a", "another server", At(0), absl::Seconds(1)).value(), 1);
}

// Commits

TEST_P(StorageConformance, KeepsWhatWasCommitted) {
  const Epoch epoch = CreateOwned("a");
  core::JobHeader header = SampleHeader("a");
  header.spec_bytes = "another specification";
  header.status = core::JobStatus::kStopping;
  header.best_objective = 0.25;
  const core::Changes changes = {core::JobPut{header}, core::TrialPut{SampleTrial(1)}, SampleMeasurement(1, 3, 0.5),
                                 SampleMeasurement(1, 1, 0.75), core::TrialPut{SampleTrial(2, TrialState::kCompleted)}};
  ASSERT_TRUE(CommitNow("a", epoch, changes).ok());
  Reopen();
  const absl::StatusOr<LoadedJob> job = storage().LoadJob("a");
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->record.revision, 2);
  EXPECT_EQ(Text(job->record.header), Text(header));
  ASSERT_THAT(job->trials, SizeIs(2));
  EXPECT_EQ(Text(job->trials[0]), Text(SampleTrial(1)));
  EXPECT_EQ(Text(job->trials[1]), Text(SampleTrial(2, TrialState::kCompleted)));
  ASSERT_THAT(job->measurements, SizeIs(2));
  EXPECT_EQ(Text(job->measurements[0]), Text(SampleMeasurement(1, 3, 0.5)));
  EXPECT_EQ(Text(job->measurements[1]), Text(SampleMeasurement(1, 1, 0.75)));
}

TEST_P(StorageConformance, ReplacesWhatWasThere) {
  const Epoch epoch = CreateOwned("a");
  ASSERT_TRUE(
      CommitNow("a", epoch, {core::TrialPut{SampleTrial(1)}, SampleMeasurement(1, 1, 1), SampleMeasurement(1, 2, 2)})
          .ok());
  core::Trial trial = SampleTrial(1, TrialState::kStopping);
  trial.reason = "asked to";
  // The same key again replaces the value and keeps its place; within a commit, the last one wins.
  ASSERT_TRUE(CommitNow("a", epoch,
                        {core::TrialPut{SampleTrial(1)}, core::TrialPut{trial}, SampleMeasurement(1, 1, 7),
                         SampleMeasurement(1, 1, 8)})
                  .ok());
  const absl::StatusOr<TrialPage::Entry> entry = storage().ReadTrial("a", 1);
  ASSERT_TRUE(entry.ok());
  EXPECT_EQ(Text(entry->trial), Text(trial));
  ASSERT_THAT(entry->measurements, SizeIs(2));
  EXPECT_EQ(Text(entry->measurements[0]), Text(SampleMeasurement(1, 1, 8).measurement));
  EXPECT_EQ(Text(entry->measurements[1]), Text(SampleMeasurement(1, 2, 2).measurement));
}

TEST_P(StorageConformance, TellsMeasurementsApartByEachPartOfTheirKey) {
  const Epoch epoch = CreateOwned("a");
  core::MeasurementPut first = SampleMeasurement(1, 1, 0);
  core::MeasurementPut other_metric = first;
  other_metric.measurement.metric = "accuracy";
  core::MeasurementPut other_attempt = first;
  other_attempt.measurement.attempt = 2;
  const core::Changes changes = {core::TrialPut{SampleTrial(1)}, first, other_metric, other_attempt,
                                 SampleMeasurement(1, 2, 0)};
  ASSERT_TRUE(CommitNow("a", epoch, changes).ok());
  EXPECT_THAT(storage().ReadTrial("a", 1)->measurements, SizeIs(4));
}

TEST_P(StorageConformance, LoadsMeasurementsOfUnfinishedTrialsOnly) {
  const Epoch epoch = CreateOwned("a");
  ASSERT_TRUE(CommitNow("a", epoch,
                        {core::TrialPut{SampleTrial(1)}, core::TrialPut{SampleTrial(2)}, SampleMeasurement(2, 1, 1),
                         SampleMeasurement(1, 1, 1)})
                  .ok());
  ASSERT_TRUE(
      CommitNow("a", epoch, {core::TrialPut{SampleTrial(2, TrialState::kFailed)}, SampleMeasurement(1, 2, 2)}).ok());
  const absl::StatusOr<LoadedJob> job = storage().LoadJob("a");
  ASSERT_TRUE(job.ok());
  ASSERT_THAT(job->measurements, SizeIs(2));
  EXPECT_EQ(job->measurements[0].trial, 1);
  EXPECT_EQ(job->measurements[1].measurement.step, 2);
  EXPECT_THAT(storage().ReadTrial("a", 2)->measurements, SizeIs(1));
}

TEST_P(StorageConformance, ReadsTrialsByTheirNumbers) {
  const Epoch epoch = CreateOwned("a");
  ASSERT_TRUE(
      CommitNow("a", epoch,
                {core::TrialPut{SampleTrial(1)}, core::TrialPut{SampleTrial(2)}, core::TrialPut{SampleTrial(3)}})
          .ok());
  ASSERT_TRUE(CommitNow("a", epoch, {core::TrialPut{SampleTrial(3, TrialState::kFailed)}}).ok());
  const absl::StatusOr<std::vector<core::Trial>> trials = storage().ReadTrials("a", {3, 1});
  ASSERT_TRUE(trials.ok()) << trials.status();
  ASSERT_THAT(*trials, SizeIs(2));
  EXPECT_EQ((*trials)[0].number, 3);
  EXPECT_EQ((*trials)[0].state, TrialState::kFailed);
  EXPECT_EQ((*trials)[1].number, 1);
  EXPECT_THAT(storage().ReadTrials("a", {}).value(), IsEmpty());
  EXPECT_EQ(storage().ReadTrials("a", {1, 4}).status().code(), StatusCode::kNotFound);
}

TEST_P(StorageConformance, KeepsNotANumberAndInfinities) {
  const Epoch epoch = CreateOwned("a");
  ASSERT_TRUE(CommitNow("a", epoch,
                        {core::TrialPut{SampleTrial(1)}, SampleMeasurement(1, 1, std::nan("")),
                         SampleMeasurement(1, 2, -HUGE_VAL)})
                  .ok());
  Reopen();
  const std::vector<core::Measurement> measurements = storage().ReadTrial("a", 1)->measurements;
  ASSERT_THAT(measurements, SizeIs(2));
  EXPECT_TRUE(std::isnan(measurements[0].value));
  EXPECT_EQ(measurements[1].value, -HUGE_VAL);
}

TEST_P(StorageConformance, ReturnsCopies) {
  const Epoch epoch = CreateOwned("a");
  core::Changes changes = {core::TrialPut{SampleTrial(1)}};
  ASSERT_TRUE(CommitNow("a", epoch, changes).ok());
  absl::StatusOr<LoadedJob> before = storage().LoadJob("a");
  ASSERT_TRUE(before.ok());
  const std::string text = Text(*before);
  // What was given is not borrowed ...
  std::get<core::TrialPut>(changes[0]).trial.reason = "changed by its owner";
  EXPECT_EQ(Text(*storage().LoadJob("a")), text);
  // ... what was returned does not change with the store ...
  ASSERT_TRUE(CommitNow("a", epoch, {core::TrialPut{SampleTrial(1, TrialState::kFailed)}}).ok());
  EXPECT_EQ(Text(*before), text);
  // ... nor the store with it.
  const std::string now = Text(*storage().LoadJob("a"));
  before->trials[0].number = 77;
  EXPECT_EQ(Text(*storage().LoadJob("a")), now);
}

TEST_P(StorageConformance, AnswersEachCommitOfAGroup) {
  const Epoch a = CreateOwned("a");
  const Epoch b = CreateOwned("b");
  const std::vector<JobCommit> commits = {
      {"a", 1, a, {core::TrialPut{SampleTrial(1)}}},
      {"gone", 1, 1, {core::TrialPut{SampleTrial(1)}}},
      {"a", 1, a, {core::TrialPut{SampleTrial(2)}}},  // the first one moved the revision
      {"a", 2, a, {core::TrialPut{SampleTrial(3)}}},
      {"b", 1, b + 1, {core::TrialPut{SampleTrial(1)}}},
      {"", 1, 1, {}},
      {"b", 1, b, {core::TrialPut{SampleTrial(0)}}},
      {"b", 1, b, {core::JobPut{SampleHeader("other")}}},
      {"b", 1, b, {core::TrialPut{SampleTrial(9)}}}};
  const std::vector<absl::Status> statuses = storage().Commit(commits);
  std::vector<StatusCode> codes;
  for (const absl::Status& status : statuses) codes.push_back(status.code());
  EXPECT_THAT(codes, ElementsAre(StatusCode::kOk, StatusCode::kNotFound, StatusCode::kAborted, StatusCode::kOk,
                                 StatusCode::kAborted, StatusCode::kInvalidArgument, StatusCode::kInvalidArgument,
                                 StatusCode::kInvalidArgument, StatusCode::kOk));
  Reopen();
  EXPECT_EQ(storage().ReadJob("a")->revision, 3);
  EXPECT_EQ(storage().ReadJob("b")->revision, 2);
  std::vector<std::string> stored;
  const absl::StatusOr<TrialPage> page = storage().ListTrials({});
  for (const TrialPage::Entry& entry : page->entries) {
    stored.push_back(absl::StrCat(entry.job_id, entry.trial.number));
  }
  EXPECT_THAT(stored, ElementsAre("a1", "a3", "b9"));
}

TEST_P(StorageConformance, TakesNoCommitsAndEmptyOnes) {
  EXPECT_THAT(storage().Commit({}), IsEmpty());
  const Epoch epoch = CreateOwned("a");
  EXPECT_TRUE(CommitNow("a", epoch, {}).ok());
  EXPECT_EQ(storage().ReadJob("a")->revision, 2);
}

TEST_P(StorageConformance, AbortsACommitOnAnOldOrFutureRevision) {
  const Epoch epoch = CreateOwned("a");
  ASSERT_TRUE(CommitNow("a", epoch, {core::TrialPut{SampleTrial(1)}}).ok());
  const std::string before = Text(*storage().LoadJob("a"));
  for (const Revision seen : {0, 1, 3}) {
    const std::vector<JobCommit> commits = {{"a", seen, epoch, {core::TrialPut{SampleTrial(2)}}}};
    EXPECT_EQ(storage().Commit(commits).front().code(), StatusCode::kAborted) << seen;
  }
  EXPECT_EQ(Text(*storage().LoadJob("a")), before);
}

// Ownership

TEST_P(StorageConformance, AbortsACommitOfAFormerOwner) {
  const Epoch epoch = CreateOwned("a");
  const absl::StatusOr<Epoch> next = storage().AcquireJob("a", "another", At(0) + absl::Hours(2), absl::Hours(1));
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(*next, epoch + 1);
  EXPECT_EQ(CommitNow("a", epoch, {core::TrialPut{SampleTrial(1)}}).code(), StatusCode::kAborted);
  EXPECT_EQ(CommitNow("a", *next + 1, {core::TrialPut{SampleTrial(1)}}).code(), StatusCode::kAborted);
  EXPECT_THAT(storage().LoadJob("a")->trials, IsEmpty());
  EXPECT_TRUE(CommitNow("a", *next, {core::TrialPut{SampleTrial(1)}}).ok());
}

TEST_P(StorageConformance, GivesAJobToOneServerAtATime) {
  const Epoch epoch = CreateOwned("a");
  Reopen();
  const absl::Status refused = storage().AcquireJob("a", "another", At(0) + absl::Minutes(59), absl::Hours(1)).status();
  EXPECT_EQ(refused.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("server"));
  // A refusal moves nothing.
  EXPECT_TRUE(CommitNow("a", epoch, {}).ok());
  // At the end of the lease it is free.
  EXPECT_TRUE(storage().AcquireJob("a", "another", At(0) + absl::Hours(1), absl::Hours(1)).ok());
}

TEST_P(StorageConformance, LetsItsOwnerAcquireAJobAgain) {
  const Epoch epoch = CreateOwned("a");
  EXPECT_EQ(storage().AcquireJob("a", "server", At(1), absl::Hours(2)).value(), epoch + 1);
  EXPECT_EQ(CommitNow("a", epoch, {}).code(), StatusCode::kAborted);
  EXPECT_TRUE(CommitNow("a", epoch + 1, {}).ok());
  // The lease is the new one.
  EXPECT_FALSE(storage().AcquireJob("a", "another", At(0) + absl::Hours(1), absl::Hours(1)).ok());
}

TEST_P(StorageConformance, ReleasesAJobForOthers) {
  const Epoch epoch = CreateOwned("a");
  EXPECT_EQ(storage().ReleaseJob("a", epoch - 1).code(), StatusCode::kAborted);
  EXPECT_FALSE(storage().AcquireJob("a", "another", At(0), absl::Hours(1)).ok());
  EXPECT_TRUE(storage().ReleaseJob("a", epoch).ok());
  EXPECT_EQ(storage().AcquireJob("a", "another", At(0), absl::Hours(1)).value(), epoch + 1);
  EXPECT_EQ(storage().ReleaseJob("a", epoch).code(), StatusCode::kAborted);
}

TEST_P(StorageConformance, AcquiringLeavesTheRevision) {
  CreateOwned("a");
  EXPECT_EQ(storage().ReadJob("a")->revision, 1);
}

TEST_P(StorageConformance, RefusesAServerWithoutNameOrALeaseWithoutTime) {
  ASSERT_TRUE(storage().CreateJob(SampleHeader("a")).ok());
  EXPECT_EQ(storage().AcquireJob("a", "", At(0), absl::Hours(1)).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(storage().AcquireJob("a", "server", At(0), absl::ZeroDuration()).status().code(),
            StatusCode::kInvalidArgument);
}

// Changes

TEST_P(StorageConformance, TellsWhatChangedAfterARevision) {
  const Epoch epoch = CreateOwned("a");
  const core::Changes second = {core::TrialPut{SampleTrial(1)}, SampleMeasurement(1, 1, 0.5)};
  const core::Changes third = {core::TrialPut{SampleTrial(2)}, SampleMeasurement(2, 1, 0.25)};
  ASSERT_TRUE(CommitNow("a", epoch, second).ok());
  ASSERT_TRUE(CommitNow("a", epoch, third).ok());
  Reopen();
  const absl::StatusOr<ChangePage> all = storage().ReadChanges("a", 0, 10);
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(all->last, 3);
  ASSERT_THAT(all->entries, SizeIs(3));
  EXPECT_EQ(Text(all->entries[0].changes), Text(core::Changes{core::JobPut{SampleHeader("a")}}));
  EXPECT_EQ(Text(all->entries[1].changes), Text(second));
  EXPECT_EQ(Text(all->entries[2].changes), Text(third));
  EXPECT_EQ(all->entries[2].revision, 3);

  const absl::StatusOr<ChangePage> one = storage().ReadChanges("a", 1, 1);
  ASSERT_TRUE(one.ok());
  EXPECT_EQ(one->last, 3);
  ASSERT_THAT(one->entries, SizeIs(1));
  EXPECT_EQ(one->entries[0].revision, 2);
  EXPECT_THAT(storage().ReadChanges("a", 3, 10)->entries, IsEmpty());
}

TEST_P(StorageConformance, TellsChangedValuesAsTheyAreNow) {
  const Epoch epoch = CreateOwned("a");
  ASSERT_TRUE(CommitNow("a", epoch, {core::TrialPut{SampleTrial(1)}, SampleMeasurement(1, 1, 0.5)}).ok());
  const core::Changes later = {core::TrialPut{SampleTrial(1, TrialState::kFailed)}, SampleMeasurement(1, 1, 0.75)};
  ASSERT_TRUE(CommitNow("a", epoch, later).ok());
  const absl::StatusOr<ChangePage> page = storage().ReadChanges("a", 1, 10);
  ASSERT_TRUE(page.ok());
  ASSERT_THAT(page->entries, SizeIs(2));
  EXPECT_EQ(Text(page->entries[0].changes), Text(later));
  EXPECT_EQ(Text(page->entries[1].changes), Text(later));
}

// Notifications

TEST_P(StorageConformance, KeepsTheOutboxUntilItIsDelivered) {
  const Epoch epoch = CreateOwned("a");
  ASSERT_TRUE(CommitNow("a", epoch, {SampleNotification(1), SampleNotification(2), SampleNotification(3)}).ok());
  using State = core::NotificationState;
  const core::Changes later = {SampleNotification(1, State::kDelivered), SampleNotification(3, State::kGivenUp)};
  ASSERT_TRUE(CommitNow("a", epoch, later).ok());
  Reopen();
  const absl::StatusOr<LoadedJob> loaded = storage().LoadJob("a");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  ASSERT_THAT(loaded->notifications, SizeIs(1));
  EXPECT_EQ(Text(core::NotificationPut{loaded->notifications[0]}), Text(SampleNotification(2)));
  // What was delivered is still there to be read.
  EXPECT_EQ(Text(storage().ReadChanges("a", 2, 10)->entries[0].changes), Text(later));
}

TEST_P(StorageConformance, ReadsOneMetricOfAllTrials) {
  const Epoch epoch = CreateOwned("a");
  core::Changes changes;
  for (const int32_t number : {1, 2}) {
    changes.push_back(core::TrialPut{SampleTrial(number, core::TrialState::kCompleted)});
    for (const int64_t step : {3, 1}) {
      for (const char* metric : {"loss", "accuracy"}) {
        core::Measurement measurement;
        measurement.metric = metric;
        measurement.step = step;
        measurement.attempt = 1;
        measurement.value = 10 * number + static_cast<double>(step);
        changes.push_back(core::MeasurementPut{number, measurement});
      }
    }
  }
  ASSERT_TRUE(CommitNow("a", epoch, changes).ok());
  const absl::StatusOr<std::vector<core::MeasurementPut>> read = storage().ReadMetric("a", "loss");
  ASSERT_TRUE(read.ok()) << read.status();
  std::vector<double> values;
  for (const core::MeasurementPut& put : *read) {
    EXPECT_EQ(put.measurement.metric, "loss");
    values.push_back(put.measurement.value);
  }
  EXPECT_THAT(values, ElementsAre(13, 11, 23, 21)) << "in the order in which they came";
  EXPECT_THAT(*storage().ReadMetric("a", "none"), IsEmpty());
  EXPECT_EQ(storage().ReadMetric("gone", "loss").status().code(), StatusCode::kNotFound);
}

TEST_P(StorageConformance, FindsJobsWithSomethingToDeliver) {
  for (const char* name : {"a", "b", "c"}) {
    const Epoch epoch = CreateOwned(name);
    if (*name != 'b') {
      ASSERT_TRUE(CommitNow(name, epoch, {SampleNotification(1)}).ok());
    }
    if (*name == 'c') {
      ASSERT_TRUE(CommitNow(name, epoch, {SampleNotification(1, core::NotificationState::kDelivered)}).ok());
    }
  }
  const absl::StatusOr<JobPage> page = storage().ListJobs({.with_due_notifications = true});
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_THAT(page->jobs, SizeIs(1));
  EXPECT_EQ(page->jobs[0].header.job_id, "a");
  ASSERT_TRUE(storage().DeleteJob("a").ok());
  EXPECT_THAT(storage().ListJobs({.with_due_notifications = true})->jobs, IsEmpty());
  CreateOwned("a");
  EXPECT_THAT(storage().LoadJob("a")->notifications, IsEmpty());
}

TEST_P(StorageConformance, RefusesChangesThatAreNotThere) {
  const Epoch epoch = CreateOwned("a");
  EXPECT_EQ(storage().ReadChanges("a", 2, 10).status().code(), StatusCode::kOutOfRange);
  EXPECT_EQ(storage().ReadChanges("a", -1, 10).status().code(), StatusCode::kOutOfRange);
  EXPECT_EQ(storage().ReadChanges("a", 0, 0).status().code(), StatusCode::kInvalidArgument);
  // Old ones are dropped now and then.
  std::vector<JobCommit> commits;
  for (Revision seen = 1; seen <= 2'100; ++seen)
    commits.push_back({"a", seen, epoch, {core::TrialPut{SampleTrial(1)}}});
  for (const absl::Status& status : storage().Commit(commits)) ASSERT_TRUE(status.ok()) << status;
  const Revision last = 2'101;
  EXPECT_EQ(storage().ReadChanges("a", 1, 10).status().code(), StatusCode::kOutOfRange);
  const absl::StatusOr<ChangePage> kept = storage().ReadChanges("a", last - kHarnessRevisions, 1'000);
  ASSERT_TRUE(kept.ok()) << kept.status();
  EXPECT_THAT(kept->entries, SizeIs(kHarnessRevisions));
  EXPECT_EQ(kept->entries.front().revision, last - kHarnessRevisions + 1);
}

}  // namespace
}  // namespace tuner::storage
