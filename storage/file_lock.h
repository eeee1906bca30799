// The right to write a file, held by one process at a time: an advisory lock on "<file>.lock", which holds the process
// id.
//
// Threads: any. Ownership: the lock ends with the object or the process, however it ends. A child that is forked (and
// does not exec) while it is held shares it.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace tuner::storage {

class FileLock {
 public:
  // FAILED_PRECONDITION: another process holds it, whose id the message tells, or the folder is missing. UNAVAILABLE:
  // the lock file cannot be written.
  static absl::StatusOr<FileLock> Acquire(const std::string& file);
  ~FileLock();
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&&) = delete;

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;  // -1: moved from
};

}  // namespace tuner::storage
