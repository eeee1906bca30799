// What a user's job may bring: section 6's list of odd histories and spaces, and what must not change a suggestion.
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/rng.h"
#include "gtest/gtest.h"
#include "tests/strategies/strategy_jobs.h"

namespace tuner::strategies {
namespace {

using core::Named;
using core::Parameter;
using core::ParameterMap;

const double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

core::JobSpec Spec(std::vector<Parameter> parameters, uint64_t seed = 3) {
  return SpecOf("bayesian", std::move(parameters), seed);
}

std::vector<Parameter> Reals(int count) {
  std::vector<Parameter> parameters;
  for (int i = 0; i < count; ++i)
    parameters.push_back(Named(absl::StrCat("x", i), core::DoubleDomain{.min = 0, .max = 1}));
  return parameters;
}

Finished Result(int32_t number, ParameterMap point, std::optional<double> value) {
  Finished finished = FinishedTrial(number, std::move(point),
                                    value.has_value() ? core::TrialState::kCompleted : core::TrialState::kFailed);
  finished.trial.objective = value;
  return finished;
}

void ObserveAndFit(Strategy& strategy, const Observation& observation) {
  strategy.Observe(observation);
  std::unique_ptr<FitTask> task = strategy.BeginFit();
  if (task == nullptr) return;
  task->Run(nullptr);
  strategy.InstallFit(std::move(task));
}

using Objective = std::function<std::optional<double>(const ParameterMap&, int)>;

// Points of a sequential run; each is in the space, and new unless the space is exhausted.
std::vector<ParameterMap> RunJob(const core::JobSpec& spec, int trials, const Objective& objective) {
  const std::unique_ptr<Strategy> strategy = MakeStrategy(spec);
  std::vector<ParameterMap> points;
  std::set<std::string> seen;
  for (int i = 0; i < trials; ++i) {
    const Proposals proposals = Ask(*strategy, i);
    if (proposals.proposals.empty()) {
      EXPECT_TRUE(proposals.exhausted);
      break;
    }
    points.push_back(Points(proposals).at(0));
    const absl::StatusOr<ParameterMap> canonical = spec.space.Canonical(points.back());
    EXPECT_TRUE(canonical.ok()) << canonical.status();
    EXPECT_TRUE(canonical.ok() && *canonical == points.back()) << "not on the grid: " << core::Text(points.back());
    EXPECT_TRUE(seen.insert(core::Text(points.back())).second) << "repeated: " << core::Text(points.back());
    ObserveAndFit(*strategy, Result(i + 1, points.back(), objective(points.back(), i)));
  }
  return points;
}

double Sphere(const ParameterMap& point) {
  double sum = 0;
  for (const auto& [name, value] : point) sum += std::pow(std::get<double>(value) - 0.3, 2);
  return sum;
}

TEST(RobustnessTest, OddObjectives) {
  const std::vector<std::pair<std::string, Objective>> objectives = {
      {"equal", [](const ParameterMap&, int) { return 5.0; }},
      {"all failed", [](const ParameterMap&, int) { return std::nullopt; }},
      {"all NaN", [](const ParameterMap&, int) { return kNan; }},
      {"one infinity", [](const ParameterMap& x, int i) { return i == 7 ? kInfinity : Sphere(x); }},
      {"one negative infinity", [](const ParameterMap& x, int i) { return i == 7 ? -kInfinity : Sphere(x); }},
      {"all infinite", [](const ParameterMap&, int i) { return i % 2 == 0 ? kInfinity : -kInfinity; }},
      {"wide", [](const ParameterMap&, int i) { return std::pow(10, 600.0 * i / 29 - 300) * (i % 3 == 0 ? -1 : 1); }},
      {"tiny", [](const ParameterMap& x, int) { return 1e-300 * Sphere(x); }},
      {"huge", [](const ParameterMap& x, int) { return 1e300 * (Sphere(x) - 0.5); }},
      {"denormal", [](const ParameterMap&, int i) { return 5e-324 * i; }},
      {"largest",
       [](const ParameterMap&, int i) { return (i % 2 == 0 ? 1 : -1) * std::numeric_limits<double>::max(); }},
      {"two levels", [](const ParameterMap& x, int) { return Sphere(x) < 0.1 ? 0.0 : 1.0; }},
      {"mostly failed",
       [](const ParameterMap& x, int i) { return i % 4 == 0 ? std::optional(Sphere(x)) : std::nullopt; }},
      {"nearly equal", [](const ParameterMap& x, int) { return 1 + 1e-15 * Sphere(x); }},
  };
  for (const auto& [name, objective] : objectives) {
    SCOPED_TRACE(name);
    EXPECT_EQ(RunJob(Spec(Reals(3)), 30, objective).size(), 30u);
  }
}

TEST(RobustnessTest, OddSpaces) {
  const auto last = [](const ParameterMap& point, int) -> std::optional<double> {
    const core::ParameterValue& value = point.rbegin()->second;
    if (const auto* real = std::get_if<double>(&value)) return std::atan(*real);
    if (const auto* integer = std::get_if<int64_t>(&value)) return std::atan(1e-6 * static_cast<double>(*integer));
    return 0.5;
  };
  constexpr int64_t kLargest = int64_t{1} << 53;
  const std::vector<std::pair<std::string, std::vector<Parameter>>> spaces = {
      {"2^53 integers", {Named("n", core::IntegerDomain{.min = -kLargest, .max = kLargest})}},
      {"2^53 integers, log", {Named("n", core::IntegerDomain{.min = 1, .max = kLargest, .scale = core::Scale::kLog})}},
      {"log from 1e-12 to 1e12",
       {Named("x", core::DoubleDomain{.min = 1e-12, .max = 1e12, .scale = core::Scale::kLog})}},
      {"1e-300 to 1e300", {Named("x", core::DoubleDomain{.min = 1e-300, .max = 1e300, .scale = core::Scale::kLog})}},
      {"narrow", {Named("x", core::DoubleDomain{.min = 1, .max = std::nextafter(1.0, 2) + 1e-12})}},
      {"a constant beside a real",
       {Named("c", core::IntegerDomain{.min = 4, .max = 4}), Named("x", core::DoubleDomain{.min = -5, .max = 5})}},
      {"1000 values", {Named("k", core::IntegerDomain{.min = 1, .max = 1000})}},
  };
  for (const auto& [name, parameters] : spaces) {
    SCOPED_TRACE(name);
    EXPECT_EQ(RunJob(Spec(parameters), 25, last).size(), 25u);
  }
}

TEST(RobustnessTest, SpacesOfOneAndTwoPointsEnd) {
  const auto zero = [](const ParameterMap&, int) { return 0.0; };
  EXPECT_EQ(RunJob(Spec({Named("n", core::IntegerDomain{.min = 4, .max = 4})}), 5, zero).size(), 1u);
  EXPECT_EQ(RunJob(Spec({Named("b", core::BooleanDomain{})}), 5, zero).size(), 2u);
  EXPECT_EQ(RunJob(Spec({Named("b", core::BooleanDomain{}), Named("k", core::IntegerDomain{.min = 1, .max = 7})}), 30,
                   [](const ParameterMap&, int i) { return static_cast<double>(i % 3); })
                .size(),
            14u);
}

TEST(RobustnessTest, HundredDimensions) {
  EXPECT_EQ(RunJob(Spec(Reals(100)), 20, [](const ParameterMap& x, int) { return Sphere(x); }).size(), 20u);
}

// Trials that users added: 100 at one point with different values, and 1,000 exact ties.
TEST(RobustnessTest, DuplicatesAndTies) {
  const core::JobSpec spec = Spec(Reals(2));
  const std::unique_ptr<Strategy> strategy = MakeStrategy(spec);
  for (int i = 0; i < 100; ++i) strategy->Observe(Result(i + 1, {{"x0", 0.25}, {"x1", 0.75}}, 0.01 * i));
  core::Rng rng(1, 1);
  for (int i = 100; i < 1100; ++i) {
    strategy->Observe(Result(i + 1, {{"x0", rng.NextDouble()}, {"x1", rng.NextDouble()}}, 1));
  }
  ObserveAndFit(*strategy, Result(1101, {{"x0", 0.5}, {"x1", 0.5}}, 0.3));
  const Proposals proposals = Ask(*strategy, 1101, 4);
  ASSERT_EQ(proposals.proposals.size(), 4u);
  EXPECT_EQ(proposals.basis.kind, core::Basis::Kind::kFresh);
  for (const ParameterMap& point : Points(proposals)) EXPECT_TRUE(spec.space.Contains(point));
}

// An import of thousands between two fits: they wait for the next one, and a rebuilt strategy says the same.
TEST(RobustnessTest, ManyResultsBetweenFits) {
  const core::JobSpec spec = Spec(Reals(2));
  const std::unique_ptr<Strategy> strategy = MakeStrategy(spec);
  const std::unique_ptr<Strategy> rebuilt = MakeStrategy(spec);
  core::Rng rng(1, 1);
  for (int i = 0; i < 3000; ++i) {
    const ParameterMap point{{"x0", rng.NextDouble()}, {"x1", rng.NextDouble()}};
    const Finished result = Result(i + 1, point, Sphere(point));
    if (i == 9) {
      ObserveAndFit(*strategy, result);
    } else {
      strategy->Observe(result);
    }
    rebuilt->Observe(result);
  }
  const Proposals proposals = Ask(*strategy, 3000, 2);
  ASSERT_EQ(proposals.proposals.size(), 2u);
  EXPECT_EQ(proposals.basis.kind, core::Basis::Kind::kLastFit);
  EXPECT_EQ(proposals.basis.history_prefix, 10);
  EXPECT_EQ(proposals.basis.known_prefix, 3000);
  const absl::StatusOr<Proposals> replayed =
      rebuilt->Suggest({.ordinal = 3000, .count = 2, .replay = &proposals.basis});
  ASSERT_TRUE(replayed.ok()) << replayed.status();
  EXPECT_EQ(Points(*replayed), Points(proposals));
  ASSERT_NE(strategy->model(), nullptr);
  strategy->model()->LeaveOneOut();
}

// Beyond the size at which the posterior has a window only: bit by bit what a strategy says that made other fits or
// none.
TEST(RobustnessTest, ReplaysBeyondTheWindow) {
  const core::JobSpec spec = Spec(Reals(3));
  const std::unique_ptr<Strategy> live = MakeStrategy(spec);
  const std::unique_ptr<Strategy> rebuilt = MakeStrategy(spec);
  core::Rng rng(2, 1);
  for (int i = 0; i < 1640; ++i) {
    const ParameterMap point{{"x0", rng.NextDouble()}, {"x1", rng.NextDouble()}, {"x2", rng.NextDouble()}};
    const Finished result = Result(i + 1, point, rng.NextBelow(10) == 0 ? std::nullopt : std::optional(Sphere(point)));
    rebuilt->Observe(result);
    const bool fitted = i == 20 || i == 700 || i >= 1600;
    if (fitted) {
      ObserveAndFit(*live, result);
    } else {
      live->Observe(result);
    }
    if (i != 1000 && i != 1620 && i != 1639) continue;
    const Proposals proposals = Ask(*live, i, 2);
    ASSERT_EQ(proposals.proposals.size(), 2u);
    EXPECT_NE(proposals.basis.kind, core::Basis::Kind::kFallback);
    const absl::StatusOr<Proposals> replayed = rebuilt->Suggest({.ordinal = i, .count = 2, .replay = &proposals.basis});
    ASSERT_TRUE(replayed.ok()) << replayed.status();
    EXPECT_EQ(Points(*replayed), Points(proposals)) << i;
  }
}

TEST(RobustnessTest, FewObservations) {
  for (int n = 0; n < 5; ++n) {
    const std::unique_ptr<Strategy> strategy = MakeStrategy(Spec(Reals(2)));
    for (int i = 0; i < n; ++i) ObserveAndFit(*strategy, Result(i + 1, {{"x0", 0.1 * i}, {"x1", 0.5}}, i));
    for (const int64_t ordinal : {0, 50}) EXPECT_EQ(Ask(*strategy, ordinal, 3).proposals.size(), 3u) << n;
  }
}

// --- what must not matter

using Map = std::function<ParameterMap(const ParameterMap&)>;

ParameterMap Same(const ParameterMap& point) { return point; }

// Runs two jobs side by side on the same objective of the first one's points and compares their points, the second's
// mapped into the first's space. Only the first step at which rounding could tell them apart matters, so the second is
// told the first's points.
void ExpectSameSuggestions(const core::JobSpec& first, const core::JobSpec& second, const Map& to_second,
                           const Map& to_first, const std::function<double(double)>& value_of_second, double tolerance,
                           int trials = 16) {
  const std::unique_ptr<Strategy> a = MakeStrategy(first);
  const std::unique_ptr<Strategy> b = MakeStrategy(second);
  for (int i = 0; i < trials; ++i) {
    const ParameterMap point = Points(Ask(*a, i)).at(0);
    const ParameterMap other = to_first(Points(Ask(*b, i)).at(0));
    for (const auto& [name, value] : point) {
      const auto it = other.find(name);
      ASSERT_NE(it, other.end());
      if (const auto* real = std::get_if<double>(&value)) {
        const int index = *first.space.Find(name);
        ASSERT_NEAR(first.space.ToUnit(index, *real), first.space.ToUnit(index, it->second), tolerance)
            << "trial " << i << " " << name;
      } else {
        ASSERT_EQ(value, it->second) << "trial " << i << " " << name;
      }
    }
    double objective = 0;
    for (const auto& [name, value] : point) {
      const int index = *first.space.Find(name);
      objective += std::pow(first.space.ToUnit(index, value) - 0.3, 2);
    }
    ObserveAndFit(*a, Result(i + 1, point, objective));
    ObserveAndFit(*b, Result(i + 1, to_second(point), value_of_second(objective)));
  }
}

TEST(InvarianceTest, UnitOfTheObjective) {
  const core::JobSpec spec = Spec(Reals(3));
  ExpectSameSuggestions(
      spec, spec, Same, Same, [](double y) { return 1024 * y; }, 0);
  ExpectSameSuggestions(
      spec, spec, Same, Same, [](double y) { return 3 * y + 7; }, 1e-3);
}

TEST(InvarianceTest, MaximisingTheNegative) {
  const core::JobSpec spec = Spec(Reals(3));
  core::JobSpec other = spec;
  other.objective.goal = spec.objective.goal == core::Goal::kMaximize ? core::Goal::kMinimize : core::Goal::kMaximize;
  ExpectSameSuggestions(
      spec, other, Same, Same, [](double y) { return -y; }, 0);
}

TEST(InvarianceTest, UnitOfAParameter) {
  core::JobSpec other = Spec({Named("x0", core::DoubleDomain{.min = -64, .max = 64}), Reals(2)[1]});
  ExpectSameSuggestions(
      Spec(Reals(2)), other,
      [](ParameterMap x) {
        x["x0"] = 128 * std::get<double>(x["x0"]) - 64;
        return x;
      },
      [](ParameterMap x) {
        x["x0"] = (std::get<double>(x["x0"]) + 64) / 128;
        return x;
      },
      [](double y) { return y; }, 1e-4);
}

TEST(InvarianceTest, LogScaleOrLoggedParameter) {
  core::JobSpec other =
      Spec({Named("x0", core::DoubleDomain{.min = 1, .max = std::exp(1.0), .scale = core::Scale::kLog}), Reals(2)[1]});
  ExpectSameSuggestions(
      Spec(Reals(2)), other,
      [](ParameterMap x) {
        x["x0"] = std::min(std::exp(std::get<double>(x["x0"])), std::exp(1.0));
        return x;
      },
      [](ParameterMap x) {
        x["x0"] = std::clamp(std::log(std::get<double>(x["x0"])), 0.0, 1.0);
        return x;
      },
      [](double y) { return y; }, 1e-4);
}

TEST(InvarianceTest, NamesOfCategories) {
  const auto rename = [](std::string from, std::string to) {
    return [=](ParameterMap x) {
      std::string& level = std::get<std::string>(x["c"]);
      level = to[from.find(level)];
      return x;
    };
  };
  const Parameter real = Reals(1)[0];
  ExpectSameSuggestions(
      Spec({Named("c", core::CategoricalDomain{.values = {"a", "b", "c", "d"}}), real}),
      Spec({Named("c", core::CategoricalDomain{.values = {"w", "x", "y", "z"}}), real}), rename("abcd", "wxyz"),
      rename("wxyz", "abcd"), [](double y) { return y; }, 0);
}

}  // namespace
}  // namespace tuner::strategies
