// The state of a git checkout. Any thread; runs git, so it is called on no gRPC thread.
#pragma once

#include <string>

#include "absl/time/time.h"

namespace tuner::requests {

// The revision that `folder` has checked out, with "-dirty" if tracked files differ; empty if it is in no checkout, git
// is not there, or it took longer than `timeout`.
std::string GitRevision(const std::string& folder, absl::Duration timeout);

}  // namespace tuner::requests
