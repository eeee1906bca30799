#include "strategies/random_strategy.h"

#include <bit>
#include <limits>
#include <numeric>
#include <optional>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/numeric/int128.h"
#include "absl/strings/str_cat.h"
#include "core/rng.h"
#include "core/warm_start.h"
#include "strategies/feasible_sampler.h"
#include "strategies/warm_start.h"
#include "tuner/v1/strategies.pb.h"

namespace tuner::strategies {
namespace {

// Streams of an ordinal's (or, for kWalkStride, the job's) random numbers. Stored jobs rely on them.
constexpr uint32_t kDraws = 0;
constexpr uint32_t kWalkStart = 1;
constexpr uint32_t kWalkStride = 2;

// Draws before a finite space is walked instead: below this share of free points a walk is cheap.
constexpr int kFiniteRedraws = 64;
// A continuous space has always another point; only those where nearly all draws fall on a few points need this many.
constexpr int kContinuousRedraws = 10'000;
// The same where constraints may leave but a few points; each of these draws is a feasible one.
constexpr int kConstrainedRedraws = 200;
constexpr int kStopInterval = 64;

// 64 bits of a point, the same on every machine: FNV-1a with a final mix. Two points with the same one cost a redraw,
// no more.
class Fingerprint {
 public:
  explicit Fingerprint(const core::ParameterMap& point) {
    for (const auto& [name, value] : point) {
      Add(name);
      std::visit([this](const auto& v) { Add(v); }, value);
    }
  }

  uint64_t value() const {
    const uint64_t mixed = (hash_ ^ (hash_ >> 33)) * 0xff51afd7ed558ccd;
    return mixed ^ (mixed >> 33);
  }

 private:
  void Add(const std::string& text) {
    for (const char c : text) AddByte(static_cast<unsigned char>(c));
    AddByte(0xff);  // in no UTF-8 text, so it ends this one
  }
  void Add(double value) { AddWord(std::bit_cast<uint64_t>(value)); }
  void Add(int64_t value) { AddWord(static_cast<uint64_t>(value)); }
  void Add(bool value) { AddByte(value ? 1 : 0); }
  void AddWord(uint64_t word) {
    for (int shift = 0; shift < 64; shift += 8) AddByte(word >> shift & 0xff);
  }
  void AddByte(uint64_t byte) { hash_ = (hash_ ^ byte) * 0x100000001b3; }

  uint64_t hash_ = 0xcbf29ce484222325;
};

class RandomStrategy : public Strategy {
 public:
  explicit RandomStrategy(const core::JobSpec& spec)
      : space_(spec.space), constraints_(spec.constraints), sampler_(space_, constraints_), seed_(spec.random_seed) {
    const std::optional<absl::uint128> count = space_.PointCount(/*for_grid=*/false);
    if (count.has_value() && *count <= std::numeric_limits<uint64_t>::max()) space_count_ = absl::Uint128Low64(*count);
    point_count_ = constraints_.empty() ? space_count_ : sampler_.point_count();
    if (IsIdentical(spec)) KnowParents(spec);
    for (TransferSeed& seed : TransferSeeds(spec)) seeds_.push_back(std::move(seed.point));
  }

  absl::StatusOr<Proposals> Suggest(const SuggestContext& context) const override {
    Proposals result;
    result.basis.kind = core::Basis::Kind::kFresh;
    result.basis.history_prefix = finished_;
    result.basis.known_prefix = finished_;
    absl::flat_hash_set<uint64_t> others;  // known points that are not in observed_
    for (const PendingTrial& pending : context.pending) {
      result.basis.pending_trials.push_back(pending.number);
      if (const std::optional<uint64_t> key = Key(pending.parameters); key.has_value() && !observed_.contains(*key)) {
        others.insert(*key);
      }
    }
    for (int32_t i = 0; i < context.count && !Stopped(context.stop); ++i) {
      if (point_count_.has_value() && observed_.size() + others.size() >= *point_count_) {
        result.exhausted = true;
        result.exhausted_reason = absl::StrCat("all ", *point_count_, " points of the search space",
                                               constraints_.empty() ? "" : " that satisfy the constraints",
                                               " have been tried or are pending");
        break;
      }
      const uint64_t ordinal = static_cast<uint64_t>(context.ordinal) + static_cast<uint64_t>(i);
      std::optional<core::ParameterMap> point = Draw(ordinal, others, context, result.exhausted_reason);
      if (!point.has_value()) {
        result.exhausted = !result.exhausted_reason.empty();
        break;
      }
      others.insert(*Key(*point));
      result.proposals.push_back(NewTrial{.parameters = *std::move(point)});
    }
    return result;
  }

  void Observe(const Observation& observation) override {
    const auto* finished = std::get_if<Finished>(&observation);
    if (finished != nullptr) ++finished_;
    const core::Trial& trial = finished != nullptr ? finished->trial : std::get<RungReached>(observation).trial;
    if (const std::optional<uint64_t> key = Key(trial.parameters); key.has_value()) observed_.insert(*key);
  }

 private:
  using Keys = absl::flat_hash_set<uint64_t>;

