// Problems as a status. Pure functions; any thread.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/problem.h"

namespace tuner::requests {

// Bytes that a text takes in a status message on the wire, percent-encoded.
size_t EncodedSize(absl::string_view text);

// INVALID_ARGUMENT with one line per problem, "path: text"; OK if there is none. When all the texts would not fit, the
// last problems are named by their paths only.
absl::Status InvalidArgument(const core::Problems& problems);

}  // namespace tuner::requests
