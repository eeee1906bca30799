// Pages of jobs and trials. By number, trials are read in the order of the table and reading ends with the page. By
// another key, the key of every trial is read first (no record is decoded for that), then the records of the page
// alone.
#include <algorithm>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "proto/enums.h"
#include "storage/checks.h"
#include "storage/paging.h"
#include "storage/sqlite_reads.h"

namespace tuner::storage {
namespace {

using Key = core::TrialOrder::Key;
using Tags = absl::btree_map<std::string, std::string>;

// Collects matching trials until the page is full and it is known whether there are more.
class TrialPageBuilder {
 public:
  TrialPageBuilder(Connection& connection, const TrialQuery& query) : connection_(connection), query_(query) {}

  // False: the page is complete, no further trial is needed.
  absl::StatusOr<bool> Add(const TrialPosition& position, absl::string_view record) {
    absl::StatusOr<const JobInfo*> job = Job(position.job_sequence);
    if (!job.ok()) return job.status();
    // Without a filter there is no need to look into the trial behind the page.
    if (query_.filter == nullptr && Full()) return More();
    absl::StatusOr<core::Trial> trial = DecodeTrial(connection_, record);
    if (!trial.ok()) return trial.status();
    if (query_.filter != nullptr && !query_.filter->Matches(*trial, (*job)->tags)) return true;
    if (Full()) return More();
    TrialPage::Entry entry{(*job)->name, *std::move(trial), {}};
    if (query_.include_measurements) {
      auto measurements = MeasurementsOf(connection_, position.job_sequence, position.number);
      if (!measurements.ok()) return measurements.status();
      entry.measurements = *std::move(measurements);
    }
    page_.entries.push_back(std::move(entry));
    last_ = position;
    return true;
  }

  TrialPage Take() { return std::move(page_); }

 private:
  struct JobInfo {
    std::string name;
    Tags tags;  // read for filters only
  };

  bool Full() const { return std::ssize(page_.entries) == query_.limit; }
  bool More() {
    page_.next = MakeTrialToken(query_, last_);
    return false;
  }

  absl::StatusOr<const JobInfo*> Job(int64_t id) {
    if (current_id_ == id) return &current_;
    Query rows = connection_.Prepare("SELECT name, header FROM jobs WHERE id = ?");
    const absl::StatusOr<bool> row = rows.Bind(id).Next();
    if (!row.ok()) return row.status();
    if (!*row) return absl::DataLossError("a trial has no job");
    current_ = {std::string(rows.Bytes(0)), {}};
    if (query_.filter != nullptr) {
      absl::StatusOr<core::JobHeader> header = DecodeHeader(connection_, rows.Bytes(1), "", "");
      if (!header.ok()) return header.status();
      current_.tags = std::move(header->tags);
    }
    current_id_ = id;
    return &current_;
  }

