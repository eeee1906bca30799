// Reads the pieces of a small language from a text: what trial filters and constraints have in common.
//
// Threads: each object is for one thread. The text must outlive it. Errors: INVALID_ARGUMENT with the position, counted
// from 1 in bytes, and what was expected or found there.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace tuner::core {

class TextScanner {
 public:
  // `prefix` begins each error.
  explicit TextScanner(absl::string_view text, absl::string_view prefix = "") : text_(text), prefix_(prefix) {}

  absl::string_view text() const { return text_; }
  size_t at() const { return at_; }
  void Reset(size_t at) { at_ = at; }
  void Advance(size_t count) { at_ += count; }
  bool AtEnd() const { return at_ >= text_.size(); }
  // '\0' at the end.
  char Next() const { return AtEnd() ? '\0' : text_[at_]; }
  absl::string_view Rest() const { return text_.substr(at_); }

  void SkipSpace();
  // These two skip space first, and read nothing where they return false.
  bool Take(absl::string_view symbol);
  bool TakeKeyword(absl::string_view keyword);
  // Letters, digits and _, not beginning with a digit; empty if there is none here.
  absl::string_view ReadWord();
  // A text that opens with the quote that stands here and has \ before what is meant literally.
  absl::Status ReadQuoted(std::string& out);

  absl::Status Error(absl::string_view what) const;
  absl::Status Expected(absl::string_view what) const;
  // For what stands in more than kMaxDepth levels of itself; parsers recurse.
  static constexpr int kMaxDepth = 50;
  absl::Status TooDeep() const;

  static bool IsWordPart(char c);

 private:
  absl::string_view text_;
  absl::string_view prefix_;
  size_t at_ = 0;
};

}  // namespace tuner::core
