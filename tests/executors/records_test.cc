// What a power cut at any instant leaves of the supervisor's records. Issue 3: "nothing acknowledged is missing".
#include "executors/supervisor/records.h"

#include <errno.h>
#include <fcntl.h>

#include <map>
#include <memory>

#include "absl/strings/str_cat.h"
#include "executors/supervisor/memory_cgroup.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/executors/process_harness.h"

namespace tuner::executors::records {
namespace {

// A disk that keeps only what was synced: contents by syncing the file, names by syncing the folder. Fails every call
// after `calls_left`.
class CutDisk : public Files {
 public:
  struct Node {
    std::string content, durable_content;
    std::map<std::string, std::shared_ptr<Node>> entries, durable_entries;
    std::weak_ptr<Node> parent;
    off_t reserved = 0;
  };

  CutDisk() : root_(std::make_shared<Node>()) {}

  // An open folder; all folders above it, and their entries up to `durable_levels` from the root, are durable.
  int MakeFolders(const std::vector<std::string>& path, size_t durable_levels) {
    std::shared_ptr<Node> node = root_;
    for (size_t i = 0; i < path.size(); ++i) {
      auto& child = node->entries[path[i]];
      if (child == nullptr) child = std::make_shared<Node>();
      child->parent = node;
      if (i < durable_levels) node->durable_entries[path[i]] = child;
      node = child;
    }
    return Open(node);
  }
  // What a machine that starts again finds; nothing if a folder on the way, or the file, is not there.
  std::optional<std::string> AfterPowerCut(const std::vector<std::string>& path) const {
    std::shared_ptr<Node> node = root_;
    for (const std::string& name : path) {
      const auto it = node->durable_entries.find(name);
      if (it == node->durable_entries.end()) return std::nullopt;
      node = it->second;
    }
    return node->durable_content;
  }

  int calls_left = 1'000'000;
  bool full = false;  // writes need reserved room
  std::vector<std::string> log;

  int OpenAt(int folder, const char* name, int flags, mode_t) override {
    if (!Allowed(absl::StrCat("open ", name))) return -1;
    if (std::string(name) == "..") return Open(fds_.at(folder)->parent.lock());
    auto& node = fds_.at(folder)->entries[name];
    if (node == nullptr && (flags & O_CREAT) != 0) node = std::make_shared<Node>();
    if (node == nullptr) {
      fds_.at(folder)->entries.erase(name);
      errno = ENOENT;
      return -1;
    }
    position_[next_fd_] = 0;
    return Open(node);
  }
  ssize_t Write(int fd, const void* bytes, size_t size) override {
    if (!Allowed("write")) return -1;
    Node& node = *fds_.at(fd);
    if (full && static_cast<off_t>(position_[fd] + size) > node.reserved) {
      errno = ENOSPC;
      return -1;
    }
    const size_t half = (size + 1) / 2;  // writes may be short
    node.content.resize(std::max(node.content.size(), position_[fd] + half));
    node.content.replace(position_[fd], half, static_cast<const char*>(bytes), half);
    position_[fd] += half;
    node.durable_content = node.content.substr(0, node.content.size() / 2);  // the kernel may write back what it likes
    return static_cast<ssize_t>(half);
  }
  int Allocate(int fd, off_t size) override {
    fds_.at(fd)->reserved = size;
    return 0;
  }
  int Truncate(int fd, off_t size) override {
    if (!Allowed("truncate")) return -1;
    fds_.at(fd)->content.resize(static_cast<size_t>(size));
    return 0;
  }
  int Sync(int fd) override {
    if (!Allowed("sync")) return -1;
    Node& node = *fds_.at(fd);
    node.durable_content = node.content;
    node.durable_entries = node.entries;
    return 0;
  }
  int RenameAt(int folder, const char* from, const char* to) override {
    if (!Allowed(absl::StrCat("rename ", to))) return -1;
    Node& node = *fds_.at(folder);
    node.entries[to] = node.entries[from];
    node.entries.erase(from);
    // The worst case for what is not synced: the new name is on the disk at once.
    node.durable_entries[to] = node.entries[to];
    return 0;
  }
  int Close(int) override { return 0; }

 private:
  int Open(std::shared_ptr<Node> node) {
    fds_[next_fd_] = std::move(node);
    return next_fd_++;
  }
  bool Allowed(const std::string& call) {
    if (calls_left-- <= 0) {
      errno = EIO;
      return false;
    }
    log.push_back(call);
    return true;
  }

