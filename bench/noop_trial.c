/* A trial that does nothing: it appends the times at which it began and ended to a ledger, and prints its metric.
 *
 *     tuner-bench-noop LEDGER [ARGUMENT...]
 *
 * Times are nanoseconds of CLOCK_MONOTONIC. Links the C library only, so that the time of its start-up is not its own.
 */
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static long long Now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int main(int argc, char** argv) {
  const long long begin = Now();
  if (argc < 2) return 2;
  const int ledger = open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (ledger < 0) return 1;
  static const char kMetric[] = "loss=1\n";
  if (write(STDOUT_FILENO, kMetric, sizeof kMetric - 1) < 0) return 1;
  char line[64];
  const int size = snprintf(line, sizeof line, "%lld %lld\n", begin, Now());
  return write(ledger, line, (size_t)size) == size ? 0 : 1; /* one write: lines of parallel trials do not mix */
}
