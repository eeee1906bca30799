#include "core/constraint_expression.h"

#include <array>
#include <charconv>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/text_scanner.h"

namespace tuner::core::constraint {
namespace {

constexpr size_t kMaxLength = 1000;

using Kind = Expression::Kind;

struct Symbol {
  absl::string_view text;
  Comparison comparison;
};
// Longer ones first.
constexpr std::array<Symbol, 7> kComparisons = {{{"<=", Comparison::kLessOrEqual},
                                                 {">=", Comparison::kGreaterOrEqual},
                                                 {"!=", Comparison::kNotEqual},
                                                 {"==", Comparison::kEqual},
                                                 {"<", Comparison::kLess},
                                                 {">", Comparison::kGreater},
                                                 {"=", Comparison::kEqual}}};

// Recursive descent: or, and, not, comparison, sum, product, sign, atom. Sums and conditions share the brackets, so
// that which of both they hold is told only by what they mean.
class Parser {
 public:
  explicit Parser(absl::string_view text) : in_(text) {}

  absl::StatusOr<std::unique_ptr<Expression>> Parse() {
    Result root = Disjunction();
    if (!root.ok()) return root;
    in_.SkipSpace();
    if (in_.AtEnd()) return root;
    if (Peek(kComparisons).has_value()) {
      return in_.Error("compares a second time; write two comparisons with `and` between them");
    }
    return in_.Expected("an operator, `and`, `or` or the end");
  }

 private:
  using Result = absl::StatusOr<std::unique_ptr<Expression>>;

  // Counts how deep the parser is; each level of brackets, `not` and signs is one.
  class Level {
   public:
    explicit Level(int& depth) : depth_(++depth) {}
    ~Level() { --depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    int& depth_;
  };

  std::unique_ptr<Expression> Make(Kind kind, size_t begin) const {
    auto made = std::make_unique<Expression>();
    made->kind = kind;
    made->begin = begin;
    made->end = in_.at();
    return made;
  }

  std::unique_ptr<Expression> Join(Kind kind, std::unique_ptr<Expression> left, std::unique_ptr<Expression> right) {
    auto joined = Make(kind, left->begin);
    joined->end = right->end;
    joined->operands.push_back(std::move(left));
    joined->operands.push_back(std::move(right));
    return joined;
  }

  bool TakeWord(absl::string_view lower) {
    return in_.TakeKeyword(lower) || in_.TakeKeyword(absl::AsciiStrToUpper(lower));
  }

  Result Disjunction() {
    Result left = Conjunction();
    while (left.ok() && TakeWord("or")) {
      Result right = Conjunction();
      if (!right.ok()) return right;
      left = Join(Kind::kOr, *std::move(left), *std::move(right));
    }
    return left;
  }

  Result Conjunction() {
    Result left = Negation();
    while (left.ok() && TakeWord("and")) {
      Result right = Negation();
      if (!right.ok()) return right;
      left = Join(Kind::kAnd, *std::move(left), *std::move(right));
    }
    return left;
  }

  Result Negation() {
    in_.SkipSpace();
    const size_t begin = in_.at();
    if (!TakeWord("not")) return Compared();
    const Level level(depth_);
    if (depth_ > TextScanner::kMaxDepth) return in_.TooDeep();
    Result operand = Negation();
    if (!operand.ok()) return operand;
    auto negation = Make(Kind::kNot, begin);
    negation->end = (*operand)->end;
    negation->operands.push_back(*std::move(operand));
    return negation;
  }

  Result Compared() {
    Result left = Sum();
    if (!left.ok()) return left;
    const std::optional<Symbol> symbol = Peek(kComparisons);
    if (!symbol.has_value()) return left;
    in_.Take(symbol->text);
    Result right = Sum();
    if (!right.ok()) return right;
    auto compared = Join(Kind::kComparison, *std::move(left), *std::move(right));
    compared->comparison = symbol->comparison;
    return compared;
  }

  template <size_t kSize>
  std::optional<Symbol> Peek(const std::array<Symbol, kSize>& symbols) {
    in_.SkipSpace();
    for (const Symbol& symbol : symbols) {
      if (absl::StartsWith(in_.Rest(), symbol.text)) return symbol;
    }
    return std::nullopt;
  }