  Connection& connection_;
  const TrialQuery& query_;
  TrialPage page_;
  TrialPosition last_;
  int64_t current_id_ = 0;
  JobInfo current_;
};

absl::Status ListByNumber(Connection& connection, const TrialQuery& query, std::optional<int64_t> job,
                          const std::optional<TrialPosition>& after, TrialPageBuilder& builder) {
  constexpr int64_t kLast = std::numeric_limits<int64_t>::max();
  const bool descending = query.order.descending;
  const int64_t start_job = after ? after->job_sequence : (descending ? kLast : 0);
  const int64_t start_number = after ? after->number : (descending ? kLast : 0);
  const char* one_job = descending
                            ? "SELECT job, number, record FROM trials WHERE job = ? AND number < ? ORDER BY number DESC"
                            : "SELECT job, number, record FROM trials WHERE job = ? AND number > ? ORDER BY number";
  const char* all_jobs =
      descending ? "SELECT job, number, record FROM trials WHERE (job, number) < (?, ?) ORDER BY job DESC, number DESC"
                 : "SELECT job, number, record FROM trials WHERE (job, number) > (?, ?) ORDER BY job, number";
  Query rows = connection.Prepare(job ? one_job : all_jobs);
  rows.Bind(job ? *job : start_job).Bind(start_number);
  for (;;) {
    const absl::StatusOr<bool> row = rows.Next();
    if (!row.ok()) return row.status();
    if (!*row) return absl::OkStatus();
    const TrialPosition position{std::nullopt, rows.Int(0), static_cast<int32_t>(rows.Int(1))};
    const absl::StatusOr<bool> go_on = builder.Add(position, rows.Bytes(2));
    if (!go_on.ok()) return go_on.status();
    if (!*go_on) return absl::OkStatus();
  }
}

const char* PositionsSql(Key key, bool one_job) {
  switch (key) {
    case Key::kObjective:
      return one_job ? "SELECT job, number, objective FROM trials WHERE job = ?"
                     : "SELECT job, number, objective FROM trials";
    case Key::kBestObjective:
      return one_job ? "SELECT job, number, best_objective FROM trials WHERE job = ?"
                     : "SELECT job, number, best_objective FROM trials";
    case Key::kEndTime:
      return one_job ? "SELECT job, number, end_time FROM trials WHERE job = ?"
                     : "SELECT job, number, end_time FROM trials";
    case Key::kCreateTime:
    case Key::kNumber:
      break;
  }
  return one_job ? "SELECT job, number, create_time FROM trials WHERE job = ?"
                 : "SELECT job, number, create_time FROM trials";
}

// Positions behind `after`, in no order.
absl::StatusOr<std::vector<TrialPosition>> ReadPositions(Connection& connection, const TrialQuery& query,
                                                         std::optional<int64_t> job,
                                                         const std::optional<TrialPosition>& after) {
  const bool is_time = query.order.key == Key::kCreateTime || query.order.key == Key::kEndTime;
  std::vector<TrialPosition> positions;
  Query rows = connection.Prepare(PositionsSql(query.order.key, job.has_value()));
  if (job) rows.Bind(*job);
  for (;;) {
    const absl::StatusOr<bool> row = rows.Next();
    if (!row.ok()) return row.status();
    if (!*row) return positions;
    TrialPosition position{std::nullopt, rows.Int(0), static_cast<int32_t>(rows.Int(1))};
    if (!rows.IsNull(2)) position.rank = is_time ? rows.Int(2) : RankOf(std::optional<double>(rows.Double(2)));
    if (!after || Before(query.order, *after, position)) positions.push_back(position);
  }
}

absl::Status ListByKey(Connection& connection, const TrialQuery& query, std::optional<int64_t> job,
                       const std::optional<TrialPosition>& after, TrialPageBuilder& builder) {
  absl::StatusOr<std::vector<TrialPosition>> positions = ReadPositions(connection, query, job, after);
  if (!positions.ok()) return positions.status();
  const auto before = [&query](const TrialPosition& a, const TrialPosition& b) { return Before(query.order, a, b); };
  // A filter may need them all, a page without one only its own and one more.
  const size_t needed =
      query.filter != nullptr ? positions->size() : std::min(positions->size(), static_cast<size_t>(query.limit) + 1);
  std::partial_sort(positions->begin(), positions->begin() + static_cast<ptrdiff_t>(needed), positions->end(), before);
  for (size_t i = 0; i < needed; ++i) {
    const TrialPosition& position = (*positions)[i];
    Query rows = connection.Prepare("SELECT record FROM trials WHERE job = ? AND number = ?");
    const absl::StatusOr<bool> row = rows.Bind(position.job_sequence).Bind(int64_t{position.number}).Next();
    if (!row.ok()) return row.status();
    const absl::StatusOr<bool> go_on = builder.Add(position, rows.Bytes(0));
    if (!go_on.ok()) return go_on.status();
    if (!*go_on) break;
  }
  return absl::OkStatus();
}

bool HasTags(const Tags& tags, const Tags& wanted) {
  return std::ranges::all_of(wanted, [&tags](const auto& tag) {
    const auto it = tags.find(tag.first);
    return it != tags.end() && it->second == tag.second;
  });
}

bool SelectedByColumns(const JobQuery& query, int64_t status, int64_t create_time) {
  if (query.created_after && create_time < absl::ToUnixNanos(*query.created_after)) return false;
  if (query.created_before && create_time >= absl::ToUnixNanos(*query.created_before)) return false;
  return query.statuses.empty() || std::ranges::any_of(query.statuses, [status](core::JobStatus wanted) {
           return static_cast<int64_t>(convert::WireStatus(wanted)) == status;
         });
}

}  // namespace

absl::StatusOr<JobPage> ListJobsFrom(Connection& connection, const JobQuery& query) {
  const absl::StatusOr<std::optional<int64_t>> after = ParseJobToken(query);
  if (!after.ok()) return after.status();
  Query rows = connection.Prepare(
      "SELECT id, status, create_time, revision, header, spec, provenance FROM jobs JOIN job_documents ON job = id "
      "WHERE id < ? AND instr(name, ?) > 0 AND (? = 0 OR id IN (SELECT job FROM notifications WHERE due = 1)) "
      "ORDER BY id DESC");
  rows.Bind(after->value_or(std::numeric_limits<int64_t>::max()))
      .Bind(absl::string_view(query.name_contains))
      .Bind(int64_t{query.with_due_notifications ? 1 : 0});
  JobPage page;
  for (int64_t last = 0;;) {
    const absl::StatusOr<bool> row = rows.Next();
    if (!row.ok()) return row.status();
    if (!*row) return page;
    if (!SelectedByColumns(query, rows.Int(1), rows.Int(2))) continue;
    absl::StatusOr<core::JobHeader> header = DecodeHeader(connection, rows.Bytes(4), rows.Bytes(5), rows.Bytes(6));
    if (!header.ok()) return header.status();
    if (!HasTags(header->tags, query.tags)) continue;
    if (std::ssize(page.jobs) == query.limit) {
      page.next = MakeJobToken(last);
      return page;
    }
    page.jobs.push_back({*std::move(header), rows.Int(3)});
    last = rows.Int(0);
  }
}

absl::StatusOr<TrialPage> ListTrialsFrom(Connection& connection, const TrialQuery& query) {
  const absl::StatusOr<std::optional<TrialPosition>> after = ParseTrialToken(query);
  if (!after.ok()) return after.status();
  const absl::StatusOr<Transaction> transaction = Transaction::Begin(connection, Transaction::Kind::kRead);
  if (!transaction.ok()) return transaction.status();
  std::optional<int64_t> job;
  if (!query.job_id.empty()) {
    Query jobs = connection.Prepare("SELECT id FROM jobs WHERE name = ?");
    const absl::StatusOr<bool> row = jobs.Bind(absl::string_view(query.job_id)).Next();
    if (!row.ok()) return row.status();
    if (!*row) return NoSuchJob(query.job_id);
    job = jobs.Int(0);
  }
  TrialPageBuilder builder(connection, query);
  const absl::Status status = query.order.key == Key::kNumber ? ListByNumber(connection, query, job, *after, builder)
                                                              : ListByKey(connection, query, job, *after, builder);
  if (!status.ok()) return status;
  return builder.Take();
}

}  // namespace tuner::storage
