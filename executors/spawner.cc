#include "executors/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <boost/process/args.hpp>
#include <boost/process/child.hpp>
#include <boost/process/exe.hpp>
#include <boost/process/extend.hpp>
#include <boost/process/io.hpp>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace tuner::executors {
namespace {

constexpr size_t kMaxRequestBytes = 16 << 10;

// The answer to a request; a pidfd comes beside it if error is 0.
struct Answer {
  int error = 0;
  pid_t pid = -1;
};

union PassedFd {
  char bytes[CMSG_SPACE(sizeof(int))];
  struct cmsghdr align;
};

void SendAnswer(int socket, Answer answer, int passed_fd) {
  struct iovec data = {&answer, sizeof(answer)};
  PassedFd control = {};
  struct msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (passed_fd >= 0) {
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof(control.bytes);
    struct cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &passed_fd, sizeof(int));
  }
  sendmsg(socket, &message, MSG_NOSIGNAL);
}

// The child begins with all signals blocked and with their default actions.
int Spawn(const char* program, const char* argument, pid_t& pid) {
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t all;
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &all);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  char* arguments[] = {const_cast<char*>(program), const_cast<char*>(argument), nullptr};
  const int error = posix_spawn(&pid, program, nullptr, &attributes, arguments, environ);
  posix_spawnattr_destroy(&attributes);
  return error;
}

// A request is "program NUL argument NUL".
void Serve(int socket, char* request, size_t size) {
  const size_t program_size = strnlen(request, size);
  if (size == 0 || request[size - 1] != '\0' || program_size + 1 >= size) return SendAnswer(socket, {EINVAL, -1}, -1);
  Answer answer;
  answer.error = Spawn(request, request + program_size + 1, answer.pid);
  // Opened before the process can be reaped, so it cannot be another's.
  UniqueFd pidfd = answer.error == 0 ? OpenPidfd(answer.pid) : UniqueFd();
  SendAnswer(socket, answer, pidfd.get());
}

[[noreturn]] void RunSpawner(int socket) {
  prctl(PR_SET_NAME, "tuner-spawner");
  setsid();  // Ctrl-C in the server's terminal is for the server
  const int kept = dup2(socket, 3);
  close_range(4, ~0U, 0);
  const int null_fd = open("/dev/null", O_RDWR);
  for (int fd = 0; fd <= 2; ++fd) dup2(null_fd, fd);
  close(null_fd);
  fcntl(kept, F_SETFD, FD_CLOEXEC);

  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGCHLD);
  sigprocmask(SIG_SETMASK, &blocked, nullptr);
  const int children = signalfd(-1, &blocked, SFD_CLOEXEC | SFD_NONBLOCK);
  static char request[kMaxRequestBytes];
  while (true) {
    struct pollfd fds[] = {{kept, POLLIN, 0}, {children, POLLIN, 0}};
    if (poll(fds, 2, -1) < 0) continue;
    if (fds[1].revents != 0) {
      struct signalfd_siginfo info;
      while (read(children, &info, sizeof(info)) > 0) {
      }
      while (waitpid(-1, nullptr, WNOHANG) > 0) {
      }
    }
    if (fds[0].revents != 0) {
      const ssize_t n = recv(kept, request, sizeof(request), MSG_DONTWAIT);
      if (n == 0) _exit(0);
      if (n > 0) Serve(kept, request, static_cast<size_t>(n));
      if (n < 0 && errno != EAGAIN && errno != EINTR) _exit(0);
    }
  }
}

absl::Status KernelError(const char* what) { return absl::UnavailableError(absl::StrCat(what, ": ", strerror(errno))); }

}  // namespace

absl::StatusOr<SpawnerHandle> StartSpawner() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return KernelError("cannot make the spawner's socket");
  UniqueFd ours(ends[0]), theirs(ends[1]);
  const pid_t pid = fork();
  if (pid < 0) return KernelError("cannot fork the spawner");
  if (pid == 0) RunSpawner(theirs.get());
  return SpawnerHandle{std::move(ours), pid};
}

absl::StatusOr<SpawnedProcess> SpawnThrough(int spawner_fd, const std::string& program, const std::string& argument) {
  const std::string request = absl::StrCat(program, std::string(1, '\0'), argument, std::string(1, '\0'));
  if (request.size() > kMaxRequestBytes) return absl::UnavailableError("the path of the run's folder is too long");
  if (send(spawner_fd, request.data(), request.size(), MSG_NOSIGNAL) < 0) return KernelError("the spawner is gone");
  Answer answer;
  PassedFd control = {};
  struct iovec data = {&answer, sizeof(answer)};
  struct msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof(control.bytes);
  ssize_t n;
  while ((n = recvmsg(spawner_fd, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
  }
  if (n != static_cast<ssize_t>(sizeof(answer))) return absl::UnavailableError("the spawner is gone");
  if (answer.error != 0)
    return absl::UnavailableError(absl::StrCat("cannot start ", program, ": ", strerror(answer.error)));
  SpawnedProcess spawned;
  spawned.pid = answer.pid;
  if (const struct cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr && header->cmsg_type == SCM_RIGHTS) {
    int fd;
    memcpy(&fd, CMSG_DATA(header), sizeof(fd));
    spawned.pidfd.Reset(fd);
  }
  return spawned;
}

absl::StatusOr<SpawnedProcess> StartDirectly(const std::string& program, const std::string& argument) {
  namespace bp = boost::process;
  const auto block_signals = [](auto&) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, nullptr);
  };
  std::error_code error;
  bp::child child(bp::exe = program, bp::args = {argument}, bp::std_in<bp::null, bp::std_out> bp::null,
                  bp::std_err > bp::null, bp::extend::on_exec_setup = block_signals, error);
  if (error) return absl::UnavailableError(absl::StrCat("cannot start ", program, ": ", error.message()));
  SpawnedProcess spawned;
  spawned.pid = child.id();
  spawned.pidfd = OpenPidfd(spawned.pid);
  child.detach();
  return spawned;
}

UniqueFd OpenPidfd(pid_t pid) { return UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))); }

}  // namespace tuner::executors
