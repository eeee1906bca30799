#include "core/trial_filter.h"

#include <array>
#include <cstddef>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"

namespace tuner::core {
namespace {

constexpr size_t kMaxFilterLength = 2000;
constexpr int kMaxDepth = 50;

constexpr std::array<absl::string_view, 11> kStateNames = {
    "STATE_UNSPECIFIED", "QUEUED",        "PENDING", "RUNNING", "PAUSED",    "STOPPING",
    "COMPLETED",         "EARLY_STOPPED", "STOPPED", "FAILED",  "INFEASIBLE"};
constexpr std::array<absl::string_view, 4> kOriginNames = {"ORIGIN_UNSPECIFIED", "STRATEGY", "ENQUEUED", "IMPORTED"};

enum class Field {
  kNumber,
  kState,
  kOrigin,
  kObjective,
  kBestObjective,
  kParameter,
  kMetric,
  kTag,
  kCreateTime,
  kEndTime,
};
enum class Operator { kEqual, kNotEqual, kLess, kLessOrEqual, kGreater, kGreaterOrEqual };

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

struct Literal {
  std::string text;
  bool quoted = false;
  std::optional<double> number;    // if it reads as one and is not quoted
  std::optional<absl::Time> time;  // of a literal that is compared with a time
};

template <typename T>
bool Compare(const T& a, Operator op, const T& b) {
  switch (op) {
    case Operator::kEqual:
      return a == b;
    case Operator::kNotEqual:
      return a != b;
    case Operator::kLess:
      return a < b;
    case Operator::kLessOrEqual:
      return a <= b;
    case Operator::kGreater:
      return a > b;
    case Operator::kGreaterOrEqual:
      return a >= b;
  }
  return false;
}

bool CompareNumber(std::optional<double> value, Operator op, const Literal& literal) {
  return value.has_value() && literal.number.has_value() && Compare(*value, op, *literal.number);
}

bool CompareTime(std::optional<absl::Time> value, Operator op, const Literal& literal) {
  return value.has_value() && literal.time.has_value() && Compare(*value, op, *literal.time);
}

bool CompareParameter(const ParameterValue& value, Operator op, const Literal& literal) {
  if (const auto* text = std::get_if<std::string>(&value)) return Compare(*text, op, literal.text);
  if (const auto* real = std::get_if<double>(&value)) return CompareNumber(*real, op, literal);
  if (const auto* integer = std::get_if<int64_t>(&value))
    return CompareNumber(static_cast<double>(*integer), op, literal);
  const bool flag = std::get<bool>(value);
  if (literal.quoted || (literal.text != "true" && literal.text != "false")) return false;
  return Compare(flag, op, literal.text == "true");
}

bool IsWordStart(char c) { return absl::ascii_isalpha(c) || c == '_'; }
bool IsWordPart(char c) { return absl::ascii_isalnum(c) || c == '_'; }
absl::string_view StateName(TrialState state) { return kStateNames[static_cast<size_t>(state)]; }
absl::string_view OriginName(TrialOrigin origin) { return kOriginNames[static_cast<size_t>(origin)]; }

bool IsLiteralPart(char c) { return IsWordPart(c) || c == '+' || c == '-' || c == '.' || c == ':'; }

}  // namespace

std::string_view TrialStateName(TrialState state) {
  const absl::string_view name = StateName(state);
  return std::string_view(name.data(), name.size());
}

struct TrialFilter::Node {
  enum class Kind { kAll, kAnd, kOr, kNot, kCompare };

  Kind kind = Kind::kAll;
  std::vector<std::unique_ptr<Node>> operands;  // of kAnd, kOr, kNot
  // Of kCompare:
  Field field = Field::kNumber;
  std::string key;  // of a map's field
  Operator op = Operator::kEqual;
  Literal literal;

  using Tags = absl::btree_map<std::string, std::string>;

  bool Matches(const Trial& trial, const Tags& tags) const {
    switch (kind) {
      case Kind::kAll:
        return true;
      case Kind::kAnd:
        for (const auto& operand : operands) {
          if (!operand->Matches(trial, tags)) return false;
        }
        return true;
      case Kind::kOr:
        for (const auto& operand : operands) {
          if (operand->Matches(trial, tags)) return true;
        }
        return false;
      case Kind::kNot:
        return !operands[0]->Matches(trial, tags);
      case Kind::kCompare:
        return Holds(trial, tags);
    }
    return false;
  }

  bool Holds(const Trial& trial, const Tags& tags) const {
    switch (field) {
      case Field::kNumber:
        return CompareNumber(trial.number, op, literal);
      case Field::kState:
        return Compare<absl::string_view>(StateName(trial.state), op, literal.text);
      case Field::kOrigin:
        return Compare<absl::string_view>(OriginName(trial.origin), op, literal.text);
      case Field::kObjective:
        return CompareNumber(trial.objective, op, literal);
      case Field::kBestObjective:
        return CompareNumber(trial.best_objective, op, literal);
      case Field::kCreateTime:
        return CompareTime(trial.create_time, op, literal);
      case Field::kEndTime:
        return CompareTime(trial.end_time, op, literal);
      case Field::kParameter: {
        const auto found = trial.parameters.find(key);
        return found != trial.parameters.end() && CompareParameter(found->second, op, literal);
      }
      case Field::kMetric: {
        const auto found = trial.final_metrics.find(key);
        return found != trial.final_metrics.end() && CompareNumber(found->second, op, literal);
      }
      case Field::kTag: {
        const auto found = tags.find(key);
        return found != tags.end() && Compare(found->second, op, literal.text);
      }
    }
    return false;
  }

