// Gives the names in a constraint their meaning, and refuses what has none.
#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/constraint_rep.h"
#include "core/domain.h"

namespace tuner::core::constraint {
namespace {

using Kind = Expression::Kind;

constexpr size_t kMaxQuoted = 40;
constexpr size_t kMaxListed = 8;
constexpr double kMaxWhole = 0x1p53;

bool IsWhole(double value) { return std::trunc(value) == value && std::fabs(value) <= kMaxWhole; }

bool IsWhole(const Domain& domain) {
  if (std::holds_alternative<IntegerDomain>(domain)) return true;
  const auto* listed = std::get_if<DiscreteDomain>(&domain);
  return listed != nullptr &&
         std::all_of(listed->values.begin(), listed->values.end(), [](double value) { return IsWhole(value); });
}

Comparison Negation(Comparison comparison) {
  switch (comparison) {
    case Comparison::kEqual:
      return Comparison::kNotEqual;
    case Comparison::kNotEqual:
      return Comparison::kEqual;
    case Comparison::kLess:
      return Comparison::kGreaterOrEqual;
    case Comparison::kLessOrEqual:
      return Comparison::kGreater;
    case Comparison::kGreater:
      return Comparison::kLessOrEqual;
    case Comparison::kGreaterOrEqual:
      break;
  }
  return Comparison::kLess;
}

enum class Type { kNumber, kText, kFlag, kCondition };

absl::string_view TypeName(Type type) {
  switch (type) {
    case Type::kNumber:
      return "a number";
    case Type::kText:
      return "a text";
    case Type::kFlag:
      return "true or false";
    case Type::kCondition:
      break;
  }
  return "a condition";
}

Type TypeOf(const Domain& domain) {
  if (std::holds_alternative<CategoricalDomain>(domain)) return Type::kText;
  return std::holds_alternative<BooleanDomain>(domain) ? Type::kFlag : Type::kNumber;
}

Type TypeOf(const ParameterValue& value) {
  if (std::holds_alternative<std::string>(value)) return Type::kText;
  return std::holds_alternative<bool>(value) ? Type::kFlag : Type::kNumber;
}

// A sum of parameters' values with coefficients.
struct Linear {
  absl::btree_map<int, double> terms;  // by index of the parameter; 0 is a mention too
  double constant = 0;

  void Add(const Linear& other, double factor) {
    for (const auto& [index, coefficient] : other.terms) terms[index] += factor * coefficient;
    constant += factor * other.constant;
  }
  void Scale(double factor) {
    for (auto& [index, coefficient] : terms) coefficient *= factor;
    constant *= factor;
  }
  bool IsFinite() const {
    return std::isfinite(constant) &&
           std::all_of(terms.begin(), terms.end(), [](const auto& term) { return std::isfinite(term.second); });
  }
};

class Compiler {
 public:
  Compiler(absl::string_view text, const SearchSpace& space, const ParameterMap& constants, const std::string& path,
           Problems& problems)
      : text_(text), space_(space), constants_(constants), path_(path), problems_(problems) {}

  std::optional<Node> Lower(const Expression& e, bool negated) {
    switch (e.kind) {
      case Kind::kNot:
        return Lower(*e.operands[0], !negated);
      case Kind::kAnd:
      case Kind::kOr:
        return Joined(e, negated);
      case Kind::kComparison:
        return Compared(e, negated ? Negation(e.comparison) : e.comparison);
      case Kind::kName:
        return Flag(e, negated);
      default:
        return Fail(e, absl::StrCat("is ",
                                    e.kind == Kind::kText   ? "a text"
                                    : e.kind == Kind::kFlag ? "alone"
                                                            : "a number",
                                    " where a condition is due; compare it with something, as in `a <= 3`"));
    }
  }

 private:
  std::nullopt_t Fail(const Expression& at, absl::string_view what) {
    problems_.push_back({path_, absl::StrCat("at character ", at.begin + 1, " ", Quoted(at), " ", what)});
    return std::nullopt;
  }

