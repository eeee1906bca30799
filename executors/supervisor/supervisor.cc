#include "executors/supervisor/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "executors/supervisor/child_process.h"
#include "executors/supervisor/memory_cgroup.h"
#include "executors/supervisor/output_capture.h"
#include "executors/supervisor/process_tree.h"
#include "executors/supervisor/records.h"

namespace tuner::executors {
namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
// Folders above run/ whose entries lead to the exit record: <attempt>, <trial> and <job>, which is durable itself.
constexpr int kFoldersAbove = 3;
// What processes that a trial left behind get between SIGTERM and SIGKILL, at most.
constexpr int64_t kLeftoverGraceMs = 2'000;
// A server that runs stores an end within milliseconds. One that does not say so in this time is taken for gone.
constexpr int64_t kAcknowledgeMs = 500;
constexpr int64_t kWriteRetryMs = 1'000;
constexpr int kWriteRetries = 600;

int64_t NowMs() {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

int64_t WallUs() {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

int64_t Us(const struct timeval& time) { return int64_t{time.tv_sec} * 1'000'000 + time.tv_usec; }

// <job>/<trial>/<attempt> -> the name of its claim.
std::string ClaimNameOf(const std::string& attempt_path) {
  const size_t attempt = attempt_path.rfind('/');
  const size_t trial = attempt_path.rfind('/', attempt - 1);
  return records::ClaimName(attempt_path.substr(trial + 1, attempt - trial - 1), attempt_path.substr(attempt + 1));
}

class Supervisor {
 public:
  explicit Supervisor(const std::string& attempt_folder) : attempt_path_(attempt_folder) {}

  SupervisorExit Run() {
    const SupervisorExit claimed = Claim();
    if (claimed != kSupervised) return claimed;
    Start();
    while (!Ended()) Step();
    stdout_.Drain();
    stderr_.Drain();
    return TellExit();
  }

 private:
  SupervisorExit Claim();
  bool OpenFolders();
  int OpenOutput();
  void Start();
  bool Ended() const { return child_ended_ && no_children_; }
  void Step();
  void TakeSignals();
  void Reap();
  void AddUse(const struct rusage& use, const IoBytes& io);
  void ChildEnded(int status);
  // Asks all processes to end; kills them `grace_ms` from now, or earlier if that was promised before.
  void End(int64_t grace_ms);
  void KeepDeadlines(int64_t now);
  void KillAll(int64_t now);
  SupervisorExit TellExit();
  int WriteEnded() { return records::WriteAtomically(files_, run_, records::kEnded, records::Format(exit_)); }
  bool AwaitAcknowledgement();

  const std::string attempt_path_;
  records::Files files_;
  int attempt_ = -1;
  int run_ = -1;
  int claims_ = -1;
  int claim_ = -1;  // open, and locked, until the process ends
  int signals_ = -1;
  records::Launch launch_;
  records::Exit exit_;
  MemoryCgroup cgroup_;
  OutputCapture stdout_;
  OutputCapture stderr_;

  pid_t child_ = -1;
  bool child_ended_ = false;
  bool no_children_ = false;
  bool ending_ = false;
  int64_t time_limit_at_ = kNever;
  int64_t kill_at_ = kNever;
  int64_t kill_interval_ms_ = 5;
};

// The order is the protocol: lock, look whether the launch still stands, write who runs it, make that durable, and only
// then start anything.
SupervisorExit Supervisor::Claim() {
  if (!OpenFolders()) return kCannotSupervise;
  const std::string name = ClaimNameOf(attempt_path_);
  claim_ = files_.OpenAt(claims_, name.c_str(), O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (claim_ < 0) return kCannotSupervise;
  if (const int error = records::LockClaim(claim_); error != 0) {
    return error == EAGAIN ? kAlreadyClaimed : kCannotSupervise;
  }
  std::optional<std::string> earlier, text;
  records::ReadRecord(claims_, name.c_str(), earlier);
  if (!earlier) return kCannotSupervise;
  if (records::ParseClaim(*earlier)) return kAlreadyClaimed;

  records::ReadRecord(run_, records::kLaunch, text);
  std::optional<records::Launch> launch = text ? records::ParseLaunch(*text) : std::nullopt;
  if (!launch) return kWithdrawn;
  launch_ = std::move(*launch);
  exit_.boot_id = records::BootId();
  const records::Claim claim = {getpid(), records::StartTicks(getpid()), exit_.boot_id};
  return records::WriteClaim(files_, claims_, claim_, claim) == 0 ? kSupervised : kCannotSupervise;
}

bool Supervisor::OpenFolders() {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;
  attempt_ = open(attempt_path_.c_str(), kFlags);
  if (attempt_ < 0) return false;
  run_ = openat(attempt_, records::kRunFolder, kFlags);
  claims_ = openat(attempt_, (std::string("../../") + records::kClaims).c_str(), kFlags);
  return run_ >= 0 && claims_ >= 0;
}

int Supervisor::OpenOutput() {
  int error = stdout_.Open(attempt_, "stdout.log", launch_.output_limit_bytes);
  if (error == 0) error = stderr_.Open(attempt_, "stderr.log", launch_.output_limit_bytes);
  return error == 0 ? records::Reserve(files_, run_, records::kEnded) : error;
}

void Supervisor::Start() {
  child_ended_ = no_children_ = true;
  sigset_t all;
  sigfillset(&all);
  signals_ = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
  exit_.start_error = OpenOutput();
  exit_.start_step = "output files";
  if (exit_.start_error != 0) return;
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  if (launch_.memory_limit_bytes > 0) cgroup_.Make("tuner-run-" + std::to_string(getpid()), launch_.memory_limit_bytes);

  const ChildStart start = StartChild(launch_, {stdout_.write_end(), stderr_.write_end(), cgroup_.procs_file()});
  stdout_.CloseWriteEnd();
  stderr_.CloseWriteEnd();
  exit_.start_error = start.error;
  exit_.start_step = start.step;
  if (start.pid < 0) return;
  child_ = start.pid;
  child_ended_ = no_children_ = false;
  if (start.error != 0) return;
  if (launch_.time_limit_ms > 0) time_limit_at_ = NowMs() + launch_.time_limit_ms;
  records::WriteAtomically(files_, run_, records::kStarted, records::Format(records::Started{child_, WallUs()}));
}

void Supervisor::Step() {
  const int64_t wake = std::min(ending_ ? kNever : time_limit_at_, kill_at_);
  const int64_t now = NowMs();
  const int64_t wait = wake == kNever ? -1 : std::clamp<int64_t>(wake - now, 0, 1'000'000'000);
  struct pollfd fds[] = {{signals_, POLLIN, 0}, {stdout_.read_end(), POLLIN, 0}, {stderr_.read_end(), POLLIN, 0}};
  if (poll(fds, 3, static_cast<int>(wait)) < 0 && errno != EINTR) return;
  if (fds[1].revents != 0) stdout_.Pump();
  if (fds[2].revents != 0) stderr_.Pump();
  if (fds[0].revents != 0) TakeSignals();
  KeepDeadlines(NowMs());
}

void Supervisor::TakeSignals() {
  struct signalfd_siginfo info;
  while (read(signals_, &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info))) {
    const int signal = static_cast<int>(info.ssi_signo);
    if (signal == SIGCHLD) {
      Reap();
    } else if (signal == SIGTERM || signal == SIGINT || signal == StopSignalNumber()) {
      Reap();  // a child that ended by itself before was not stopped
      if (!child_ended_) exit_.stopped = true;
      End(signal == StopSignalNumber() ? std::max(0, info.ssi_int) : launch_.grace_ms);
    }
  }
}

void Supervisor::Reap() {
  while (true) {
    siginfo_t info = {};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
      no_children_ = errno == ECHILD;
      return;
    }
    if (info.si_pid == 0) break;
    const IoBytes io = IoOf(info.si_pid);  // while it is a zombie
    int status = 0;
    struct rusage use = {};
    if (wait4(info.si_pid, &status, 0, &use) != info.si_pid) continue;
    AddUse(use, io);
    if (info.si_pid == child_) ChildEnded(status);
  }
  if (child_ended_ && !ending_) End(std::min(launch_.grace_ms, kLeftoverGraceMs));
}

void Supervisor::AddUse(const struct rusage& use, const IoBytes& io) {
  exit_.cpu_us += Us(use.ru_utime) + Us(use.ru_stime);
  exit_.peak_memory_bytes = std::max<int64_t>(exit_.peak_memory_bytes, int64_t{use.ru_maxrss} * 1024);
  exit_.read_bytes += io.read;
  exit_.written_bytes += io.written;
}

void Supervisor::ChildEnded(int status) {
  child_ended_ = true;
  exit_.time_us = WallUs();
  if (WIFEXITED(status)) exit_.code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) exit_.signal = WTERMSIG(status);
}

void Supervisor::End(int64_t grace_ms) {
  const int64_t now = NowMs();
  kill_at_ = std::min(kill_at_, now + grace_ms);
  if (ending_) return;
  ending_ = true;
  for (const int signal : {SIGTERM, SIGCONT}) {
    if (!child_ended_) kill(-child_, signal);
    for (const pid_t pid : Descendants(getpid())) {
      if (child_ended_ || getpgid(pid) != child_) kill(pid, signal);
    }
  }
}

void Supervisor::KeepDeadlines(int64_t now) {
  if (!ending_ && !child_ended_ && now >= time_limit_at_) {
    exit_.timed_out = true;
    End(launch_.grace_ms);
  }
  if (now >= kill_at_) KillAll(now);
}

// Again and again until nothing is left: a process may fork while its siblings are killed.
void Supervisor::KillAll(int64_t now) {
  cgroup_.Kill();
  SignalDescendants(getpid(), SIGKILL);
  Reap();
  kill_at_ = now + kill_interval_ms_;
  kill_interval_ms_ = std::min<int64_t>(kill_interval_ms_ * 2, 1'000);
}

SupervisorExit Supervisor::TellExit() {
  if (exit_.time_us == 0) exit_.time_us = WallUs();
  exit_.output_cut = stdout_.cut() || stderr_.cut();
  exit_.out_of_memory = cgroup_.OutOfMemory();
  exit_.peak_memory_bytes = std::max(exit_.peak_memory_bytes, cgroup_.PeakBytes());
  // The server need not wait for the disk: what it commits about the end does not depend on these files any more. And
  // once it is committed, the disk need not be bothered with the end.
  int error = WriteEnded();
  const bool acknowledged = error == 0 && AwaitAcknowledgement();
  stdout_.Sync();
  stderr_.Sync();
  if (acknowledged) return kSupervised;
  // Room was reserved, so this fails only with the disk itself; the end of a run is worth waiting for it.
  for (int i = 0; i < kWriteRetries; ++i) {
    if (error == 0) error = records::PromoteExit(files_, run_, kFoldersAbove);
    if (error == 0) return kSupervised;
    if (error == ENOENT) break;  // the run's folder was removed
    poll(nullptr, 0, static_cast<int>(kWriteRetryMs));
    error = WriteEnded();
  }
  return kCannotSupervise;
}

// False if nobody acknowledges in time, or a signal says that there is no time.
bool Supervisor::AwaitAcknowledgement() {
  const int64_t until = NowMs() + kAcknowledgeMs;
  for (int64_t now = NowMs(); now < until; now = NowMs()) {
    struct pollfd fd = {signals_, POLLIN, 0};
    if (poll(&fd, 1, static_cast<int>(until - now)) < 0 && errno != EINTR) return false;
    struct signalfd_siginfo info;
    while (read(signals_, &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info))) {
      const int signal = static_cast<int>(info.ssi_signo);
      if (signal == AcknowledgeSignal()) return true;
      if (signal == SIGTERM || signal == SIGINT) return false;
    }
  }
  return false;
}

}  // namespace

SupervisorExit Supervise(const std::string& attempt_folder) { return Supervisor(attempt_folder).Run(); }

}  // namespace tuner::executors
