// A cgroup v2 of its own for a run with a memory limit, where the system lets us make one.
//
// It is made beside the supervisor's own cgroup, below a parent that already hands out the memory controller: cgroup v2
// allows no processes beside children with controllers, so nothing can be made below it.
//
// Threads: one. Ownership: the destructor removes the cgroup. Errors: Make answers false, and the caller falls back to
// RLIMIT_AS.
#pragma once

#include <cstdint>
#include <string>

namespace tuner::executors {

class MemoryCgroup {
 public:
  MemoryCgroup() = default;
  ~MemoryCgroup();
  MemoryCgroup(const MemoryCgroup&) = delete;
  MemoryCgroup& operator=(const MemoryCgroup&) = delete;

  // `mount` is where cgroup v2 is mounted, `own_path` the caller's path in it ("/user.slice/x").
  bool Make(const std::string& mount, const std::string& own_path, const std::string& name, int64_t limit_bytes);
  // With the mount point and path of this process.
  bool Make(const std::string& name, int64_t limit_bytes);

  bool made() const { return !folder_.empty(); }
  std::string procs_file() const { return made() ? folder_ + "/cgroup.procs" : ""; }
  // Ends every process in it at once.
  void Kill() const;
  int64_t PeakBytes() const;
  bool OutOfMemory() const;

 private:
  std::string folder_;
};

}  // namespace tuner::executors
