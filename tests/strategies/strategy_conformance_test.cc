// What every strategy of the registry must do (strategies/strategy.h), each over many random spaces from printed seeds.
#include <algorithm>
#include <atomic>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/strategies/strategy_jobs.h"

namespace tuner::strategies {
namespace {

using core::Child;
using core::Named;
using core::ParameterMap;
using core::Text;

std::string Print(const Proposals& proposals) {
  std::string text;
  for (const NewTrial& fresh : proposals.proposals) {
    text += absl::StrCat("new ", Text(fresh.parameters), "resource ", fresh.resource, "\n");
  }
  for (const ResumeTrial& resume : proposals.promotions) {
    text += absl::StrCat("resume ", resume.trial, " resource ", resume.resource, "\n");
  }
  return absl::StrCat(text, proposals.exhausted, proposals.exhausted_reason, " ",
                      static_cast<int>(proposals.basis.kind), " ", proposals.basis.history_prefix, " ",
                      proposals.basis.pending_trials.size());
}

class StrategyConformanceTest : public testing::TestWithParam<std::string> {
 protected:
  // A finite space, conditions included; every strategy can take it.
  static core::JobSpec FiniteSpec(uint64_t seed) {
    return SpecOf(GetParam(), core::RandomSpaces(seed).NextParameters(5), seed);
  }

  // Also continuous parameters, with grid points for the strategies that need them.
  static core::JobSpec MixedSpec(uint64_t seed) {
    std::vector<core::Parameter> parameters = core::RandomSpaces(seed).NextParameters(4);
    parameters.push_back(
        Named("real", core::DoubleDomain{.min = 0.01, .max = 0.9, .scale = core::Scale::kLog, .grid_points = 7}));
    parameters.push_back(Named(
        "near_one", core::DoubleDomain{.min = 0, .max = 0.99, .scale = core::Scale::kReverseLog, .grid_points = 5}));
    return SpecOf(GetParam(), std::move(parameters), seed);
  }
};

TEST_P(StrategyConformanceTest, IsInTheRegistry) {
  const StrategyKind* kind = FindStrategyKind(GetParam());
  ASSERT_NE(kind, nullptr);
  EXPECT_EQ(kind->name, GetParam());
  EXPECT_FALSE(kind->description.empty());
  EXPECT_EQ(kind->description.back(), '.');
}

TEST_P(StrategyConformanceTest, ProposesPointsOfTheSpace) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const core::JobSpec spec = MixedSpec(seed);
    const auto strategy = MakeStrategy(spec);
    for (int64_t ordinal = 0; ordinal < 20; ++ordinal) {
      const Proposals proposals = Ask(*strategy, ordinal);
      if (proposals.exhausted && proposals.proposals.empty()) break;
      ASSERT_EQ(proposals.proposals.size(), 1u);
      const ParameterMap point = Points(proposals).at(0);
      const absl::StatusOr<ParameterMap> canonical = spec.space.Canonical(point);
      ASSERT_TRUE(canonical.ok()) << canonical.status();
      ASSERT_EQ(*canonical, point);  // already in the domains' own types
      Tell(*strategy, FinishedTrial(static_cast<int32_t>(ordinal + 1), point));
    }
  }
}

TEST_P(StrategyConformanceTest, SuggestChangesNothingAndReplayRebuilds) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const core::JobSpec spec = seed % 2 == 0 ? MixedSpec(seed) : FiniteSpec(seed);
    const auto live = MakeStrategy(spec);
    std::vector<Observation> history;
    std::vector<PendingTrial> pending;
    core::RandomSpaces random(seed + 1000);
    for (int64_t ordinal = 0; ordinal < 30;) {
      const int32_t count = 1 + static_cast<int32_t>(random.Below(4));
      const Proposals first = Ask(*live, ordinal, count, pending);
      ASSERT_EQ(Print(Ask(*live, ordinal, count, pending)), Print(first));
      Ask(*live, ordinal + 50, 3);  // looking ahead leaves no trace either
      ASSERT_EQ(Print(Ask(*live, ordinal, count, pending)), Print(first));
      const auto rebuilt = MakeStrategy(spec);
      for (const Observation& observation : history) Tell(*rebuilt, observation);
      ASSERT_EQ(Print(Ask(*rebuilt, ordinal, count, pending)), Print(first));
      if (first.proposals.empty()) break;
      for (const ParameterMap& point : Points(first))
        pending.push_back({.number = static_cast<int32_t>(++ordinal), .parameters = point});
      while (!pending.empty() && random.Below(3) > 0) {  // ends in any order, in any way
        const size_t ended = random.Below(pending.size());
        const core::TrialState state = random.Below(4) == 0 ? core::TrialState::kFailed : core::TrialState::kCompleted;
        core::Trial reached =
            FinishedTrial(pending[ended].number, pending[ended].parameters, core::TrialState::kPaused).trial;
        reached.rungs.push_back({.resource = 1, .objective = 0.5});
        history.push_back(RungReached{reached});
        Tell(*live, history.back());
        history.push_back(FinishedTrial(pending[ended].number, pending[ended].parameters, state));
        Tell(*live, history.back());
        pending.erase(pending.begin() + static_cast<ptrdiff_t>(ended));
      }
    }
  }
}

