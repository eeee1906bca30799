// How the next hyperparameters are chosen.
//
// Threads: the owner makes one call at a time.
// Ownership: a strategy keeps nothing that it was passed by reference. No I/O, no clock, no global random numbers: the
// same specification, seed, observations in the same order and Suggest contexts give the same proposals. Suggest does
// not change a strategy; Observe does; replaying the observations rebuilds it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/job_spec.h"
#include "core/problem.h"
#include "core/trial.h"

namespace tuner::strategies {

// Asked between steps of long work; true: return what you have.
using StopToken = const std::atomic<bool>*;

struct PendingTrial {
  int32_t number = 0;
  core::ParameterMap parameters;
};

struct SuggestContext {
  int64_t ordinal = 0;  // of the first proposal asked for, among the strategy's own, from 0
  int32_t count = 1;
  absl::Span<const PendingTrial> pending;  // every trial that has not ended, also those that users added
  StopToken stop = nullptr;                // null: no bound
};

struct NewTrial {
  core::ParameterMap parameters;
  int64_t resource = 0;  // 0: no bound
};
struct ResumeTrial {
  int32_t trial = 0;
  int64_t resource = 0;
};
struct Proposals {
  std::vector<std::variant<NewTrial, ResumeTrial>> proposals;  // the i-th has ordinal + i; may be fewer than asked for
  bool exhausted = false;                                      // nothing will ever come after these
  std::string exhausted_reason;                                // a sentence with figures
  core::Basis basis;
};

struct RungReached {
  int32_t trial = 0;
  int64_t step = 0;
  double objective = 0;
};
// A trial ended. `trial` has its final metrics and state.
struct Finished {
  core::Trial trial;
};
using Observation = std::variant<RungReached, Finished>;

class Strategy {
 public:
  virtual ~Strategy() = default;

  virtual absl::StatusOr<Proposals> Suggest(const SuggestContext& context) const = 0;
  // Once each, in commit order; also on replay.
  virtual void Observe(const Observation& observation) = 0;
};

// A row of the registry.
struct StrategyKind {
  std::string_view name;         // as in the proto's oneof
  std::string_view description;  // one sentence
  // Expects a specification that `validate` accepts.
  absl::StatusOr<std::unique_ptr<Strategy>> (*make)(const core::JobSpec& spec);
  // Problems of the options together with the space and limits; paths as in the specification
  // ("strategy.grid.allow_partial", "limits.max_trials").
  core::Problems (*validate)(const core::JobSpec& spec);
  // Number of proposals after which it is exhausted (grid), or 0 if it never is or the number is not known. At most
  // 2^53.
  int64_t (*trial_count)(const core::JobSpec& spec);
};
// The built-in ones: random, grid.
absl::Span<const StrategyKind> StrategyKinds();
const StrategyKind* FindStrategyKind(std::string_view name);

}  // namespace tuner::strategies
