// Jobs in one SQLite file: write-ahead log, an fsync behind every commit.
//
// Threads: any. Writers take turns on one connection; readers have connections of their own and never wait for a
// commit. Ownership: the file belongs to one Storage at a time, by a lock on "<path>.lock"; others may open it
// read-only. Errors: as storage.h says; every change through a read-only store is FAILED_PRECONDITION.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "storage/storage.h"
#include "storage/touched.h"

namespace tuner::storage {

struct SqliteOptions {
  // Takes no lock, so that a listing works beside a running server.
  bool read_only = false;
  // Name of a registered VFS; empty for the system's.
  std::string vfs;
  // See touched.h.
  int64_t kept_revisions = kKeptRevisions;
  // Pages of 4 KiB in the log before a commit copies them into the main file. More: commits pay for that less often,
  // and a start after a crash reads more.
  int checkpoint_pages = 8'000;
};

// Creates the file if it is missing (not its folder) and upgrades an older schema. FAILED_PRECONDITION: another process
// holds the file (named), a newer version or another program wrote it, or its folder is missing. DATA_LOSS: not a
// database, cut short or damaged; it is left as it is. UNAVAILABLE: it cannot be opened or written now.
absl::StatusOr<std::unique_ptr<Storage>> OpenSqliteStorage(const std::string& path, const SqliteOptions& options = {});

}  // namespace tuner::storage
