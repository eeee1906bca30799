// How a server's executors are set, and the one place that decorates them. The order: retries around the rate limit
// around the circuit breaker around the engine, so that what the inner ones refuse for a while is tried again by the
// outer one, and a launch that waits for its turn is no failure of the engine.
//
// Threads: any. Ownership: the result owns `executor`; listener and clock are borrowed.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/container/btree_map.h"
#include "executors/circuit_breaker.h"
#include "executors/executor.h"
#include "executors/rate_limit.h"
#include "executors/retrying.h"

namespace tuner::executors {

struct Decoration {
  RetryOptions retry;                     // always: who launches counts on it
  std::optional<RateLimit> rate_limit;    // none: as fast as the engine takes them
  std::optional<BreakerOptions> breaker;  // none: every try reaches the engine
};

std::unique_ptr<Executor> Decorate(std::unique_ptr<Executor> executor, const std::string& name, RunListener* listener,
                                   core::Clock* clock, const Decoration& decoration);

// What is said of one executor; what is left out is as by default.
struct ExecutorSetting {
  std::optional<int> slots;                   // trials of all jobs together that may be there at the same time, >= 1
  std::optional<double> launches_per_second;  // > 0; default: no bound
  std::optional<int> launch_burst;            // >= 1; default 1
  std::optional<int> breaker_failures;  // in a row; 0: no circuit breaker. Default 5, of process 0: it has no engine
  std::optional<absl::Duration> breaker_cool_down;  // > 0; default 10 s
  std::optional<absl::Duration> retry_initial;      // > 0; default 1 s
  std::optional<absl::Duration> retry_most;         // >= retry_initial; default 30 s
};
using ExecutorSettings = std::map<std::string, ExecutorSetting>;  // by name of executor

// INVALID_ARGUMENT names the executor and the setting: one that is out of bounds, of no known executor, or of one that
// launches nothing (external).
absl::Status CheckSettings(const ExecutorSettings& settings, const ExecutorRegistry& kinds);

// The slots that jobs share, by executor, where there is a bound.
absl::btree_map<std::string, int> SlotsOf(const ExecutorSettings& settings);

// Makes an executor and decorates it as the settings say. What `kind.make` says.
absl::StatusOr<std::unique_ptr<Executor>> MakeDecorated(const ExecutorKind& kind, const ExecutorContext& context,
                                                        const ExecutorSettings& settings);

}  // namespace tuner::executors
