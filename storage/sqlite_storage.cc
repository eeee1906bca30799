#include "storage/sqlite_storage.h"

#include <sys/stat.h>

#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "storage/checks.h"
#include "storage/file_lock.h"
#include "storage/sqlite_db.h"
#include "storage/sqlite_reads.h"
#include "storage/sqlite_schema.h"
#include "storage/sqlite_writes.h"

namespace tuner::storage {
namespace {

constexpr int kMaxReaders = 4;
constexpr int kWriterCacheKib = 16'000;
constexpr int kReaderCacheKib = 4'000;

// Connections for reading, opened when first needed.
class ReaderPool {
 public:
  ReaderPool(std::string path, std::string vfs)
      : path_(std::move(path)), options_{.read_only = true, .vfs = std::move(vfs), .cache_kib = kReaderCacheKib} {}

  // A connection for one thread, given back when the Lease ends. Waits for one if all are in use.
  class Lease {
   public:
    Lease(ReaderPool& pool, std::unique_ptr<Connection> connection)
        : pool_(&pool), connection_(std::move(connection)) {}
    ~Lease() {
      if (connection_ != nullptr) pool_->GiveBack(std::move(connection_));
    }
    Lease(Lease&&) = default;
    Lease& operator=(Lease&&) = delete;
    Connection& operator*() const { return *connection_; }

   private:
    ReaderPool* pool_;
    std::unique_ptr<Connection> connection_;
  };

  absl::StatusOr<Lease> Take() {
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &ReaderPool::CanTake));
      if (!idle_.empty()) {
        std::unique_ptr<Connection> connection = std::move(idle_.back());
        idle_.pop_back();
        return Lease(*this, std::move(connection));
      }
      ++open_;
    }
    absl::StatusOr<std::unique_ptr<Connection>> connection = Connection::Open(path_, options_);
    if (connection.ok()) return Lease(*this, *std::move(connection));
    absl::MutexLock lock(&mutex_);
    --open_;
    return connection.status();
  }

 private:
  bool CanTake() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return !idle_.empty() || open_ < kMaxReaders; }
  void GiveBack(std::unique_ptr<Connection> connection) {
    absl::MutexLock lock(&mutex_);
    idle_.push_back(std::move(connection));
  }

  const std::string path_;
  const ConnectionOptions options_;
  absl::Mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_ ABSL_GUARDED_BY(mutex_);
  int open_ ABSL_GUARDED_BY(mutex_) = 0;
};

class SqliteStorage : public Storage {
 public:
  SqliteStorage(const std::string& path, const SqliteOptions& options, std::optional<FileLock> lock,
                std::unique_ptr<Connection> writer)
      : path_(path),
        kept_revisions_(options.kept_revisions),
        lock_(std::move(lock)),
        writer_(std::move(writer)),
        readers_(path, options.vfs) {}

  absl::Status CreateJob(const core::JobHeader& header, const core::ParentJobs& parents) override {
    if (absl::Status status = CheckJobId(header.job_id); !status.ok()) return status;
    const EncodedHeader encoded = Encode(header);
    const std::vector<EncodedParent> encoded_parents = Encode(parents);
    return Write(
        [&](Connection& connection) { return CreateJobIn(connection, header.job_id, encoded, encoded_parents); });
  }

  absl::StatusOr<LoadedJob> LoadJob(const std::string& job_id) const override {
    if (absl::Status status = CheckJobId(job_id); !status.ok()) return status;
    return Read([&](Connection& connection) { return LoadJobFrom(connection, job_id); });
  }

  absl::StatusOr<JobRecord> ReadJob(const std::string& job_id) const override {
    if (absl::Status status = CheckJobId(job_id); !status.ok()) return status;
    return Read([&](Connection& connection) { return ReadJobFrom(connection, job_id); });
  }

  absl::StatusOr<std::vector<core::MeasurementPut>> ReadMetric(const std::string& job_id,
                                                               const std::string& metric) const override {
    if (absl::Status status = CheckJobId(job_id); !status.ok()) return status;
    return Read([&](Connection& connection) { return ReadMetricFrom(connection, job_id, metric); });
  }

  absl::StatusOr<core::ParentJobs> ReadParents(const std::string& job_id) const override {
    if (absl::Status status = CheckJobId(job_id); !status.ok()) return status;
    return Read([&](Connection& connection) { return ReadParentsFrom(connection, job_id); });
  }

  absl::StatusOr<std::vector<std::string>> ListChildren(const std::string& parent_uid, int limit) const override {
    if (absl::Status status = CheckLimit(limit); !status.ok()) return status;
    return Read([&](Connection& connection) { return ListChildrenFrom(connection, parent_uid, limit); });
  }

  std::vector<absl::Status> Commit(absl::Span<const JobCommit> commits) override;

  absl::StatusOr<ChangePage> ReadChanges(const std::string& job_id, Revision after, int limit) const override {
    if (absl::Status status = CheckJobId(job_id); !status.ok()) return status;
    if (absl::Status status = CheckLimit(limit); !status.ok()) return status;
    return Read([&](Connection& connection) { return ReadChangesFrom(connection, job_id, after, limit); });
  }

