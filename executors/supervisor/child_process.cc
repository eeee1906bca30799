#include "executors/supervisor/child_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <iterator>
#include <vector>

namespace tuner::executors {
namespace {

constexpr const char* kSteps[] = {"standard input", "output", "working directory", "memory limit", "exec"};
enum Step { kInput, kOutput, kWorkingDir, kMemoryLimit, kExec };

// What the child tells its parent when it cannot become the program.
struct Failure {
  int error;
  int step;
};

[[noreturn]] void Fail(int status_fd, Step step) {
  const Failure failure = {errno, step};
  [[maybe_unused]] const ssize_t n = write(status_fd, &failure, sizeof(failure));
  _exit(step == kExec && failure.error == ENOENT ? 127 : 126);
}

void WriteFile(const char* path, const char* text) {
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  [[maybe_unused]] const ssize_t n = write(fd, text, strlen(text));
  close(fd);
}

bool LimitMemory(const records::Launch& launch, const ChildSetup& setup) {
  if (launch.memory_limit_bytes <= 0) return true;
  if (!setup.cgroup_procs.empty()) {
    const int fd = open(setup.cgroup_procs.c_str(), O_WRONLY | O_CLOEXEC);
    const bool joined = fd >= 0 && write(fd, "0", 1) == 1;
    if (fd >= 0) close(fd);
    return joined;
  }
  const rlim_t bytes = static_cast<rlim_t>(launch.memory_limit_bytes);
  const struct rlimit limit = {bytes, bytes};
  return setrlimit(RLIMIT_AS, &limit) == 0;
}

[[noreturn]] void BecomeProgram(const records::Launch& launch, const ChildSetup& setup, char* const* arguments,
                                char** environment, pid_t parent, int status_fd) {
  setpgid(0, 0);
  // Without its supervisor nobody would keep the run's limits or record its end.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(126);
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  // When the machine runs out of memory, trials end before the server does.
  WriteFile("/proc/self/oom_score_adj", "500");

  const int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0) Fail(status_fd, kInput);
  if (dup2(setup.stdout_fd, STDOUT_FILENO) < 0 || dup2(setup.stderr_fd, STDERR_FILENO) < 0) Fail(status_fd, kOutput);
  if (chdir(launch.working_dir.c_str()) != 0) Fail(status_fd, kWorkingDir);
  if (!LimitMemory(launch, setup)) Fail(status_fd, kMemoryLimit);
  environ = environment;  // also where execvp looks for PATH
  execvp(arguments[0], arguments);
  Fail(status_fd, kExec);
}

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

ChildStart StartChild(const records::Launch& launch, const ChildSetup& setup) {
  int status[2];
  if (pipe2(status, O_CLOEXEC) != 0) return {-1, errno, "pipe"};
  const std::vector<char*> arguments = Pointers(launch.command);
  std::vector<char*> environment = Pointers(launch.environment);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    close(status[0]);
    BecomeProgram(launch, setup, arguments.data(), environment.data(), parent, status[1]);
  }
  const int fork_error = errno;
  close(status[1]);
  if (pid < 0) {
    close(status[0]);
    return {-1, fork_error, "fork"};
  }
  setpgid(pid, pid);  // whoever comes first; a stop must find the group
  Failure failure = {};
  ssize_t n;
  while ((n = read(status[0], &failure, sizeof(failure))) < 0 && errno == EINTR) {
  }
  close(status[0]);
  if (n != static_cast<ssize_t>(sizeof(failure))) return {pid, 0, ""};
  return {pid, failure.error, kSteps[failure.step]};
}

}  // namespace tuner::executors
