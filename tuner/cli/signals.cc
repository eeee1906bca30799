#include "tuner/cli/signals.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

namespace tuner::cli {

SignalWatcher::SignalWatcher(std::function<void(int signal)> on_signal) {
  sigset_t watched;
  sigemptyset(&watched);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&watched, signal);
  pthread_sigmask(SIG_BLOCK, &watched, &before_);
  signal_fd_ = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
  end_fd_ = eventfd(0, EFD_CLOEXEC);
  thread_ = std::thread([signal_fd = signal_fd_, end_fd = end_fd_, on_signal = std::move(on_signal)] {
    pollfd files[] = {{signal_fd, POLLIN, 0}, {end_fd, POLLIN, 0}};
    while (poll(files, 2, -1) >= 0 || errno == EINTR) {
      if (files[1].revents != 0) return;
      signalfd_siginfo info;
      while (read(signal_fd, &info, sizeof info) == sizeof info) on_signal(static_cast<int>(info.ssi_signo));
    }
  });
}

SignalWatcher::~SignalWatcher() {
  const uint64_t one = 1;
  // An eventfd that counts to one cannot refuse.
  if (write(end_fd_, &one, sizeof one) == sizeof one) thread_.join();
  close(signal_fd_);
  close(end_fd_);
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace tuner::cli
