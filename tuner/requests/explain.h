// What a job's model knows, as ExplainTuningJob answers it: fitted here, beside the engine, from the trials as stored.
// Works for finished jobs as well.
//
// Threads: pure functions, on the caller's thread for as long as a fit takes (up to seconds). Deterministic but for
// `now`.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/job.h"
#include "core/job_spec.h"
#include "core/trial.h"
#include "strategies/strategy.h"
#include "tuner/v1/tuning_service.pb.h"

namespace tuner::requests {

struct ExplainedJob {
  core::JobHeader header;
  core::JobSpec spec;
  std::vector<core::Trial> trials;  // in order of number
};

// As the engine makes a job's strategy.
using MakeStrategy = std::function<absl::StatusOr<std::unique_ptr<strategies::Strategy>>(const core::JobSpec&)>;

// A model fitted to finished trials, which are in the order in which they finished. FAILED_PRECONDITION: the strategy
// has no model, or none of so few trials. CANCELLED: `stop` became true.
absl::StatusOr<std::shared_ptr<const strategies::ModelView>> FitModel(const MakeStrategy& make,
                                                                      const core::JobSpec& spec,
                                                                      absl::Span<const core::Trial> finished,
                                                                      strategies::StopToken stop);

// INVALID_ARGUMENT: a point that is none, by path. NOT_FOUND: the trial. And as FitModel and `make`.
absl::StatusOr<v1::ExplainTuningJobResponse> Explain(const v1::ExplainTuningJobRequest& request,
                                                     const ExplainedJob& job, const MakeStrategy& make, absl::Time now,
                                                     strategies::StopToken stop);

}  // namespace tuner::requests
