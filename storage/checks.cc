#include "storage/checks.h"

#include <variant>

#include "absl/strings/str_cat.h"

namespace tuner::storage {

absl::Status CheckJobId(const std::string& job_id) {
  return job_id.empty() ? absl::InvalidArgumentError("the job id is empty") : absl::OkStatus();
}

absl::Status CheckCommit(const JobCommit& commit) {
  if (absl::Status status = CheckJobId(commit.job_id); !status.ok()) return status;
  if (commit.changes.size() >= (size_t{1} << kPlaceBits)) {
    return absl::InvalidArgumentError(
        absl::StrCat("a commit to job ", commit.job_id, " holds ", commit.changes.size(), " changes: split it"));
  }
  for (const core::Change& change : commit.changes) {
    if (const auto* job = std::get_if<core::JobPut>(&change); job != nullptr && job->header.job_id != commit.job_id) {
      return absl::InvalidArgumentError(
          absl::StrCat("a commit to job ", commit.job_id, " holds the header of job ", job->header.job_id));
    }
    const auto* trial = std::get_if<core::TrialPut>(&change);
    const auto* measurement = std::get_if<core::MeasurementPut>(&change);
    const auto* notification = std::get_if<core::NotificationPut>(&change);
    if (notification != nullptr && notification->notification.number < 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("a commit to job ", commit.job_id, " has a notification's number under 1"));
    }
    if ((trial != nullptr && trial->trial.number < 1) || (measurement != nullptr && measurement->trial < 1)) {
      return absl::InvalidArgumentError(absl::StrCat("a commit to job ", commit.job_id, " has a trial number under 1"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckLimit(int limit) {
  return limit < 1 ? absl::InvalidArgumentError(absl::StrCat("a page of ", limit, " entries: ask for at least one"))
                   : absl::OkStatus();
}

absl::Status CheckLease(const std::string& server, absl::Duration lease) {
  if (server.empty()) return absl::InvalidArgumentError("the server id is empty");
  if (lease <= absl::ZeroDuration()) return absl::InvalidArgumentError("the lease must be longer than zero");
  return absl::OkStatus();
}

absl::Status NoSuchJob(const std::string& job_id) {
  return absl::NotFoundError(absl::StrCat("there is no job ", job_id));
}

absl::Status NoSuchTrial(const std::string& job_id, int32_t number) {
  return absl::NotFoundError(absl::StrCat("job ", job_id, " has no trial ", number));
}

absl::Status JobExists(const std::string& job_id) {
  return absl::AlreadyExistsError(absl::StrCat("there is a job ", job_id, " already"));
}

absl::Status Superseded(const JobCommit& commit, Revision revision, Epoch epoch) {
  if (commit.epoch != epoch) return EpochPassed(commit.job_id, commit.epoch, epoch);
  return absl::AbortedError(absl::StrCat("job ", commit.job_id, " is at revision ", revision,
                                         ", the changes were made for revision ", commit.seen, ": load it again"));
}

absl::Status EpochPassed(const std::string& job_id, Epoch seen, Epoch epoch) {
  return absl::AbortedError(
      absl::StrCat("the ownership of job ", job_id, " moved on from epoch ", seen, " to ", epoch));
}

absl::Status OwnedByAnother(const std::string& job_id, const std::string& owner, absl::Time lease_expire_time) {
  return absl::FailedPreconditionError(absl::StrCat("job ", job_id, " is owned by server ", owner, " until ",
                                                    absl::FormatTime(lease_expire_time, absl::UTCTimeZone())));
}

absl::Status ChangesNotKept(const std::string& job_id, Revision after, Revision first_kept, Revision last) {
  if (after > last) {
    return absl::OutOfRangeError(
        absl::StrCat("job ", job_id, " is at revision ", last, ", which is before revision ", after));
  }
  return absl::OutOfRangeError(absl::StrCat("the changes of job ", job_id, " after revision ", after,
                                            " are not kept any more (the first kept is ", first_kept,
                                            "): take a snapshot"));
}

}  // namespace tuner::storage
