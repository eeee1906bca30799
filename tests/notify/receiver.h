// A receiver of webhooks on this machine, for tests: keeps what it was posted, and answers as the test says.
//
// Threads: its own one answers, one request after the other; the methods may be called from any.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace tuner::testing {

struct PostedRequest {
  std::string method, path;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

class Receiver {
 public:
  // The status line's number for the n-th request (from 1) that comes. May block.
  using Answer = std::function<int(int n)>;

  // Listens on the port, or on any for 0.
  explicit Receiver(Answer answer, int port = 0);
  ~Receiver();

  int port() const { return port_; }
  std::string url() const;
  // Waits, for a minute at most, until so many requests have come, and returns them all.
  std::vector<PostedRequest> Await(size_t count);

 private:
  void Serve();
  void ServeOne(int connection);

  const Answer answer_;
  int listener_ = -1;
  int port_ = 0;
  absl::Mutex mutex_;
  std::vector<PostedRequest> requests_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace tuner::testing
