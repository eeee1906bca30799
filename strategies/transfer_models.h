// Models of a job's parents, of type TRANSFER_LEARNING: one Gaussian process for each parent and objective, in the
// job's own coordinates, fitted once.
//
// Threads: any; Get makes the models at its first call, while other calls wait. Ownership: keeps what it is given.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "core/job_spec.h"
#include "strategies/bayesian_outputs.h"
#include "strategies/gp/encoder.h"
#include "strategies/gp/posterior.h"
#include "strategies/gp/surrogate.h"
#include "strategies/strategy.h"

namespace tuner::strategies {

struct TransferModel {
  size_t parent = 0;                                             // place in spec.warm_start->jobs
  std::vector<std::shared_ptr<const gp::Posterior>> posteriors;  // by objective, with labels
  std::vector<std::vector<double>> best;  // snapped units of its best rows that are points of the space, best first
};

class TransferModels {
 public:
  // `outputs`: the objectives, with their options. The specification has parents.
  TransferModels(const core::JobSpec& spec, std::shared_ptr<const gp::Encoder> encoder,
                 std::vector<BayesianOutput> outputs, std::vector<gp::FitOptions> options, gp::FitPlan plan);

  // Null: told to stop. Parents of too few rows have no model.
  const std::vector<TransferModel>* Get(StopToken stop) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Task {
    size_t parent = 0;
    std::vector<gp::Observations> observations;  // by objective
    std::vector<std::vector<double>> best;
  };
  std::optional<TransferModel> Fit(const Task& task, StopToken stop) const;

  const std::shared_ptr<const gp::Encoder> encoder_;
  const std::vector<gp::FitOptions> options_;
  const gp::FitPlan plan_;
  const uint64_t seed_;
  std::vector<Task> tasks_;
  absl::Mutex mutex_;
  std::optional<std::vector<TransferModel>> models_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tuner::strategies
