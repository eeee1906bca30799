// An HTTP server on a loopback port, for one test: a function answers, and what was asked is kept.
//
// Threads: any; the function is called by one thread at a time. Ownership: ends with its connections and threads.
// Errors: a port that cannot be had aborts the test.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "executors/unique_fd.h"

namespace tuner::testing {

struct ReceivedRequest {
  std::string method;
  std::string target;                          // path and query, as sent
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;

  std::string header(const std::string& name) const;
};

struct ScriptedReply {
  int code = 200;
  std::string body;
  std::map<std::string, std::string> headers;
  bool hang_up = false;  // instead of the answer
  size_t cut = 0;        // bytes that are missing from the end of the body, after which the connection ends
};

class ScriptedServer {
 public:
  using Answer = std::function<ScriptedReply(const ReceivedRequest&)>;

  explicit ScriptedServer(Answer answer);
  ~ScriptedServer();

  std::string url() const;  // "http://127.0.0.1:port"
  std::vector<ReceivedRequest> received() const;
  // Until so many requests have come in all.
  void AwaitReceived(size_t count) const;

 private:
  void Accept();
  void Serve(int fd);

  const Answer answer_;
  executors::UniqueFd listener_;
  int port_ = 0;
  mutable absl::Mutex mutex_;
  bool ends_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<ReceivedRequest> received_ ABSL_GUARDED_BY(mutex_);
  std::vector<int> connections_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
  absl::Mutex answer_mutex_;
  std::thread acceptor_;
};

}  // namespace tuner::testing
