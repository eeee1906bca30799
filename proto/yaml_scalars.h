// Scalars of a job file, read by the type that is due. Pure functions; any thread. Errors: INVALID_ARGUMENT, whose
// message goes on after the field's path ("is `abc`, which is no number").
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/descriptor.h"

namespace tuner::job_file {

// Whether JSON reads the text as a number.
bool IsJsonNumber(absl::string_view text);

absl::StatusOr<double> ReadDouble(const std::string& text);
absl::StatusOr<int64_t> ReadInt64(const std::string& text);
absl::StatusOr<uint64_t> ReadUint64(const std::string& text);
absl::StatusOr<int32_t> ReadInt32(const std::string& text);
absl::StatusOr<uint32_t> ReadUint32(const std::string& text);
absl::StatusOr<bool> ReadBool(const std::string& text);
// By name, or by the number of a known value.
absl::StatusOr<int> ReadEnum(const std::string& text, const google::protobuf::EnumDescriptor& type);
absl::StatusOr<absl::Time> ReadTime(const std::string& text);

// `text` in backquotes, shortened if it is long.
std::string Quoted(absl::string_view text);
// The candidate that `text` may be a slip of, or "".
std::string Nearest(absl::string_view text, const std::vector<std::string>& candidates);

}  // namespace tuner::job_file
