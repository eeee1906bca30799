// Reading jobs and trials from a SQLite connection.
//
// Threads: one at a time on a connection. Each function reads one state of the store, also while another connection
// commits. Arguments have been checked. Errors: those of storage.h.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/sqlite_db.h"
#include "storage/storage.h"

namespace tuner::storage {

absl::StatusOr<LoadedJob> LoadJobFrom(Connection& connection, const std::string& job_id);
absl::StatusOr<std::vector<core::MeasurementPut>> ReadMetricFrom(Connection& connection, const std::string& job_id,
                                                                 const std::string& metric);
absl::StatusOr<JobRecord> ReadJobFrom(Connection& connection, const std::string& job_id);
absl::StatusOr<core::ParentJobs> ReadParentsFrom(Connection& connection, const std::string& job_id);
absl::StatusOr<std::vector<std::string>> ListChildrenFrom(Connection& connection, const std::string& parent_uid,
                                                          int limit);
absl::StatusOr<ChangePage> ReadChangesFrom(Connection& connection, const std::string& job_id, Revision after,
                                           int limit);
absl::StatusOr<JobPage> ListJobsFrom(Connection& connection, const JobQuery& query);
absl::StatusOr<TrialPage> ListTrialsFrom(Connection& connection, const TrialQuery& query);
absl::StatusOr<TrialPage::Entry> ReadTrialFrom(Connection& connection, const std::string& job_id, int32_t number);
absl::StatusOr<std::vector<core::Trial>> ReadTrialsFrom(Connection& connection, const std::string& job_id,
                                                        absl::Span<const int32_t> numbers);

// Pieces of the above, inside a transaction of the caller.
struct JobRow {
  int64_t id = 0;
  JobRecord record;
};
absl::StatusOr<JobRow> ReadJobRow(Connection& connection, const std::string& job_id);
absl::StatusOr<core::JobHeader> DecodeHeader(const Connection& connection, absl::string_view header,
                                             absl::string_view spec, absl::string_view provenance);
absl::StatusOr<core::Trial> DecodeTrial(const Connection& connection, absl::string_view record);
// In the order in which they came.
absl::StatusOr<std::vector<core::Measurement>> MeasurementsOf(Connection& connection, int64_t job, int32_t trial);

}  // namespace tuner::storage
