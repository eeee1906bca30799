#include "executors/container_janitor.h"

#include <algorithm>
#include <utility>

namespace tuner::executors {
namespace {

constexpr absl::Duration kFirstWait = absl::Milliseconds(500);
constexpr absl::Duration kLongestWait = absl::Seconds(30);

}  // namespace

ContainerJanitor::~ContainerJanitor() {
  std::vector<std::thread> threads;
  {
    absl::MutexLock lock(&mutex_);
    closing_ = true;
    for (auto& [socket, engine] : engines_) threads.push_back(std::move(engine->thread));
  }
  stop_.Raise();
  for (std::thread& thread : threads) thread.join();
}

void ContainerJanitor::Sweep(const std::string& socket, Labels labels, Judge judge) {
  absl::MutexLock lock(&mutex_);
  if (closing_) return;
  std::unique_ptr<Engine>& engine = engines_[socket];
  const bool fresh = engine == nullptr;
  if (fresh) engine = std::make_unique<Engine>();
  engine->tasks.push_back({std::move(labels), std::move(judge)});
  if (fresh) engine->thread = std::thread([this, socket, e = engine.get()] { Work(socket, e); });
}

void ContainerJanitor::Work(const std::string& socket, Engine* engine) {
  const DockerApi api(http_, socket);
  absl::Duration wait = kFirstWait;
  while (true) {
    Task task;
    {
      absl::MutexLock lock(&mutex_);
      const auto ready = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return closing_ || !engine->tasks.empty(); };
      mutex_.Await(absl::Condition(&ready));
      if (closing_) return;
      task = engine->tasks.front();
    }
    const absl::Status done = Do(api, task);
    absl::MutexLock lock(&mutex_);
    if (closing_) return;
    if (!absl::IsUnavailable(done) && !absl::IsDeadlineExceeded(done)) {
      // What an engine refuses to remove stays until the next start.
      engine->tasks.erase(engine->tasks.begin());
      wait = kFirstWait;
      continue;
    }
    clock_->AwaitUntil(mutex_, absl::Condition(&closing_), clock_->Now() + wait);
    wait = std::min(2 * wait, kLongestWait);
  }
}

absl::Status ContainerJanitor::Do(const DockerApi& api, const Task& task) {
  const absl::StatusOr<std::vector<ContainerEntry>> entries = api.List(task.labels, &stop_);
  if (!entries.ok()) return entries.status();
  absl::Status worst;
  for (const ContainerEntry& entry : *entries) {
    if (task.judge != nullptr && !task.judge(entry.labels)) continue;
    worst.Update(api.Remove(entry.id, &stop_));
  }
  const absl::StatusOr<std::vector<NetworkEntry>> networks = api.ListNetworks(task.labels, &stop_);
  if (!networks.ok()) return networks.status();
  for (const NetworkEntry& network : *networks) {
    if (task.judge != nullptr && !task.judge(network.labels)) continue;
    worst.Update(api.RemoveNetwork(network.name, &stop_));
  }
  return worst;
}

}  // namespace tuner::executors
