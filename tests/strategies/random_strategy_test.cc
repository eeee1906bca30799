#include "strategies/random_strategy.h"

#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "gtest/gtest.h"
#include "tests/strategies/strategy_jobs.h"

namespace tuner::strategies {
namespace {

using core::BooleanDomain;
using core::CategoricalDomain;
using core::Child;
using core::DiscreteDomain;
using core::DoubleDomain;
using core::IntegerDomain;
using core::Named;
using core::ParameterMap;
using core::Scale;
using core::Text;

std::vector<core::Parameter> AllKinds() {
  return {Named("eta", DoubleDomain{.min = 1e-4, .max = 1, .scale = Scale::kLog}),
          Named("momentum", DoubleDomain{.min = 0, .max = 0.999, .scale = Scale::kReverseLog}),
          Named("dropout", DoubleDomain{.min = 0, .max = 0.5, .step = 0.05}),
          Named("depth", IntegerDomain{.min = 2, .max = 10}),
          Named("booster", CategoricalDomain{{"gbtree", "dart"}}),
          Child(Named("rate", DoubleDomain{.min = 0, .max = 1}), 4, {std::string("dart")}),
          Named("batch", DiscreteDomain{{16, 32, 64}}),
          Named("flag", BooleanDomain{})};
}

// Twelve digits: the last ones of a logarithm are not the same on every machine.
std::string Rounded(const ParameterMap& point) {
  std::string text;
  for (const auto& [name, value] : point) {
    const auto* real = std::get_if<double>(&value);
    absl::StrAppend(&text, name, "=", real != nullptr ? absl::StrFormat("%.12g", *real) : core::FormatValue(value),
                    " ");
  }
  return text + "\n";
}

// Stored jobs go on where they ended: this sequence never changes.
TEST(RandomStrategyTest, GoldenSequence) {
  const auto strategy = MakeStrategy(SpecOf("random", AllKinds(), 42));
  std::string text;
  for (const ParameterMap& point : Points(Ask(*strategy, 0, 4))) text += Rounded(point);
  text += Rounded(Points(Ask(*strategy, 1'000'000))[0]);
  EXPECT_EQ(text,
            "batch=64 booster=dart depth=6 dropout=0.15 eta=0.00748765926971 flag=false momentum=0.905067405155 "
            "rate=0.77358468473 \n"
            "batch=64 booster=gbtree depth=4 dropout=0.5 eta=0.000319889081466 flag=false momentum=0.992669024187 \n"
            "batch=64 booster=gbtree depth=7 dropout=0.45 eta=0.0120490746037 flag=false momentum=0.991597430297 \n"
            "batch=64 booster=dart depth=4 dropout=0.05 eta=0.00606043419505 flag=false momentum=0.983947229579 "
            "rate=0.61951535044 \n"
            "batch=32 booster=dart depth=8 dropout=0.1 eta=0.000590200823499 flag=true momentum=0.996218048864 "
            "rate=0.177713993876 \n");
}

TEST(RandomStrategyTest, GoldenOrderOfASmallSpace) {
  const auto strategy = MakeStrategy(SpecOf("random", {Named("i", IntegerDomain{.min = 0, .max = 29})}, 7));
  std::string text;
  for (const ParameterMap& point : Points(Ask(*strategy, 0, 30))) text += core::FormatValue(point.at("i")) + " ";
  EXPECT_EQ(text, "22 5 25 3 20 26 10 24 8 16 9 7 12 11 17 1 23 2 0 14 15 13 18 4 27 19 28 21 29 6 ");
}

// The walk over the free points, which only a space that is nearly used up comes to.
TEST(RandomStrategyTest, GoldenWalk) {
  const auto strategy = MakeStrategy(SpecOf("random", {Named("i", IntegerDomain{.min = 0, .max = 9999})}, 7));
  for (int i = 0; i < 9990; ++i) strategy->Observe(FinishedTrial(i + 1, {{"i", int64_t{i}}}));
  const Proposals proposals = Ask(*strategy, 9990, 20);
  std::string text;
  for (const ParameterMap& point : Points(proposals)) text += core::FormatValue(point.at("i")) + " ";
  EXPECT_EQ(text, "9990 9993 9992 9997 9996 9994 9998 9991 9995 9999 ");
  EXPECT_TRUE(proposals.exhausted);
  EXPECT_EQ(proposals.exhausted_reason, "all 10000 points of the search space have been tried or are pending");
}

TEST(RandomStrategyTest, OrdinalAloneGivesThePoint) {
  const auto strategy = MakeStrategy(SpecOf("random", AllKinds(), 3));
  const std::vector<ParameterMap> batch = Points(Ask(*strategy, 0, 50));
  const auto other = MakeStrategy(SpecOf("random", AllKinds(), 3));
  for (int i = 0; i < 30; ++i) other->Observe(FinishedTrial(i + 1, {{"eta", 0.5}}));  // points of users shift nothing
  for (int64_t ordinal = 49; ordinal >= 0; --ordinal) EXPECT_EQ(Points(Ask(*other, ordinal)).at(0), batch[ordinal]);
}

TEST(RandomStrategyTest, SeedsGiveDifferentPoints) {
  std::set<ParameterMap> points;
  for (uint64_t seed = 0; seed < 100; ++seed)
    points.insert(Points(Ask(*MakeStrategy(SpecOf("random", AllKinds(), seed)), 0)).at(0));
  EXPECT_EQ(points.size(), 100u);
}

TEST(RandomStrategyTest, UniformOnEachScale) {
  const auto strategy =
      MakeStrategy(SpecOf("random",
                          {Named("lin", DoubleDomain{.min = -2, .max = 2}),
                           Named("log", DoubleDomain{.min = 1e-5, .max = 1, .scale = Scale::kLog}),
                           Named("rev", DoubleDomain{.min = 0, .max = 0.99999, .scale = Scale::kReverseLog})},
                          5));
  constexpr int kDraws = 20'000;
  constexpr int kBins = 20;
  std::map<std::string, std::vector<int>> bins = {
      {"lin", std::vector<int>(kBins)}, {"log", std::vector<int>(kBins)}, {"rev", std::vector<int>(kBins)}};
  for (const ParameterMap& point : Points(Ask(*strategy, 0, kDraws))) {
    const double lin = (std::get<double>(point.at("lin")) + 2) / 4;
    const double log = std::log10(std::get<double>(point.at("log"))) / 5 + 1;
    const double rev = -std::log10(1 - std::get<double>(point.at("rev"))) / 5;
    for (const auto& [name, u] : {std::pair{"lin", lin}, std::pair{"log", log}, std::pair{"rev", rev}}) {
      ++bins[name][std::min(kBins - 1, static_cast<int>(u * kBins))];
    }
  }
  for (const auto& [name, counts] : bins) {
    double chi_square = 0;
    for (const int count : counts) chi_square += std::pow(count - kDraws / kBins, 2) / (kDraws / kBins);
    EXPECT_LT(chi_square, 43.8) << name;  // 0.1 % of uniform draws are above, 19 degrees of freedom
  }
}

TEST(RandomStrategyTest, PendingAndObservedPointsAreNotProposedAgain) {
  const core::JobSpec spec = SpecOf("random", {Named("i", IntegerDomain{.min = 1, .max = 3})}, 1);
  const auto strategy = MakeStrategy(spec);
  const std::vector<PendingTrial> pending = {{.number = 9, .parameters = {{"i", int64_t{1}}}}};
  strategy->Observe(FinishedTrial(1, {{"i", int64_t{3}}}, core::TrialState::kFailed));
  for (int64_t ordinal = 0; ordinal < 50; ++ordinal) {
    EXPECT_EQ(Points(Ask(*strategy, ordinal, 1, pending)).at(0), (ParameterMap{{"i", int64_t{2}}}));
  }
  const Proposals both = Ask(*strategy, 0, 2, pending);
  EXPECT_EQ(both.proposals.size(), 1u);
  EXPECT_TRUE(both.exhausted);
}

// A point that a user added in another type or beside its step is still that point.
TEST(RandomStrategyTest, KnowsPointsInOtherTypes) {
  const auto strategy = MakeStrategy(SpecOf(
      "random",
      {Named("i", IntegerDomain{.min = 1, .max = 2}), Named("s", DoubleDomain{.min = 0, .max = 0.3, .step = 0.3})}, 1));
  strategy->Observe(FinishedTrial(1, {{"i", 1.0}, {"s", int64_t{0}}}));
  strategy->Observe(FinishedTrial(2, {{"i", 2.0}, {"s", 0.1 + 0.2}}));
  const std::vector<ParameterMap> rest = Points(Ask(*strategy, 0, 9));
  EXPECT_EQ(std::set<ParameterMap>(rest.begin(), rest.end()),
            (std::set<ParameterMap>{{{"i", int64_t{1}}, {"s", 0.3}}, {{"i", int64_t{2}}, {"s", 0.0}}}));
}

// One branch is finite and soon used up; the other is continuous and never is.
TEST(RandomStrategyTest, GoesOnInTheContinuousBranch) {
  std::vector<std::string> kinds;
  for (int i = 0; i < 200; ++i) kinds.push_back(absl::StrCat("k", i));
  const auto strategy =
      MakeStrategy(SpecOf("random",
                          {Named("kind", CategoricalDomain{kinds}),
                           Child(Named("x", DoubleDomain{.min = 0, .max = 1}), 0, {std::string("k7")})},
                          1));
  std::set<ParameterMap> seen;
  for (const ParameterMap& point : Points(Ask(*strategy, 0, 1000)))
    EXPECT_TRUE(seen.insert(point).second) << Text(point);
  EXPECT_EQ(seen.size(), 1000u);
}

TEST(RandomStrategyTest, NeverExhaustedWhereContinuous) {
  const core::JobSpec spec = SpecOf("random", {Named("x", DoubleDomain{.min = 0, .max = 1})});
  EXPECT_FALSE(Ask(*MakeStrategy(spec), int64_t{1} << 40, 3).exhausted);
  EXPECT_EQ(FindStrategyKind("random")->trial_count(spec), 0);
}

core::JobSpec Constrained(core::JobSpec spec, const std::vector<std::string>& texts) {
  core::Problems problems;
  spec.constraints = core::ConstraintSet::Parse(texts, &spec.space, {}, problems);
  for (const core::Problem& problem : problems) ADD_FAILURE() << problem.path << ": " << problem.text;
  return spec;
}

// Stored jobs go on where they ended: neither this sequence changes.
TEST(RandomStrategyTest, GoldenSequenceUnderConstraints) {
  std::string text;
  const auto loose = MakeStrategy(
      Constrained(SpecOf("random", AllKinds(), 42), {"depth + momentum <= 7", "booster != 'dart' or rate < 0.7"}));
  for (const ParameterMap& point : Points(Ask(*loose, 0, 3))) text += Rounded(point);
  const auto tight = MakeStrategy(Constrained(SpecOf("random", AllKinds(), 42),
                                              {"dropout + rate <= 0.001", "booster = 'dart'", "momentum >= 0.99"}));
  for (const ParameterMap& point : Points(Ask(*tight, 0, 3))) text += Rounded(point);
  EXPECT_EQ(text,
            "batch=32 booster=dart depth=2 dropout=0.15 eta=0.227081518878 flag=false momentum=0.803736060895 "
            "rate=0.182505224477 \n"
            "batch=64 booster=gbtree depth=4 dropout=0.5 eta=0.000319889081466 flag=false momentum=0.992669024187 \n"
            "batch=64 booster=dart depth=4 dropout=0.15 eta=0.936535801245 flag=false momentum=0.861844699263 "
            "rate=0.0615547911601 \n"
            "batch=32 booster=dart depth=3 dropout=0 eta=0.11861718991 flag=true momentum=0.994704863736 "
            "rate=8.88388092908e-05 \n"
            "batch=32 booster=dart depth=6 dropout=0 eta=0.00560833684582 flag=false momentum=0.992006041253 "
            "rate=0.000115201376763 \n"
            "batch=16 booster=dart depth=2 dropout=0 eta=0.0022966833189 flag=false momentum=0.991065440628 "
            "rate=0.000366460017838 \n");
}

TEST(RandomStrategyTest, GoldenOrderOfAFiniteSpaceUnderConstraints) {
  const auto strategy = MakeStrategy(Constrained(
      SpecOf("random", {Named("i", IntegerDomain{.min = 0, .max = 99999})}, 7), {"i > 50 and i <= 60 or i = 77"}));
  const Proposals proposals = Ask(*strategy, 0, 30);
  std::string text;
  for (const ParameterMap& point : Points(proposals)) text += core::FormatValue(point.at("i")) + " ";
  EXPECT_EQ(text, "55 58 51 56 60 57 53 77 52 54 59 ");
  EXPECT_TRUE(proposals.exhausted);
  EXPECT_EQ(proposals.exhausted_reason,
            "all 11 points of the search space that satisfy the constraints have been tried or are pending");
}

// A user's results beside the constraints are data, and no use of a feasible point.
TEST(RandomStrategyTest, PointsThatBreakAConstraintUseUpNothing) {
  const auto strategy =
      MakeStrategy(Constrained(SpecOf("random", {Named("i", IntegerDomain{.min = 0, .max = 9})}, 7), {"i < 3"}));
  for (int i = 4; i < 9; ++i) strategy->Observe(FinishedTrial(i, {{"i", int64_t{i}}}));
  EXPECT_EQ(Points(Ask(*strategy, 0, 9)).size(), 3u);
}

TEST(RandomStrategyTest, ConstraintsThatLeaveNothingEndTheJob) {
  const std::vector<core::Parameter> reals = {Named("x", DoubleDomain{.min = 0, .max = 1}),
                                              Named("y", DoubleDomain{.min = 0, .max = 1})};
  const Proposals none = Ask(*MakeStrategy(Constrained(SpecOf("random", reals), {"x <= y", "x > y"})), 0, 3);
  EXPECT_TRUE(none.proposals.empty());
  EXPECT_TRUE(none.exhausted);
  EXPECT_EQ(none.exhausted_reason, "no point that satisfies the constraints was found in 16416 draws");
  // Two points of a continuous space.
  const auto two = MakeStrategy(Constrained(SpecOf("random", reals), {"x = 0.25 or x = 0.5", "y = 0.125"}));
  const Proposals proposals = Ask(*two, 0, 9);
  EXPECT_EQ(proposals.proposals.size(), 2u);
  EXPECT_TRUE(proposals.exhausted);
  EXPECT_EQ(proposals.exhausted_reason,
            "the last 200 draws that satisfy the constraints met only points that have been tried");
}

}  // namespace
}  // namespace tuner::strategies
