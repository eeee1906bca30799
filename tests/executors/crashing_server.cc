// A server reduced to its executor, for tests that kill it: launches RUNS runs in DATA, each of which notes that it was
// started and then runs SCRIPT, says "started" when all run, and waits for its end.
//
//   crashing_server SUPERVISOR DATA RUNS SCRIPT
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "core/clock.h"
#include "executors/local_process.h"
#include "executors/spawner.h"
#include "tests/executors/process_harness.h"
#include "tests/executors/run_recorder.h"

int main(int argc, char** argv) {
  using namespace tuner::executors;
  if (argc != 5) return 2;
  absl::StatusOr<SpawnerHandle> spawner = StartSpawner();
  if (!spawner.ok()) return 1;
  const auto clock = tuner::core::MakeSystemClock();
  RunRecorder recorder;
  ExecutorContext context;
  context.data_dir = argv[2];
  context.clock = clock.get();
  context.listener = &recorder;
  context.supervisor_path = argv[1];
  context.spawner_fd = spawner->fd();
  const auto executor = MakeLocalProcessExecutor(context);
  if (!executor.ok()) return 1;
  const int runs = atoi(argv[3]);
  for (int trial = 1; trial <= runs; ++trial) {
    if (!(*executor)->Launch(CountedSpec(argv[2], {"job", "uid-1", trial, 1}, argv[4])).ok()) return 1;
  }
  for (int trial = 1; trial <= runs; ++trial) {
    if (!recorder.AwaitStarted({"job", "uid-1", trial, 1})) return 1;
  }
  puts("started");
  fflush(stdout);
  while (true) pause();
}
