#include "storage/sqlite_schema.h"

#include <cstdint>
#include <filesystem>
#include <system_error>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace tuner::storage {
namespace {

// "tunr", in the file's header: tells a store from any other SQLite file.
constexpr int64_t kApplicationId = 0x74756e72;
constexpr int kPageBytes = 4096;

struct FileVersion {
  int64_t schema = 0;
  bool blank = false;  // nothing was ever stored in it
};

absl::StatusOr<FileVersion> ReadVersion(Connection& connection) {
  const absl::StatusOr<int64_t> tables = connection.ReadNumber("SELECT count(*) FROM sqlite_schema");
  if (!tables.ok()) return tables.status();
  const absl::StatusOr<int64_t> application = connection.ReadNumber("PRAGMA application_id");
  if (!application.ok()) return application.status();
  const absl::StatusOr<int64_t> schema = connection.ReadNumber("PRAGMA user_version");
  if (!schema.ok()) return schema.status();
  const bool blank = *tables == 0 && *schema == 0;
  if (!blank && *application != kApplicationId) {
    return absl::FailedPreconditionError(
        absl::StrCat(connection.path(), " is a SQLite database of another program: choose another file"));
  }
  if (*schema > std::ssize(Migrations())) {
    return absl::FailedPreconditionError(absl::StrCat(connection.path(), " has schema ", *schema,
                                                      ", written by a newer version; this one knows up to ",
                                                      Migrations().size(), ": upgrade"));
  }
  return FileVersion{*schema, blank};
}

// Some file systems cannot do it, and SQLite keeps the old mode then.
absl::Status CheckWal(Connection& connection) {
  Query mode = connection.Prepare("PRAGMA journal_mode");
  const absl::StatusOr<bool> row = mode.Next();
  if (!row.ok()) return row.status();
  if (mode.Bytes(0) == "wal") return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("the file system of ", connection.path(),
                                                    " does not allow shared memory (WAL): choose a local disk"));
}

absl::Status Migrate(Connection& connection, int64_t from) {
  const absl::Span<const absl::string_view> migrations = Migrations();
  for (int64_t version = from + 1; version <= std::ssize(migrations); ++version) {
    absl::StatusOr<Transaction> transaction = Transaction::Begin(connection, Transaction::Kind::kWrite);
    if (!transaction.ok()) return transaction.status();
    absl::Status status = connection.Execute(std::string(migrations[version - 1]));
    if (!status.ok()) return status;
    status =
        connection.Execute(absl::StrCat("PRAGMA user_version=", version, "; PRAGMA application_id=", kApplicationId));
    if (!status.ok()) return status;
    status = transaction->Commit();
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckFile(const std::string& path) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) return absl::OkStatus();
  if (std::filesystem::is_directory(status)) {
    return absl::FailedPreconditionError(absl::StrCat(path, " is a folder: name a file in it"));
  }
  const uintmax_t size = std::filesystem::file_size(path, error);
  const std::string wal = path + "-wal";
  if (!error && size == 0 && std::filesystem::exists(wal, error) && std::filesystem::file_size(wal, error) > 0) {
    return absl::DataLossError(absl::StrCat(path, " is empty, but there are commits for it in ", wal,
                                            ": restore a copy, or remove both to begin anew"));
  }
  return absl::OkStatus();
}

absl::Status PrepareForWriting(Connection& connection, int checkpoint_pages) {
  const absl::StatusOr<FileVersion> version = ReadVersion(connection);
  if (!version.ok()) return version.status();
  // Before the mode is changed, so that another program's file stays as it is.
  absl::Status status = connection.Execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL");
  if (!status.ok()) return status;
  if (status = CheckWal(connection); !status.ok()) return status;
  status = connection.Execute(absl::StrCat("PRAGMA wal_autocheckpoint=", checkpoint_pages,
                                           "; PRAGMA journal_size_limit=", int64_t{2} * checkpoint_pages * kPageBytes));
  if (!status.ok()) return status;
  return Migrate(connection, version->schema);
}

absl::Status CheckSchema(Connection& connection) {
  const absl::StatusOr<FileVersion> version = ReadVersion(connection);
  if (!version.ok()) return version.status();
  if (version->schema < std::ssize(Migrations())) {
    return absl::FailedPreconditionError(absl::StrCat(connection.path(), " has the old schema ", version->schema,
                                                      ": open it for writing once, which upgrades it"));
  }
  return absl::OkStatus();
}

}  // namespace tuner::storage
