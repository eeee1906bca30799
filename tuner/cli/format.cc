#include "tuner/cli/format.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "proto/message_text.h"
#include "tuner/cli/text.h"

namespace tuner::cli {
namespace {

constexpr size_t kGap = 2;
constexpr size_t kNarrowest = 8;  // a column is never cut below this

std::string Padded(const std::string& cell, size_t width, Align align, bool last) {
  const size_t used = DisplayWidth(cell);
  const std::string spaces(width > used ? width - used : 0, ' ');
  if (align == Align::kRight) return spaces + cell;
  return last ? cell : cell + spaces;
}

// Takes columns away from those that may shrink, always from the widest, until the table fits or nothing is left to
// take.
void Shrink(const std::vector<Column>& columns, size_t limit, std::vector<size_t>& widths) {
  size_t total = kGap * (columns.size() - 1);
  for (size_t width : widths) total += width;
  while (total > limit) {
    size_t* widest = nullptr;
    for (size_t i = 0; i < columns.size(); ++i) {
      if (columns[i].may_shrink && widths[i] > kNarrowest && (!widest || widths[i] > *widest)) widest = &widths[i];
    }
    if (!widest) return;
    --*widest;
    --total;
  }
}

}  // namespace

void Table::Add(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  for (std::string& cell : cells) cell = Printable(cell);
  rows_.push_back(std::move(cells));
}

std::string Table::Render(size_t width, bool bold_titles) const {
  std::vector<size_t> widths;
  for (size_t i = 0; i < columns_.size(); ++i) {
    size_t widest = DisplayWidth(columns_[i].title);
    for (const auto& row : rows_) widest = std::max(widest, DisplayWidth(row[i]));
    widths.push_back(widest);
  }
  if (width > 0) Shrink(columns_, width, widths);
  const auto line = [&](auto&& cell_of) {
    std::string text;
    for (size_t i = 0; i < columns_.size(); ++i) {
      const bool last = i + 1 == columns_.size();
      text += Padded(Shortened(cell_of(i), widths[i]), widths[i], columns_[i].align, last);
      if (!last) text.append(kGap, ' ');
    }
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
  };
  std::string titles = line([&](size_t i) { return columns_[i].title; });
  std::string text = bold_titles ? absl::StrCat("\x1b[1m", titles, "\x1b[0m\n") : titles + "\n";
  for (const auto& row : rows_) absl::StrAppend(&text, line([&](size_t i) { return row[i]; }), "\n");
  return text;
}

std::string Json(const google::protobuf::Message& message) { return job_file::ToJson(message); }

void Printer::Print(const Table& table) { *out_ << table.Render(style_.width, style_.colour); }

void Printer::PrintPairs(const std::vector<std::pair<std::string, std::string>>& lines) {
  size_t widest = 0;
  for (const auto& [name, value] : lines) {
    if (!value.empty()) widest = std::max(widest, DisplayWidth(name));
  }
  for (const auto& [name, value] : lines) {
    if (value.empty()) continue;
    *out_ << Bold(name) << std::string(widest - DisplayWidth(name) + kGap, ' ') << Printable(value) << "\n";
  }
}

void Printer::PrintJson(const google::protobuf::Message& message) { *out_ << Json(message); }

void Printer::Note(absl::string_view text) {
  if (!style_.quiet) *err_ << text << "\n";
}

std::string Printer::Wrapped(const char* code, absl::string_view text) const {
  if (!style_.colour) return std::string(text);
  return absl::StrCat("\x1b[", code, "m", text, "\x1b[0m");
}

std::string Printer::Bold(absl::string_view text) const { return Wrapped("1", text); }
std::string Printer::Dim(absl::string_view text) const { return Wrapped("2", text); }
std::string Printer::Green(absl::string_view text) const { return Wrapped("32", text); }
std::string Printer::Red(absl::string_view text) const { return Wrapped("31", text); }
std::string Printer::Yellow(absl::string_view text) const { return Wrapped("33", text); }

}  // namespace tuner::cli
