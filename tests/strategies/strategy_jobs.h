// Specifications and trials for tests of strategies.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/job_spec.h"
#include "gtest/gtest.h"
#include "strategies/strategy.h"
#include "tests/core/random_space.h"
#include "tuner/v1/strategies.pb.h"

namespace tuner::strategies {

inline core::JobSpec SpecOf(std::string_view strategy, std::vector<core::Parameter> parameters, uint64_t seed = 1) {
  core::JobSpec spec;
  spec.name = "job";
  spec.objective.metric = "loss";
  spec.space = core::SearchSpace::Make(std::move(parameters));
  spec.strategy.name = std::string(strategy);
  if (strategy == "hyperband") {
    v1::HyperbandStrategy options;
    options.set_max_resource(9);
    spec.strategy.bytes = options.SerializeAsString();
    spec.strategy.bytes = FindStrategyKind(strategy)->resolve(spec);
    spec.resources = core::Resources{9, ""};
  }
  spec.random_seed = seed;
  return spec;
}

inline std::unique_ptr<Strategy> MakeStrategy(const core::JobSpec& spec) {
  const StrategyKind* kind = FindStrategyKind(spec.strategy.name);
  if (kind == nullptr) return nullptr;
  absl::StatusOr<std::unique_ptr<Strategy>> strategy = kind->make(spec);
  EXPECT_TRUE(strategy.ok()) << strategy.status();
  return strategy.ok() ? *std::move(strategy) : nullptr;
}

inline Finished FinishedTrial(int32_t number, core::ParameterMap parameters,
                              core::TrialState state = core::TrialState::kCompleted) {
  core::Trial trial;
  trial.number = number;
  trial.parameters = std::move(parameters);
  trial.state = state;
  if (state == core::TrialState::kCompleted) trial.objective = number % 7;
  trial.finish_seq = number;
  return Finished{.trial = std::move(trial)};
}

inline std::vector<core::ParameterMap> Points(const Proposals& proposals) {
  std::vector<core::ParameterMap> points;
  for (const auto& proposal : proposals.proposals) {
    points.push_back(proposal.parameters);
  }
  return points;
}

inline Proposals Ask(const Strategy& strategy, int64_t ordinal, int32_t count = 1,
                     absl::Span<const PendingTrial> pending = {}) {
  absl::StatusOr<Proposals> proposals = strategy.Suggest({.ordinal = ordinal, .count = count, .pending = pending});
  EXPECT_TRUE(proposals.ok()) << proposals.status();
  return proposals.ok() ? *std::move(proposals) : Proposals{};
}

// Observes, and makes the fit that is due then.
inline void Tell(Strategy& strategy, const Observation& observation) {
  strategy.Observe(observation);
  if (std::unique_ptr<FitTask> fit = strategy.BeginFit(); fit != nullptr) {
    fit->Run(nullptr);
    strategy.InstallFit(std::move(fit));
  }
}

}  // namespace tuner::strategies
