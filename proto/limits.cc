#include "proto/limits.h"

#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/convert.h"

namespace tuner::convert {
namespace {

constexpr int32_t kMaxTrials = 1'000'000;
constexpr int32_t kMaxParallelTrials = 10'000;

// Bounds as stated in tuning_job.proto; an update has no specification that core::ValidateSpec could look at.
void CheckBounds(const v1::Limits& update, core::Problems& problems) {
  const auto check = [&](bool ok, absl::string_view field, absl::string_view bounds) {
    if (!ok) problems.push_back({absl::StrCat("limits.", field), absl::StrCat("must be ", bounds)});
  };
  check(!update.has_max_trials() || (update.max_trials() >= 1 && update.max_trials() <= kMaxTrials), "max_trials",
        "from 1 to 1,000,000");
  check(!update.has_max_parallel_trials() ||
            (update.max_parallel_trials() >= 1 && update.max_parallel_trials() <= kMaxParallelTrials),
        "max_parallel_trials", "from 1 to 10,000");
  check(!update.has_max_failed_trials() || update.max_failed_trials() >= 0, "max_failed_trials", "0 or more");
  check(!update.has_max_cost(), "max_cost", "left out: this version does not count costs");
}

}  // namespace

void WriteLimits(const core::Limits& limits, v1::Limits& out) {
  out.clear_max_trials();
  out.clear_max_run_time();
  out.clear_max_failed_trials();
  if (limits.max_trials) out.set_max_trials(*limits.max_trials);
  out.set_max_parallel_trials(limits.max_parallel_trials);
  if (limits.max_run_time) *out.mutable_max_run_time() = ToProto(*limits.max_run_time);
  if (limits.max_failed_trials) out.set_max_failed_trials(*limits.max_failed_trials);
}

std::optional<absl::Duration> ReadDuration(const google::protobuf::Duration& duration, std::string path,
                                           core::Problems& problems) {
  constexpr int64_t kMaxSeconds = 315'576'000'000;
  constexpr int32_t kNanosPerSecond = 1'000'000'000;
  const bool is_negative = duration.seconds() < 0 || duration.nanos() < 0;
  const bool is_mixed =
      (duration.seconds() < 0 && duration.nanos() > 0) || (duration.seconds() > 0 && duration.nanos() < 0);
  if (is_mixed || duration.seconds() > kMaxSeconds || duration.seconds() < -kMaxSeconds ||
      duration.nanos() >= kNanosPerSecond || duration.nanos() <= -kNanosPerSecond) {
    problems.push_back(
        {std::move(path), "is not a duration: seconds and nanos must agree in sign, and nanos be under one second"});
    return std::nullopt;
  }
  if (is_negative) {
    problems.push_back({std::move(path), absl::StrCat("is negative (", absl::FormatDuration(FromProto(duration)),
                                                      "); give a time of 0 or more")});
    return std::nullopt;
  }
  return FromProto(duration);
}

void ReadLimits(const v1::Limits& wire, core::Limits& limits, core::Problems& problems) {
  if (wire.has_max_trials()) limits.max_trials = wire.max_trials();
  if (wire.has_max_parallel_trials()) limits.max_parallel_trials = wire.max_parallel_trials();
  if (wire.has_max_failed_trials()) limits.max_failed_trials = wire.max_failed_trials();
  if (!wire.has_max_run_time()) return;
  if (const auto time = ReadDuration(wire.max_run_time(), "limits.max_run_time", problems)) limits.max_run_time = *time;
}

core::Problems MergeLimits(const v1::Limits& update, core::Limits& limits) {
  core::Problems problems;
  core::Limits merged = limits;
  ReadLimits(update, merged, problems);
  if (problems.empty() && update.has_max_run_time() && *merged.max_run_time < absl::Seconds(1)) {
    problems.push_back({"limits.max_run_time", "must be 1 s or more"});
  }
  CheckBounds(update, problems);
  if (problems.empty()) limits = merged;
  return problems;
}

}  // namespace tuner::convert
