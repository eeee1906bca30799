// Job files as the verbs read them.
//
// Pure but for reading the file; any thread. Errors: INVALID_ARGUMENT with every problem, one line each; NOT_FOUND: no
// such file.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tuner/v1/tuning_job.pb.h"

namespace tuner::cli {

struct JobSource {
  v1::TuningJobSpec spec;
  std::string base_dir;  // absolute folder of the file
  std::string text;
};
// `file` "-" is standard input, with this folder as its base.
absl::StatusOr<JobSource> ReadJobSource(const std::string& file);

// The service's INVALID_ARGUMENT with the line of the file put before each field's path: "line 7:
// parameters[0].double.min: ...".
absl::Status WithLines(const absl::Status& status, const JobSource& source);

// One line of such a message, taken apart.
struct ProblemLine {
  int line = 0;  // 0: not known
  std::string path, text;
};
ProblemLine ParseProblemLine(absl::string_view line);

// A whole file. NOT_FOUND, or INVALID_ARGUMENT for a folder.
absl::StatusOr<std::string> ReadWholeFile(const std::string& file);

}  // namespace tuner::cli
