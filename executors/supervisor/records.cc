#include "executors/supervisor/records.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string_view>

namespace tuner::executors::records {
namespace {

constexpr off_t kReservedBytes = 4096;
constexpr size_t kMaxRecordBytes = 16 << 20;

// Lines of "key value", each ended by `end`: NUL in the launch record, whose values may hold anything else.
class Writer {
 public:
  explicit Writer(char end) : end_(end) {}
  Writer& Add(std::string_view key, std::string_view value) {
    text_.append(key).append(" ").append(value).push_back(end_);
    return *this;
  }
  Writer& Add(std::string_view key, int64_t value) { return Add(key, std::to_string(value)); }
  std::string Finish() {
    text_.append("end").push_back(end_);
    return std::move(text_);
  }

 private:
  const char end_;
  std::string text_;
};

// Calls `field` for each line; false if the text does not end with the line "end".
bool Read(std::string_view text, char end, const std::function<void(std::string_view, std::string)>& field) {
  while (!text.empty()) {
    const size_t stop = text.find(end);
    if (stop == std::string_view::npos) return false;
    const std::string_view line = text.substr(0, stop);
    text.remove_prefix(stop + 1);
    if (line == "end") return text.empty();
    const size_t space = line.find(' ');
    if (space == std::string_view::npos) return false;
    field(line.substr(0, space), std::string(line.substr(space + 1)));
  }
  return false;
}

int64_t Number(const std::string& text) { return strtoll(text.c_str(), nullptr, 10); }

int WriteAll(Files& files, int fd, const std::string& text) {
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = files.Write(fd, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    done += static_cast<size_t>(n);
  }
  return 0;
}

int Replace(Files& files, int folder, const char* name, const std::string& text, bool durable) {
  const std::string temporary = std::string(name) + ".new";
  const int fd = files.OpenAt(folder, temporary.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return errno;
  int error = WriteAll(files, fd, text);
  // Cut after writing: the room that Reserve made is still the file's while it is written.
  if (error == 0 && files.Truncate(fd, static_cast<off_t>(text.size())) != 0) error = errno;
  if (error == 0 && durable && files.Sync(fd) != 0) error = errno;
  if (files.Close(fd) != 0 && error == 0) error = errno;
  if (error == 0 && files.RenameAt(folder, temporary.c_str(), name) != 0) error = errno;
  if (error == 0 && durable && files.Sync(folder) != 0) error = errno;
  return error;
}

struct flock WholeFile(short type) {
  struct flock lock = {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;
}

}  // namespace

std::string Format(const Launch& launch) {
  Writer writer('\0');
  writer.Add("uid", launch.job_uid);
  for (const std::string& argument : launch.command) writer.Add("arg", argument);
  for (const std::string& variable : launch.environment) writer.Add("env", variable);
  for (int gpu : launch.gpus) writer.Add("gpu", gpu);
  return writer.Add("cwd", launch.working_dir)
      .Add("time_limit_ms", launch.time_limit_ms)
      .Add("grace_ms", launch.grace_ms)
      .Add("memory_limit_bytes", launch.memory_limit_bytes)
      .Add("output_limit_bytes", launch.output_limit_bytes)
      .Add("fresh_start", int64_t{launch.fresh_start})
      .Finish();
}

std::optional<Launch> ParseLaunch(const std::string& text) {
  Launch launch;
  const bool whole = Read(text, '\0', [&](std::string_view key, std::string value) {
    if (key == "uid")
      launch.job_uid = std::move(value);
    else if (key == "arg")
      launch.command.push_back(std::move(value));
    else if (key == "env")
      launch.environment.push_back(std::move(value));
    else if (key == "gpu")
      launch.gpus.push_back(static_cast<int>(Number(value)));
    else if (key == "cwd")
      launch.working_dir = std::move(value);
    else if (key == "time_limit_ms")
      launch.time_limit_ms = Number(value);
    else if (key == "grace_ms")
      launch.grace_ms = Number(value);
    else if (key == "memory_limit_bytes")
      launch.memory_limit_bytes = Number(value);
    else if (key == "output_limit_bytes")
      launch.output_limit_bytes = Number(value);
    else if (key == "fresh_start")
      launch.fresh_start = Number(value) != 0;
  });
  if (!whole || launch.command.empty()) return std::nullopt;
  return launch;
}

std::string Format(const Claim& claim) {
  return Writer('\n')
      .Add("pid", claim.pid)
      .Add("start_ticks", static_cast<int64_t>(claim.start_ticks))
      .Add("boot_id", claim.boot_id)
      .Finish();
}

std::optional<Claim> ParseClaim(const std::string& text) {
  Claim claim;
  const bool whole = Read(text, '\n', [&](std::string_view key, std::string value) {
    if (key == "pid")
      claim.pid = static_cast<pid_t>(Number(value));
    else if (key == "start_ticks")
      claim.start_ticks = static_cast<uint64_t>(Number(value));
    else if (key == "boot_id")
      claim.boot_id = std::move(value);
  });
  if (!whole) return std::nullopt;
  return claim;
}

std::string Format(const Started& started) {
  return Writer('\n').Add("pid", started.pid).Add("time_us", started.time_us).Finish();
}

std::optional<Started> ParseStarted(const std::string& text) {
  Started started;
  const bool whole = Read(text, '\n', [&](std::string_view key, const std::string& value) {
    if (key == "pid")
      started.pid = static_cast<pid_t>(Number(value));
    else if (key == "time_us")
      started.time_us = Number(value);
  });
  if (!whole) return std::nullopt;
  return started;
}

std::string Format(const Exit& exit) {
  Writer writer('\n');
  if (exit.code) writer.Add("code", *exit.code);
  if (exit.signal) writer.Add("signal", *exit.signal);
  if (exit.start_error != 0) writer.Add("start_error", exit.start_error).Add("start_step", exit.start_step);
  return writer.Add("stopped", exit.stopped)
      .Add("timed_out", exit.timed_out)
      .Add("out_of_memory", exit.out_of_memory)
      .Add("output_cut", exit.output_cut)
      .Add("boot_id", exit.boot_id)
      .Add("time_us", exit.time_us)
      .Add("cpu_us", exit.cpu_us)
      .Add("peak_memory_bytes", exit.peak_memory_bytes)
      .Add("read_bytes", exit.read_bytes)
      .Add("written_bytes", exit.written_bytes)
      .Finish();
}

std::optional<Exit> ParseExit(const std::string& text) {
  Exit exit;
  const bool whole = Read(text, '\n', [&](std::string_view key, std::string value) {
    const int64_t number = Number(value);
    if (key == "code")
      exit.code = static_cast<int>(number);
    else if (key == "signal")
      exit.signal = static_cast<int>(number);
    else if (key == "start_error")
      exit.start_error = static_cast<int>(number);
    else if (key == "start_step")
      exit.start_step = std::move(value);
    else if (key == "stopped")
      exit.stopped = number != 0;
    else if (key == "timed_out")
      exit.timed_out = number != 0;
    else if (key == "out_of_memory")
      exit.out_of_memory = number != 0;
    else if (key == "output_cut")
      exit.output_cut = number != 0;
    else if (key == "time_us")
      exit.time_us = number;
    else if (key == "boot_id")
      exit.boot_id = std::move(value);
    else if (key == "cpu_us")
      exit.cpu_us = number;
    else if (key == "peak_memory_bytes")
      exit.peak_memory_bytes = number;
    else if (key == "read_bytes")
      exit.read_bytes = number;
    else if (key == "written_bytes")
      exit.written_bytes = number;
  });
  if (!whole) return std::nullopt;
  return exit;
}

int Files::OpenAt(int folder, const char* name, int flags, mode_t mode) { return openat(folder, name, flags, mode); }
ssize_t Files::Write(int fd, const void* bytes, size_t size) { return write(fd, bytes, size); }
int Files::Allocate(int fd, off_t size) { return fallocate(fd, 0, 0, size); }
int Files::Truncate(int fd, off_t size) { return ftruncate(fd, size); }
int Files::Sync(int fd) { return fsync(fd); }
int Files::RenameAt(int folder, const char* from, const char* to) { return renameat(folder, from, folder, to); }
int Files::Close(int fd) { return close(fd); }

int WriteDurably(Files& files, int folder, const char* name, const std::string& text) {
  return Replace(files, folder, name, text, true);
}

int WriteAtomically(Files& files, int folder, const char* name, const std::string& text) {
  return Replace(files, folder, name, text, false);
}

int Reserve(Files& files, int folder, const char* name) {
  const std::string temporary = std::string(name) + ".new";
  const int fd = files.OpenAt(folder, temporary.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return errno;
  // A file system that cannot reserve room (EOPNOTSUPP) is no reason not to run.
  const int error = files.Allocate(fd, kReservedBytes) != 0 && errno == ENOSPC ? ENOSPC : 0;
  files.Close(fd);
  return error;
}

int SyncAbove(Files& files, int folder, int levels) {
  int current = folder;
  int error = 0;
  for (int i = 0; i < levels && error == 0; ++i) {
    const int above = files.OpenAt(current, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (above < 0) error = errno;
    if (current != folder) files.Close(current);
    current = above;
    if (error == 0 && files.Sync(above) != 0) error = errno;
  }
  if (current != folder && current >= 0) files.Close(current);
  return error;
}

int WriteClaim(Files& files, int claims, int claim, const Claim& record) {
  int error = files.Truncate(claim, 0) != 0 ? errno : 0;
  if (error == 0) error = WriteAll(files, claim, Format(record));
  if (error == 0 && files.Sync(claim) != 0) error = errno;
  if (error == 0 && files.Sync(claims) != 0) error = errno;
  if (error != 0) files.Truncate(claim, 0);
  return error;
}

int PromoteExit(Files& files, int run_folder, int levels) {
  if (const int error = SyncAbove(files, run_folder, levels); error != 0) return error;
  const int fd = files.OpenAt(run_folder, kEnded, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
  if (fd < 0) return errno;
  int error = files.Sync(fd) != 0 ? errno : 0;
  files.Close(fd);
  if (error == 0 && files.RenameAt(run_folder, kEnded, kExit) != 0) error = errno;
  if (error == 0 && files.Sync(run_folder) != 0) error = errno;
  return error;
}

int ReadRecord(int folder, const char* name, std::optional<std::string>& text) {
  text.reset();
  const int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return errno;
  struct stat status;
  int error = fstat(fd, &status) != 0 ? errno : 0;
  if (error == 0 && S_ISREG(status.st_mode)) {
    text.emplace();
    char buffer[8192];
    ssize_t n;
    while (error == 0 && (n = read(fd, buffer, sizeof(buffer))) != 0 && text->size() < kMaxRecordBytes) {
      if (n > 0) text->append(buffer, static_cast<size_t>(n));
      if (n < 0 && errno != EINTR) error = errno;
    }
  }
  close(fd);
  return error;
}

int LockClaim(int fd) {
  struct flock lock = WholeFile(F_WRLCK);
  return fcntl(fd, F_OFD_SETLK, &lock) == 0 ? 0 : errno;
}

bool IsLocked(int fd) {
  struct flock lock = WholeFile(F_WRLCK);
  return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

std::string BootId() {
  const int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "";
  char buffer[64];
  const ssize_t n = read(fd, buffer, sizeof(buffer));
  close(fd);
  std::string id(buffer, n > 0 ? static_cast<size_t>(n) : 0);
  while (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

uint64_t StartTicks(pid_t pid) {
  const int fd = open(("/proc/" + std::to_string(pid) + "/stat").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char buffer[1024];
  const ssize_t n = read(fd, buffer, sizeof(buffer) - 1);
  close(fd);
  if (n <= 0) return 0;
  buffer[n] = '\0';
  // The program's name, in parentheses, may hold anything; what follows its last parenthesis begins with field 3.
  const char* at = strrchr(buffer, ')');
  for (int field = 2; at != nullptr && field < 22; ++field) at = strchr(at + 1, ' ');
  return at == nullptr ? 0 : strtoull(at + 1, nullptr, 10);
}

}  // namespace tuner::executors::records
