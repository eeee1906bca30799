// Runs the strategies of all jobs on threads of its own. What one strategy is told and asked happens in order and
// one at a time; strategies do not wait for each other. Each has an id, which whoever builds it chooses: a job has one
// strategy for each of its definitions.
//
// Fits of models run beside: the strategy is told and asked on while one is under way, and takes it over when it is
// done; several results in a row make one fit. Fits have their own threads, of lower priority to the machine, so that
// no job's fit delays another job's answer.
//
// Of the time from an ask to its deadline, the first half may pass waiting for a fit that is due or under way, less if
// the strategy's answers take long; then the ask goes on with the fit that is installed. At three quarters its stop
// token is set, and a strategy answers without its model; the last quarter is for committing the answer.
//
// The answer to the ask that is expected next is prepared while a job has nothing else to do, by all but one of the
// answering threads, and given if just that comes. As Suggest is pure, this and the number of threads change nothing
// but time, for the same recorded basis.
//
// Threads: every method from any thread; the answer callback runs on a thread of the host (inline with 0 threads).
// Ownership: strategies live here; borrows the clock.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "core/event.h"
#include "core/job_spec.h"
#include "core/trial.h"
#include "strategies/strategy.h"

namespace tuner::engine {

using MakeStrategy = std::function<absl::StatusOr<std::unique_ptr<strategies::Strategy>>(const core::JobSpec&)>;
// The one that the registry has under the specification's name. UNIMPLEMENTED: none.
absl::StatusOr<std::unique_ptr<strategies::Strategy>> MakeRegisteredStrategy(const core::JobSpec& spec);

struct StrategyHostOptions {
  int threads = 2;  // that answer; as many more for fits. 0: everything happens inside of the calls
  core::Clock* clock = nullptr;
  MakeStrategy make = &MakeRegisteredStrategy;
  // With 0 threads: takes a fit, to be run by the same thread later, but not from within. Null: a fit that is due is
  // run and installed before the next ask.
  std::function<void(std::function<void()>)> run_fit;
};

class StrategyHost {
 public:
  using AnswerCallback = std::function<void(const std::string& strategy_id, core::Proposed)>;

  virtual ~StrategyHost() = default;

  // Makes a strategy and shows it `history`, in this order. Replaces the one that the job had. `spec` is the job's as
  // created, whatever its limits are now.
  virtual void Build(const std::string& strategy_id, const core::JobSpec& spec,
                     std::vector<strategies::Observation> history) = 0;
  virtual void Observe(const std::string& strategy_id, strategies::Observation observation) = 0;
  // One answer comes, unless the job is dropped or rebuilt first; asked again for the same ordinals before it came,
  // only the earlier deadline is taken over.
  virtual void Ask(const std::string& strategy_id, const core::AskStrategy& ask,
                   std::vector<strategies::PendingTrial> pending) = 0;
  // Says what will be asked next if nothing happens to the job. Whether that is of use: its strategy fits a model.
  virtual void Expect(const std::string& strategy_id, const core::AskStrategy& ask,
                      std::vector<strategies::PendingTrial> pending) = 0;
  virtual bool WantsExpectations(const std::string& strategy_id) const = 0;
  virtual void Drop(const std::string& strategy_id) = 0;
  // Ends work under way early, and joins. Nothing is answered after it.
  virtual void Shutdown() = 0;

  // Only with 0 threads: goes on with asks that have waited long enough; and when the next one will have.
  virtual void RunDue() = 0;
  virtual absl::Time NextDue() const = 0;
};

std::unique_ptr<StrategyHost> MakeStrategyHost(StrategyHostOptions options, StrategyHost::AnswerCallback answer);

}  // namespace tuner::engine
