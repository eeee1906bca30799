#include "core/text_scanner.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace tuner::core {
namespace {

constexpr size_t kMaxShown = 20;

}  // namespace

bool TextScanner::IsWordPart(char c) { return absl::ascii_isalnum(c) || c == '_'; }

void TextScanner::SkipSpace() {
  while (!AtEnd() && absl::ascii_isspace(text_[at_])) ++at_;
}

bool TextScanner::Take(absl::string_view symbol) {
  SkipSpace();
  if (!absl::StartsWith(Rest(), symbol)) return false;
  at_ += symbol.size();
  return true;
}

bool TextScanner::TakeKeyword(absl::string_view keyword) {
  SkipSpace();
  const size_t start = at_;
  if (ReadWord() == keyword) return true;
  at_ = start;
  return false;
}

absl::string_view TextScanner::ReadWord() {
  const size_t start = at_;
  if (!absl::ascii_isdigit(Next())) {
    while (!AtEnd() && IsWordPart(text_[at_])) ++at_;
  }
  return text_.substr(start, at_ - start);
}

absl::Status TextScanner::ReadQuoted(std::string& out) {
  const size_t start = at_;
  const char quote = Next();
  for (++at_; !AtEnd() && text_[at_] != quote; ++at_) {
    if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
    out.push_back(text_[at_]);
  }
  if (AtEnd()) {
    at_ = start;
    return Error(absl::StrCat("opens a ", quote == '"' ? "double" : "single", " quote that is never closed"));
  }
  ++at_;
  return absl::OkStatus();
}

absl::Status TextScanner::Error(absl::string_view what) const {
  return absl::InvalidArgumentError(absl::StrCat(prefix_, "at character ", at_ + 1, " it ", what));
}

absl::Status TextScanner::Expected(absl::string_view what) const {
  size_t shown = at_ + kMaxShown;
  while (shown < text_.size() && (static_cast<unsigned char>(text_[shown]) & 0xC0) == 0x80) ++shown;  // no half letter
  const std::string found = AtEnd() ? "the end" : absl::StrCat("\"", text_.substr(at_, shown - at_), "\"");
  return absl::InvalidArgumentError(
      absl::StrCat(prefix_, "at character ", at_ + 1, " expected ", what, ", found ", found));
}

absl::Status TextScanner::TooDeep() const {
  return Error(absl::StrCat("is nested deeper than ", kMaxDepth, " levels; write it flatter"));
}

}  // namespace tuner::core
