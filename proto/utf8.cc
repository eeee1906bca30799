#include "proto/utf8.h"

#include <cstddef>
#include <cstdint>

namespace tuner::convert {
namespace {

// Length of the well-formed sequence at the start of `text` (Unicode 15, table 3-7), 0 if there is none.
size_t SequenceLength(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  size_t length = 0;
  uint8_t low = 0x80, high = 0xBF;  // bounds of the second byte
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  }
  if (length == 0 || text.size() < length || byte(1) < low || byte(1) > high) return 0;
  for (size_t i = 2; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  return length;
}

size_t ValidPrefix(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const size_t length = SequenceLength(text.substr(at));
    if (length == 0) break;
    at += length;
  }
  return at;
}

}  // namespace

bool IsUtf8(std::string_view text) { return ValidPrefix(text) == text.size(); }

std::string ToUtf8(std::string_view text) {
  size_t valid = ValidPrefix(text);
  std::string result(text.substr(0, valid));
  while (valid < text.size()) {
    result += "\xEF\xBF\xBD";
    text.remove_prefix(valid + 1);
    valid = ValidPrefix(text);
    result += text.substr(0, valid);
  }
  return result;
}

}  // namespace tuner::convert
