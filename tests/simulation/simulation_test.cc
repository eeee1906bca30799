// Thousands of random histories; each is a pure function of the printed seed. TUNER_SIMULATION_SEEDS sets how many
// (default 2,000), TUNER_SIMULATION_FIRST the first one.
#include "tests/simulation/simulation.h"

#include <cstdlib>
#include <iostream>

#include "absl/strings/numbers.h"
#include "gtest/gtest.h"

namespace tuner::simulation {
namespace {

int FromEnvironment(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  int value = 0;
  return text != nullptr && absl::SimpleAtoi(text, &value) ? value : otherwise;
}

TEST(Simulation, WhatMustAlwaysHoldHoldsOverRandomHistories) {
  const int first = FromEnvironment("TUNER_SIMULATION_FIRST", 1);
  const int seeds = FromEnvironment("TUNER_SIMULATION_SEEDS", 2'000);
  Outcome sum;
  for (int seed = first; seed < first + seeds; ++seed) {
    const Outcome outcome = Simulate(seed, Faults{});
    sum.crashes += outcome.crashes;
    sum.refused_commits += outcome.refused_commits;
    sum.trials += outcome.trials;
    sum.attempts += outcome.attempts;
    sum.promotions += outcome.promotions;
    sum.with_parents += outcome.with_parents;
    sum.early_stopped += outcome.early_stopped;
    sum.measurements += outcome.measurements;
    sum.notifications += outcome.notifications;
    sum.repeats += outcome.repeats;
    sum.fresh += outcome.fresh;
    sum.last_fit += outcome.last_fit;
    sum.fallback += outcome.fallback;
    ASSERT_TRUE(outcome.violations.empty()) << "seed " << seed << ": " << outcome.violations[0] << "\n" << outcome.log;
  }
  std::cout << "simulation: seeds " << first << ".." << first + seeds - 1 << ", " << sum.crashes << " crashes, "
            << sum.refused_commits << " refused commits, " << sum.trials << " trials, " << sum.attempts << " attempts, "
            << sum.promotions << " promotions, " << sum.with_parents << " jobs with parents, " << sum.early_stopped
            << " stopped early, " << sum.measurements << " measurements, " << sum.notifications
            << " notifications taken and " << sum.repeats << " repeats, suggestions " << sum.fresh << " FRESH, "
            << sum.last_fit << " LAST_FIT, " << sum.fallback << " FALLBACK, all recomputed; 0 violations\n";
  EXPECT_GT(sum.crashes, seeds / 4);
  EXPECT_GT(sum.promotions, seeds / 10);
  EXPECT_GT(sum.with_parents, seeds / 10);
  EXPECT_GT(sum.early_stopped, seeds / 10);
  EXPECT_GT(sum.trials, seeds);
  EXPECT_GT(sum.notifications, seeds);
  EXPECT_GT(sum.repeats, seeds / 20);
  EXPECT_GT(sum.last_fit, seeds / 4);
  EXPECT_GT(sum.fallback, seeds / 4);
}

TEST(Simulation, IsAPureFunctionOfItsSeed) {
  for (uint64_t seed = 1; seed <= 20; ++seed)
    EXPECT_EQ(Simulate(seed, Faults{}).log, Simulate(seed, Faults{}).log) << seed;
}

TEST(Simulation, SeesAStorageThatForgets) {
  int seen = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed)
    seen += Simulate(seed, Faults{.forget_commits = true}).violations.empty() ? 0 : 1;
  EXPECT_GT(seen, 10);
}

TEST(Simulation, AServerThatIsNotLateMissesNoDeadline) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    const Outcome outcome = Simulate(seed, Faults{.crashes = false, .storage = false, .late = false});
    ASSERT_TRUE(outcome.violations.empty()) << "seed " << seed << ": " << outcome.violations[0] << "\n" << outcome.log;
  }
}

TEST(Simulation, WithoutFaultsEveryJobEnds) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    const Outcome outcome = Simulate(seed, Faults{.crashes = false, .storage = false, .duplicates = false});
    ASSERT_TRUE(outcome.violations.empty()) << "seed " << seed << ": " << outcome.violations[0] << "\n" << outcome.log;
    EXPECT_EQ(outcome.crashes, 0);
  }
}

}  // namespace
}  // namespace tuner::simulation
