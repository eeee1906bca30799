#include "storage/sqlite_reads.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/stored.h"
#include "storage/checks.h"
#include "storage/touched.h"

namespace tuner::storage {
namespace {

absl::Status Damaged(const Connection& connection, absl::string_view what) {
  return absl::DataLossError(absl::StrCat(connection.path(), " is damaged: ", what, " cannot be read; restore a copy"));
}

struct PlacedMeasurement {
  int64_t place = 0;
  core::MeasurementPut put;
};

// Columns: attempt, metric, step, place, value, time, source.
PlacedMeasurement ReadMeasurement(const Query& row, int32_t trial) {
  core::Measurement measurement;
  measurement.attempt = static_cast<int32_t>(row.Int(0));
  measurement.metric = std::string(row.Bytes(1));
  measurement.step = row.Int(2);
  measurement.value = row.IsNull(4) ? std::numeric_limits<double>::quiet_NaN() : row.Double(4);
  measurement.time = absl::FromUnixNanos(row.Int(5));
  measurement.source = static_cast<core::MeasurementSource>(row.Int(6));
  return {row.Int(3), {trial, std::move(measurement)}};
}

// In the order in which they came.
std::vector<core::MeasurementPut> InOrder(std::vector<PlacedMeasurement> placed) {
  std::ranges::sort(placed, {}, &PlacedMeasurement::place);
  std::vector<core::MeasurementPut> measurements;
  measurements.reserve(placed.size());
  for (PlacedMeasurement& one : placed) measurements.push_back(std::move(one.put));
  return measurements;
}

// The job's key in the other tables.
absl::StatusOr<int64_t> ReadJobKey(Connection& connection, const std::string& job_id) {
  Query rows = connection.Prepare("SELECT id FROM jobs WHERE name = ?");
  const absl::StatusOr<bool> row = rows.Bind(absl::string_view(job_id)).Next();
  if (!row.ok()) return row.status();
  if (!*row) return NoSuchJob(job_id);
  return rows.Int(0);
}

absl::Status AppendMeasurements(Connection& connection, int64_t job, int32_t trial,
                                std::vector<PlacedMeasurement>& out) {
  Query rows = connection.Prepare(
      "SELECT attempt, metric, step, place, value, time, source FROM measurements WHERE job = ? AND trial = ?");
  rows.Bind(job).Bind(int64_t{trial});
  for (;;) {
    const absl::StatusOr<bool> row = rows.Next();
    if (!row.ok()) return row.status();
    if (!*row) return absl::OkStatus();
    out.push_back(ReadMeasurement(rows, trial));
  }
}

absl::StatusOr<core::Trial> ReadTrialRow(Connection& connection, int64_t job, const std::string& job_id,
                                         int32_t number) {
  Query rows = connection.Prepare("SELECT record FROM trials WHERE job = ? AND number = ?");
  const absl::StatusOr<bool> row = rows.Bind(job).Bind(int64_t{number}).Next();
  if (!row.ok()) return row.status();
  if (!*row) return NoSuchTrial(job_id, number);
  return DecodeTrial(connection, rows.Bytes(0));
}

absl::StatusOr<core::MeasurementPut> ReadMeasurementRow(Connection& connection, int64_t job,
                                                        const MeasurementKey& key) {
  Query rows = connection.Prepare(
      "SELECT attempt, metric, step, place, value, time, source FROM measurements "
      "WHERE job = ? AND trial = ? AND attempt = ? AND metric = ? AND step = ?");
  rows.Bind(job).Bind(int64_t{key.trial}).Bind(int64_t{key.attempt}).Bind(absl::string_view(key.metric)).Bind(key.step);
  const absl::StatusOr<bool> row = rows.Next();
  if (!row.ok()) return row.status();
  if (!*row) return Damaged(connection, "a measurement that the change log names");
  return ReadMeasurement(rows, key.trial).put;
}

absl::StatusOr<core::Notification> DecodeNotification(const Connection& connection, absl::string_view record) {
  internal::v1::StoredNotification stored;
  if (!stored.ParseFromArray(record.data(), static_cast<int>(record.size()))) {
    return Damaged(connection, "a notification");
  }
  return convert::FromStored(stored);
}

absl::StatusOr<core::Notification> ReadNotificationRow(Connection& connection, int64_t job, int64_t number) {
  Query rows = connection.Prepare("SELECT record FROM notifications WHERE job = ? AND number = ?");
  const absl::StatusOr<bool> row = rows.Bind(job).Bind(number).Next();
  if (!row.ok()) return row.status();
  if (!*row) return Damaged(connection, "a notification that the change log names");
  return DecodeNotification(connection, rows.Bytes(0));
}

// The values of today of what was touched.
absl::StatusOr<core::Changes> Resolve(Connection& connection, const JobRow& job, const Touched& touched) {
  const std::string& job_id = job.record.header.job_id;
  core::Changes changes;
  if (touched.header) changes.push_back(core::JobPut{job.record.header});
  for (const int32_t number : touched.trials) {
    absl::StatusOr<core::Trial> trial = ReadTrialRow(connection, job.id, job_id, number);
    if (!trial.ok()) return trial.status();
    changes.push_back(core::TrialPut{*std::move(trial)});
  }
  for (const MeasurementKey& key : touched.measurements) {
    absl::StatusOr<core::MeasurementPut> put = ReadMeasurementRow(connection, job.id, key);
    if (!put.ok()) return put.status();
    changes.push_back(*std::move(put));
  }
  for (const int64_t number : touched.notifications) {
    absl::StatusOr<core::Notification> notification = ReadNotificationRow(connection, job.id, number);
    if (!notification.ok()) return notification.status();
    changes.push_back(core::NotificationPut{*std::move(notification)});
  }
  return changes;
}

}  // namespace

absl::StatusOr<core::JobHeader> DecodeHeader(const Connection& connection, absl::string_view header,
                                             absl::string_view spec, absl::string_view provenance) {
  internal::v1::StoredJob stored;
  if (!stored.ParseFromArray(header.data(), static_cast<int>(header.size()))) return Damaged(connection, "a job");
  stored.set_spec_bytes(spec.data(), spec.size());
  stored.set_provenance_bytes(provenance.data(), provenance.size());
  return convert::FromStored(stored);
}

absl::StatusOr<core::Trial> DecodeTrial(const Connection& connection, absl::string_view record) {
  internal::v1::StoredTrial stored;
  if (!stored.ParseFromArray(record.data(), static_cast<int>(record.size()))) return Damaged(connection, "a trial");
  absl::StatusOr<core::Trial> trial = convert::FromStored(stored);
  if (!trial.ok()) return Damaged(connection, trial.status().message());
  return trial;
}

absl::StatusOr<std::vector<core::Measurement>> MeasurementsOf(Connection& connection, int64_t job, int32_t trial) {
  std::vector<PlacedMeasurement> placed;
  if (absl::Status status = AppendMeasurements(connection, job, trial, placed); !status.ok()) return status;
  std::vector<core::Measurement> measurements;
  measurements.reserve(placed.size());
  for (core::MeasurementPut& put : InOrder(std::move(placed))) measurements.push_back(std::move(put.measurement));
  return measurements;
}

absl::StatusOr<JobRow> ReadJobRow(Connection& connection, const std::string& job_id) {
  Query rows = connection.Prepare(
      "SELECT id, revision, header, spec, provenance FROM jobs JOIN job_documents ON job = id WHERE name = ?");
  const absl::StatusOr<bool> row = rows.Bind(absl::string_view(job_id)).Next();
  if (!row.ok()) return row.status();
  if (!*row) return NoSuchJob(job_id);
  absl::StatusOr<core::JobHeader> header = DecodeHeader(connection, rows.Bytes(2), rows.Bytes(3), rows.Bytes(4));
  if (!header.ok()) return header.status();
  return JobRow{rows.Int(0), {*std::move(header), rows.Int(1)}};
}

absl::StatusOr<LoadedJob> LoadJobFrom(Connection& connection, const std::string& job_id) {
  const absl::StatusOr<Transaction> transaction = Transaction::Begin(connection, Transaction::Kind::kRead);
  if (!transaction.ok()) return transaction.status();
  absl::StatusOr<JobRow> job = ReadJobRow(connection, job_id);
  if (!job.ok()) return job.status();
  LoadedJob loaded{std::move(job->record), {}, {}, {}};
  Query rows = connection.Prepare("SELECT record FROM trials WHERE job = ? ORDER BY number");
  rows.Bind(job->id);
  for (;;) {
    const absl::StatusOr<bool> row = rows.Next();
    if (!row.ok()) return row.status();
    if (!*row) break;
    absl::StatusOr<core::Trial> trial = DecodeTrial(connection, rows.Bytes(0));
    if (!trial.ok()) return trial.status();
    loaded.trials.push_back(*std::move(trial));
  }
  std::vector<PlacedMeasurement> placed;
  for (const core::Trial& trial : loaded.trials) {
    if (core::IsTerminal(trial.state)) continue;
    absl::Status status = AppendMeasurements(connection, job->id, trial.number, placed);
    if (!status.ok()) return status;
  }
  loaded.measurements = InOrder(std::move(placed));
  Query due = connection.Prepare("SELECT record FROM notifications WHERE job = ? AND due = 1 ORDER BY number");
  due.Bind(job->id);
  for (;;) {
    const absl::StatusOr<bool> row = due.Next();
    if (!row.ok()) return row.status();
    if (!*row) break;
    absl::StatusOr<core::Notification> notification = DecodeNotification(connection, due.Bytes(0));
    if (!notification.ok()) return notification.status();
    loaded.notifications.push_back(*std::move(notification));
  }
  return loaded;
}

absl::StatusOr<std::vector<core::MeasurementPut>> ReadMetricFrom(Connection& connection, const std::string& job_id,
                                                                 const std::string& metric) {
  const absl::StatusOr<Transaction> transaction = Transaction::Begin(connection, Transaction::Kind::kRead);
  if (!transaction.ok()) return transaction.status();
  const absl::StatusOr<int64_t> job = ReadJobKey(connection, job_id);
  if (!job.ok()) return job.status();
  Query rows = connection.Prepare(
      "SELECT attempt, metric, step, place, value, time, source, trial FROM measurements WHERE job = ? AND metric = ?");
  rows.Bind(*job).Bind(absl::string_view(metric));
  std::vector<PlacedMeasurement> placed;
  for (;;) {
    const absl::StatusOr<bool> row = rows.Next();
    if (!row.ok()) return row.status();
    if (!*row) break;
    placed.push_back(ReadMeasurement(rows, static_cast<int32_t>(rows.Int(7))));
  }
  return InOrder(std::move(placed));
}

absl::StatusOr<JobRecord> ReadJobFrom(Connection& connection, const std::string& job_id) {
  absl::StatusOr<JobRow> job = ReadJobRow(connection, job_id);
  if (!job.ok()) return job.status();
  return std::move(job->record);
}

absl::StatusOr<core::ParentJobs> ReadParentsFrom(Connection& connection, const std::string& job_id) {
  const absl::StatusOr<Transaction> transaction = Transaction::Begin(connection, Transaction::Kind::kRead);
  if (!transaction.ok()) return transaction.status();
  const absl::StatusOr<int64_t> job = ReadJobKey(connection, job_id);
  if (!job.ok()) return job.status();
  core::ParentJobs parents;
  Query rows = connection.Prepare("SELECT record FROM job_parents WHERE job = ? ORDER BY place");
  rows.Bind(*job);
  for (;;) {
    const absl::StatusOr<bool> row = rows.Next();
    if (!row.ok()) return row.status();
    if (!*row) return parents;
    internal::v1::StoredParent stored;
    const absl::string_view record = rows.Bytes(0);
    if (!stored.ParseFromArray(record.data(), static_cast<int>(record.size()))) {
      return Damaged(connection, absl::StrCat("a parent of ", job_id));
    }
    absl::StatusOr<core::ParentJob> parent = convert::FromStored(stored);
    if (!parent.ok()) return Damaged(connection, parent.status().message());
    parents.push_back(*std::move(parent));
  }
}

absl::StatusOr<std::vector<std::string>> ListChildrenFrom(Connection& connection, const std::string& parent_uid,
                                                          int limit) {
  std::vector<std::string> names;
  Query rows = connection.Prepare(
      "SELECT DISTINCT name FROM job_parents JOIN jobs ON id = job WHERE parent_uid = ? ORDER BY id DESC LIMIT ?");
  rows.Bind(absl::string_view(parent_uid)).Bind(int64_t{limit});
  for (;;) {
    const absl::StatusOr<bool> row = rows.Next();
    if (!row.ok()) return row.status();
    if (!*row) return names;
    names.emplace_back(rows.Bytes(0));
  }
}

absl::StatusOr<ChangePage> ReadChangesFrom(Connection& connection, const std::string& job_id, Revision after,
                                           int limit) {
  const absl::StatusOr<Transaction> transaction = Transaction::Begin(connection, Transaction::Kind::kRead);
  if (!transaction.ok()) return transaction.status();
  const absl::StatusOr<JobRow> job = ReadJobRow(connection, job_id);
  if (!job.ok()) return job.status();
  ChangePage page{{}, job->record.revision};
  Query first = connection.Prepare("SELECT min(revision) FROM changes WHERE job = ?");
  const absl::StatusOr<bool> has_first = first.Bind(job->id).Next();
  if (!has_first.ok()) return has_first.status();
  if (after > page.last || after < first.Int(0) - 1) return ChangesNotKept(job_id, after, first.Int(0), page.last);
  Query rows =
      connection.Prepare("SELECT revision, touched FROM changes WHERE job = ? AND revision > ? ORDER BY revision");
  rows.Bind(job->id).Bind(after);
  while (std::ssize(page.entries) < limit) {
    const absl::StatusOr<bool> row = rows.Next();
    if (!row.ok()) return row.status();
    if (!*row) break;
    const absl::StatusOr<Touched> touched = DecodeTouched(rows.Bytes(1));
    if (!touched.ok()) return Damaged(connection, touched.status().message());
    absl::StatusOr<core::Changes> changes = Resolve(connection, *job, *touched);
    if (!changes.ok()) return changes.status();
    page.entries.push_back({rows.Int(0), *std::move(changes)});
  }
  return page;
}

absl::StatusOr<TrialPage::Entry> ReadTrialFrom(Connection& connection, const std::string& job_id, int32_t number) {
  const absl::StatusOr<Transaction> transaction = Transaction::Begin(connection, Transaction::Kind::kRead);
  if (!transaction.ok()) return transaction.status();
  const absl::StatusOr<int64_t> job = ReadJobKey(connection, job_id);
  if (!job.ok()) return job.status();
  absl::StatusOr<core::Trial> trial = ReadTrialRow(connection, *job, job_id, number);
  if (!trial.ok()) return trial.status();
  absl::StatusOr<std::vector<core::Measurement>> measurements = MeasurementsOf(connection, *job, number);
  if (!measurements.ok()) return measurements.status();
  return TrialPage::Entry{job_id, *std::move(trial), *std::move(measurements)};
}

absl::StatusOr<std::vector<core::Trial>> ReadTrialsFrom(Connection& connection, const std::string& job_id,
                                                        absl::Span<const int32_t> numbers) {
  const absl::StatusOr<Transaction> transaction = Transaction::Begin(connection, Transaction::Kind::kRead);
  if (!transaction.ok()) return transaction.status();
  const absl::StatusOr<int64_t> job = ReadJobKey(connection, job_id);
  if (!job.ok()) return job.status();
  std::vector<core::Trial> trials;
  trials.reserve(numbers.size());
  for (const int32_t number : numbers) {
    absl::StatusOr<core::Trial> trial = ReadTrialRow(connection, *job, job_id, number);
    if (!trial.ok()) return trial.status();
    trials.push_back(*std::move(trial));
  }
  return trials;
}

}  // namespace tuner::storage
