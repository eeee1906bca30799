// Addresses to listen on: reading them, what may be listened on without TLS, and the care that a unix socket needs.
//
// Threads: from the main thread, before the server starts. Errors: as each function says.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tuner/server/wiring.h"

namespace tuner::server {

struct ListenAddress {
  std::string unix_path;  // absolute; empty: TCP
  std::string host;       // without brackets
  int port = 0;           // 0: any free one
  bool loopback = false;

  // As gRPC and clients write it: "unix:/path", "127.0.0.1:7070", "[::1]:7070".
  std::string ToString() const;
};

// "unix:PATH", "HOST:PORT", "[IPV6]:PORT". INVALID_ARGUMENT.
absl::StatusOr<ListenAddress> ParseListenAddress(const std::string& text);

// Reads all addresses of a configuration. FAILED_PRECONDITION: one is reachable from elsewhere, and the configuration
// has no TLS or asks for no token. INVALID_ARGUMENT.
absl::StatusOr<std::vector<ListenAddress>> CheckedListenAddresses(const ServerConfig& config);

// Removes a socket that a server left behind. UNAVAILABLE: one answers on it. ALREADY_EXISTS: the file is no socket.
// INVALID_ARGUMENT: the path is longer than sockets allow.
absl::Status PrepareSocketPath(const std::string& path);

// New files of this process are for its user only while this lives.
class PrivateUmask {
 public:
  PrivateUmask();
  ~PrivateUmask();
  PrivateUmask(const PrivateUmask&) = delete;
  PrivateUmask& operator=(const PrivateUmask&) = delete;

 private:
  const mode_t before_;
};

}  // namespace tuner::server
