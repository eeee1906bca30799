// Parents' trials as rows of a job's model, in the job's own coordinates.
//
// Threads: pure functions; any thread. Ownership: rows borrow the trials of the parents.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/job_spec.h"
#include "core/parent_job.h"
#include "strategies/gp/encoder.h"

namespace tuner::strategies {

// A coordinate this far outside of [0, 1] is of use to a kernel; beyond, a row says nothing of this space.
inline constexpr double kFarthestOutside = 0.5;

// What the trial's point is in the child's space: what the parent had fixed is filled in, and what the child has fixed
// is left out. nullopt: it is none, as a value is missing or outside of its domain.
std::optional<core::ParameterMap> PointInChild(const core::ParentJob& parent, const core::Trial& trial,
                                               const core::JobSpec& child);
// Whether the trial ran with the values that the child has fixed.
bool HasFixedValues(const core::ParentJob& parent, const core::Trial& trial, const core::JobSpec& child);

struct ParentRow {
  const core::Trial* trial = nullptr;
  std::vector<double> units;  // as of gp::Encoder, but numeric ones from -kFarthestOutside to 1 + kFarthestOutside
  bool inside = false;        // a point of the child's space
  const core::RungResult* rung = nullptr;  // what it came to there; null: at its end
};
struct RowOptions {
  bool fixed_values = false;  // only trials for which HasFixedValues is true
  bool rungs = false;         // also results of rungs below the child's largest resource, before the trial's end
};
// The rows that the child's kernel can hold, in the order of the trials: those with a category that the child does not
// have, or a value too far outside, are left out.
std::vector<ParentRow> RowsOf(const core::ParentJob& parent, const core::JobSpec& child, const gp::Encoder& encoder,
                              RowOptions options);

// The trial as it was when it came to the rung: stopped, with the objective that it had there.
core::Trial AtRung(core::Trial trial, const core::RungResult& rung);

// Places of at most `most` rows of these values (to be maximised; NaN: bad), ascending: all, or the best quarter and
// others at random.
std::vector<size_t> ChosenRows(const std::vector<double>& values, size_t most, uint64_t seed);

// The points that a job of type TRANSFER_LEARNING tries first: the best of each parent that is a point of its space, at
// most a tenth of its trials, at least one. parent: place in spec.warm_start->jobs.
struct TransferSeed {
  size_t parent = 0;
  core::ParameterMap point;
};
std::vector<TransferSeed> TransferSeeds(const core::JobSpec& spec);

// The type, if what is known of the parents is there.
inline bool IsIdentical(const core::JobSpec& spec) {
  return spec.warm_start && spec.warm_start->jobs && spec.warm_start->type == core::WarmStart::Type::kIdentical;
}
inline bool IsTransfer(const core::JobSpec& spec) {
  return spec.warm_start && spec.warm_start->jobs && spec.warm_start->type == core::WarmStart::Type::kTransfer;
}

}  // namespace tuner::strategies
