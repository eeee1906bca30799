// What a constraint is compiled into, for the sources of constraint.h. Plain values; any thread.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/constraint.h"
#include "core/constraint_expression.h"

namespace tuner::core {
namespace constraint {

struct Term {
  int parameter = 0;  // index in the space
  double coefficient = 0;
};

// One node of a condition without `not`.
struct Node {
  enum class Kind {
    kAll,      // of the operands
    kAny,      // of the operands
    kNumbers,  // the sum of the terms, less `constant`, compared with 0
    kPlace,    // parameter `left` has its value of this place (kEqual) or another (kNotEqual)
    kSame,     // parameters `left` and `right` have the same text (kEqual) or not (kNotEqual)
  };
  Kind kind = Kind::kAll;
  Comparison comparison = Comparison::kEqual;
  std::vector<Node> operands;
  std::vector<Term> terms;
  double constant = 0;
  bool whole = false;  // kNumbers: all terms and the constant are whole numbers, so no rounding is to be allowed for
  int left = 0;
  int right = 0;
  double place = 0;
  std::vector<int> left_words;  // kSame: a number for the text of each place, the same on both sides
  std::vector<int> right_words;
};

// Adds one problem with this path at most; nullopt then.
std::optional<Node> Compile(const Expression& expression, absl::string_view text, const SearchSpace& space,
                            const ParameterMap& static_parameters, const std::string& path, Problems& problems);

}  // namespace constraint

struct ConstraintSet::Rep {
  struct One {
    std::string text;
    constraint::Node root;
    std::optional<LinearInequality> linear;
    std::vector<int> mentioned;
    std::vector<std::pair<int, double>> pins;
  };
  struct Mention {
    int index = 0;
    std::string name;
    Domain domain;
  };

  size_t parameter_count = 0;
  std::vector<One> constraints;
  std::vector<Mention> mentions;  // ascending by index
};

}  // namespace tuner::core
