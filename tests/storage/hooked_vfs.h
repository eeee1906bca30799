// A SQLite VFS over the system's that asks a hook before each call that touches a file, so that tests can make disks
// fail, lie or lose their power. Locks and shared memory go straight to the system.
//
// Threads: the hook is called from every thread that uses SQLite. Ownership: the VFS outlives all connections that were
// opened with it, the hook outlives the VFS.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace tuner::storage {

struct FileCall {
  enum class Kind { kOpen, kRead, kWrite, kTruncate, kSync, kDelete };
  Kind kind = Kind::kRead;
  std::string path;
  int open_flags = 0;        // of the file's xOpen: SQLITE_OPEN_...
  int64_t offset = 0;        // kRead, kWrite; the new size of kTruncate
  absl::string_view data;    // kWrite
  bool sync_folder = false;  // kDelete: the removal is made durable at once
};

class VfsHook {
 public:
  virtual ~VfsHook() = default;
  // SQLITE_OK lets the call go on; another code is its result. SQLITE_DONE: the call counts as done without having been
  // made.
  virtual int Before(const FileCall& call) = 0;
};

class HookedVfs {
 public:
  explicit HookedVfs(VfsHook& hook);
  ~HookedVfs();
  HookedVfs(const HookedVfs&) = delete;
  HookedVfs& operator=(const HookedVfs&) = delete;

  // What to open a file with; unlike any other.
  const std::string& name() const { return name_; }

 private:
  const std::string name_;
  sqlite3_vfs vfs_;
};

}  // namespace tuner::storage
