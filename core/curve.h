// The values of one metric of one trial by step, over all of its attempts.
//
// An attempt that starts again takes the place of what earlier ones measured from its first step on; one that goes on
// from a checkpoint adds to it. Values that are not finite are left out. Threads: a plain value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "core/job_spec.h"

namespace tuner::core {

class Curve {
 public:
  struct Point {
    int64_t step = 0;
    double value = 0;
    int32_t attempt = 0;
    // Over this and all earlier points.
    double sum = 0;
    double min = 0;
    double max = 0;
  };

  // Amortised O(1) for steps in order. The same (attempt, step) again replaces its value; the order of calls for
  // different ones does not matter.
  void Put(int32_t attempt, int64_t step, double value);

  bool empty() const { return points_.empty(); }
  const std::vector<Point>& points() const { return points_; }  // by step
  int64_t last_step() const { return points_.empty() ? 0 : points_.back().step; }
  // All of steps up to and with `step`; nullopt: there is none.
  std::optional<double> ValueAt(int64_t step) const;  // the last one
  std::optional<double> BestUpTo(int64_t step, Goal goal) const;
  std::optional<double> AverageUpTo(int64_t step) const;
  // Number of points up to and with `step`.
  int64_t CountUpTo(int64_t step) const;

 private:
  void Accumulate(size_t from);

  std::vector<Point> points_;  // attempts do not fall with steps
};

// By metric.
using Curves = absl::btree_map<std::string, Curve>;

// Null: nothing of that metric is kept.
const Curve* FindCurve(const Curves& curves, const std::string& metric);

}  // namespace tuner::core
