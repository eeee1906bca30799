#include "tuner/engine/strategy_host.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/host_answers.h"

namespace tuner::engine {
namespace {

using testing::SizeIs;

core::JobSpec Spec(const std::string& strategy) {
  core::JobSpec spec;
  core::Parameter x;
  x.name = "x";
  x.domain = core::BooleanDomain{};
  spec.space = core::SearchSpace::Make({x});
  spec.strategy.name = strategy;
  return spec;
}

TEST(StrategyHost, ShowsFinishedTrialsBeforeItAsks) {
  Answers answers;
  auto host = MakeStrategyHost(answers.Options(2), answers.Callback());
  core::Trial seen;
  seen.number = 1;
  seen.parameters["x"] = true;
  host->Build("uid", Spec("random"), {strategies::Finished{seen}});
  host->Ask("uid", {0, 1}, {});
  answers.Await(1);
  ASSERT_THAT(answers.all[0].proposals, SizeIs(1));
  EXPECT_EQ(std::get<bool>(answers.all[0].proposals[0].parameters.at("x")), false) << "true was tried before";
  host->Observe("uid", [] {
    core::Trial trial;
    trial.parameters["x"] = false;
    return strategies::Finished{trial};
  }());
  host->Ask("uid", {1, 1}, {});
  answers.Await(2);
  EXPECT_TRUE(answers.all[1].exhausted);
}

TEST(StrategyHost, AStrategyWithoutAModelAnswersAlsoWhenTheDeadlineIsOver) {
  Answers answers;
  auto host = MakeStrategyHost(answers.Options(2), answers.Callback());
  host->Build("uid", Spec("random"), {});
  host->Ask("uid", {0, 1, answers.clock.Now() - absl::Seconds(1)}, {});
  answers.Await(1);
  EXPECT_TRUE(answers.all[0].error.ok()) << answers.all[0].error;
  EXPECT_THAT(answers.all[0].proposals, SizeIs(1));
}

TEST(StrategyHost, RecordsTheCallWithEachBasis) {
  Answers answers;
  auto host = MakeStrategyHost(answers.Options(0), answers.Callback());
  host->Build("uid", Spec("random"), {});
  host->Ask("uid", {7, 2}, {});
  ASSERT_THAT(answers.all, SizeIs(1));
  EXPECT_EQ(answers.all[0].basis.first_ordinal, 7);
  EXPECT_EQ(answers.all[0].basis.asked_count, 2);
}

TEST(StrategyHost, AnUnknownStrategyIsAnError) {
  Answers answers;
  auto host = MakeStrategyHost(answers.Options(0), answers.Callback());
  host->Build("uid", Spec("astrology"), {});
  host->Ask("uid", {0, 1}, {});
  ASSERT_THAT(answers.all, SizeIs(1));
  EXPECT_FALSE(answers.all[0].error.ok());
}

TEST(StrategyHost, ADroppedJobIsNotAnswered) {
  Answers answers;
  auto host = MakeStrategyHost(answers.Options(0), answers.Callback());
  host->Build("uid", Spec("random"), {});
  host->Drop("uid");
  host->Ask("uid", {0, 1}, {});
  EXPECT_THAT(answers.all, SizeIs(0));
}

}  // namespace
}  // namespace tuner::engine
