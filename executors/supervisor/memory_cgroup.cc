#include "executors/supervisor/memory_cgroup.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sstream>

namespace tuner::executors {
namespace {

std::string ReadText(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "";
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = read(fd, buffer, sizeof(buffer))) > 0;) text.append(buffer, static_cast<size_t>(n));
  close(fd);
  return text;
}

bool WriteText(const std::string& path, const std::string& text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  close(fd);
  return written;
}

bool HasWord(const std::string& text, const std::string& wanted) {
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (word == wanted) return true;
  }
  return false;
}

// The number after `key` in lines of "key number", or 0.
int64_t Value(const std::string& text, const std::string& key) {
  std::istringstream lines(text);
  std::string name;
  for (int64_t value; lines >> name >> value;) {
    if (name == key) return value;
  }
  return 0;
}

std::string Cgroup2Mount() {
  std::istringstream lines(ReadText("/proc/self/mounts"));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string device, folder, type;
    if (words >> device >> folder >> type && type == "cgroup2") return folder;
  }
  return "";
}

std::string OwnPath() {
  std::istringstream lines(ReadText("/proc/self/cgroup"));
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("0::", 0) == 0) return line.substr(3);
  }
  return "";
}

}  // namespace

MemoryCgroup::~MemoryCgroup() {
  if (made()) rmdir(folder_.c_str());
}

bool MemoryCgroup::Make(const std::string& name, int64_t limit_bytes) {
  return Make(Cgroup2Mount(), OwnPath(), name, limit_bytes);
}

bool MemoryCgroup::Make(const std::string& mount, const std::string& own_path, const std::string& name,
                        int64_t limit_bytes) {
  if (mount.empty() || own_path.empty() || own_path[0] != '/') return false;
  const std::string parent = mount + own_path.substr(0, own_path.rfind('/'));
  if (!HasWord(ReadText(parent + "/cgroup.subtree_control"), "memory")) return false;
  const std::string folder = parent + "/" + name;
  if (mkdir(folder.c_str(), 0755) != 0) return false;
  folder_ = folder;
  if (WriteText(folder + "/memory.max", std::to_string(limit_bytes))) {
    WriteText(folder + "/memory.swap.max", "0");  // absent without swap accounting
    return true;
  }
  rmdir(folder.c_str());
  folder_.clear();
  return false;
}

void MemoryCgroup::Kill() const {
  if (made()) WriteText(folder_ + "/cgroup.kill", "1");
}

int64_t MemoryCgroup::PeakBytes() const {
  return made() ? strtoll(ReadText(folder_ + "/memory.peak").c_str(), nullptr, 10) : 0;
}

bool MemoryCgroup::OutOfMemory() const { return made() && Value(ReadText(folder_ + "/memory.events"), "oom_kill") > 0; }

}  // namespace tuner::executors
