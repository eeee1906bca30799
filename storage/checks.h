// What every back end asks of its arguments, and the refusals that all of them word alike.
//
// Threads: pure functions; any thread. Errors: INVALID_ARGUMENT from the checks.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "storage/storage.h"

namespace tuner::storage {

// Changes that one commit may hold: a measurement's place in time is kept as (revision, place in the commit).
inline constexpr int kPlaceBits = 24;

absl::Status CheckJobId(const std::string& job_id);
// A name, a header of the same job, trial numbers >= 1, and not more changes than a commit may hold.
absl::Status CheckCommit(const JobCommit& commit);
absl::Status CheckLimit(int limit);
absl::Status CheckLease(const std::string& server, absl::Duration lease);

absl::Status NoSuchJob(const std::string& job_id);
absl::Status NoSuchTrial(const std::string& job_id, int32_t number);
absl::Status JobExists(const std::string& job_id);
absl::Status Superseded(const JobCommit& commit, Revision revision, Epoch epoch);
absl::Status EpochPassed(const std::string& job_id, Epoch seen, Epoch epoch);
absl::Status OwnedByAnother(const std::string& job_id, const std::string& owner, absl::Time lease_expire_time);
absl::Status ChangesNotKept(const std::string& job_id, Revision after, Revision first_kept, Revision last);

}  // namespace tuner::storage
