// A folder of code as a tar archive, compressed: what framework images unpack as their source directory. The same files
// make the same archive, whenever it is packed.
//
// Threads: any. Ownership: none. Errors: INVALID_ARGUMENT: nothing there to pack, or a file that does not fit a tar
// archive. UNAVAILABLE: the disk.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace tuner::executors::sagemaker {

// Packs the regular files below `folder` (hidden ones and __pycache__ left out), or only the file `only` of it.
absl::Status PackCode(const std::string& folder, const std::string& only, const std::string& archive);

}  // namespace tuner::executors::sagemaker
