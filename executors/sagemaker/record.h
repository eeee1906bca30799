// What the server keeps of a run on SageMaker, at <data>/jobs/<job>/sagemaker/<trial>-<attempt>: a run with a record
// was accepted, and one without never was.
//
// Threads: any; two calls for the same run must not overlap. Ownership: none. Errors: UNAVAILABLE: the disk.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "executors/executor.h"
#include "executors/run_folder.h"

namespace tuner::executors::sagemaker {

struct RunRecord {
  int instance_type = 0;  // place of the type that is tried
  // A training job may have been asked for under the name of this place: whether there is one is SageMaker's to say.
  bool sent = false;
  std::string arn;  // once it is known that there is one
  // How it ended, and the values that its log did not tell; told again until the server has stored it.
  std::optional<RunEnded> end;
  bool began = false;  // it came to train before it ended
  std::vector<core::Measurement> final_values;
};

// Nothing if there is none.
absl::StatusOr<std::optional<RunRecord>> ReadRunRecord(const RunPaths& paths);
// After OK, a power cut does not take it back.
absl::Status WriteRunRecord(const RunPaths& paths, const RunRecord& record);

}  // namespace tuner::executors::sagemaker
