#include "core/trial_filter.h"

#include <optional>
#include <utility>

#include "absl/strings/string_view.h"
#include "core/trial_filter_node.h"

namespace tuner::core {
namespace {

using filter::Field;
using filter::Literal;
using filter::Operator;

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

absl::string_view StateName(TrialState state) { return filter::kStateNames[static_cast<size_t>(state)]; }
absl::string_view OriginName(TrialOrigin origin) { return filter::kOriginNames[static_cast<size_t>(origin)]; }

}  // namespace

std::string_view TrialStateName(TrialState state) {
  const absl::string_view name = StateName(state);
  return std::string_view(name.data(), name.size());
}

bool TrialFilter::Node::Matches(const Trial& trial, const Tags& tags) const {
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

bool TrialFilter::Node::Holds(const Trial& trial, const Tags& tags) const {
  switch (field) {
    case Field::kNumber:
      return CompareNumber(trial.number, op, literal);
    case Field::kState:
      return Compare<absl::string_view>(StateName(trial.state), op, literal.text);
    case Field::kOrigin:
      return Compare<absl::string_view>(OriginName(trial.origin), op, literal.text);
    case Field::kDefinition:
      return Compare<absl::string_view>(trial.definition, op, literal.text);
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

TrialFilter::TrialFilter(std::unique_ptr<Node> root) : root_(std::move(root)) {}
TrialFilter::~TrialFilter() = default;
TrialFilter::TrialFilter(TrialFilter&&) noexcept = default;
TrialFilter& TrialFilter::operator=(TrialFilter&&) noexcept = default;

bool TrialFilter::Matches(const Trial& trial, const absl::btree_map<std::string, std::string>& job_tags) const {
  return root_->Matches(trial, job_tags);
}

}  // namespace tuner::core
