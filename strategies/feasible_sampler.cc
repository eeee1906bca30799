#include "strategies/feasible_sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <queue>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "core/domain.h"

namespace tuner::strategies {
namespace {

using core::Extent;
using core::Interval;

// Plain draws that tell whether few are feasible, and how many few are. Their stream; stored jobs rely on it.
constexpr int kProbes = 256;
constexpr int kFewProbes = 8;
constexpr uint32_t kProbeStream = 90;
// Boxes that are looked at to number a finite space.
constexpr int64_t kNumberingEffort = 300'000;
constexpr int kMaxBoxes = 1000;
// Halving goes on down to this width of a continuous coordinate.
constexpr double kMinWidth = 0x1p-44;
// Draws for one point, in turn.
constexpr int kPlainDraws = 4096;
constexpr int kPlainDrawsIfFew = 32;
constexpr int kNumberDraws = 16;
constexpr int kPavingDraws = 4096;
constexpr int kDescents = 24;
constexpr int kDescentDraws = 512;
constexpr int kStepsPerCoordinate = 8;
constexpr int kShrinks = 40;
constexpr int kStopInterval = 64;

// The least unit coordinate of the place, to the last bit. place > 0.
double CellStart(const core::Domain& domain, uint64_t place) {
  double below = 0;
  double at = 1;
  while (true) {
    const double middle = below + (at - below) / 2;
    if (middle <= below || middle >= at) return at;
    (core::domain::PlaceFromUnit(domain, middle) >= place ? at : below) = middle;
  }
}

}  // namespace

FeasibleSampler::FeasibleSampler(const core::SearchSpace& space, const core::ConstraintSet& constraints)
    : space_(space), constraints_(constraints) {
  if (constraints.empty()) return;
  std::vector<bool> branches(space.parameters().size());
  for (int i = 0; i < constraints.size(); ++i) {
    for (int index : constraints.Mentioned(i)) {
      for (; index >= 0; index = space.parameters()[static_cast<size_t>(index)].parent) {
        branches[static_cast<size_t>(index)] = true;
      }
    }
  }
  for (size_t i = 0; i < branches.size(); ++i) {
    if (branches[i]) branching_.push_back(static_cast<int>(i));
  }
  if (core::FeasiblePoints::CanNumber(space, /*for_grid=*/false)) {
    points_.emplace(space, constraints, /*for_grid=*/false);
    points_->Extend(std::numeric_limits<absl::uint128>::max(), kNumberingEffort);
    if (points_->complete() && points_->known() <= std::numeric_limits<uint64_t>::max()) {
      point_count_ = absl::Uint128Low64(points_->known());
      none_ = *point_count_ == 0;
      few_ = true;
      return;
    }
    points_.reset();
  }
  core::Rng rng(0, 0, kProbeStream);
  std::vector<double> units(space.parameters().size());
  int feasible = 0;
  for (int i = 0; i < kProbes; ++i) {
    for (double& u : units) u = rng.NextDouble();
    feasible += SatisfiedUnits(units) ? 1 : 0;
  }
  few_ = feasible < kFewProbes;
  if (few_) Pave();
}

bool FeasibleSampler::SatisfiedUnits(absl::Span<const double> units) const {
  if (constraints_.empty()) return true;
  absl::InlinedVector<double, 128> numbers(units.size());
  space_.NumbersFromUnits(units, absl::MakeSpan(numbers));
  return constraints_.Satisfied(numbers);
}

FeasibleSampler::Box FeasibleSampler::Cube() const {
  return {std::vector<double>(branching_.size(), 0.0), std::vector<double>(branching_.size(), 1.0)};
}

FeasibleSampler::Judgement FeasibleSampler::Judge(const Box& box) const {
  absl::InlinedVector<Interval, 128> intervals(space_.parameters().size());
  absl::InlinedVector<std::pair<uint64_t, uint64_t>, 128> places(space_.parameters().size());
  absl::InlinedVector<double, 128> widths(space_.parameters().size());  // 0: nothing to halve
  for (size_t b = 0; b < branching_.size(); ++b) {
    const size_t index = static_cast<size_t>(branching_[b]);
    const core::Parameter& parameter = space_.parameters()[index];
    Interval& interval = intervals[index];
    if (parameter.parent >= 0) {
      const size_t parent = static_cast<size_t>(parameter.parent);
      const auto [first, last] = places[parent];
      interval.active = std::min(intervals[parent].active, space_.ActiveUnder(branching_[b], first, last));
      if (interval.active == Extent::kNone) continue;
    }
    const double low = box.low[b];
    const double high = std::nextafter(box.high[b], 0);  // outside of the box itself
    places[index] = {core::domain::PlaceFromUnit(parameter.domain, low),
                     core::domain::PlaceFromUnit(parameter.domain, high)};
    interval.low = core::domain::NumberFromUnit(parameter.domain, low);
    interval.high = core::domain::NumberFromUnit(parameter.domain, high);
    if (interval.low < interval.high && high - low > kMinWidth) widths[index] = high - low;
  }
  Judgement judgement;
  int widest = -1;
  const auto consider = [&](int index) {
    for (; index >= 0; index = space_.parameters()[static_cast<size_t>(index)].parent) {
      const size_t i = static_cast<size_t>(index);
      if (intervals[i].active == Extent::kNone || widths[i] == 0) continue;
      if (widest < 0 || widths[i] > widths[static_cast<size_t>(widest)]) widest = index;
    }
  };
  for (int i = 0; i < constraints_.size(); ++i) {
    const Extent extent = constraints_.Judge(i, intervals);
    if (extent == Extent::kNone) return {.extent = extent, .promise = 0};
    if (extent == Extent::kAll) continue;
    judgement.extent = Extent::kSome;
    judgement.promise *= constraints_.Promise(i, intervals);
    for (const int index : constraints_.Mentioned(i)) consider(index);
  }
  if (widest >= 0) {
    const auto found = std::lower_bound(branching_.begin(), branching_.end(), widest);
    judgement.split = static_cast<int>(found - branching_.begin());
  }
  return judgement;
}

std::pair<FeasibleSampler::Box, FeasibleSampler::Box> FeasibleSampler::Halve(const Box& box, int split) const {
  const size_t b = static_cast<size_t>(split);
  const core::Domain& domain = space_.parameters()[static_cast<size_t>(branching_[b])].domain;
  double middle = (box.low[b] + box.high[b]) / 2;
  const uint64_t first = core::domain::PlaceFromUnit(domain, box.low[b]);
  const uint64_t last = core::domain::PlaceFromUnit(domain, std::nextafter(box.high[b], 0));
  if (first < last) {
    // Between two values, so that none lies in both halves.
    const uint64_t half = std::clamp(core::domain::PlaceFromUnit(domain, middle), first + 1, last);
    middle = std::clamp(CellStart(domain, half), box.low[b], box.high[b]);
  }
  std::pair<Box, Box> halves = {box, box};
  halves.first.high[b] = middle;
  halves.second.low[b] = middle;
  return halves;
}

// Halves the largest box that is neither out nor all in, until there are kMaxBoxes.
void FeasibleSampler::Pave() {
  struct Open {
    double volume;
    Box box;
    int split;
    bool operator<(const Open& other) const { return volume < other.volume; }
  };
  std::priority_queue<Open> open;
  std::vector<std::pair<double, Box>> done;
  const auto add = [&](double volume, Box box) {
    const Judgement judgement = Judge(box);
    if (judgement.extent == Extent::kNone) return;
    if (judgement.extent == Extent::kAll || judgement.split < 0) {
      done.emplace_back(volume, std::move(box));
    } else {
      open.push({volume, std::move(box), judgement.split});
    }
  };
  add(1, Cube());
  while (!open.empty() && open.size() + done.size() < kMaxBoxes) {
    const Open largest = open.top();
    open.pop();
    auto [left, right] = Halve(largest.box, largest.split);
    const size_t b = static_cast<size_t>(largest.split);
    const double width = largest.box.high[b] - largest.box.low[b];
    const double left_volume = largest.volume * (left.high[b] - left.low[b]) / width;
    const double right_volume = largest.volume * (right.high[b] - right.low[b]) / width;
    add(left_volume, std::move(left));
    add(right_volume, std::move(right));
  }
  for (; !open.empty(); open.pop()) done.emplace_back(open.top().volume, open.top().box);
  none_ = done.empty();
  double total = 0;
  for (const auto& [volume, box] : done) total += volume;
  double below = 0;
  for (auto& [volume, box] : done) {
    below += volume / total;
    volume_below_.push_back(below);
    paving_.push_back(std::move(box));
  }
}

void FeasibleSampler::DrawIn(const Box& box, core::Rng& rng, std::vector<double>& units) const {
  for (double& u : units) u = rng.NextDouble();
  for (size_t b = 0; b < branching_.size(); ++b) {
    double& u = units[static_cast<size_t>(branching_[b])];
    u = box.low[b] + u * (box.high[b] - box.low[b]);
  }
}

bool FeasibleSampler::AcceptOrPin(core::Rng& rng, std::vector<double>& units) const {
  absl::InlinedVector<double, 128> numbers(units.size());
  for (int tries = 0; tries <= constraints_.size(); ++tries) {
    space_.NumbersFromUnits(units, absl::MakeSpan(numbers));
    const std::optional<int> broken = constraints_.Broken(numbers);
    if (!broken.has_value()) return true;
    const auto pins = constraints_.Pins(*broken);
    if (pins.empty()) return false;
    const size_t first = pins.size() == 1 ? 0 : rng.NextBelow(pins.size());
    bool mended = false;
    for (size_t i = 0; i < pins.size() && !mended; ++i) {
      const auto& [index, value] = pins[(first + i) % pins.size()];
      double& u = units[static_cast<size_t>(index)];
      const double drawn = std::exchange(u, space_.ToUnit(index, value));
      space_.NumbersFromUnits(units, absl::MakeSpan(numbers));
      mended = constraints_.Holds(*broken, numbers);
      if (!mended) u = drawn;
    }
    if (!mended) return false;
  }
  return false;
}

// Depth first into the halves, the more promising one the more often first, with a draw from each box on the way;
// starts again from time to time, as the first halves may be the wrong ones.
bool FeasibleSampler::Descend(core::Rng& rng, StopToken stop, std::vector<double>& units) const {
  struct Open {
    Box box;
    Judgement judgement;
  };
  for (int descent = 0; descent < kDescents; ++descent) {
    std::vector<Open> stack;
    stack.push_back({Cube(), Judge(Cube())});
    for (int draws = 0; draws < kDescentDraws && !stack.empty(); ++draws) {
      if (draws % kStopInterval == 0 && Stopped(stop)) return false;
      const Open open = std::move(stack.back());
      stack.pop_back();
      if (open.judgement.extent == Extent::kNone) continue;
      DrawIn(open.box, rng, units);
      if (AcceptOrPin(rng, units)) return true;
      if (open.judgement.split < 0) continue;
      auto [left, right] = Halve(open.box, open.judgement.split);
      Open likely{left, Judge(left)};
      Open other{right, Judge(right)};
      const size_t b = static_cast<size_t>(open.judgement.split);
      const double left_share = likely.judgement.promise * (left.high[b] - left.low[b]);
      const double right_share = other.judgement.promise * (right.high[b] - right.low[b]);
      if (rng.NextDouble() * (left_share + right_share) >= left_share) std::swap(likely, other);
      stack.push_back(std::move(other));
      stack.push_back(std::move(likely));
    }
  }
  return false;
}

void FeasibleSampler::HitAndRun(core::Rng& rng, std::vector<double>& units) const {
  std::vector<double> direction(branching_.size());
  std::vector<double> moved;
  const size_t steps = kStepsPerCoordinate * branching_.size();
  for (size_t step = 0; step < steps; ++step) {
    for (double& d : direction) d = rng.NextDouble() + rng.NextDouble() + rng.NextDouble() - 1.5;
    if (step % 2 == 0) {  // along one coordinate
      const size_t one = rng.NextBelow(branching_.size());
      for (size_t b = 0; b < direction.size(); ++b) direction[b] = b == one ? 1 : 0;
    }
    double low = -std::numeric_limits<double>::infinity();
    double high = std::numeric_limits<double>::infinity();
    for (size_t b = 0; b < direction.size(); ++b) {
      if (direction[b] == 0) continue;
      const double u = units[static_cast<size_t>(branching_[b])];
      const double to_zero = -u / direction[b];
      const double to_one = (1 - u) / direction[b];
      low = std::max(low, std::min(to_zero, to_one));
      high = std::min(high, std::max(to_zero, to_one));
    }
    for (int shrink = 0; shrink < kShrinks && low < high; ++shrink) {
      const double t = low + rng.NextDouble() * (high - low);
      moved = units;
      for (size_t b = 0; b < direction.size(); ++b) {
        double& u = moved[static_cast<size_t>(branching_[b])];
        u = std::clamp(u + t * direction[b], 0.0, 1.0);
      }
      if (SatisfiedUnits(moved)) {
        units = moved;
        break;
      }
      (t < 0 ? low : high) = t;
    }
  }
}

std::optional<std::vector<double>> FeasibleSampler::DrawUnits(core::Rng& rng, StopToken stop) const {
  std::vector<double> units(space_.parameters().size());
  if (constraints_.empty()) {
    for (double& u : units) u = rng.NextDouble();
    return units;
  }
  if (none_) return std::nullopt;
  const Box cube = Cube();
  const int plain = few_ ? kPlainDrawsIfFew : kPlainDraws;
  for (int i = 0; i < plain; ++i) {
    if (i % kStopInterval == kStopInterval - 1 && Stopped(stop)) return std::nullopt;
    DrawIn(cube, rng, units);
    if (AcceptOrPin(rng, units)) return units;
  }
  for (int i = 0; i < kNumberDraws && point_count_.has_value(); ++i) {
    const core::ParameterMap point = PointAt(rng.NextBelow(*point_count_));
    for (size_t p = 0; p < units.size(); ++p) {
      const auto found = point.find(space_.parameters()[p].name);
      if (found != point.end()) units[p] = space_.ToUnit(static_cast<int>(p), found->second);
    }
    if (SatisfiedUnits(units)) return units;  // else cells are finer than unit coordinates
  }
  for (int i = 0; i < kPavingDraws && !paving_.empty(); ++i) {
    if (i % kStopInterval == kStopInterval - 1 && Stopped(stop)) return std::nullopt;
    const auto chosen = std::upper_bound(volume_below_.begin(), volume_below_.end() - 1, rng.NextDouble());
    DrawIn(paving_[static_cast<size_t>(chosen - volume_below_.begin())], rng, units);
    if (AcceptOrPin(rng, units)) return units;
  }
  if (!Descend(rng, stop, units)) return std::nullopt;
  HitAndRun(rng, units);
  return units;
}

std::string FeasibleSampler::ExhaustedReason() const {
  if (none_) return "no point of the search space satisfies the constraints";
  const int draws =
      (few_ ? kPlainDrawsIfFew : kPlainDraws) + (paving_.empty() ? 0 : kPavingDraws) + kDescents * kDescentDraws;
  return absl::StrCat("no point that satisfies the constraints was found in ", draws, " draws");
}

}  // namespace tuner::strategies
