#include "proto/yaml_scalars.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "proto/job_file.h"

namespace tuner::job_file {
namespace {

absl::Status Refuse(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("is ", Quoted(text), why));
}

size_t SkipDigits(absl::string_view text, size_t at) {
  while (at < text.size() && absl::ascii_isdigit(text[at])) ++at;
  return at;
}

// Besides JSON's numbers: a leading +, and a decimal point without digits on one side.
bool IsDecimal(absl::string_view text) {
  size_t at = !text.empty() && (text[0] == '+' || text[0] == '-') ? 1 : 0;
  const size_t whole = SkipDigits(text, at);
  size_t digits = whole - at;
  at = whole;
  if (at < text.size() && text[at] == '.') {
    const size_t end = SkipDigits(text, at + 1);
    digits += end - at - 1;
    at = end;
  }
  if (digits == 0) return false;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    const size_t end = SkipDigits(text, at);
    if (end == at) return false;
    at = end;
  }
  return at == text.size();
}

// JSON mapping's names, and YAML's.
std::optional<double> NamedDouble(absl::string_view text) {
  const bool is_negative = absl::ConsumePrefix(&text, "-");
  const double infinity = std::numeric_limits<double>::infinity();
  if (text == "Infinity" || text == ".inf" || text == ".Inf" || text == ".INF" || text == "inf") {
    return is_negative ? -infinity : infinity;
  }
  const bool is_nan = text == "NaN" || text == ".nan" || text == ".NaN" || text == ".NAN" || text == "nan";
  if (is_nan && !is_negative) return std::numeric_limits<double>::quiet_NaN();
  return std::nullopt;
}

template <typename T>
absl::StatusOr<T> ReadInteger(const std::string& text) {
  if (!IsDecimal(text)) return Refuse(text, ", which is no whole number");
  const absl::string_view digits = absl::StripPrefix(text, "+");
  T value = 0;
  if (absl::SimpleAtoi(digits, &value)) return value;
  double number = 0;
  if (!absl::SimpleAtod(digits, &number) || !std::isfinite(number)) return Refuse(text, ", which is too large");
  if (number != std::floor(number)) return Refuse(text, ", which is no whole number");
  // The bounds of T as doubles: the upper one is exclusive, as 2^63 and 2^64 are exact and 2^63 - 1 is not.
  const double low = static_cast<double>(std::numeric_limits<T>::min());
  const double high = std::ldexp(1.0, std::numeric_limits<T>::digits);
  if (number < low || number >= high) {
    return Refuse(text, absl::StrCat(", which is outside of ", std::numeric_limits<T>::min(), " to ",
                                     std::numeric_limits<T>::max()));
  }
  return static_cast<T>(number);
}

size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::string Quoted(absl::string_view text) {
  constexpr size_t kShown = 60;
  return text.size() <= kShown ? absl::StrCat("`", text, "`") : absl::StrCat("`", text.substr(0, kShown), "...`");
}

std::string Nearest(absl::string_view text, const std::vector<std::string>& candidates) {
  constexpr size_t kLongest = 64;
  if (text.empty() || text.size() > kLongest) return "";
  std::string nearest;
  size_t best = std::max<size_t>(1, text.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const size_t distance = EditDistance(absl::AsciiStrToLower(text), absl::AsciiStrToLower(candidate));
    if (distance < best) {
      best = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

bool IsJsonNumber(absl::string_view text) {
  if (!IsDecimal(text) || text[0] == '+') return false;
  const absl::string_view digits = absl::StripPrefix(text, "-");
  if (digits[0] == '.' || (digits.size() > 1 && digits[0] == '0' && absl::ascii_isdigit(digits[1]))) return false;
  const size_t point = digits.find('.');
  return point == absl::string_view::npos || (point + 1 < digits.size() && absl::ascii_isdigit(digits[point + 1]));
}

absl::StatusOr<double> ReadDouble(const std::string& text) {
  if (const auto named = NamedDouble(text)) return *named;
  double value = 0;
  if (!IsDecimal(text) || !absl::SimpleAtod(text, &value)) return Refuse(text, ", which is no number");
  if (!std::isfinite(value)) return Refuse(text, ", which is too large for a number");
  return value;
}

absl::StatusOr<int64_t> ReadInt64(const std::string& text) { return ReadInteger<int64_t>(text); }
absl::StatusOr<uint64_t> ReadUint64(const std::string& text) { return ReadInteger<uint64_t>(text); }
absl::StatusOr<int32_t> ReadInt32(const std::string& text) { return ReadInteger<int32_t>(text); }
absl::StatusOr<uint32_t> ReadUint32(const std::string& text) { return ReadInteger<uint32_t>(text); }

absl::StatusOr<bool> ReadBool(const std::string& text) {
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  return Refuse(text, "; write true or false");
}

absl::StatusOr<int> ReadEnum(const std::string& text, const google::protobuf::EnumDescriptor& type) {
  if (const auto* value = type.FindValueByName(text)) return value->number();
  int number = 0;
  if (absl::SimpleAtoi(text, &number) && type.FindValueByNumber(number) != nullptr) return number;
  std::vector<std::string> names;
  for (int i = 0; i < type.value_count(); ++i) {
    if (type.value(i)->number() != 0) names.push_back(type.value(i)->name());
  }
  const std::string nearest = Nearest(text, names);
  return Refuse(text, nearest.empty() ? absl::StrCat("; write one of ", absl::StrJoin(names, ", "))
                                      : absl::StrCat("; do you mean ", nearest, "?"));
}

absl::StatusOr<absl::Time> ReadTime(const std::string& text) {
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, text, &time, &error) || time == absl::InfiniteFuture() ||
      time == absl::InfinitePast()) {
    return Refuse(text, "; write a time as 2025-01-31T12:00:00Z");
  }
  return time;
}

absl::StatusOr<absl::Duration> ParseDuration(std::string_view given) {
  constexpr int64_t kMaxSeconds = 315'576'000'000;
  const absl::string_view text(given.data(), given.size());
  absl::string_view rest = text;
  const bool is_negative = absl::ConsumePrefix(&rest, "-");
  absl::Duration duration = absl::ZeroDuration();
  if (const size_t days_end = rest.find('d'); days_end != absl::string_view::npos) {
    int64_t days = 0;
    if (!absl::SimpleAtoi(rest.substr(0, days_end), &days) || days < 0) rest = "?";
    duration = absl::Hours(24) * days;
    if (rest != "?") rest.remove_prefix(days_end + 1);
  }
  absl::Duration clock = absl::ZeroDuration();
  const bool is_days_only = rest.empty() && duration != absl::ZeroDuration();
  const bool is_signed = !rest.empty() && (rest[0] == '-' || rest[0] == '+');
  if (!is_days_only && (is_signed || !absl::ParseDuration(rest, &clock))) {
    return Refuse(text, "; write a time with its unit, as 90s, 5m, 1h30m or 2d");
  }
  duration += clock;
  if (duration > absl::Seconds(kMaxSeconds)) return Refuse(text, ", which is over 10,000 years");
  return is_negative ? -duration : duration;
}

}  // namespace tuner::job_file
