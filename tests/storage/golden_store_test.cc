// A store that any released version wrote opens for ever. tests/golden holds one file of each schema,
// store_<schema>.db. To add that of a new schema, run this test with TUNER_WRITE_GOLDEN=<folder>; never write one of a
// released schema again.
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "storage/memory_storage.h"
#include "storage/sqlite_schema.h"
#include "storage/sqlite_storage.h"
#include "tests/storage/harnesses.h"
#include "tests/storage/sample_data.h"

namespace tuner::storage {
namespace {

// What every golden store holds. Written out here, so that later changes to sample data do not touch it.
core::JobHeader GoldenHeader(const std::string& job_id) {
  core::JobHeader header;
  header.job_id = job_id;
  header.uid = "7f0c";
  header.spec_bytes = std::string("\x0a\x00\xff spec", 8);
  header.base_dir = "/home/somebody";
  header.provenance_bytes = "provenance";
  header.advice = {"eta spans three decades: use a LOG scale"};
  header.request_id = "request";
  header.spec_hash = 0xfedcba9876543210;
  header.tags = {{"team", "vision"}};
  header.status = core::JobStatus::kRunning;
  header.reason = "runs";
  header.limits.max_trials = 10;
  header.limits.max_parallel_trials = 2;
  header.limits.max_run_time = absl::Hours(3);
  header.create_time = At(1) + absl::Nanoseconds(5);
  header.update_time = At(2);
  header.grid_size = 12;
  header.definitions[0].next_ordinal = 3;
  header.finished = 1;
  header.counts[core::TrialState::kRunning] = 1;
  header.best_trial = 1;
  header.best_objective = 0.125;
  header.best_finish_seq = 1;
  return header;
}

core::Trial GoldenTrial(int32_t number, core::TrialState state) {
  core::Trial trial;
  trial.number = number;
  trial.parameters = {{"eta", 0.1}, {"max_depth", int64_t{6}}, {"booster", std::string("dart")}, {"silent", false}};
  trial.state = state;
  trial.reason = "a reason";
  trial.origin = core::TrialOrigin::kStrategy;
  trial.basis.kind = core::Basis::Kind::kFresh;
  trial.basis.pending_trials = {2};
  trial.create_time = At(3);
  trial.ordinal = number - 1;
  trial.measurement_count = 2;
  core::Attempt attempt;
  attempt.number = 1;
  attempt.start_reason = core::StartReason::kFirst;
  attempt.executor = "process";
  attempt.location = "host:123";
  attempt.launch_time = At(4);
  attempt.use.cpu_time = absl::Milliseconds(1500);
  attempt.use.peak_memory_bytes = 1 << 20;
  attempt.cursor.stdout_offset = 77;
  attempt.cursor.last_step = {{"loss", 2}};
  trial.attempts = {attempt};
  if (core::IsTerminal(state)) {
    trial.objective = 0.125;
    trial.best_objective = 0.0625;
    trial.final_metrics = {{"loss", 0.125}};
    trial.end_time = At(5);
    trial.finish_seq = 1;
  }
  return trial;
}

void Fill(Storage& storage) {
  ASSERT_TRUE(storage.CreateJob(GoldenHeader("first")).ok());
  ASSERT_TRUE(storage.CreateJob(GoldenHeader("second")).ok());
  ASSERT_EQ(storage.AcquireJob("first", "server", At(0), absl::Seconds(30)).value(), 1);
  core::JobHeader header = GoldenHeader("first");
  header.reason = "still runs";
  const std::vector<JobCommit> commits = {
      {"first",
       1,
       1,
       {core::TrialPut{GoldenTrial(1, core::TrialState::kCompleted)},
        core::MeasurementPut{1, {"loss", 0.25, 1, At(4), 1, core::MeasurementSource::kScanned}},
        core::MeasurementPut{1, {"loss", 0.125, 2, At(5), 1, core::MeasurementSource::kReported}}}},
      {"first",
       2,
       1,
       {core::JobPut{header}, core::TrialPut{GoldenTrial(2, core::TrialState::kRunning)},
        core::MeasurementPut{2, {"loss", 0.5, 1, At(6), 1, core::MeasurementSource::kScanned}}}}};
  for (const absl::Status& status : storage.Commit(commits)) ASSERT_TRUE(status.ok()) << status;
}

std::string GoldenName(int64_t schema) { return absl::StrFormat("store_%04d.db", schema); }

void Write(const std::string& path) {
  ASSERT_FALSE(std::filesystem::exists(path)) << path;
  {
    const absl::StatusOr<std::unique_ptr<Storage>> storage = OpenSqliteStorage(path);
    ASSERT_TRUE(storage.ok()) << storage.status();
    Fill(**storage);
  }
  std::filesystem::remove(path + ".lock");
}

TEST(GoldenStoreTest, OpensStoresOfEveryReleasedSchema) {
  if (const char* folder = std::getenv("TUNER_WRITE_GOLDEN"); folder != nullptr) {
    Write(absl::StrCat(folder, "/", GoldenName(std::ssize(Migrations()))));
  }
  const std::unique_ptr<Storage> expected = MakeMemoryStorage();
  Fill(*expected);
  for (int64_t schema = 1; schema <= std::ssize(Migrations()); ++schema) {
    SCOPED_TRACE(GoldenName(schema));
    const TemporaryFolder folder;
    const std::string copy = folder.File("store.db");
    ASSERT_TRUE(std::filesystem::copy_file(absl::StrCat(TUNER_GOLDEN_FOLDER, "/", GoldenName(schema)), copy));
    const absl::StatusOr<std::unique_ptr<Storage>> storage = OpenSqliteStorage(copy);
    ASSERT_TRUE(storage.ok()) << storage.status();
    EXPECT_EQ(*Dump(**storage), *Dump(*expected));
    // It can be written as well: the next epoch follows the stored one.
    EXPECT_EQ((*storage)->AcquireJob("first", "server", At(0), absl::Seconds(30)).value(), 2);
    const std::vector<JobCommit> commits = {
        {"first", 3, 2, {core::TrialPut{GoldenTrial(3, core::TrialState::kQueued)}}}};
    EXPECT_TRUE((*storage)->Commit(commits).front().ok());
  }
}

}  // namespace
}  // namespace tuner::storage
