#include "storage/sqlite_db.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace tuner::storage {
namespace {

// How long to wait for a foreign program (the sqlite3 shell, a backup) that holds the file's lock.
constexpr int kBusyTimeoutMilliseconds = 5'000;

}  // namespace

Query::~Query() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

Query& Query::Bind(int64_t value) {
  sqlite3_bind_int64(statement_, ++bound_, value);
  return *this;
}

Query& Query::Bind(double value) {
  sqlite3_bind_double(statement_, ++bound_, value);
  return *this;
}

Query& Query::Bind(absl::string_view text) {
  sqlite3_bind_text64(statement_, ++bound_, text.empty() ? "" : text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
  return *this;
}

Query& Query::BindBlob(absl::string_view bytes) {
  sqlite3_bind_blob64(statement_, ++bound_, bytes.empty() ? "" : bytes.data(), bytes.size(), SQLITE_STATIC);
  return *this;
}

Query& Query::BindNull() {
  sqlite3_bind_null(statement_, ++bound_);
  return *this;
}

absl::StatusOr<bool> Query::Next() {
  if (statement_ == nullptr) return connection_.Failure(sqlite3_extended_errcode(connection_.db_));
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return connection_.Failure(code);
}

absl::Status Query::Run() { return Next().status(); }

absl::string_view Query::Bytes(int column) const {
  // The blob first: asked for in this order, neither is converted.
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  return bytes == nullptr ? absl::string_view()
                          : absl::string_view(bytes, static_cast<size_t>(sqlite3_column_bytes(statement_, column)));
}

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(const std::string& path,
                                                             const ConnectionOptions& options) {
  sqlite3* db = nullptr;
  const int flags = (options.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) |
                    SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(path.c_str(), &db, flags, options.vfs.empty() ? nullptr : options.vfs.c_str());
  if (db == nullptr) return absl::ResourceExhaustedError("out of memory");
  std::unique_ptr<Connection> connection(new Connection(path, db));
  if (code != SQLITE_OK) return connection->Failure(code);
  sqlite3_busy_timeout(db, kBusyTimeoutMilliseconds);
  // A value that a damaged file makes too large must not take the memory, and triggers or views of a foreign file must
  // not run.
  sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  absl::Status status =
      connection->Execute(absl::StrCat("PRAGMA cache_size=-", options.cache_kib, "; PRAGMA temp_store=MEMORY"));
  if (!status.ok()) return status;
  return connection;
}

Connection::~Connection() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(db_);
}

Query Connection::Prepare(const char* sql) {
  auto [it, is_new] = statements_.try_emplace(sql, nullptr);
  if (it->second == nullptr) sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &it->second, nullptr);
  return Query(*this, it->second);
}

absl::Status Connection::Execute(const std::string& sql) {
  const int code = sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : Failure(code);
}

absl::StatusOr<int64_t> Connection::ReadNumber(const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  const int prepared = sqlite3_prepare_v2(db_, sql.c_str(), -1, &statement, nullptr);
  if (prepared != SQLITE_OK) return Failure(prepared);
  const int code = sqlite3_step(statement);
  const int64_t value = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
  absl::Status status = code == SQLITE_ROW ? absl::OkStatus() : Failure(code);
  sqlite3_finalize(statement);
  if (!status.ok()) return status;
  return value;
}

absl::Status Connection::Failure(int code) const {
  const std::string detail = absl::StrCat(" (SQLite: ", sqlite3_errmsg(db_), ", code ", code, ")");
  if (code == SQLITE_IOERR_CORRUPTFS) return absl::DataLossError(absl::StrCat(path_, " is damaged", detail));
  switch (code & 0xff) {
    case SQLITE_FULL:
      return absl::UnavailableError(absl::StrCat("the disk of ", path_, " is full: free some space", detail));
    case SQLITE_READONLY:
      return absl::UnavailableError(
          absl::StrCat(path_, " cannot be written: make the file, its folder and its file system writable", detail));
    case SQLITE_IOERR:
      return absl::UnavailableError(
          absl::StrCat("the disk of ", path_, " failed: check the file system and its quota", detail));
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return absl::UnavailableError(absl::StrCat(
          path_, " cannot be opened: check that its folder exists and that this user may write there", detail));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::UnavailableError(absl::StrCat(path_, " is locked by another program: end it", detail));
    case SQLITE_NOMEM:
      return absl::UnavailableError(absl::StrCat("out of memory while using ", path_, detail));
    case SQLITE_CORRUPT:
      return absl::DataLossError(absl::StrCat(
          path_, " is damaged: restore a copy, or save what is readable with `sqlite3 ", path_, " .recover`", detail));
    case SQLITE_NOTADB:
      return absl::DataLossError(
          absl::StrCat(path_, " is not a SQLite database, or its first page is damaged", detail));
    default:
      return absl::InternalError(absl::StrCat("SQLite failed on ", path_, detail));
  }
}

absl::StatusOr<Transaction> Transaction::Begin(Connection& connection, Kind kind) {
  absl::Status status =
      kind == Kind::kRead ? connection.Prepare("BEGIN").Run() : connection.Prepare("BEGIN IMMEDIATE").Run();
  if (!status.ok()) return status;
  return Transaction(connection);
}

Transaction::~Transaction() {
  // SQLite rolls back by itself on some failures.
  if (connection_ != nullptr && connection_->InTransaction()) connection_->Prepare("ROLLBACK").Run().IgnoreError();
}

absl::Status Transaction::Commit() {
  absl::Status status = connection_->Prepare("COMMIT").Run();
  if (status.ok()) connection_ = nullptr;
  return status;
}

}  // namespace tuner::storage
