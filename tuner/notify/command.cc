#include "tuner/notify/command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "executors/spawner.h"
#include "executors/unique_fd.h"

namespace tuner::notify {
namespace {

using executors::UniqueFd;
using SteadyClock = std::chrono::steady_clock;

constexpr size_t kKeptOutput = 300;

absl::Status SystemError(const char* what, int error) {
  return absl::UnavailableError(absl::StrCat(what, ": ", std::strerror(error)));
}

// A file without a name: unlike a pipe it never blocks the writer, whatever the command reads.
absl::StatusOr<UniqueFd> InputFile(const std::string& text) {
  UniqueFd file(memfd_create("notification", MFD_CLOEXEC));
  if (!file) return SystemError("no memory for the command's input", errno);
  for (size_t written = 0; written < text.size();) {
    const ssize_t count = write(file.get(), text.data() + written, text.size() - written);
    if (count < 0) return SystemError("no memory for the command's input", errno);
    written += static_cast<size_t>(count);
  }
  if (lseek(file.get(), 0, SEEK_SET) != 0) return SystemError("the command's input", errno);
  return file;
}

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

class SpawnSetup {
 public:
  SpawnSetup() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnSetup() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
};

// In its own process group, with signals as a shell gives them and no other files of the server.
absl::StatusOr<pid_t> Spawn(const CommandCall& call, int input, int output) {
  SpawnSetup setup;
  posix_spawn_file_actions_adddup2(&setup.actions, input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&setup.actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&setup.actions, output, STDERR_FILENO);
  posix_spawn_file_actions_addclosefrom_np(&setup.actions, STDERR_FILENO + 1);
  if (!call.folder.empty()) posix_spawn_file_actions_addchdir_np(&setup.actions, call.folder.c_str());
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&setup.attributes, &none);
  posix_spawnattr_setsigdefault(&setup.attributes, &all);
  posix_spawnattr_setpgroup(&setup.attributes, 0);
  posix_spawnattr_setflags(&setup.attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  const std::vector<char*> arguments = Pointers(call.command);
  const std::vector<char*> environment = Pointers(call.environment);
  pid_t pid = 0;
  const int error =
      posix_spawnp(&pid, arguments[0], &setup.actions, &setup.attributes, arguments.data(), environment.data());
  if (error != 0) {
    return absl::UnavailableError(
        absl::StrCat("the command ", call.command.front(), " cannot be started: ", std::strerror(error)));
  }
  return pid;
}

// Takes what is there without waiting, and keeps the end of it. False: nothing more will come.
bool Drain(int fd, std::string& kept) {
  char buffer[4096];
  for (;;) {
    const ssize_t count = read(fd, buffer, sizeof buffer);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    if (count == 0) return false;
    kept.append(buffer, static_cast<size_t>(count));
    if (kept.size() > kKeptOutput) kept.erase(0, kept.size() - kKeptOutput);
  }
}

enum class Ending { kEnded, kTimedOut, kStopped };

Ending AwaitEnd(int pidfd, int output, int stop_fd, absl::Duration timeout, std::string& printed) {
  const auto deadline = SteadyClock::now() + absl::ToChronoMilliseconds(timeout);
  bool more = true;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now()).count();
    if (left <= 0) return Ending::kTimedOut;
    pollfd fds[] = {{pidfd, POLLIN, 0}, {stop_fd, POLLIN, 0}, {more ? output : -1, POLLIN, 0}};
    if (poll(fds, 3, static_cast<int>(left)) < 0 && errno != EINTR) return Ending::kTimedOut;
    if (fds[2].revents != 0) more = Drain(output, printed);
    if (fds[0].revents != 0) {
      Drain(output, printed);
      return Ending::kEnded;
    }
    if (fds[1].revents != 0) return Ending::kStopped;
  }
}

std::string Quoted(const std::string& printed) {
  const absl::string_view text = absl::StripAsciiWhitespace(printed);
  return text.empty() ? "" : absl::StrCat("; it printed: ", text);
}

}  // namespace

absl::Status RunCommand(const CommandCall& call, int stop_fd) {
  absl::StatusOr<UniqueFd> input = InputFile(call.input);
  if (!input.ok()) return input.status();
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return SystemError("no pipe for the command's output", errno);
  const UniqueFd output(ends[0]);
  UniqueFd given(ends[1]);
  fcntl(output.get(), F_SETFL, O_NONBLOCK);
  const absl::StatusOr<pid_t> pid = Spawn(call, input->get(), given.get());
  given.Reset();
  if (!pid.ok()) return pid.status();
  const UniqueFd pidfd = executors::OpenPidfd(*pid);
  std::string printed;
  const Ending ending = pidfd ? AwaitEnd(pidfd.get(), output.get(), stop_fd, call.timeout, printed) : Ending::kTimedOut;
  // Before it is reaped, while its number cannot be another group's.
  kill(-*pid, SIGKILL);
  int status = 0;
  while (waitpid(*pid, &status, 0) < 0 && errno == EINTR) {
  }
  switch (ending) {
    case Ending::kStopped:
      return absl::CancelledError("the server is shutting down");
    case Ending::kTimedOut:
      return absl::UnavailableError(
          absl::StrCat("the command did not end within ", absl::FormatDuration(call.timeout), Quoted(printed)));
    case Ending::kEnded:
      break;
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  return absl::UnavailableError(
      WIFEXITED(status) ? absl::StrCat("the command ended with exit code ", WEXITSTATUS(status), Quoted(printed))
                        : absl::StrCat("the command was ended by signal ", WTERMSIG(status), Quoted(printed)));
}

std::vector<std::string> CommandEnvironment() {
  std::vector<std::string> variables;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    if (!absl::StartsWith(*variable, "TUNER_TOKEN=")) variables.emplace_back(*variable);
  }
  return variables;
}

}  // namespace tuner::notify
