// The one place that composes a server from its configuration: storage, executors, engine, service. Everything else
// names interfaces only.
//
// Threads: StartServer from the main thread; methods of Server from any. Ownership: the Server owns all that it
// composed. Errors: as StartServer says.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "executors/decorate.h"
#include "executors/executor.h"
#include "grpcpp/channel.h"

namespace tuner::server {

struct ServerConfig {
  std::string data_dir;             // absolute; made if missing (mode 0700)
  std::vector<std::string> listen;  // "127.0.0.1:7070", "unix:/path"; empty: in-process only
  std::string storage_uri;          // default: sqlite:<data_dir>/tuner.db
  bool no_auth = false;             // loopback TCP asks for no token
  bool allow_insecure = false;      // listen on other addresses without TLS
  std::string tls_cert, tls_key;    // PEM files
  std::vector<int> gpus;
  executors::ExecutorRegistry executor_kinds;     // the built-in ones, and what the program links in
  executors::ExecutorSettings executor_settings;  // by name of executor
  bool start_trials = true;
  bool load_running_jobs = true;
  int strategy_threads = 2;
  absl::Duration drain_timeout = absl::Seconds(10);
  // For which Shutdown waits until those who are to be told of the jobs were told; what is left is for the next start.
  absl::Duration notification_wait = absl::ZeroDuration();
  int spawner_fd = -1;          // executors/spawner.h; of main
  std::string supervisor_path;  // default: beside this program
};

class Server {
 public:
  virtual ~Server() = default;  // Shutdown()

  // Addresses as bound ("127.0.0.1:41233" for port 0).
  virtual std::vector<std::string> addresses() const = 0;
  // A channel to this server inside of the process; needs no token. Not to be called on once Shutdown has begun: gRPC
  // (1.51) would crash.
  virtual std::shared_ptr<grpc::Channel> InProcessChannel() = 0;
  // Running trials go back to the queue as preempted; nothing is started any more.
  virtual void PreemptAll(const std::string& reason) = 0;
  // Kills what is stopping.
  virtual void KillAll() = 0;
  // Drains calls, then detaches from running trials. Idempotent.
  virtual void Shutdown() = 0;
};

// INVALID_ARGUMENT: the configuration; also a non-loopback address without TLS and tokens (FAILED_PRECONDITION), what
// OpenStorage says, and UNAVAILABLE where an address cannot be bound.
absl::StatusOr<std::unique_ptr<Server>> StartServer(const ServerConfig& config);

}  // namespace tuner::server
