#include "core/search_space.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/domain.h"

namespace tuner::core {
namespace {

constexpr absl::uint128 kSaturated = std::numeric_limits<absl::uint128>::max();

absl::uint128 SaturatingAdd(absl::uint128 a, absl::uint128 b) { return a > kSaturated - b ? kSaturated : a + b; }

absl::uint128 SaturatingMultiply(absl::uint128 a, absl::uint128 b) {
  return a != 0 && b > kSaturated / a ? kSaturated : a * b;
}

std::string ParameterPath(const std::string& name) { return absl::StrCat("parameters.", name); }

}  // namespace

std::string_view ScaleName(Scale scale) {
  switch (scale) {
    case Scale::kAuto:
      return "AUTO";
    case Scale::kLinear:
      return "LINEAR";
    case Scale::kLog:
      return "LOG";
    case Scale::kReverseLog:
      return "REVERSE_LOG";
  }
  return "";
}

std::string FormatValue(const ParameterValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* integer = std::get_if<int64_t>(&value)) return absl::StrCat(*integer);
  char text[32];
  const auto printed = std::to_chars(text, text + sizeof(text), std::get<double>(value));
  return std::string(text, printed.ptr);
}

SearchSpace SearchSpace::Make(std::vector<Parameter> parameters) {
  SearchSpace space;
  space.parameters_ = std::move(parameters);
  const size_t count = space.parameters_.size();
  space.children_.resize(count);
  space.parent_indexes_.resize(count);
  space.branching_.resize(count);
  for (size_t i = 0; i < count; ++i) {
    Parameter& parameter = space.parameters_[i];
    parameter.domain = domain::Resolve(std::move(parameter.domain));
    if (parameter.default_value.has_value()) {
      parameter.default_value = domain::Canonical(parameter.domain, *parameter.default_value);
    }
    if (parameter.parent < 0) {
      space.roots_.push_back(static_cast<int>(i));
      continue;
    }
    space.children_[parameter.parent].push_back(static_cast<int>(i));
    const Domain& parent = space.parameters_[parameter.parent].domain;
    std::vector<uint64_t>& indexes = space.parent_indexes_[i];
    for (ParameterValue& value : parameter.parent_values) {
      value = domain::Canonical(parent, value).value_or(value);
      indexes.push_back(domain::IndexOf(parent, value));
    }
    std::sort(indexes.begin(), indexes.end());
    indexes.erase(std::unique(indexes.begin(), indexes.end()), indexes.end());
    std::vector<uint64_t>& branching = space.branching_[parameter.parent];
    std::vector<uint64_t> both;
    std::set_union(branching.begin(), branching.end(), indexes.begin(), indexes.end(), std::back_inserter(both));
    branching = std::move(both);
  }
  space.CountPoints(/*for_grid=*/false);
  space.CountPoints(/*for_grid=*/true);
  return space;
}

std::optional<int> SearchSpace::Find(std::string_view name) const {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (parameters_[i].name == name) return static_cast<int>(i);
  }
  return std::nullopt;
}

bool SearchSpace::IsActive(int index, const ParameterMap& point) const {
  for (int child = index, parent = parameters_[index].parent; parent >= 0;
       child = parent, parent = parameters_[parent].parent) {
    const auto found = point.find(parameters_[parent].name);
    if (found == point.end()) return false;
    const std::optional<ParameterValue> value = domain::Canonical(parameters_[parent].domain, found->second);
    if (!value.has_value() || !IsActiveUnder(child, domain::IndexOf(parameters_[parent].domain, *value))) return false;
  }
  return true;
}

bool SearchSpace::IsActiveUnder(int child, uint64_t parent_index) const {
  const std::vector<uint64_t>& indexes = parent_indexes_[child];
  return std::binary_search(indexes.begin(), indexes.end(), parent_index);
}

