// The one place where absl::Status becomes grpc::Status. Pure functions; any thread.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "grpcpp/support/status.h"

namespace tuner::server {

// The codes have the same numbers. The message is shortened where a client could not receive it (metadata is bounded to
// 8 KiB).
grpc::Status ToGrpc(const absl::Status& status);

}  // namespace tuner::server
