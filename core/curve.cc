#include "core/curve.h"

#include <algorithm>
#include <cmath>

namespace tuner::core {

void Curve::Put(int32_t attempt, int64_t step, double value) {
  if (!std::isfinite(value)) return;
  auto place = std::ranges::lower_bound(points_, step, {}, &Point::step);
  // A later attempt began at or before this step.
  const auto after = std::ranges::upper_bound(points_, step, {}, &Point::step);
  if (after != points_.begin() && std::prev(after)->attempt > attempt) return;
  auto own = place;
  while (own != points_.end() && own->attempt < attempt) ++own;
  place = points_.erase(place, own);
  if (place != points_.end() && place->step == step) {
    if (place->value == value) return;
    place->value = value;
  } else {
    place = points_.insert(place, Point{step, value, attempt});
  }
  Accumulate(static_cast<size_t>(place - points_.begin()));
}

void Curve::Accumulate(size_t from) {
  for (size_t i = from; i < points_.size(); ++i) {
    Point& point = points_[i];
    point.sum = point.min = point.max = point.value;
    if (i == 0) continue;
    const Point& before = points_[i - 1];
    point.sum += before.sum;
    point.min = std::min(point.min, before.min);
    point.max = std::max(point.max, before.max);
  }
}

int64_t Curve::CountUpTo(int64_t step) const {
  return std::ranges::upper_bound(points_, step, {}, &Point::step) - points_.begin();
}

std::optional<double> Curve::ValueAt(int64_t step) const {
  const int64_t count = CountUpTo(step);
  if (count == 0) return std::nullopt;
  return points_[static_cast<size_t>(count) - 1].value;
}

std::optional<double> Curve::BestUpTo(int64_t step, Goal goal) const {
  const int64_t count = CountUpTo(step);
  if (count == 0) return std::nullopt;
  const Point& last = points_[static_cast<size_t>(count) - 1];
  return goal == Goal::kMinimize ? last.min : last.max;
}

std::optional<double> Curve::AverageUpTo(int64_t step) const {
  const int64_t count = CountUpTo(step);
  if (count == 0) return std::nullopt;
  return points_[static_cast<size_t>(count) - 1].sum / static_cast<double>(count);
}

const Curve* FindCurve(const Curves& curves, const std::string& metric) {
  const auto it = curves.find(metric);
  return it == curves.end() ? nullptr : &it->second;
}

}  // namespace tuner::core
