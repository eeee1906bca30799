#include "tests/executors/fault_proxy.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"

namespace tuner::executors {
namespace {

constexpr int kDelayMs = 400;
constexpr size_t kHeadBytes = 64;

struct sockaddr_un Address(const std::string& path) {
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  return address;
}

uint64_t NextRandom(uint64_t& state) {  // SplitMix64
  uint64_t z = (state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

bool SendAll(int fd, const char* data, size_t size) {
  for (size_t done = 0; done < size;) {
    const ssize_t n = send(fd, data + done, size - done, MSG_NOSIGNAL);
    if (n <= 0) return false;
    done += static_cast<size_t>(n);
  }
  return true;
}

}  // namespace

FaultProxy::FaultProxy(std::string engine_socket, uint64_t seed, Faults faults)
    : engine_socket_(std::move(engine_socket)), faults_(faults), state_(seed) {
  char folder[] = "/tmp/tuner-proxy-XXXXXX";
  if (mkdtemp(folder) == nullptr) abort();
  folder_ = folder;
  path_ = folder_ + "/sock";
  listener_.Reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  closing_.Reset(eventfd(0, EFD_CLOEXEC));
  const struct sockaddr_un address = Address(path_);
  if (bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(listener_.get(), 128) != 0) {
    abort();
  }
  thread_ = std::thread([this] { Accept(); });
}

FaultProxy::~FaultProxy() {
  eventfd_write(closing_.get(), 1);
  thread_.join();
  for (std::thread& thread : threads_) thread.join();
  unlink(path_.c_str());
  rmdir(folder_.c_str());
}

void FaultProxy::Heal() {
  absl::MutexLock lock(&mutex_);
  faults_ = {};
}

int FaultProxy::faults() const {
  absl::MutexLock lock(&mutex_);
  return count_;
}

void FaultProxy::Watch(std::string text) {
  absl::MutexLock lock(&mutex_);
  watched_ = std::move(text);
}

bool FaultProxy::AwaitWatched() const {
  absl::MutexLock lock(&mutex_);
  const auto seen = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return watched_.empty(); };
  return mutex_.AwaitWithTimeout(absl::Condition(&seen), absl::Minutes(2));
}

void FaultProxy::Look(absl::string_view request) {
  absl::MutexLock lock(&mutex_);
  if (!watched_.empty() && absl::StrContains(request.substr(0, request.find("\r\n")), watched_)) watched_.clear();
}

FaultProxy::Fault FaultProxy::Draw(uint64_t& random) {
  absl::MutexLock lock(&mutex_);
  double u = static_cast<double>(NextRandom(state_) >> 11) * 0x1p-53;
  random = NextRandom(state_);
  const std::pair<double, Fault> parts[] = {{faults_.cut, Fault::kCut},
                                            {faults_.refuse, Fault::kRefuse},
                                            {faults_.lose, Fault::kLose},
                                            {faults_.delay, Fault::kDelay},
                                            {faults_.garble, Fault::kGarble}};
  for (const auto& [part, fault] : parts) {
    if (u < part) {
      ++count_;
      return fault;
    }
    u -= part;
  }
  return Fault::kNone;
}

void FaultProxy::Accept() {
  while (true) {
    struct pollfd fds[] = {{listener_.get(), POLLIN, 0}, {closing_.get(), POLLIN, 0}};
    poll(fds, 2, -1);
    if (fds[1].revents != 0) return;
    const int client = accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    uint64_t random = 0;
    const Fault fault = Draw(random);
    threads_.emplace_back([this, client, fault, random] {
      const UniqueFd owned(client);
      Pass(client, fault, random);
    });
  }
}

void FaultProxy::Pass(int client, Fault fault, uint64_t random) {
  if (fault == Fault::kRefuse) return;
  const UniqueFd engine(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const struct sockaddr_un address = Address(engine_socket_);
  if (connect(engine.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return;
  // Where it is cut: in the head, or in what follows.
  size_t left = fault == Fault::kCut ? random % 600 : SIZE_MAX;
  bool delayed = fault != Fault::kDelay;
  bool garbled = fault != Fault::kGarble;
  char buffer[16 << 10];
  while (true) {
    struct pollfd fds[] = {{client, POLLIN, 0}, {engine.get(), POLLIN, 0}, {closing_.get(), POLLIN, 0}};
    poll(fds, 3, -1);
    if (fds[2].revents != 0) return;
    if (fds[0].revents != 0) {
      const ssize_t n = recv(client, buffer, sizeof(buffer), 0);
      if (n <= 0 || !SendAll(engine.get(), buffer, static_cast<size_t>(n))) return;
      Look(absl::string_view(buffer, static_cast<size_t>(n)));
    }
    if (fds[1].revents == 0) continue;
    const ssize_t n = recv(engine.get(), buffer, sizeof(buffer), 0);
    if (n <= 0 || fault == Fault::kLose) return;
    if (!delayed) {
      struct pollfd closing = {closing_.get(), POLLIN, 0};
      if (poll(&closing, 1, kDelayMs) != 0) return;
      delayed = true;
    }
    if (!garbled) {
      // Of the status line and what is next to it: later ones could make a right answer of a wrong one.
      for (size_t i = 0; i < kHeadBytes && i < static_cast<size_t>(n); i += 1 + random % 7) {
        buffer[i] = static_cast<char>(buffer[i] ^ (1 + random % 31));
      }
      garbled = true;
    }
    const size_t size = std::min(left, static_cast<size_t>(n));
    if (!SendAll(client, buffer, size)) return;
    left -= left == SIZE_MAX ? 0 : size;
    if (left == 0) return;
  }
}

}  // namespace tuner::executors
