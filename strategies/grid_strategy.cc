#include "strategies/grid_strategy.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>

#include "absl/numeric/int128.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/feasible_points.h"
#include "tuner/v1/strategies.pb.h"

namespace tuner::strategies {
namespace {

// The bound of limits.max_trials.
constexpr uint64_t kMaxTrials = 1'000'000;
constexpr int64_t kMaxReported = int64_t{1} << 53;
// Boxes of the grid that are looked at to count the combinations that satisfy the constraints, and to find the next
// one: about a second's work.
constexpr int64_t kCountingEffort = 2'000'000;
constexpr int64_t kSearchEffort = 2'000'000;
constexpr absl::uint128 kAll = std::numeric_limits<absl::uint128>::max();

std::string Readable(absl::uint128 count) {
  if (count == std::numeric_limits<absl::uint128>::max()) return "more than 10^38";
  if (count <= absl::uint128(static_cast<uint64_t>(kMaxReported))) return absl::StrCat(absl::Uint128Low64(count));
  return absl::StrCat("about ", static_cast<double>(count));
}

absl::string_view Combinations(const core::ConstraintSet& constraints) {
  return constraints.empty() ? " combinations" : " combinations that satisfy the constraints";
}

// Number of combinations to propose; nullopt: a parameter is continuous, or the constraints leave too many to count.
std::optional<absl::uint128> CountCombinations(const core::JobSpec& spec) {
  if (spec.constraints.empty()) return spec.space.PointCount(/*for_grid=*/true);
  if (!core::FeasiblePoints::CanNumber(spec.space, /*for_grid=*/true)) return std::nullopt;
  core::FeasiblePoints points(spec.space, spec.constraints, /*for_grid=*/true);
  points.Extend(kAll, kCountingEffort);
  if (!points.complete()) return std::nullopt;
  return points.known();
}

class GridStrategy : public Strategy {
 public:
  GridStrategy(core::SearchSpace space, core::ConstraintSet constraints, absl::uint128 count)
      : space_(std::move(space)), constraints_(std::move(constraints)), count_(count) {
    if (!constraints_.empty()) feasible_.emplace(space_, constraints_, /*for_grid=*/true);
  }

  absl::StatusOr<Proposals> Suggest(const SuggestContext& context) const override {
    Proposals result;
    result.basis.kind = core::Basis::Kind::kFresh;
    result.basis.history_prefix = finished_;
    result.basis.known_prefix = finished_;
    for (const PendingTrial& pending : context.pending) result.basis.pending_trials.push_back(pending.number);
    const absl::uint128 begin = static_cast<uint64_t>(context.ordinal);
    const absl::uint128 end = begin + static_cast<uint64_t>(context.count);
    for (absl::uint128 i = begin; i < end; ++i) {
      if (Stopped(context.stop)) return result;
      std::optional<core::ParameterMap> point = Combination(i, context.stop);
      if (!point.has_value()) break;
      result.proposals.push_back(NewTrial{.parameters = *std::move(point)});
    }
    SetExhausted(end, context.stop, result);
    return result;
  }

  void Observe(const Observation& observation) override {
    finished_ += std::holds_alternative<Finished>(observation) ? 1 : 0;
  }

 private:
  std::optional<core::ParameterMap> Combination(absl::uint128 number, StopToken stop) const {
    if (!feasible_.has_value()) {
      if (number >= count_) return std::nullopt;
      return space_.PointAt(number, /*for_grid=*/true);
    }
    feasible_->Extend(number + 1, kSearchEffort, stop);
    if (number >= feasible_->known()) return std::nullopt;
    return feasible_->At(number);
  }

  // `end`: number of the first combination that was not asked for.
  void SetExhausted(absl::uint128 end, StopToken stop, Proposals& result) const {
    absl::uint128 count = count_;
    if (feasible_.has_value()) {
      feasible_->Extend(end + 1, kSearchEffort, stop);  // whether there is another one
      count = feasible_->known();
      if (!feasible_->complete() && (Stopped(stop) || count >= end)) return;
    }
    if (end < count) return;
    result.exhausted = true;
    if (feasible_.has_value() && !feasible_->complete()) {
      result.exhausted_reason = absl::StrCat("after ", Readable(count), Combinations(constraints_),
                                             " no other was found among ", kSearchEffort, " parts of the grid");
    } else {
      result.exhausted_reason = absl::StrCat("all ", Readable(count), Combinations(constraints_),
                                             constraints_.empty() ? " of the grid" : "", " have been proposed");
    }
  }

  const core::SearchSpace space_;
  const core::ConstraintSet constraints_;
  const absl::uint128 count_;  // without constraints
  // With constraints. Grows as it is asked; what it says of a number never changes.
  mutable std::optional<core::FeasiblePoints> feasible_;
  int64_t finished_ = 0;
};

absl::StatusOr<std::unique_ptr<Strategy>> Make(const core::JobSpec& spec) {
  const std::optional<absl::uint128> count = spec.space.PointCount(/*for_grid=*/true);
  if (!count.has_value()) {
    return absl::InvalidArgumentError(
        "the grid has a continuous parameter without step or grid_points; give one of them");
  }
  if (!spec.constraints.empty() && !core::FeasiblePoints::CanNumber(spec.space, /*for_grid=*/true)) {
    return absl::InvalidArgumentError("the grid has more than 10^38 combinations; take fewer values");
  }
  return std::make_unique<GridStrategy>(spec.space, spec.constraints, *count);
}

void CheckCount(const core::JobSpec& spec, bool allow_partial, core::Problems& problems) {
  const std::optional<int32_t> max_trials = spec.limits.max_trials;
  const std::optional<absl::uint128> count = CountCombinations(spec);
  if (!count.has_value()) {
    const absl::uint128 all = *spec.space.PointCount(/*for_grid=*/true);
    if (all == kAll) {
      problems.push_back({"strategy.grid",
                          "has more than 10^38 combinations, too many to look for those that satisfy the constraints; "
                          "take fewer values"});
    } else if (!allow_partial || !max_trials.has_value()) {
      problems.push_back(
          {"strategy.grid",
           absl::StrCat("has ", Readable(all), " combinations, too many to count those that satisfy ",
                        "the constraints; take fewer values, or set allow_partial and ", "limits.max_trials")});
    }
  } else if (*count == 0) {
    problems.push_back({"constraints", "hold for no combination of the grid; loosen them or take more values"});
  } else if (max_trials.has_value()) {
    if (!allow_partial && *count != absl::uint128(static_cast<uint64_t>(std::max(*max_trials, 0)))) {
      problems.push_back(
          {"limits.max_trials",
           absl::StrCat("is ", *max_trials, ", but the grid has ", Readable(*count), Combinations(spec.constraints),
                        "; leave max_trials out, or set strategy.grid.allow_partial")});
    }
  } else if (*count > kMaxTrials) {
    problems.push_back({"strategy.grid", absl::StrCat("has ", Readable(*count), Combinations(spec.constraints),
                                                      ", more than the ", kMaxTrials,
                                                      " trials of a job; take fewer values, or set allow_partial and "
                                                      "limits.max_trials")});
  }
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
  CheckCount(spec, options.allow_partial(), problems);
  return problems;
}

int64_t TrialCount(const core::JobSpec& spec) {
  const std::optional<absl::uint128> count = CountCombinations(spec);
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
