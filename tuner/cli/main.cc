// The `tuner` program: gathers what the command line needs from the process, and runs it.
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>

#include "executors/spawner.h"
#include "tuner/cli/environment.h"
#include "tuner/server/wiring.h"

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

int main(int argc, char** argv) {
  // A reader that went away (`tuner trials JOB | head`) ends the output, not the server.
  signal(SIGPIPE, SIG_IGN);
  tuner::cli::Environment environment;
  environment.arguments.assign(argv + 1, argv + argc);
  environment.out = &std::cout;
  environment.err = &std::cerr;
  environment.out_is_terminal = isatty(STDOUT_FILENO) == 1;
  environment.variable = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  };
  environment.start_server = &tuner::server::StartServer;

  // Before the first thread. Where the kernel refuses, trials are started from this process.
  tuner::executors::SpawnerHandle spawner;
  if (tuner::cli::NeedsSpawner(environment.arguments)) {
    auto started = tuner::executors::StartSpawner();
    if (started.ok()) {
      spawner = *std::move(started);
      environment.spawner_fd = spawner.fd();
      RaiseFileLimit();  // trials keep the limit of the spawner
    }
  }
  return tuner::cli::Main(environment);
}
