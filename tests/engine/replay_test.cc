#include "tuner/engine/replay.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/host_answers.h"
#include "tests/engine/scripted_strategy.h"

namespace tuner::engine {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Plays a job of `batches` calls through the host, and gives back its trials as storage would hold them.
std::vector<core::Trial> PlayJob(const core::JobSpec& spec, const MakeStrategy& make, int calls) {
  Answers answers;
  StrategyHostOptions options = answers.Options(0);
  options.make = make;
  auto host = MakeStrategyHost(std::move(options), answers.Callback());
  host->Build("uid", spec, {});
  std::vector<core::Trial> trials;
  int64_t finished = 0;
  size_t next_to_finish = 0;
  for (int i = 0; i < calls; ++i) {
    std::vector<strategies::PendingTrial> pending;
    for (const core::Trial& trial : trials) {
      if (trial.finish_seq == 0) pending.push_back({trial.number, trial.parameters});
    }
    host->Ask("uid", {static_cast<int64_t>(trials.size()), 1 + i % 3}, std::move(pending));
    for (const core::Proposed::Proposal& proposal : answers.all.back().proposals) {
      core::Trial trial;
      trial.number = static_cast<int32_t>(trials.size()) + 1;
      trial.ordinal = static_cast<int64_t>(trials.size());
      trial.parameters = proposal.parameters;
      trial.basis = answers.all.back().basis;
      trials.push_back(std::move(trial));
    }
    // The second ends before the first of each pair, and some stay pending.
    for (const size_t index : {next_to_finish + 1, next_to_finish}) {
      if (index >= trials.size() || i % 4 == 3) continue;
      trials[index].state = core::TrialState::kCompleted;
      trials[index].objective = 0.1 * static_cast<double>(index);
      trials[index].finish_seq = ++finished;
      host->Observe("uid", strategies::Finished{trials[index]});
      next_to_finish = std::max(next_to_finish, index + 1);
    }
  }
  return trials;
}

core::JobSpec SpecOf(const std::string& strategy) {
  core::JobSpec spec;
  spec.space = tuner::testing::ScriptedSpace();
  spec.strategy.name = strategy;
  spec.random_seed = 3;
  return spec;
}

TEST(Replay, RandomIsIdentical) {
  const core::JobSpec spec = SpecOf("random");
  const std::vector<core::Trial> trials = PlayJob(spec, &MakeRegisteredStrategy, 20);
  const auto report = Replay(spec, trials, &MakeRegisteredStrategy, nullptr);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->suggestions, static_cast<int>(trials.size()));
  EXPECT_EQ(report->identical, static_cast<int>(trials.size()));
  EXPECT_EQ(report->by_kind.at(core::Basis::Kind::kFresh), static_cast<int>(trials.size()));
}

// Two definitions have strategies, ordinals and histories of their own, in one list of trials.
TEST(Replay, RecomputesEachDefinitionByItself) {
  core::JobSpec job;
  std::vector<core::Trial> all;
  for (const char* name : {"a", "b"}) {
    core::JobSpec definition = SpecOf("random");
    definition.definition = name;
    definition.random_seed += job.definitions.size();
    job.definitions.push_back(definition);
    for (core::Trial trial : PlayJob(definition, &MakeRegisteredStrategy, 12)) {
      trial.definition = name;
      all.push_back(std::move(trial));
    }
  }
  const size_t of_one = all.size() / 2;
  for (size_t i = 0; i < all.size(); ++i) {
    const auto shift = static_cast<int32_t>(i < of_one ? 0 : of_one);
    all[i].number += shift;
    for (int32_t& pending : all[i].basis.pending_trials) pending += shift;
    if (all[i].finish_seq > 0) all[i].finish_seq = 2 * all[i].finish_seq - (i < of_one ? 1 : 0);  // interleaved
  }
  const auto report = Replay(job, all, &MakeRegisteredStrategy, nullptr);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->identical, static_cast<int>(all.size()));
  std::swap(all.front().parameters, all.back().parameters);
  EXPECT_EQ(Replay(job, all, &MakeRegisteredStrategy, nullptr)->different, 2);
}

