#include "storage/memory_storage.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/synchronization/mutex.h"
#include "storage/checks.h"
#include "storage/paging.h"

namespace tuner::storage {
namespace {

// One place in the order in which measurements came.
struct PlacedMeasurement {
  int64_t place = 0;
  core::MeasurementPut put;
};

struct Job {
  int64_t sequence = 0;  // in the order of creation
  JobRecord record;
  Epoch epoch = 0;
  std::string owner;
  absl::Time lease_expire_time;
  std::map<int32_t, core::Trial> trials;
  std::map<MeasurementKey, PlacedMeasurement> measurements;
  std::map<int64_t, core::Notification> notifications;
  int64_t next_place = 0;
  std::map<Revision, Touched> log;
  core::ParentJobs parents;
};

std::vector<core::Notification> DueOf(const Job& job) {
  std::vector<core::Notification> due;
  for (const auto& [number, notification] : job.notifications) {
    if (notification.state == core::NotificationState::kDue) due.push_back(notification);
  }
  return due;
}

using JobMap = std::map<std::string, Job>;

void Apply(const core::Change& change, Job& job) {
  if (const auto* header = std::get_if<core::JobPut>(&change)) {
    job.record.header = header->header;
  } else if (const auto* trial = std::get_if<core::TrialPut>(&change)) {
    job.trials.insert_or_assign(trial->trial.number, trial->trial);
  } else if (const auto* notification = std::get_if<core::NotificationPut>(&change)) {
    job.notifications.insert_or_assign(notification->notification.number, notification->notification);
  } else {
    const auto& put = std::get<core::MeasurementPut>(change);
    auto [it, is_new] = job.measurements.try_emplace(KeyOf(put), PlacedMeasurement{job.next_place, put});
    if (is_new) {
      ++job.next_place;
    } else {
      it->second.put = put;
    }
  }
}

std::vector<core::MeasurementPut> InOrder(std::vector<PlacedMeasurement> placed) {
  std::ranges::sort(placed, {}, &PlacedMeasurement::place);
  std::vector<core::MeasurementPut> puts;
  puts.reserve(placed.size());
  for (PlacedMeasurement& one : placed) puts.push_back(std::move(one.put));
  return puts;
}

std::vector<core::Measurement> MeasurementsOf(const Job& job, int32_t trial) {
  std::vector<PlacedMeasurement> placed;
  const MeasurementKey first{trial, std::numeric_limits<int32_t>::min(), "", std::numeric_limits<int64_t>::min()};
  for (auto it = job.measurements.lower_bound(first); it != job.measurements.end() && it->first.trial == trial; ++it) {
    placed.push_back(it->second);
  }
  std::vector<core::Measurement> measurements;
  for (core::MeasurementPut& put : InOrder(std::move(placed))) measurements.push_back(std::move(put.measurement));
  return measurements;
}

// NOT_FOUND, or INVALID_ARGUMENT for an empty id.
template <typename Jobs>
auto Find(Jobs& jobs, const std::string& job_id) -> absl::StatusOr<decltype(&jobs.begin()->second)> {
  if (absl::Status status = CheckJobId(job_id); !status.ok()) return status;
  const auto it = jobs.find(job_id);
  if (it == jobs.end()) return NoSuchJob(job_id);
  return &it->second;
}

bool Selected(const JobQuery& query, const JobRecord& job) {
  const core::JobHeader& header = job.header;
  if (!query.statuses.empty() && !std::ranges::count(query.statuses, header.status)) return false;
  if (query.created_after && header.create_time < *query.created_after) return false;
  if (query.created_before && header.create_time >= *query.created_before) return false;
  if (!absl::StrContains(header.job_id, query.name_contains)) return false;
  return std::ranges::all_of(query.tags, [&header](const auto& tag) {
    const auto it = header.tags.find(tag.first);
    return it != header.tags.end() && it->second == tag.second;
  });
}

class MemoryStorage : public Storage {
 public:
  explicit MemoryStorage(int64_t kept_revisions) : kept_revisions_(kept_revisions) {}

