// A small process that starts supervisors for the server.
//
// A server with many threads and much memory should not fork: main forks the spawner before its first thread, and asks
// it over a socket from then on. The spawner ends with the server (its socket reaches end of file); supervisors do not.
//
// The spawner starts programs by posix_spawn rather than Boost.Process: it shares memory until the exec, lets the new
// program begin with all signals blocked (a stop that comes early is kept for it), and needs no library. Without a
// spawner (tests, embedding) StartDirectly starts them from this process by Boost.Process.
//
// Threads: StartSpawner before there is a second one; SpawnThrough: one caller at a time for each socket. Ownership: as
// the types say. Errors: as each function says.
#pragma once

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"
#include "executors/unique_fd.h"

namespace tuner::executors {

// Closing it ends the spawner. Its fd is what ExecutorContext::spawner_fd wants.
struct SpawnerHandle {
  UniqueFd socket;
  pid_t pid = -1;

  int fd() const { return socket.get(); }
};

// UNAVAILABLE: the kernel refused.
absl::StatusOr<SpawnerHandle> StartSpawner();

struct SpawnedProcess {
  pid_t pid = -1;
  UniqueFd pidfd;  // refers to this very process, whatever becomes of its pid
};

// Starts `program argument`, in a session of its own if the program makes one. UNAVAILABLE: the spawner is gone or
// could not start it; nothing was started.
absl::StatusOr<SpawnedProcess> SpawnThrough(int spawner_fd, const std::string& program, const std::string& argument);

// The same from this process. The caller reaps the child: waitid(P_PIDFD).
absl::StatusOr<SpawnedProcess> StartDirectly(const std::string& program, const std::string& argument);

// pidfd_open. The result is empty if the process is gone.
UniqueFd OpenPidfd(pid_t pid);

}  // namespace tuner::executors
