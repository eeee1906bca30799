#include "executors/run_outcome.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace tuner::executors {
namespace {

std::string StartFailure(const records::Exit& exit, const records::Launch& launch) {
  const std::string program = launch.command.empty() ? "" : launch.command[0];
  const std::string error = strerror(exit.start_error);
  if (exit.start_step == "exec") {
    const char* hint = exit.start_error == ENOENT   ? "; check the command and PATH"
                       : exit.start_error == EACCES ? "; is the file executable?"
                                                    : "";
    return absl::StrCat("cannot start '", program, "': ", error, hint);
  }
  if (exit.start_step == "working directory")
    return absl::StrCat("cannot enter the working directory ", launch.working_dir, ": ", error);
  return absl::StrCat("cannot start '", program, "': ", exit.start_step, ": ", error);
}

std::string HowItEnded(const records::Exit& exit, const records::Launch& launch) {
  if (exit.start_error != 0) return StartFailure(exit, launch);
  if (exit.out_of_memory) {
    return absl::StrCat("killed at its memory limit of ", launch.memory_limit_bytes, " bytes");
  }
  if (exit.code) return absl::StrCat("exit code ", *exit.code);
  if (!exit.signal) return "ended without an exit code";
  const bool unasked = !exit.stopped && !exit.timed_out;
  return absl::StrCat("killed by ", SignalName(*exit.signal),
                      *exit.signal == SIGKILL && unasked ? "; out of memory?" : "");
}

}  // namespace

std::string SignalName(int signal) {
  const char* name = sigabbrev_np(signal);
  return absl::StrCat("signal ", signal, name != nullptr ? absl::StrCat(" (SIG", name, ")") : "");
}

RunEnded ToRunEnded(const records::Exit& exit, const records::Launch& launch, const OutcomeTexts& texts) {
  RunEnded ended;
  ended.exit_code = exit.code;
  ended.signal = exit.signal;
  ended.time = absl::FromUnixMicros(exit.time_us);
  ended.use.cpu_time = absl::Microseconds(exit.cpu_us);
  ended.use.peak_memory_bytes = exit.peak_memory_bytes;
  ended.use.read_bytes = exit.read_bytes;
  ended.use.written_bytes = exit.written_bytes;

  const std::string how = HowItEnded(exit, launch);
  if (exit.timed_out) {
    ended.outcome = RunEnded::Outcome::kTimedOut;
    ended.reason = absl::StrCat("reached its time limit of ",
                                absl::FormatDuration(absl::Milliseconds(launch.time_limit_ms)), "; ", how);
  } else if (exit.stopped) {
    ended.outcome = RunEnded::Outcome::kStopped;
    ended.reason = absl::StrCat("stopped; ", how);
  } else if (exit.start_error == 0 && exit.code == 0) {
    ended.outcome = RunEnded::Outcome::kSucceeded;
    ended.reason = how;
  } else {
    ended.outcome = RunEnded::Outcome::kFailed;
    ended.reason = how;
    if (!texts.failure.empty()) {
      ended.reason = absl::StrCat("AlgorithmError: ", texts.failure, " (", how, ")");
    } else if (!texts.stderr_tail.empty()) {
      absl::StrAppend(&ended.reason, "; stderr ends with:\n", absl::StripAsciiWhitespace(texts.stderr_tail));
    }
  }
  if (exit.output_cut) absl::StrAppend(&ended.reason, " (output beyond its limit was dropped)");
  return ended;
}

}  // namespace tuner::executors
