// One SQLite connection and the statements prepared on it.
//
// Threads: a Connection and all that comes from it are for one thread at a time. Ownership: a Query borrows its
// connection's statement until it is destroyed; there is one Query of the same text at a time. Errors: a failure of the
// disk is UNAVAILABLE, a damaged file is DATA_LOSS, the rest is INTERNAL; the message names the file.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tuner::storage {

class Connection;

// One execution of a prepared statement. Bound text and blobs are borrowed until the Query ends.
class Query {
 public:
  Query(Connection& connection, sqlite3_stmt* statement) : connection_(connection), statement_(statement) {}
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  // Parameters from left to right.
  Query& Bind(int64_t value);
  Query& Bind(double value);
  Query& Bind(absl::string_view text);
  Query& BindBlob(absl::string_view bytes);
  Query& BindNull();
  Query& Bind(std::optional<double> value) { return value ? Bind(*value) : BindNull(); }
  Query& Bind(std::optional<int64_t> value) { return value ? Bind(*value) : BindNull(); }

  // True: there is a row, whose columns can be read until the next call. False: there are no more.
  absl::StatusOr<bool> Next();
  // For a statement without rows.
  absl::Status Run();

  int64_t Int(int column) const { return sqlite3_column_int64(statement_, column); }
  double Double(int column) const { return sqlite3_column_double(statement_, column); }
  bool IsNull(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
  // Text or blob.
  absl::string_view Bytes(int column) const;

 private:
  Connection& connection_;
  sqlite3_stmt* statement_;  // null: it could not be prepared
  int bound_ = 0;
};

struct ConnectionOptions {
  bool read_only = false;
  std::string vfs;  // empty: SQLite's default
  int cache_kib = 2'000;
};

class Connection {
 public:
  // Opens or, unless read_only, creates the file.
  static absl::StatusOr<std::unique_ptr<Connection>> Open(const std::string& path, const ConnectionOptions& options);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // `sql` is a literal: the statement is kept under its address. A text that cannot be prepared fails at Next or Run.
  Query Prepare(const char* sql);
  // Runs statements that are not kept.
  absl::Status Execute(const std::string& sql);
  // The value of a pragma or of another statement of one number.
  absl::StatusOr<int64_t> ReadNumber(const std::string& sql);

  // Status of the last call, which returned `code`.
  absl::Status Failure(int code) const;
  bool InTransaction() const { return sqlite3_get_autocommit(db_) == 0; }
  int64_t LastInsertId() const { return sqlite3_last_insert_rowid(db_); }
  int64_t ChangedRows() const { return sqlite3_changes64(db_); }
  const std::string& path() const { return path_; }

 private:
  friend class Query;
  Connection(std::string path, sqlite3* db) : path_(std::move(path)), db_(db) {}

  const std::string path_;
  sqlite3* const db_;
  absl::flat_hash_map<const char*, sqlite3_stmt*> statements_;
};

// A transaction that is rolled back unless it was committed.
class Transaction {
 public:
  enum class Kind { kRead, kWrite };
  static absl::StatusOr<Transaction> Begin(Connection& connection, Kind kind);
  ~Transaction();
  Transaction(Transaction&& other) noexcept : connection_(std::exchange(other.connection_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;

  // Durable on OK; rolled back otherwise.
  absl::Status Commit();

 private:
  explicit Transaction(Connection& connection) : connection_(&connection) {}
  Connection* connection_;
};

}  // namespace tuner::storage
