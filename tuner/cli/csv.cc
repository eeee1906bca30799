#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "tuner/cli/trial_file.h"

namespace tuner::cli {

std::string CsvField(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

absl::StatusOr<std::vector<std::vector<std::string>>> ParseCsv(const std::string& text) {
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> row;
  std::string field;
  bool quoted = false, anything = false;
  int line = 1, quote_line = 1;
  const auto end_row = [&] {
    row.push_back(std::exchange(field, ""));
    // An empty line is no row.
    if (anything) rows.push_back(std::move(row));
    row.clear();
    anything = false;
  };
  absl::string_view rest = text;
  absl::ConsumePrefix(&rest, "\xEF\xBB\xBF");
  for (size_t i = 0; i < rest.size(); ++i) {
    const char c = rest[i];
    if (c == '\n') ++line;
    if (quoted) {
      if (c != '"') {
        field += c;
      } else if (i + 1 < rest.size() && rest[i + 1] == '"') {
        field += rest[++i];
      } else {
        quoted = false;
      }
    } else if (c == '"' && field.empty()) {
      quoted = anything = true;
      quote_line = line;
    } else if (c == ',') {
      row.push_back(std::exchange(field, ""));
      anything = true;
    } else if (c == '\n') {
      end_row();
    } else if (c != '\r' || i + 1 >= rest.size() || rest[i + 1] != '\n') {
      field += c;
      anything = true;
    }
  }
  if (quoted)
    return absl::InvalidArgumentError(absl::StrCat("line ", quote_line, ": the quoted field has no closing quote."));
  end_row();
  return rows;
}

}  // namespace tuner::cli
