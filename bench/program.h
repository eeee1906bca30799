// Programs that a workload starts, and what the kernel says of them.
//
// Threads: a value for one thread. Ownership: the destructor ends the program (SIGTERM, and SIGKILL after 10 s) and
// reaps it. Units: bytes, and CPU time of all threads to the nanosecond.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bench/bench.h"

namespace tuner::bench {

class Program {
 public:
  // Starts `command` with its output appended to `log`. NOT_FOUND: there is no such program.
  static absl::StatusOr<Program> Start(const std::vector<std::string>& command, const std::string& log);
  Program(Program&& other) noexcept;
  Program& operator=(Program&& other) noexcept;
  ~Program();

  pid_t pid() const { return pid_; }
  // Waits for its end; the exit code, or 128 + signal.
  int Wait();
  void Stop();

  absl::StatusOr<int64_t> ResidentBytes() const;
  absl::StatusOr<absl::Duration> CpuTime() const;

 private:
  Program(pid_t pid, std::string log) : pid_(pid), log_(std::move(log)) {}
  bool Reap(absl::Duration patience, int* code);

  pid_t pid_ = -1;  // -1: reaped
  std::string log_;
};

// Runs it to its end; its output. INTERNAL with the end of the output if it fails.
absl::StatusOr<std::string> RunToEnd(const std::vector<std::string>& command, const std::string& log);

// A TCP port of loopback that nobody listens on.
absl::StatusOr<int> FreePort();
// Waits until something listens there. UNAVAILABLE: nothing did within `patience`.
absl::Status AwaitPort(int port, absl::Duration patience);

// A folder of its own under TMPDIR, removed with the object.
class ScratchRoot {
 public:
  ScratchRoot();
  ~ScratchRoot();
  ScratchRoot(const ScratchRoot&) = delete;
  ScratchRoot& operator=(const ScratchRoot&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A new folder below the context's root. It stays until the root goes: ext4 makes new files slowly for minutes after
// many were removed (it passes over the inodes of each), so one run would pay for the files of the run before.
class ScratchFolder {
 public:
  explicit ScratchFolder(const Context& context);
  const std::string& path() const { return path_; }
  std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

std::string ReadFile(const std::string& path);

}  // namespace tuner::bench
