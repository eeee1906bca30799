#include "executors/supervisor/output_capture.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <string>

namespace tuner::executors {
namespace {

constexpr size_t kBufferBytes = 64 << 10;
constexpr int kPipeBytes = 256 << 10;
// What Drain takes from a pipe at most: more can only come from a process that outlived its run's end.
constexpr int kLastBuffers = 64;

void CloseFd(int& fd) {
  if (fd >= 0) close(fd);
  fd = -1;
}

}  // namespace

OutputCapture::~OutputCapture() {
  CloseFd(read_end_);
  CloseFd(write_end_);
  CloseFd(file_);
}

int OutputCapture::Open(int folder, const char* name, int64_t limit) {
  limit_ = limit;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return errno;
  read_end_ = ends[0];
  write_end_ = ends[1];
  fcntl(read_end_, F_SETFL, O_NONBLOCK);
  fcntl(read_end_, F_SETPIPE_SZ, kPipeBytes);  // fewer wake-ups for a chatty trial; the default will do as well
  file_ = openat(folder, name, O_CREAT | O_TRUNC | O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
  return file_ < 0 ? errno : 0;
}

void OutputCapture::CloseWriteEnd() { CloseFd(write_end_); }

bool OutputCapture::Pump() {
  if (read_end_ < 0) return false;
  static char buffer[kBufferBytes];
  const ssize_t n = read(read_end_, buffer, sizeof(buffer));
  if (n > 0) {
    Keep(buffer, n);
    return true;
  }
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  CloseFd(read_end_);
  return false;
}

void OutputCapture::Drain() {
  for (int i = 0; i < kLastBuffers && Pump(); ++i) {
  }
}

void OutputCapture::Sync() {
  if (kept_ > 0) fsync(file_);
}

void OutputCapture::Keep(const char* bytes, int64_t size) {
  if (cut_) return;
  const int64_t room = std::max<int64_t>(0, limit_ - kept_);
  int64_t take = std::min(size, room);
  while (take > 0) {
    const ssize_t n = write(file_, bytes, static_cast<size_t>(take));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      cut_ = true;
      return;
    }
    bytes += n;
    size -= n;
    take -= n;
    kept_ += n;
  }
  if (size > 0) {
    cut_ = true;
    const std::string note =
        "\n[the output limit of " + std::to_string(limit_) + " bytes is reached; what follows is dropped]\n";
    [[maybe_unused]] const ssize_t n = write(file_, note.data(), note.size());
  }
}

}  // namespace tuner::executors
