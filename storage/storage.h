// Where jobs are kept. What Commit acknowledged survives the process and a power cut.
//
// Threads: every method may be called from any thread. Ownership: values in, values out; a returned value never changes
// later. Errors, beside those a method names: UNAVAILABLE (the store refuses writes for now: disk full, read-only;
// nothing was changed, try again later), DATA_LOSS (the store is damaged; the message says where), INVALID_ARGUMENT (an
// empty job id).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/change.h"
#include "core/job.h"
#include "core/notification.h"
#include "core/parent_job.h"
#include "core/trial.h"
#include "core/trial_filter.h"

namespace tuner::storage {

using Revision = int64_t;  // of a job: 1 after its creation, one more with each commit
using Epoch = int64_t;     // of a job's ownership: one more with each AcquireJob

struct JobRecord {
  core::JobHeader header;
  Revision revision = 0;
};

struct LoadedJob {
  JobRecord record;
  std::vector<core::Trial> trials;                 // by number
  std::vector<core::MeasurementPut> measurements;  // of trials that have not ended, in the order in which they came
  std::vector<core::Notification> notifications;   // that are due, by number
};

// All or nothing, durable on OK.
struct JobCommit {
  std::string job_id;
  Revision seen = 0;  // revision on which the changes are based
  Epoch epoch = 0;    // ownership under which they were made
  core::Changes changes;
};

struct ChangePage {
  struct Entry {
    Revision revision = 0;
    core::Changes changes;
  };
  std::vector<Entry> entries;  // ascending
  Revision last = 0;           // the job's revision when the page was read
};

struct JobQuery {
  int limit = 100;
  std::string after;                      // page token of the page before; opaque
  std::vector<core::JobStatus> statuses;  // empty: all
  absl::btree_map<std::string, std::string> tags;
  std::string name_contains;
  std::optional<absl::Time> created_after;
  std::optional<absl::Time> created_before;
  bool with_due_notifications = false;  // only those that have some
};
struct JobPage {
  std::vector<JobRecord> jobs;  // newest first
  std::string next;             // empty on the last page
};

struct TrialQuery {
  std::string job_id;  // empty: all jobs
  int limit = 100;
  std::string after;                          // page token; opaque
  const core::TrialFilter* filter = nullptr;  // borrowed for the call; null: all
  core::TrialOrder order;
  bool include_measurements = false;
};
struct TrialPage {
  struct Entry {
    std::string job_id;
    core::Trial trial;
    std::vector<core::Measurement> measurements;
  };
  std::vector<Entry> entries;
  std::string next;
};

class Storage {
 public:
  virtual ~Storage() = default;

  // Stores a job at revision 1, not owned by anybody, and what it keeps of its parents. ALREADY_EXISTS.
  virtual absl::Status CreateJob(const core::JobHeader& header, const core::ParentJobs& parents) = 0;
  absl::Status CreateJob(const core::JobHeader& header) { return CreateJob(header, {}); }

  // The job as of its last commit. NOT_FOUND.
  virtual absl::StatusOr<LoadedJob> LoadJob(const std::string& job_id) const = 0;
  // The header only. NOT_FOUND.
  virtual absl::StatusOr<JobRecord> ReadJob(const std::string& job_id) const = 0;

  // All trials' measurements of one metric, in the order in which they came. NOT_FOUND: the job.
  virtual absl::StatusOr<std::vector<core::MeasurementPut>> ReadMetric(const std::string& job_id,
                                                                       const std::string& metric) const = 0;
  // What the job keeps of its parents, in the order in which it was created with them. NOT_FOUND.
  virtual absl::StatusOr<core::ParentJobs> ReadParents(const std::string& job_id) const = 0;
  // Ids of the jobs that were created with the job of this uid as a parent, the newest first; at most `limit`.
  virtual absl::StatusOr<std::vector<std::string>> ListChildren(const std::string& parent_uid, int limit) const = 0;

  // Many jobs' commits behind one fsync; one Status each, in order. Of each: ABORTED if its revision or epoch is not
  // the job's any more (load it again), NOT_FOUND; nothing of it is stored then, and the others are not touched. If the
  // store itself fails, all get that error and nothing of any of them is stored.
  virtual std::vector<absl::Status> Commit(absl::Span<const JobCommit> commits) = 0;

  // Changes after revision `after`, at most `limit` commits. NOT_FOUND. OUT_OF_RANGE: they are not kept any more or not
  // there yet; take a snapshot.
  virtual absl::StatusOr<ChangePage> ReadChanges(const std::string& job_id, Revision after, int limit) const = 0;

  // Makes `server` the owner of the job until `now + lease`, again and again by the same server without end. NOT_FOUND.
  // FAILED_PRECONDITION: another server's lease has not expired; the message names it.
  virtual absl::StatusOr<Epoch> AcquireJob(const std::string& job_id, const std::string& server, absl::Time now,
                                           absl::Duration lease) = 0;
  // Gives the job up: anybody may acquire it now. Until somebody does, the epoch stays. NOT_FOUND. ABORTED: `epoch` is
  // not the job's any more.
  virtual absl::Status ReleaseJob(const std::string& job_id, Epoch epoch) = 0;

  // INVALID_ARGUMENT: the page token, or a limit under 1.
  virtual absl::StatusOr<JobPage> ListJobs(const JobQuery& query) const = 0;
  // By number over all jobs: job by job, in the order of their creation. NOT_FOUND: the job. INVALID_ARGUMENT: as
  // above.
  virtual absl::StatusOr<TrialPage> ListTrials(const TrialQuery& query) const = 0;
  // One trial with all its measurements in the order in which they came; one that was replaced keeps its place.
  // NOT_FOUND.
  virtual absl::StatusOr<TrialPage::Entry> ReadTrial(const std::string& job_id, int32_t number) const = 0;

  // Trials of one moment by their numbers, in the order asked for, without measurements. NOT_FOUND: the job or one of
  // them.
  virtual absl::StatusOr<std::vector<core::Trial>> ReadTrials(const std::string& job_id,
                                                              absl::Span<const int32_t> numbers) const = 0;

  // Removes the job and all that belongs to it. NOT_FOUND.
  virtual absl::Status DeleteJob(const std::string& job_id) = 0;
};

// Opens a store by its URI: "memory:", "sqlite:/path/to/file". INVALID_ARGUMENT: an unknown scheme.
// FAILED_PRECONDITION: another server holds it, or a newer version wrote it. DATA_LOSS, UNAVAILABLE as above.
absl::StatusOr<std::unique_ptr<Storage>> OpenStorage(const std::string& uri);

}  // namespace tuner::storage
