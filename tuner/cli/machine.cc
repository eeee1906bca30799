#include "tuner/cli/machine.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "tuner/cli/gnuplot.h"
#include "tuner/cli/text.h"

namespace tuner::cli {
namespace {

namespace fs = std::filesystem;
using State = Finding::State;

constexpr double kGiB = 1024.0 * 1024 * 1024;

std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// The folder or the nearest above it that is there.
std::string Existing(const std::string& folder) {
  std::error_code error;
  fs::path path = fs::absolute(folder, error);
  while (!fs::is_directory(path, error) && path.has_relative_path()) path = path.parent_path();
  return path.string();
}

// A file in `folder` that is gone as soon as it is closed.
int OpenScratch(const std::string& folder) {
  std::string name = folder + "/.tuner-doctor-XXXXXX";
  const int fd = mkostemp(name.data(), O_CLOEXEC);
  if (fd >= 0) unlink(name.c_str());
  return fd;
}

}  // namespace

Finding CheckCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  const int usable = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  const int64_t online = sysconf(_SC_NPROCESSORS_ONLN);
  if (usable < online) return {"cores", State::kGood, absl::StrCat(usable, " usable of ", online), ""};
  return {"cores", State::kGood, absl::StrCat(usable), ""};
}

Finding CheckMemory() {
  double total = 0, available = 0;
  const std::string meminfo = ReadText("/proc/meminfo");
  for (absl::string_view line : absl::StrSplit(meminfo, '\n')) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (words.size() < 2) continue;
    double kib = 0;
    if (!absl::SimpleAtod(words[1], &kib)) continue;
    if (words[0] == "MemTotal:") total = kib * 1024;
    if (words[0] == "MemAvailable:") available = kib * 1024;
  }
  const std::string text = absl::StrCat(BytesText(available), " free of ", BytesText(total));
  if (available < kGiB / 4)
    return {"memory", State::kWarning, text, "Trials may be killed for want of memory; run fewer in parallel."};
  return {"memory", State::kGood, text, ""};
}

Finding CheckGpus() {
  std::error_code error;
  int count = 0;
  for (const auto& entry : fs::directory_iterator("/proc/driver/nvidia/gpus", error))
    count += entry.is_directory(error) ? 1 : 0;
  if (count == 0) return {"gpus", State::kGood, "none found", ""};
  return {"gpus", State::kGood, absl::StrCat(count),
          absl::StrCat("Give them to trials: tuner serve --gpus 0",
                       count > 1 ? absl::StrCat("..", count - 1, " (as a list)") : "")};
}

Finding CheckCgroups() {
  // "0::/user.slice/..." is the process's own group in the unified hierarchy.
  std::string group;
  const std::string groups = ReadText("/proc/self/cgroup");
  for (absl::string_view line : absl::StrSplit(groups, '\n')) {
    if (absl::ConsumePrefix(&line, "0::")) group = std::string(line);
  }
  const std::string folder = "/sys/fs/cgroup" + group;
  const bool memory = absl::StrContains(ReadText(folder + "/cgroup.controllers"), "memory");
  if (memory && access(folder.c_str(), W_OK) == 0)
    return {"cgroup v2", State::kGood, "delegated: memory limits of trials are exact", ""};
  return {"cgroup v2", State::kGood, "not delegated: memory limits of trials use RLIMIT_AS",
          "For exact limits run the server as a systemd service with Delegate=yes."};
}

Finding CheckClock() {
  timex clock = {};
  const int state = adjtimex(&clock);
  const std::string now = absl::FormatTime("%Y-%m-%d %H:%M:%S %Z", absl::Now(), absl::LocalTimeZone());
  if (state < 0 || state == TIME_ERROR || (clock.status & STA_UNSYNC) != 0) {
    return {"clock", State::kWarning, absl::StrCat(now, ", not known to be synchronised"),
            "Leases and time limits follow the clock; run an NTP client such as systemd-timesyncd."};
  }
  return {"clock", State::kGood, absl::StrCat(now, ", synchronised"), ""};
}

