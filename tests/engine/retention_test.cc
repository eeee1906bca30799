// Artefacts that a job does not keep go, and no others: as it runs, later, after a crash, and not while another job
// reads them.
#include <map>
#include <set>

#include "core/clock.h"
#include "gmock/gmock.h"
#include "storage/memory_storage.h"
#include "tests/executors/fake_executor.h"
#include "tuner/engine/engine.h"

namespace tuner::engine {
namespace {

using core::ArtifactRetention;
using executors::FakeExecutor;
using executors::FakeWorld;
using executors::RunId;
using testing::ElementsAre;
using testing::IsEmpty;
using Policy = ArtifactRetention::Policy;

class RetentionTest : public testing::Test {
 protected:
  void Boot() {
    executor_.reset();
    engine_.reset();
    EngineEnvironment environment;
    environment.storage = storage_.get();
    environment.clock = &clock_;
    environment.parse_spec = [this](const core::JobHeader& header) -> absl::StatusOr<core::JobSpec> {
      return specs_.at(header.job_id);
    };
    environment.service_environment = [](const RunId&) { return absl::btree_map<std::string, std::string>(); };
    EngineOptions options;
    options.server_id = "test";
    options.own_threads = false;
    engine_ = MakeEngine(options, environment);
    executor_ =
        std::make_unique<FakeExecutor>(world_, engine_->listener(), FakeExecutor::Options{.start_on_launch = true});
    ASSERT_TRUE(engine_->Start({{"process", executor_.get()}}).ok());
    Run();
  }
  void Run() {
    while (engine_->RunRound()) {
    }
  }
  // Runs until nothing is due before `time`.
  void RunUntil(absl::Time time) {
    Run();
    while (engine_->NextWake() <= time) {
      clock_.Set(engine_->NextWake());
      Run();
    }
    clock_.Set(time);
    Run();
  }
  void Create(const std::string& job_id, ArtifactRetention rule, int max_trials = 4, const std::string& reads = "") {
    core::JobSpec spec;
    spec.objective = {"loss", core::Goal::kMinimize, std::nullopt};
    core::Parameter x;
    x.name = "x";
    x.domain = core::DoubleDomain{0, 1, core::Scale::kLinear, std::nullopt, std::nullopt};
    spec.space = core::SearchSpace::Make({x});
    spec.strategy.name = "random";
    spec.trial.executors.push_back({{"process", ""}, std::nullopt, std::nullopt});
    spec.trial.retries.max_retries = 1;
    spec.artifacts = rule;
    if (!reads.empty()) spec.trial.inputs.push_back({"parent", "/runs/" + reads + "/1/model", "", reads});
    specs_[job_id] = spec;
    core::JobHeader header;
    header.job_id = job_id;
    header.uid = "uid-" + job_id;
    header.limits.max_trials = max_trials;
    engine_->CreateJob(header, {}, [](absl::StatusOr<Reply> reply) { EXPECT_TRUE(reply.ok()) << reply.status(); });
    Run();
  }
  // The run under way ends with this loss.
  void Succeed(const std::string& job_id, double loss) {
    for (const RunId& id : world_->active()) {
      if (id.job_id != job_id) continue;
      executor_->Metric(id, "loss", loss);
      executor_->Succeed(id);
      return Run();
    }
    FAIL() << "nothing runs";
  }
  // Trials of which all runs' artefacts are gone, as the world and as storage has it.
  std::set<int> Removed(const std::string& job_id) {
    std::map<int, bool> gone;
    for (const executors::RunSpec& spec : world_->launched()) {
      if (spec.id.job_id != job_id) continue;
      const auto [it, first] = gone.emplace(spec.id.trial, true);
      it->second = it->second && world_->Find(spec.id)->removed;
    }
    std::set<int> removed;
    for (const auto& [trial, all] : gone) {
      if (all) removed.insert(trial);
    }
    std::set<int> stored;
    const storage::LoadedJob loaded = *storage_->LoadJob(job_id);
    for (const core::Trial& trial : loaded.trials) {
      bool all = !trial.attempts.empty();
      for (const core::Attempt& attempt : trial.attempts) all &= attempt.artifacts_remove_time.has_value();
      if (all) stored.insert(trial.number);
    }
    EXPECT_EQ(removed, stored);
    return removed;
  }
  core::JobHeader Header(const std::string& job_id) { return storage_->ReadJob(job_id)->header; }

