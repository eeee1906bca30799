// Makes a file ready: checks that it is a store of ours and sound enough to begin with, and brings its schema to the
// newest version.
//
// Threads: one at a time on a file. Errors: FAILED_PRECONDITION (a newer version's file, or another program's),
// DATA_LOSS, UNAVAILABLE.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "storage/sqlite_db.h"

namespace tuner::storage {

// The text of migrations/NNNN.sql; element i leads to version i + 1. Defined in a file that CMake writes.
absl::Span<const absl::string_view> Migrations();

// What can be told of `path` before SQLite touches it: SQLite would take an emptied file for a new one.
absl::Status CheckFile(const std::string& path);

// For the connection that writes: WAL with an fsync per commit, newest schema. `checkpoint_pages`: see SqliteOptions.
absl::Status PrepareForWriting(Connection& connection, int checkpoint_pages);
// For a store that is only read: it must have the newest schema already.
absl::Status CheckSchema(Connection& connection);

}  // namespace tuner::storage
