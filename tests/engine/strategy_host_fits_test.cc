// Fits, deadlines and answers ahead, with a scripted model and a clock of the test's own.
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/host_answers.h"
#include "tests/engine/scripted_strategy.h"
#include "tuner/engine/strategy_host.h"

namespace tuner::engine {
namespace {

using Kind = core::Basis::Kind;
using tuner::testing::MakeScriptedStrategy;
using tuner::testing::Script;

constexpr absl::Duration kLong = absl::Seconds(60);

// A door that fits or suggestions stand before until the test opens it; they also leave when they are told to stop.
class Gate {
 public:
  void Pass(strategies::StopToken stop) {
    absl::MutexLock lock(&mutex_);
    ++waiting_;
    const auto may_pass = [&] { return open_ || (stop != nullptr && *stop); };
    // A stop token wakes nobody.
    while (!mutex_.AwaitWithTimeout(absl::Condition(&may_pass), absl::Milliseconds(1))) {
    }
    --waiting_;
  }
  void Open() {
    absl::MutexLock lock(&mutex_);
    open_ = true;
  }
  void AwaitSomebody() {
    absl::MutexLock lock(&mutex_);
    const auto somebody = [this] { return waiting_ > 0; };
    ASSERT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&somebody), kLong));
  }

 private:
  absl::Mutex mutex_;
  bool open_ = false;
  int waiting_ = 0;
};

strategies::Finished Result(int32_t number, double x, double objective) {
  core::Trial trial;
  trial.number = number;
  trial.parameters["x"] = x;
  trial.state = core::TrialState::kCompleted;
  trial.objective = objective;
  return {trial};
}

class HostFitsTest : public ::testing::Test {
 protected:
  // Jobs whose uid begins with "slow" fit through the gate, all others at once.
  std::unique_ptr<StrategyHost> MakeHost(int threads) {
    StrategyHostOptions options = answers_.Options(threads);
    slow_.on_fit = [this](strategies::StopToken stop) { gate_.Pass(stop); };
    options.make = [this](const core::JobSpec& spec) -> absl::StatusOr<std::unique_ptr<strategies::Strategy>> {
      return MakeScriptedStrategy(spec.name == "slow" ? &slow_ : &quick_, spec);
    };
    return MakeStrategyHost(std::move(options), answers_.Callback());
  }
  static core::JobSpec Spec(const std::string& name) {
    core::JobSpec spec;
    spec.name = name;
    spec.space = tuner::testing::ScriptedSpace();
    return spec;
  }
  core::AskStrategy AskFor(int64_t ordinal, absl::Duration deadline) {
    return {ordinal, 1, answers_.clock.Now() + deadline};
  }

  Answers answers_;
  Gate gate_;
  Script slow_, quick_;
};

TEST_F(HostFitsTest, AFitDelaysNoOtherJobAlsoOnOneThread) {
  auto host = MakeHost(1);
  host->Build("a", Spec("slow"), {Result(1, 0.5, 1)});
  gate_.AwaitSomebody();
  host->Build("b", Spec("quick"), {});
  host->Ask("b", AskFor(0, absl::Milliseconds(200)), {});
  answers_.Await(1);
  EXPECT_EQ(answers_.Last().basis.kind, Kind::kFresh);
  gate_.Open();
}

TEST_F(HostFitsTest, AnAskWaitsForTheFitThatIsUnderWay) {
  auto host = MakeHost(2);
  host->Build("a", Spec("slow"), {Result(1, 0.5, 1)});
  gate_.AwaitSomebody();
  host->Ask("a", AskFor(1, absl::Milliseconds(200)), {});
  answers_.clock.Advance(absl::Milliseconds(99));
  EXPECT_EQ(answers_.count(), 0u);
  gate_.Open();
  answers_.Await(1);
  EXPECT_EQ(answers_.Last().basis.kind, Kind::kFresh);
  EXPECT_EQ(answers_.Last().basis.history_prefix, 1);
}

TEST_F(HostFitsTest, AfterHalfOfItsTimeAnAskGoesOnWithTheLastFit) {
  auto host = MakeHost(2);
  slow_.on_fit = nullptr;
  host->Build("a", Spec("slow"), {Result(1, 0.5, 1)});
  host->Ask("a", AskFor(1, absl::Milliseconds(200)), {});
  answers_.Await(1);
  ASSERT_EQ(answers_.Last().basis.kind, Kind::kFresh);
  slow_.on_fit = [this](strategies::StopToken stop) { gate_.Pass(stop); };
  host->Observe("a", Result(2, 0.6, 2));
  host->Ask("a", AskFor(2, absl::Milliseconds(200)), {});
  gate_.AwaitSomebody();
  answers_.clock.Advance(absl::Milliseconds(100));
  answers_.Await(2);
  EXPECT_EQ(answers_.Last().basis.kind, Kind::kLastFit);
  EXPECT_EQ(answers_.Last().basis.history_prefix, 1);
  EXPECT_EQ(answers_.Last().basis.known_prefix, 2);
  gate_.Open();
}

TEST_F(HostFitsTest, AtThreeQuartersOfItsTimeAStrategyIsStopped) {
  auto host = MakeHost(2);
  Gate suggesting;
  quick_.on_suggest = [&](strategies::StopToken stop) { suggesting.Pass(stop); };
  host->Build("a", Spec("quick"), {Result(1, 0.5, 1)});
  host->Ask("a", AskFor(1, absl::Milliseconds(200)), {});
  suggesting.AwaitSomebody();
  answers_.clock.Advance(absl::Milliseconds(149));
  EXPECT_EQ(answers_.count(), 0u);
  answers_.clock.Advance(absl::Milliseconds(1));
  answers_.Await(1);
  EXPECT_EQ(answers_.Last().basis.kind, Kind::kFallback);
}

