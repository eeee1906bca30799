// The life of one run: claim it, start it, keep its limits, end all of its processes, record how it ended. See
// records.h for what is on disk.
//
// Threads: the process has one; it blocks all signals and reads them as they come. Signals: SIGTERM and SIGINT end the
// run with the grace of its launch record; StopSignalNumber, queued with a value, with that many milliseconds. After
// the run's end AcknowledgeSignal says that its end is stored elsewhere. Links the C and C++ runtime only.
#pragma once

#include <csignal>
#include <string>

namespace tuner::executors {

// Exit codes of the supervisor.
enum SupervisorExit {
  kSupervised = 0,      // the run has ended, and its exit record is durable or its end acknowledged
  kAlreadyClaimed = 3,  // another supervisor has, or had, this run: nothing was started
  kWithdrawn = 4,       // the launch record is gone: nothing was started
  kCannotSupervise =
      5,  // the claim could not be made durable: nothing was started; or the exit record could not be written
};

inline int StopSignalNumber() { return SIGRTMIN + 1; }
inline int AcknowledgeSignal() { return SIGRTMIN + 2; }

// Supervises the run in `attempt_folder` to its end. Call it with all signals blocked.
SupervisorExit Supervise(const std::string& attempt_folder);

}  // namespace tuner::executors
