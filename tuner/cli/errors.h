// How failures leave the program: one sentence or more on standard error, and an exit code. The only place that decides
// either.
//
// Pure functions; any thread.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace tuner::cli {

enum ExitCode { kDone = 0, kJobFailed = 1, kBadInput = 2, kUnreachable = 3, kInterrupted = 130 };

// A failure to reach the server, told apart from a server that answers UNAVAILABLE itself only by its sentence.
int ExitCodeOf(const absl::Status& status);

// "tuner: " and the sentence; each further line (a list of bad fields) indented.
std::string ErrorText(const absl::Status& status);

}  // namespace tuner::cli
