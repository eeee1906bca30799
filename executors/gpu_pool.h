// Which GPUs are free. Threads: any. Ownership: plain values. Errors: as Reserve says.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "executors/executor.h"

namespace tuner::executors {

class GpuPool {
 public:
  explicit GpuPool(std::vector<int32_t> gpus);

  // Gives `count` GPUs to a run. RESOURCE_EXHAUSTED: not so many are free. INVALID_ARGUMENT: there are not so many at
  // all.
  absl::StatusOr<std::vector<int>> Reserve(const RunId& id, int count);
  // Notes which GPUs a run found again holds. One that is no longer among the pool's stays with the run and is not
  // handed out.
  void Hold(const RunId& id, const std::vector<int>& gpus);
  void Release(const RunId& id);

 private:
  const std::vector<int32_t> gpus_;
  absl::Mutex mutex_;
  absl::btree_map<RunId, std::vector<int>> held_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tuner::executors
