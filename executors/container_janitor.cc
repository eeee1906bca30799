#include "executors/container_janitor.h"

#include <algorithm>
#include <utility>

namespace tuner::executors {
namespace {

constexpr absl::Duration kFirstWait = absl::Milliseconds(500);
constexpr absl::Duration kLongestWait = absl::Seconds(30);
// An engine that was killed in the middle of something refuses what a later try gives.
constexpr int kMostRefusals = 5;

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

void ContainerJanitor::Sweep(const std::string& socket, Labels labels, Judge judge, NameJudge of_storage) {
  absl::MutexLock lock(&mutex_);
  if (closing_) return;
  std::unique_ptr<Engine>& engine = engines_[socket];
  const bool fresh = engine == nullptr;
  if (fresh) engine = std::make_unique<Engine>();
  engine->tasks.push_back({std::move(labels), std::move(judge), std::move(of_storage)});
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
    const bool answered = !absl::IsUnavailable(done) && !absl::IsDeadlineExceeded(done);
    if (done.ok() || (answered && ++engine->tasks.front().refused >= kMostRefusals)) {
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
  const auto note = [&](const absl::Status& removed) {
    if (worst.ok() || absl::IsUnavailable(removed) || absl::IsDeadlineExceeded(removed)) worst = removed;
  };
  for (const ContainerEntry& entry : *entries) {
    if (task.judge != nullptr && !task.judge(entry.labels)) continue;
    note(api.Remove(entry.id, &stop_));
  }
  const absl::StatusOr<std::vector<ContainerEntry>> storage = api.ListStorage(&stop_);
  if (!storage.ok()) return storage.status();
  for (const ContainerEntry& entry : *storage) {
    if (task.of_storage(entry.name)) note(api.Remove(entry.name, &stop_));
  }
  const absl::StatusOr<std::vector<NetworkEntry>> networks = api.ListNetworks(task.labels, &stop_);
  if (!networks.ok()) return networks.status();
  for (const NetworkEntry& network : *networks) {
    if (task.judge != nullptr && !task.judge(network.labels)) continue;
    note(api.RemoveNetwork(network.name, &stop_));
  }
  return worst;
}

}  // namespace tuner::executors
