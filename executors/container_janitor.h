// Removes what runs left on their engines: containers of deleted jobs, and those that no engine answered for in time.
//
// Threads: any; one thread of its own per engine that has something to remove, so that a dead one delays no other.
// Ownership: owns its threads; borrows the HttpClient and clock. The destructor gives up what is not done; it is found
// again at the next start. Errors: none; an engine that does not answer is asked again.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/synchronization/mutex.h"
#include "core/clock.h"
#include "executors/docker_api.h"

namespace tuner::executors {

class ContainerJanitor {
 public:
  // Whether a container with these labels is to go. Called by the janitor's threads.
  using Judge = std::function<bool(const Labels&)>;
  // Whether a name that an engine keeps without a container, and so without labels, is to go.
  using NameJudge = std::function<bool(const std::string&)>;

  ContainerJanitor(HttpClient* http, core::Clock* clock) : http_(http), clock_(clock) {}
  ~ContainerJanitor();

  // Removes all containers, and then all networks, that bear these labels and that `judge` (null: everything) lets go,
  // and the names that `of_storage` does.
  void Sweep(const std::string& socket, Labels labels, Judge judge, NameJudge of_storage);

 private:
  struct Task {
    Labels labels;
    Judge judge;
    NameJudge of_storage;
    int refused = 0;  // how often
  };
  struct Engine {
    std::vector<Task> tasks;
    std::thread thread;
  };
  void Work(const std::string& socket, Engine* engine);
  absl::Status Do(const DockerApi& api, const Task& task);

  HttpClient* const http_;
  core::Clock* const clock_;
  StopSignal stop_;
  absl::Mutex mutex_;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  absl::btree_map<std::string, std::unique_ptr<Engine>> engines_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tuner::executors