  std::string Quoted(const Expression& e) const {
    size_t length = e.end - e.begin;
    if (length <= kMaxQuoted) return absl::StrCat("`", text_.substr(e.begin, length), "`");
    length = kMaxQuoted;
    while ((static_cast<unsigned char>(text_[e.begin + length]) & 0xC0) == 0x80) --length;  // no half letter
    return absl::StrCat("`", text_.substr(e.begin, length), "...`");
  }

  std::optional<Node> Joined(const Expression& e, bool negated) {
    Node node;
    node.kind = (e.kind == Kind::kAnd) != negated ? Node::Kind::kAll : Node::Kind::kAny;
    for (const auto& operand : e.operands) {
      std::optional<Node> lowered = Lower(*operand, negated);
      if (!lowered.has_value()) return std::nullopt;
      if (lowered->kind == node.kind) {  // a and b and c is one list
        for (Node& inner : lowered->operands) node.operands.push_back(std::move(inner));
      } else {
        node.operands.push_back(*std::move(lowered));
      }
    }
    return node;
  }

  std::optional<Node> Flag(const Expression& e, bool negated) {
    const std::optional<Type> type = TypeOfSide(e);
    if (!type.has_value()) return std::nullopt;
    const std::optional<int> index = space_.Find(e.text);
    if (!index.has_value()) return Fail(e, "is fixed by static_parameters and decides nothing; leave it out");
    if (*type != Type::kFlag) {
      return Fail(e, absl::StrCat("is ", TypeName(*type), " where a condition is due; compare it with something"));
    }
    return Node{.kind = Node::Kind::kPlace, .left = *index, .place = negated ? 0.0 : 1.0};
  }

  std::optional<Node> Compared(const Expression& e, Comparison comparison) {
    const Expression& left = *e.operands[0];
    const Expression& right = *e.operands[1];
    const std::optional<Type> left_type = TypeOfSide(left);
    if (!left_type.has_value()) return std::nullopt;
    const std::optional<Type> right_type = TypeOfSide(right);
    if (!right_type.has_value()) return std::nullopt;
    if (*left_type == Type::kCondition || *right_type == Type::kCondition) {
      return Fail(e, "compares a condition; join conditions with `and`, `or` and `not`");
    }
    if (*left_type != *right_type) return Fail(e, Mismatch(left, *left_type, right, *right_type));
    if (*left_type == Type::kNumber) return ComparedNumbers(e, comparison);
    if (comparison != Comparison::kEqual && comparison != Comparison::kNotEqual) {
      return Fail(e, absl::StrCat("orders values that are ", TypeName(*left_type), "; use = or !="));
    }
    return ComparedWords(e, comparison);
  }

  std::string Mismatch(const Expression& left, Type left_type, const Expression& right, Type right_type) const {
    std::string text = absl::StrCat("compares ", TypeName(left_type), " with ", TypeName(right_type));
    for (const Expression* side : {&left, &right}) {
      const std::optional<int> index = side->kind == Kind::kName ? space_.Find(side->text) : std::nullopt;
      if (!index.has_value()) continue;
      const Domain& domain = space_.parameters()[static_cast<size_t>(*index)].domain;
      return absl::StrCat(text, "; ", side->text, " takes ", domain::Describe(domain));
    }
    return absl::StrCat(text, "; both sides must be of one kind");
  }

  // Type of one side of a comparison; nullopt, and a problem, if a name means nothing.
  std::optional<Type> TypeOfSide(const Expression& e) {
    switch (e.kind) {
      case Kind::kText:
        return Type::kText;
      case Kind::kFlag:
        return Type::kFlag;
      case Kind::kComparison:
      case Kind::kNot:
      case Kind::kAnd:
      case Kind::kOr:
        return Type::kCondition;
      case Kind::kName:
        if (const std::optional<int> index = space_.Find(e.text)) {
          return TypeOf(space_.parameters()[static_cast<size_t>(*index)].domain);
        }
        if (const auto constant = constants_.find(e.text); constant != constants_.end()) {
          return TypeOf(constant->second);
        }
        return Unknown(e);
      default:
        return Type::kNumber;
    }
  }

