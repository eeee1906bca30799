// The filter and order of ListTrials. Grammar: proto/tuner/v1/tuning_service.proto, ListTrialsRequest.filter.
//
// Threads: immutable after Parse; any thread. Errors: INVALID_ARGUMENT with the position and what was expected.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/container/btree_map.h"
#include "absl/status/statusor.h"
#include "core/trial.h"

namespace tuner::core {

class TrialFilter {
 public:
  // An empty text matches every trial.
  static absl::StatusOr<TrialFilter> Parse(std::string_view text);
  ~TrialFilter();
  TrialFilter(TrialFilter&&) noexcept;
  TrialFilter& operator=(TrialFilter&&) noexcept;

  // A comparison with a value that the trial lacks is false (and so is its negation by !=).
  bool Matches(const Trial& trial, const absl::btree_map<std::string, std::string>& job_tags) const;

 private:
  struct Node;
  explicit TrialFilter(std::unique_ptr<Node> root);
  std::unique_ptr<Node> root_;
};

struct TrialOrder {
  enum class Key { kNumber, kObjective, kBestObjective, kCreateTime, kEndTime };
  Key key = Key::kNumber;
  bool descending = false;

  static absl::StatusOr<TrialOrder> Parse(std::string_view text);
  // Strict weak order; trials without the value come last, ties by number.
  bool Before(const Trial& a, const Trial& b) const;
};

// "COMPLETED" for kCompleted and so on, as the proto spells it.
std::string_view TrialStateName(TrialState state);

}  // namespace tuner::core
