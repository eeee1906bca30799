#include <array>
#include <cstddef>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/text_scanner.h"
#include "core/trial_filter_node.h"

namespace tuner::core {
namespace {

using filter::Field;
using filter::Literal;
using filter::Operator;

constexpr size_t kMaxFilterLength = 2000;

struct FieldName {
  absl::string_view text;
  Field field;
};
constexpr std::array<FieldName, 8> kFields = {{{"number", Field::kNumber},
                                               {"state", Field::kState},
                                               {"origin", Field::kOrigin},
                                               {"definition", Field::kDefinition},
                                               {"objective", Field::kObjective},
                                               {"best_objective", Field::kBestObjective},
                                               {"create_time", Field::kCreateTime},
                                               {"end_time", Field::kEndTime}}};
constexpr std::array<FieldName, 3> kMaps = {
    {{"parameters", Field::kParameter}, {"metrics", Field::kMetric}, {"tags", Field::kTag}}};

bool IsLiteralPart(char c) { return TextScanner::IsWordPart(c) || c == '+' || c == '-' || c == '.' || c == ':'; }

}  // namespace

// Recursive descent: disjunction, conjunction, negation, comparison.
class TrialFilter::Node::Parser {
 public:
  explicit Parser(absl::string_view text) : in_(text, "filter: ") {}

  absl::StatusOr<std::unique_ptr<Node>> Parse() {
    absl::StatusOr<std::unique_ptr<Node>> root = Chain(Kind::kOr, "OR", 0);
    if (!root.ok()) return root;
    in_.SkipSpace();
    if (!in_.AtEnd()) return in_.Expected("AND, OR or the end");
    return root;
  }

 private:
  using Result = absl::StatusOr<std::unique_ptr<Node>>;

  Result Chain(Kind chain_kind, absl::string_view keyword, int depth) {
    auto chain = std::make_unique<Node>();
    chain->kind = chain_kind;
    do {
      Result operand = chain_kind == Kind::kOr ? Chain(Kind::kAnd, "AND", depth) : Operand(depth);
      if (!operand.ok()) return operand;
      chain->operands.push_back(*std::move(operand));
    } while (in_.TakeKeyword(keyword));
    return chain->operands.size() == 1 ? std::move(chain->operands[0]) : std::move(chain);
  }

  Result Operand(int depth) {
    if (depth > TextScanner::kMaxDepth) return in_.TooDeep();
    if (in_.TakeKeyword("NOT")) {
      Result operand = Operand(depth + 1);
      if (!operand.ok()) return operand;
      auto negation = std::make_unique<Node>();
      negation->kind = Kind::kNot;
      negation->operands.push_back(*std::move(operand));
      return negation;
    }
    if (!in_.Take("(")) return Comparison();
    Result inner = Chain(Kind::kOr, "OR", depth + 1);
    if (!inner.ok()) return inner;
    if (!in_.Take(")")) return in_.Expected("AND, OR or ')'");
    return inner;
  }

  Result Comparison() {
    auto node = std::make_unique<Node>();
    node->kind = Kind::kCompare;
    if (absl::Status status = ReadField(*node); !status.ok()) return status;
    if (absl::Status status = ReadOperator(*node); !status.ok()) return status;
    if (absl::Status status = ReadLiteral(*node); !status.ok()) return status;
    return node;
  }

  absl::Status ReadField(Node& node) {
    in_.SkipSpace();
    const size_t start = in_.at();
    const absl::string_view word = in_.ReadWord();
    for (const FieldName& name : kFields) {
      if (name.text == word) {
        node.field = name.field;
        return absl::OkStatus();
      }
    }
    for (const FieldName& name : kMaps) {
      if (name.text != word) continue;
      node.field = name.field;
      return ReadKey(node);
    }
    in_.Reset(start);
    return in_.Expected(
        "one of number, state, origin, definition, objective, best_objective, parameters.NAME, metrics.NAME, "
        "tags.NAME, "
        "create_time, end_time");
  }

  absl::Status ReadKey(Node& node) {
    if (in_.Next() != '.') return in_.Expected("'.' and a name");
    in_.Advance(1);
    if (in_.Next() == '"') return in_.ReadQuoted(node.key);
    const size_t start = in_.at();
    while (TextScanner::IsWordPart(in_.Next())) in_.Advance(1);
    if (in_.at() == start) return in_.Expected("a name of letters, digits and _, or one in double quotes");
    node.key = std::string(in_.text().substr(start, in_.at() - start));
    return absl::OkStatus();
  }

