// A job that runs without a server: the real job machine and a real strategy, fed with the events of workers that ask,
// report and complete.
//
// Threads: a value for one thread. Errors: what a wrong specification or strategy says.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/change.h"
#include "core/event.h"
#include "core/job.h"
#include "core/job_state.h"
#include "strategies/strategy.h"
#include "tuner/v1/tuning_job.pb.h"

namespace tuner::bench {

class SyntheticJob {
 public:
  // `now`: its time of creation; later events come a second apart.
  static absl::StatusOr<std::unique_ptr<SyntheticJob>> Make(const v1::TuningJobSpec& spec, absl::Time now);

  const core::JobHeader& created() const { return created_; }
  const core::JobState& state() const { return *state_; }
  const std::string& id() const { return created_.job_id; }

  // One trial from its ask to its completion, with `measurements` reports.
  absl::Status RunTrial(int measurements);
  // A trial is asked for and held by a worker.
  absl::Status StartTrial();
  // What has changed since the last call, a trial's and the job's last value only.
  core::Changes TakeChanges();
  int64_t steps() const { return steps_; }

 private:
  SyntheticJob() = default;
  // The trial and attempt that were answered, if any.
  absl::StatusOr<core::RunRef> Do(core::EventKind what);

  core::JobHeader created_;
  std::unique_ptr<core::JobState> state_;
  std::unique_ptr<strategies::Strategy> strategy_;
  core::Changes changes_;
  absl::Time now_;
  core::CallId last_call_ = 0;
  int64_t steps_ = 0;
};

}  // namespace tuner::bench
