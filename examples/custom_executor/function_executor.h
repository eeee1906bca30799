// An executor of one's own: each trial is a call of a C++ function on a thread of this program. What it takes to link
// an executor in: this class, the ExecutorKind that names it, and a line where the program composes its tuner
// (custom_executor.cc, custom_server.cc).
//
// Threads: any; the function is called on one thread for each run. Ownership: owns its threads; the destructor stops
// and joins them, as their runs cannot go on without the program. Errors: as Executor says.
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "core/search_space.h"
#include "executors/executor.h"

// One call of the function.
struct Call {
  tuner::core::ParameterMap parameters;
  std::function<void(double value)> report;  // the objective metric's value at the next step
  std::function<bool()> should_stop;         // ask now and then; return when it says so
};
// The objective's last value is what was reported last. An error is a failure of the trial, with its text as the
// reason.
using Function = std::function<absl::Status(const Call&)>;

// The kind `function`: jobs name it by `executors: [{custom: {name: function, options: {max_calls: 4}}}]`.
//   max_calls   runs that may be under way at the same time, 1 to 64; default 1
tuner::executors::ExecutorKind FunctionExecutorKind(Function function);
