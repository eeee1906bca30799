// The search space: parameters, their domains, and the way between values and the unit cube.
//
// Threads: immutable after Make; every method may be called from any thread. Errors: as each method says.
// Units: a unit coordinate is in [0, 1]. Each value of an integer, stepped or listed domain owns a cell of it
// (half-step padding), so that rounding back is uniform: equal cells for linear and listed domains; on another scale,
// those between the midpoints to its neighbours.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/numeric/int128.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/problem.h"

namespace tuner::core {

using ParameterValue = std::variant<double, int64_t, std::string, bool>;
// Active parameters of one point by name.
using ParameterMap = absl::btree_map<std::string, ParameterValue>;

enum class Scale { kAuto, kLinear, kLog, kReverseLog };

struct DoubleDomain {
  double min = 0;
  double max = 0;
  Scale scale = Scale::kAuto;
  std::optional<double> step;
  std::optional<int32_t> grid_points;
};
struct IntegerDomain {
  int64_t min = 0;
  int64_t max = 0;
  Scale scale = Scale::kAuto;
  std::optional<int64_t> step;
};
struct CategoricalDomain {
  std::vector<std::string> values;
};
struct BooleanDomain {};  // false, true
struct DiscreteDomain {
  std::vector<double> values;  // ascending after Make
  Scale scale = Scale::kAuto;
};
using Domain = std::variant<DoubleDomain, IntegerDomain, CategoricalDomain, BooleanDomain, DiscreteDomain>;

struct Parameter {
  std::string name;
  Domain domain;
  std::optional<ParameterValue> default_value;
  int parent = -1;  // index of the parent in the space, or -1; parents come before their children
  std::vector<ParameterValue> parent_values;  // active when the parent is active and has one of these
  std::string path;                           // field path in the specification, for problems
};

// "LOG" for kLog and so on, as the proto spells it.
std::string_view ScaleName(Scale scale);
// 0.1 -> "0.1", 4 -> "4", true -> "true": shortest text that reads back to the same value. What a trial is given.
std::string FormatValue(const ParameterValue& value);

// In how much of a box of points something is so, from least to most. kSome may also be said where it cannot be told.
enum class Extent { kNone, kSome, kAll };

// The numbers (SearchSpace::NumbersFromUnits) that one parameter takes in a box of points, and whether it is active.
struct Interval {
  double low = 0;
  double high = 0;
  Extent active = Extent::kAll;
};

class SearchSpace {
 public:
  SearchSpace() = default;

  // Resolves AUTO scales and sorts discrete values. Expects parameters that ValidateParameters accepts.
  static SearchSpace Make(std::vector<Parameter> parameters);

  const std::vector<Parameter>& parameters() const { return parameters_; }
  std::optional<int> Find(std::string_view name) const;

  // Whether parameter `index` is active, given the values of its ancestors in `point`.
  bool IsActive(int index, const ParameterMap& point) const;

  // The point with each value in its domain's type (4.0 -> 4 for an integer), or INVALID_ARGUMENT naming every value
  // that is missing, unknown, inactive or outside of its domain (also off its step). Paths start with "parameters.".
  absl::StatusOr<ParameterMap> Canonical(const ParameterMap& point) const;
  bool Contains(const ParameterMap& point) const { return Canonical(point).ok(); }

  // Value <-> unit coordinate of parameter `index`. FromUnit clamps u into [0, 1], and its result is in the domain.
  // ToUnit expects a value of the domain. A domain of one value has coordinate 0.5. FromUnit(ToUnit(v)) is v in a
  // domain whose cells are wider than 2^-48, else it may be a neighbour; in a continuous domain it is v but for
  // rounding.
  double ToUnit(int index, const ParameterValue& value) const;
  ParameterValue FromUnit(int index, double u) const;

  // The point of a whole vector of unit coordinates, one for each parameter, those of inactive parameters ignored.
  ParameterMap PointFromUnits(const std::vector<double>& units) const;

  // Points as numbers, one for each parameter: the value of a double, integer or discrete one, the place in the list of
  // a category, 0 or 1 of a boolean; NaN of an inactive one. The first takes a point that Canonical returned. No
  // allocation.
  void Numbers(const ParameterMap& point, absl::Span<double> numbers) const;
  void NumbersFromUnits(absl::Span<const double> units, absl::Span<double> numbers) const;
  // The whole space: the numbers that each parameter takes.
  std::vector<Interval> Box() const;
  // Under how many of its parent's values of places `first` to `last` (ValueAt) parameter `child` is active.
  Extent ActiveUnder(int child, uint64_t first, uint64_t last) const;

  // Number of values of parameter `index`; nullopt if it is continuous. With `for_grid`, a double with grid_points has
  // that many.
  std::optional<absl::uint128> ValueCount(int index, bool for_grid) const;
  // The `i`-th value (0-based, ascending, or as listed) of a countable parameter.
  ParameterValue ValueAt(int index, absl::uint128 i, bool for_grid) const;
  // The tree of parameters: those without a parent; the children of one; those of them that are active when it has its
  // value of the place.
  absl::Span<const int> roots() const { return roots_; }
  absl::Span<const int> ChildrenOf(int index) const { return children_[static_cast<size_t>(index)]; }
  std::vector<int> ActiveChildren(int index, uint64_t place) const;
  // Points of countable parameters that are active together, their descendants included; saturates at 2^128 - 1. And of
  // one parameter with a value of places `first` to `last`.
  absl::uint128 CountOf(absl::Span<const int> siblings, bool for_grid) const;
  absl::uint128 CountUnder(int index, uint64_t first, uint64_t last, bool for_grid) const;

  // Number of distinct points, conditions respected; nullopt if a parameter is continuous; saturates at 2^128 - 1.
  std::optional<absl::uint128> PointCount(bool for_grid) const;
  // The `i`-th point in lexicographic order: the last parameter changes fastest, children count as following their
  // parent. Needs no memory. i < PointCount.
  ParameterMap PointAt(absl::uint128 i, bool for_grid) const;
  // Inverse of PointAt without for_grid, for a point that Canonical returned; nullopt where PointCount is nullopt or
  // saturated.
  std::optional<absl::uint128> IndexOf(const ParameterMap& point) const;

 private:
  bool IsActiveUnder(int child, uint64_t parent_index) const;
  void CountPoints(bool for_grid);
  void AppendPoint(absl::Span<const int> siblings, absl::uint128 i, bool for_grid, ParameterMap& point) const;
  absl::uint128 IndexAmong(absl::Span<const int> siblings, const ParameterMap& point) const;

  std::vector<Parameter> parameters_;
  std::vector<int> roots_;
  std::vector<std::vector<int>> children_;  // by parent
  // By child: places of parent_values in the parent's domain, ascending.
  std::vector<std::vector<uint64_t>> parent_indexes_;
  // By parent: places of the values that bring children, ascending. All others stand for one point each.
  std::vector<std::vector<uint64_t>> branching_;
  // Points of a parameter and its descendants, [1] for the grid; 0 if it is continuous.
  std::array<std::vector<absl::uint128>, 2> counts_;
};

}  // namespace tuner::core