  Result Sum() {
    Result left = Product();
    while (left.ok()) {
      const bool plus = in_.Take("+");
      if (!plus && !in_.Take("-")) break;
      Result right = Product();
      if (!right.ok()) return right;
      left = Join(plus ? Kind::kSum : Kind::kDifference, *std::move(left), *std::move(right));
    }
    return left;
  }

  Result Product() {
    Result left = Signed();
    while (left.ok()) {
      const bool times = in_.Take("*");
      if (!times && !in_.Take("/")) break;
      Result right = Signed();
      if (!right.ok()) return right;
      left = Join(times ? Kind::kProduct : Kind::kQuotient, *std::move(left), *std::move(right));
    }
    return left;
  }

  Result Signed() {
    in_.SkipSpace();
    const size_t begin = in_.at();
    if (!in_.Take("-")) return Atom();
    const Level level(depth_);
    if (depth_ > TextScanner::kMaxDepth) return in_.TooDeep();
    Result operand = Signed();
    if (!operand.ok()) return operand;
    auto negative = Make(Kind::kNegative, begin);
    negative->end = (*operand)->end;
    negative->operands.push_back(*std::move(operand));
    return negative;
  }

  Result Atom() {
    in_.SkipSpace();
    const size_t begin = in_.at();
    const char next = in_.Next();
    if (next == '(') return Bracket();
    if (next == '"' || next == '\'') {
      std::string text;
      if (absl::Status status = in_.ReadQuoted(text); !status.ok()) return status;
      auto literal = Make(Kind::kText, begin);
      literal->text = std::move(text);
      return literal;
    }
    if (absl::ascii_isdigit(next) || next == '.') return Number();
    return NameOrFlag();
  }

  Result Bracket() {
    const size_t begin = in_.at();
    in_.Take("(");
    const Level level(depth_);
    if (depth_ > TextScanner::kMaxDepth) return in_.TooDeep();
    Result inner = Disjunction();
    if (!inner.ok()) return inner;
    if (!in_.Take(")")) return in_.Expected("an operator or `)`");
    (*inner)->begin = begin;
    (*inner)->end = in_.at();
    return inner;
  }

  Result Number() {
    const size_t begin = in_.at();
    const absl::string_view rest = in_.Rest();
    double number = 0;
    const auto read = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (read.ec == std::errc::result_out_of_range) return in_.Error("has a number that is too large or too small");
    if (read.ec != std::errc()) return in_.Expected("a number");
    in_.Advance(static_cast<size_t>(read.ptr - rest.data()));
    if (TextScanner::IsWordPart(in_.Next()) || in_.Next() == '.') {
      in_.Reset(begin);
      return in_.Expected("a number such as 64, 0.5 or 1e-4");
    }
    auto literal = Make(Kind::kNumber, begin);
    literal->number = number;
    return literal;
  }

  Result NameOrFlag() {
    const size_t begin = in_.at();
    for (const bool flag : {false, true}) {
      if (!TakeWord(flag ? "true" : "false")) continue;
      auto literal = Make(Kind::kFlag, begin);
      literal->number = flag ? 1 : 0;
      return literal;
    }
    for (const absl::string_view keyword : {"and", "or", "not"}) {
      if (!TakeWord(keyword)) continue;
      in_.Reset(begin);
      return in_.Expected(kAtom);
    }
    std::string name(in_.ReadWord());
    if (name.empty()) return in_.Expected(kAtom);
    if (name == "parameters" && in_.Next() == '.') {
      in_.Advance(1);
      name.clear();
      if (in_.Next() == '"' || in_.Next() == '\'') {
        if (absl::Status status = in_.ReadQuoted(name); !status.ok()) return status;
      } else {
        name = std::string(in_.ReadWord());
        if (name.empty()) return in_.Expected("a name of letters, digits and _, or one in quotes");
      }
    }
    auto named = Make(Kind::kName, begin);
    named->text = std::move(name);
    return named;
  }

  static constexpr absl::string_view kAtom = "a parameter, a number, a text in quotes or `(`";
  TextScanner in_;
  int depth_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Expression>> ParseExpression(absl::string_view text) {
  if (text.size() > kMaxLength) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", text.size(), " characters; write it in at most ", kMaxLength, ", or as several"));
  }
  if (absl::StripAsciiWhitespace(text).empty()) {
    return absl::InvalidArgumentError("is empty; write a condition such as `a + b <= 10`, or leave it out");
  }
  return Parser(text).Parse();
}

}  // namespace tuner::core::constraint
