#include "proto/convert.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/resource_names.h"
#include "proto/enums.h"
#include "proto/utf8.h"

namespace tuner::convert {
namespace {

constexpr int64_t kNanosPerSecond = 1'000'000'000;
// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z: what google.protobuf.Timestamp may hold.
constexpr int64_t kMinTimestamp = -62'135'596'800;
constexpr int64_t kMaxTimestamp = 253'402'300'799;
// What google.protobuf.Duration may hold: 10,000 years.
constexpr int64_t kMaxDuration = 315'576'000'000;

void Put(const std::optional<absl::Time>& time, google::protobuf::Timestamp* (v1::Attempt::*field)(),
         v1::Attempt& out) {
  if (time) *(out.*field)() = ToProto(*time);
}

v1::Attempt AttemptToProto(const core::Attempt& attempt) {
  v1::Attempt out;
  out.set_number(attempt.number);
  out.set_start_reason(WireStartReason(attempt.start_reason));
  out.set_executor(ToUtf8(attempt.executor));
  out.set_location(ToUtf8(attempt.location));
  Put(attempt.launch_time, &v1::Attempt::mutable_launch_time, out);
  Put(attempt.start_time, &v1::Attempt::mutable_start_time, out);
  Put(attempt.end_time, &v1::Attempt::mutable_end_time, out);
  if (attempt.exit_code) out.set_exit_code(*attempt.exit_code);
  if (attempt.signal) out.set_signal(*attempt.signal);
  out.set_reason(ToUtf8(attempt.reason));
  if (attempt.use.cpu_time != absl::ZeroDuration()) *out.mutable_cpu_time() = ToProto(attempt.use.cpu_time);
  out.set_peak_memory_bytes(attempt.use.peak_memory_bytes);
  out.set_read_bytes(attempt.use.read_bytes);
  out.set_written_bytes(attempt.use.written_bytes);
  if (attempt.use.training_time != absl::ZeroDuration())
    *out.mutable_training_time() = ToProto(attempt.use.training_time);
  if (attempt.use.billable_time != absl::ZeroDuration())
    *out.mutable_billable_time() = ToProto(attempt.use.billable_time);
  out.set_interruptions(attempt.use.interruptions);
  out.set_artifact_path(ToUtf8(attempt.artifact_path));
  if (attempt.artifacts_remove_time) *out.mutable_artifacts_remove_time() = ToProto(*attempt.artifacts_remove_time);
  out.set_model_uri(ToUtf8(attempt.model_uri));
  out.set_worker_id(ToUtf8(attempt.worker_id));
  Put(attempt.lease_expire_time, &v1::Attempt::mutable_lease_expire_time, out);
  return out;
}

core::Attempt AttemptFromProto(const v1::Attempt& attempt) {
  core::Attempt out;
  out.number = attempt.number();
  out.start_reason = CoreStartReason(attempt.start_reason());
  out.executor = attempt.executor();
  out.location = attempt.location();
  if (attempt.has_launch_time()) out.launch_time = FromProto(attempt.launch_time());
  if (attempt.has_start_time()) out.start_time = FromProto(attempt.start_time());
  if (attempt.has_end_time()) out.end_time = FromProto(attempt.end_time());
  if (attempt.has_exit_code()) out.exit_code = attempt.exit_code();
  if (attempt.has_signal()) out.signal = attempt.signal();
  out.reason = attempt.reason();
  out.use.cpu_time = FromProto(attempt.cpu_time());
  out.use.peak_memory_bytes = attempt.peak_memory_bytes();
  out.use.read_bytes = attempt.read_bytes();
  out.use.written_bytes = attempt.written_bytes();
  out.use.training_time = FromProto(attempt.training_time());
  out.use.billable_time = FromProto(attempt.billable_time());
  out.use.interruptions = attempt.interruptions();
  out.artifact_path = attempt.artifact_path();
  if (attempt.has_artifacts_remove_time()) out.artifacts_remove_time = FromProto(attempt.artifacts_remove_time());
  out.model_uri = attempt.model_uri();
  out.worker_id = attempt.worker_id();
  if (attempt.has_lease_expire_time()) out.lease_expire_time = FromProto(attempt.lease_expire_time());
  return out;
}

v1::Basis BasisToProto(const core::Basis& basis) {
  v1::Basis out;
  out.set_kind(WireKind(basis.kind));
  out.set_history_prefix(basis.history_prefix);
  out.set_fingerprint(ToUtf8(basis.fingerprint));
  out.set_warm_start_prefix(basis.warm_start_prefix);
  out.set_known_prefix(basis.known_prefix);
  out.set_first_ordinal(basis.first_ordinal);
  out.set_asked_count(basis.asked_count);
  out.mutable_pending_trials()->Add(basis.pending_trials.begin(), basis.pending_trials.end());
  return out;
}

core::Basis BasisFromProto(const v1::Basis& basis) {
  core::Basis out;
  out.kind = CoreKind(basis.kind());
  out.history_prefix = basis.history_prefix();
  out.fingerprint = basis.fingerprint();
  out.warm_start_prefix = basis.warm_start_prefix();
  out.known_prefix = basis.known_prefix();
  out.first_ordinal = basis.first_ordinal();
  out.asked_count = basis.asked_count();
  out.pending_trials.assign(basis.pending_trials().begin(), basis.pending_trials().end());
  return out;
}

// Of the attempts that have run and ended.
absl::Duration RunTime(const core::Trial& trial) {
  absl::Duration sum = absl::ZeroDuration();
  for (const core::Attempt& attempt : trial.attempts) {
    if (attempt.start_time && attempt.end_time) sum += *attempt.end_time - *attempt.start_time;
  }
  return sum;
}

}  // namespace

google::protobuf::Timestamp ToProto(absl::Time time) {
  google::protobuf::Timestamp out;
  const int64_t seconds = absl::ToUnixSeconds(time);  // rounds down, saturates
  if (seconds < kMinTimestamp) {
    out.set_seconds(kMinTimestamp);
  } else if (seconds > kMaxTimestamp) {
    out.set_seconds(kMaxTimestamp);
    out.set_nanos(kNanosPerSecond - 1);
  } else {
    out.set_seconds(seconds);
    out.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
  }
  return out;
}

google::protobuf::Duration ToProto(absl::Duration duration) {
  google::protobuf::Duration out;
  absl::Duration rest;
  const int64_t seconds = absl::IDivDuration(duration, absl::Seconds(1), &rest);  // towards zero, saturates
  if (seconds > kMaxDuration || seconds < -kMaxDuration) {
    out.set_seconds(std::clamp(seconds, -kMaxDuration, kMaxDuration));
  } else {
    out.set_seconds(seconds);
    out.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
  }
  return out;
}

absl::Time FromProto(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(std::clamp(time.seconds(), kMinTimestamp, kMaxTimestamp)) +
         absl::Nanoseconds(time.nanos());
}

absl::Duration FromProto(const google::protobuf::Duration& duration) {
  return std::clamp(absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos()),
                    -absl::Seconds(kMaxDuration), absl::Seconds(kMaxDuration));
}

