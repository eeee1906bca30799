// No strategy of the registry ever proposes a point that breaks a constraint, and a finite space is proposed up to its
// last feasible point (issue 4, acceptance 6). Over random spaces and constraints; what holds is judged by the naive
// twin of tests/core/random_constraints.h.
//
// TUNER_CONSTRAINED_SPACES: how many spaces for each strategy (100000 for the acceptance), TUNER_FIRST_SEED: from
// which.
#include <algorithm>
#include <cstdlib>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "core/validate.h"
#include "gtest/gtest.h"
#include "tests/core/random_constraints.h"
#include "tests/strategies/strategy_jobs.h"
#include "tuner/v1/strategies.pb.h"

namespace tuner::strategies {
namespace {

using core::Named;
using core::ParameterMap;
using core::RandomConstraint;
using core::RandomSpaces;

constexpr uint64_t kSpaces = 1000;
constexpr int kProposals = 5;
// Spaces of up to this many feasible points are used up.
constexpr size_t kSmall = 10;

uint64_t Setting(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  uint64_t value = 0;
  return text != nullptr && absl::SimpleAtoi(text, &value) ? value : otherwise;
}

struct Constrained {
  core::JobSpec spec;
  std::vector<RandomConstraint> naive;
  std::string constraints;  // for messages
  // In PointAt's order; nullopt: the space is continuous.
  std::optional<std::vector<ParameterMap>> feasible;

