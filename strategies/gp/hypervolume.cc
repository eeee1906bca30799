#include "strategies/gp/hypervolume.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "strategies/gp/normal.h"

namespace tuner::strategies::gp {
namespace {

// Below this z the expectation is taken from its logarithm, as its two terms cancel.
constexpr double kFarBelow = -10;

// Beyond these z nothing is left of a tail in double precision.
constexpr double kSurelyAbove = 9;
constexpr double kNeverAbove = -38;

// Of a point of two objectives.
constexpr HypervolumeImprovement::Place kOneSlab = {0, 0, 1};

// E[(Y - level)+] of a normal Y, with its derivatives.
struct Excess {
  double value = 0;
  double by_mean = 0;
  double by_deviation = 0;
};

Excess ExcessOver(double level, double mean, double deviation) {
  const double z = (mean - level) / deviation;
  if (z > kSurelyAbove) return {.value = mean - level, .by_mean = 1, .by_deviation = 0};
  if (z < kNeverAbove) return {};
  const double density = std::exp(-0.5 * z * z) / std::sqrt(2 * M_PI);
  const double cdf = 0.5 * std::erfc(-z / std::sqrt(2.0));
  const double h = z < kFarBelow ? std::exp(LogH(z).value) : density + z * cdf;
  return {.value = deviation * h, .by_mean = cdf, .by_deviation = density};
}

template <typename A, typename B>
bool Dominates(const A& a, const B& b) {
  return (a.array() >= b.array()).all() && (a.array() > b.array()).any();
}

// Takes a point into the stairs, which ascend in the second objective and descend in the first; what it covers goes.
void AddStep(const HypervolumeImprovement::Place& point, std::vector<HypervolumeImprovement::Place>& stairs) {
  auto at =
      std::lower_bound(stairs.begin(), stairs.end(), point, [](const auto& a, const auto& b) { return a[1] < b[1]; });
  if (at != stairs.end() && (*at)[0] >= point[0]) return;
  if (at != stairs.end() && (*at)[1] == point[1]) at = stairs.erase(at);
  auto covered = at;
  while (covered != stairs.begin() && (*std::prev(covered))[0] <= point[0]) --covered;
  at = stairs.erase(covered, at);
  stairs.insert(at, point);
}

}  // namespace

Eigen::MatrixXd ParetoRows(const Eigen::MatrixXd& results) {
  std::vector<Eigen::Index> kept;
  for (Eigen::Index row = 0; row < results.rows(); ++row) {
    bool stays = true;
    for (Eigen::Index other = 0; stays && other < results.rows(); ++other) {
      stays =
          !Dominates(results.row(other), results.row(row)) && !(other < row && results.row(other) == results.row(row));
    }
    if (stays) kept.push_back(row);
  }
  return results(kept, Eigen::all);
}

HypervolumeImprovement::HypervolumeImprovement(const Eigen::MatrixXd& front, const Eigen::VectorXd& reference)
    : levels_(static_cast<size_t>(reference.size())) {
  const auto objectives = static_cast<size_t>(reference.size());
  std::vector<Eigen::Index> above;
  for (Eigen::Index row = 0; row < front.rows(); ++row) {
    if ((front.row(row).transpose().array() > reference.array()).all()) above.push_back(row);
  }
  for (size_t i = 0; i < objectives; ++i) {
    const auto at = static_cast<Eigen::Index>(i);
    levels_[i].push_back(reference[at]);
    for (const Eigen::Index row : above) levels_[i].push_back(front(row, at));
    std::sort(levels_[i].begin(), levels_[i].end());
    levels_[i].erase(std::unique(levels_[i].begin(), levels_[i].end()), levels_[i].end());
  }
  std::vector<Place> points;
  for (const Eigen::Index row : above) {
    Place& place = points.emplace_back(kOneSlab);
    for (size_t i = 0; i < objectives; ++i) {
      const auto at = std::lower_bound(levels_[i].begin(), levels_[i].end(), front(row, static_cast<Eigen::Index>(i)));
      place[i] = static_cast<size_t>(at - levels_[i].begin());
    }
  }
  // Slab by slab of the third objective, from above: in each, the points that reach above it leave a smaller problem.
  // With two objectives all reach above the only slab.
  std::sort(points.begin(), points.end(), [](const Place& a, const Place& b) { return a[2] > b[2]; });
  std::vector<Place> stairs;
  size_t high = objectives == 3 ? levels_[2].size() : kOneSlab[2];
  for (const Place& point : points) {
    if (point[2] < high) AddBoxes(stairs, {.low = point[2], .high = high});
    high = point[2];
    AddStep(point, stairs);
  }
  AddBoxes(stairs, {.low = 0, .high = high});
}

void HypervolumeImprovement::AddBoxes(const std::vector<Place>& stairs, Side third) {
  size_t low = 0;
  for (const Place& step : stairs) {
    boxes_.push_back({Side{.low = step[0], .high = levels_[0].size()}, Side{.low = low, .high = step[1]}, third});
    low = step[1];
  }
  boxes_.push_back({Side{.low = 0, .high = levels_[0].size()}, Side{.low = low, .high = levels_[1].size()}, third});
}

HypervolumeImprovement::Expectation HypervolumeImprovement::Of(const std::vector<double>& means,
                                                               const std::vector<double>& deviations) const {
  const size_t objectives = levels_.size();
  std::vector<std::vector<Excess>> excess(objectives);
  for (size_t i = 0; i < objectives; ++i) {
    for (const double level : levels_[i]) excess[i].push_back(ExcessOver(level, means[i], deviations[i]));
    excess[i].push_back({});  // above infinity
  }
  Expectation total{
      .value = 0, .by_mean = std::vector<double>(objectives, 0), .by_deviation = std::vector<double>(objectives, 0)};
  std::array<double, 3> lengths = {1, 1, 1};
  for (const Box& box : boxes_) {
    double volume = 1;
    for (size_t i = 0; i < objectives; ++i) {
      lengths[i] = std::max(0.0, excess[i][box[i].low].value - excess[i][box[i].high].value);
      volume *= lengths[i];
    }
    if (volume == 0) continue;
    total.value += volume;
    for (size_t i = 0; i < objectives; ++i) {
      const double others = volume / lengths[i];
      const Excess& low = excess[i][box[i].low];
      const Excess& high = excess[i][box[i].high];
      total.by_mean[i] += others * (low.by_mean - high.by_mean);
      total.by_deviation[i] += others * (low.by_deviation - high.by_deviation);
    }
  }
  return total;
}

}  // namespace tuner::strategies::gp
