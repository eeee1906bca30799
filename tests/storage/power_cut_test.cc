// Acceptance 2 of issue 3: the power is cut at random points of a random workload, and nothing that was acknowledged
// may be missing. TUNER_POWER_CUT_SEEDS: how many seeds; TUNER_POWER_CUT_FIRST_SEED: where they begin (to repeat one).
#include "tests/storage/power_cut.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "storage/memory_storage.h"
#include "storage/sqlite_db.h"
#include "tests/storage/sample_data.h"

namespace tuner::storage {
namespace {

struct Tally {
  int64_t cuts = 0;
  int64_t acknowledged = 0;  // writes whose effect was looked for after a cut
  int64_t commits = 0;       // those of Commit, each job counted
  int64_t in_flight_kept = 0;
  int64_t in_flight_lost = 0;
  int64_t missing =
      0;  // cuts after which the store was neither as acknowledged nor with the write in flight done whole
  int64_t damaged = 0;  // cuts after which it did not open, or failed its integrity check
};

// A write, to be made on the real store and on the twin that stands for what was acknowledged.
struct CreateJob {
  core::JobHeader header;
};
struct Commit {
  std::vector<JobCommit> commits;
};
struct Acquire {
  std::string job_id;
  int64_t time = 0;
};
struct Delete {
  std::string job_id;
};
using Operation = std::variant<CreateJob, Commit, Acquire, Delete>;

// The statuses' codes, and what else it answered.
std::string Do(const Operation& operation, Storage& storage) {
  if (const auto* create = std::get_if<CreateJob>(&operation)) return storage.CreateJob(create->header).ToString();
  if (const auto* remove = std::get_if<Delete>(&operation)) return storage.DeleteJob(remove->job_id).ToString();
  if (const auto* acquire = std::get_if<Acquire>(&operation)) {
    const absl::StatusOr<Epoch> epoch =
        storage.AcquireJob(acquire->job_id, "server", At(acquire->time), absl::Hours(1));
    return epoch.ok() ? absl::StrFormat("epoch %d", *epoch) : epoch.status().ToString();
  }
  std::string text;
  for (const absl::Status& status : storage.Commit(std::get<Commit>(operation).commits)) {
    text += status.ToString() + "\n";
  }
  return text;
}

bool IsFailure(const std::string& answer) {
  return absl::StrContains(answer, "UNAVAILABLE") || absl::StrContains(answer, "DATA_LOSS") ||
         absl::StrContains(answer, "INTERNAL");
}

// A job's epoch, which a store tells only when it refuses another one; 0 of a missing job.
Epoch EpochOf(const std::string& job_id, Storage& storage) {
  const std::vector<JobCommit> probe = {{job_id, -1, -1, {}}};
  const absl::Status refusal = storage.Commit(probe).front();
  if (!absl::IsAborted(refusal)) return 0;
  const std::string text = refusal.ToString();
  return std::atoll(text.substr(text.rfind(' ')).c_str());
}

absl::StatusOr<std::string> DumpWithEpochs(Storage& storage) {
  absl::StatusOr<std::string> text = Dump(storage);
  for (const char* job_id : {"a", "b", "c", "d"}) {
    if (text.ok()) absl::StrAppend(&*text, job_id, " at epoch ", EpochOf(job_id, storage), "\n");
  }
  return text;
}

// One seed: a store, its twin, and cuts.
class Scenario {
 public:
  Scenario(uint64_t seed, PowerCutStore::Options options, Tally& tally)
      : random_(seed), store_(seed, std::move(options)), tally_(tally) {}

  // Ends early at the first thing that is wrong.
  void Go() {
    constexpr int kCuts = 4;
    for (int cut = 0; cut < kCuts; ++cut) {
      store_.CutAfter(1 + Below(random_, Below(random_, 3) == 0 ? 30 : 400));
      std::optional<Operation> in_flight = WorkUntilCut();
      store_.Restore();
      ++tally_.cuts;
      if (!Check(in_flight)) return;
    }
  }

 private:
  // The write that the cut interrupted, if it was one.
  std::optional<Operation> WorkUntilCut() {
    absl::StatusOr<std::unique_ptr<Storage>> storage = store_.Open();
    while (!store_.off()) {
      if (!storage.ok()) return std::nullopt;
      if (Below(random_, 20) == 0) {  // an orderly stop, at which the log is copied and removed
        storage->reset();
        storage = store_.Open();
        continue;
      }
      Operation operation = Draw();
      const std::string answer = Do(operation, **storage);
      if (IsFailure(answer)) return operation;
      ++tally_.acknowledged;
      if (const auto* commit = std::get_if<Commit>(&operation)) tally_.commits += std::ssize(commit->commits);
      EXPECT_EQ(Do(operation, *twin_), answer);
    }
    return std::nullopt;
  }

