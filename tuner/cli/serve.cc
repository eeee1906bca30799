// serve: a server until it is told to end.
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "tuner/cli/errors.h"
#include "tuner/cli/serve_config.h"
#include "tuner/cli/signals.h"
#include "tuner/cli/verbs.h"

namespace tuner::cli {

absl::StatusOr<int> Serve(Context& context, const ServeOptions& options) {
  auto config = ServerConfigOf(context.environment(), context.connect_options(), options);
  if (!config.ok()) return config.status();
  absl::Mutex mutex;
  int count = 0;
  // Before the server and its threads, so that none of them is the one to get the signal.
  const SignalWatcher signals([&](int) {
    absl::MutexLock lock(&mutex);
    // What was acknowledged is on disk and trials run without us, so an impatient second Ctrl-C loses nothing.
    if (++count > 1) std::_Exit(kInterrupted);
  });
  auto server = context.environment().start_server(*config);
  if (!server.ok()) return server.status();
  Printer& printer = context.printer();
  printer.out() << "Serving " << config->data_dir << " at " << absl::StrJoin((*server)->addresses(), ", ") << std::endl;
  {
    absl::MutexLock lock(&mutex);
    mutex.Await(absl::Condition(
        +[](int* signals_seen) { return *signals_seen > 0; }, &count));
  }
  printer.Note("Ending: running trials go on, and the next start finds them again.");
  (*server)->Shutdown();
  return kDone;
}

}  // namespace tuner::cli