  const std::shared_ptr<Node> root_;
  std::map<int, std::shared_ptr<Node>> fds_;
  std::map<int, size_t> position_;
  int next_fd_ = 3;
};

constexpr int kMaxCalls = 40;
const Claim kClaimRecord = {4711, 123456, "boot-1"};

TEST(RecordsTest, AClaimIsDurableBeforeAnythingMayStart) {
  for (int cut = 0; cut < kMaxCalls; ++cut) {
    CutDisk disk;
    const int claims = disk.MakeFolders({"jobs", "job", "claims"}, 3);
    disk.calls_left = cut;
    const int claim = disk.OpenAt(claims, "1-1", O_CREAT | O_RDWR, 0600);
    if (claim < 0) continue;
    const bool may_start = WriteClaim(disk, claims, claim, kClaimRecord) == 0;
    const std::optional<std::string> left = disk.AfterPowerCut({"jobs", "job", "claims", "1-1"});
    const std::optional<Claim> claimed = left ? ParseClaim(*left) : std::nullopt;
    if (may_start) {
      EXPECT_EQ(claimed, kClaimRecord) << "after " << cut << " calls";
    }
    EXPECT_TRUE(may_start || cut < kMaxCalls - 1);
  }
}

TEST(RecordsTest, AnExitRecordIsWholeOrAbsent) {
  Exit exit;
  exit.code = 3;
  exit.boot_id = "boot-1";
  const std::vector<std::string> path = {"jobs", "job", "1", "1", "run", "exit"};
  for (int cut = 0; cut < kMaxCalls; ++cut) {
    CutDisk disk;
    const int run = disk.MakeFolders({"jobs", "job", "1", "1", "run"}, 2);
    disk.calls_left = cut;
    const bool written = WriteAtomically(disk, run, kEnded, Format(exit)) == 0 && PromoteExit(disk, run, 3) == 0;
    const std::optional<std::string> left = disk.AfterPowerCut(path);
    if (left) {
      EXPECT_EQ(ParseExit(*left), exit) << "torn after " << cut << " calls";
    }
    if (written) {
      EXPECT_TRUE(left.has_value()) << "lost after " << cut << " calls";
    }
    EXPECT_TRUE(written || cut < kMaxCalls - 1);
  }
}

TEST(RecordsTest, ADurableRecordIsSyncedBeforeItGetsItsName) {
  CutDisk disk;
  const int run = disk.MakeFolders({"run"}, 1);
  ASSERT_EQ(WriteDurably(disk, run, "uid", "x"), 0);
  EXPECT_THAT(disk.log, testing::ElementsAre("open uid.new", "write", "truncate", "sync", "rename uid", "sync"));
}

TEST(RecordsTest, ReservedRoomSurvivesAFullDisk) {
  CutDisk disk;
  const int run = disk.MakeFolders({"run"}, 1);
  ASSERT_EQ(Reserve(disk, run, "exit"), 0);
  disk.full = true;
  EXPECT_EQ(WriteDurably(disk, run, "exit", "small enough"), 0);
  EXPECT_EQ(WriteDurably(disk, run, "other", "no room"), ENOSPC);
}

TEST(RecordsTest, RecordsReadBackAsTheyWere) {
  Launch launch;
  launch.job_uid = "u";
  launch.command = {"/bin/sh", "-c", "echo 'a b'\n$X", ""};
  launch.environment = {"A=1 2\n3", "B="};
  launch.working_dir = "/a folder";
  launch.gpus = {0, 3};
  launch.time_limit_ms = 5;
  launch.grace_ms = 0;
  launch.memory_limit_bytes = int64_t{1} << 40;
  launch.output_limit_bytes = 7;
  EXPECT_EQ(ParseLaunch(Format(launch)), launch);
  const Started started = {12, 34};
  EXPECT_EQ(ParseStarted(Format(started)), started);
  EXPECT_EQ(ParseClaim(Format(kClaimRecord)), kClaimRecord);
  Exit exit = {.signal = 9,
               .start_error = 2,
               .start_step = "working directory",
               .stopped = true,
               .timed_out = true,
               .boot_id = "b"};
  exit.peak_memory_bytes = int64_t{1} << 40;
  EXPECT_EQ(ParseExit(Format(exit)), exit);
}

TEST(RecordsTest, APartOfARecordIsNone) {
  const std::string whole = Format(kClaimRecord);
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(ParseClaim(whole.substr(0, size))) << size;
  EXPECT_FALSE(ParseClaim(whole + "more"));
}

TEST(MemoryCgroupTest, IsRefusedWhereTheParentHandsOutNoMemory) {
  ProcessHarness harness;
  const std::string mount = harness.data_dir();
  MemoryCgroup cgroup;
  EXPECT_FALSE(cgroup.Make(mount, "/a/b", "run", 1 << 20));
  EXPECT_FALSE(cgroup.Make("", "", "run", 1 << 20));
  EXPECT_FALSE(cgroup.made());
  EXPECT_EQ(cgroup.procs_file(), "");
}

}  // namespace
}  // namespace tuner::executors::records
