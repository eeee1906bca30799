// Random constraints from a seed, with a naive twin of what they mean: comparisons in three values (an inactive
// parameter makes one unknown), `not`, `and` and `or` after Kleene; a constraint holds unless it is false for certain.
// Threads: each object for one thread.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/search_space.h"
#include "tests/core/random_space.h"

namespace tuner::core {

class RandomConstraint {
 public:
  // `feasible`: a point that satisfies it.
  static RandomConstraint Make(RandomSpaces& random, const SearchSpace& space, const ParameterMap& feasible) {
    RandomConstraint constraint = Tree(random, space, feasible, 2);
    if (constraint.Holds(feasible)) return constraint;
    return Joined("or", {std::move(constraint), Tree(random, space, feasible, 0, /*holds=*/true)});
  }

  const std::string& text() const { return text_; }
  bool Holds(const ParameterMap& point) const { return Evaluate(point) != std::optional<bool>(false); }

 private:
  enum class Kind { kNot, kAnd, kOr, kSum, kValue };

  // nullopt: unknown.
  std::optional<bool> Evaluate(const ParameterMap& point) const {
    switch (kind_) {
      case Kind::kNot: {
        const std::optional<bool> inner = operands_[0].Evaluate(point);
        if (!inner.has_value()) return inner;
        return !*inner;
      }
      case Kind::kAnd:
      case Kind::kOr: {
        const bool decisive = kind_ == Kind::kOr;
        std::optional<bool> result = !decisive;
        for (const RandomConstraint& operand : operands_) {
          const std::optional<bool> value = operand.Evaluate(point);
          if (value == std::optional<bool>(decisive)) return decisive;
          if (!value.has_value()) result = std::nullopt;
        }
        return result;
      }
      case Kind::kSum:
        return EvaluateSum(point);
      case Kind::kValue:
        break;
    }
    const auto found = point.find(terms_[0].first);
    if (found == point.end()) return std::nullopt;
    return (found->second == value_) == (operator_ == "=");
  }

  std::optional<bool> EvaluateSum(const ParameterMap& point) const {
    long double sum = -bound_;
    for (const auto& [name, coefficient] : terms_) {
      const auto found = point.find(name);
      if (found == point.end()) return std::nullopt;
      const auto* whole = std::get_if<int64_t>(&found->second);
      sum += coefficient * (whole != nullptr ? static_cast<long double>(*whole) : std::get<double>(found->second));
    }
    const bool equal = std::fabs(sum) < 1e-9L;
    if (operator_ == "=") return equal;
    if (operator_ == "!=") return !equal;
    if (operator_ == "<") return !equal && sum < 0;
    if (operator_ == "<=") return equal || sum < 0;
    if (operator_ == ">") return !equal && sum > 0;
    return equal || sum > 0;
  }

  static RandomConstraint Joined(const std::string& word, std::vector<RandomConstraint> operands) {
    RandomConstraint result;
    result.kind_ = word == "and" ? Kind::kAnd : Kind::kOr;
    for (const RandomConstraint& operand : operands) {
      absl::StrAppend(&result.text_, result.text_.empty() ? "" : absl::StrCat(" ", word, " "), "(", operand.text_, ")");
    }
    result.operands_ = std::move(operands);
    return result;
  }

  static RandomConstraint Tree(RandomSpaces& random, const SearchSpace& space, const ParameterMap& feasible, int depth,
                               bool holds = false) {
    if (depth == 0 || random.Below(3) == 0) return Leaf(random, space, feasible, holds);
    if (random.Below(3) == 0) {
      RandomConstraint result;
      result.kind_ = Kind::kNot;
      result.operands_.push_back(Tree(random, space, feasible, depth - 1));
      result.text_ = absl::StrCat("not (", result.operands_[0].text_, ")");
      return result;
    }
    std::vector<RandomConstraint> operands;
    operands.push_back(Tree(random, space, feasible, depth - 1));
    operands.push_back(Tree(random, space, feasible, depth - 1));
    return Joined(random.Below(2) == 0 ? "and" : "or", std::move(operands));
  }

