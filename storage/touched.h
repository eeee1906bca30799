// Which values a commit touched, without the values: what the log behind ReadChanges keeps.
//
// Threads: plain values and pure functions; any thread. Errors: as each function says.
// Kept small on purpose: a log of full values would double what each commit writes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/change.h"

namespace tuner::storage {

// Revisions of a job whose changes ReadChanges can still tell: at least this many. Older ones are dropped every
// kPruneInterval revisions, so that most commits pay nothing for it.
inline constexpr int64_t kKeptRevisions = 10'000;
inline constexpr int64_t kPruneInterval = 1'000;

struct MeasurementKey {
  int32_t trial = 0;
  int32_t attempt = 0;
  std::string metric;
  int64_t step = 0;

  friend auto operator<=>(const MeasurementKey&, const MeasurementKey&) = default;
};

// Each value once, in the order of its first change.
struct Touched {
  bool header = false;
  std::vector<int32_t> trials;
  std::vector<MeasurementKey> measurements;
  std::vector<int64_t> notifications;  // by their numbers
};

MeasurementKey KeyOf(const core::MeasurementPut& put);
Touched TouchedBy(const core::Changes& changes);

// The stored form is part of the schema: it changes only with a migration.
std::string EncodeTouched(const Touched& touched);
// DATA_LOSS: `bytes` is not an encoded Touched.
absl::StatusOr<Touched> DecodeTouched(absl::string_view bytes);

}  // namespace tuner::storage
