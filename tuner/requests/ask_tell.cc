#include "tuner/requests/ask_tell.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/convert.h"
#include "tuner/requests/checks.h"

namespace tuner::requests {
namespace {

constexpr size_t kMaxName = 256;
constexpr size_t kMaxWorkerId = 128;
constexpr int kMaxCount = 1000;
constexpr int kMaxMeasurements = 10'000;
constexpr absl::Duration kMaxDeadline = absl::Seconds(60);

absl::Status CheckWorkerId(const std::string& worker_id, bool required) {
  if (HasControlCharacter(worker_id)) {
    return absl::InvalidArgumentError("worker_id: holds a control character; use printable ones");
  }
  if (worker_id.size() > kMaxWorkerId || (required && worker_id.empty())) {
    return absl::InvalidArgumentError(
        absl::StrCat("worker_id: has ", worker_id.size(), " characters; use 1 to ", kMaxWorkerId));
  }
  return absl::OkStatus();
}

absl::Status CheckAttempt(int32_t attempt) {
  if (attempt >= 1) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "attempt: is ", attempt, "; give the number of the trial's last attempt (TUNER_ATTEMPT), 1 or more"));
}

// A reason is kept as far as a list can show it: a traceback has its last line, and what it is about, in its tail.
std::string Shortened(const std::string& reason) {
  constexpr size_t kMaxReason = 4'096;
  if (reason.size() <= kMaxReason) return reason;
  size_t begin = reason.size() - kMaxReason;
  while (begin < reason.size() && (static_cast<unsigned char>(reason[begin]) & 0xc0) == 0x80) ++begin;
  return "..." + reason.substr(begin);
}

absl::Status CheckMetricName(const std::string& path, const std::string& name) {
  if (HasControlCharacter(name)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": holds a control character; use printable ones"));
  }
  if (!name.empty() && name.size() <= kMaxName) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(path, ": has ", name.size(), " characters; use 1 to ", kMaxName));
}

}  // namespace

absl::StatusOr<core::SuggestAsked> ReadSuggest(const v1::SuggestTrialsRequest& request) {
  core::SuggestAsked asked;
  if (absl::Status status = CheckWorkerId(request.worker_id(), true); !status.ok()) return status;
  if (absl::Status status = CheckRequestId(request.request_id()); !status.ok()) return status;
  if (request.count() < 0 || request.count() > kMaxCount) {
    return absl::InvalidArgumentError(absl::StrCat("count: is ", request.count(), "; use 1 to ", kMaxCount));
  }
  if (request.has_deadline()) {
    asked.deadline = convert::FromProto(request.deadline());
    if (asked.deadline < absl::ZeroDuration() || asked.deadline > kMaxDeadline) {
      return absl::InvalidArgumentError(
          absl::StrCat("deadline: is ", absl::FormatDuration(asked.deadline), "; use 0 to 60 s"));
    }
  }
  asked.worker_id = request.worker_id();
  asked.count = request.count() == 0 ? 1 : request.count();
  asked.request_id = request.request_id();
  return asked;
}

absl::StatusOr<core::Reported> ReadReport(const v1::ReportMeasurementsRequest& request, int32_t trial) {
  if (absl::Status status = CheckAttempt(request.attempt()); !status.ok()) return status;
  if (absl::Status status = CheckWorkerId(request.worker_id(), false); !status.ok()) return status;
  if (request.measurements_size() > kMaxMeasurements) {
    return absl::InvalidArgumentError(
        absl::StrCat("measurements: has ", request.measurements_size(), " entries; use up to ", kMaxMeasurements));
  }
  core::Reported reported{{trial, request.attempt()}, request.worker_id(), {}};
  reported.measurements.reserve(request.measurements_size());
  for (int i = 0; i < request.measurements_size(); ++i) {
    const v1::Measurement& wire = request.measurements(i);
    const bool bad_step = wire.has_step() && wire.step() < 0;
    if (bad_step || wire.metric().empty() || wire.metric().size() > kMaxName || HasControlCharacter(wire.metric())) {
      const std::string path = absl::StrCat("measurements[", i, "]");
      if (bad_step) {
        return absl::InvalidArgumentError(absl::StrCat(path, ".step: is ", wire.step(), "; use 0 or more"));
      }
      return CheckMetricName(absl::StrCat(path, ".metric"), wire.metric());
    }
    core::Measurement measurement;
    measurement.metric = wire.metric();
    measurement.value = wire.value();
    measurement.step = wire.has_step() ? wire.step() : -1;
    measurement.attempt = request.attempt();
    measurement.source = core::MeasurementSource::kReported;
    reported.measurements.push_back(std::move(measurement));
  }
  return reported;
}

absl::StatusOr<core::CompletionTold> ReadCompletion(const v1::CompleteTrialRequest& request, int32_t trial) {
  if (absl::Status status = CheckAttempt(request.attempt()); !status.ok()) return status;
  if (absl::Status status = CheckWorkerId(request.worker_id(), false); !status.ok()) return status;
  if (!request.failure_reason().empty() && !request.infeasible_reason().empty()) {
    return absl::InvalidArgumentError("failure_reason: is given together with infeasible_reason; give one of them");
  }
  if (request.final_metrics_size() > kMaxMeasurements) {
    return absl::InvalidArgumentError(
        absl::StrCat("final_metrics: has ", request.final_metrics_size(), " entries; use up to ", kMaxMeasurements));
  }
  core::CompletionTold told;
  told.run = {trial, request.attempt()};
  told.worker_id = request.worker_id();
  for (const auto& [name, value] : request.final_metrics()) {
    if (absl::Status status = CheckMetricName("final_metrics", name); !status.ok()) return status;
    told.final_metrics.emplace(name, value);
  }
  told.failure_reason = Shortened(request.failure_reason());
  told.infeasible_reason = Shortened(request.infeasible_reason());
  return told;
}

}  // namespace tuner::requests
