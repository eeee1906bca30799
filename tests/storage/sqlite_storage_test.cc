// What only the SQLite storage does: one server on a file, versions, damaged files, failing disks, and beside it a
// reader.
#include "storage/sqlite_storage.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/sqlite_db.h"
#include "storage/sqlite_schema.h"
#include "tests/storage/harnesses.h"
#include "tests/storage/hooked_vfs.h"
#include "tests/storage/sample_data.h"

namespace tuner::storage {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::Each;
using testing::HasSubstr;

std::unique_ptr<Storage> MustOpen(const std::string& path, const SqliteOptions& options = {}) {
  absl::StatusOr<std::unique_ptr<Storage>> storage = OpenSqliteStorage(path, options);
  EXPECT_TRUE(storage.ok()) << storage.status();
  return storage.ok() ? *std::move(storage) : nullptr;
}

testing::Matcher<absl::Status> Is(StatusCode code, const std::string& text) {
  return AllOf(
      testing::ResultOf([](const absl::Status& status) { return status.code(); }, code),
      testing::ResultOf([](const absl::Status& status) { return std::string(status.message()); }, HasSubstr(text)));
}

// A closed store of one job with 200 trials.
void MakeStore(const std::string& path) {
  const std::unique_ptr<Storage> storage = MustOpen(path);
  ASSERT_TRUE(storage->CreateJob(SampleHeader("a")).ok());
  JobCommit commit{"a", 1, 0, {}};
  for (int32_t number = 1; number <= 200; ++number) {
    commit.changes.push_back(core::TrialPut{SampleTrial(number)});
    commit.changes.push_back(SampleMeasurement(number, 1, 0.5));
  }
  ASSERT_TRUE(storage->Commit({&commit, 1}).front().ok());
}

void Overwrite(const std::string& path, int64_t offset, const std::string& bytes) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(offset);
  file << bytes;
}

// One server

TEST(SqliteStorageTest, RefusesASecondServerAndNamesTheFirst) {
  const TemporaryFolder folder;
  const std::string path = folder.File("store.db");
  std::unique_ptr<Storage> first = MustOpen(path);
  EXPECT_THAT(OpenSqliteStorage(path).status(),
              Is(StatusCode::kFailedPrecondition, absl::StrCat("process ", getpid(), ":")));
  // The refused one has not disturbed the first.
  EXPECT_TRUE(first->CreateJob(SampleHeader("a")).ok());
  first.reset();
  EXPECT_TRUE(MustOpen(path)->ReadJob("a").ok());
}

TEST(SqliteStorageTest, AStoreOfAKilledServerIsFree) {
  const TemporaryFolder folder;
  const std::string path = folder.File("store.db");
  EXPECT_EXIT(
      {
        const std::unique_ptr<Storage> storage = MustOpen(path);
        if (!storage->CreateJob(SampleHeader("a")).ok()) _exit(1);
        raise(SIGKILL);
      },
      testing::KilledBySignal(SIGKILL), "");
  EXPECT_TRUE(MustOpen(path)->ReadJob("a").ok());
}

TEST(SqliteStorageTest, KeepsItsFilesPrivate) {
  const TemporaryFolder folder;
  const std::unique_ptr<Storage> storage = MustOpen(folder.File("store.db"));
  ASSERT_TRUE(storage->CreateJob(SampleHeader("a")).ok());
  for (const char* name : {"store.db", "store.db-wal", "store.db.lock"}) {
    struct stat status = {};
    ASSERT_EQ(stat(folder.File(name).c_str(), &status), 0) << name;
    EXPECT_EQ(status.st_mode & 0777, 0600U) << name;
  }
}

TEST(SqliteStorageTest, CanBeReadBesideAServer) {
  const TemporaryFolder folder;
  const std::string path = folder.File("store.db");
  const std::unique_ptr<Storage> server = MustOpen(path);
  ASSERT_TRUE(server->CreateJob(SampleHeader("a")).ok());
  const absl::StatusOr<std::unique_ptr<Storage>> reader = OpenStorage(absl::StrCat("sqlite:", path, "?mode=ro"));
  ASSERT_TRUE(reader.ok()) << reader.status();
  const std::vector<JobCommit> commits = {{"a", 1, 0, {core::TrialPut{SampleTrial(1)}}}};
  ASSERT_TRUE(server->Commit(commits).front().ok());
  EXPECT_TRUE((*reader)->ReadTrial("a", 1).ok());
  EXPECT_THAT((*reader)->Commit(commits), Each(Is(StatusCode::kFailedPrecondition, "read-only")));
  EXPECT_THAT((*reader)->DeleteJob("a"), Is(StatusCode::kFailedPrecondition, "read-only"));
}

