// A server on a unix socket that answers each connection with scripted bytes. For tests of HTTP clients.
#pragma once

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "executors/unique_fd.h"

namespace tuner::executors {

class ScriptedHttp {
 public:
  // Called once for each connection, on its thread, with the request's head; writes to `fd` as it likes, and the
  // connection is closed when it returns.
  using Answer = std::function<void(int fd, const std::string& head)>;

  explicit ScriptedHttp(Answer answer);
  ~ScriptedHttp();

  const std::string& socket() const { return path_; }
  std::vector<std::string> heads() const;

  static void Write(int fd, const std::string& bytes);

 private:
  void Accept();

  const Answer answer_;
  std::string folder_, path_;
  UniqueFd listener_, closing_;
  mutable absl::Mutex mutex_;
  std::vector<std::string> heads_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> answers_;
  std::thread thread_;
};

}  // namespace tuner::executors
