// The plotting engine: gnuplot as a child process that reads its script from standard input. No shell is involved.
//
// Threads: any. Errors: FAILED_PRECONDITION: gnuplot is not installed, with the package to install; INTERNAL: it
// refused the script, with its words.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace tuner::cli {

absl::Status RunGnuplot(const std::string& script);
// Its path, or "" if it is not installed.
std::string FindGnuplot();

}  // namespace tuner::cli