// Files that are not as they should be

TEST(SqliteStorageTest, NamesAMissingFolder) {
  const TemporaryFolder folder;
  EXPECT_THAT(OpenSqliteStorage(folder.File("missing/store.db")).status(),
              Is(StatusCode::kFailedPrecondition, "create it"));
  EXPECT_THAT(OpenSqliteStorage(folder.File("")).status(), Is(StatusCode::kFailedPrecondition, "is a folder"));
  EXPECT_THAT(OpenSqliteStorage(folder.File("missing.db"), {.read_only = true}).status(),
              Is(StatusCode::kUnavailable, "cannot be opened"));
}

TEST(SqliteStorageTest, NamesAFolderThatCannotBeWritten) {
  // Nobody, not even root, may create a file in sysfs.
  if (!std::filesystem::exists("/sys/kernel")) GTEST_SKIP() << "no /sys is mounted";
  EXPECT_THAT(OpenSqliteStorage("/sys/kernel/store.db").status(), Is(StatusCode::kUnavailable, "writable"));
}

TEST(SqliteStorageTest, TakesAnEmptyFileForANewStore) {
  const TemporaryFolder folder;
  std::ofstream(folder.File("store.db")).flush();
  EXPECT_TRUE(MustOpen(folder.File("store.db"))->CreateJob(SampleHeader("a")).ok());
}

TEST(SqliteStorageTest, RefusesAnEmptyFileWithCommitsBesideIt) {
  const TemporaryFolder folder;
  const std::string path = folder.File("store.db");
  std::ofstream(path).flush();
  std::ofstream(path + "-wal") << "commits";
  EXPECT_THAT(OpenSqliteStorage(path).status(), Is(StatusCode::kDataLoss, "is empty"));
  // Nothing was thrown away.
  EXPECT_EQ(std::filesystem::file_size(path + "-wal"), 7U);
}

TEST(SqliteStorageTest, RefusesAFileThatIsNotADatabase) {
  const TemporaryFolder folder;
  const std::string path = folder.File("store.db");
  const std::string text(10'000, 'x');
  std::ofstream(path) << text;
  EXPECT_THAT(OpenSqliteStorage(path).status(), Is(StatusCode::kDataLoss, "not a SQLite database"));
  std::ifstream left(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(left), {}), text);
}

TEST(SqliteStorageTest, RefusesAnotherProgramsDatabase) {
  const TemporaryFolder folder;
  const std::string path = folder.File("other.db");
  {
    const auto other = Connection::Open(path, {});
    ASSERT_TRUE(other.ok());
    ASSERT_TRUE((*other)->Execute("CREATE TABLE jobs (id INTEGER)").ok());
  }
  EXPECT_THAT(OpenSqliteStorage(path).status(), Is(StatusCode::kFailedPrecondition, "another program"));
}

TEST(SqliteStorageTest, RefusesANewerSchema) {
  const TemporaryFolder folder;
  const std::string path = folder.File("store.db");
  MakeStore(path);
  {
    const auto connection = Connection::Open(path, {});
    ASSERT_TRUE(connection.ok());
    ASSERT_TRUE((*connection)->Execute("PRAGMA user_version=1000").ok());
  }
  EXPECT_THAT(OpenSqliteStorage(path).status(), Is(StatusCode::kFailedPrecondition, "upgrade"));
}

TEST(SqliteStorageTest, RefusesATruncatedFile) {
  const TemporaryFolder folder;
  const std::string path = folder.File("store.db");
  MakeStore(path);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  EXPECT_THAT(OpenSqliteStorage(path).status(), Is(StatusCode::kDataLoss, "damaged"));
}

