#include "executors/run_watch.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "executors/spawner.h"
#include "executors/supervisor/supervisor.h"

namespace tuner::executors {
namespace {

constexpr int64_t kReadIntervalMs = 10;
constexpr int64_t kPollIntervalMs = 200;
constexpr uint64_t kWakeToken = 0;
constexpr uint64_t kInotifyToken = 1;

int64_t NowMs() {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

bool IsGone(const UniqueFd& pidfd) {
  struct pollfd fd = {pidfd.get(), POLLIN, 0};
  return poll(&fd, 1, 0) == 1;
}

// False if the process is gone.
bool Send(const UniqueFd& pidfd, int signal, int value) {
  siginfo_t info = {};
  info.si_signo = signal;
  info.si_code = SI_QUEUE;
  info.si_pid = getpid();
  info.si_uid = getuid();
  info.si_value.sival_int = value;
  return syscall(SYS_pidfd_send_signal, pidfd.get(), signal, &info, 0) == 0;
}

bool SendStop(const UniqueFd& pidfd, absl::Duration grace) {
  return Send(pidfd, StopSignalNumber(),
              static_cast<int>(std::clamp<int64_t>(absl::ToInt64Milliseconds(grace), 0, INT_MAX)));
}

// The supervisor that holds the run's claim.
UniqueFd OpenSupervisor(const ClaimView& view) {
  if (view.state != ClaimState::kActive || !view.claim || view.claim->boot_id != records::BootId()) return UniqueFd();
  UniqueFd pidfd = OpenPidfd(view.claim->pid);
  // Compared after it was opened: from then on the pidfd cannot come to mean another process.
  if (records::StartTicks(view.claim->pid) != view.claim->start_ticks) pidfd.Reset();
  return pidfd;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RunWatch>> RunWatch::Make(RunListener* listener,
                                                         std::function<void(const RunId&)> ended) {
  std::unique_ptr<RunWatch> watch(new RunWatch(listener, std::move(ended)));
  if (absl::Status opened = watch->Open(); !opened.ok()) return opened;
  watch->thread_ = std::thread([w = watch.get()] { w->Loop(); });
  return watch;
}

absl::Status RunWatch::Open() {
  epoll_.Reset(epoll_create1(EPOLL_CLOEXEC));
  inotify_.Reset(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  wake_.Reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const std::pair<int, uint64_t> sources[] = {{wake_.get(), kWakeToken}, {inotify_.get(), kInotifyToken}};
  for (const auto& [fd, token] : sources) {
    struct epoll_event event = {.events = EPOLLIN, .data = {.u64 = token}};
    if (fd < 0 || epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
      return absl::UnavailableError(absl::StrCat("cannot watch processes: ", strerror(errno)));
    }
  }
  return absl::OkStatus();
}

RunWatch::~RunWatch() {
  {
    absl::MutexLock lock(&mutex_);
    closing_ = true;
  }
  Wake();
  if (thread_.joinable()) thread_.join();
}

void RunWatch::Wake() { eventfd_write(wake_.get(), 1); }

void RunWatch::Add(const RunId& id, std::unique_ptr<RunFollower> follower, UniqueFd pidfd) {
  {
    absl::MutexLock lock(&mutex_);
    auto entry = std::make_unique<Entry>();
    const RunPaths& paths = follower->paths();
    AddWatch(id, *entry, paths.run, IN_MOVED_TO);
    if (follower->reads_output()) {
      AddWatch(id, *entry, absl::StrCat(paths.attempt, "/stdout.log"), IN_MODIFY);
      AddWatch(id, *entry, absl::StrCat(paths.attempt, "/stderr.log"), IN_MODIFY);
    }
    entry->follower = std::move(follower);
    if (pidfd) WatchPidfd(id, *entry, std::move(pidfd));
    entries_[id] = std::move(entry);
    wanted_[id] = kNow;  // what happened before the watches
  }
  Wake();
}

bool RunWatch::Watches(const RunId& id) const {
  absl::MutexLock lock(&mutex_);
  return entries_.contains(id);
}

absl::Status RunWatch::Stop(const RunId& id, absl::Duration grace) {
  absl::MutexLock lock(&mutex_);
  auto it = entries_.find(id);
  if (it == entries_.end()) return absl::NotFoundError("no such run, or it has ended");
  Entry& entry = *it->second;
  if (entry.pidfd && SendStop(entry.pidfd, grace)) return absl::OkStatus();
  // Its supervisor is not known (any more): the thread finds the one that holds the claim, or that the run has ended.
  entry.stop = entry.stop ? std::min(*entry.stop, grace) : grace;
  wanted_[id] = kNow;
  Wake();
  return absl::OkStatus();
}

void RunWatch::Acknowledge(const RunId& id) {
  absl::MutexLock lock(&mutex_);
  for (const auto& [token, leaving] : leaving_) {
    if (leaving.id == id) Send(leaving.pidfd, AcknowledgeSignal(), 0);
  }
}

void RunWatch::AddWatch(const RunId& id, Entry& entry, const std::string& path, uint32_t mask) {
  const int watch = inotify_add_watch(inotify_.get(), path.c_str(), mask | IN_DONT_FOLLOW);
  if (watch < 0) {
    entry.unwatched = true;
    return;
  }
  entry.watches.push_back(watch);
  by_watch_[watch] = id;
}

void RunWatch::WatchPidfd(const RunId& id, Entry& entry, UniqueFd pidfd) {
  if (entry.token != 0) by_token_.erase(entry.token);
  entry.token = next_token_++;
  entry.pidfd = std::move(pidfd);
  struct epoll_event event = {.events = EPOLLIN, .data = {.u64 = entry.token}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, entry.pidfd.get(), &event) != 0) entry.unwatched = true;
  by_token_[entry.token] = id;
}

void RunWatch::Loop() {
  std::vector<struct epoll_event> events(64);
  while (true) {
    int wait;
    {
      absl::MutexLock lock(&mutex_);
      if (closing_) return;
      wait = WaitMs(NowMs());
    }
    const int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), wait);
    std::vector<RunId> due;
    const int64_t now = NowMs();
    {
      absl::MutexLock lock(&mutex_);
      for (int i = 0; i < count; ++i) {
        eventfd_t ignored;
        if (events[i].data.u64 == kWakeToken) {
          eventfd_read(wake_.get(), &ignored);
        } else if (events[i].data.u64 == kInotifyToken) {
          TakeInotify();
        } else {
          TakePidfd(events[i].data.u64);
        }
      }
      if (closing_) return;
      for (const auto& [id, entry] : entries_) {
        const auto wanted = wanted_.find(id);
        const bool wants =
            wanted != wanted_.end() && (wanted->second == kNow || now - entry->read_ms >= kReadIntervalMs);
        if (wants || (entry->polled() && now - entry->read_ms >= kPollIntervalMs)) due.push_back(id);
      }
      for (const RunId& id : due) wanted_.erase(id);
    }
    for (const RunId& id : due) Look(id, now);
  }
}

int RunWatch::WaitMs(int64_t now) const {
  int64_t wait = -1;
  const auto within = [&](int64_t ms) {
    wait = wait < 0 ? std::max<int64_t>(0, ms) : std::clamp<int64_t>(ms, 0, wait);
  };
  for (const auto& [id, wanted] : wanted_) {
    const auto entry = entries_.find(id);
    if (entry != entries_.end()) within(wanted == kNow ? 0 : entry->second->read_ms + kReadIntervalMs - now);
  }
  for (const auto& [id, entry] : entries_) {
    if (entry->polled()) within(entry->read_ms + kPollIntervalMs - now);
  }
  return static_cast<int>(wait);
}

void RunWatch::TakeInotify() {
  alignas(struct inotify_event) char buffer[16 << 10];
  for (ssize_t n; (n = read(inotify_.get(), buffer, sizeof(buffer))) > 0;) {
    for (const char* at = buffer; at < buffer + n;) {
      const auto* event = reinterpret_cast<const struct inotify_event*>(at);
      at += sizeof(struct inotify_event) + event->len;
      if ((event->mask & IN_Q_OVERFLOW) != 0) {
        for (const auto& [id, entry] : entries_) wanted_[id] = kNow;
        continue;
      }
      const auto it = by_watch_.find(event->wd);
      if (it == by_watch_.end()) continue;
      Wanted& wanted = wanted_.try_emplace(it->second, kLater).first->second;
      if ((event->mask & IN_MOVED_TO) != 0) wanted = kNow;
    }
  }
}

void RunWatch::TakePidfd(uint64_t token) {
  if (const auto it = leaving_.find(token); it != leaving_.end()) {
    siginfo_t info;
    waitid(P_PIDFD, static_cast<id_t>(it->second.pidfd.get()), &info,
           WEXITED | WNOHANG);  // ours if it was started directly
    leaving_.erase(it);
  } else if (const auto run = by_token_.find(token); run != by_token_.end()) {
    wanted_[run->second] = kNow;
  }
}

bool RunWatch::IsSupervised(Entry& entry) {
  if (entry.pidfd && !IsGone(entry.pidfd)) return true;
  const ClaimState state = LookAtClaim(entry.follower->paths()).state;
  return state == ClaimState::kActive || state == ClaimState::kUnknown;  // a run is not lost because we could not look
}

void RunWatch::Look(const RunId& id, int64_t now) {
  Entry* entry;
  bool supervised;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = entries_.find(id);
    if (it == entries_.end()) return;
    entry = it->second.get();  // only this thread erases it
    supervised = IsSupervised(*entry);
    if (entry->pidfd && IsGone(entry->pidfd)) {
      // Not the one that runs it (another was first), or the run has ended. Either way this one is done with.
      LetGo(id, *entry);
    }
    if (supervised && !entry->pidfd) {
      UniqueFd supervisor = OpenSupervisor(LookAtClaim(entry->follower->paths()));
      entry->unsupervised = !supervisor;  // its claim is not written yet, or it is in another pid namespace
      if (supervisor) WatchPidfd(id, *entry, std::move(supervisor));
    }
    if (entry->stop && entry->pidfd && SendStop(entry->pidfd, *entry->stop)) entry->stop.reset();
  }
  std::vector<RunEvent> events;
  const RunFollower::Progress progress = entry->follower->Advance(supervised, events);
  // Before it is forgotten, so that a launch that is repeated meanwhile finds it either watched or ended.
  if (progress == RunFollower::Progress::kEnded) ended_(id);
  {
    absl::MutexLock lock(&mutex_);
    entry->read_ms = now;
    entry->unread = progress == RunFollower::Progress::kAgain;
    if (progress == RunFollower::Progress::kMore) wanted_[id] = kNow;
    if (progress == RunFollower::Progress::kEnded) Forget(id);
  }
  for (RunEvent& event : events) listener_->OnRunEvent(std::move(event));
}

void RunWatch::Forget(const RunId& id) {
  const auto it = entries_.find(id);
  Entry& entry = *it->second;
  for (const int watch : entry.watches) {
    by_watch_.erase(watch);
    inotify_rm_watch(inotify_.get(), watch);
  }
  if (entry.pidfd) LetGo(id, entry);
  wanted_.erase(id);
  entries_.erase(it);
}

void RunWatch::LetGo(const RunId& id, Entry& entry) {
  by_token_.erase(entry.token);
  leaving_[entry.token] = {id, std::move(entry.pidfd)};
}

}  // namespace tuner::executors
