#include "tuner/server/work_pool.h"

#include <utility>

namespace tuner::server {
namespace {

constexpr size_t kMaxWaiting = 4096;

}  // namespace

WorkPool::WorkPool(int threads) {
  threads_.reserve(threads);
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Loop(); });
}

WorkPool::~WorkPool() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
}

bool WorkPool::Run(std::function<void()> task) {
  absl::MutexLock lock(&mutex_);
  if (tasks_.size() >= kMaxWaiting) return false;
  tasks_.push_back(std::move(task));
  return true;
}

void WorkPool::MustRun(std::function<void()> task) {
  absl::MutexLock lock(&mutex_);
  tasks_.push_back(std::move(task));
}

void WorkPool::Loop() {
  for (;;) {
    std::function<void()> task;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &WorkPool::HasWork));
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

}  // namespace tuner::server
