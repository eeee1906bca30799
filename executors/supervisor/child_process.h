// Starts the trial's program: its own process group, its own environment, limits and nothing else open.
//
// Threads: one (it forks). Ownership: the caller owns the process. Errors: as Start says. Links the C and C++ runtime
// only.
#pragma once

#include <sys/types.h>

#include <string>

#include "executors/supervisor/records.h"

namespace tuner::executors {

struct ChildSetup {
  int stdout_fd = -1;
  int stderr_fd = -1;
  std::string cgroup_procs;  // file that puts the child into its memory cgroup; empty: RLIMIT_AS bounds it
};

struct ChildStart {
  pid_t pid = -1;    // also when the program could not be started: then it ends at once and has to be reaped
  int error = 0;     // errno of what failed, or 0: the program runs
  std::string step;  // what that was
};

// Returns when the program runs or cannot.
ChildStart StartChild(const records::Launch& launch, const ChildSetup& setup);

}  // namespace tuner::executors