Finding CheckGnuplot() {
  const std::string path = FindGnuplot();
  if (!path.empty()) return {"gnuplot", State::kGood, path, ""};
  return {"gnuplot", State::kWarning, "not installed; `tuner plot` needs it", "sudo apt-get install gnuplot-nox"};
}

Finding CheckPort(const std::string& address) {
  const size_t colon = address.rfind(':');
  int port = 0;
  sockaddr_in where = {};
  where.sin_family = AF_INET;
  const std::string host = colon == std::string::npos ? "" : address.substr(0, colon);
  if (colon == std::string::npos || !absl::SimpleAtoi(address.substr(colon + 1), &port) || port < 0 || port > 65535 ||
      inet_pton(AF_INET, host == "localhost" ? "127.0.0.1" : host.c_str(), &where.sin_addr) != 1) {
    return {"port", State::kGood, absl::StrCat(address, " is not looked at: only IPv4 addresses are"), ""};
  }
  where.sin_port = htons(static_cast<uint16_t>(port));
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  const bool free = fd >= 0 && bind(fd, reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0;
  const int error = errno;
  if (fd >= 0) close(fd);
  if (free) return {"port", State::kGood, absl::StrCat(address, " is free"), ""};
  if (error == EADDRINUSE)
    return {"port", State::kGood, absl::StrCat(address, " is in use"),
            "If that is not a tuner server, use another: tuner serve --listen 127.0.0.1:7071"};
  return {"port", State::kWarning, absl::StrCat(address, ": ", std::strerror(error)),
          "Choose another: tuner serve --listen 127.0.0.1:7071"};
}

Finding CheckWritable(const std::string& folder) {
  const std::string existing = Existing(folder);
  const int fd = OpenScratch(existing);
  if (fd < 0)
    return {"data folder", State::kMissing, absl::StrCat(existing, ": ", std::strerror(errno)),
            "Name a folder that you may write: --data DIR or TUNER_DATA."};
  close(fd);
  std::error_code error;
  const bool there = fs::is_directory(folder, error);
  return {"data folder", State::kGood, absl::StrCat(folder, there ? "" : " (will be made)", ", writable"), ""};
}

Finding CheckDiskSpace(const std::string& folder) {
  std::error_code error;
  const fs::space_info space = fs::space(Existing(folder), error);
  if (error) return {"disk", State::kWarning, error.message(), ""};
  const std::string text = absl::StrCat(BytesText(static_cast<double>(space.available)), " free of ",
                                        BytesText(static_cast<double>(space.capacity)));
  if (space.available < kGiB) return {"disk", State::kWarning, text, "Make room: on a full disk jobs pause."};
  return {"disk", State::kGood, text, ""};
}

Finding CheckSync(const std::string& folder) {
  const int fd = OpenScratch(Existing(folder));
  if (fd < 0) return {"disk sync", State::kMissing, std::strerror(errno), ""};
  std::vector<double> micros;
  const char page[4096] = {};
  for (int i = 0; i < 20; ++i) {
    const absl::Time start = absl::Now();
    if (pwrite(fd, page, sizeof page, static_cast<off_t>(i) * static_cast<off_t>(sizeof page)) < 0 ||
        fdatasync(fd) != 0)
      break;
    micros.push_back(absl::ToDoubleMicroseconds(absl::Now() - start));
  }
  close(fd);
  if (micros.empty()) return {"disk sync", State::kMissing, "cannot write and sync", "Is the disk full?"};
  std::sort(micros.begin(), micros.end());
  const double median = micros[micros.size() / 2];
  const std::string text = absl::StrFormat("%.2f ms for a write to be on disk", median / 1000);
  if (median > 20000)
    return {"disk sync", State::kWarning, text,
            "Every result waits for the disk; put the data folder on a faster one."};
  return {"disk sync", State::kGood, text, ""};
}

}  // namespace tuner::cli
