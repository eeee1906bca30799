#include "strategies/gp/hypervolume.h"

#include <algorithm>
#include <cmath>

#include "strategies/gp/normal.h"

namespace tuner::strategies::gp {
namespace {

// Below this z the expectation is taken from its logarithm, as its two terms cancel.
constexpr double kFarBelow = -4;

// E[(Y - level)+] of a normal Y, with its derivatives.
struct Excess {
  double value = 0;
  double by_mean = 0;
  double by_deviation = 0;
};

Excess ExcessOver(double level, double mean, double deviation) {
  const double z = (mean - level) / deviation;
  const double density = std::exp(-0.5 * z * z) / std::sqrt(2 * M_PI);
  const double cdf = 0.5 * std::erfc(-z / std::sqrt(2.0));
  const double h = z < kFarBelow ? std::exp(LogH(z).value) : density + z * cdf;
  return {.value = deviation * h, .by_mean = cdf, .by_deviation = density};
}

bool Dominates(const Eigen::RowVectorXd& a, const Eigen::RowVectorXd& b) {
  return (a.array() >= b.array()).all() && (a.array() > b.array()).any();
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
  std::vector<std::vector<size_t>> points;
  for (const Eigen::Index row : above) {
    std::vector<size_t>& places = points.emplace_back(objectives);
    for (size_t i = 0; i < objectives; ++i) {
      const double value = front(row, static_cast<Eigen::Index>(i));
      places[i] =
          static_cast<size_t>(std::lower_bound(levels_[i].begin(), levels_[i].end(), value) - levels_[i].begin());
    }
  }
  Box box(objectives);
  AddBoxes(points, objectives, box);
}

// Slab by slab of the last objective: in each, the points that reach above it leave a smaller problem.
void HypervolumeImprovement::AddBoxes(const std::vector<std::vector<size_t>>& points, size_t objectives, Box& box) {
  const size_t last = objectives - 1;
  const size_t none = levels_[last].size();
  if (objectives == 1) {
    size_t highest = 0;
    for (const std::vector<size_t>& point : points) highest = std::max(highest, point[0]);
    box[0] = {.low = highest, .high = none};
    boxes_.push_back(box);
    return;
  }
  std::vector<size_t> sides = {0};
  for (const std::vector<size_t>& point : points) sides.push_back(point[last]);
  std::sort(sides.begin(), sides.end());
  sides.erase(std::unique(sides.begin(), sides.end()), sides.end());
  for (size_t s = 0; s < sides.size(); ++s) {
    box[last] = {.low = sides[s], .high = s + 1 < sides.size() ? sides[s + 1] : none};
    std::vector<std::vector<size_t>> reaching;
    std::copy_if(points.begin(), points.end(), std::back_inserter(reaching),
                 [&](const std::vector<size_t>& point) { return point[last] > sides[s]; });
    AddBoxes(reaching, last, box);
  }
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
  std::vector<double> lengths(objectives);
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
