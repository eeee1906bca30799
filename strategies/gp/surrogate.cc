#include "strategies/gp/surrogate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <utility>

#include "core/rng.h"

namespace tuner::strategies::gp {
namespace {

constexpr uint32_t kSubsetStream = 0x6673;
constexpr uint32_t kWindowStream = 0x6677;

// Places of the first `prefix` values, best first; infeasible ones last, earlier before later.
std::vector<int> BestFirst(const Observations& observations, int64_t prefix) {
  std::vector<int> order(static_cast<size_t>(prefix));
  std::iota(order.begin(), order.end(), 0);
  const auto rank = [&](int i) {
    const double value = observations.values[static_cast<size_t>(i)];
    return std::isnan(value) ? -std::numeric_limits<double>::infinity() : value;
  };
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return rank(a) > rank(b); });
  return order;
}

// Chooses places once each, and gives them back in ascending order.
class Chooser {
 public:
  explicit Chooser(int64_t prefix) : chosen_(static_cast<size_t>(prefix), false) {}

  void Take(int place) {
    if (chosen_[static_cast<size_t>(place)]) return;
    chosen_[static_cast<size_t>(place)] = true;
    ++count_;
  }
  // Random ones until `size` are chosen.
  void Fill(int size, core::Rng rng) {
    while (count_ < size) Take(static_cast<int>(rng.NextBelow(chosen_.size())));
  }
  int count() const { return count_; }
  std::vector<int> Ascending() const {
    std::vector<int> places;
    for (size_t i = 0; i < chosen_.size(); ++i) {
      if (chosen_[i]) places.push_back(static_cast<int>(i));
    }
    return places;
  }

 private:
  std::vector<bool> chosen_;
  int count_ = 0;
};

std::vector<int> All(int64_t prefix) {
  std::vector<int> rows(static_cast<size_t>(prefix));
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

// A quarter of the best, a quarter of the newest, the rest at random.
std::vector<int> LearningRows(const Observations& observations, int64_t prefix, int most, uint64_t seed) {
  if (prefix <= most) return All(prefix);
  Chooser chooser(prefix);
  const std::vector<int> best = BestFirst(observations, prefix);
  for (int i = 0; i < most / 4; ++i) chooser.Take(best[static_cast<size_t>(i)]);
  for (int i = 0; i < most / 4; ++i) chooser.Take(static_cast<int>(prefix) - 1 - i);
  chooser.Fill(most, core::Rng(seed, static_cast<uint64_t>(prefix), kSubsetStream));
  return chooser.Ascending();
}

// A quarter of the best, a half of those nearest to the best one in length-scales, the rest at random.
std::vector<int> WindowRows(const Observations& observations, const std::vector<int>& groups, int64_t prefix,
                            const KernelParameters& parameters, const FitPlan& plan, uint64_t seed) {
  if (prefix <= plan.window_from) return All(prefix);
  Chooser chooser(prefix);
  const std::vector<int> best = BestFirst(observations, prefix);
  for (int i = 0; i < plan.window / 4; ++i) chooser.Take(best[static_cast<size_t>(i)]);
  const Eigen::MatrixXd scaled = Scaled(observations.points.leftCols(prefix), groups, parameters);
  const Eigen::VectorXd distances = (scaled.colwise() - scaled.col(best.front())).colwise().squaredNorm();
  std::vector<int> nearest = All(prefix);
  std::stable_sort(nearest.begin(), nearest.end(), [&](int a, int b) { return distances[a] < distances[b]; });
  for (size_t i = 0; chooser.count() < plan.window * 3 / 4; ++i) chooser.Take(nearest[i]);
  chooser.Fill(plan.window, core::Rng(seed, static_cast<uint64_t>(prefix), kWindowStream));
  return chooser.Ascending();
}

KernelParameters Learn(const Observations& observations, const std::vector<int>& groups, int64_t prefix,
                       const std::vector<KernelParameters>& starts, const FitPlan& plan, const FitOptions& options,
                       uint64_t seed, core::StopToken stop) {
  const std::vector<int> rows = LearningRows(observations, prefix, plan.most_rows, seed);
  const OutputWarp warp = OutputWarp::Fit(observations.Aligned(prefix), options.warp);
  return FitParameters(observations.PointsAt(rows), groups, LabelsAt(warp, rows), starts, options, stop).parameters;
}

}  // namespace

void Observations::Add(const Encoder& encoder, absl::Span<const double> snapped, double value) {
  const auto at = static_cast<Eigen::Index>(values.size());
  if (points.cols() <= at) points.conservativeResize(encoder.width(), at + at / 2 + 16);
  encoder.Encode(snapped, points.col(at).data());
  values.push_back(value);
}

