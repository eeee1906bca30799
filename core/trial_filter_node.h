// The syntax tree of a trial filter, for the sources of trial_filter.h. Plain values; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/trial_filter.h"

namespace tuner::core {
namespace filter {

// By the number of the enum's value, as the proto spells them; the first one is "unspecified".
inline constexpr std::array<absl::string_view, 11> kStateNames = {
    "STATE_UNSPECIFIED", "QUEUED",        "PENDING", "RUNNING", "PAUSED",    "STOPPING",
    "COMPLETED",         "EARLY_STOPPED", "STOPPED", "FAILED",  "INFEASIBLE"};
inline constexpr std::array<absl::string_view, 5> kOriginNames = {"ORIGIN_UNSPECIFIED", "STRATEGY", "ENQUEUED",
                                                                  "IMPORTED", "REUSED"};

enum class Field {
  kNumber,
  kState,
  kOrigin,
  kDefinition,
  kObjective,
  kBestObjective,
  kParameter,
  kMetric,
  kTag,
  kCreateTime,
  kEndTime,
};
enum class Operator { kEqual, kNotEqual, kLess, kLessOrEqual, kGreater, kGreaterOrEqual };

struct Literal {
  std::string text;
  bool quoted = false;
  std::optional<double> number;    // if it reads as one and is not quoted
  std::optional<absl::Time> time;  // of a literal that is compared with a time
};

}  // namespace filter

struct TrialFilter::Node {
  enum class Kind { kAll, kAnd, kOr, kNot, kCompare };
  using Tags = absl::btree_map<std::string, std::string>;

  bool Matches(const Trial& trial, const Tags& tags) const;
  bool Holds(const Trial& trial, const Tags& tags) const;  // of kCompare

  Kind kind = Kind::kAll;
  std::vector<std::unique_ptr<Node>> operands;  // of kAnd, kOr, kNot
  // Of kCompare:
  filter::Field field = filter::Field::kNumber;
  std::string key;  // of a map's field
  filter::Operator op = filter::Operator::kEqual;
  filter::Literal literal;

  class Parser;
};

}  // namespace tuner::core
