// The one place where absl::Status becomes grpc::Status. Pure functions; any thread.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "core/problem.h"
#include "grpcpp/support/status.h"

namespace tuner::server {

// The codes have the same numbers. The message is shortened where a client could not receive it (metadata is bounded to
// 8 KiB).
grpc::Status ToGrpc(const absl::Status& status);

// INVALID_ARGUMENT with one line per problem, "path: text"; OK if there is none. When all the texts would not fit, the
// last problems are named by their paths only.
absl::Status InvalidArgument(const core::Problems& problems);

}  // namespace tuner::server
