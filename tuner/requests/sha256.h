// SHA-256. Pure function; any thread.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace tuner::requests {

// 32 bytes.
std::string Sha256(absl::string_view text);

}  // namespace tuner::requests