  bool Holds(const ParameterMap& point) const {
    return std::all_of(naive.begin(), naive.end(), [&](const RandomConstraint& c) { return c.Holds(point); });
  }
};

Constrained RandomConstrained(const std::string& strategy, uint64_t seed) {
  RandomSpaces random(seed);
  std::vector<core::Parameter> parameters = random.NextParameters(4);
  const bool finite = strategy == "grid" || random.Below(2) == 0;
  if (!finite) {
    for (uint64_t i = 1 + random.Below(3); i > 0; --i) {
      const core::Scale scale = random.Below(2) == 0 ? core::Scale::kLog : core::Scale::kLinear;
      parameters.push_back(Named(absl::StrCat("r", i), core::DoubleDomain{.min = 0.01, .max = 9, .scale = scale}));
    }
  }
  Constrained result{.spec = SpecOf(strategy, std::move(parameters), seed)};
  const core::SearchSpace& space = result.spec.space;
  std::vector<double> units(space.parameters().size());
  for (double& u : units) u = random.Uniform();
  const ParameterMap feasible = space.PointFromUnits(units);  // all hold there, so that some point is feasible
  std::vector<std::string> texts;
  for (uint64_t i = 1 + random.Below(3); i > 0; --i) {
    result.naive.push_back(RandomConstraint::Make(random, space, feasible));
    texts.push_back(result.naive.back().text());
  }
  result.constraints = absl::StrJoin(texts, "\n");
  core::Problems problems;
  result.spec.constraints = core::ConstraintSet::Parse(texts, &space, {}, problems);
  for (const core::Problem& problem : problems) ADD_FAILURE() << problem.path << ": " << problem.text;
  if (strategy == "bayesian") {
    v1::BayesianStrategy options;
    options.set_initial_trials(2);  // so that the model's own proposals are among the few
    result.spec.strategy.bytes = options.SerializeAsString();
  }
  if (!finite) return result;
  result.feasible.emplace();
  for (ParameterMap& point : core::NaivePoints(space.parameters())) {
    if (result.Holds(point)) result.feasible->push_back(std::move(point));
  }
  return result;
}

class ConstrainedSpacesTest : public testing::TestWithParam<std::string> {};

TEST_P(ConstrainedSpacesTest, NoProposalBreaksAConstraint) {
  const uint64_t first = Setting("TUNER_FIRST_SEED", 0);
  const uint64_t spaces = Setting("TUNER_CONSTRAINED_SPACES", kSpaces);
  uint64_t proposed = 0;
  uint64_t used_up = 0;
  for (uint64_t seed = first; seed < first + spaces; ++seed) {
    const Constrained job = RandomConstrained(GetParam(), seed);
    SCOPED_TRACE(testing::Message() << "seed " << seed << ", constraints\n" << job.constraints);
    ASSERT_FALSE(HasFailure());
    for (const core::Problem& problem : FindStrategyKind(GetParam())->validate(job.spec)) {
      FAIL() << problem.path << ": " << problem.text;
    }
    const bool small = job.feasible.has_value() && job.feasible->size() <= kSmall;
    if (GetParam() == "grid") {
      ASSERT_EQ(FindStrategyKind("grid")->trial_count(job.spec), static_cast<int64_t>(job.feasible->size()));
    }
    const auto strategy = MakeStrategy(job.spec);
    std::set<ParameterMap> seen;
    std::vector<PendingTrial> pending;
    for (int64_t ordinal = 0; small || ordinal < kProposals;) {
      const Proposals proposals = Ask(*strategy, ordinal, 1 + static_cast<int32_t>(seed % 2), pending);
      for (const ParameterMap& point : Points(proposals)) {
        ASSERT_TRUE(job.Holds(point)) << core::Text(point);
        ASSERT_TRUE(job.spec.space.Contains(point)) << core::Text(point);
        ASSERT_TRUE(seen.insert(point).second) << "twice: " << core::Text(point);
        if (GetParam() == "grid") {
          ASSERT_EQ(point, (*job.feasible)[static_cast<size_t>(ordinal)]);
        }
        pending.push_back({.number = static_cast<int32_t>(++ordinal), .parameters = point});
        ++proposed;
      }
      if (ordinal % 2 == 0) {
        for (const PendingTrial& trial : pending) Tell(*strategy, FinishedTrial(trial.number, trial.parameters));
        pending.clear();
      }
      if (proposals.waiting) {
        for (const PendingTrial& trial : pending) Tell(*strategy, FinishedTrial(trial.number, trial.parameters));
        pending.clear();
        continue;
      }
      if (!proposals.exhausted) {
        ASSERT_FALSE(proposals.proposals.empty());
        continue;
      }
      // Constraints may leave but a few points of a space that has continuous parameters, too.
      if (job.feasible.has_value()) {
        ASSERT_EQ(seen.size(), job.feasible->size()) << proposals.exhausted_reason;
        ASSERT_NE(proposals.exhausted_reason.find(absl::StrCat(seen.size())), std::string::npos);
      }
      ASSERT_NE(proposals.exhausted_reason.find("satisf"), std::string::npos) << proposals.exhausted_reason;
      ++used_up;
      break;
    }
  }
  RecordProperty("spaces", static_cast<int>(spaces));
  RecordProperty("proposals", static_cast<int>(proposed));
  std::printf("%s: %llu spaces from seed %llu, %llu used up, %llu proposals, none breaks a constraint\n",
              GetParam().c_str(), static_cast<unsigned long long>(spaces), static_cast<unsigned long long>(first),
              static_cast<unsigned long long>(used_up), static_cast<unsigned long long>(proposed));
  EXPECT_GT(used_up, spaces / 20);
}

// What was proposed is again, after a restart and in any order of asking.
TEST_P(ConstrainedSpacesTest, ReplayRebuilds) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const Constrained job = RandomConstrained(GetParam(), seed);
    const std::vector<ParameterMap> batch = Points(Ask(*MakeStrategy(job.spec), 0, 6));
    const auto strategy = MakeStrategy(job.spec);
    std::vector<PendingTrial> pending;
    for (size_t i = 0; i < batch.size(); ++i) {
      Ask(*strategy, static_cast<int64_t>(i + 20), 2, pending);  // leaves no trace
      const std::vector<ParameterMap> one = Points(Ask(*strategy, static_cast<int64_t>(i), 1, pending));
      ASSERT_EQ(one.size(), 1u);
      ASSERT_EQ(one[0], batch[i]);
      pending.push_back({.number = static_cast<int32_t>(i + 1), .parameters = one[0]});
    }
  }
}

std::vector<std::string> RegisteredStrategies() {
  std::vector<std::string> names;
  for (const StrategyKind& kind : StrategyKinds()) names.emplace_back(kind.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Registry, ConstrainedSpacesTest, testing::ValuesIn(RegisteredStrategies()),
                         [](const auto& param_info) { return param_info.param; });

}  // namespace
}  // namespace tuner::strategies
