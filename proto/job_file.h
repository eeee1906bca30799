// Job files: YAML or JSON text in the proto's JSON mapping, read by field type.
//
// Pure functions; any thread. Errors: INVALID_ARGUMENT with every problem of the text on a line of its own, "line 7:
// parameters[0].double.min: what is wrong and what to write". Sizes are in bytes.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "google/protobuf/message.h"
#include "tuner/v1/tuning_job.pb.h"

namespace tuner::job_file {

constexpr size_t kMaxTextSize = 4 << 20;
// With all aliases expanded: 64 for each value, and its text.
constexpr size_t kMaxExpandedSize = 64 << 20;
// Lists and maps inside of each other.
constexpr int kMaxDepth = 64;
constexpr int kMaxProblems = 100;

// Reads one document into `message`. Scalars are read by the type of their field and never guessed: `no` is text for a
// string field, `1e-4` a number for a double, 4.0 is 4 for an integer and 4.5 is refused. For google.protobuf.Value: a
// number if it is one in JSON, true, false, null, else text; in quotes always text. Field names in snake_case or
// lowerCamelCase; enums by name; durations as "90s", "1h30m". A null leaves its field out. Lists and maps replace those
// of `message`; unspecified if it fails.
absl::Status MergeYaml(std::string_view text, google::protobuf::Message* message);

// A job file. Checks its form only; see convert::SpecFromProto for the rest.
absl::StatusOr<v1::TuningJobSpec> ParseJobFile(std::string_view text);

// The line, from 1, of the field at `path` ("parameters[0].double.min") or of the nearest that holds it; nullopt if the
// text cannot be read.
std::optional<int> LineOfField(std::string_view text, std::string_view path);

// "90s", "1.5s", "5m", "1h30m", "2d", "0". INVALID_ARGUMENT: what it should look like.
absl::StatusOr<absl::Duration> ParseDuration(std::string_view text);

}  // namespace tuner::job_file
