// What the command line gets from the process it runs in. main() fills it in with the real things, tests with their
// own.
//
// Threads: used from the thread that calls cli::Main; `out` and `err` too. Ownership: borrowed streams outlive the
// call. No errors. Widths in columns.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "executors/executor.h"
#include "tuner/server/wiring.h"

namespace tuner::cli {

struct Environment {
  std::vector<std::string> arguments;  // without the program's own name
  std::ostream* out = nullptr;
  std::ostream* err = nullptr;
  bool out_is_terminal = false;
  std::function<std::optional<std::string>(const std::string& name)>
      variable;  // of the process environment; nullopt: not set
  std::function<absl::StatusOr<std::unique_ptr<server::Server>>(const server::ServerConfig&)> start_server;
  executors::ExecutorRegistry executor_kinds;  // the built-in ones, and what the program links in
  int spawner_fd = -1;  // executors/spawner.h; forked by main for the verbs that start trials, else -1
};

// Whether these arguments start trials from this process, so that main() has to fork the spawner before its first
// thread.
bool NeedsSpawner(const std::vector<std::string>& arguments);

// Runs one command. Returns the process's exit code: 0 done, 1 the job failed, 2 bad input, 3 server unreachable, 130
// interrupted.
int Main(const Environment& environment);

}  // namespace tuner::cli
