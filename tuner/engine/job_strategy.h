// One job's strategy as the host works with it: what it was last told, whether a fit may be due, and the answer that
// was prepared ahead.
//
// Threads: one call at a time. Private to tuner/engine/.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/event.h"
#include "strategies/strategy.h"

namespace tuner::engine {

// What Suggest is given.
struct Question {
  core::AskStrategy ask;
  std::vector<strategies::PendingTrial> pending;

  // Whether both have the same answer, from a strategy in the same state: a trial's parameters never change.
  bool SameAs(const Question& other) const;
};

class JobStrategy {
 public:
  // Once. An error is what every question is answered with.
  void Build(absl::StatusOr<std::unique_ptr<strategies::Strategy>> made, std::vector<strategies::Observation> history);
  void Observe(strategies::Observation observation);
  // The fit that is due, or null.
  std::unique_ptr<strategies::FitTask> BeginFit();
  void InstallFit(std::unique_ptr<strategies::FitTask> fit);
  // The strategy changed since BeginFit was called.
  bool fit_may_be_due() const { return fit_may_be_due_; }

  // False: it was told to stop, and nothing was prepared.
  bool Prepare(const Question& question, strategies::StopToken stop);
  // `dropped`: nobody waits for the answer any more.
  core::Proposed Answer(const Question& question, strategies::StopToken stop, strategies::StopToken dropped);

 private:
  struct Prepared {
    Question question;
    strategies::Proposals proposals;
  };
  absl::StatusOr<strategies::Proposals> Suggest(const Question& question, strategies::StopToken stop) const;
  void Changed();

  std::unique_ptr<strategies::Strategy> strategy_;
  absl::Status error_ = absl::InternalError("the strategy was not made");
  bool fit_may_be_due_ = false;
  std::optional<Prepared> prepared_;  // from the strategy as it is now
};

}  // namespace tuner::engine
