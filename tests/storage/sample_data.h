// Jobs, trials and measurements to store, and their text, by which tests compare what they read.
// Pure functions; a Random is for one thread.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/change.h"
#include "core/job.h"
#include "core/trial.h"
#include "storage/storage.h"

namespace tuner::storage {

using Random = std::mt19937_64;
// In [0, bound).
inline int64_t Below(Random& random, int64_t bound) {
  return std::uniform_int_distribution<int64_t>(0, bound - 1)(random);
}

// A moment some seconds after a fixed one.
absl::Time At(int64_t seconds);

core::JobHeader SampleHeader(const std::string& job_id);
core::Trial SampleTrial(int32_t number, core::TrialState state = core::TrialState::kRunning);
core::NotificationPut SampleNotification(int64_t number, core::NotificationState state = core::NotificationState::kDue);
core::MeasurementPut SampleMeasurement(int32_t trial, int64_t step, double value);

// Every field drawn, present or absent.
core::JobHeader RandomHeader(Random& random, const std::string& job_id);
core::Trial RandomTrial(Random& random, int32_t number);
// Few attempts, metrics and steps, so that keys come again.
core::MeasurementPut RandomMeasurement(Random& random, int32_t trial);

std::string Text(const core::JobHeader& header);
std::string Text(const core::Trial& trial);
std::string Text(const core::Measurement& measurement);
std::string Text(const core::MeasurementPut& put);
core::NotificationPut RandomNotification(Random& random, int64_t number);
std::string Text(const core::NotificationPut& put);
std::string Text(const core::Changes& changes);
std::string Text(const JobRecord& record);
std::string Text(const LoadedJob& job);
std::string Text(const ChangePage& page);
std::string Text(const JobPage& page);
std::string Text(const TrialPage::Entry& entry);
std::string Text(const TrialPage& page);
// All that can be read from a store.
absl::StatusOr<std::string> Dump(const Storage& storage);

}  // namespace tuner::storage