  std::nullopt_t Unknown(const Expression& e) {
    std::string names;
    size_t listed = 0;
    for (const Parameter& parameter : space_.parameters()) {
      const auto* words = std::get_if<CategoricalDomain>(&parameter.domain);
      if (words != nullptr && std::find(words->values.begin(), words->values.end(), e.text) != words->values.end()) {
        return Fail(e, absl::StrCat("is no parameter, but a value of ", parameter.name, "; write it in quotes"));
      }
      if (absl::StartsWith(parameter.name, e.text)) {
        return Fail(e, absl::StrCat("is no parameter; if ", parameter.name, " is meant, write parameters.\"",
                                    parameter.name, "\""));
      }
      if (++listed <= kMaxListed) absl::StrAppend(&names, listed > 1 ? ", " : "", parameter.name);
    }
    if (listed > kMaxListed) names += ", ...";
    return Fail(e, absl::StrCat("is no parameter; give one of ", names));
  }

  std::optional<Node> ComparedNumbers(const Expression& e, Comparison comparison) {
    std::optional<Linear> sum = Evaluate(*e.operands[0]);
    if (!sum.has_value()) return std::nullopt;
    const std::optional<Linear> right = Evaluate(*e.operands[1]);
    if (!right.has_value()) return std::nullopt;
    sum->Add(*right, -1);
    if (!sum->IsFinite()) return Fail(e, "has a number that is too large; write it with smaller ones");
    if (sum->terms.empty()) return Fail(e, "mentions no parameter to tune; leave it out");
    Node node{.kind = Node::Kind::kNumbers, .comparison = comparison, .constant = 0 - sum->constant};
    node.whole = IsWhole(node.constant);
    int varying = 0;
    std::string continuous;
    for (const auto& [index, coefficient] : sum->terms) {
      node.terms.push_back({index, coefficient});
      const Parameter& parameter = space_.parameters()[static_cast<size_t>(index)];
      node.whole &= IsWhole(coefficient) && IsWhole(parameter.domain);
      if (coefficient == 0) continue;
      ++varying;
      if (!domain::Count(parameter.domain, /*for_grid=*/false).has_value()) continuous = parameter.name;
    }
    if (comparison == Comparison::kEqual && varying > 1 && !continuous.empty()) {
      return Fail(
          e,
          absl::StrCat("asks for equality with ", continuous, ", which is continuous, so hardly any point has ",
                       "it; allow a margin with <= and >=, or compute one parameter from the others in the ", "trial"));
    }
    return node;
  }

  std::optional<Linear> Evaluate(const Expression& e) {
    Linear result;
    switch (e.kind) {
      case Kind::kNumber:
        result.constant = e.number;
        return result;
      case Kind::kName:
        return EvaluateName(e);
      case Kind::kNegative:
      case Kind::kSum:
      case Kind::kDifference:
      case Kind::kProduct:
      case Kind::kQuotient:
        return EvaluateArithmetic(e);
      case Kind::kText:
        return Fail(e, "is a text in a calculation; numbers stand without quotes");
      default:
        return Fail(e, "is a condition in a calculation; only numbers can be calculated with");
    }
  }

  std::optional<Linear> EvaluateName(const Expression& e) {
    const std::optional<Type> type = TypeOfSide(e);
    if (!type.has_value()) return std::nullopt;
    if (*type != Type::kNumber) {
      return Fail(e, absl::StrCat("is ", TypeName(*type), " in a calculation; only numbers can be calculated with"));
    }
    Linear result;
    if (const std::optional<int> index = space_.Find(e.text)) {
      result.terms[*index] = 1;
    } else {
      const ParameterValue& value = constants_.find(e.text)->second;
      const auto* whole = std::get_if<int64_t>(&value);
      result.constant = whole != nullptr ? static_cast<double>(*whole) : std::get<double>(value);
    }
    return result;
  }