  // Points that parents have tried are known, and so not proposed again.
  void KnowParents(const core::JobSpec& spec) {
    for (const core::ParentJob& parent : *spec.warm_start->jobs) {
      for (const core::Trial& trial : parent.trials) {
        if (!core::RanToItsEnd(trial) || !HasFixedValues(parent, trial, spec)) continue;
        const std::optional<core::ParameterMap> point = PointInChild(parent, trial, spec);
        if (!point.has_value()) continue;
        if (const std::optional<uint64_t> key = Key(*point); key.has_value()) observed_.insert(*key);
      }
    }
  }

  // What tells points apart: the place in a finite space, else a fingerprint. nullopt: not a point that could be
  // proposed from this finite set.
  std::optional<uint64_t> Key(const core::ParameterMap& parameters) const {
    if (!point_count_.has_value() && !space_count_.has_value()) return Fingerprint(parameters).value();
    const absl::StatusOr<core::ParameterMap> point = space_.Canonical(parameters);
    if (!point.ok() || !constraints_.Satisfied(*point)) return std::nullopt;
    return space_count_.has_value() ? absl::Uint128Low64(*space_.IndexOf(*point)) : Fingerprint(*point).value();
  }

  bool Known(uint64_t key, const Keys& others) const { return observed_.contains(key) || others.contains(key); }

  // A point that is not known, where there is one; nullopt if told to stop, or, with the reason, if none was found.
  std::optional<core::ParameterMap> Draw(uint64_t ordinal, const Keys& others, const SuggestContext& context,
                                         std::string& exhausted_reason) const {
    // What was best for a parent comes first.
    if (ordinal < seeds_.size() && !Known(*Key(seeds_[ordinal]), others)) return seeds_[ordinal];
    core::Rng rng(seed_, ordinal, kDraws);
    core::ParameterMap point;
    const int redraws = point_count_.has_value() ? kFiniteRedraws
                        : constraints_.empty()   ? kContinuousRedraws
                                                 : kConstrainedRedraws;
    for (int i = 0; i < redraws; ++i) {
      if (i % kStopInterval == kStopInterval - 1 && Stopped(context.stop)) return std::nullopt;
      const std::optional<std::vector<double>> units = sampler_.DrawUnits(rng, context.stop);
      if (!units.has_value()) {
        if (!Stopped(context.stop)) exhausted_reason = sampler_.ExhaustedReason();
        return std::nullopt;
      }
      point = space_.PointFromUnits(*units);
      if (!Known(*Key(point), others)) return point;
    }
    if (point_count_.has_value()) return Walk(ordinal, others, context);
    if (constraints_.empty()) return point;
    exhausted_reason =
        absl::StrCat("the last ", redraws, " draws that satisfy the constraints met only points that have been tried");
    return std::nullopt;
  }

  // Goes through the points of a finite set, which has a free one, in the order that the seed gives.
  std::optional<core::ParameterMap> Walk(uint64_t ordinal, const Keys& others, const SuggestContext& context) const {
    const uint64_t count = *point_count_;
    core::Rng strides(seed_, 0, kWalkStride);
    uint64_t stride = strides.NextBelow(count) | 1;
    while (std::gcd(stride, count) != 1) stride = strides.NextBelow(count) | 1;  // so that the walk meets every point
    uint64_t at = core::Rng(seed_, ordinal, kWalkStart).NextBelow(count);
    for (uint64_t steps = 0;; ++steps) {
      if (steps % kStopInterval == kStopInterval - 1 && Stopped(context.stop)) return std::nullopt;
      core::ParameterMap point = constraints_.empty() ? space_.PointAt(at, /*for_grid=*/false) : sampler_.PointAt(at);
      if (!Known(constraints_.empty() ? at : *Key(point), others)) return point;
      at = absl::Uint128Low64((absl::uint128(at) + stride) % count);
    }
  }

  const core::SearchSpace space_;
  const core::ConstraintSet constraints_;
  const FeasibleSampler sampler_;
  const uint64_t seed_;
  std::optional<uint64_t> space_count_;    // points of a finite space, constraints left aside
  std::optional<uint64_t> point_count_;    // points that may be proposed, if they are finite and could be counted
  std::vector<core::ParameterMap> seeds_;  // of a transfer from parents
  int64_t finished_ = 0;
  Keys observed_;
};

absl::StatusOr<std::unique_ptr<Strategy>> Make(const core::JobSpec& spec) {
  return std::make_unique<RandomStrategy>(spec);
}

core::Problems Validate(const core::JobSpec& spec) {
  if (!v1::RandomStrategy().ParseFromString(spec.strategy.bytes))
    return {{"strategy.random", "cannot be read; send it again"}};
  return {};
}

int64_t TrialCount(const core::JobSpec&) { return 0; }

}  // namespace

StrategyKind RandomStrategyKind() {
  return {.name = "random",
          .description = "Independent draws from the search space, on each parameter's scale; no point twice.",
          .make = &Make,
          .validate = &Validate,
          .trial_count = &TrialCount};
}

}  // namespace tuner::strategies
