#include "strategies/gp/maximiser.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

namespace tuner::strategies::gp {
namespace {

using Units = std::vector<double>;

// Moves of one round whose bounds are computed, and of these the ones that are evaluated exactly.
constexpr size_t kMostMoves = 2048;
constexpr size_t kExactMoves = 96;
// Climbs that go on after the first round.
constexpr size_t kKept = 3;
// Each local candidate changes about this many coordinates (Regis and Shoemaker 2013).
constexpr double kChangedCoordinates = 20;
constexpr double kLeastGain = 1e-9;
constexpr int kHalvings = 12;

double Gaussian(core::Rng& rng) {
  const double u = 1 - rng.NextDouble();
  return std::sqrt(-2 * std::log(u)) * std::cos(6.283185307179586 * rng.NextDouble());
}

class Search {
 public:
  Search(const Acquisition& acquisition, const SearchContext& context, const SearchOptions& options, core::Rng rng)
      : acquisition_(acquisition), context_(context), encoder_(*context.encoder), options_(options), rng_(rng) {
    for (int i = 0; i < encoder_.parameter_count(); ++i) {
      if (encoder_.info(i).first_column < 0) continue;
      varying_.push_back(i);
      if (encoder_.info(i).smooth) smooth_.push_back(i);
    }
    scales_.resize(static_cast<Eigen::Index>(smooth_.size()));
    for (size_t i = 0; i < smooth_.size(); ++i) {
      scales_[static_cast<Eigen::Index>(i)] = context.column_lengths[encoder_.info(smooth_[i]).first_column];
    }
  }

  std::vector<Optimum> Run() {
    std::vector<Optimum> found = Starts();
    for (int round = 0; round < options_.rounds && !found.empty() && !Stopped(); ++round) {
      const bool climbed = ClimbAll(found);
      const bool moved = MoveAll(found);
      SortDistinct(found);
      if ((!climbed || smooth_.size() == varying_.size()) && !moved) break;
      if (found.size() > kKept) {
        finished_.insert(finished_.end(), found.begin() + kKept, found.end());
        found.resize(kKept);
      }
    }
    found.insert(found.end(), finished_.begin(), finished_.end());
    SortDistinct(found);
    if (Stopped()) found.clear();
    return found;
  }

 private:
  bool Stopped() const { return core::Stopped(context_.stop); }
  bool Allowed(const Units& units) const { return !context_.allowed || context_.allowed(units); }

  static void SortDistinct(std::vector<Optimum>& found) {
    std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.value > b.value; });
    for (size_t i = 1; i < found.size();) {
      const bool repeated = std::any_of(found.begin(), found.begin() + static_cast<ptrdiff_t>(i),
                                        [&](const Optimum& other) { return other.units == found[i].units; });
      if (repeated) {
        found.erase(found.begin() + static_cast<ptrdiff_t>(i));
      } else {
        ++i;
      }
    }
  }

  // --- candidates

  Units GlobalCandidate() {
    Units units(static_cast<size_t>(encoder_.parameter_count()));
    for (double& unit : units) unit = rng_.NextDouble();
    if (context_.trust_radius > 0 && !context_.known->empty()) {
      const Units& centre = (*context_.known)[rng_.NextBelow(context_.known->size())];
      for (const int i : smooth_) {
        const auto at = static_cast<size_t>(i);
        const double low = std::max(0.0, centre[at] - context_.trust_radius);
        const double high = std::min(1.0, centre[at] + context_.trust_radius);
        units[at] = low + units[at] * (high - low);
      }
    }
    encoder_.Snap(absl::MakeSpan(units));
    return units;
  }

  Units LocalCandidate() {
    Units units = (*context_.known)[static_cast<size_t>(context_.best[rng_.NextBelow(context_.best.size())])];
    const double deviation = std::pow(10, -1 - 2 * rng_.NextDouble());
    const double probability = std::min(1.0, kChangedCoordinates / static_cast<double>(varying_.size()));
    const bool few = rng_.NextBelow(2) == 0;  // half of them change one to three coordinates only
    const double share = few ? std::min(1.0, 2.0 / static_cast<double>(varying_.size())) : probability;
    const size_t one = rng_.NextBelow(varying_.size());
    for (size_t v = 0; v < varying_.size(); ++v) {
      if (v != one && rng_.NextDouble() >= share) continue;
      const int parameter = varying_[v];
      double& unit = units[static_cast<size_t>(parameter)];
      const Encoder::ParameterInfo& info = encoder_.info(parameter);
      if (!info.numeric) {
        if (few || rng_.NextBelow(5) == 0) unit = rng_.NextDouble();
        continue;
      }
      double step = deviation * Gaussian(rng_);
      if (!info.centres.empty()) {  // at least to a neighbour
        const double cell = 1.0 / static_cast<double>(info.centres.size());
        if (std::abs(step) < cell) step = std::copysign(cell, step);
      }
      unit = std::clamp(unit + step, 0.0, 1.0);
    }
    encoder_.Snap(absl::MakeSpan(units));
    return units;
  }

