// One field of a message set by its path, as `--set limits.max_trials=40` says it.
//
// Pure function; any thread. Errors: INVALID_ARGUMENT "limits.max_trails: is no field here; do you mean max_trials?",
// and the message is as it was.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "google/protobuf/message.h"

namespace tuner::job_file {

// `path` names a field as problems do: "strategy.random_seed", "parameters[0].double.max", "tags.team"; an entry of a
// list may be the one behind its last. `value` is YAML, as it would stand in a job file, on one line: it replaces what
// was there; null or nothing takes it away.
absl::Status SetField(std::string_view path, std::string_view value, google::protobuf::Message* message);

}  // namespace tuner::job_file
