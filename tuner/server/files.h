// Small files, whole. Any thread. Errors: NOT_FOUND, PERMISSION_DENIED, UNAVAILABLE; each names the file.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tuner::server {

// The Status of a failed system call: `what` with errno's text.
absl::Status ErrnoStatus(int error, const std::string& what);

// RESOURCE_EXHAUSTED: larger than `max_bytes`.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes = 1 << 20);

// Replaces the file with mode 0600: readers see the old text or the new, also after a power cut.
absl::Status WritePrivateFile(const std::string& path, const std::string& text);

// Makes a folder with mode 0700, and those above it.
absl::Status MakePrivateFolder(const std::string& path);

}  // namespace tuner::server