  static bool IsNumber(const Domain& domain) {
    return !std::holds_alternative<CategoricalDomain>(domain) && !std::holds_alternative<BooleanDomain>(domain);
  }

  // One comparison; with `holds` one that is not false for the point.
  static RandomConstraint Leaf(RandomSpaces& random, const SearchSpace& space, const ParameterMap& feasible,
                               bool holds) {
    const Parameter& first = space.parameters()[random.Below(space.parameters().size())];
    RandomConstraint leaf = IsNumber(first.domain) ? Sum(random, space, first, feasible) : Value(random, space, first);
    if (!holds || leaf.Holds(feasible)) return leaf;
    RandomConstraint opposite;
    opposite.kind_ = Kind::kNot;
    opposite.text_ = absl::StrCat("not ", leaf.text_);
    opposite.operands_.push_back(std::move(leaf));
    return opposite;
  }

  static RandomConstraint Value(RandomSpaces& random, const SearchSpace& space, const Parameter& parameter) {
    RandomConstraint leaf;
    leaf.kind_ = Kind::kValue;
    const int index = *space.Find(parameter.name);
    leaf.value_ = space.ValueAt(index, random.Below(absl::Uint128Low64(*space.ValueCount(index, false))), false);
    leaf.operator_ = random.Below(2) == 0 ? "=" : "!=";
    leaf.terms_ = {{parameter.name, 1}};
    const bool quoted = std::holds_alternative<std::string>(leaf.value_);
    leaf.text_ = absl::StrCat(parameter.name, " ", leaf.operator_, " ", quoted ? "'" : "", FormatValue(leaf.value_),
                              quoted ? "'" : "");
    return leaf;
  }

  static RandomConstraint Sum(RandomSpaces& random, const SearchSpace& space, const Parameter& first,
                              const ParameterMap& feasible) {
    RandomConstraint leaf;
    leaf.kind_ = Kind::kSum;
    leaf.terms_ = {{first.name, 1}};
    bool continuous = !space.ValueCount(*space.Find(first.name), false).has_value();
    for (const Parameter& other : space.parameters()) {
      if (other.name == first.name || !IsNumber(other.domain) || random.Below(2) == 0) continue;
      leaf.terms_.emplace_back(other.name, std::vector<double>{-2, -1, -0.5, 0.5, 1, 3}[random.Below(6)]);
      continuous |= !space.ValueCount(*space.Find(other.name), false).has_value();
    }
    // Near the sum at the point, so that both sides are usual.
    double at = static_cast<double>(random.Below(9)) - 4;
    for (const auto& [name, coefficient] : leaf.terms_) {
      const auto found = feasible.find(name);
      if (found == feasible.end()) continue;
      const auto* whole = std::get_if<int64_t>(&found->second);
      at += coefficient * (whole != nullptr ? static_cast<double>(*whole) : std::get<double>(found->second));
    }
    leaf.bound_ = std::round(at * 20) / 20;
    // Equality with a continuous parameter is refused; both ways, as `not` may stand around it.
    leaf.operator_ = std::vector<std::string>{"<", "<=", ">", ">=", "=", "!="}[random.Below(continuous ? 4 : 6)];
    std::string sum;
    for (const auto& [name, coefficient] : leaf.terms_) {
      absl::StrAppend(&sum, sum.empty() ? "" : " + ", coefficient, " * ", name);
    }
    leaf.text_ = random.Below(2) == 0 ? absl::StrCat(sum, " ", leaf.operator_, " ", leaf.bound_)
                                      : absl::StrCat(sum, " - ", leaf.bound_, " ", leaf.operator_, " 0");
    if (leaf.bound_ < 0) leaf.text_ = absl::StrCat(sum, " + ", -leaf.bound_, " ", leaf.operator_, " 0");
    return leaf;
  }

  Kind kind_ = Kind::kSum;
  std::vector<RandomConstraint> operands_;
  std::vector<std::pair<std::string, double>> terms_;
  double bound_ = 0;
  std::string operator_;
  ParameterValue value_;
  std::string text_;
};

}  // namespace tuner::core