class ReplayScripted : public ::testing::Test {
 protected:
  const MakeStrategy make_ =
      [this](const core::JobSpec& spec) -> absl::StatusOr<std::unique_ptr<strategies::Strategy>> {
    return tuner::testing::MakeScriptedStrategy(&script_, spec);
  };
  ReplayReport Run(const std::vector<core::Trial>& trials) {
    auto report = Replay(spec_, trials, make_, nullptr);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *std::move(report) : ReplayReport();
  }

  tuner::testing::Script script_;
  const core::JobSpec spec_ = SpecOf("scripted");
};

TEST_F(ReplayScripted, AModelIsIdenticalFromItsBasis) {
  script_.fit_every = 3;
  const std::vector<core::Trial> trials = PlayJob(spec_, make_, 30);
  const ReplayReport report = Run(trials);
  EXPECT_EQ(report.identical, static_cast<int>(trials.size()));
  EXPECT_FALSE(report.first_difference);
}

TEST_F(ReplayScripted, NamesTheFirstDifference) {
  std::vector<core::Trial> trials = PlayJob(spec_, make_, 10);
  trials[12].parameters["x"] = 0.5;
  const int64_t call = trials[6].basis.first_ordinal;
  for (core::Trial& trial : trials) trial.basis.history_prefix -= trial.basis.first_ordinal == call ? 1 : 0;
  const auto first = static_cast<size_t>(call);
  const core::ParameterValue stored = trials[first].parameters.at("x");
  const ReplayReport report = Run(trials);
  EXPECT_GE(report.different, 2);
  ASSERT_TRUE(report.first_difference);
  EXPECT_EQ(report.first_difference->trial, trials[first].number);
  EXPECT_EQ(report.first_difference->parameter, "x");
  EXPECT_EQ(report.first_difference->stored, stored);
  EXPECT_NE(report.first_difference->recomputed, stored);
}

TEST_F(ReplayScripted, OnAnotherMachineValuesNeedOnlyBeClose) {
  std::vector<core::Trial> trials = PlayJob(spec_, make_, 3);
  script_.fingerprint = "another";
  std::get<double>(trials.back().parameters["x"]) += 1e-9;
  ReplayReport report = Run(trials);
  EXPECT_EQ(report.close, 1);
  EXPECT_EQ(report.different, 0);
  EXPECT_EQ(report.identical, static_cast<int>(trials.size()) - 1);
  EXPECT_EQ(report.fingerprint, "another");
  EXPECT_THAT(report.other_fingerprints, ::testing::ElementsAre("scripted"));
  std::get<double>(trials.back().parameters["x"]) += 1e-4;
  report = Run(trials);
  EXPECT_EQ(report.different, 1);
  EXPECT_NEAR(report.first_difference->distance, 1e-4, 1e-8);
}

TEST_F(ReplayScripted, CountsWhatAnEarlierVersionDidNotRecord) {
  std::vector<core::Trial> trials = PlayJob(spec_, make_, 5);
  trials[0].basis = core::Basis();
  EXPECT_EQ(Run(trials).not_recorded, 1);
}

TEST_F(ReplayScripted, SaysWhatIsMissing) {
  std::vector<core::Trial> trials = PlayJob(spec_, make_, 5);
  for (core::Trial& trial : trials) trial.basis.known_prefix = 1'000;
  const auto report = Replay(spec_, trials, make_, nullptr);
  EXPECT_TRUE(absl::IsDataLoss(report.status()));
  EXPECT_THAT(std::string(report.status().message()), HasSubstr("1000 results were known"));
  EXPECT_TRUE(absl::IsCancelled(Replay(spec_, trials, make_, [] { return true; }).status()));
  EXPECT_THAT(Run({}).other_fingerprints, IsEmpty());
}

}  // namespace
}  // namespace tuner::engine
