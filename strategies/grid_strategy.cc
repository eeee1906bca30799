#include "strategies/grid_strategy.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>

#include "absl/numeric/int128.h"
#include "absl/strings/str_cat.h"
#include "tuner/v1/strategies.pb.h"

namespace tuner::strategies {
namespace {

// The bound of limits.max_trials.
constexpr uint64_t kMaxTrials = 1'000'000;
constexpr int64_t kMaxReported = int64_t{1} << 53;

std::string Readable(absl::uint128 count) {
  if (count == std::numeric_limits<absl::uint128>::max()) return "more than 10^38";
  if (count <= absl::uint128(static_cast<uint64_t>(kMaxReported))) return absl::StrCat(absl::Uint128Low64(count));
  return absl::StrCat("about ", static_cast<double>(count));
}

class GridStrategy : public Strategy {
 public:
  GridStrategy(core::SearchSpace space, absl::uint128 count) : space_(std::move(space)), count_(count) {}

  absl::StatusOr<Proposals> Suggest(const SuggestContext& context) const override {
    Proposals result;
    result.basis.kind = core::Basis::Kind::kFresh;
    result.basis.history_prefix = finished_;
    result.basis.known_prefix = finished_;
    for (const PendingTrial& pending : context.pending) result.basis.pending_trials.push_back(pending.number);
    const absl::uint128 begin = static_cast<uint64_t>(context.ordinal);
    const absl::uint128 end = std::min(begin + static_cast<uint64_t>(context.count), count_);
    for (absl::uint128 i = begin; i < end; ++i) {
      if (context.stop != nullptr && context.stop->load(std::memory_order_relaxed)) return result;
      result.proposals.push_back(NewTrial{.parameters = space_.PointAt(i, /*for_grid=*/true)});
    }
    if (begin + static_cast<uint64_t>(context.count) >= count_) {
      result.exhausted = true;
      result.exhausted_reason = absl::StrCat("all ", Readable(count_), " combinations of the grid have been proposed");
    }
    return result;
  }

  void Observe(const Observation& observation) override {
    finished_ += std::holds_alternative<Finished>(observation) ? 1 : 0;
  }

 private:
  const core::SearchSpace space_;
  const absl::uint128 count_;
  int64_t finished_ = 0;
};

absl::StatusOr<std::unique_ptr<Strategy>> Make(const core::JobSpec& spec) {
  const std::optional<absl::uint128> count = spec.space.PointCount(/*for_grid=*/true);
  if (!count.has_value()) {
    return absl::InvalidArgumentError(
        "the grid has a continuous parameter without step or grid_points; give one of them");
  }
  return std::make_unique<GridStrategy>(spec.space, *count);
}

core::Problems Validate(const core::JobSpec& spec) {
  core::Problems problems;
  v1::GridStrategy options;
  if (!options.ParseFromString(spec.strategy.bytes)) return {{"strategy.grid", "cannot be read; send it again"}};
  const std::vector<core::Parameter>& parameters = spec.space.parameters();
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (spec.space.ValueCount(static_cast<int>(i), /*for_grid=*/true).has_value()) continue;
    problems.push_back({absl::StrCat(parameters[i].path, ".double.grid_points"),
                        absl::StrCat("is missing: the grid strategy cannot count the values of \"", parameters[i].name,
                                     "\"; give grid_points or step")});
  }
  if (!problems.empty()) return problems;
  const absl::uint128 count = *spec.space.PointCount(/*for_grid=*/true);
  const std::optional<int32_t> max_trials = spec.limits.max_trials;
  if (max_trials.has_value()) {
    if (!options.allow_partial() && count != absl::uint128(static_cast<uint64_t>(std::max(*max_trials, 0)))) {
      problems.push_back({"limits.max_trials",
                          absl::StrCat("is ", *max_trials, ", but the grid has ", Readable(count),
                                       " combinations; leave max_trials out, or set strategy.grid.allow_partial")});
    }
  } else if (count > kMaxTrials) {
    problems.push_back(
        {"strategy.grid",
         absl::StrCat("has ", Readable(count), " combinations, more than the ", kMaxTrials,
                      " trials of a job; take fewer values, or set allow_partial and limits.max_trials")});
  }
  return problems;
}

int64_t TrialCount(const core::JobSpec& spec) {
  const std::optional<absl::uint128> count = spec.space.PointCount(/*for_grid=*/true);
  if (!count.has_value()) return 0;
  return static_cast<int64_t>(std::min(*count, absl::uint128(static_cast<uint64_t>(kMaxReported))));
}

}  // namespace

StrategyKind GridStrategyKind() {
  return {.name = "grid",
          .description = "Every combination of the parameters' values, once, in a fixed order.",
          .make = &Make,
          .validate = &Validate,
          .trial_count = &TrialCount};
}

}  // namespace tuner::strategies
