// The `tuner` program as a function: for main.cc, and for programs that are the same with executors of their own.
//
// Threads: to be called first thing in main, before there is a second thread. Ownership: none. Errors: the exit code,
// as of cli::Main.
#pragma once

#include "executors/executor.h"

namespace tuner::cli {

int RunProgram(int argc, char** argv, executors::ExecutorRegistry executor_kinds);

}  // namespace tuner::cli