TEST_F(HostFitsTest, ASoonerDeadlineForTheSameAskHolds) {
  auto host = MakeHost(2);
  host->Build("a", Spec("slow"), {Result(1, 0.5, 1)});
  host->Ask("a", AskFor(1, absl::Minutes(1)), {});
  host->Ask("a", AskFor(1, absl::Milliseconds(200)), {});
  gate_.AwaitSomebody();
  answers_.clock.Advance(absl::Milliseconds(100));
  answers_.Await(1);
  EXPECT_EQ(answers_.count(), 1u);
  gate_.Open();
}

TEST_F(HostFitsTest, SeveralResultsInARowMakeOneFit) {
  auto host = MakeHost(2);
  host->Build("a", Spec("slow"), {Result(1, 0.5, 1)});
  gate_.AwaitSomebody();
  for (int i = 2; i <= 5; ++i) host->Observe("a", Result(i, 0.1 * i, i));
  gate_.Open();
  host->Ask("a", AskFor(5, kLong), {});
  answers_.Await(1);
  EXPECT_EQ(answers_.Last().basis.history_prefix, 5);
  EXPECT_EQ(answers_.Last().basis.warm_start_prefix, 1);
  EXPECT_EQ(slow_.fits, 2);
}

TEST_F(HostFitsTest, AnAnswerThatWasPreparedIsGivenForTheSameQuestionOnly) {
  auto host = MakeHost(2);
  absl::Notification prepared;
  quick_.on_suggest = [&](strategies::StopToken) {
    if (!prepared.HasBeenNotified()) prepared.Notify();
  };
  const std::vector<strategies::PendingTrial> pending = {{3, {{"x", 0.25}}}};
  host->Build("a", Spec("quick"), {Result(1, 0.5, 1), Result(2, 0.6, 2)});
  // Whether the strategy has a model is known once it has begun a fit.
  while (!host->WantsExpectations("a")) {
  }
  host->Expect("a", {3, 1}, pending);
  prepared.WaitForNotification();
  host->Ask("a", AskFor(3, absl::Milliseconds(200)), pending);
  answers_.Await(1);
  EXPECT_EQ(quick_.suggests, 1) << "the prepared answer is given";
  const core::Proposed ahead = answers_.Last();
  EXPECT_EQ(ahead.basis.kind, Kind::kFresh);

  // The same without preparation.
  host->Build("a", Spec("quick"), {Result(1, 0.5, 1), Result(2, 0.6, 2)});
  host->Ask("a", AskFor(3, kLong), pending);
  answers_.Await(2);
  EXPECT_EQ(quick_.suggests, 2);
  EXPECT_EQ(answers_.Last().proposals[0].parameters, ahead.proposals[0].parameters);

  // Another pending set.
  host->Expect("a", {4, 1}, pending);
  host->Ask("a", AskFor(4, kLong), {});
  answers_.Await(3);
  EXPECT_TRUE(answers_.Last().basis.pending_trials.empty());

  // A result in between.
  host->Expect("a", {5, 1}, {});
  host->Observe("a", Result(3, 0.25, 3));
  host->Ask("a", AskFor(5, kLong), {});
  answers_.Await(4);
  EXPECT_EQ(answers_.Last().basis.known_prefix, 3);
}

TEST_F(HostFitsTest, TheNumberOfThreadsChangesNoSuggestion) {
  std::vector<std::vector<core::ParameterMap>> points;
  for (const int threads : {0, 1, 4}) {
    Answers answers;
    StrategyHostOptions options = answers.Options(threads);
    options.make = [this](const core::JobSpec& spec) -> absl::StatusOr<std::unique_ptr<strategies::Strategy>> {
      return MakeScriptedStrategy(&quick_, spec);
    };
    auto host = MakeStrategyHost(std::move(options), answers.Callback());
    host->Build("a", Spec("quick"), {});
    points.emplace_back();
    for (int i = 0; i < 20; ++i) {
      host->Ask("a", {i, 1, absl::InfiniteFuture()}, {});
      answers.Await(static_cast<size_t>(i) + 1);
      points.back().push_back(answers.Last().proposals[0].parameters);
      strategies::Finished result = Result(i + 1, 0, 1.0 / (i + 1));
      result.trial.parameters = points.back().back();
      host->Observe("a", result);
      if (host->WantsExpectations("a")) host->Expect("a", {i + 1, 1}, {});
    }
  }
  EXPECT_EQ(points[0], points[1]);
  EXPECT_EQ(points[0], points[2]);
}

TEST_F(HostFitsTest, ShutdownAndDropDoNotWaitForAFit) {
  auto host = MakeHost(2);
  host->Build("a", Spec("slow"), {Result(1, 0.5, 1)});
  host->Build("b", Spec("slow"), {Result(1, 0.5, 1)});
  gate_.AwaitSomebody();
  host->Ask("a", AskFor(1, kLong), {});
  host->Drop("a");
  host->Shutdown();
  EXPECT_EQ(answers_.count(), 0u);
}

TEST_F(HostFitsTest, WithoutThreadsAFitThatIsDueComesBeforeTheAsk) {
  auto host = MakeHost(0);
  host->Build("a", Spec("quick"), {Result(1, 0.5, 1)});
  host->Observe("a", Result(2, 0.5, 1));
  host->Ask("a", AskFor(2, absl::Milliseconds(200)), {});
  ASSERT_EQ(answers_.count(), 1u);
  EXPECT_EQ(answers_.Last().basis.history_prefix, 2);
}

}  // namespace
}  // namespace tuner::engine
