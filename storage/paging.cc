#include "storage/paging.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace tuner::storage {
namespace {

// FNV-1a, so that a mangled token is told from a good one. Not a secret.
uint32_t Checksum(absl::string_view text) {
  uint32_t hash = 2166136261U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return hash;
}

std::string Seal(absl::string_view fields) {
  return absl::WebSafeBase64Escape(absl::StrCat(absl::Hex(Checksum(fields), absl::kZeroPad8), fields));
}

absl::Status BadToken() {
  return absl::InvalidArgumentError(
      "the page token was not made by this listing: pass the one of the page before, with the same arguments "
      "otherwise");
}

absl::StatusOr<std::string> Unseal(absl::string_view token) {
  std::string text;
  if (!absl::WebSafeBase64Unescape(token, &text) || text.size() < 8) return BadToken();
  std::string fields = text.substr(8);
  if (Seal(fields) != token) return BadToken();
  return fields;
}

std::string ListingOf(const TrialQuery& query) {
  return absl::StrCat("t", static_cast<int>(query.order.key), query.order.descending ? "d" : "a", query.job_id);
}

}  // namespace

std::optional<int64_t> RankOf(std::optional<double> value) {
  if (!value || std::isnan(*value)) return std::nullopt;
  const double normal = *value == 0 ? 0.0 : *value;  // -0 and 0 are one value
  int64_t bits = 0;
  std::memcpy(&bits, &normal, sizeof bits);
  // The bits of negative numbers order the other way round.
  return bits >= 0 ? bits : std::numeric_limits<int64_t>::min() - bits;
}

std::optional<int64_t> RankOf(std::optional<absl::Time> time) {
  if (!time) return std::nullopt;
  return absl::ToUnixNanos(*time);
}

std::optional<int64_t> RankOf(const core::Trial& trial, core::TrialOrder::Key key) {
  switch (key) {
    case core::TrialOrder::Key::kNumber:
      return trial.number;
    case core::TrialOrder::Key::kObjective:
      return RankOf(trial.objective);
    case core::TrialOrder::Key::kBestObjective:
      return RankOf(trial.best_objective);
    case core::TrialOrder::Key::kCreateTime:
      return RankOf(std::optional<absl::Time>(trial.create_time));
    case core::TrialOrder::Key::kEndTime:
      return RankOf(trial.end_time);
  }
  return std::nullopt;
}

bool Before(const core::TrialOrder& order, const TrialPosition& a, const TrialPosition& b) {
  if (order.key == core::TrialOrder::Key::kNumber) {
    const bool before = std::pair(a.job_sequence, a.number) < std::pair(b.job_sequence, b.number);
    const bool same = a.job_sequence == b.job_sequence && a.number == b.number;
    return order.descending ? !before && !same : before;
  }
  if (a.rank.has_value() != b.rank.has_value()) return a.rank.has_value();
  if (a.rank && *a.rank != *b.rank) return (*a.rank < *b.rank) != order.descending;
  return std::pair(a.job_sequence, a.number) < std::pair(b.job_sequence, b.number);
}

std::string MakeTrialToken(const TrialQuery& query, const TrialPosition& last) {
  return Seal(absl::StrCat(ListingOf(query), "/", last.rank ? absl::StrCat(*last.rank) : "", "/", last.job_sequence,
                           "/", last.number));
}

absl::StatusOr<std::optional<TrialPosition>> ParseTrialToken(const TrialQuery& query) {
  if (query.after.empty()) return std::nullopt;
  const absl::StatusOr<std::string> text = Unseal(query.after);
  if (!text.ok()) return text.status();
  const std::vector<absl::string_view> fields = absl::StrSplit(*text, '/');
  TrialPosition last;
  int64_t rank = 0;
  if (fields.size() != 4 || fields[0] != ListingOf(query) || !absl::SimpleAtoi(fields[2], &last.job_sequence) ||
      !absl::SimpleAtoi(fields[3], &last.number)) {
    return BadToken();
  }
  if (!fields[1].empty()) {
    if (!absl::SimpleAtoi(fields[1], &rank)) return BadToken();
    last.rank = rank;
  }
  return last;
}

std::string MakeJobToken(int64_t last_sequence) { return Seal(absl::StrCat("j/", last_sequence)); }

absl::StatusOr<std::optional<int64_t>> ParseJobToken(const JobQuery& query) {
  if (query.after.empty()) return std::nullopt;
  const absl::StatusOr<std::string> text = Unseal(query.after);
  if (!text.ok()) return text.status();
  const std::vector<absl::string_view> fields = absl::StrSplit(*text, '/');
  int64_t last = 0;
  if (fields.size() != 2 || fields[0] != "j" || !absl::SimpleAtoi(fields[1], &last)) return BadToken();
  return last;
}

}  // namespace tuner::storage
