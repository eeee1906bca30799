#include "tuner/engine/parents.h"

#include <memory>
#include <utility>

namespace tuner::engine {

absl::Status AttachParents(const storage::Storage& storage, const std::string& job_id, core::JobSpec& spec) {
  if (!spec.warm_start) return absl::OkStatus();
  absl::StatusOr<core::ParentJobs> parents = storage.ReadParents(job_id);
  if (!parents.ok()) return parents.status();
  spec.warm_start->jobs = std::make_shared<const core::ParentJobs>(*std::move(parents));
  return absl::OkStatus();
}

}  // namespace tuner::engine
