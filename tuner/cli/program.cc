#include "tuner/cli/program.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>
#include <utility>

#include "executors/spawner.h"
#include "tuner/cli/environment.h"
#include "tuner/server/wiring.h"

namespace tuner::cli {
namespace {

// Each running trial and each client takes file descriptors, and the usual limit is low for the sake of programs that
// use select.
void RaiseFileLimit() {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int RunProgram(int argc, char** argv, executors::ExecutorRegistry executor_kinds) {
  // A reader that went away (`tuner trials JOB | head`) ends the output, not the server.
  signal(SIGPIPE, SIG_IGN);
  Environment environment;
  environment.executor_kinds = std::move(executor_kinds);
  environment.arguments.assign(argv + 1, argv + argc);
  environment.out = &std::cout;
  environment.err = &std::cerr;
  environment.out_is_terminal = isatty(STDOUT_FILENO) == 1;
  environment.variable = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  };
  environment.start_server = &server::StartServer;

  // Before the first thread. Where the kernel refuses, trials are started from this process.
  executors::SpawnerHandle spawner;
  if (NeedsSpawner(environment.arguments)) {
    auto started = executors::StartSpawner();
    if (started.ok()) {
      spawner = *std::move(started);
      environment.spawner_fd = spawner.fd();
      RaiseFileLimit();  // trials keep the limit of the spawner
    }
  }
  return Main(environment);
}

}  // namespace tuner::cli
