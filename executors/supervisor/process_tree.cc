#include "executors/supervisor/process_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

namespace tuner::executors {
namespace {

std::string ReadProc(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "";
  char buffer[2048];
  const ssize_t n = read(fd, buffer, sizeof(buffer));
  close(fd);
  return std::string(buffer, n > 0 ? static_cast<size_t>(n) : 0);
}

// 0 if the process is gone.
pid_t ParentOf(pid_t pid) {
  const std::string stat = ReadProc("/proc/" + std::to_string(pid) + "/stat");
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos || name_end + 4 > stat.size()) return 0;
  return static_cast<pid_t>(atoi(stat.c_str() + name_end + 4));  // ") S ppid"
}

int64_t Field(const std::string& text, const char* name) {
  const size_t at = text.find(name);
  return at == std::string::npos ? 0 : strtoll(text.c_str() + at + strlen(name), nullptr, 10);
}

}  // namespace

std::vector<pid_t> Descendants(pid_t root) {
  std::vector<std::pair<pid_t, pid_t>> parents;  // child, parent
  if (DIR* proc = opendir("/proc")) {
    while (const dirent* entry = readdir(proc)) {
      if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
      const pid_t pid = static_cast<pid_t>(atoi(entry->d_name));
      if (const pid_t parent = ParentOf(pid); parent != 0) parents.emplace_back(pid, parent);
    }
    closedir(proc);
  }
  std::vector<pid_t> found = {root};
  for (size_t i = 0; i < found.size(); ++i) {
    for (const auto& [child, parent] : parents) {
      if (parent == found[i]) found.push_back(child);
    }
  }
  found.erase(found.begin());
  return found;
}

void SignalDescendants(pid_t root, int signal) {
  for (const pid_t pid : Descendants(root)) kill(pid, signal);
}

IoBytes IoOf(pid_t pid) {
  const std::string io = ReadProc("/proc/" + std::to_string(pid) + "/io");
  return {Field(io, "\nread_bytes: "), Field(io, "\nwrite_bytes: ")};
}

}  // namespace tuner::executors