google::protobuf::Value ToProto(const core::ParameterValue& value) {
  google::protobuf::Value out;
  if (const auto* number = std::get_if<double>(&value)) {
    out.set_number_value(*number);
  } else if (const auto* integer = std::get_if<int64_t>(&value)) {
    out.set_number_value(static_cast<double>(*integer));
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    out.set_string_value(*text);
  } else {
    out.set_bool_value(std::get<bool>(value));
  }
  return out;
}

absl::StatusOr<core::ParameterValue> FromProto(const google::protobuf::Value& value) {
  switch (value.kind_case()) {
    case google::protobuf::Value::kNumberValue:
      return core::ParameterValue(value.number_value());
    case google::protobuf::Value::kStringValue:
      return core::ParameterValue(value.string_value());
    case google::protobuf::Value::kBoolValue:
      return core::ParameterValue(value.bool_value());
    case google::protobuf::Value::kListValue:
      return absl::InvalidArgumentError("is a list; give a number, a string or a boolean");
    case google::protobuf::Value::kStructValue:
      return absl::InvalidArgumentError("is a map; give a number, a string or a boolean");
    case google::protobuf::Value::kNullValue:
    case google::protobuf::Value::KIND_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("has no value; give a number, a string or a boolean");
}

v1::Measurement ToProto(const core::Measurement& measurement) {
  v1::Measurement out;
  out.set_metric(measurement.metric);
  out.set_value(measurement.value);
  out.set_step(measurement.step);
  *out.mutable_time() = ToProto(measurement.time);
  out.set_attempt(measurement.attempt);
  out.set_source(WireSource(measurement.source));
  return out;
}

core::Measurement FromProto(const v1::Measurement& measurement) {
  core::Measurement out;
  out.metric = measurement.metric();
  out.value = measurement.value();
  out.step = measurement.step();
  out.time = FromProto(measurement.time());
  out.attempt = measurement.attempt();
  out.source = CoreSource(measurement.source());
  return out;
}

v1::Trial ToProto(const std::string& job_id, const core::Trial& trial,
                  absl::Span<const core::Measurement> measurements) {
  v1::Trial out;
  if (!job_id.empty()) out.set_name(core::TrialName(job_id, trial.number));
  out.set_number(trial.number);
  out.set_definition(trial.definition);
  for (const auto& [name, value] : trial.parameters) (*out.mutable_parameters())[name] = ToProto(value);
  out.set_state(WireState(trial.state));
  out.set_reason(ToUtf8(trial.reason));
  out.set_origin(WireOrigin(trial.origin));
  if (trial.objective) out.set_objective(*trial.objective);
  if (trial.best_objective) out.set_best_objective(*trial.best_objective);
  for (const auto& [metric, value] : trial.final_metrics) (*out.mutable_final_metrics())[metric] = value;
  for (const core::Attempt& attempt : trial.attempts) *out.add_attempts() = AttemptToProto(attempt);
  for (const core::Measurement& measurement : measurements) *out.add_measurements() = ToProto(measurement);
  *out.mutable_basis() = BasisToProto(trial.basis);
  *out.mutable_create_time() = ToProto(trial.create_time);
  if (trial.start_time) *out.mutable_start_time() = ToProto(*trial.start_time);
  if (trial.end_time) *out.mutable_end_time() = ToProto(*trial.end_time);
  out.set_resource(trial.resource);
  if (trial.ordinal) out.set_ordinal(*trial.ordinal);
  if (const absl::Duration run_time = RunTime(trial); run_time != absl::ZeroDuration()) {
    *out.mutable_run_time() = ToProto(run_time);
  }
  out.set_measurement_count(trial.measurement_count);
  for (const core::RungResult& rung : trial.rungs) {
    v1::Trial::Rung& wire = *out.add_rungs();
    wire.set_resource(rung.resource);
    wire.set_objective(rung.objective);
    *wire.mutable_time() = ToProto(rung.time);
  }
  for (const core::HealthWarning& warning : trial.warnings) out.add_warnings(ToUtf8(warning.text));
  out.set_steps_run(trial.steps_run);
  out.set_steps_repeated(trial.steps_repeated);
  return out;
}

absl::StatusOr<core::Trial> FromProto(const v1::Trial& trial) {
  core::Trial out;
  out.number = trial.number();
  out.definition = trial.definition();
  for (const auto& [name, value] : trial.parameters()) {
    absl::StatusOr<core::ParameterValue> parameter = FromProto(value);
    if (!parameter.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("parameters.", name, ": ", parameter.status().message()));
    }
    out.parameters.emplace(name, *std::move(parameter));
  }
  out.state = CoreState(trial.state());
  out.reason = trial.reason();
  out.origin = CoreOrigin(trial.origin());
  if (trial.has_objective()) out.objective = trial.objective();
  if (trial.has_best_objective()) out.best_objective = trial.best_objective();
  for (const auto& [metric, value] : trial.final_metrics()) out.final_metrics.emplace(metric, value);
  out.attempts.reserve(trial.attempts_size());
  for (const v1::Attempt& attempt : trial.attempts()) out.attempts.push_back(AttemptFromProto(attempt));
  out.basis = BasisFromProto(trial.basis());
  out.create_time = FromProto(trial.create_time());
  if (trial.has_start_time()) out.start_time = FromProto(trial.start_time());
  if (trial.has_end_time()) out.end_time = FromProto(trial.end_time());
  out.resource = trial.resource();
  if (trial.has_ordinal()) out.ordinal = trial.ordinal();
  out.measurement_count = trial.measurement_count();
  for (const v1::Trial::Rung& rung : trial.rungs()) {
    out.rungs.push_back({.resource = rung.resource(), .objective = rung.objective(), .time = FromProto(rung.time())});
  }
  for (const std::string& warning : trial.warnings()) out.warnings.push_back({.text = warning});
  out.steps_run = trial.steps_run();
  out.steps_repeated = trial.steps_repeated();
  return out;
}

}  // namespace tuner::convert