void Observations::AddAt(const Encoder& encoder, absl::Span<const double> snapped, double value, double fidelity,
                         int64_t resource, int32_t trial) {
  const auto at = static_cast<Eigen::Index>(values.size());
  Add(encoder, snapped, value);
  points(encoder.width() - 1, at) = Encoder::FidelityColumn(fidelity);
  resources.push_back(resource);
  trials.push_back(trial);
}

std::vector<double> Observations::Aligned(int64_t prefix) const {
  std::vector<double> aligned(values.begin(), values.begin() + static_cast<ptrdiff_t>(prefix));
  if (resources.empty()) return aligned;
  std::map<int64_t, std::map<int32_t, double>> levels;  // resource, trial: value
  for (size_t i = 0; i < aligned.size(); ++i) {
    if (!std::isnan(aligned[i])) levels[resources[i]][trials[i]] = aligned[i];
  }
  const auto median = [](std::vector<double> numbers) {
    const auto middle = numbers.begin() + static_cast<ptrdiff_t>(numbers.size() / 2);
    std::nth_element(numbers.begin(), middle, numbers.end());
    return *middle;
  };
  std::map<int64_t, double> shifts;
  double shift = 0;
  for (auto level = levels.rbegin(); level != levels.rend(); ++level) {
    shifts[level->first] = shift;
    const auto below = std::next(level);
    if (below == levels.rend()) break;
    std::vector<double> gains;
    for (const auto& [trial, value] : below->second) {
      const auto later = level->second.find(trial);
      if (later != level->second.end()) gains.push_back(later->second - value);
    }
    if (!gains.empty()) shift += median(std::move(gains));
  }
  for (size_t i = 0; i < aligned.size(); ++i) {
    if (const auto it = shifts.find(resources[i]); it != shifts.end()) aligned[i] += it->second;
  }
  return aligned;
}

Eigen::MatrixXd Observations::PointsAt(const std::vector<int>& places) const {
  Eigen::MatrixXd result(points.rows(), static_cast<Eigen::Index>(places.size()));
  for (size_t i = 0; i < places.size(); ++i) result.col(static_cast<Eigen::Index>(i)) = points.col(places[i]);
  return result;
}

Observations Observations::Head(int64_t prefix) const {
  return {.points = points.leftCols(prefix),
          .values = std::vector<double>(values.begin(), values.begin() + static_cast<ptrdiff_t>(prefix)),
          .resources = resources,
          .trials = trials};
}

int64_t FitPlan::AnchorOf(int64_t prefix) const {
  int64_t anchor = 0;
  for (int64_t next = first_anchor; next <= prefix;
       next = std::max(next + 1, static_cast<int64_t>(std::ceil(static_cast<double>(next) * anchor_growth)))) {
    anchor = next;
  }
  return anchor;
}

bool FitPlan::IsDue(int64_t fitted, int64_t known) const {
  if (known <= fitted) return false;
  if (known <= every_time || known >= fitted + most_appended) return true;
  if (known > window_from) return known >= fitted + window_refit;
  return static_cast<double>(known) >= refit_growth * static_cast<double>(fitted);
}

std::optional<Fit> MakeFit(const Observations& observations, const std::vector<int>& groups, int group_count,
                           int64_t prefix, int64_t anchor, const std::optional<KnownAnchor>& known_anchor,
                           const FitPlan& plan, const FitOptions& options, uint64_t seed, core::StopToken stop) {
  Fit fit;
  const KernelParameters standard = DefaultParameters(group_count, options);
  if (anchor == 0) {
    fit.anchor_parameters = standard;
  } else if (known_anchor.has_value() && known_anchor->prefix == anchor) {
    fit.anchor_parameters = known_anchor->parameters;
  } else {
    std::vector<KernelParameters> starts = {standard};
    for (int i = 0; i < plan.random_starts; ++i) {
      starts.push_back(RandomParameters(group_count, seed, static_cast<uint64_t>(i)));
    }
    fit.anchor_parameters = Learn(observations, groups, anchor, starts, plan, options, seed, stop);
  }
  fit.parameters = fit.anchor_parameters;
  if (prefix != anchor) {
    fit.parameters = Learn(observations, groups, prefix, {fit.anchor_parameters}, plan, options, seed, stop);
  }
  if (core::Stopped(stop)) return std::nullopt;
  fit.rows = WindowRows(observations, groups, prefix, fit.parameters, plan, seed);
  fit.posterior.emplace(observations.PointsAt(fit.rows), groups, fit.parameters);
  if (core::Stopped(stop)) return std::nullopt;
  return fit;
}

Eigen::VectorXd LabelsAt(const OutputWarp& warp, const std::vector<int>& places) {
  Eigen::VectorXd labels(static_cast<Eigen::Index>(places.size()));
  for (size_t i = 0; i < places.size(); ++i) labels[static_cast<Eigen::Index>(i)] = warp.labels()[places[i]];
  return labels;
}

}  // namespace tuner::strategies::gp
