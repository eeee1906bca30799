// Every listing of the command line, as an aligned table or as one JSON document. The only place that knows how either
// looks.
//
// Threads: a Printer belongs to one thread. Ownership: it borrows its streams. Errors: as Json says. Widths in terminal
// columns.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace tuner::cli {

enum class Align { kLeft, kRight };

struct Column {
  std::string title;
  Align align = Align::kLeft;
  bool may_shrink = false;  // is cut first when the terminal is too narrow
};

// A table that is built row by row. Cells may hold anything; what cannot be printed is escaped.
class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  // As many cells as there are columns; missing ones are empty.
  void Add(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }
  // Two spaces between columns, no trailing spaces. `width` 0: no limit.
  std::string Render(size_t width, bool bold_titles) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// One proto message as its JSON mapping, with snake_case names.
std::string Json(const google::protobuf::Message& message);
// "[...]" of several, for documents that have no message of their own.
template <typename Messages>
std::string JsonList(const Messages& messages) {
  std::string text;
  for (const auto& message : messages) text += (text.empty() ? "" : ",\n") + Json(message);
  return "[" + text + "]";
}

// How output is written: chosen once per process from flags, terminal and environment.
struct Style {
  bool json = false;
  bool quiet = false;
  bool colour = false;    // on standard output
  bool terminal = false;  // standard output is one
  size_t width = 0;       // 0: no limit
};

class Printer {
 public:
  Printer(std::ostream* out, std::ostream* err, Style style) : out_(out), err_(err), style_(style) {}

  const Style& style() const { return style_; }
  std::ostream& out() { return *out_; }
  std::ostream& err() { return *err_; }

  void Print(const Table& table);
  // `lines` of "name: value", values aligned. Empty values are left out.
  void PrintPairs(const std::vector<std::pair<std::string, std::string>>& lines);
  // A whole document, with its line end.
  void PrintJson(const google::protobuf::Message& message);
  // A remark for people on standard error; not with --quiet.
  void Note(absl::string_view text);

  std::string Bold(absl::string_view text) const;
  std::string Dim(absl::string_view text) const;
  std::string Green(absl::string_view text) const;
  std::string Red(absl::string_view text) const;
  std::string Yellow(absl::string_view text) const;

 private:
  std::string Wrapped(const char* code, absl::string_view text) const;

  std::ostream* out_;
  std::ostream* err_;
  Style style_;
};

}  // namespace tuner::cli
