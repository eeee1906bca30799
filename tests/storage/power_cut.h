// A SQLite store on a disk whose power can be cut: what was not synced is then lost, kept or torn by 512-byte sectors
// at random, and files whose folder was not synced appear or vanish. The files are real ones in a temporary folder;
// their fsyncs are only noted, so that a thousand seeds take seconds.
//
// Threads: Open, Cut, CutAfter and Restore from one thread; the opened storage from any. Ownership: the opened storage
// must be destroyed before Restore, and before this object.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "storage/sqlite_storage.h"
#include "storage/storage.h"
#include "tests/storage/harnesses.h"
#include "tests/storage/hooked_vfs.h"
#include "tests/storage/sample_data.h"

namespace tuner::storage {

// What is on the disk and what is only on its way there. Any thread.
class PowerCutDisk : public VfsHook {
 public:
  // True of a sync that the disk claims to have done and has not.
  using Lies = std::function<bool(const std::string& path)>;

  explicit PowerCutDisk(uint64_t seed, Lies lies = nullptr) : random_(seed), lies_(std::move(lies)) {}

  int Before(const FileCall& call) override;

  // Cuts the power at the `calls`-th call from now, that one included: it may have been done in part.
  void CutAfter(int64_t calls);
  // From then on every call fails.
  bool off() const;
  // Calls since the beginning.
  int64_t calls() const;

  // Writes what survived into the real files, and switches the power on again. All files must be closed.
  void Restore();

 private:
  struct Unsynced {
    bool truncate = false;
    int64_t offset = 0;  // or the new size
    std::string data;
  };
  struct Inode {
    std::string durable;
    std::vector<Unsynced> pending;
    bool sync_folder = false;  // with its next sync, as SQLite's VFS does for the logs that it creates
  };
  // One folder is enough: a store's files lie side by side.
  using Folder = std::map<std::string, std::shared_ptr<Inode>>;

  void Note(const FileCall& call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Open(const FileCall& call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The inode's content after the cut.
  std::string Surviving(const Inode& inode) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  Random random_ ABSL_GUARDED_BY(mutex_);
  const Lies lies_;
  Folder now_ ABSL_GUARDED_BY(mutex_);
  Folder durable_ ABSL_GUARDED_BY(mutex_);
  int64_t calls_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<int64_t> cut_at_ ABSL_GUARDED_BY(mutex_);
  bool off_ ABSL_GUARDED_BY(mutex_) = false;
};

class PowerCutStore {
 public:
  struct Options {
    PowerCutDisk::Lies lies;
    // Small, so that the log is copied into the main file often.
    int checkpoint_pages = 20;
    int64_t kept_revisions = kKeptRevisions;
  };
  PowerCutStore(uint64_t seed, Options options)
      : disk_(seed, options.lies), vfs_(disk_), options_(std::move(options)) {}
  explicit PowerCutStore(uint64_t seed) : PowerCutStore(seed, Options()) {}

  // At most one at a time. Fails like a dead disk when the power is off, or goes off.
  absl::StatusOr<std::unique_ptr<Storage>> Open();
  // From now on, or from the `calls`-th file operation on, every operation of the opened storage fails.
  void Cut() { disk_.CutAfter(1); }
  void CutAfter(int64_t calls) { disk_.CutAfter(calls); }
  bool off() const { return disk_.off(); }
  // After the opened storage was destroyed: power again, with what the disk kept.
  void Restore() { disk_.Restore(); }

  std::string path() const { return folder_.File("store.db"); }

 private:
  const TemporaryFolder folder_;
  PowerCutDisk disk_;
  const HookedVfs vfs_;
  const Options options_;
};

}  // namespace tuner::storage
