#include "tuner/engine/strategy_host.h"

#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

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

struct Answers {
  absl::Mutex mutex;
  std::vector<core::Proposed> all;

  StrategyHost::AnswerCallback Callback() {
    return [this](const std::string&, core::Proposed proposed) {
      absl::MutexLock lock(&mutex);
      all.push_back(std::move(proposed));
    };
  }
  void Await(size_t count) {
    absl::MutexLock lock(&mutex);
    const auto enough = [&] { return all.size() >= count; };
    ASSERT_TRUE(mutex.AwaitWithTimeout(absl::Condition(&enough), absl::Seconds(60)));
  }
};

TEST(StrategyHost, ShowsFinishedTrialsBeforeItAsks) {
  Answers answers;
  auto host = MakeStrategyHost(2, answers.Callback());
  core::Trial seen;
  seen.number = 1;
  seen.parameters["x"] = true;
  host->Build("uid", Spec("random"), {seen});
  host->Ask("uid", {0, 1}, {});
  answers.Await(1);
  ASSERT_THAT(answers.all[0].proposals, SizeIs(1));
  EXPECT_EQ(std::get<bool>(answers.all[0].proposals[0].parameters.at("x")), false) << "true was tried before";
  host->Observe("uid", [] {
    core::Trial trial;
    trial.parameters["x"] = false;
    return trial;
  }());
  host->Ask("uid", {1, 1}, {});
  answers.Await(2);
  EXPECT_TRUE(answers.all[1].exhausted);
}

TEST(StrategyHost, AnUnknownStrategyIsAnError) {
  Answers answers;
  auto host = MakeStrategyHost(0, answers.Callback());
  host->Build("uid", Spec("astrology"), {});
  host->Ask("uid", {0, 1}, {});
  ASSERT_THAT(answers.all, SizeIs(1));
  EXPECT_FALSE(answers.all[0].error.ok());
}

TEST(StrategyHost, ADroppedJobIsNotAnswered) {
  Answers answers;
  auto host = MakeStrategyHost(0, answers.Callback());
  host->Build("uid", Spec("random"), {});
  host->Drop("uid");
  host->Ask("uid", {0, 1}, {});
  EXPECT_THAT(answers.all, SizeIs(0));
}

}  // namespace
}  // namespace tuner::engine