  core::ManualClock clock_{absl::FromUnixSeconds(1'000'000)};
  const std::unique_ptr<storage::Storage> storage_ = storage::MakeMemoryStorage();
  const std::shared_ptr<FakeWorld> world_ = std::make_shared<FakeWorld>();
  std::map<std::string, core::JobSpec> specs_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<FakeExecutor> executor_;
};

TEST_F(RetentionTest, ByDefaultAllIsKept) {
  Boot();
  Create("a", {});
  for (const double loss : {4, 3, 2, 1}) Succeed("a", loss);
  RunUntil(clock_.Now() + absl::Hours(100));
  EXPECT_THAT(Removed("a"), IsEmpty());
}

TEST_F(RetentionTest, TheBestIsKeptAndWhatItBeatsGoesAtOnce) {
  Boot();
  Create("a", {.policy = Policy::kKeepBest});
  Succeed("a", 3);
  EXPECT_THAT(Removed("a"), IsEmpty());
  Succeed("a", 2);
  EXPECT_THAT(Removed("a"), ElementsAre(1));
  Succeed("a", 4);
  EXPECT_THAT(Removed("a"), ElementsAre(1, 3));
  Succeed("a", 2);
  EXPECT_THAT(Removed("a"), ElementsAre(1, 3, 4)) << "of equals the first is the best";
  EXPECT_EQ(Header("a").best_trial, 2);
  EXPECT_FALSE(world_->Find({"a", "uid-a", 1, 1})->logs_removed);
}

TEST_F(RetentionTest, AsManyAreKeptAsWereAskedFor) {
  Boot();
  Create("a", {.policy = Policy::kKeepBest, .best_count = 2, .remove_logs = true});
  for (const double loss : {4, 1, 3, 2}) Succeed("a", loss);
  EXPECT_THAT(Removed("a"), ElementsAre(1, 3));
  EXPECT_TRUE(world_->Find({"a", "uid-a", 1, 1})->logs_removed);
}

TEST_F(RetentionTest, AFailedAttemptThatIsTriedAgainKeepsWhatItHas) {
  Boot();
  Create("a", {.policy = Policy::kKeepSuccessful}, 1);
  executor_->Fail({"a", "uid-a", 1, 1}, "no luck");
  Run();
  EXPECT_FALSE(world_->Find({"a", "uid-a", 1, 1})->removed) << "its checkpoints are for the next attempt";
  RunUntil(clock_.Now() + absl::Seconds(1));
  executor_->Fail({"a", "uid-a", 1, 2}, "no luck again");
  Run();
  EXPECT_THAT(Removed("a"), ElementsAre(1)) << "both attempts'";
}

TEST_F(RetentionTest, AfterATime) {
  Boot();
  Create("a", {.policy = Policy::kKeepBest, .after = absl::Hours(2)});
  for (const double loss : {4, 3, 2, 1}) Succeed("a", loss);
  RunUntil(clock_.Now() + absl::Hours(1));
  EXPECT_THAT(Removed("a"), IsEmpty());
  EXPECT_TRUE(Header("a").next_artifact_removal.has_value());
  RunUntil(clock_.Now() + absl::Hours(1));
  EXPECT_THAT(Removed("a"), ElementsAre(1, 2, 3)) << "the job was not in memory any more";
  EXPECT_FALSE(Header("a").next_artifact_removal.has_value());
}

TEST_F(RetentionTest, TheNextServerGoesOn) {
  Boot();
  Create("a", {.policy = Policy::kKeepBest, .after = absl::Hours(2)});
  for (const double loss : {4, 3, 2, 1}) Succeed("a", loss);
  Boot();
  EXPECT_THAT(Removed("a"), IsEmpty());
  RunUntil(clock_.Now() + absl::Hours(2));
  EXPECT_THAT(Removed("a"), ElementsAre(1, 2, 3));
}

TEST_F(RetentionTest, ARemovalWhoseAnswerWasLostIsDoneAgain) {
  Boot();
  Create("a", {.policy = Policy::kKeepBest}, 2);
  executor_->SetFaults([](FakeExecutor::Call call, const RunId&) {
    return call == FakeExecutor::Call::kRemoveArtifacts ? FakeExecutor::Fault::kLoseAck : FakeExecutor::Fault::kNone;
  });
  for (const double loss : {2, 1}) Succeed("a", loss);
  EXPECT_TRUE(core::IsTerminal(Header("a").status));
  EXPECT_TRUE(Header("a").next_artifact_removal.has_value());
  EXPECT_FALSE(storage_->LoadJob("a")->trials[0].attempts[0].artifacts_remove_time.has_value());
  Boot();  // a crash: nobody remembers that it was done
  RunUntil(clock_.Now() + absl::Minutes(1));
  EXPECT_THAT(Removed("a"), ElementsAre(1));

  Create("b", {.policy = Policy::kKeepBest}, 2);
  executor_->SetFaults([](FakeExecutor::Call call, const RunId&) {
    return call == FakeExecutor::Call::kRemoveArtifacts ? FakeExecutor::Fault::kRefuse : FakeExecutor::Fault::kNone;
  });
  for (const double loss : {2, 1}) Succeed("b", loss);
  RunUntil(clock_.Now() + absl::Minutes(10));
  EXPECT_THAT(Removed("b"), IsEmpty());
  executor_->SetFaults(nullptr);
  RunUntil(clock_.Now() + absl::Minutes(1));
  EXPECT_THAT(Removed("b"), ElementsAre(1)) << "tried again each minute";
}

TEST_F(RetentionTest, WhatARunningJobReadsIsKeptUntilItHasEnded) {
  Boot();
  Create("a", {.policy = Policy::kKeepBest}, 1);
  // The run says where it is: the fake's runs have no folder of their own.
  engine_->listener()->OnRunEvent({{"a", "uid-a", 1, 1}, executors::RunStarted{"here", "/runs/a/1", clock_.Now()}});
  Run();
  Succeed("a", 2);
  Create("reader", {}, 1, "a");
  core::LimitsUpdated more;
  more.limits.max_trials = 2;
  engine_->Post("a", more, nullptr);
  Run();
  Succeed("a", 1);
  RunUntil(clock_.Now() + absl::Minutes(10));
  EXPECT_THAT(Removed("a"), IsEmpty());
  Succeed("reader", 1);
  RunUntil(clock_.Now() + absl::Minutes(1));
  EXPECT_THAT(Removed("a"), ElementsAre(1));
}

}  // namespace
}  // namespace tuner::engine
