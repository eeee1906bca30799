#include "storage/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace tuner::storage {
namespace {

absl::Status CannotLock(const std::string& path, int error) {
  const std::string reason = absl::ErrnoToStatus(error, path).ToString();
  if (error == ENOENT || error == ENOTDIR) {
    return absl::FailedPreconditionError(
        absl::StrCat("the folder of ", path, " does not exist: create it (", reason, ")"));
  }
  return absl::UnavailableError(
      absl::StrCat(path, " cannot be written: make its folder writable and free some space (", reason, ")"));
}

std::string ReadHolder(int descriptor) {
  char text[32];
  const ssize_t size = pread(descriptor, text, sizeof text, 0);
  const absl::string_view holder = absl::StripAsciiWhitespace(absl::string_view(text, size > 0 ? size : 0));
  // Between taking the lock and writing its id, a holder is not known yet.
  return holder.empty() ? "another process" : absl::StrCat("process ", holder);
}

}  // namespace

absl::StatusOr<FileLock> FileLock::Acquire(const std::string& file) {
  const std::string path = file + ".lock";
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) return CannotLock(path, errno);
  FileLock lock(descriptor);
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return CannotLock(path, errno);
    return absl::FailedPreconditionError(
        absl::StrCat(file, " is in use by ", ReadHolder(descriptor), ": end that one, or choose another file"));
  }
  const std::string id = absl::StrCat(getpid(), "\n");
  if (ftruncate(descriptor, 0) != 0 || pwrite(descriptor, id.data(), id.size(), 0) != std::ssize(id)) {
    return CannotLock(path, errno);
  }
  return lock;
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

FileLock::FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

}  // namespace tuner::storage
