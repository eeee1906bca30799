#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/bench.h"

namespace tuner::bench {

void Table::Print(std::ostream& out) const {
  std::vector<size_t> widths(rows_.front().size());
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (size_t r = 0; r < rows_.size(); ++r) {
    std::string line;
    for (size_t i = 0; i < rows_[r].size(); ++i) {
      const bool last = i + 1 == rows_[r].size();
      absl::StrAppend(&line, rows_[r][i], last ? "" : std::string(widths[i] - rows_[r][i].size() + 2, ' '));
    }
    out << line << "\n";
    if (r == 0) out << std::string(line.size(), '-') << "\n";
  }
  out << std::flush;
}

std::string Number(double value) {
  if (std::abs(value) < 10) return absl::StrFormat("%.2f", value);
  if (std::abs(value) < 100) return absl::StrFormat("%.1f", value);
  std::string digits = absl::StrFormat("%.0f", value);
  for (int i = static_cast<int>(digits.size()) - 3; i > (digits[0] == '-' ? 1 : 0); i -= 3) digits.insert(i, 1, ',');
  return digits;
}

std::string Milliseconds(absl::Duration duration) {
  return absl::StrFormat("%.2f ms", absl::ToDoubleMilliseconds(duration));
}

std::string Brief(absl::string_view text) {
  constexpr size_t kLongest = 60;
  const absl::string_view line = text.substr(0, text.find('\n'));
  return absl::StrCat(line.substr(0, kLongest), line.size() < text.size() || line.size() > kLongest ? " ..." : "");
}

std::string Verdict(bool met) { return met ? "met" : "missed"; }

}  // namespace tuner::bench