absl::StatusOr<ParameterMap> SearchSpace::Canonical(const ParameterMap& point) const {
  ParameterMap canonical;
  std::vector<std::string> problems;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& parameter = parameters_[i];
    const auto given = point.find(parameter.name);
    if (!IsActive(static_cast<int>(i), canonical)) {
      if (given == point.end()) continue;
      const std::string& parent = parameters_[parameter.parent].name;
      // A bad value of the parent is its own problem, and says nothing about the child.
      if (point.contains(parent) && !canonical.contains(parent) && IsActive(parameter.parent, canonical)) continue;
      problems.push_back(absl::StrCat(ParameterPath(parameter.name), ": is not active under this value of ", parent,
                                      "; leave it out"));
      continue;
    }
    if (given == point.end()) {
      problems.push_back(
          absl::StrCat(ParameterPath(parameter.name), ": is missing; give ", domain::Describe(parameter.domain)));
      continue;
    }
    std::optional<ParameterValue> value = domain::Canonical(parameter.domain, given->second);
    if (!value.has_value()) {
      problems.push_back(absl::StrCat(ParameterPath(parameter.name), ": ", FormatValue(given->second),
                                      " is outside of its domain; give ", domain::Describe(parameter.domain)));
      continue;
    }
    canonical.emplace(parameter.name, *std::move(value));
  }
  for (const auto& [name, value] : point) {
    if (!Find(name).has_value()) {
      problems.push_back(
          absl::StrCat(ParameterPath(name), ": the search space has no parameter of this name; leave it out"));
    }
  }
  if (!problems.empty()) return absl::InvalidArgumentError(absl::StrJoin(problems, "\n"));
  return canonical;
}

double SearchSpace::ToUnit(int index, const ParameterValue& value) const {
  return domain::ToUnit(parameters_[index].domain, value);
}

ParameterValue SearchSpace::FromUnit(int index, double u) const {
  return domain::FromUnit(parameters_[index].domain, u);
}

ParameterMap SearchSpace::PointFromUnits(const std::vector<double>& units) const {
  ParameterMap point;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (IsActive(static_cast<int>(i), point))
      point.emplace(parameters_[i].name, FromUnit(static_cast<int>(i), units[i]));
  }
  return point;
}

void SearchSpace::Numbers(const ParameterMap& point, absl::Span<double> numbers) const {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const auto found = point.find(parameters_[i].name);
    numbers[i] = found == point.end() ? std::numeric_limits<double>::quiet_NaN()
                                      : domain::Number(parameters_[i].domain, found->second);
  }
}

void SearchSpace::NumbersFromUnits(absl::Span<const double> units, absl::Span<double> numbers) const {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const int parent = parameters_[i].parent;
    const bool active = parent < 0 || (!std::isnan(numbers[parent]) &&
                                       IsActiveUnder(static_cast<int>(i),
                                                     domain::PlaceFromUnit(parameters_[parent].domain, units[parent])));
    numbers[i] =
        active ? domain::NumberFromUnit(parameters_[i].domain, units[i]) : std::numeric_limits<double>::quiet_NaN();
  }
}

std::vector<Interval> SearchSpace::Box() const {
  std::vector<Interval> box;
  for (const Parameter& parameter : parameters_) {
    const std::optional<uint64_t> count = domain::Count(parameter.domain, /*for_grid=*/false);
    const bool is_root = parameter.parent < 0;
    if (count.has_value()) {
      box.push_back(
          {domain::NumberAt(parameter.domain, 0, false), domain::NumberAt(parameter.domain, *count - 1, false)});
    } else {
      const auto& real = std::get<DoubleDomain>(parameter.domain);
      box.push_back({real.min, real.max});
    }
    if (!is_root) box.back().active = Extent::kSome;
  }
  return box;
}

Extent SearchSpace::ActiveUnder(int child, uint64_t first, uint64_t last) const {
  const std::vector<uint64_t>& indexes = parent_indexes_[child];
  const auto begin = std::lower_bound(indexes.begin(), indexes.end(), first);
  const auto count = static_cast<uint64_t>(std::upper_bound(begin, indexes.end(), last) - begin);
  return count == 0 ? Extent::kNone : count == last - first + 1 ? Extent::kAll : Extent::kSome;
}

std::optional<absl::uint128> SearchSpace::ValueCount(int index, bool for_grid) const {
  const std::optional<uint64_t> count = domain::Count(parameters_[index].domain, for_grid);
  if (!count.has_value()) return std::nullopt;
  return *count;
}

ParameterValue SearchSpace::ValueAt(int index, absl::uint128 i, bool for_grid) const {
  return domain::ValueAt(parameters_[index].domain, absl::Uint128Low64(i), for_grid);
}

std::optional<absl::uint128> SearchSpace::PointCount(bool for_grid) const {
  for (const Parameter& parameter : parameters_) {
    if (!domain::Count(parameter.domain, for_grid).has_value()) return std::nullopt;
  }
  return CountOf(roots_, for_grid);
}

