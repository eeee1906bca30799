// Page tokens and the order of listed trials, common to all back ends.
//
// Threads: plain values and pure functions; any thread. Errors: INVALID_ARGUMENT for a token that was not made for the
// same listing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/trial.h"
#include "core/trial_filter.h"
#include "storage/storage.h"

namespace tuner::storage {

// Place of a trial in a listing. `rank` orders like the value of the order's key; nullopt if the trial has no such
// value. Jobs count in the order of their creation.
struct TrialPosition {
  std::optional<int64_t> rank;
  int64_t job_sequence = 0;
  int32_t number = 0;
};

// NaN has no rank.
std::optional<int64_t> RankOf(std::optional<double> value);
std::optional<int64_t> RankOf(std::optional<absl::Time> time);
std::optional<int64_t> RankOf(const core::Trial& trial, core::TrialOrder::Key key);

// Total order. By number: job by job, each by number. By another key: over all jobs, trials without the value last,
// ties by job and number. Within one job it is the order of core::TrialOrder::Before.
bool Before(const core::TrialOrder& order, const TrialPosition& a, const TrialPosition& b);

// The last trial of a page. Usable with the same job (or all) and order only.
std::string MakeTrialToken(const TrialQuery& query, const TrialPosition& last);
// nullopt: the first page.
absl::StatusOr<std::optional<TrialPosition>> ParseTrialToken(const TrialQuery& query);

// The last job of a page, by its place in the order of creation.
std::string MakeJobToken(int64_t last_sequence);
absl::StatusOr<std::optional<int64_t>> ParseJobToken(const JobQuery& query);

}  // namespace tuner::storage
