#include <optional>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "core/trial_filter.h"

namespace tuner::core {
namespace {

// -1, 0, 1: a before, beside or behind b. Missing values come last in either direction.
template <typename T>
int Place(const std::optional<T>& a, const std::optional<T>& b, bool descending) {
  if (!a.has_value() || !b.has_value()) return static_cast<int>(!a.has_value()) - static_cast<int>(!b.has_value());
  if (*a == *b) return 0;
  return (*a < *b) != descending ? -1 : 1;
}

}  // namespace

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