  absl::Status ReadOperator(Node& node) {
    in_.SkipSpace();
    const size_t start = in_.at();
    if (in_.Take("!=")) {
      node.op = Operator::kNotEqual;
    } else if (in_.Take("<=")) {
      node.op = Operator::kLessOrEqual;
    } else if (in_.Take(">=")) {
      node.op = Operator::kGreaterOrEqual;
    } else if (in_.Take("<")) {
      node.op = Operator::kLess;
    } else if (in_.Take(">")) {
      node.op = Operator::kGreater;
    } else if (in_.Take("=")) {
      node.op = Operator::kEqual;
    } else {
      return in_.Expected(
          "one of = != < <= > >= (names with other characters than letters, digits and _ stand in double quotes)");
    }
    const bool is_name =
        node.field == Field::kState || node.field == Field::kOrigin || node.field == Field::kDefinition;
    if (is_name && node.op != Operator::kEqual && node.op != Operator::kNotEqual) {
      in_.Reset(start);
      return in_.Expected("= or !=, as states, origins and definitions have no order");
    }
    return absl::OkStatus();
  }

  absl::Status ReadLiteral(Node& node) {
    in_.SkipSpace();
    const size_t start = in_.at();
    Literal& read = node.literal;
    if (in_.Next() == '"') {
      read.quoted = true;
      if (absl::Status status = in_.ReadQuoted(read.text); !status.ok()) return status;
    } else {
      while (IsLiteralPart(in_.Next())) in_.Advance(1);
      if (in_.at() == start) return in_.Expected("a value: a number, a word, or text in double quotes");
      read.text = std::string(in_.text().substr(start, in_.at() - start));
      double number = 0;
      if (absl::SimpleAtod(read.text, &number)) read.number = number;
    }
    absl::Status fits = CheckLiteral(node);
    if (fits.ok()) return fits;
    in_.Reset(start);
    return in_.Expected(fits.message());
  }

  // What the field needs, if the literal is something else.
  static absl::Status CheckLiteral(Node& node) {
    Literal& read = node.literal;
    switch (node.field) {
      case Field::kNumber:
      case Field::kObjective:
      case Field::kBestObjective:
      case Field::kMetric:
        if (!read.number.has_value()) return absl::InvalidArgumentError("a number");
        break;
      case Field::kState:
        if (!IsOneOf(read.text, filter::kStateNames))
          return absl::InvalidArgumentError("a trial state such as COMPLETED");
        break;
      case Field::kOrigin:
        if (!IsOneOf(read.text, filter::kOriginNames))
          return absl::InvalidArgumentError("STRATEGY, ENQUEUED, IMPORTED or REUSED");
        break;
      case Field::kCreateTime:
      case Field::kEndTime: {
        absl::Time time;
        std::string error;
        if (!absl::ParseTime(absl::RFC3339_full, read.text, &time, &error)) {
          return absl::InvalidArgumentError("a time such as 2026-01-31T12:00:00Z");
        }
        read.time = time;
        break;
      }
      case Field::kDefinition:
      case Field::kParameter:
      case Field::kTag:
        break;
    }
    return absl::OkStatus();
  }

  template <size_t kSize>
  static bool IsOneOf(absl::string_view text, const std::array<absl::string_view, kSize>& names) {
    for (size_t i = 1; i < kSize; ++i) {  // the first one is "unspecified"
      if (names[i] == text) return true;
    }
    return false;
  }

  TextScanner in_;
};

absl::StatusOr<TrialFilter> TrialFilter::Parse(std::string_view filter) {
  const absl::string_view text(filter.data(), filter.size());
  if (text.size() > kMaxFilterLength) {
    return absl::InvalidArgumentError(
        absl::StrCat("filter: has ", text.size(), " characters; write it in at most ", kMaxFilterLength));
  }
  if (absl::StripAsciiWhitespace(text).empty()) return TrialFilter(std::make_unique<Node>());
  absl::StatusOr<std::unique_ptr<Node>> root = Node::Parser(text).Parse();
  if (!root.ok()) return root.status();
  return TrialFilter(*std::move(root));
}

}  // namespace tuner::core