  absl::Status CreateJob(const core::JobHeader& header, const core::ParentJobs& parents) override;
  absl::StatusOr<LoadedJob> LoadJob(const std::string& job_id) const override;
  absl::StatusOr<JobRecord> ReadJob(const std::string& job_id) const override;
  absl::StatusOr<std::vector<core::MeasurementPut>> ReadMetric(const std::string& job_id,
                                                               const std::string& metric) const override;
  absl::StatusOr<core::ParentJobs> ReadParents(const std::string& job_id) const override;
  absl::StatusOr<std::vector<std::string>> ListChildren(const std::string& parent_uid, int limit) const override;
  std::vector<absl::Status> Commit(absl::Span<const JobCommit> commits) override;
  absl::StatusOr<ChangePage> ReadChanges(const std::string& job_id, Revision after, int limit) const override;
  absl::StatusOr<Epoch> AcquireJob(const std::string& job_id, const std::string& server, absl::Time now,
                                   absl::Duration lease) override;
  absl::Status ReleaseJob(const std::string& job_id, Epoch epoch) override;
  absl::StatusOr<JobPage> ListJobs(const JobQuery& query) const override;
  absl::StatusOr<TrialPage> ListTrials(const TrialQuery& query) const override;
  absl::StatusOr<TrialPage::Entry> ReadTrial(const std::string& job_id, int32_t number) const override;
  absl::StatusOr<std::vector<core::Trial>> ReadTrials(const std::string& job_id,
                                                      absl::Span<const int32_t> numbers) const override;
  absl::Status DeleteJob(const std::string& job_id) override;

