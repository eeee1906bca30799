#include "bench/program.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

extern char** environ;

namespace tuner::bench {
namespace {

constexpr absl::Duration kStopPatience = absl::Seconds(10);

sockaddr_in Loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

std::string Tail(const std::string& text) { return text.size() > 2000 ? text.substr(text.size() - 2000) : text; }

}  // namespace

absl::StatusOr<Program> Program::Start(const std::vector<std::string>& command, const std::string& log) {
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return absl::NotFoundError(absl::StrCat(command[0], " cannot be started: ", strerror(error)));
  return Program(pid, log);
}

Program::Program(Program&& other) noexcept : pid_(std::exchange(other.pid_, -1)), log_(std::move(other.log_)) {}
Program& Program::operator=(Program&& other) noexcept {
  if (this != &other) {
    Stop();
    pid_ = std::exchange(other.pid_, -1);
    log_ = std::move(other.log_);
  }
  return *this;
}
Program::~Program() { Stop(); }

int Program::Wait() {
  int code = 0;
  Reap(absl::InfiniteDuration(), &code);
  return code;
}

void Program::Stop() {
  if (pid_ < 0) return;
  int code = 0;
  kill(pid_, SIGTERM);
  if (Reap(kStopPatience, &code)) return;
  kill(pid_, SIGKILL);
  Reap(absl::InfiniteDuration(), &code);
}

bool Program::Reap(absl::Duration patience, int* code) {
  if (pid_ < 0) return true;
  const absl::Time end = absl::Now() + patience;
  int status = 0;
  const int options = patience == absl::InfiniteDuration() ? 0 : WNOHANG;
  while (waitpid(pid_, &status, options) != pid_) {
    if (absl::Now() > end) return false;
    absl::SleepFor(absl::Milliseconds(10));
  }
  pid_ = -1;
  *code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return true;
}

absl::StatusOr<int64_t> Program::ResidentBytes() const {
  std::ifstream file(absl::StrCat("/proc/", pid_, "/statm"));
  int64_t size = 0;
  int64_t resident = 0;
  if (!(file >> size >> resident)) return absl::UnavailableError("the program has ended");
  return resident * sysconf(_SC_PAGESIZE);
}

absl::StatusOr<absl::Duration> Program::CpuTime() const {
  // clock_getcpuclockid counts nanoseconds of all threads, where /proc/<pid>/stat counts ticks of 10 ms.
  clockid_t clock;
  timespec time;
  if (clock_getcpuclockid(pid_, &clock) != 0 || clock_gettime(clock, &time) != 0) {
    return absl::UnavailableError("the program has ended");
  }
  return absl::DurationFromTimespec(time);
}

absl::StatusOr<std::string> RunToEnd(const std::vector<std::string>& command, const std::string& log) {
  auto program = Program::Start(command, log);
  if (!program.ok()) return program.status();
  const int code = program->Wait();
  std::string output = ReadFile(log);
  if (code != 0) return absl::InternalError(absl::StrCat(command[0], " ended with ", code, ": ", Tail(output)));
  return output;
}

absl::StatusOr<int> FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return absl::UnavailableError("no socket");
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof address;
  const bool bound = bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  close(fd);
  if (!bound) return absl::UnavailableError("no free port");
  return ntohs(address.sin_port);
}

absl::Status AwaitPort(int port, absl::Duration patience) {
  const absl::Time end = absl::Now() + patience;
  while (true) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = Loopback(port);
    const bool listens = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    close(fd);
    if (listens) return absl::OkStatus();
    if (absl::Now() > end) return absl::UnavailableError(absl::StrCat("nothing listens on port ", port));
    absl::SleepFor(absl::Milliseconds(2));
  }
}

ScratchRoot::ScratchRoot() {
  const char* base = std::getenv("TMPDIR");
  std::string path = absl::StrCat(base != nullptr ? base : "/tmp", "/tuner-bench-XXXXXX");
  if (mkdtemp(path.data()) == nullptr) std::abort();  // nothing can be measured
  path_ = path;
}
ScratchRoot::~ScratchRoot() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

ScratchFolder::ScratchFolder(const Context& context) : path_(absl::StrCat(context.scratch, "/XXXXXX")) {
  if (mkdtemp(path_.data()) == nullptr) std::abort();
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace tuner::bench
