#include "core/constraint.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/constraint_rep.h"
#include "core/domain.h"

namespace tuner::core {
namespace {

using constraint::Comparison;
using constraint::Node;
using constraint::Term;

// Of the terms' sizes: more than what the way from a unit coordinate to a value may lose, on any scale.
constexpr double kTolerance = 1e-12;
// Of a box: sums of bounds have their own rounding.
constexpr double kBoxTolerance = 2 * kTolerance;

size_t At(int index) { return static_cast<size_t>(index); }

// Whether `difference` compares so with 0. NaN never does.
bool Holds(Comparison comparison, double difference, double tolerance) {
  switch (comparison) {
    case Comparison::kEqual:
      return std::fabs(difference) <= tolerance;
    case Comparison::kNotEqual:
      return std::fabs(difference) > tolerance;
    case Comparison::kLess:
      return difference < -tolerance;
    case Comparison::kLessOrEqual:
      return difference <= tolerance;
    case Comparison::kGreater:
      return difference > tolerance;
    case Comparison::kGreaterOrEqual:
      break;
  }
  return difference >= -tolerance;
}

// ---- one point -------------------------------------------------------------------------------------------------

bool SumHolds(const Node& node, absl::Span<const double> numbers) {
  double difference = -node.constant;
  double size = std::fabs(node.constant);
  for (const Term& term : node.terms) {
    const double number = numbers[At(term.parameter)];
    if (std::isnan(number)) return true;  // inactive
    difference += term.coefficient * number;
    size += std::fabs(term.coefficient * number);
  }
  return std::isfinite(size) && Holds(node.comparison, difference, node.whole ? 0 : kTolerance * size);
}

bool Holds(const Node& node, absl::Span<const double> numbers) {
  const auto holds = [&](const Node& operand) { return Holds(operand, numbers); };
  switch (node.kind) {
    case Node::Kind::kAll:
      return std::all_of(node.operands.begin(), node.operands.end(), holds);
    case Node::Kind::kAny:
      return std::any_of(node.operands.begin(), node.operands.end(), holds);
    case Node::Kind::kNumbers:
      return SumHolds(node, numbers);
    case Node::Kind::kPlace: {
      const double number = numbers[At(node.left)];
      return std::isnan(number) || (number == node.place) == (node.comparison == Comparison::kEqual);
    }
    case Node::Kind::kSame:
      break;
  }
  const double left = numbers[At(node.left)];
  const double right = numbers[At(node.right)];
  if (std::isnan(left) || std::isnan(right)) return true;
  const bool same = node.left_words[static_cast<size_t>(left)] == node.right_words[static_cast<size_t>(right)];
  return same == (node.comparison == Comparison::kEqual);
}

// ---- boxes -----------------------------------------------------------------------------------------------------

// Where one of the parameters may be inactive, the comparison may hold for that alone.
Extent WithActivity(Extent active, Extent held) {
  if (active == Extent::kNone) return Extent::kAll;
  return active == Extent::kSome && held == Extent::kNone ? Extent::kSome : held;
}

Extent Judged(Comparison comparison, double low, double high, double tolerance) {
  const bool above = low > tolerance;  // all differences are
  const bool below = high < -tolerance;
  switch (comparison) {
    case Comparison::kEqual:
      return above || below ? Extent::kNone : Extent::kSome;
    case Comparison::kNotEqual:
      return above || below ? Extent::kAll : Extent::kSome;
    case Comparison::kLess:
      return low >= 0 ? Extent::kNone : below ? Extent::kAll : Extent::kSome;
    case Comparison::kLessOrEqual:
      return above ? Extent::kNone : high <= 0 ? Extent::kAll : Extent::kSome;
    case Comparison::kGreater:
      return high <= 0 ? Extent::kNone : above ? Extent::kAll : Extent::kSome;
    case Comparison::kGreaterOrEqual:
      break;
  }
  return below ? Extent::kNone : low >= 0 ? Extent::kAll : Extent::kSome;
}

Extent JudgeSum(const Node& node, absl::Span<const Interval> box) {
  double low = -node.constant;
  double high = -node.constant;
  double size = std::fabs(node.constant);
  bool is_point = true;
  Extent active = Extent::kAll;
  for (const Term& term : node.terms) {
    const Interval& interval = box[At(term.parameter)];
    if (interval.active == Extent::kNone) return Extent::kAll;
    if (interval.active == Extent::kSome) active = Extent::kSome;
    is_point &= interval.low == interval.high;
    const double a = term.coefficient * interval.low;
    const double b = term.coefficient * interval.high;
    low += std::min(a, b);
    high += std::max(a, b);
    size += std::max(std::fabs(a), std::fabs(b));
  }
  if (!std::isfinite(size)) return is_point ? WithActivity(active, Extent::kNone) : Extent::kSome;
  Extent held;
  if (is_point) {
    held = Holds(node.comparison, low, node.whole ? 0 : kTolerance * size) ? Extent::kAll : Extent::kNone;
  } else {
    held = Judged(node.comparison, low, high, node.whole ? 0 : kBoxTolerance * size);
  }
  return WithActivity(active, held);
}

Extent JudgePlace(const Node& node, absl::Span<const Interval> box) {
  const Interval& interval = box[At(node.left)];
  Extent equal = Extent::kSome;
  if (node.place < interval.low || node.place > interval.high) {
    equal = Extent::kNone;
  } else if (interval.low == interval.high) {
    equal = Extent::kAll;
  }
  if (node.comparison == Comparison::kNotEqual && equal != Extent::kSome) {
    equal = equal == Extent::kAll ? Extent::kNone : Extent::kAll;
  }
  return WithActivity(interval.active, equal);
}

Extent JudgeSame(const Node& node, absl::Span<const Interval> box) {
  const Interval& left = box[At(node.left)];
  const Interval& right = box[At(node.right)];
  if (left.active == Extent::kNone || right.active == Extent::kNone) return Extent::kAll;
  if (left.low != left.high || right.low != right.high) return Extent::kSome;
  const bool same = node.left_words[static_cast<size_t>(left.low)] == node.right_words[static_cast<size_t>(right.low)];
  const Extent held = same == (node.comparison == Comparison::kEqual) ? Extent::kAll : Extent::kNone;
  return WithActivity(std::min(left.active, right.active), held);
}

Extent Judge(const Node& node, absl::Span<const Interval> box) {
  switch (node.kind) {
    case Node::Kind::kAll:
    case Node::Kind::kAny: {
      const Extent decisive = node.kind == Node::Kind::kAll ? Extent::kNone : Extent::kAll;
      Extent result = node.kind == Node::Kind::kAll ? Extent::kAll : Extent::kNone;
      for (const Node& operand : node.operands) {
        const Extent extent = Judge(operand, box);
        if (extent == decisive) return decisive;
        if (extent == Extent::kSome) result = Extent::kSome;
      }
      return result;
    }
    case Node::Kind::kNumbers:
      return JudgeSum(node, box);
    case Node::Kind::kPlace:
      return JudgePlace(node, box);
    case Node::Kind::kSame:
      break;
  }
  return JudgeSame(node, box);
}

// The share of a uniform draw from the box for which the comparison holds, if its sum were normally distributed.
double PromiseOfSum(const Node& node, absl::Span<const Interval> box) {
  double mean = -node.constant;
  double variance = 0;
  for (const Term& term : node.terms) {
    const Interval& interval = box[At(term.parameter)];
    mean += term.coefficient * (interval.low + interval.high) / 2;
    const double width = term.coefficient * (interval.high - interval.low);
    variance += width * width / 12;
  }
  const double z = -mean / std::sqrt(variance);
  if (!std::isfinite(z)) return 0.5;
  switch (node.comparison) {
    case Comparison::kEqual:
      return std::exp(-z * z / 2);
    case Comparison::kNotEqual:
      return 1;
    case Comparison::kLess:
    case Comparison::kLessOrEqual:
      return std::erfc(-z * M_SQRT1_2) / 2;
    case Comparison::kGreater:
    case Comparison::kGreaterOrEqual:
      break;
  }
  return std::erfc(z * M_SQRT1_2) / 2;
}

double Promise(const Node& node, absl::Span<const Interval> box) {
  switch (Judge(node, box)) {
    case Extent::kNone:
      return 0;
    case Extent::kAll:
      return 1;
    case Extent::kSome:
      break;
  }
  double promise = node.kind == Node::Kind::kAll ? 1 : node.kind == Node::Kind::kAny ? 0 : 0.5;
  for (const Node& operand : node.operands) {
    const double own = Promise(operand, box);
    promise = node.kind == Node::Kind::kAll ? promise * own : std::max(promise, own);
  }
  return node.kind == Node::Kind::kNumbers ? PromiseOfSum(node, box) : promise;
}

// ---- what is known of a compiled condition ---------------------------------------------------------------------

std::optional<LinearInequality> AsLinear(const Node& node) {
  if (node.kind != Node::Kind::kNumbers || node.comparison == Comparison::kEqual ||
      node.comparison == Comparison::kNotEqual) {
    return std::nullopt;
  }
  const bool flip = node.comparison == Comparison::kGreater || node.comparison == Comparison::kGreaterOrEqual;
  LinearInequality linear;
  linear.strict = node.comparison == Comparison::kLess || node.comparison == Comparison::kGreater;
  linear.bound = flip ? 0 - node.constant : node.constant;
  for (const Term& term : node.terms) {
    if (term.coefficient != 0) linear.terms.emplace_back(term.parameter, flip ? -term.coefficient : term.coefficient);
  }
  if (linear.terms.empty()) return std::nullopt;
  return linear;
}

void CollectMentions(const Node& node, std::set<int>& indexes) {
  for (const Node& operand : node.operands) CollectMentions(operand, indexes);
  for (const Term& term : node.terms) indexes.insert(term.parameter);
  if (node.kind == Node::Kind::kPlace || node.kind == Node::Kind::kSame) indexes.insert(node.left);
  if (node.kind == Node::Kind::kSame) indexes.insert(node.right);
}

// The one value that the comparison leaves to its continuous parameter.
std::optional<double> PinOf(const Node& node, const DoubleDomain& domain, double coefficient) {
  const double value = node.constant / coefficient;
  const double slack = kTolerance * (std::fabs(value) + std::fabs(domain.min) + std::fabs(domain.max));
  const bool flip = coefficient < 0;
  if (node.comparison == Comparison::kEqual) {
    if (value < domain.min - slack || value > domain.max + slack) return std::nullopt;
    return std::clamp(value, domain.min, domain.max);
  }
  const Comparison at_low = flip ? Comparison::kGreaterOrEqual : Comparison::kLessOrEqual;
  const Comparison at_high = flip ? Comparison::kLessOrEqual : Comparison::kGreaterOrEqual;
  if (node.comparison == at_low && std::fabs(value - domain.min) <= slack) return domain.min;
  if (node.comparison == at_high && std::fabs(value - domain.max) <= slack) return domain.max;
  return std::nullopt;
}

void CollectPins(const Node& node, const SearchSpace& space, std::vector<std::pair<int, double>>& pins) {
  for (const Node& operand : node.operands) CollectPins(operand, space, pins);
  if (node.terms.size() != 1 || node.terms[0].coefficient == 0) return;
  const Domain& domain = space.parameters()[At(node.terms[0].parameter)].domain;
  if (domain::Count(domain, /*for_grid=*/false).has_value()) return;
  if (const auto pin = PinOf(node, std::get<DoubleDomain>(domain), node.terms[0].coefficient)) {
    pins.emplace_back(node.terms[0].parameter, *pin);
  }
}

}  // namespace

ConstraintSet ConstraintSet::Parse(absl::Span<const std::string> texts, const SearchSpace* space,
                                   const ParameterMap& static_parameters, Problems& problems) {
  if (texts.size() > kMaxSize) {
    problems.push_back({"constraints", absl::StrCat("has ", texts.size(), " entries; give at most ", kMaxSize)});
    return ConstraintSet();
  }
  if (texts.empty()) return ConstraintSet();
  auto rep = std::make_shared<Rep>();
  std::set<int> mentioned;
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::string path = absl::StrCat("constraints[", i, "]");
    const auto expression = constraint::ParseExpression(texts[i]);
    if (!expression.ok()) {
      problems.push_back({path, std::string(expression.status().message())});
      continue;
    }
    if (space == nullptr) continue;
    std::optional<Node> root = constraint::Compile(**expression, texts[i], *space, static_parameters, path, problems);
    if (!root.has_value()) continue;
    std::set<int> own;
    CollectMentions(*root, own);
    mentioned.insert(own.begin(), own.end());
    std::vector<std::pair<int, double>> pins;
    CollectPins(*root, *space, pins);
    std::optional<LinearInequality> linear = AsLinear(*root);
    rep->constraints.push_back(
        {texts[i], *std::move(root), std::move(linear), {own.begin(), own.end()}, std::move(pins)});
  }
  if (space == nullptr || rep->constraints.size() != texts.size()) return ConstraintSet();
  rep->parameter_count = space->parameters().size();
  for (const int index : mentioned) {
    const Parameter& parameter = space->parameters()[At(index)];
    rep->mentions.push_back({index, parameter.name, parameter.domain});
  }
  ConstraintSet result;
  result.rep_ = std::move(rep);
  return result;
}