  std::vector<Optimum> Starts() {
    std::vector<Units> candidates;
    const bool local = !context_.best.empty() && !varying_.empty();
    for (int i = 0; i < options_.global_candidates; ++i) candidates.push_back(GlobalCandidate());
    for (int i = 0; local && i < options_.local_candidates; ++i) candidates.push_back(LocalCandidate());
    for (int i = 0; context_.draw_allowed && i < options_.exact_candidates; ++i) {
      if (std::optional<Units> drawn = context_.draw_allowed(rng_); drawn.has_value()) {
        candidates.push_back(*std::move(drawn));
      }
    }
    const Eigen::MatrixXd columns = encoder_.EncodeAll(candidates);
    if (Stopped()) return {};
    const std::vector<size_t> order = Order(acquisition_.UpperBounds(columns));
    std::vector<Optimum> found;
    for (const size_t i : order) {
      if (static_cast<int>(found.size()) >= options_.exact_candidates) break;
      if (Allowed(candidates[i])) found.push_back({.units = std::move(candidates[i])});
    }
    Evaluate(found);
    SortDistinct(found);
    if (static_cast<int>(found.size()) > options_.starts) found.resize(static_cast<size_t>(options_.starts));
    return found;
  }

  static std::vector<size_t> Order(const Eigen::VectorXd& values) {
    std::vector<size_t> order(static_cast<size_t>(values.size()));
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return values[static_cast<Eigen::Index>(a)] > values[static_cast<Eigen::Index>(b)];
    });
    return order;
  }

  void Evaluate(std::vector<Optimum>& points) const {
    if (points.empty()) return;
    Eigen::MatrixXd columns(encoder_.width(), static_cast<Eigen::Index>(points.size()));
    for (size_t i = 0; i < points.size(); ++i) {
      encoder_.Encode(points[i].units, columns.col(static_cast<Eigen::Index>(i)).data());
    }
    const Eigen::VectorXd values = acquisition_.Values(columns);
    for (size_t i = 0; i < points.size(); ++i) points[i].value = values[static_cast<Eigen::Index>(i)];
  }

  // --- climbs in the smooth coordinates

  // Climbs from each point; whether one went up.
  bool ClimbAll(std::vector<Optimum>& points) {
    if (smooth_.empty()) return false;
    const auto count = static_cast<Eigen::Index>(points.size());
    const auto dimensions = static_cast<Eigen::Index>(smooth_.size());
    Eigen::MatrixXd starts(dimensions, count);
    Eigen::MatrixXd low(dimensions, count);
    Eigen::MatrixXd high(dimensions, count);
    Eigen::MatrixXd base(encoder_.width(), count);
    for (Eigen::Index p = 0; p < count; ++p) {
      const Units& units = points[static_cast<size_t>(p)].units;
      encoder_.Encode(units, base.col(p).data());
      const Units* centre = context_.trust_radius > 0 ? NearestKnown(units) : nullptr;
      for (Eigen::Index d = 0; d < dimensions; ++d) {
        const int parameter = smooth_[static_cast<size_t>(d)];
        const auto at = static_cast<size_t>(parameter);
        starts(d, p) = units[at];
        const bool active = encoder_.IsActive(parameter, units);
        low(d, p) = active ? 0 : units[at];
        high(d, p) = active ? 1 : units[at];
        if (active && centre != nullptr) {
          low(d, p) = std::min(units[at], std::max(0.0, (*centre)[at] - context_.trust_radius));
          high(d, p) = std::max(units[at], std::min(1.0, (*centre)[at] + context_.trust_radius));
        }
      }
    }
    const auto function = [&](const Eigen::MatrixXd& at, const std::vector<int>& climbs, Eigen::VectorXd& values,
                              Eigen::MatrixXd& gradients) {
      Eigen::MatrixXd columns(encoder_.width(), at.cols());
      for (Eigen::Index i = 0; i < at.cols(); ++i) {
        columns.col(i) = base.col(climbs[static_cast<size_t>(i)]);
        for (Eigen::Index d = 0; d < dimensions; ++d) columns(Column(d), i) = at(d, i) - 0.5;
      }
      Eigen::MatrixXd all;
      acquisition_.ValuesAndGradients(columns, values, all);
      gradients.resize(dimensions, at.cols());
      for (Eigen::Index d = 0; d < dimensions; ++d) gradients.row(d) = all.row(Column(d));
    };
    const ClimbResult climbed = Climb(starts, low, high, scales_, function, options_.climb);
    std::vector<Optimum> ends = points;
    for (Eigen::Index p = 0; p < count; ++p) {
      ends[static_cast<size_t>(p)].units = Reachable(points[static_cast<size_t>(p)].units, climbed.points.col(p));
    }
    Evaluate(ends);
    bool any = false;
    for (size_t p = 0; p < points.size(); ++p) {
      if (!(ends[p].value > points[p].value + kLeastGain)) continue;
      points[p] = std::move(ends[p]);
      any = true;
    }
    return any;
  }

  Eigen::Index Column(Eigen::Index smooth) const {
    return encoder_.info(smooth_[static_cast<size_t>(smooth)]).first_column;
  }

  const Units* NearestKnown(const Units& units) const {
    const Units* nearest = nullptr;
    double least = std::numeric_limits<double>::infinity();
    for (const Units& other : *context_.known) {
      double distance = 0;
      for (const int i : smooth_) {
        distance = std::max(distance, std::abs(other[static_cast<size_t>(i)] - units[static_cast<size_t>(i)]));
      }
      if (distance < least) {
        least = distance;
        nearest = &other;
      }
    }
    return nearest;
  }

  // The allowed point farthest on the way from `from`, which is allowed, to the end of a climb.
  Units Reachable(const Units& from, const Eigen::Ref<const Eigen::VectorXd>& end) const {
    double share = 1;
    for (int i = 0; i < kHalvings; ++i, share *= 0.5) {
      Units units = from;
      for (size_t d = 0; d < smooth_.size(); ++d) {
        double& unit = units[static_cast<size_t>(smooth_[d])];
        unit += share * (end[static_cast<Eigen::Index>(d)] - unit);
      }
      encoder_.Snap(absl::MakeSpan(units));
      if (Allowed(units)) return units;
    }
    return from;
  }

  // --- moves of one parameter to another of its values

  // The best move of each point, if it goes up; whether any did.
  bool MoveAll(std::vector<Optimum>& points) {
    std::vector<Units> moves;
    std::vector<size_t> owners;
    for (size_t p = 0; p < points.size(); ++p) {
      for (const int parameter : varying_) {
        if (encoder_.IsActive(parameter, points[p].units)) AddMoves(points[p].units, parameter, p, moves, owners);
      }
    }
    if (moves.empty() || Stopped()) return false;
    while (moves.size() > kMostMoves) {  // drop some at random
      const size_t i = rng_.NextBelow(moves.size());
      std::swap(moves[i], moves.back());
      std::swap(owners[i], owners.back());
      moves.pop_back();
      owners.pop_back();
    }
    Eigen::VectorXd bounds = acquisition_.UpperBounds(encoder_.EncodeAll(moves));
    for (Eigen::Index i = 0; i < bounds.size(); ++i) bounds[i] -= points[owners[static_cast<size_t>(i)]].value;
    std::vector<Optimum> tried;
    std::vector<size_t> tried_owners;
    for (const size_t i : Order(bounds)) {
      if (tried.size() >= kExactMoves || bounds[static_cast<Eigen::Index>(i)] <= 0) break;
      if (!Allowed(moves[i])) continue;
      tried.push_back({.units = moves[i]});
      tried_owners.push_back(owners[i]);
    }
    Evaluate(tried);
    bool any = false;
    for (size_t i = 0; i < tried.size(); ++i) {
      Optimum& owner = points[tried_owners[i]];
      if (!(tried[i].value > owner.value + kLeastGain)) continue;
      owner = std::move(tried[i]);
      any = true;
    }
    return any;
  }

  void AddMoves(const Units& from, int parameter, size_t owner, std::vector<Units>& moves,
                std::vector<size_t>& owners) const {
    const Encoder::ParameterInfo& info = encoder_.info(parameter);
    const auto at = static_cast<size_t>(parameter);
    const auto add = [&](double unit) {
      if (unit == from[at]) return;
      Units units = from;
      units[at] = unit;
      encoder_.Snap(absl::MakeSpan(units));
      moves.push_back(std::move(units));
      owners.push_back(owner);
    };
    if (info.centres.empty()) return;
    if (!info.smooth) {
      for (const double centre : info.centres) add(centre);
      return;
    }
    const auto here = std::lower_bound(info.centres.begin(), info.centres.end(), from[at]);
    if (here != info.centres.begin()) add(*(here - 1));
    if (here != info.centres.end() && here + 1 != info.centres.end()) add(*(here + 1));
  }

  const Acquisition& acquisition_;
  const SearchContext& context_;
  const Encoder& encoder_;
  const SearchOptions& options_;
  core::Rng rng_;
  std::vector<int> varying_;  // parameters of more than one value
  std::vector<int> smooth_;
  Eigen::VectorXd scales_;
  std::vector<Optimum> finished_;
};

}  // namespace

std::vector<Optimum> Maximise(const Acquisition& acquisition, const SearchContext& context,
                              const SearchOptions& options, core::Rng rng) {
  return Search(acquisition, context, options, rng).Run();
}

}  // namespace tuner::strategies::gp
