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

v1::TrialCounts ToProto(const core::TrialCounts& counts);
// `spec_bytes` of the header with its limits replaced by those in force. Without the Pareto front.
v1::TuningJob ToProto(const core::JobHeader& header, int64_t revision, const std::optional<core::Trial>& best_trial);

// Trials of a front that a job is shown with.
inline constexpr size_t kMaxFrontTrials = 1'000;
// Puts the trials into `job`.pareto_front: all, or while they are larger than 2 MiB, each second of them and the last.
void AddParetoFront(const std::string& job_id, absl::Span<const core::Trial> trials, v1::TuningJob& job);

// Numbers of the best trials of the job's definitions, in their order, and the trials themselves put in: all of them,
// in that order.
std::vector<int32_t> BestOfDefinitions(const v1::TuningJob& job);
void AddBestOfDefinitions(const std::string& job_id, absl::Span<const core::Trial> trials, v1::TuningJob& job);

struct ParsedSpec {
  core::JobSpec spec;
  // Of the wire form and of raw parameters; empty: `spec` is whole.
  core::Problems problems;
  // Field paths that this version does not serve yet, each with what is missing and what to use instead.
  std::vector<std::string> unimplemented;
  // False: spec.random_seed is 0 and the caller chooses one.
  bool has_seed = false;
  // By definition, one for each of its trial.executors: the path of its options within the definition, "trial.process"
  // or "trial.executors[1].process".
  std::vector<std::vector<std::string>> executor_paths;
};
// Reads a specification. Its parameters have been through core::ValidateParameters; the caller goes on with
// core::ValidateSpec (or calls SpecProblems, which does) and the registries. With problems among the parameters the
// space is empty.
ParsedSpec SpecFromProto(const v1::TuningJobSpec& spec, const std::string& base_dir);
// The definition as the specification of a job of its own, without the others; the job's itself if it has none.
v1::TuningJobSpec DefinitionAsJob(const v1::TuningJobSpec& job, int index);
// Everything that is wrong as far as can be told without the registries: parsed.problems, then those that
// core::ValidateSpec finds at other paths, of the parts that could be read.
core::Problems SpecProblems(const ParsedSpec& parsed);
// The same specification with what was resolved written into it: scales, seed, limits in force.
v1::TuningJobSpec ResolveSpec(const v1::TuningJobSpec& spec, const core::JobSpec& resolved);
// The fields that are set replace those of `limits`; problems by path ("limits.max_trials"), and then `limits` is as it
// was.
core::Problems MergeLimits(const v1::Limits& update, core::Limits& limits);

}  // namespace tuner::convert
