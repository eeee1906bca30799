// The only converter between the wire (tuner.v1) and core. Pure functions; any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/job.h"
#include "core/job_spec.h"
#include "core/problem.h"
#include "core/trial.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "tuner/v1/trial.pb.h"
#include "tuner/v1/tuning_job.pb.h"

namespace tuner::convert {

google::protobuf::Timestamp ToProto(absl::Time time);
google::protobuf::Duration ToProto(absl::Duration duration);
absl::Time FromProto(const google::protobuf::Timestamp& time);
// Saturates at +-10,000 years.
absl::Duration FromProto(const google::protobuf::Duration& duration);

google::protobuf::Value ToProto(const core::ParameterValue& value);
// Numbers become double (SearchSpace::Canonical makes integers of them); INVALID_ARGUMENT for null, lists and structs.
absl::StatusOr<core::ParameterValue> FromProto(const google::protobuf::Value& value);

v1::Measurement ToProto(const core::Measurement& measurement);
core::Measurement FromProto(const v1::Measurement& measurement);

// With `measurements` filled in.
v1::Trial ToProto(const std::string& job_id, const core::Trial& trial,
                  absl::Span<const core::Measurement> measurements);
// Only what the wire carries; INVALID_ARGUMENT for a parameter value that is none. For stored records and AddTrials.
absl::StatusOr<core::Trial> FromProto(const v1::Trial& trial);

// `spec_bytes` of the header with its limits replaced by those in force.
v1::TuningJob ToProto(const core::JobHeader& header, int64_t revision, const std::optional<core::Trial>& best_trial);

struct ParsedSpec {
  core::JobSpec spec;
  core::Problems problems;  // of the wire form and of raw parameters; empty: `spec` is whole
  std::vector<std::string>
      unimplemented;  // field paths that this version does not serve yet, each with what is missing
};
// Reads a specification. Its parameters have been through core::ValidateParameters; the caller goes on with
// core::ValidateSpec and the registries.
ParsedSpec SpecFromProto(const v1::TuningJobSpec& spec, const std::string& base_dir);
// The same specification with what was resolved written into it: scales, seed, limits in force.
v1::TuningJobSpec ResolveSpec(const v1::TuningJobSpec& spec, const core::JobSpec& resolved);
// The fields that are set replace those of `limits`; problems by path.
core::Problems MergeLimits(const v1::Limits& update, core::Limits& limits);

}  // namespace tuner::convert
