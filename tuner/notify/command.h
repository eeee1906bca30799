// One run of a command that is told something on its standard input.
//
// Threads: any; blocks until the command ended, the time is over, or `stop_fd`. Nothing of the command is left then: it
// and all that it started in its process group are killed. Errors: a sentence for people, with the end of what the
// command printed.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace tuner::notify {

struct CommandCall {
  std::vector<std::string> command;      // not empty
  std::string folder;                    // to run in; empty: the server's
  std::vector<std::string> environment;  // "NAME=value"
  std::string input;
  absl::Duration timeout = absl::Seconds(30);
};

// OK: it ended with exit code 0. `stop_fd`: the command is killed once it can be read.
absl::Status RunCommand(const CommandCall& call, int stop_fd);

// The variables of this process but for TUNER_TOKEN, with which one could call the server.
std::vector<std::string> CommandEnvironment();

}  // namespace tuner::notify
