#include "executors/gpu_pool.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tuner::executors {

GpuPool::GpuPool(std::vector<int32_t> gpus) : gpus_(std::move(gpus)) {}

absl::StatusOr<std::vector<int>> GpuPool::Reserve(const RunId& id, int count) {
  if (count > static_cast<int>(gpus_.size())) {
    return absl::InvalidArgumentError(absl::StrCat("the trial wants ", count, " GPUs, and the server was given ",
                                                   gpus_.size(),
                                                   "; lower process.gpus, or start the server with more"));
  }
  absl::MutexLock lock(&mutex_);
  std::set<int> taken;
  for (const auto& [run, gpus] : held_) taken.insert(gpus.begin(), gpus.end());
  std::vector<int> reserved;
  for (const int32_t gpu : gpus_) {
    if (static_cast<int>(reserved.size()) < count && !taken.contains(gpu)) reserved.push_back(gpu);
  }
  if (static_cast<int>(reserved.size()) < count)
    return absl::ResourceExhaustedError(absl::StrCat("fewer than ", count, " GPUs are free"));
  if (count > 0) held_[id] = reserved;
  return reserved;
}

void GpuPool::Hold(const RunId& id, const std::vector<int>& gpus) {
  if (gpus.empty()) return;
  absl::MutexLock lock(&mutex_);
  held_[id] = gpus;
}

void GpuPool::Release(const RunId& id) {
  absl::MutexLock lock(&mutex_);
  held_.erase(id);
}

}  // namespace tuner::executors
