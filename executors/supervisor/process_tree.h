// The processes of a run: all descendants of the supervisor, which is their subreaper, so that none escapes by forking
// or setsid().
//
// Threads: one. Ownership: none. Errors: a process that is gone is no error. Links the C and C++ runtime only.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace tuner::executors {

// All descendants of `root`, itself not included, as /proc shows them now.
std::vector<pid_t> Descendants(pid_t root);

// Sends `signal` to every descendant of `root`.
void SignalDescendants(pid_t root, int signal);

// Bytes that a process and the children that it waited for read from and wrote to storage. Works until the process is
// reaped.
struct IoBytes {
  int64_t read = 0;
  int64_t written = 0;
};
IoBytes IoOf(pid_t pid);

}  // namespace tuner::executors
