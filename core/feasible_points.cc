#include "core/feasible_points.h"

#include <algorithm>
#include <bitset>
#include <functional>
#include <limits>
#include <utility>

#include "core/domain.h"

namespace tuner::core {
namespace {

constexpr absl::uint128 kSaturated = std::numeric_limits<absl::uint128>::max();
constexpr size_t kMaxRuns = 4096;
constexpr int64_t kStopInterval = 256;

}  // namespace

// Goes through the feasible points from an index on, in order, run by run (runs next to each other are not joined).
class FeasiblePoints::Walk {
 public:
  Walk(const FeasiblePoints& points, absl::uint128 from, int64_t effort, StopToken stop)
      : space_(points.space_),
        constraints_(points.constraints_),
        for_grid_(points.for_grid_),
        from_(from),
        effort_(effort),
        stop_(stop),
        box_(space_.parameters().size()),
        concerns_(space_.parameters().size()) {
    for (size_t i = 0; i < box_.size(); ++i) {
      last_.push_back(absl::Uint128Low64(*space_.ValueCount(static_cast<int>(i), for_grid_)) - 1);
    }
    for (size_t i = 0; i < box_.size(); ++i) {
      if (space_.parameters()[i].parent < 0) SetRange(static_cast<int>(i), 0, last_[i]);
    }
    for (int c = 0; c < constraints_.size(); ++c) {
      for (int index : constraints_.Mentioned(c)) {
        for (; index >= 0; index = space_.parameters()[At(index)].parent) concerns_[At(index)].set(At(c));
      }
    }
  }

  // `visit(index, count)` says whether to go on. False: it said no, or the effort is spent, or told to stop.
  bool Go(std::function<bool(absl::uint128, absl::uint128)> visit) {
    visit_ = std::move(visit);
    Open open;
    for (int c = 0; c < constraints_.size(); ++c) open.set(At(c));
    const Rest roots{space_.roots(), nullptr, space_.CountOf(space_.roots(), for_grid_)};
    if (!Narrow(open)) return true;
    return Points(roots, 0, open);
  }

  // Where it ended for want of effort: no feasible point below it was left out. 0: elsewhere.
  absl::uint128 reached() const { return reached_; }

 private:
  using Open = std::bitset<ConstraintSet::kMaxSize>;  // constraints that are not yet known to hold
  // Parameters that are still to be given values: siblings, then those of the levels above.
  struct Rest {
    absl::Span<const int> siblings;
    const Rest* above;
    absl::uint128 count;  // of their points
  };

  static size_t At(int index) { return static_cast<size_t>(index); }

  void SetRange(int index, uint64_t first, uint64_t last) {
    const Domain& domain = space_.parameters()[At(index)].domain;
    box_[At(index)].low = domain::NumberAt(domain, first, for_grid_);
    box_[At(index)].high = domain::NumberAt(domain, last, for_grid_);
    for (const int child : space_.ChildrenOf(index)) {
      box_[At(child)].active = std::min(box_[At(index)].active, space_.ActiveUnder(child, first, last));
      SetRange(child, 0, last_[At(child)]);
    }
  }

  // False if no point of the box is feasible. Takes out of `open` what holds in all of it.
  bool Narrow(Open& open) const {
    for (int c = 0; c < constraints_.size(); ++c) {
      if (!open[At(c)]) continue;
      const Extent extent = constraints_.Judge(c, box_);
      if (extent == Extent::kNone) return false;
      if (extent == Extent::kAll) open.reset(At(c));
    }
    return true;
  }

  bool Emit(absl::uint128 index, absl::uint128 count) {
    if (index + count <= from_) return true;
    const absl::uint128 skipped = index < from_ ? from_ - index : absl::uint128(0);
    return visit_(index + skipped, count - skipped);
  }

  // The feasible points below a box that Narrow let pass, whose first index is `index`.
  bool Points(const Rest& rest, absl::uint128 index, const Open& open) {
    if (open.none()) return Emit(index, rest.count);
    if (rest.siblings.empty()) return rest.above == nullptr ? true : Points(*rest.above, index, open);
    const int parameter = rest.siblings.front();
    const absl::Span<const int> others = rest.siblings.subspan(1);
    const absl::uint128 above = rest.above == nullptr ? absl::uint128(1) : rest.above->count;
    const Rest after{others, rest.above, space_.CountOf(others, for_grid_) * above};
    const bool goes_on = Values(parameter, 0, last_[At(parameter)], after, index, open);
    SetRange(parameter, 0, last_[At(parameter)]);
    return goes_on;
  }