  class Parser;
};

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

  Result Chain(Kind kind, absl::string_view keyword, int depth) {
    auto chain = std::make_unique<Node>();
    chain->kind = kind;
    do {
      Result operand = kind == Kind::kOr ? Chain(Kind::kAnd, "AND", depth) : Operand(depth);
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
    Literal& literal = node.literal;
    if (at_ < text_.size() && text_[at_] == '"') {
      literal.quoted = true;
      if (absl::Status status = ReadQuoted(literal.text); !status.ok()) return status;
    } else {
      while (at_ < text_.size() && IsLiteralPart(text_[at_])) ++at_;
      if (at_ == start) return Expected("a value: a number, a word, or text in double quotes");
      literal.text = std::string(text_.substr(start, at_ - start));
      double number = 0;
      if (absl::SimpleAtod(literal.text, &number)) literal.number = number;
    }
    const absl::Status fits = CheckLiteral(node);
    if (!fits.ok()) at_ = start;
    return fits.ok() ? fits : Expected(fits.message());
  }

  // What the field needs, if the literal is something else.
  static absl::Status CheckLiteral(Node& node) {
    Literal& literal = node.literal;
    switch (node.field) {
      case Field::kNumber:
      case Field::kObjective:
      case Field::kBestObjective:
      case Field::kMetric:
        if (!literal.number.has_value()) return absl::InvalidArgumentError("a number");
        break;
      case Field::kState:
        if (!IsOneOf(literal.text, kStateNames)) return absl::InvalidArgumentError("a trial state such as COMPLETED");
        break;
      case Field::kOrigin:
        if (!IsOneOf(literal.text, kOriginNames)) return absl::InvalidArgumentError("STRATEGY, ENQUEUED or IMPORTED");
        break;
      case Field::kCreateTime:
      case Field::kEndTime: {
        absl::Time time;
        std::string error;
        if (!absl::ParseTime(absl::RFC3339_full, literal.text, &time, &error)) {
          return absl::InvalidArgumentError("a time such as 2026-01-31T12:00:00Z");
        }
        literal.time = time;
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

TrialFilter::TrialFilter(std::unique_ptr<Node> root) : root_(std::move(root)) {}
TrialFilter::~TrialFilter() = default;
TrialFilter::TrialFilter(TrialFilter&&) noexcept = default;
TrialFilter& TrialFilter::operator=(TrialFilter&&) noexcept = default;

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

bool TrialFilter::Matches(const Trial& trial, const absl::btree_map<std::string, std::string>& job_tags) const {
  return root_->Matches(trial, job_tags);
}

absl::StatusOr<TrialOrder> TrialOrder::Parse(std::string_view order_by) {
  const absl::string_view text(order_by.data(), order_by.size());
  TrialOrder order;
  absl::string_view key = absl::StripAsciiWhitespace(text);
  if (absl::ConsumeSuffix(&key, " desc")) order.descending = true;
  key = absl::StripAsciiWhitespace(key);
  if (key == "objective") {
    order.key = Key::kObjective;
  } else if (key == "best_objective") {
    order.key = Key::kBestObjective;
  } else if (key == "create_time") {
    order.key = Key::kCreateTime;
  } else if (key == "end_time") {
    order.key = Key::kEndTime;
  } else if (key != "number" && (!key.empty() || order.descending)) {
    return absl::InvalidArgumentError(
        absl::StrCat("order_by: \"", text,
                     "\" cannot be read; give number, objective, best_objective, create_time or end_time, with ",
                     "\" desc\" behind it for descending"));
  }
  return order;
}

namespace {

// -1, 0, 1: a before, beside or behind b. Missing values come last in either direction.
template <typename T>
int Place(const std::optional<T>& a, const std::optional<T>& b, bool descending) {
  if (!a.has_value() || !b.has_value()) return static_cast<int>(!a.has_value()) - static_cast<int>(!b.has_value());
  if (*a == *b) return 0;
  return (*a < *b) != descending ? -1 : 1;
}

}  // namespace

bool TrialOrder::Before(const Trial& a, const Trial& b) const {
  int place = 0;
  switch (key) {
    case Key::kNumber:
      return descending ? a.number > b.number : a.number < b.number;
    case Key::kObjective:
      place = Place(a.objective, b.objective, descending);
      break;
    case Key::kBestObjective:
      place = Place(a.best_objective, b.best_objective, descending);
      break;
    case Key::kCreateTime:
      place = Place<absl::Time>(a.create_time, b.create_time, descending);
      break;
    case Key::kEndTime:
      place = Place(a.end_time, b.end_time, descending);
      break;
  }
  return place != 0 ? place < 0 : a.number < b.number;
}

}  // namespace tuner::core
