// The engine with its own threads and strategies whose fits take long.
#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "core/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/storage.h"
#include "tests/engine/await_reply.h"
#include "tests/engine/scripted_strategy.h"
#include "tuner/engine/engine.h"
#include "tuner/engine/replay.h"

namespace tuner::engine {
namespace {

using Kind = core::Basis::Kind;
using ::testing::SizeIs;

// Jobs are run by external workers; one named "slow..." has a strategy whose fits last until they are let go.
class EngineFitsTest : public ::testing::Test {
 protected:
  EngineFitsTest() : storage_(*storage::OpenStorage("memory:")) {
    slow_.on_fit = [this](strategies::StopToken stop) {
      while (held_ && !*stop) absl::SleepFor(absl::Milliseconds(1));  // a stop token wakes nobody
    };
    Boot();
  }
  ~EngineFitsTest() override {
    held_ = false;
    engine_->Shutdown();
  }

  static core::JobSpec SpecOf(const core::JobHeader& header) {
    core::JobSpec spec;
    spec.name = header.job_id;
    spec.objective = {"loss", core::Goal::kMinimize, std::nullopt};
    spec.space = tuner::testing::ScriptedSpace();
    spec.trial.executors.push_back({{"external", ""}, std::nullopt, absl::Hours(1)});
    return spec;
  }

  void Boot() {
    if (engine_ != nullptr) engine_->Shutdown();
    engine_.reset();
    EngineEnvironment environment;
    environment.storage = storage_.get();
    environment.clock = clock_.get();
    environment.parse_spec = [](const core::JobHeader& header) -> absl::StatusOr<core::JobSpec> {
      return SpecOf(header);
    };
    environment.make_strategy = make_;
    EngineOptions options;
    options.server_id = "test";
    engine_ = MakeEngine(options, std::move(environment));
    ASSERT_TRUE(engine_->Start({}).ok());
  }

  void Create(const std::string& job_id) {
    core::JobHeader header;
    header.job_id = job_id;
    header.uid = "uid-" + job_id;
    header.limits.max_parallel_trials = 8;
    ASSERT_TRUE(AwaitReply([&](ReplyCallback done) { engine_->CreateJob(header, {}, std::move(done)); }).ok());
  }
  core::Trial Ask(const std::string& job_id, const std::string& worker, absl::Duration deadline) {
    const absl::StatusOr<Reply> reply = AwaitReply([&](ReplyCallback done) {
      engine_->Post(job_id, core::SuggestAsked{worker, 1, "", deadline}, std::move(done));
    });
    EXPECT_TRUE(reply.ok()) << reply.status();
    if (!reply.ok() || reply->trials.size() != 1) {
      ADD_FAILURE() << "no trial: " << reply->reason;
      return {};
    }
    return reply->trials.front();
  }
  void Complete(const std::string& job_id, const core::Trial& trial) {
    core::CompletionTold told;
    told.run = {trial.number, 1};
    told.final_metrics["loss"] = 1.0 / trial.number;
    ASSERT_TRUE(AwaitReply([&](ReplyCallback done) { engine_->Post(job_id, told, std::move(done)); }).ok());
  }
  void ExpectReplayed(const std::string& job_id) {
    const storage::LoadedJob job = *storage_->LoadJob(job_id);
    const auto report = Replay(SpecOf(job.record.header), job.trials, make_, nullptr);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->identical, static_cast<int>(job.trials.size()));
  }

  const std::unique_ptr<core::Clock> clock_ = core::MakeSystemClock();
  const std::unique_ptr<storage::Storage> storage_;
  std::atomic<bool> held_{false};
  tuner::testing::Script slow_, quick_;
  const MakeStrategy make_ =
      [this](const core::JobSpec& spec) -> absl::StatusOr<std::unique_ptr<strategies::Strategy>> {
    return tuner::testing::MakeScriptedStrategy(spec.name == "slow" ? &slow_ : &quick_, spec);
  };
  std::unique_ptr<Engine> engine_;
};

TEST_F(EngineFitsTest, AnAskIsAnsweredWithinItsDeadlineWhateverAFitTakes) {
  Create("slow");
  Complete("slow", Ask("slow", "w", absl::Seconds(60)));
  const core::Trial fresh = Ask("slow", "w", absl::Seconds(60));
  EXPECT_EQ(fresh.basis.kind, Kind::kFresh);
  held_ = true;
  Complete("slow", fresh);
  const core::Trial last_fit = Ask("slow", "w", absl::Seconds(2));
  EXPECT_EQ(last_fit.basis.kind, Kind::kLastFit);
  EXPECT_EQ(last_fit.basis.history_prefix, 1);
  EXPECT_EQ(last_fit.basis.known_prefix, 2);
  EXPECT_EQ(storage_->ReadTrial("slow", last_fit.number)->trial.basis.kind, Kind::kLastFit);
  ExpectReplayed("slow");
}

TEST_F(EngineFitsTest, AStrategyThatIsStoppedFallsBack) {
  Create("quick");
  quick_.on_suggest = [](strategies::StopToken stop) {
    while (!*stop) absl::SleepFor(absl::Milliseconds(1));
  };
  EXPECT_EQ(Ask("quick", "w", absl::Seconds(2)).basis.kind, Kind::kFallback);
  ExpectReplayed("quick");
}

TEST_F(EngineFitsTest, AFitDelaysNoOtherJob) {
  held_ = true;
  Create("quick");
  Create("slow");
  for (int i = 0; i < 3; ++i) Complete("slow", Ask("slow", "w", absl::Seconds(1)));
  for (int i = 0; i < 20; ++i) {
    const core::Trial trial = Ask("quick", "w", absl::Seconds(60));
    EXPECT_EQ(trial.basis.kind, Kind::kFresh);
    Complete("quick", trial);
  }
}

TEST_F(EngineFitsTest, EverySuggestionIsRecomputedAfterRestarts) {
  Create("quick");
  for (int round = 0; round < 4; ++round) {
    std::vector<core::Trial> held;
    for (int i = 0; i < 5; ++i) held.push_back(Ask("quick", std::to_string(i), absl::Seconds(60)));
    Boot();
    for (int i = 4; i >= 0; --i) Complete("quick", held[static_cast<size_t>(i)]);
  }
  ASSERT_THAT(storage_->LoadJob("quick")->trials, SizeIs(20));
  ExpectReplayed("quick");
}

}  // namespace
}  // namespace tuner::engine
