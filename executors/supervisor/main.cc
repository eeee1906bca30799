// tuner-supervisor ATTEMPT_FOLDER: runs one attempt of a trial, apart from the server. Not meant to be called by hand.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>

#include "executors/supervisor/supervisor.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr,
            "usage: tuner-supervisor ATTEMPT_FOLDER\nStarts what the folder's launch record says. The tuner server "
            "calls it.\n");
    return 2;
  }
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  setsid();
  // Nothing of the server's is kept: not its sockets, not its terminal.
  close_range(3, ~0U, 0);
  const int null_fd = open("/dev/null", O_RDWR);
  for (int fd = 0; fd <= 2 && null_fd >= 0; ++fd) dup2(null_fd, fd);
  if (null_fd > 2) close(null_fd);
  return tuner::executors::Supervise(argv[1]);
}
