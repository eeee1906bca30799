#include <array>
#include <cstddef>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/trial_filter_node.h"

namespace tuner::core {
namespace {

using filter::Field;
using filter::Literal;
using filter::Operator;

constexpr size_t kMaxFilterLength = 2000;
constexpr int kMaxDepth = 50;

struct FieldName {
  absl::string_view text;
  Field field;
};
constexpr std::array<FieldName, 7> kFields = {{{"number", Field::kNumber},
                                               {"state", Field::kState},
                                               {"origin", Field::kOrigin},
                                               {"objective", Field::kObjective},
                                               {"best_objective", Field::kBestObjective},
                                               {"create_time", Field::kCreateTime},
                                               {"end_time", Field::kEndTime}}};
constexpr std::array<FieldName, 3> kMaps = {
    {{"parameters", Field::kParameter}, {"metrics", Field::kMetric}, {"tags", Field::kTag}}};

bool IsWordStart(char c) { return absl::ascii_isalpha(c) || c == '_'; }
bool IsWordPart(char c) { return absl::ascii_isalnum(c) || c == '_'; }
bool IsLiteralPart(char c) { return IsWordPart(c) || c == '+' || c == '-' || c == '.' || c == ':'; }

}  // namespace

// Recursive descent: disjunction, conjunction, negation, comparison.
class TrialFilter::Node::Parser {
 public:
  explicit Parser(absl::string_view text) : text_(text) {}

  absl::StatusOr<std::unique_ptr<Node>> Parse() {
    absl::StatusOr<std::unique_ptr<Node>> root = Chain(Kind::kOr, "OR", 0);
    if (!root.ok()) return root;
    SkipSpace();
    if (at_ < text_.size()) return Expected("AND, OR or the end");
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
    } while (TakeKeyword(keyword));
    return chain->operands.size() == 1 ? std::move(chain->operands[0]) : std::move(chain);
  }

  Result Operand(int depth) {
    if (depth > kMaxDepth) return Error(absl::StrCat("is nested deeper than ", kMaxDepth, " levels; write it flatter"));
    if (TakeKeyword("NOT")) {
      Result operand = Operand(depth + 1);
      if (!operand.ok()) return operand;
      auto negation = std::make_unique<Node>();
      negation->kind = Kind::kNot;
      negation->operands.push_back(*std::move(operand));
      return negation;
    }
    if (!Take("(")) return Comparison();
    Result inner = Chain(Kind::kOr, "OR", depth + 1);
    if (!inner.ok()) return inner;
    if (!Take(")")) return Expected("AND, OR or ')'");
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
    SkipSpace();
    const size_t start = at_;
    const absl::string_view word = ReadWord();
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
    at_ = start;
    return Expected(
        "one of number, state, origin, objective, best_objective, parameters.NAME, metrics.NAME, tags.NAME, "
        "create_time, end_time");
  }

  absl::Status ReadKey(Node& node) {
    if (at_ >= text_.size() || text_[at_] != '.') return Expected("'.' and a name");
    ++at_;
    if (at_ < text_.size() && text_[at_] == '"') return ReadQuoted(node.key);
    const size_t start = at_;
    while (at_ < text_.size() && IsWordPart(text_[at_])) ++at_;
    if (at_ == start) return Expected("a name of letters, digits and _, or one in double quotes");
    node.key = std::string(text_.substr(start, at_ - start));
    return absl::OkStatus();
  }

  absl::Status ReadOperator(Node& node) {
    SkipSpace();
    const size_t start = at_;
    if (Take("!=")) {
      node.op = Operator::kNotEqual;
    } else if (Take("<=")) {
      node.op = Operator::kLessOrEqual;
    } else if (Take(">=")) {
      node.op = Operator::kGreaterOrEqual;
    } else if (Take("<")) {
      node.op = Operator::kLess;
    } else if (Take(">")) {
      node.op = Operator::kGreater;
    } else if (Take("=")) {
      node.op = Operator::kEqual;
    } else {
      return Expected(
          "one of = != < <= > >= (names with other characters than letters, digits and _ stand in double quotes)");
    }
    const bool is_name = node.field == Field::kState || node.field == Field::kOrigin;
    if (is_name && node.op != Operator::kEqual && node.op != Operator::kNotEqual) {
      at_ = start;
      return Expected("= or !=, as states and origins have no order");
    }
    return absl::OkStatus();
  }

  absl::Status ReadLiteral(Node& node) {
    SkipSpace();
    const size_t start = at_;
    Literal& read = node.literal;
    if (at_ < text_.size() && text_[at_] == '"') {
      read.quoted = true;
      if (absl::Status status = ReadQuoted(read.text); !status.ok()) return status;
    } else {
      while (at_ < text_.size() && IsLiteralPart(text_[at_])) ++at_;
      if (at_ == start) return Expected("a value: a number, a word, or text in double quotes");
      read.text = std::string(text_.substr(start, at_ - start));
      double number = 0;
      if (absl::SimpleAtod(read.text, &number)) read.number = number;
    }
    absl::Status fits = CheckLiteral(node);
    if (fits.ok()) return fits;
    at_ = start;
    return Expected(fits.message());
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
          return absl::InvalidArgumentError("STRATEGY, ENQUEUED or IMPORTED");
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

  absl::Status ReadQuoted(std::string& out) {
    const size_t start = at_;
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      out.push_back(text_[at_]);
    }
    if (at_ >= text_.size()) {
      at_ = start;
      return Error("opens a double quote that is never closed");
    }
    ++at_;
    return absl::OkStatus();
  }

  absl::string_view ReadWord() {
    const size_t start = at_;
    if (at_ < text_.size() && IsWordStart(text_[at_])) {
      while (at_ < text_.size() && IsWordPart(text_[at_])) ++at_;
    }
    return text_.substr(start, at_ - start);
  }

  bool Take(absl::string_view symbol) {
    SkipSpace();
    if (!absl::StartsWith(text_.substr(at_), symbol)) return false;
    at_ += symbol.size();
    return true;
  }

  bool TakeKeyword(absl::string_view keyword) {
    SkipSpace();
    const size_t start = at_;
    if (ReadWord() == keyword) return true;
    at_ = start;
    return false;
  }

  void SkipSpace() {
    while (at_ < text_.size() && absl::ascii_isspace(text_[at_])) ++at_;
  }

  absl::Status Error(absl::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat("filter: at character ", at_ + 1, " it ", what));
  }
  absl::Status Expected(absl::string_view what) const {
    const std::string found = at_ < text_.size() ? absl::StrCat("\"", text_.substr(at_, 20), "\"") : "the end";
    return absl::InvalidArgumentError(
        absl::StrCat("filter: at character ", at_ + 1, " expected ", what, ", found ", found));
  }

  absl::string_view text_;
  size_t at_ = 0;
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