  absl::StatusOr<Epoch> AcquireJob(const std::string& job_id, const std::string& server, absl::Time now,
                                   absl::Duration lease) override {
    if (absl::Status status = CheckJobId(job_id); !status.ok()) return status;
    if (absl::Status status = CheckLease(server, lease); !status.ok()) return status;
    absl::StatusOr<Epoch> epoch = 0;
    absl::Status status = Write([&](Connection& connection) {
      epoch = AcquireJobIn(connection, job_id, server, now, lease);
      return epoch.status();
    });
    if (!status.ok()) return status;
    return epoch;
  }

  absl::Status ReleaseJob(const std::string& job_id, Epoch epoch) override {
    if (absl::Status status = CheckJobId(job_id); !status.ok()) return status;
    return Write([&](Connection& connection) { return ReleaseJobIn(connection, job_id, epoch); });
  }

  absl::StatusOr<JobPage> ListJobs(const JobQuery& query) const override {
    if (absl::Status status = CheckLimit(query.limit); !status.ok()) return status;
    return Read([&](Connection& connection) { return ListJobsFrom(connection, query); });
  }

  absl::StatusOr<TrialPage> ListTrials(const TrialQuery& query) const override {
    if (absl::Status status = CheckLimit(query.limit); !status.ok()) return status;
    return Read([&](Connection& connection) { return ListTrialsFrom(connection, query); });
  }

  absl::StatusOr<std::vector<core::Trial>> ReadTrials(const std::string& job_id,
                                                      absl::Span<const int32_t> numbers) const override {
    if (absl::Status status = CheckJobId(job_id); !status.ok()) return status;
    return Read([&](Connection& connection) { return ReadTrialsFrom(connection, job_id, numbers); });
  }

  absl::StatusOr<TrialPage::Entry> ReadTrial(const std::string& job_id, int32_t number) const override {
    if (absl::Status status = CheckJobId(job_id); !status.ok()) return status;
    return Read([&](Connection& connection) { return ReadTrialFrom(connection, job_id, number); });
  }

  absl::Status DeleteJob(const std::string& job_id) override {
    if (absl::Status status = CheckJobId(job_id); !status.ok()) return status;
    return Write([&](Connection& connection) { return DeleteJobIn(connection, job_id); });
  }

 private:
  template <typename Function>
  auto Read(const Function& function) const -> decltype(function(std::declval<Connection&>())) {
    absl::StatusOr<ReaderPool::Lease> reader = readers_.Take();
    if (!reader.ok()) return reader.status();
    return function(**reader);
  }
  template <typename Function>
  absl::Status Write(const Function& function) {
    absl::MutexLock lock(&writer_mutex_);
    if (writer_ == nullptr) return OpenedReadOnly();
    return function(*writer_);
  }
  absl::Status OpenedReadOnly() const {
    return absl::FailedPreconditionError(absl::StrCat(path_, " was opened read-only: open it without mode=ro"));
  }

  const std::string path_;
  const int64_t kept_revisions_;
  const std::optional<FileLock> lock_;
  absl::Mutex writer_mutex_;
  const std::unique_ptr<Connection> writer_ ABSL_PT_GUARDED_BY(writer_mutex_);  // null: read-only
  // After the writer, so that readers are closed first: the last connection to close tidies up the log.
  mutable ReaderPool readers_;
};

std::vector<absl::Status> SqliteStorage::Commit(absl::Span<const JobCommit> commits) {
  std::vector<absl::Status> statuses(commits.size());
  std::vector<EncodedCommit> encoded;
  std::vector<size_t> places;
  for (size_t i = 0; i < commits.size(); ++i) {
    statuses[i] = CheckCommit(commits[i]);
    if (!statuses[i].ok()) continue;
    encoded.push_back(Encode(commits[i]));
    places.push_back(i);
  }
  if (encoded.empty()) return statuses;
  std::vector<absl::Status> stored;
  absl::Status status = Write([&](Connection& connection) {
    stored = CommitTo(connection, encoded, kept_revisions_);
    return absl::OkStatus();
  });
  for (size_t i = 0; i < places.size(); ++i) statuses[places[i]] = status.ok() ? stored[i] : status;
  return statuses;
}

absl::StatusOr<std::unique_ptr<Storage>> OpenReadOnly(const std::string& path, const SqliteOptions& options) {
  absl::StatusOr<std::unique_ptr<Connection>> connection =
      Connection::Open(path, {.read_only = true, .vfs = options.vfs});
  if (!connection.ok()) return connection.status();
  if (absl::Status status = CheckSchema(**connection); !status.ok()) return status;
  return std::make_unique<SqliteStorage>(path, options, std::nullopt, nullptr);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Storage>> OpenSqliteStorage(const std::string& path, const SqliteOptions& options) {
  if (absl::Status status = CheckFile(path); !status.ok()) return status;
  if (options.read_only) return OpenReadOnly(path, options);
  absl::StatusOr<FileLock> lock = FileLock::Acquire(path);
  if (!lock.ok()) return lock.status();
  absl::StatusOr<std::unique_ptr<Connection>> writer =
      Connection::Open(path, {.vfs = options.vfs, .cache_kib = kWriterCacheKib});
  if (!writer.ok()) return writer.status();
  // Commands and environments of jobs may hold secrets. SQLite gives its log the same mode.
  chmod(path.c_str(), 0600);
  if (absl::Status status = PrepareForWriting(**writer, options.checkpoint_pages); !status.ok()) return status;
  return std::make_unique<SqliteStorage>(path, options, *std::move(lock), *std::move(writer));
}

}  // namespace tuner::storage
