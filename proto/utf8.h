// Text that comes from outside (output of trials, paths) made fit for protobuf strings. Pure function; any thread.
#pragma once

#include <string>
#include <string_view>

namespace tuner::convert {

bool IsUtf8(std::string_view text);

// `text` with every byte that is not part of well-formed UTF-8 replaced by U+FFFD. A protobuf message with any other
// string could be serialised but not parsed again.
std::string ToUtf8(std::string_view text);

}  // namespace tuner::convert
