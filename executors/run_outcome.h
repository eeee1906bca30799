// What a run's exit record means, in the words that its user reads. Pure functions; any thread.
#pragma once

#include <string>

#include "executors/executor.h"
#include "executors/supervisor/records.h"

namespace tuner::executors {

struct OutcomeTexts {
  std::string failure;      // beginning of output/failure, or empty
  std::string stderr_tail;  // last lines, or empty
};

RunEnded ToRunEnded(const records::Exit& exit, const records::Launch& launch, const OutcomeTexts& texts);

// "signal 9 (SIGKILL)".
std::string SignalName(int signal);

}  // namespace tuner::executors
