// The one mapping between core's status enums and the wire's: their numbers are the same, which is checked here when it
// is compiled. Pure functions; any thread.
#pragma once

#include "core/job.h"
#include "core/notification.h"
#include "core/trial.h"
#include "tuner/internal/v1/records.pb.h"
#include "tuner/v1/trial.pb.h"
#include "tuner/v1/tuning_job.pb.h"

namespace tuner::convert {

constexpr v1::Trial::State WireState(core::TrialState state) { return static_cast<v1::Trial::State>(state); }
constexpr v1::Trial::Origin WireOrigin(core::TrialOrigin origin) { return static_cast<v1::Trial::Origin>(origin); }
constexpr v1::Measurement::Source WireSource(core::MeasurementSource source) {
  return static_cast<v1::Measurement::Source>(source);
}
constexpr v1::Attempt::StartReason WireStartReason(core::StartReason reason) {
  return static_cast<v1::Attempt::StartReason>(reason);
}
constexpr v1::Basis::Kind WireKind(core::Basis::Kind kind) { return static_cast<v1::Basis::Kind>(kind); }
constexpr v1::TuningJob::State WireStatus(core::JobStatus status) { return static_cast<v1::TuningJob::State>(status); }
constexpr v1::Notification::Event WireEvent(core::NotificationEvent event) {
  return static_cast<v1::Notification::Event>(event);
}

// Back again. A number that core does not know (a later version's) becomes kUnspecified.
inline core::TrialState CoreState(v1::Trial::State state) {
  return v1::Trial::State_IsValid(state) ? static_cast<core::TrialState>(state) : core::TrialState::kUnspecified;
}
inline core::TrialOrigin CoreOrigin(v1::Trial::Origin origin) {
  return v1::Trial::Origin_IsValid(origin) ? static_cast<core::TrialOrigin>(origin) : core::TrialOrigin::kUnspecified;
}
inline core::MeasurementSource CoreSource(v1::Measurement::Source source) {
  return v1::Measurement::Source_IsValid(source) ? static_cast<core::MeasurementSource>(source)
                                                 : core::MeasurementSource::kUnspecified;
}
inline core::StartReason CoreStartReason(v1::Attempt::StartReason reason) {
  return v1::Attempt::StartReason_IsValid(reason) ? static_cast<core::StartReason>(reason)
                                                  : core::StartReason::kUnspecified;
}
inline core::Basis::Kind CoreKind(v1::Basis::Kind kind) {
  return v1::Basis::Kind_IsValid(kind) ? static_cast<core::Basis::Kind>(kind) : core::Basis::Kind::kUnspecified;
}
inline core::JobStatus CoreStatus(v1::TuningJob::State state) {
  return v1::TuningJob::State_IsValid(state) ? static_cast<core::JobStatus>(state) : core::JobStatus::kUnspecified;
}
inline core::NotificationEvent CoreEvent(v1::Notification::Event event) {
  return v1::Notification::Event_IsValid(event) ? static_cast<core::NotificationEvent>(event)
                                                : core::NotificationEvent::kUnspecified;
}

static_assert(WireState(core::TrialState::kUnspecified) == v1::Trial::STATE_UNSPECIFIED);
static_assert(WireState(core::TrialState::kQueued) == v1::Trial::QUEUED);
static_assert(WireState(core::TrialState::kPending) == v1::Trial::PENDING);
static_assert(WireState(core::TrialState::kRunning) == v1::Trial::RUNNING);
static_assert(WireState(core::TrialState::kPaused) == v1::Trial::PAUSED);
static_assert(WireState(core::TrialState::kStopping) == v1::Trial::STOPPING);
static_assert(WireState(core::TrialState::kCompleted) == v1::Trial::COMPLETED);
static_assert(WireState(core::TrialState::kEarlyStopped) == v1::Trial::EARLY_STOPPED);
static_assert(WireState(core::TrialState::kStopped) == v1::Trial::STOPPED);
static_assert(WireState(core::TrialState::kFailed) == v1::Trial::FAILED);
static_assert(WireState(core::TrialState::kInfeasible) == v1::Trial::INFEASIBLE);
static_assert(v1::Trial::State_MAX == v1::Trial::INFEASIBLE);

static_assert(WireOrigin(core::TrialOrigin::kStrategy) == v1::Trial::STRATEGY);
static_assert(WireOrigin(core::TrialOrigin::kEnqueued) == v1::Trial::ENQUEUED);
static_assert(WireOrigin(core::TrialOrigin::kImported) == v1::Trial::IMPORTED);
static_assert(WireOrigin(core::TrialOrigin::kReused) == v1::Trial::REUSED);
static_assert(v1::Trial::Origin_MAX == v1::Trial::REUSED);

static_assert(WireSource(core::MeasurementSource::kReported) == v1::Measurement::REPORTED);
static_assert(WireSource(core::MeasurementSource::kScanned) == v1::Measurement::SCANNED);
static_assert(v1::Measurement::Source_MAX == v1::Measurement::SCANNED);

static_assert(WireStartReason(core::StartReason::kFirst) == v1::Attempt::FIRST);
static_assert(WireStartReason(core::StartReason::kRetry) == v1::Attempt::RETRY);
static_assert(WireStartReason(core::StartReason::kExpiredLease) == v1::Attempt::EXPIRED_LEASE);
static_assert(WireStartReason(core::StartReason::kPreemption) == v1::Attempt::PREEMPTION);
static_assert(WireStartReason(core::StartReason::kPromotion) == v1::Attempt::PROMOTION);
static_assert(v1::Attempt::StartReason_MAX == v1::Attempt::PROMOTION);

static_assert(WireKind(core::Basis::Kind::kFresh) == v1::Basis::FRESH);
static_assert(WireKind(core::Basis::Kind::kLastFit) == v1::Basis::LAST_FIT);
static_assert(WireKind(core::Basis::Kind::kFallback) == v1::Basis::FALLBACK);
static_assert(v1::Basis::Kind_MAX == v1::Basis::FALLBACK);

static_assert(WireStatus(core::JobStatus::kRunning) == v1::TuningJob::RUNNING);
static_assert(WireStatus(core::JobStatus::kStopping) == v1::TuningJob::STOPPING);
static_assert(WireStatus(core::JobStatus::kCompleted) == v1::TuningJob::COMPLETED);
static_assert(WireStatus(core::JobStatus::kStopped) == v1::TuningJob::STOPPED);
static_assert(WireStatus(core::JobStatus::kFailed) == v1::TuningJob::FAILED);
static_assert(v1::TuningJob::State_MAX == v1::TuningJob::FAILED);

static_assert(WireEvent(core::NotificationEvent::kJobEnded) == v1::Notification::JOB_ENDED);
static_assert(WireEvent(core::NotificationEvent::kTrialFailed) == v1::Notification::TRIAL_FAILED);
static_assert(WireEvent(core::NotificationEvent::kHealthRule) == v1::Notification::HEALTH_RULE);
static_assert(v1::Notification::Event_MAX == v1::Notification::HEALTH_RULE);
static_assert(static_cast<int>(core::NotificationState::kDue) == internal::v1::StoredNotification::DUE);
static_assert(static_cast<int>(core::NotificationState::kDelivered) == internal::v1::StoredNotification::DELIVERED);
static_assert(static_cast<int>(core::NotificationState::kGivenUp) == internal::v1::StoredNotification::GIVEN_UP);
static_assert(internal::v1::StoredNotification::State_MAX == internal::v1::StoredNotification::GIVEN_UP);

}  // namespace tuner::convert