  Operation Draw() {
    const std::string job_id = DrawJob();
    const int64_t kind = Below(random_, 20);
    if (kind < 2) return CreateJob{RandomHeader(random_, job_id)};
    if (kind == 2 && Below(random_, 3) == 0) return Delete{job_id};
    if (kind < 5) return Acquire{job_id, ++time_};
    Commit group;
    const int64_t size = 1 + Below(random_, 6);
    std::map<std::string, Revision> revisions;
    for (int64_t i = 0; i < size; ++i) {
      const std::string name = DrawJob();
      const absl::StatusOr<JobRecord> job = twin_->ReadJob(name);
      const Revision seen = revisions.try_emplace(name, job.ok() ? job->revision : 1).first->second++;
      const Epoch stale = Below(random_, 10) == 0 ? 1 : 0;
      group.commits.push_back({name, seen, EpochOf(name, *twin_) - stale, DrawChanges(name)});
    }
    return group;
  }

  std::string DrawJob() { return std::string(1, static_cast<char>('a' + Below(random_, 4))); }

  core::Changes DrawChanges(const std::string& job_id) {
    core::Changes changes;
    if (Below(random_, 3) == 0) changes.push_back(core::JobPut{RandomHeader(random_, job_id)});
    for (int64_t i = Below(random_, 5); i > 0; --i) {
      const auto number = static_cast<int32_t>(1 + Below(random_, 10));
      changes.push_back(core::TrialPut{RandomTrial(random_, number)});
      for (int64_t m = Below(random_, 4); m > 0; --m) changes.push_back(RandomMeasurement(random_, number));
    }
    return changes;
  }

  bool Check(const std::optional<Operation>& in_flight) {
    const absl::StatusOr<std::unique_ptr<Storage>> storage = store_.Open();
    const absl::StatusOr<std::string> dump = storage.ok() ? DumpWithEpochs(**storage) : storage.status();
    if (!dump.ok() || !PassesIntegrityCheck()) {
      ++tally_.damaged;
      return false;
    }
    if (*dump == *DumpWithEpochs(*twin_)) {
      tally_.in_flight_lost += in_flight.has_value() ? 1 : 0;
      return true;
    }
    // What was not acknowledged may be there after all, but then it is there whole.
    if (in_flight) Do(*in_flight, *twin_);
    if (*dump == *DumpWithEpochs(*twin_)) {
      ++tally_.in_flight_kept;
      return true;
    }
    ++tally_.missing;
    return false;
  }

  bool PassesIntegrityCheck() const {
    const absl::StatusOr<std::unique_ptr<Connection>> connection = Connection::Open(store_.path(), {.read_only = true});
    if (!connection.ok()) return false;
    Query rows = (*connection)->Prepare("PRAGMA integrity_check");
    const absl::StatusOr<bool> row = rows.Next();
    return row.ok() && *row && rows.Bytes(0) == "ok";
  }

  Random random_;
  PowerCutStore store_;
  Tally& tally_;
  const std::unique_ptr<Storage> twin_ = MakeMemoryStorage();
  int64_t time_ = 0;
};

int64_t FromEnvironment(const char* name, int64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoll(text);
}

TEST(PowerCutTest, LosesNothingThatWasAcknowledged) {
  const int64_t first = FromEnvironment("TUNER_POWER_CUT_FIRST_SEED", 1);
  const int64_t seeds = FromEnvironment("TUNER_POWER_CUT_SEEDS", 100);
  Tally tally;
  for (int64_t seed = first; seed < first + seeds; ++seed) {
    Scenario(static_cast<uint64_t>(seed), {.checkpoint_pages = static_cast<int>(1 + seed % 40)}, tally).Go();
    ASSERT_EQ(tally.missing, 0) << "seed " << seed;
    ASSERT_EQ(tally.damaged, 0) << "seed " << seed;
  }
  std::cout << absl::StrFormat(
      "power cuts: seeds %d | cuts %d | acknowledged writes checked %d (job commits %d) | in flight: kept %d, lost %d "
      "| "
      "missing %d | damaged %d\n",
      seeds, tally.cuts, tally.acknowledged, tally.commits, tally.in_flight_kept, tally.in_flight_lost, tally.missing,
      tally.damaged);
  EXPECT_GE(tally.cuts, seeds);
  EXPECT_GT(tally.acknowledged, tally.cuts);
}

// The test can fail: what synchronous=OFF would do, and what synchronous=NORMAL would.
TEST(PowerCutTest, SeesTheLossesOfADiskThatDoesNotSync) {
  Tally tally;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Scenario(seed, {.lies = [](const std::string&) { return true; }}, tally).Go();
  }
  EXPECT_GT(tally.missing + tally.damaged, 10);
}

TEST(PowerCutTest, SeesTheLossesOfALogThatIsNotSynced) {
  Tally tally;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Scenario(seed, {.lies = [](const std::string& path) { return absl::EndsWith(path, "-wal"); }}, tally).Go();
  }
  EXPECT_GT(tally.missing, 10);
}

}  // namespace
}  // namespace tuner::storage
