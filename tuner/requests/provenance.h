// What a job depends on, looked up when it is created: the command, hashes of the files it names, the git revision of
// its folder.
//
// Threads: any; may take seconds (it reads files and runs git), so it is called on no gRPC thread. No errors: what
// cannot be found out is left out.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "core/job_spec.h"
#include "tuner/v1/tuning_job.pb.h"

namespace tuner::requests {

struct ProvenanceLimits {
  int64_t max_file_bytes = 256 << 20;  // of each file; larger ones are left out
  int max_files = 20;
  absl::Duration git_timeout = absl::Seconds(2);
};

v1::Provenance FindProvenance(const core::JobSpec& spec, const ProvenanceLimits& limits = {});

// The version of this server, as `tuner --version` prints it.
const char* ServerVersion();

}  // namespace tuner::requests
