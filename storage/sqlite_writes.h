// Writing jobs to a SQLite connection.
//
// Threads: one at a time on a connection. Each function is one transaction: durable on OK, nothing changed otherwise.
// Arguments have been checked. Errors: those of storage.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/sqlite_db.h"
#include "storage/storage.h"

namespace tuner::storage {

// Changes as they are written, made before the connection is taken, so that encoding does not hold up other commits.
struct EncodedHeader {
  std::string header;
  std::string spec;
  std::string provenance;
  int64_t status = 0;
  int64_t create_time = 0;
};
struct EncodedTrial {
  const core::Trial* trial = nullptr;  // of the commit
  std::string record;
};
struct EncodedMeasurement {
  const core::MeasurementPut* put = nullptr;  // of the commit
  int64_t place = 0;                          // in the commit
};
struct EncodedNotification {
  const core::Notification* notification = nullptr;  // of the commit
  std::string record;
};
struct EncodedParent {
  std::string uid;
  std::string record;
};
// Borrows from the commit that it was made of.
struct EncodedCommit {
  const JobCommit* commit = nullptr;
  std::optional<EncodedHeader> header;  // the last one of the commit
  std::vector<EncodedTrial> trials;
  std::vector<EncodedMeasurement> measurements;
  std::vector<EncodedNotification> notifications;
  std::string touched;
};

EncodedHeader Encode(const core::JobHeader& header);
EncodedCommit Encode(const JobCommit& commit);
std::vector<EncodedParent> Encode(const core::ParentJobs& parents);

// One status for each, as Storage::Commit says.
std::vector<absl::Status> CommitTo(Connection& connection, absl::Span<const EncodedCommit> commits,
                                   int64_t kept_revisions);

absl::Status CreateJobIn(Connection& connection, const std::string& job_id, const EncodedHeader& header,
                         absl::Span<const EncodedParent> parents);
absl::StatusOr<Epoch> AcquireJobIn(Connection& connection, const std::string& job_id, const std::string& server,
                                   absl::Time now, absl::Duration lease);
absl::Status ReleaseJobIn(Connection& connection, const std::string& job_id, Epoch epoch);
absl::Status DeleteJobIn(Connection& connection, const std::string& job_id);

}  // namespace tuner::storage
