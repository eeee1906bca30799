// Conditions over several parameters that every proposal satisfies: "max_depth * 2 + num_leaves <= 64".
//
// Grammar and meaning: docs/constraints.md. In short: `not` is carried inwards to the comparisons first; then a
// comparison that mentions an inactive parameter holds. Two sides count as equal when they differ by no more than
// 1e-12 of their terms' sizes (not at all where all terms are whole), so that rounding decides nothing.
//
// Threads: immutable after Parse; any thread. Copies share what was parsed.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "core/problem.h"
#include "core/search_space.h"

namespace tuner::core {

// The sum of coefficient * value is at most `bound`; below it if `strict`. By index of the parameter in the space,
// ascending; all of them are numbers (double, integer, discrete), and none has coefficient 0.
struct LinearInequality {
  std::vector<std::pair<int, double>> terms;
  double bound = 0;
  bool strict = false;
};

class ConstraintSet {
 public:
  static constexpr int kMaxSize = 100;

  // No constraint: every point satisfies it.
  ConstraintSet() = default;

  // Adds every problem, by paths "constraints" and "constraints[i]". Static parameters stand for their values. Null
  // `space`: its own problems forbid to look names up, so only the grammar is checked, and the result is empty.
  static ConstraintSet Parse(absl::Span<const std::string> texts, const SearchSpace* space,
                             const ParameterMap& static_parameters, Problems& problems);

  bool empty() const { return size() == 0; }
  int size() const;
  const std::string& text(int i) const;
  // nullopt: it is not one linear inequality between numbers, but has `and`, `or`, =, != or other values. An inequality
  // that mentions an inactive parameter holds.
  const std::optional<LinearInequality>& linear(int i) const;
  // Indexes of the parameters that stand in constraint `i`, ascending.
  absl::Span<const int> Mentioned(int i) const;

  // Expect a point of the space, and its numbers as SearchSpace::NumbersFromUnits gives them. No allocation.
  bool Satisfied(const ParameterMap& point) const;
  bool Satisfied(absl::Span<const double> numbers) const { return !Broken(numbers).has_value(); }
  // The first one that the point breaks, and whether it breaks one.
  std::optional<int> Broken(const ParameterMap& point) const;
  std::optional<int> Broken(absl::Span<const double> numbers) const;
  bool Holds(int i, absl::Span<const double> numbers) const;
  // "breaks constraints[1] `a <= b`", for refusals.
  std::string Quote(int i) const;

  // In how much of the box constraint `i` holds; `box` has one interval for each parameter. Interval arithmetic: kNone
  // and kAll are certain. Exact for a box that is one point.
  Extent Judge(int i, absl::Span<const Interval> box) const;
  // A guess at the share of the box in which constraint `i` holds, in [0, 1]: of two halves, where to look first.
  double Promise(int i, absl::Span<const Interval> box) const;

  // Values that single comparisons of constraint `i` leave to a continuous parameter ("alpha = 0", or "dropout <= 0"
  // from 0 to 0.5) and that hardly any draw has: what a sampler may try. By index of the parameter.
  absl::Span<const std::pair<int, double>> Pins(int i) const;

 private:
  struct Rep;
  std::shared_ptr<const Rep> rep_;  // null: no constraint
};

}  // namespace tuner::core
