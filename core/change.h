// What is now true: the values that Decide returns, storage keeps and Apply puts into the state. Each replaces what was
// there, so applying one twice is applying it once. Plain values; any thread.
#pragma once

#include <variant>
#include <vector>

#include "core/job.h"
#include "core/notification.h"
#include "core/trial.h"

namespace tuner::core {

struct JobPut {
  JobHeader header;
};
struct TrialPut {
  Trial trial;
};
// Key: (trial, attempt, metric, step).
struct MeasurementPut {
  int32_t trial = 0;
  Measurement measurement;
};
// Key: its number.
struct NotificationPut {
  Notification notification;
};
using Change = std::variant<JobPut, TrialPut, MeasurementPut, NotificationPut>;
using Changes = std::vector<Change>;

}  // namespace tuner::core