ParameterMap SearchSpace::PointAt(absl::uint128 i, bool for_grid) const {
  ParameterMap point;
  AppendPoint(roots_, i, for_grid, point);
  return point;
}

std::optional<absl::uint128> SearchSpace::IndexOf(const ParameterMap& point) const {
  const std::optional<absl::uint128> count = PointCount(/*for_grid=*/false);
  if (!count.has_value() || *count == kSaturated) return std::nullopt;
  return IndexAmong(roots_, point);
}

std::vector<int> SearchSpace::ActiveChildren(int index, uint64_t value_index) const {
  std::vector<int> active;
  for (const int child : children_[index]) {
    if (IsActiveUnder(child, value_index)) active.push_back(child);
  }
  return active;
}

// Children stand behind their parents, so from the back every child is counted before it is needed.
void SearchSpace::CountPoints(bool for_grid) {
  std::vector<absl::uint128>& counts = counts_[for_grid];
  counts.resize(parameters_.size());
  for (int index = static_cast<int>(parameters_.size()) - 1; index >= 0; --index) {
    const std::optional<uint64_t> values = domain::Count(parameters_[index].domain, for_grid);
    if (!values.has_value()) continue;
    absl::uint128 count = *values - branching_[index].size();
    for (const uint64_t value : branching_[index]) {
      count = SaturatingAdd(count, CountOf(ActiveChildren(index, value), for_grid));
    }
    counts[index] = count;
  }
}

absl::uint128 SearchSpace::CountOf(absl::Span<const int> siblings, bool for_grid) const {
  absl::uint128 count = 1;
  for (const int index : siblings) count = SaturatingMultiply(count, counts_[for_grid][index]);
  return count;
}

absl::uint128 SearchSpace::CountUnder(int index, uint64_t first, uint64_t last, bool for_grid) const {
  absl::uint128 count = absl::uint128(last - first) + 1;
  const std::vector<uint64_t>& branching = branching_[index];
  for (auto at = std::lower_bound(branching.begin(), branching.end(), first); at != branching.end() && *at <= last;
       ++at) {
    count = SaturatingAdd(count - 1, CountOf(ActiveChildren(index, *at), for_grid));
  }
  return count;
}

void SearchSpace::AppendPoint(absl::Span<const int> siblings, absl::uint128 i, bool for_grid,
                              ParameterMap& point) const {
  for (size_t s = 0; s < siblings.size(); ++s) {
    // Where the faster ones saturate, i is below their count and this one stays at its first value.
    const absl::uint128 period = CountOf(siblings.subspan(s + 1), for_grid);
    const int index = siblings[s];
    absl::uint128 own = i / period;
    i %= period;
    uint64_t next = 0;  // values before it are behind us
    bool branched = false;
    for (const uint64_t value : branching_[index]) {
      if (own < value - next) break;
      own -= value - next;
      const std::vector<int> children = ActiveChildren(index, value);
      const absl::uint128 below = CountOf(children, for_grid);
      next = value;
      if (own < below) {
        point.emplace(parameters_[index].name, domain::ValueAt(parameters_[index].domain, value, for_grid));
        AppendPoint(children, own, for_grid, point);
        branched = true;
        break;
      }
      own -= below;
      ++next;
    }
    if (branched) continue;
    const uint64_t value = next + absl::Uint128Low64(own);
    point.emplace(parameters_[index].name, domain::ValueAt(parameters_[index].domain, value, for_grid));
  }
}

absl::uint128 SearchSpace::IndexAmong(absl::Span<const int> siblings, const ParameterMap& point) const {
  absl::uint128 position = 0;
  for (const int index : siblings) {
    const uint64_t own_value = domain::IndexOf(parameters_[index].domain, point.find(parameters_[index].name)->second);
    absl::uint128 own = own_value;
    for (const uint64_t value : branching_[index]) {
      if (value > own_value) break;
      const std::vector<int> children = ActiveChildren(index, value);
      // A branching value before ours takes as many places as its children have points, not one.
      own += value == own_value ? IndexAmong(children, point) : CountOf(children, /*for_grid=*/false) - 1;
    }
    position = position * counts_[false][index] + own;
  }
  return position;
}

}  // namespace tuner::core
