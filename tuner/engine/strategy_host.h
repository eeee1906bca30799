// Runs the strategies of all jobs on a pool: what one job's strategy is told and asked happens in order and one at a
// time; jobs do not wait for each other.
//
// Threads: every method from any thread; the answer callback runs on a pool thread (inline with 0 threads). Ownership:
// strategies live here.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/event.h"
#include "core/job_spec.h"
#include "core/trial.h"
#include "strategies/strategy.h"

namespace tuner::engine {

class StrategyHost {
 public:
  using AnswerCallback = std::function<void(const std::string& job_uid, core::Proposed)>;

  virtual ~StrategyHost() = default;

  // Makes a strategy and shows it `finished`, in this order. Replaces the one that the job had.
  virtual void Build(const std::string& job_uid, const core::JobSpec& spec, std::vector<core::Trial> finished) = 0;
  virtual void Observe(const std::string& job_uid, core::Trial finished) = 0;
  // Exactly one answer comes, unless the job is dropped or rebuilt first.
  virtual void Ask(const std::string& job_uid, const core::AskStrategy& ask,
                   std::vector<strategies::PendingTrial> pending) = 0;
  virtual void Drop(const std::string& job_uid) = 0;
  // Ends work under way early, and joins. Nothing is answered after it.
  virtual void Shutdown() = 0;
};

// 0 threads: everything happens inside of the calls.
std::unique_ptr<StrategyHost> MakeStrategyHost(int threads, StrategyHost::AnswerCallback answer);

}  // namespace tuner::engine
