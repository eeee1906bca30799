// Recomputes what a job's strategy proposed, from what is stored: a suggestion is a pure function of the specification
// as created, the seed, the history in its order, and the recorded basis.
//
// Threads: pure but for the strategy that is made for it; any thread. Long work: of a strategy with a model, as much as
// all fits of the job took.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/status/statusor.h"
#include "core/job_spec.h"
#include "core/trial.h"
#include "tuner/engine/strategy_host.h"

namespace tuner::engine {

struct ReplayDifference {
  int32_t trial = 0;
  std::string parameter;  // empty: the strategy did not propose as many, or reused a result where one was run, or not
  std::optional<core::ParameterValue> stored;      // nullopt: not active in this point
  std::optional<core::ParameterValue> recomputed;  // the same
  double distance = 1;                             // in unit coordinates of the space; 1 for what has no distance
  std::string stored_fingerprint;
};

struct ReplayReport {
  int suggestions = 0;   // recomputed: identical + close + different
  int identical = 0;     // bit by bit
  int close = 0;         // recorded under another fingerprint, all parameters within kReplayTolerance
  int different = 0;     // not identical under the same fingerprint, or not close
  int not_recorded = 0;  // by an earlier version, which kept less of the basis
  absl::btree_map<core::Basis::Kind, int> by_kind;
  std::optional<ReplayDifference> first_difference;  // in order of definitions, then of ordinals
  std::string fingerprint;                           // of this program on this machine
  absl::btree_set<std::string> other_fingerprints;   // that were recorded
};

// In unit coordinates.
inline constexpr double kReplayTolerance = 1e-6;

// `trials` are all of the job as of one instant, in any order. CANCELLED once `cancelled` is true, which is asked
// before each call of the strategy; DATA_LOSS: a basis names trials that are not there; else what the strategy says.
absl::StatusOr<ReplayReport> Replay(const core::JobSpec& spec, std::vector<core::Trial> trials,
                                    const MakeStrategy& make, const std::function<bool()>& cancelled);

}  // namespace tuner::engine