int ConstraintSet::size() const { return rep_ == nullptr ? 0 : static_cast<int>(rep_->constraints.size()); }
const std::string& ConstraintSet::text(int i) const { return rep_->constraints[At(i)].text; }
const std::optional<LinearInequality>& ConstraintSet::linear(int i) const { return rep_->constraints[At(i)].linear; }
absl::Span<const int> ConstraintSet::Mentioned(int i) const { return rep_->constraints[At(i)].mentioned; }

absl::Span<const std::pair<int, double>> ConstraintSet::Pins(int i) const { return rep_->constraints[At(i)].pins; }

bool ConstraintSet::Holds(int i, absl::Span<const double> numbers) const {
  return tuner::core::Holds(rep_->constraints[At(i)].root, numbers);
}

std::optional<int> ConstraintSet::Broken(absl::Span<const double> numbers) const {
  for (int i = 0; i < size(); ++i) {
    if (!Holds(i, numbers)) return i;
  }
  return std::nullopt;
}

bool ConstraintSet::Satisfied(const ParameterMap& point) const { return !Broken(point).has_value(); }

std::optional<int> ConstraintSet::Broken(const ParameterMap& point) const {
  if (empty()) return std::nullopt;
  absl::InlinedVector<double, 128> numbers(rep_->parameter_count, std::numeric_limits<double>::quiet_NaN());
  for (const Rep::Mention& mention : rep_->mentions) {
    const auto found = point.find(mention.name);
    if (found != point.end()) numbers[At(mention.index)] = domain::Number(mention.domain, found->second);
  }
  return Broken(absl::MakeConstSpan(numbers));
}

std::string ConstraintSet::Quote(int i) const { return absl::StrCat("breaks constraints[", i, "] `", text(i), "`"); }

Extent ConstraintSet::Judge(int i, absl::Span<const Interval> box) const {
  return tuner::core::Judge(rep_->constraints[At(i)].root, box);
}

double ConstraintSet::Promise(int i, absl::Span<const Interval> box) const {
  return tuner::core::Promise(rep_->constraints[At(i)].root, box);
}

}  // namespace tuner::core
