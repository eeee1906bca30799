// HTTP over TCP, TLS or a unix socket, by libcurl; one request, one answer.
//
// Threads: any; requests of several threads run beside each other. Ownership: keeps idle connections, nothing else.
// Errors: a Status only where no whole answer came; an answer of any code is data. UNAVAILABLE: no connection, or it
// broke; DEADLINE_EXCEEDED: too slow; CANCELLED: by its StopSignal; RESOURCE_EXHAUSTED: the body is longer than
// `most_body_bytes`; INVALID_ARGUMENT: the request cannot be sent as it is. Of a request that was not answered nobody
// knows whether it was carried out. Messages name host and path, and never a header, a query or a body: those may hold
// secrets.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace tuner::executors {

// Ends requests that are under way, and those that begin later. Any thread; outlives the requests that were given it.
class StopSignal {
 public:
  void Raise();
  bool raised() const;

  // Of the requests. `wake` is called once, on Raise or at once if that was before, and not after the return of Remove.
  uint64_t Add(std::function<void()> wake);
  void Remove(uint64_t id);

 private:
  mutable absl::Mutex mutex_;
  bool raised_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  absl::btree_map<uint64_t, std::function<void()>> wakes_ ABSL_GUARDED_BY(mutex_);
};

struct HttpRequest {
  std::string method = "GET";
  std::string url;          // http:// or https://, query included, sent as it is
  std::string unix_socket;  // connects there instead of the URL's host; empty: to the host
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string body_file;      // sends this file instead of `body`; empty: `body`
  bool past_proxies = false;  // of the environment: for what only this machine can reach
  // libcurl sends a request again, on a new connection, if an idle one turns out to be closed: not on a fresh one. For
  // what must not be carried out twice.
  bool fresh_connection = false;
  absl::Duration connect_timeout = absl::Seconds(5);
  // Of the whole answer. Infinite: as long as it takes.
  absl::Duration timeout = absl::Seconds(60);
  absl::Duration stall_timeout = absl::InfiniteDuration();  // of a transfer in which not a byte moves
  // Takes the body of a successful (2xx) answer piece by piece as it comes; HttpResponse::body stays empty. An error
  // ends the request, which returns it. Called by the caller's thread.
  std::function<absl::Status(absl::string_view)> on_body;
  size_t most_body_bytes = 64 << 20;  // of a body that is not taken by on_body
};

struct HttpResponse {
  int code = 0;
  absl::btree_map<std::string, std::string> headers;  // names in lower case; of repeated ones the last
  std::string body;
};

class HttpClient {
 public:
  HttpClient();
  ~HttpClient();  // no request is under way
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Redirects are answers, and are not followed; proxies of the environment are used for hosts, not for sockets.
  absl::StatusOr<HttpResponse> Send(const HttpRequest& request, StopSignal* stop = nullptr);

 private:
  class Connection;
  std::unique_ptr<Connection> Take();
  void GiveBack(std::unique_ptr<Connection> connection);

  absl::Mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_ ABSL_GUARDED_BY(mutex_);
};

// `text` for a path segment or a query: all but A-Z a-z 0-9 - . _ ~ as %XX (RFC 3986, 2.3).
std::string PercentEncode(absl::string_view text);

}  // namespace tuner::executors
