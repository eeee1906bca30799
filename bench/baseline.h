// What the machine can do at this moment, so that figures of different machines and hours can be compared.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "bench/bench.h"

namespace tuner::bench {

// Cores and model, commit and time, trivial RPC rate and latency, fsync, posix_spawn, a Cholesky decomposition: two
// lines.
absl::StatusOr<std::string> Baseline(const Context& context);

}  // namespace tuner::bench