 private:
  absl::Status CommitOne(const JobCommit& commit) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const int64_t kept_revisions_;
  mutable absl::Mutex mutex_;
  JobMap jobs_ ABSL_GUARDED_BY(mutex_);
  int64_t next_sequence_ ABSL_GUARDED_BY(mutex_) = 1;
};

absl::Status MemoryStorage::CreateJob(const core::JobHeader& header, const core::ParentJobs& parents) {
  if (absl::Status status = CheckJobId(header.job_id); !status.ok()) return status;
  absl::MutexLock lock(&mutex_);
  auto [it, is_new] = jobs_.try_emplace(header.job_id);
  if (!is_new) return JobExists(header.job_id);
  Job& job = it->second;
  job.sequence = next_sequence_++;
  job.record = {header, 1};
  job.parents = parents;
  job.log[1].header = true;
  return absl::OkStatus();
}

absl::StatusOr<LoadedJob> MemoryStorage::LoadJob(const std::string& job_id) const {
  absl::ReaderMutexLock lock(&mutex_);
  const absl::StatusOr<const Job*> job = Find(jobs_, job_id);
  if (!job.ok()) return job.status();
  LoadedJob loaded{(*job)->record, {}, {}, DueOf(**job)};
  for (const auto& [number, trial] : (*job)->trials) loaded.trials.push_back(trial);
  std::vector<PlacedMeasurement> placed;
  for (const auto& [key, measurement] : (*job)->measurements) {
    const auto trial = (*job)->trials.find(key.trial);
    if (trial != (*job)->trials.end() && !core::IsTerminal(trial->second.state)) placed.push_back(measurement);
  }
  loaded.measurements = InOrder(std::move(placed));
  return loaded;
}

absl::StatusOr<std::vector<core::MeasurementPut>> MemoryStorage::ReadMetric(const std::string& job_id,
                                                                            const std::string& metric) const {
  absl::ReaderMutexLock lock(&mutex_);
  const absl::StatusOr<const Job*> job = Find(jobs_, job_id);
  if (!job.ok()) return job.status();
  std::vector<PlacedMeasurement> placed;
  for (const auto& [key, measurement] : (*job)->measurements) {
    if (key.metric == metric) placed.push_back(measurement);
  }
  return InOrder(std::move(placed));
}

absl::StatusOr<JobRecord> MemoryStorage::ReadJob(const std::string& job_id) const {
  absl::ReaderMutexLock lock(&mutex_);
  const absl::StatusOr<const Job*> job = Find(jobs_, job_id);
  if (!job.ok()) return job.status();
  return (*job)->record;
}

absl::StatusOr<core::ParentJobs> MemoryStorage::ReadParents(const std::string& job_id) const {
  absl::ReaderMutexLock lock(&mutex_);
  const absl::StatusOr<const Job*> job = Find(jobs_, job_id);
  if (!job.ok()) return job.status();
  return (*job)->parents;
}

absl::StatusOr<std::vector<std::string>> MemoryStorage::ListChildren(const std::string& parent_uid, int limit) const {
  if (absl::Status status = CheckLimit(limit); !status.ok()) return status;
  absl::ReaderMutexLock lock(&mutex_);
  std::vector<const Job*> children;
  for (const auto& [name, job] : jobs_) {
    if (std::ranges::count(job.parents, parent_uid, &core::ParentJob::uid) > 0) children.push_back(&job);
  }
  std::ranges::sort(children, std::greater(), &Job::sequence);
  std::vector<std::string> names;
  for (const Job* child : children) {
    if (std::ssize(names) < limit) names.push_back(child->record.header.job_id);
  }
  return names;
}

std::vector<absl::Status> MemoryStorage::Commit(absl::Span<const JobCommit> commits) {
  std::vector<absl::Status> statuses;
  statuses.reserve(commits.size());
  absl::MutexLock lock(&mutex_);
  for (const JobCommit& commit : commits) statuses.push_back(CommitOne(commit));
  return statuses;
}

absl::Status MemoryStorage::CommitOne(const JobCommit& commit) {
  if (absl::Status status = CheckCommit(commit); !status.ok()) return status;
  const absl::StatusOr<Job*> found = Find(jobs_, commit.job_id);
  if (!found.ok()) return found.status();
  Job& job = **found;
  if (commit.seen != job.record.revision || commit.epoch != job.epoch) {
    return Superseded(commit, job.record.revision, job.epoch);
  }
  for (const core::Change& change : commit.changes) Apply(change, job);
  const Revision revision = ++job.record.revision;
  job.log[revision] = TouchedBy(commit.changes);
  if (revision % kPruneInterval == 0) job.log.erase(job.log.begin(), job.log.upper_bound(revision - kept_revisions_));
  return absl::OkStatus();
}

absl::StatusOr<ChangePage> MemoryStorage::ReadChanges(const std::string& job_id, Revision after, int limit) const {
  if (absl::Status status = CheckLimit(limit); !status.ok()) return status;
  absl::ReaderMutexLock lock(&mutex_);
  const absl::StatusOr<const Job*> found = Find(jobs_, job_id);
  if (!found.ok()) return found.status();
  const Job& job = **found;
  const Revision first_kept = job.log.begin()->first;
  if (after > job.record.revision || after < first_kept - 1) {
    return ChangesNotKept(job_id, after, first_kept, job.record.revision);
  }
  ChangePage page{{}, job.record.revision};
  for (auto it = job.log.upper_bound(after); it != job.log.end() && std::ssize(page.entries) < limit; ++it) {
    ChangePage::Entry entry{it->first, {}};
    if (it->second.header) entry.changes.push_back(core::JobPut{job.record.header});
    for (const int32_t number : it->second.trials) entry.changes.push_back(core::TrialPut{job.trials.at(number)});
    for (const MeasurementKey& key : it->second.measurements) entry.changes.push_back(job.measurements.at(key).put);
    for (const int64_t number : it->second.notifications) {
      entry.changes.push_back(core::NotificationPut{job.notifications.at(number)});
    }
    page.entries.push_back(std::move(entry));
  }
  return page;
}

absl::StatusOr<Epoch> MemoryStorage::AcquireJob(const std::string& job_id, const std::string& server, absl::Time now,
                                                absl::Duration lease) {
  if (absl::Status status = CheckLease(server, lease); !status.ok()) return status;
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<Job*> found = Find(jobs_, job_id);
  if (!found.ok()) return found.status();
  Job& job = **found;
  if (!job.owner.empty() && job.owner != server && now < job.lease_expire_time) {
    return OwnedByAnother(job_id, job.owner, job.lease_expire_time);
  }
  job.owner = server;
  job.lease_expire_time = now + lease;
  return ++job.epoch;
}

absl::Status MemoryStorage::ReleaseJob(const std::string& job_id, Epoch epoch) {
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<Job*> job = Find(jobs_, job_id);
  if (!job.ok()) return job.status();
  if ((*job)->epoch != epoch) return EpochPassed(job_id, epoch, (*job)->epoch);
  (*job)->owner.clear();
  return absl::OkStatus();
}

absl::StatusOr<JobPage> MemoryStorage::ListJobs(const JobQuery& query) const {
  if (absl::Status status = CheckLimit(query.limit); !status.ok()) return status;
  const absl::StatusOr<std::optional<int64_t>> after = ParseJobToken(query);
  if (!after.ok()) return after.status();
  absl::ReaderMutexLock lock(&mutex_);
  std::vector<const Job*> selected;
  for (const auto& [name, job] : jobs_) {
    if (*after && job.sequence >= **after) continue;
    if (query.with_due_notifications && DueOf(job).empty()) continue;
    if (Selected(query, job.record)) selected.push_back(&job);
  }
  std::ranges::sort(selected, std::greater(), &Job::sequence);
  JobPage page;
  const auto count = std::min(selected.size(), static_cast<size_t>(query.limit));
  for (size_t i = 0; i < count; ++i) page.jobs.push_back(selected[i]->record);
  if (count < selected.size()) page.next = MakeJobToken(selected[count - 1]->sequence);
  return page;
}

absl::StatusOr<TrialPage> MemoryStorage::ListTrials(const TrialQuery& query) const {
  if (absl::Status status = CheckLimit(query.limit); !status.ok()) return status;
  const absl::StatusOr<std::optional<TrialPosition>> after = ParseTrialToken(query);
  if (!after.ok()) return after.status();
  absl::ReaderMutexLock lock(&mutex_);
  std::vector<const Job*> jobs;
  if (query.job_id.empty()) {
    for (const auto& [name, job] : jobs_) jobs.push_back(&job);
  } else {
    const absl::StatusOr<const Job*> job = Find(jobs_, query.job_id);
    if (!job.ok()) return job.status();
    jobs.push_back(*job);
  }
  struct Candidate {
    TrialPosition position;
    const Job* job;
    const core::Trial* trial;
  };
  std::vector<Candidate> candidates;
  for (const Job* job : jobs) {
    for (const auto& [number, trial] : job->trials) {
      const TrialPosition position{RankOf(trial, query.order.key), job->sequence, number};
      if (*after && !Before(query.order, **after, position)) continue;
      if (query.filter != nullptr && !query.filter->Matches(trial, job->record.header.tags)) continue;
      candidates.push_back({position, job, &trial});
    }
  }
  std::ranges::sort(candidates, [&query](const Candidate& a, const Candidate& b) {
    return Before(query.order, a.position, b.position);
  });
  TrialPage page;
  const auto count = std::min(candidates.size(), static_cast<size_t>(query.limit));
  for (size_t i = 0; i < count; ++i) {
    const auto& [position, job, trial] = candidates[i];
    page.entries.push_back({job->record.header.job_id, *trial, {}});
    if (query.include_measurements) page.entries.back().measurements = MeasurementsOf(*job, trial->number);
  }
  if (count < candidates.size()) page.next = MakeTrialToken(query, candidates[count - 1].position);
  return page;
}

absl::StatusOr<TrialPage::Entry> MemoryStorage::ReadTrial(const std::string& job_id, int32_t number) const {
  absl::ReaderMutexLock lock(&mutex_);
  const absl::StatusOr<const Job*> job = Find(jobs_, job_id);
  if (!job.ok()) return job.status();
  const auto it = (*job)->trials.find(number);
  if (it == (*job)->trials.end()) return NoSuchTrial(job_id, number);
  return TrialPage::Entry{job_id, it->second, MeasurementsOf(**job, number)};
}

absl::StatusOr<std::vector<core::Trial>> MemoryStorage::ReadTrials(const std::string& job_id,
                                                                   absl::Span<const int32_t> numbers) const {
  absl::ReaderMutexLock lock(&mutex_);
  const absl::StatusOr<const Job*> job = Find(jobs_, job_id);
  if (!job.ok()) return job.status();
  std::vector<core::Trial> trials;
  trials.reserve(numbers.size());
  for (const int32_t number : numbers) {
    const auto it = (*job)->trials.find(number);
    if (it == (*job)->trials.end()) return NoSuchTrial(job_id, number);
    trials.push_back(it->second);
  }
  return trials;
}

absl::Status MemoryStorage::DeleteJob(const std::string& job_id) {
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<Job*> job = Find(jobs_, job_id);
  if (!job.ok()) return job.status();
  jobs_.erase(job_id);
  return absl::OkStatus();
}

}  // namespace

std::unique_ptr<Storage> MakeMemoryStorage(int64_t kept_revisions) {
  return std::make_unique<MemoryStorage>(kept_revisions);
}

}  // namespace tuner::storage
