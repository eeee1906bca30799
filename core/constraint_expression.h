// The grammar of constraints: text to syntax tree, before names mean anything. For the sources of constraint.h.
// Plain values and a pure function; any thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tuner::core::constraint {

enum class Comparison { kEqual, kNotEqual, kLess, kLessOrEqual, kGreater, kGreaterOrEqual };

struct Expression {
  enum class Kind {
    kNumber,
    kText,
    kFlag,  // true, false
    kName,
    kNegative,
    kSum,
    kDifference,
    kProduct,
    kQuotient,
    kComparison,
    kNot,
    kAnd,
    kOr,
  };
  Kind kind = Kind::kNumber;
  size_t begin = 0;  // its place in the text, in bytes
  size_t end = 0;
  double number = 0;  // of kNumber; 1 or 0 of kFlag
  std::string text;   // of kText and kName
  Comparison comparison = Comparison::kEqual;
  std::vector<std::unique_ptr<Expression>> operands;
};

// INVALID_ARGUMENT with the place and what was expected there. At most 1,000 characters, nested at most 50 deep.
absl::StatusOr<std::unique_ptr<Expression>> ParseExpression(absl::string_view text);

}  // namespace tuner::core::constraint
