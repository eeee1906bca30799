// The command of a process trial: `{name}` is replaced by a hyperparameter's value, `{{` and `}}` are braces. If no
// argument holds a `{name}`, all hyperparameters (tuned, then static) are appended as `--name value`, each as two
// arguments, booleans as true and false. A conditional parameter that is not active is replaced by nothing.
//
// Pure functions; any thread. Nothing here passes through a shell, so values need no quoting.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/problem.h"
#include "core/search_space.h"

namespace tuner::executors {

// Problems of the template: no program, a brace without its partner, a name that is not in `names`. Paths "command[i]".
core::Problems ValidateCommand(const std::vector<std::string>& command, const std::set<std::string>& names);

// Expects a template that ValidateCommand accepts. INVALID_ARGUMENT: the program's name came out empty.
absl::StatusOr<std::vector<std::string>> ExpandCommand(const std::vector<std::string>& command,
                                                       const core::ParameterMap& tuned,
                                                       const core::ParameterMap& fixed);

// `--name value` for each parameter, tuned ones first.
std::vector<std::string> ParameterArguments(const core::ParameterMap& tuned, const core::ParameterMap& fixed);

}  // namespace tuner::executors