  std::optional<Linear> EvaluateArithmetic(const Expression& e) {
    std::optional<Linear> left = Evaluate(*e.operands[0]);
    if (!left.has_value()) return std::nullopt;
    if (e.kind == Kind::kNegative) {
      left->Scale(-1);
      return left;
    }
    std::optional<Linear> right = Evaluate(*e.operands[1]);
    if (!right.has_value()) return std::nullopt;
    if (e.kind == Kind::kProduct) {
      if (!left->terms.empty() && !right->terms.empty()) {
        return Fail(e, "multiplies parameters with each other; constraints are linear, so multiply with numbers only");
      }
      if (left->terms.empty()) std::swap(left, right);
      left->Scale(right->constant);
    } else if (e.kind == Kind::kQuotient) {
      if (!right->terms.empty()) {
        return Fail(e,
                    "divides by a parameter; constraints are linear, so multiply both sides with it if one stays a "
                    "number (`a / b <= 2` is `a <= 2 * b` for b above 0)");
      }
      if (right->constant == 0) return Fail(e, "divides by 0; give another number");
      left->Scale(1 / right->constant);
    } else {
      left->Add(*right, e.kind == Kind::kSum ? 1 : -1);
    }
    if (!left->IsFinite()) return Fail(e, "gives a number that is too large; write it with smaller ones");
    return left;
  }

  // One side of a comparison of texts or booleans: a parameter or a value.
  struct Side {
    std::optional<int> parameter;
    ParameterValue value;
  };

  Side SideOf(const Expression& e) const {
    if (e.kind == Kind::kText) return {std::nullopt, e.text};
    if (e.kind == Kind::kFlag) return {std::nullopt, e.number != 0};
    if (const std::optional<int> index = space_.Find(e.text)) return {index, {}};
    return {std::nullopt, constants_.find(e.text)->second};
  }

  std::vector<int> WordNumbers(int index, absl::btree_map<std::string, int>& numbers) const {
    const auto* words = std::get_if<CategoricalDomain>(&space_.parameters()[static_cast<size_t>(index)].domain);
    if (words == nullptr) return {0, 1};
    std::vector<int> result;
    for (const std::string& word : words->values) {
      result.push_back(numbers.emplace(word, static_cast<int>(numbers.size())).first->second);
    }
    return result;
  }

  std::optional<Node> ComparedWords(const Expression& e, Comparison comparison) {
    Side left = SideOf(*e.operands[0]);
    Side right = SideOf(*e.operands[1]);
    if (!left.parameter.has_value()) std::swap(left, right);
    if (!left.parameter.has_value()) return Fail(e, "mentions no parameter to tune; leave it out");
    if (right.parameter.has_value()) {
      Node node{
          .kind = Node::Kind::kSame, .comparison = comparison, .left = *left.parameter, .right = *right.parameter};
      absl::btree_map<std::string, int> numbers;
      node.left_words = WordNumbers(*left.parameter, numbers);
      node.right_words = WordNumbers(*right.parameter, numbers);
      return node;
    }
    const Parameter& parameter = space_.parameters()[static_cast<size_t>(*left.parameter)];
    if (!domain::Canonical(parameter.domain, right.value).has_value()) {
      return Fail(e, absl::StrCat("compares ", parameter.name, " with a value that it never has; give ",
                                  domain::Describe(parameter.domain)));
    }
    return Node{.kind = Node::Kind::kPlace,
                .comparison = comparison,
                .left = *left.parameter,
                .place = domain::Number(parameter.domain, right.value)};
  }

  const absl::string_view text_;
  const SearchSpace& space_;
  const ParameterMap& constants_;
  const std::string& path_;
  Problems& problems_;
};

}  // namespace

std::optional<Node> Compile(const Expression& expression, absl::string_view text, const SearchSpace& space,
                            const ParameterMap& static_parameters, const std::string& path, Problems& problems) {
  return Compiler(text, space, static_parameters, path, problems).Lower(expression, /*negated=*/false);
}

}  // namespace tuner::core::constraint