  // Those whose `parameter` has a value of the range.
  bool Values(int parameter, uint64_t first, uint64_t last, const Rest& after, absl::uint128 index, Open open) {
    const absl::uint128 count = space_.CountUnder(parameter, first, last, for_grid_) * after.count;
    if (index + count <= from_) return true;
    const bool stopped = effort_ % kStopInterval == 0 && Stopped(stop_);
    if ((effort_-- <= 0 && decided_) || stopped) {  // at least one box, so that every walk gets somewhere
      reached_ = index;
      return false;
    }
    SetRange(parameter, first, last);
    if ((open & concerns_[At(parameter)]).any() && !Narrow(open)) {
      decided_ = true;
      return true;
    }
    if (open.none()) {
      decided_ = true;
      return Emit(index, count);
    }
    if (first == last) {
      const std::vector<int> children = space_.ActiveChildren(parameter, first);
      const Rest below{children, &after, space_.CountOf(children, for_grid_) * after.count};
      return Points(below, index, open);
    }
    const uint64_t middle = first + (last - first) / 2;
    const absl::uint128 left = space_.CountUnder(parameter, first, middle, for_grid_) * after.count;
    return Values(parameter, first, middle, after, index, open) &&
           Values(parameter, middle + 1, last, after, index + left, open);
  }

  const SearchSpace& space_;
  const ConstraintSet& constraints_;
  const bool for_grid_;
  const absl::uint128 from_;
  int64_t effort_;
  const StopToken stop_;
  std::vector<uint64_t> last_;  // by parameter: place of its last value
  std::vector<Interval> box_;
  std::vector<Open> concerns_;  // by parameter: constraints that mention it or a descendant
  std::function<bool(absl::uint128, absl::uint128)> visit_;
  absl::uint128 reached_ = 0;
  bool decided_ = false;  // some box was ruled out or emitted
};

bool FeasiblePoints::CanNumber(const SearchSpace& space, bool for_grid) {
  const std::optional<absl::uint128> count = space.PointCount(for_grid);
  return count.has_value() && *count < kSaturated;
}

FeasiblePoints::FeasiblePoints(const SearchSpace& space, const ConstraintSet& constraints, bool for_grid)
    : space_(space), constraints_(constraints), for_grid_(for_grid) {}

void FeasiblePoints::Extend(absl::uint128 wanted, int64_t effort, StopToken stop) {
  if (complete_ || known_ >= wanted) return;
  Run run;
  Walk walk(*this, next_index_, effort, stop);
  complete_ = walk.Go([&](absl::uint128 index, absl::uint128 count) {
    if (run.count > 0 && index == run.index + run.count) {
      run.count += count;
    } else {
      Keep(run);
      run = {known_, index, count};
    }
    known_ += count;
    next_index_ = index + count;
    return known_ < wanted;
  });
  Keep(run);
  next_index_ = std::max(next_index_, walk.reached());
}

void FeasiblePoints::Keep(const Run& run) {
  if (run.count == 0) return;
  if (run_count_++ % stride_ == 0) runs_.push_back(run);
  if (runs_.size() <= kMaxRuns) return;
  size_t kept = 0;
  for (size_t i = 0; i < runs_.size(); i += 2) runs_[kept++] = runs_[i];
  runs_.resize(kept);
  stride_ *= 2;
}

absl::uint128 FeasiblePoints::IndexAt(absl::uint128 rank) const {
  const auto after = std::upper_bound(runs_.begin(), runs_.end(), rank,
                                      [](absl::uint128 wanted, const Run& run) { return wanted < run.rank; });
  const Run& run = *(after - 1);
  if (rank < run.rank + run.count) return run.index + (rank - run.rank);
  absl::uint128 at = run.rank + run.count;
  absl::uint128 found = run.index;
  Walk walk(*this, run.index + run.count, std::numeric_limits<int64_t>::max(), nullptr);
  walk.Go([&](absl::uint128 index, absl::uint128 count) {
    found = index + (rank - at);
    const bool goes_on = rank >= at + count;
    at += count;
    return goes_on;
  });
  return found;
}

}  // namespace tuner::core
