// Random search spaces from a seed, and a naive twin of SearchSpace: everything by listing.
// Threads: each object for one thread. The spaces are small enough to be listed whole.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/rng.h"
#include "core/search_space.h"

namespace tuner::core {

inline Parameter Named(std::string name, Domain domain) {
  Parameter parameter;
  parameter.name = std::move(name);
  parameter.domain = std::move(domain);
  parameter.path = absl::StrCat("parameters.", parameter.name);
  return parameter;
}

inline Parameter Child(Parameter parameter, int parent, std::vector<ParameterValue> values) {
  parameter.parent = parent;
  parameter.parent_values = std::move(values);
  return parameter;
}

inline std::string Text(const ParameterMap& point) {
  std::string text;
  for (const auto& [name, value] : point)
    absl::StrAppend(&text, name, "=", FormatValue(value), ":", value.index(), " ");
  return text;
}

// The values of a countable domain, ascending or as listed.
inline std::vector<ParameterValue> NaiveValues(const Domain& domain) {
  std::vector<ParameterValue> values;
  if (const auto* real = std::get_if<DoubleDomain>(&domain)) {
    if (!real->step.has_value()) return {real->min};
    for (int i = 0; real->min + i * *real->step <= real->max + 1e-9; ++i) {
      values.push_back(std::min(std::stod(absl::StrCat(real->min + i * *real->step)), real->max));
    }
  } else if (const auto* integer = std::get_if<IntegerDomain>(&domain)) {
    for (int64_t v = integer->min; v <= integer->max; v += integer->step.value_or(1)) values.push_back(v);
  } else if (const auto* categorical = std::get_if<CategoricalDomain>(&domain)) {
    for (const std::string& v : categorical->values) values.push_back(v);
  } else if (const auto* discrete = std::get_if<DiscreteDomain>(&domain)) {
    std::vector<double> sorted = discrete->values;
    std::sort(sorted.begin(), sorted.end());
    for (const double v : sorted) values.push_back(v);
  } else {
    values = {false, true};
  }
  return values;
}

// Every point, the last parameter changing fastest.
inline std::vector<ParameterMap> NaivePoints(const std::vector<Parameter>& parameters) {
  std::vector<ParameterMap> points = {{}};
  for (const Parameter& parameter : parameters) {
    std::vector<ParameterMap> longer;
    for (const ParameterMap& point : points) {
      bool active = true;
      if (parameter.parent >= 0) {
        const auto parent = point.find(parameters[parameter.parent].name);
        const auto& brings = parameter.parent_values;
        active = parent != point.end() && std::find(brings.begin(), brings.end(), parent->second) != brings.end();
      }
      if (!active) {
        longer.push_back(point);
        continue;
      }
      for (const ParameterValue& value : NaiveValues(parameter.domain)) {
        longer.push_back(point);
        longer.back().emplace(parameter.name, value);
      }
    }
    points = std::move(longer);
  }
  return points;
}

class RandomSpaces {
 public:
  explicit RandomSpaces(uint64_t seed) : rng_(seed, 0, 77) {}

  uint64_t Below(uint64_t bound) { return rng_.NextBelow(bound); }
  double Uniform() { return rng_.NextDouble(); }

  // A countable domain of at most `largest` values.
  Domain NextDomain(uint64_t largest) {
    const uint64_t count = 1 + Below(largest);
    const Scale scale = std::vector<Scale>{Scale::kAuto, Scale::kLinear, Scale::kLog}[Below(3)];
    switch (Below(5)) {
      case 0: {
        const double step = std::vector<double>{0.1, 0.25, 0.5, 3}[Below(4)];
        const double min = scale == Scale::kLog ? step : static_cast<double>(Below(9)) - 4;
        const double slack = Below(2) == 0 ? 0 : 0.4 * step;  // max need not be on a step
        if (count == 1) return DoubleDomain{.min = min, .max = min, .scale = scale};
        return DoubleDomain{
            .min = min, .max = min + static_cast<double>(count - 1) * step + slack, .scale = scale, .step = step};
      }
      case 1: {
        const int64_t min =
            scale == Scale::kLog ? 1 + static_cast<int64_t>(Below(50)) : static_cast<int64_t>(Below(100)) - 50;
        const int64_t step = count > 1 ? 1 + static_cast<int64_t>(Below(7)) : 1;
        IntegerDomain domain{.min = min, .max = min + static_cast<int64_t>(count - 1) * step, .scale = scale};
        if (step > 1 || Below(2) == 0) domain.step = step;
        return domain;
      }
      case 2: {
        CategoricalDomain domain;
        for (uint64_t i = 0; i < count; ++i) domain.values.push_back(absl::StrCat("v", (i * 7) % 101));
        return domain;
      }
      case 3: {
        DiscreteDomain domain;
        for (uint64_t i = 0; i < count; ++i) domain.values.push_back(static_cast<double>(1 + (i * 37) % 101) / 8);
        return domain;
      }
      default:
        return BooleanDomain{};
    }
  }

  // Parents come right before their descendants, so that the list is in the order of PointAt.
  std::vector<Parameter> NextParameters(int most) {
    std::vector<Parameter> parameters;
    const int count = 1 + static_cast<int>(Below(most));
    std::vector<int> line = {-1};  // the last parameter and its ancestors
    for (int i = 0; i < count; ++i) {
      Parameter parameter = Named(absl::StrCat("p", i), NextDomain(4));
      const int parent = line[Below(line.size())];
      if (parent >= 0 && !std::holds_alternative<DoubleDomain>(parameters[parent].domain)) {
        parameter.parent = parent;
        for (const ParameterValue& value : NaiveValues(parameters[parent].domain)) {
          if (Below(2) == 0) parameter.parent_values.push_back(value);
        }
        while (line.back() != parent) line.pop_back();
      } else {
        line = {-1};
      }
      line.push_back(i);
      parameters.push_back(std::move(parameter));
    }
    return parameters;
  }

 private:
  Rng rng_;
};

}  // namespace tuner::core