// What was proposed can be computed again from its basis, by a strategy that saw the same results and made no fit.
TEST_P(StrategyConformanceTest, BasisIsEnoughToReplay) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const core::JobSpec spec = MixedSpec(seed);
    const auto live = MakeStrategy(spec);
    std::vector<Observation> history;
    std::vector<PendingTrial> pending;
    core::RandomSpaces random(seed + 2000);
    for (int64_t ordinal = 0; ordinal < 40; ++ordinal) {
      const Proposals proposals = Ask(*live, ordinal, 1, pending);
      if (proposals.proposals.empty()) break;
      const auto again = MakeStrategy(spec);
      for (const Observation& observation : history) again->Observe(observation);
      const absl::StatusOr<Proposals> replayed =
          again->Suggest({.ordinal = ordinal, .count = 1, .pending = pending, .replay = &proposals.basis});
      ASSERT_TRUE(replayed.ok()) << replayed.status();
      ASSERT_EQ(Points(*replayed), Points(proposals));  // bit by bit
      pending.push_back({.number = static_cast<int32_t>(ordinal + 1), .parameters = Points(proposals).at(0)});
      while (pending.size() > 3) {
        const size_t ended = random.Below(pending.size());
        history.push_back(FinishedTrial(pending[ended].number, pending[ended].parameters));
        if (random.Below(3) == 0) {
          live->Observe(history.back());  // no fit: the next proposal has an older one
        } else {
          Tell(*live, history.back());
        }
        pending.erase(pending.begin() + static_cast<ptrdiff_t>(ended));
      }
    }
  }
}

TEST_P(StrategyConformanceTest, BasisNamesWhatWasKnown) {
  const core::JobSpec spec = MixedSpec(3);
  const auto strategy = MakeStrategy(spec);
  const std::vector<ParameterMap> points = Points(Ask(*strategy, 0, 3));
  ASSERT_EQ(points.size(), 3u);
  strategy->Observe(FinishedTrial(1, points[0]));
  const Proposals proposals =
      Ask(*strategy, 3, 1,
          std::vector<PendingTrial>{{.number = 2, .parameters = points[1]}, {.number = 3, .parameters = points[2]}});
  EXPECT_NE(proposals.basis.kind, core::Basis::Kind::kUnspecified);
  EXPECT_LE(proposals.basis.history_prefix, 1);
  EXPECT_EQ(proposals.basis.known_prefix, 1);
  EXPECT_EQ(proposals.basis.pending_trials, (std::vector<int32_t>{2, 3}));
}

// Proposing one by one or many at once is the same.
TEST_P(StrategyConformanceTest, BatchIsASequenceOfPendingTrials) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const core::JobSpec spec = seed % 2 == 0 ? MixedSpec(seed) : FiniteSpec(seed);
    const auto strategy = MakeStrategy(spec);
    const std::vector<ParameterMap> batch = Points(Ask(*strategy, 0, 12));
    std::vector<PendingTrial> pending;
    for (size_t i = 0; i < batch.size(); ++i) {
      const std::vector<ParameterMap> one = Points(Ask(*strategy, static_cast<int64_t>(i), 1, pending));
      ASSERT_EQ(one.size(), 1u);
      ASSERT_EQ(Text(one[0]), Text(batch[i]));
      pending.push_back({.number = static_cast<int32_t>(i + 1), .parameters = one[0]});
    }
  }
}

