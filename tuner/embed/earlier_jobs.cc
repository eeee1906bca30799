#include "tuner/embed/earlier_jobs.h"

#include <utility>

namespace tuner::embed {

requests::LookUpJob EarlierJobsIn(const storage::Storage& storage) {
  return [&storage](const std::string& job_id) -> absl::StatusOr<requests::EarlierJob> {
    absl::StatusOr<storage::LoadedJob> job = storage.LoadJob(job_id);
    if (!job.ok()) return job.status();
    return requests::EarlierJob{std::move(job->record.header), std::move(job->trials)};
  };
}

}  // namespace tuner::embed