TEST(SqliteStorageTest, TellsADamagedPageWhenItMeetsIt) {
  const TemporaryFolder folder;
  const std::string path = folder.File("store.db");
  MakeStore(path);
  // All but the first page, so that it opens.
  const auto size = static_cast<int64_t>(std::filesystem::file_size(path));
  for (int64_t page = 8; page < size / 4096; ++page) Overwrite(path, page * 4096, std::string(4096, '\xff'));
  const std::unique_ptr<Storage> storage = MustOpen(path);
  ASSERT_NE(storage, nullptr);
  EXPECT_THAT(storage->LoadJob("a").status(), Is(StatusCode::kDataLoss, "damaged"));
  EXPECT_THAT(storage->ListTrials({.limit = 1'000}).status(), Is(StatusCode::kDataLoss, "damaged"));
  const std::vector<JobCommit> commits = {{"a", 2, 0, {core::TrialPut{SampleTrial(100)}}}};
  EXPECT_THAT(storage->Commit(commits).front(), Is(StatusCode::kDataLoss, "damaged"));
}

TEST(SqliteStorageTest, TellsADamagedRecord) {
  const TemporaryFolder folder;
  const std::string path = folder.File("store.db");
  MakeStore(path);
  {
    const auto connection = Connection::Open(path, {});
    ASSERT_TRUE(connection.ok());
    ASSERT_TRUE((*connection)->Execute("UPDATE trials SET record = x'ff' WHERE number = 7").ok());
    ASSERT_TRUE((*connection)->Execute("UPDATE changes SET touched = x'01' WHERE revision = 2").ok());
  }
  const std::unique_ptr<Storage> storage = MustOpen(path);
  EXPECT_THAT(storage->ReadTrial("a", 7).status(), Is(StatusCode::kDataLoss, "a trial"));
  EXPECT_THAT(storage->ReadChanges("a", 1, 1).status(), Is(StatusCode::kDataLoss, "change log"));
  EXPECT_TRUE(storage->ReadTrial("a", 8).ok());
}

// Disks that fail

// Answers calls of one kind with an error, after some have passed.
class FailingDisk : public VfsHook {
 public:
  int Before(const FileCall& call) override {
    if (call.kind != kind_ || code_ == SQLITE_OK || passes_-- > 0) return SQLITE_OK;
    ++failures_;
    return code_;
  }
  void Fail(FileCall::Kind kind, int code, int passes = 0) {
    kind_ = kind;
    code_ = code;
    passes_ = passes;
  }
  void Heal() { code_ = SQLITE_OK; }
  int failures() const { return failures_; }

 private:
  std::atomic<FileCall::Kind> kind_ = FileCall::Kind::kRead;
  std::atomic<int> code_ = SQLITE_OK;
  std::atomic<int> passes_ = 0;
  std::atomic<int> failures_ = 0;
};

class FailingDiskTest : public testing::Test {
 protected:
  FailingDiskTest() : vfs_(disk_) {}

  // Some jobs' commits in one group; the first two are in order.
  std::vector<JobCommit> Group(Revision seen) const {
    return {{"a", seen, 0, {core::TrialPut{SampleTrial(1)}}},
            {"b", seen, 0, {core::TrialPut{SampleTrial(1)}}},
            {"a", 99, 0, {}}};
  }

  const TemporaryFolder folder_;
  FailingDisk disk_;
  const HookedVfs vfs_;
};

struct Failure {
  FileCall::Kind kind;
  int code;
  const char* advice;
};

TEST_F(FailingDiskTest, StoresNothingOfAGroupWhenADiskFails) {
  const std::unique_ptr<Storage> storage = MustOpen(folder_.File("store.db"), {.vfs = vfs_.name()});
  ASSERT_TRUE(storage->CreateJob(SampleHeader("a")).ok());
  ASSERT_TRUE(storage->CreateJob(SampleHeader("b")).ok());
  Revision seen = 1;
  for (const auto& [kind, code, advice] : {Failure{FileCall::Kind::kWrite, SQLITE_FULL, "free some space"},
                                           Failure{FileCall::Kind::kWrite, SQLITE_READONLY, "writable"},
                                           Failure{FileCall::Kind::kWrite, SQLITE_IOERR_WRITE, "quota"},
                                           Failure{FileCall::Kind::kSync, SQLITE_IOERR_FSYNC, "quota"}}) {
    for (const int passes : {0, 1, 2}) {
      const std::string before = *Dump(*storage);
      const int failures = disk_.failures();
      disk_.Fail(kind, code, passes);
      const std::vector<absl::Status> statuses = storage->Commit(Group(seen));
      disk_.Heal();
      if (disk_.failures() == failures) {  // so few calls were made
        EXPECT_TRUE(statuses[0].ok()) << statuses[0];
        ++seen;
        continue;
      }
      EXPECT_THAT(statuses, Each(Is(StatusCode::kUnavailable, advice)));
      EXPECT_EQ(*Dump(*storage), before);
      // Healed, it goes on where it was.
      EXPECT_TRUE(storage->Commit(Group(seen)).front().ok());
      ++seen;
    }
  }
  EXPECT_GE(disk_.failures(), 6);
}

TEST_F(FailingDiskTest, FailsEveryWriteAndReadClearly) {
  const std::string path = folder_.File("store.db");
  MakeStore(path);
  const std::unique_ptr<Storage> storage = MustOpen(path, {.vfs = vfs_.name()});
  disk_.Fail(FileCall::Kind::kWrite, SQLITE_FULL);
  EXPECT_THAT(storage->CreateJob(SampleHeader("b")), Is(StatusCode::kUnavailable, "free some space"));
  EXPECT_THAT(storage->AcquireJob("a", "server", At(0), absl::Hours(1)).status(),
              Is(StatusCode::kUnavailable, "free some space"));
  EXPECT_THAT(storage->DeleteJob("a"), Is(StatusCode::kUnavailable, "free some space"));
  // What is in memory can be read, the rest cannot.
  EXPECT_TRUE(storage->ReadJob("a").ok());
  disk_.Fail(FileCall::Kind::kRead, SQLITE_IOERR_READ);
  EXPECT_THAT(storage->ListTrials({.limit = 1'000}).status(), Is(StatusCode::kUnavailable, "check the file system"));
  disk_.Heal();
  EXPECT_EQ(storage->ListTrials({.limit = 1'000})->entries.size(), 200U);
  EXPECT_EQ(storage->AcquireJob("a", "server", At(0), absl::Hours(1)).value(), 1);
}

TEST_F(FailingDiskTest, ReportsAFileSystemThatLostItsData) {
  const std::string path = folder_.File("store.db");
  MakeStore(path);
  const std::unique_ptr<Storage> storage = MustOpen(path, {.vfs = vfs_.name()});
  disk_.Fail(FileCall::Kind::kRead, SQLITE_IOERR_CORRUPTFS);
  EXPECT_THAT(storage->ListTrials({.limit = 1'000}).status(), Is(StatusCode::kDataLoss, "damaged"));
}

TEST_F(FailingDiskTest, OpensClearlyOrNotAtAll) {
  const std::string path = folder_.File("store.db");
  MakeStore(path);
  for (const auto& [kind, code, advice] :
       {Failure{FileCall::Kind::kOpen, SQLITE_CANTOPEN, "its folder exists"},
        Failure{FileCall::Kind::kRead, SQLITE_IOERR_READ, "check the file system"}}) {
    disk_.Fail(kind, code);
    EXPECT_THAT(OpenSqliteStorage(path, {.vfs = vfs_.name()}).status(), Is(StatusCode::kUnavailable, advice));
    disk_.Heal();
    EXPECT_TRUE(MustOpen(path, {.vfs = vfs_.name()})->ReadJob("a").ok());
  }
  // A new store on a full disk.
  const std::string fresh = folder_.File("fresh.db");
  disk_.Fail(FileCall::Kind::kWrite, SQLITE_FULL);
  EXPECT_THAT(OpenSqliteStorage(fresh, {.vfs = vfs_.name()}).status(), Is(StatusCode::kUnavailable, "free some space"));
  disk_.Heal();
  EXPECT_TRUE(MustOpen(fresh, {.vfs = vfs_.name()})->CreateJob(SampleHeader("a")).ok());
}

// A log that cannot be copied into the main file grows on; commits are not refused for it.
TEST_F(FailingDiskTest, CommitsThoughTheMainFileCannotBeWritten) {
  class MainFileOnly : public VfsHook {
   public:
    int Before(const FileCall& call) override {
      const bool fails = on && call.kind == FileCall::Kind::kWrite && (call.open_flags & SQLITE_OPEN_MAIN_DB) != 0;
      return fails ? SQLITE_IOERR_WRITE : SQLITE_OK;
    }
    std::atomic<bool> on = false;
  } disk;
  const HookedVfs vfs(disk);
  std::unique_ptr<Storage> storage = MustOpen(folder_.File("store.db"), {.vfs = vfs.name(), .checkpoint_pages = 1});
  ASSERT_TRUE(storage->CreateJob(SampleHeader("a")).ok());
  disk.on = true;
  for (Revision seen = 1; seen <= 20; ++seen) {
    const std::vector<JobCommit> commits = {{"a", seen, 0, {core::TrialPut{SampleTrial(static_cast<int32_t>(seen))}}}};
    ASSERT_TRUE(storage->Commit(commits).front().ok());
  }
  storage.reset();
  disk.on = false;
  EXPECT_EQ(MustOpen(folder_.File("store.db"))->LoadJob("a")->trials.size(), 20U);
}

// The registry

TEST(OpenStorageTest, KnowsItsSchemes) {
  const TemporaryFolder folder;
  EXPECT_TRUE(OpenStorage("memory:").ok());
  EXPECT_TRUE(OpenStorage("sqlite:" + folder.File("store.db")).ok());
  EXPECT_TRUE(std::filesystem::exists(folder.File("store.db")));
  for (const char* uri : {"", "store.db", "mysql://host", "memory:x", "sqlite:", "sqlite:?mode=ro"}) {
    EXPECT_EQ(OpenStorage(uri).status().code(), StatusCode::kInvalidArgument) << uri;
  }
  EXPECT_THAT(OpenStorage("mysql://host").status(), Is(StatusCode::kInvalidArgument, "memory:, sqlite:"));
}

}  // namespace
}  // namespace tuner::storage