// A finite space is proposed whole, each point once, and then the end is said with the number of points.
TEST_P(StrategyConformanceTest, FiniteSpacesEnd) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const core::JobSpec spec = FiniteSpec(seed);
    const std::vector<ParameterMap> all = core::NaivePoints(spec.space.parameters());
    const auto strategy = MakeStrategy(spec);
    std::set<ParameterMap> seen;
    std::vector<PendingTrial> pending;
    int64_t ordinal = 0;
    while (true) {
      const Proposals proposals = Ask(*strategy, ordinal, 3, pending);
      for (const ParameterMap& point : Points(proposals)) {
        ASSERT_TRUE(seen.insert(point).second) << Text(point);
        pending.push_back({.number = static_cast<int32_t>(++ordinal), .parameters = point});
      }
      if (ordinal % 2 == 0) {
        for (const PendingTrial& trial : pending) Tell(*strategy, FinishedTrial(trial.number, trial.parameters));
        pending.clear();
      }
      ASSERT_LE(seen.size(), all.size());
      if (proposals.waiting) {
        ASSERT_FALSE(pending.empty()) << "waits for nothing";
        for (const PendingTrial& trial : pending) Tell(*strategy, FinishedTrial(trial.number, trial.parameters));
        pending.clear();
        continue;
      }
      if (!proposals.exhausted) {
        ASSERT_FALSE(proposals.proposals.empty());
        continue;
      }
      EXPECT_NE(proposals.exhausted_reason.find(absl::StrCat(all.size())), std::string::npos)
          << proposals.exhausted_reason;
      break;
    }
    ASSERT_EQ(seen, std::set<ParameterMap>(all.begin(), all.end()));
    const Proposals after = Ask(*strategy, ordinal, 2, pending);
    EXPECT_TRUE(after.proposals.empty());
    EXPECT_TRUE(after.exhausted);
  }
}

TEST_P(StrategyConformanceTest, StopTokenEndsEarly) {
  const auto strategy = MakeStrategy(MixedSpec(5));
  const std::atomic<bool> stop = true;
  const absl::StatusOr<Proposals> proposals = strategy->Suggest({.ordinal = 0, .count = 100, .stop = &stop});
  ASSERT_TRUE(proposals.ok());
  EXPECT_LT(proposals->proposals.size(), 100u);
  EXPECT_FALSE(proposals->exhausted);
}

// Results of users' own points, of other spaces and without an objective must not throw it off.
TEST_P(StrategyConformanceTest, SurvivesOddObservations) {
  const core::JobSpec spec = FiniteSpec(12);
  const auto strategy = MakeStrategy(spec);
  Tell(*strategy, FinishedTrial(1, {}));
  strategy->Observe(FinishedTrial(2, {{"unknown", 4.0}}));
  strategy->Observe(FinishedTrial(3, spec.space.PointAt(0, true), core::TrialState::kInfeasible));
  Finished odd = FinishedTrial(4, spec.space.PointAt(0, true));
  odd.trial.objective = std::numeric_limits<double>::quiet_NaN();
  odd.trial.final_metrics["loss"] = std::numeric_limits<double>::infinity();
  Tell(*strategy, odd);
  for (const ParameterMap& point : Points(Ask(*strategy, 0, 3))) EXPECT_TRUE(spec.space.Contains(point));
}

TEST_P(StrategyConformanceTest, SameSeedSamePointsOtherSeedsStayInSpace) {
  const core::JobSpec spec = MixedSpec(21);
  EXPECT_EQ(Print(Ask(*MakeStrategy(spec), 0, 10)), Print(Ask(*MakeStrategy(spec), 0, 10)));
}

// 100 parameters of 1,000 values each: more points than 128 bits count.
TEST_P(StrategyConformanceTest, HugeSpaces) {
  std::vector<core::Parameter> parameters;
  for (int i = 0; i < 100; ++i)
    parameters.push_back(Named(absl::StrCat("p", i), core::IntegerDomain{.min = 1, .max = 1000}));
  const core::JobSpec spec = SpecOf(GetParam(), std::move(parameters));
  const auto strategy = MakeStrategy(spec);
  const std::vector<ParameterMap> points = Points(Ask(*strategy, 0, 5));
  ASSERT_EQ(points.size(), 5u);
  for (const ParameterMap& point : points) EXPECT_TRUE(spec.space.Contains(point));
  EXPECT_EQ(std::set<ParameterMap>(points.begin(), points.end()).size(), 5u);
}

TEST_P(StrategyConformanceTest, OptionsThatCannotBeReadAreAProblem) {
  core::JobSpec spec = FiniteSpec(1);
  const StrategyKind* kind = FindStrategyKind(GetParam());
  EXPECT_TRUE(kind->validate(spec).empty());
  spec.strategy.bytes = "\xff\xff\xff";
  ASSERT_EQ(kind->validate(spec).size(), 1u);
  EXPECT_EQ(kind->validate(spec)[0].path, absl::StrCat("strategy.", GetParam()));
}

std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (const StrategyKind& kind : StrategyKinds()) names.emplace_back(kind.name);
  return names;
}
INSTANTIATE_TEST_SUITE_P(Registry, StrategyConformanceTest, testing::ValuesIn(Names()),
                         [](const auto& param) { return param.param; });

TEST(StrategyRegistryTest, HoldsTheBuiltInStrategies) {
  EXPECT_EQ(Names(), (std::vector<std::string>{"bayesian", "random", "grid", "hyperband"}));
  EXPECT_EQ(FindStrategyKind("custom"), nullptr);
  EXPECT_EQ(FindStrategyKind(""), nullptr);
}

}  // namespace
}  // namespace tuner::strategies
