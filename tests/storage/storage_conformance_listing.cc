// The conformance suite's tests of listings: pages, filters, orders, tokens.
#include <gmock/gmock.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/storage/sample_data.h"
#include "tests/storage/storage_conformance.h"

namespace tuner::storage {
namespace {

using absl::StatusCode;
using core::TrialState;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using Key = core::TrialOrder::Key;

std::vector<std::string> Names(const absl::StatusOr<JobPage>& page) {
  EXPECT_TRUE(page.ok()) << page.status();
  std::vector<std::string> names;
  if (page.ok()) {
    for (const JobRecord& job : page->jobs) names.push_back(job.header.job_id);
  }
  return names;
}

std::vector<std::string> Names(const absl::StatusOr<TrialPage>& page) {
  EXPECT_TRUE(page.ok()) << page.status();
  std::vector<std::string> names;
  if (page.ok()) {
    for (const TrialPage::Entry& entry : page->entries) names.push_back(absl::StrCat(entry.job_id, entry.trial.number));
  }
  return names;
}

core::TrialFilter Filter(absl::string_view text) {
  absl::StatusOr<core::TrialFilter> filter = core::TrialFilter::Parse({text.data(), text.size()});
  EXPECT_TRUE(filter.ok()) << filter.status();
  return *std::move(filter);
}

// All pages one after another.
std::vector<std::string> AllPages(const Storage& storage, TrialQuery query) {
  std::vector<std::string> all;
  for (;;) {
    const absl::StatusOr<TrialPage> page = storage.ListTrials(query);
    const std::vector<std::string> names = Names(page);
    EXPECT_LE(std::ssize(names), query.limit);
    all.insert(all.end(), names.begin(), names.end());
    if (!page.ok() || page->next.empty()) return all;
    EXPECT_THAT(names, SizeIs(query.limit));
    query.after = page->next;
  }
}

TEST_P(StorageConformance, ListsJobsNewestFirstInPages) {
  for (const char* name : {"b", "c", "a", "e", "d"}) ASSERT_TRUE(storage().CreateJob(SampleHeader(name)).ok());
  EXPECT_THAT(Names(storage().ListJobs({})), ElementsAre("d", "e", "a", "c", "b"));
  JobQuery query{.limit = 2};
  const absl::StatusOr<JobPage> first = storage().ListJobs(query);
  EXPECT_THAT(Names(first), ElementsAre("d", "e"));
  // What is created or deleted meanwhile shifts no page.
  ASSERT_TRUE(storage().CreateJob(SampleHeader("f")).ok());
  ASSERT_TRUE(storage().DeleteJob("e").ok());
  Reopen();
  query.after = first->next;
  const absl::StatusOr<JobPage> second = storage().ListJobs(query);
  EXPECT_THAT(Names(second), ElementsAre("a", "c"));
  query.after = second->next;
  const absl::StatusOr<JobPage> third = storage().ListJobs(query);
  EXPECT_THAT(Names(third), ElementsAre("b"));
  EXPECT_EQ(third->next, "");
}

TEST_P(StorageConformance, EndsPagesOfJobsExactly) {
  for (const char* name : {"a", "b"}) ASSERT_TRUE(storage().CreateJob(SampleHeader(name)).ok());
  EXPECT_EQ(storage().ListJobs({.limit = 2})->next, "");
  EXPECT_NE(storage().ListJobs({.limit = 1})->next, "");
  EXPECT_EQ(storage().ListJobs({.limit = 0}).status().code(), StatusCode::kInvalidArgument);
}

TEST_P(StorageConformance, SelectsJobs) {
  for (int i = 0; i < 6; ++i) {
    core::JobHeader header = SampleHeader(std::string(1, static_cast<char>('a' + i)) + "-job");
    header.create_time = At(i);
    header.status = i % 2 == 0 ? core::JobStatus::kRunning : core::JobStatus::kFailed;
    header.tags = {{"parity", i % 2 == 0 ? "even" : "odd"}, {"third", std::to_string(i % 3)}};
    ASSERT_TRUE(storage().CreateJob(header).ok());
  }
  EXPECT_THAT(Names(storage().ListJobs({.statuses = {core::JobStatus::kFailed}})),
              ElementsAre("f-job", "d-job", "b-job"));
  EXPECT_THAT(Names(storage().ListJobs({.statuses = {core::JobStatus::kFailed, core::JobStatus::kRunning}})),
              SizeIs(6));
  EXPECT_THAT(Names(storage().ListJobs({.tags = {{"parity", "odd"}, {"third", "0"}}})), ElementsAre("d-job"));
  EXPECT_THAT(Names(storage().ListJobs({.tags = {{"parity", "0"}}})), IsEmpty());
  EXPECT_THAT(Names(storage().ListJobs({.name_contains = "c-"})), ElementsAre("c-job"));
  EXPECT_THAT(Names(storage().ListJobs({.name_contains = "%"})), IsEmpty());
  EXPECT_THAT(Names(storage().ListJobs({.created_after = At(2), .created_before = At(4)})),
              ElementsAre("d-job", "c-job"));
  // Pages of a selection.
  const absl::StatusOr<JobPage> page = storage().ListJobs({.limit = 2, .tags = {{"parity", "even"}}});
  EXPECT_THAT(Names(page), ElementsAre("e-job", "c-job"));
  EXPECT_THAT(Names(storage().ListJobs({.limit = 2, .after = page->next, .tags = {{"parity", "even"}}})),
              ElementsAre("a-job"));
}

TEST_P(StorageConformance, ListsTrialsInEveryOrder) {
  Random random(7);
  const Epoch epoch = CreateOwned("a");
  std::vector<core::Trial> trials;
  core::Changes changes;
  for (int32_t number = 1; number <= 40; ++number) {
    trials.push_back(RandomTrial(random, number));
    changes.push_back(core::TrialPut{trials.back()});
  }
  ASSERT_TRUE(CommitNow("a", epoch, changes).ok());
  for (const Key key : {Key::kNumber, Key::kObjective, Key::kBestObjective, Key::kCreateTime, Key::kEndTime}) {
    for (const bool descending : {false, true}) {
      const core::TrialOrder order{key, descending};
      std::ranges::sort(trials, [&order](const auto& a, const auto& b) { return order.Before(a, b); });
      std::vector<std::string> expected;
      for (const core::Trial& trial : trials) expected.push_back(absl::StrCat("a", trial.number));
      for (const int limit : {1, 7, 40, 100}) {
        EXPECT_EQ(AllPages(storage(), {.job_id = "a", .limit = limit, .order = order}), expected)
            << static_cast<int>(key) << descending << limit;
      }
    }
  }
}

TEST_P(StorageConformance, ListsTrialsOfAllJobs) {
  for (const char* job : {"b", "a"}) {
    const Epoch epoch = CreateOwned(job);
    core::Changes changes;
    for (int32_t number = 1; number <= 3; ++number) {
      core::Trial trial = SampleTrial(number, TrialState::kCompleted);
      if (number == 3) trial.objective.reset();
      changes.push_back(core::TrialPut{trial});
    }
    ASSERT_TRUE(CommitNow(job, epoch, changes).ok());
  }
  EXPECT_THAT(AllPages(storage(), {.limit = 2}), ElementsAre("b1", "b2", "b3", "a1", "a2", "a3"));
  EXPECT_THAT(AllPages(storage(), {.limit = 4, .order = {Key::kNumber, true}}),
              ElementsAre("a3", "a2", "a1", "b3", "b2", "b1"));
  EXPECT_THAT(AllPages(storage(), {.limit = 1, .order = {Key::kObjective, false}}),
              ElementsAre("b2", "a2", "b1", "a1", "b3", "a3"));
}

TEST_P(StorageConformance, FiltersTrials) {
  core::JobHeader header = SampleHeader("a");
  header.tags["team"] = "vision";
  ASSERT_TRUE(storage().CreateJob(header).ok());
  const Epoch epoch = storage().AcquireJob("a", "server", At(0), absl::Hours(1)).value();
  core::Changes changes;
  for (int32_t number = 1; number <= 30; ++number) {
    changes.push_back(
        core::TrialPut{SampleTrial(number, number % 5 == 0 ? TrialState::kCompleted : TrialState::kRunning)});
  }
  ASSERT_TRUE(CommitNow("a", epoch, changes).ok());
  const Epoch other = CreateOwned("b");
  ASSERT_TRUE(CommitNow("b", other, {core::TrialPut{SampleTrial(1, TrialState::kCompleted)}}).ok());

  const core::TrialFilter completed = Filter("state = COMPLETED AND number > 5");
  EXPECT_THAT(AllPages(storage(), {.job_id = "a", .limit = 2, .filter = &completed}),
              ElementsAre("a10", "a15", "a20", "a25", "a30"));
  EXPECT_THAT(AllPages(storage(), {.job_id = "a", .limit = 3, .filter = &completed, .order = {Key::kObjective, false}}),
              ElementsAre("a30", "a25", "a20", "a15", "a10"));
  // The last match ends the last page, whatever comes behind it.
  const core::TrialFilter first = Filter("number = 1");
  EXPECT_EQ(storage().ListTrials({.job_id = "a", .limit = 1, .filter = &first})->next, "");
  const core::TrialFilter vision = Filter("tags.team = \"vision\" AND state = COMPLETED");
  EXPECT_THAT(AllPages(storage(), {.limit = 4, .filter = &vision}),
              ElementsAre("a5", "a10", "a15", "a20", "a25", "a30"));
}

TEST_P(StorageConformance, FillsMeasurementsWhenAsked) {
  const Epoch epoch = CreateOwned("a");
  ASSERT_TRUE(CommitNow("a", epoch,
                        {core::TrialPut{SampleTrial(1)}, core::TrialPut{SampleTrial(2)}, SampleMeasurement(1, 2, 0.5),
                         SampleMeasurement(1, 1, 0.75)})
                  .ok());
  EXPECT_THAT(storage().ListTrials({.job_id = "a"})->entries[0].measurements, IsEmpty());
  const absl::StatusOr<TrialPage> page = storage().ListTrials({.job_id = "a", .include_measurements = true});
  ASSERT_TRUE(page.ok());
  ASSERT_THAT(page->entries, SizeIs(2));
  ASSERT_THAT(page->entries[0].measurements, SizeIs(2));
  EXPECT_EQ(page->entries[0].measurements[0].step, 2);
  EXPECT_THAT(page->entries[1].measurements, IsEmpty());
}

TEST_P(StorageConformance, RefusesTokensOfAnotherListing) {
  const Epoch epoch = CreateOwned("a");
  CreateOwned("b");
  ASSERT_TRUE(CommitNow("a", epoch, {core::TrialPut{SampleTrial(1)}, core::TrialPut{SampleTrial(2)}}).ok());
  const std::string jobs = storage().ListJobs({.limit = 1})->next;
  const std::string trials = storage().ListTrials({.job_id = "a", .limit = 1})->next;
  ASSERT_FALSE(jobs.empty());
  ASSERT_FALSE(trials.empty());
  std::string mangled = trials;
  mangled[mangled.size() / 2] = mangled[mangled.size() / 2] == 'A' ? 'B' : 'A';
  for (const std::string& token : {jobs, mangled, std::string("1"), std::string("%%%"), trials.substr(1)}) {
    EXPECT_EQ(storage().ListTrials({.job_id = "a", .after = token}).status().code(), StatusCode::kInvalidArgument)
        << token;
  }
  EXPECT_EQ(storage().ListTrials({.job_id = "b", .after = trials}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(storage().ListTrials({.after = trials}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(storage().ListTrials({.job_id = "a", .after = trials, .order = {Key::kObjective, false}}).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(storage().ListJobs({.after = trials}).status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tuner::storage
