#include "storage/sqlite_writes.h"

#include <cmath>
#include <utility>
#include <variant>

#include "proto/enums.h"
#include "proto/stored.h"
#include "storage/checks.h"
#include "storage/touched.h"

namespace tuner::storage {
namespace {

struct JobState {
  int64_t id = 0;
  Revision revision = 0;
  Epoch epoch = 0;
  std::string owner;
  absl::Time lease_expire_time;
};

absl::StatusOr<JobState> ReadState(Connection& connection, const std::string& job_id) {
  Query rows = connection.Prepare("SELECT id, revision, epoch, owner, lease_expire_time FROM jobs WHERE name = ?");
  const absl::StatusOr<bool> row = rows.Bind(absl::string_view(job_id)).Next();
  if (!row.ok()) return row.status();
  if (!*row) return NoSuchJob(job_id);
  return JobState{rows.Int(0), rows.Int(1), rows.Int(2), std::string(rows.Bytes(3)), absl::FromUnixNanos(rows.Int(4))};
}

absl::Status WriteHeader(Connection& connection, int64_t job, Revision revision, const EncodedHeader& header) {
  absl::Status status =
      connection.Prepare("UPDATE jobs SET revision = ?, status = ?, create_time = ?, header = ? WHERE id = ?")
          .Bind(revision)
          .Bind(header.status)
          .Bind(header.create_time)
          .BindBlob(header.header)
          .Bind(job)
          .Run();
  if (!status.ok()) return status;
  return connection
      .Prepare(
          "UPDATE job_documents SET spec = ?1, provenance = ?2 WHERE job = ?3 AND (spec <> ?1 OR provenance <> ?2)")
      .BindBlob(header.spec)
      .BindBlob(header.provenance)
      .Bind(job)
      .Run();
}

std::optional<int64_t> Nanos(const std::optional<absl::Time>& time) {
  if (!time) return std::nullopt;
  return absl::ToUnixNanos(*time);
}

absl::Status WriteTrial(Connection& connection, int64_t job, const EncodedTrial& encoded) {
  const core::Trial& trial = *encoded.trial;
  return connection
      .Prepare(
          "REPLACE INTO trials (job, number, state, objective, best_objective, create_time, end_time, record) "
          "VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
      .Bind(job)
      .Bind(int64_t{trial.number})
      .Bind(int64_t{convert::WireState(trial.state)})
      .Bind(trial.objective)
      .Bind(trial.best_objective)
      .Bind(absl::ToUnixNanos(trial.create_time))
      .Bind(Nanos(trial.end_time))
      .BindBlob(encoded.record)
      .Run();
}

absl::Status WriteMeasurement(Connection& connection, int64_t job, Revision revision,
                              const EncodedMeasurement& encoded) {
  const core::Measurement& measurement = encoded.put->measurement;
  return connection
      .Prepare(
          "INSERT INTO measurements (job, trial, attempt, metric, step, place, value, time, source) "
          "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
          "value = excluded.value, time = excluded.time, source = excluded.source")
      .Bind(job)
      .Bind(int64_t{encoded.put->trial})
      .Bind(int64_t{measurement.attempt})
      .Bind(absl::string_view(measurement.metric))
      .Bind(measurement.step)
      .Bind((revision << kPlaceBits) + encoded.place)
      .Bind(measurement.value)
      .Bind(absl::ToUnixNanos(measurement.time))
      .Bind(int64_t{convert::WireSource(measurement.source)})
      .Run();
}

absl::Status WriteNotification(Connection& connection, int64_t job, const EncodedNotification& encoded) {
  const bool due = encoded.notification->state == core::NotificationState::kDue;
  return connection.Prepare("REPLACE INTO notifications (job, number, due, record) VALUES (?, ?, ?, ?)")
      .Bind(job)
      .Bind(encoded.notification->number)
      .Bind(int64_t{due ? 1 : 0})
      .BindBlob(encoded.record)
      .Run();
}

absl::Status WriteLog(Connection& connection, int64_t job, Revision revision, absl::string_view touched,
                      int64_t kept_revisions) {
  absl::Status status = connection.Prepare("INSERT INTO changes (job, revision, touched) VALUES (?, ?, ?)")
                            .Bind(job)
                            .Bind(revision)
                            .BindBlob(touched)
                            .Run();
  if (!status.ok() || revision % kPruneInterval != 0) return status;
  return connection.Prepare("DELETE FROM changes WHERE job = ? AND revision <= ?")
      .Bind(job)
      .Bind(revision - kept_revisions)
      .Run();
}

// A refusal comes before the first write, so nothing needs to be undone for it; another error ends the whole
// transaction.
struct Outcome {
  absl::Status refused;
  absl::Status failed;
};

Outcome CommitOne(Connection& connection, const EncodedCommit& encoded, int64_t kept_revisions) {
  const JobCommit& commit = *encoded.commit;
  const absl::StatusOr<JobState> job = ReadState(connection, commit.job_id);
  if (absl::IsNotFound(job.status())) return {job.status(), {}};
  if (!job.ok()) return {{}, job.status()};
  if (commit.seen != job->revision || commit.epoch != job->epoch) {
    return {Superseded(commit, job->revision, job->epoch), {}};
  }
  const Revision revision = job->revision + 1;
  absl::Status status =
      encoded.header
          ? WriteHeader(connection, job->id, revision, *encoded.header)
          : connection.Prepare("UPDATE jobs SET revision = ? WHERE id = ?").Bind(revision).Bind(job->id).Run();
  for (auto it = encoded.trials.begin(); status.ok() && it != encoded.trials.end(); ++it) {
    status = WriteTrial(connection, job->id, *it);
  }
  for (auto it = encoded.measurements.begin(); status.ok() && it != encoded.measurements.end(); ++it) {
    status = WriteMeasurement(connection, job->id, revision, *it);
  }
  for (auto it = encoded.notifications.begin(); status.ok() && it != encoded.notifications.end(); ++it) {
    status = WriteNotification(connection, job->id, *it);
  }
  if (status.ok()) status = WriteLog(connection, job->id, revision, encoded.touched, kept_revisions);
  return {{}, status};
}

}  // namespace

EncodedHeader Encode(const core::JobHeader& header) {
  internal::v1::StoredJob stored = convert::ToStored(header);
  EncodedHeader encoded;
  encoded.spec = std::move(*stored.mutable_spec_bytes());
  encoded.provenance = std::move(*stored.mutable_provenance_bytes());
  stored.clear_spec_bytes();
  stored.clear_provenance_bytes();
  stored.SerializeToString(&encoded.header);
  encoded.status = static_cast<int64_t>(stored.status());
  encoded.create_time = absl::ToUnixNanos(header.create_time);
  return encoded;
}

std::vector<EncodedParent> Encode(const core::ParentJobs& parents) {
  std::vector<EncodedParent> encoded;
  for (const core::ParentJob& parent : parents) {
    encoded.push_back({parent.uid, convert::ToStored(parent).SerializeAsString()});
  }
  return encoded;
}

EncodedCommit Encode(const JobCommit& commit) {
  EncodedCommit encoded;
  encoded.commit = &commit;
  const core::JobHeader* header = nullptr;
  int64_t place = 0;
  for (const core::Change& change : commit.changes) {
    if (const auto* job = std::get_if<core::JobPut>(&change)) {
      header = &job->header;
    } else if (const auto* trial = std::get_if<core::TrialPut>(&change)) {
      encoded.trials.push_back({&trial->trial, convert::ToStored(trial->trial).SerializeAsString()});
    } else if (const auto* measurement = std::get_if<core::MeasurementPut>(&change)) {
      encoded.measurements.push_back({measurement, place++});
    } else {
      const core::Notification& notification = std::get<core::NotificationPut>(change).notification;
      encoded.notifications.push_back({&notification, convert::ToStored(notification).SerializeAsString()});
    }
  }
  if (header != nullptr) encoded.header = Encode(*header);
  encoded.touched = EncodeTouched(TouchedBy(commit.changes));
  return encoded;
}

std::vector<absl::Status> CommitTo(Connection& connection, absl::Span<const EncodedCommit> commits,
                                   int64_t kept_revisions) {
  const auto all_failed = [&commits](const absl::Status& status) {
    return std::vector<absl::Status>(commits.size(), status);
  };
  absl::StatusOr<Transaction> transaction = Transaction::Begin(connection, Transaction::Kind::kWrite);
  if (!transaction.ok()) return all_failed(transaction.status());
  std::vector<absl::Status> statuses;
  statuses.reserve(commits.size());
  bool any_written = false;
  for (const EncodedCommit& commit : commits) {
    Outcome outcome = CommitOne(connection, commit, kept_revisions);
    if (!outcome.failed.ok()) return all_failed(outcome.failed);
    any_written = any_written || outcome.refused.ok();
    statuses.push_back(std::move(outcome.refused));
  }
  if (!any_written) return statuses;
  if (absl::Status status = transaction->Commit(); !status.ok()) return all_failed(status);
  return statuses;
}

absl::Status CreateJobIn(Connection& connection, const std::string& job_id, const EncodedHeader& header,
                         absl::Span<const EncodedParent> parents) {
  absl::StatusOr<Transaction> transaction = Transaction::Begin(connection, Transaction::Kind::kWrite);
  if (!transaction.ok()) return transaction.status();
  absl::Status known = ReadState(connection, job_id).status();
  if (known.ok()) return JobExists(job_id);
  if (!absl::IsNotFound(known)) return known;
  absl::Status status = connection
                            .Prepare(
                                "INSERT INTO jobs (name, revision, epoch, owner, lease_expire_time, status, "
                                "create_time, header) VALUES (?, 1, 0, '', 0, ?, ?, ?)")
                            .Bind(absl::string_view(job_id))
                            .Bind(header.status)
                            .Bind(header.create_time)
                            .BindBlob(header.header)
                            .Run();
  if (!status.ok()) return status;
  const int64_t job = connection.LastInsertId();
  status = connection.Prepare("INSERT INTO job_documents (job, spec, provenance) VALUES (?, ?, ?)")
               .Bind(job)
               .BindBlob(header.spec)
               .BindBlob(header.provenance)
               .Run();
  if (!status.ok()) return status;
  for (size_t i = 0; i < parents.size(); ++i) {
    status = connection.Prepare("INSERT INTO job_parents (job, place, parent_uid, record) VALUES (?, ?, ?, ?)")
                 .Bind(job)
                 .Bind(static_cast<int64_t>(i))
                 .Bind(absl::string_view(parents[i].uid))
                 .BindBlob(parents[i].record)
                 .Run();
    if (!status.ok()) return status;
  }
  Touched touched;
  touched.header = true;
  status = WriteLog(connection, job, 1, EncodeTouched(touched), kKeptRevisions);
  if (!status.ok()) return status;
  return transaction->Commit();
}

absl::StatusOr<Epoch> AcquireJobIn(Connection& connection, const std::string& job_id, const std::string& server,
                                   absl::Time now, absl::Duration lease) {
  absl::StatusOr<Transaction> transaction = Transaction::Begin(connection, Transaction::Kind::kWrite);
  if (!transaction.ok()) return transaction.status();
  const absl::StatusOr<JobState> job = ReadState(connection, job_id);
  if (!job.ok()) return job.status();
  if (!job->owner.empty() && job->owner != server && now < job->lease_expire_time) {
    return OwnedByAnother(job_id, job->owner, job->lease_expire_time);
  }
  const Epoch epoch = job->epoch + 1;
  absl::Status status = connection.Prepare("UPDATE jobs SET epoch = ?, owner = ?, lease_expire_time = ? WHERE id = ?")
                            .Bind(epoch)
                            .Bind(absl::string_view(server))
                            .Bind(absl::ToUnixNanos(now + lease))
                            .Bind(job->id)
                            .Run();
  if (!status.ok()) return status;
  if (status = transaction->Commit(); !status.ok()) return status;
  return epoch;
}

absl::Status ReleaseJobIn(Connection& connection, const std::string& job_id, Epoch epoch) {
  absl::StatusOr<Transaction> transaction = Transaction::Begin(connection, Transaction::Kind::kWrite);
  if (!transaction.ok()) return transaction.status();
  const absl::StatusOr<JobState> job = ReadState(connection, job_id);
  if (!job.ok()) return job.status();
  if (job->epoch != epoch) return EpochPassed(job_id, epoch, job->epoch);
  absl::Status status = connection.Prepare("UPDATE jobs SET owner = '' WHERE id = ?").Bind(job->id).Run();
  if (!status.ok()) return status;
  return transaction->Commit();
}

absl::Status DeleteJobIn(Connection& connection, const std::string& job_id) {
  absl::StatusOr<Transaction> transaction = Transaction::Begin(connection, Transaction::Kind::kWrite);
  if (!transaction.ok()) return transaction.status();
  const absl::StatusOr<JobState> job = ReadState(connection, job_id);
  if (!job.ok()) return job.status();
  for (const char* sql : {"DELETE FROM measurements WHERE job = ?", "DELETE FROM changes WHERE job = ?",
                          "DELETE FROM trials WHERE job = ?", "DELETE FROM notifications WHERE job = ?",
                          "DELETE FROM job_documents WHERE job = ?", "DELETE FROM job_parents WHERE job = ?",
                          "DELETE FROM jobs WHERE id = ?"}) {
    if (absl::Status status = connection.Prepare(sql).Bind(job->id).Run(); !status.ok()) return status;
  }
  return transaction->Commit();
}

}  // namespace tuner::storage
