// Who owns the jobs of a data folder: the same name for every process that works on it, one after the other (storage
// lets in one at a time), so that each takes over at once what the one before left.
//
// Threads: any. Errors: NOT_FOUND, PERMISSION_DENIED: the folder.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace tuner::embed {

absl::StatusOr<std::string> FolderId(const std::string& data_dir);

}  // namespace tuner::embed
