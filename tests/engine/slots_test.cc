// Slots of an executor that all jobs share: who gets the next one, and how the engine keeps the bound.
#include <map>

#include "core/clock.h"
#include "gmock/gmock.h"
#include "storage/memory_storage.h"
#include "storage/storage.h"
#include "tests/executors/fake_executor.h"
#include "tuner/engine/engine.h"
#include "tuner/engine/slot_sharing.h"

namespace tuner::engine {
namespace {

using executors::FakeExecutor;
using executors::FakeWorld;
using executors::RunId;
using testing::ElementsAre;
using testing::Pair;

absl::Time At(int seconds) { return absl::FromUnixSeconds(seconds); }

TEST(ShareOutTest, TheOneWithTheFewestIsNext) {
  EXPECT_THAT(ShareOut(6, {{.held = 3, .wanted = 5}, {.held = 1, .wanted = 5}}), ElementsAre(0, 2));
  EXPECT_THAT(ShareOut(8, {{.held = 3, .wanted = 5}, {.held = 1, .wanted = 5}}), ElementsAre(1, 3));
}

TEST(ShareOutTest, NobodyGetsMoreThanItWants) {
  EXPECT_THAT(ShareOut(10, {{.wanted = 2}, {.held = 1}, {.wanted = 1}}), ElementsAre(2, 0, 1));
}

TEST(ShareOutTest, OfEqualsTheOneThatWaitedLongestThenTheOlder) {
  EXPECT_THAT(ShareOut(1, {{.wanted = 1, .last_start = At(5)}, {.wanted = 1, .last_start = At(3)}}), ElementsAre(0, 1));
  EXPECT_THAT(ShareOut(1, {{.wanted = 1, .create_time = At(5)}, {.wanted = 1, .create_time = At(3)}}),
              ElementsAre(0, 1));
  EXPECT_THAT(ShareOut(1, {{.wanted = 2, .last_start = At(5)}, {.wanted = 2, .create_time = At(9)}}),
              ElementsAre(0, 1));
}

TEST(ShareOutTest, MoreThanAllMayBeTaken) {  // the bound was lowered
  EXPECT_THAT(ShareOut(2, {{.held = 4}, {.wanted = 1}}), ElementsAre(0, 0));
}

class SlotsTest : public testing::Test {
 protected:
  explicit SlotsTest(int slots = 2) : slots_(slots) { Boot(); }

  void Boot() {
    executor_.reset();
    MakeTheEngine();
    executor_ =
        std::make_unique<FakeExecutor>(world_, engine_->listener(), FakeExecutor::Options{.start_on_launch = true});
    ASSERT_TRUE(engine_->Start({{"process", executor_.get()}}).ok());
    Run();
  }
  void MakeTheEngine() {
    engine_.reset();
    EngineEnvironment environment;
    environment.storage = storage_.get();
    environment.clock = &clock_;
    environment.parse_spec = [](const core::JobHeader&) -> absl::StatusOr<core::JobSpec> {
      core::JobSpec spec;
      spec.objective = {"loss", core::Goal::kMinimize, std::nullopt};
      core::Parameter x;
      x.name = "x";
      x.domain = core::DoubleDomain{0, 1, core::Scale::kLinear, std::nullopt, std::nullopt};
      spec.space = core::SearchSpace::Make({x});
      spec.strategy.name = "random";
      spec.trial.executors.push_back({{"process", ""}, std::nullopt, std::nullopt});
      return spec;
    };
    environment.service_environment = [](const RunId&) { return absl::btree_map<std::string, std::string>(); };
    EngineOptions options;
    options.server_id = "test";
    options.own_threads = false;
    options.executor_slots = {{"process", slots_}};
    engine_ = MakeEngine(options, environment);
  }
  void Run() {
    while (engine_->RunRound()) {
      EXPECT_LE(static_cast<int>(world_->active().size()), slots_);
    }
  }
  void Create(const std::string& job_id, int max_trials, int parallel) {
    clock_.Advance(absl::Seconds(1));
    core::JobHeader header;
    header.job_id = job_id;
    header.uid = "uid-" + job_id;
    header.limits.max_trials = max_trials;
    header.limits.max_parallel_trials = parallel;
    engine_->CreateJob(header, {}, [](absl::StatusOr<Reply> reply) { EXPECT_TRUE(reply.ok()) << reply.status(); });
    Run();
  }
  // Ends the oldest run, or the oldest of a job.
  std::string EndOne(const std::string& job_id = "") {
    clock_.Advance(absl::Seconds(1));
    for (const RunId& id : world_->active()) {
      if (!job_id.empty() && id.job_id != job_id) continue;
      executor_->Metric(id, "loss", 1);
      executor_->Succeed(id);
      Run();
      return id.job_id;
    }
    return "";
  }
  std::map<std::string, int> Running() {
    std::map<std::string, int> running;
    for (const RunId& id : world_->active()) ++running[id.job_id];
    return running;
  }
  core::JobHeader Header(const std::string& job_id) { return storage_->ReadJob(job_id)->header; }

  const int slots_;
  core::ManualClock clock_{absl::FromUnixSeconds(1'000'000)};
  const std::unique_ptr<storage::Storage> storage_ = storage::MakeMemoryStorage();
  const std::shared_ptr<FakeWorld> world_ = std::make_shared<FakeWorld>();
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<FakeExecutor> executor_;
};

TEST_F(SlotsTest, OneJobMayHaveThemAll) {
  Create("a", 5, 4);
  EXPECT_THAT(Running(), ElementsAre(Pair("a", 2)));
  while (!EndOne().empty()) {
  }
  EXPECT_EQ(Header("a").status, core::JobStatus::kCompleted);
  EXPECT_EQ(Header("a").counts[core::TrialState::kCompleted], 5);
}

TEST_F(SlotsTest, ALaterJobGetsItsShare) {
  Create("a", 10, 4);
  Create("b", 10, 4);
  EXPECT_THAT(Running(), ElementsAre(Pair("a", 2)));
  EndOne();
  EXPECT_THAT(Running(), ElementsAre(Pair("a", 1), Pair("b", 1)));
  EndOne("a");
  EXPECT_THAT(Running(), ElementsAre(Pair("a", 1), Pair("b", 1))) << "each keeps its own";
}

TEST_F(SlotsTest, AWaitingTrialSaysWhatItWaitsForAndIsNotActive) {
  Create("a", 10, 4);
  Create("b", 10, 4);
  const storage::LoadedJob b = *storage_->LoadJob("b");
  ASSERT_EQ(b.trials.size(), 1u) << "one is chosen, not as many as would run";
  EXPECT_EQ(b.trials[0].state, core::TrialState::kQueued);
  EXPECT_EQ(b.trials[0].reason, "waits for one of the server's 2 slots of process");
  EXPECT_TRUE(b.trials[0].attempts.empty());
  EXPECT_EQ(Header("b").counts[core::TrialState::kPending], 0);
  EXPECT_EQ(storage_->LoadJob("a")->trials.size(), 2u) << "with trials of its own that run, none is chosen ahead";
}

TEST_F(SlotsTest, AStoppedJobGivesItsPlaceUp) {
  Create("a", 10, 4);
  Create("b", 10, 4);
  Create("c", 10, 4);
  engine_->Post("b", core::JobStopAsked{}, nullptr);
  Run();
  EXPECT_EQ(Header("b").status, core::JobStatus::kStopped);
  EndOne();
  EXPECT_THAT(Running(), ElementsAre(Pair("a", 1), Pair("c", 1)));
}

TEST_F(SlotsTest, ARunningTrialOfAnEarlierServerCountsFirst) {
  Create("a", 10, 4);
  Create("b", 10, 4);
  for (int i = 0; i < 3; ++i) {
    Boot();
    EXPECT_THAT(Running(), ElementsAre(Pair("a", 2)));
  }
  EndOne();
  Boot();
  EXPECT_THAT(Running(), ElementsAre(Pair("a", 1), Pair("b", 1)));
}

TEST_F(SlotsTest, AJobThatWaitsForItsEngineKeepsItsSlots) {
  Create("a", 10, 4);
  Create("b", 10, 4);
  executor_.reset();
  // The next server cannot adopt the runs of the first job yet.
  class Deaf : public FakeExecutor {
   public:
    using FakeExecutor::FakeExecutor;
    absl::StatusOr<std::vector<bool>> Adopt(absl::Span<const executors::RunCursor> runs) override {
      if (deaf && runs[0].spec.id.job_id == "a") return absl::UnavailableError("down");
      return FakeExecutor::Adopt(runs);
    }
    bool deaf = true;
  };
  MakeTheEngine();
  Deaf deaf(world_, engine_->listener());
  ASSERT_TRUE(engine_->Start({{"process", &deaf}}).ok());
  for (int i = 0; i < 5; ++i) {
    Run();
    clock_.Advance(absl::Seconds(1));
  }
  EXPECT_THAT(Running(), ElementsAre(Pair("a", 2)));
  deaf.deaf = false;
  Run();
  const RunId first = world_->active().front();
  deaf.Metric(first, "loss", 1);
  deaf.Succeed(first);
  Run();
  EXPECT_THAT(Running(), ElementsAre(Pair("a", 1), Pair("b", 1)));
  engine_.reset();
}

class OneSlotTest : public SlotsTest {
 protected:
  OneSlotTest() : SlotsTest(1) {}
};

TEST_F(OneSlotTest, JobsTakeTurns) {
  for (const char* job : {"a", "b", "c"}) Create(job, 3, 2);
  std::vector<std::string> turns;
  for (std::string ended = EndOne(); !ended.empty(); ended = EndOne()) turns.push_back(ended);
  EXPECT_THAT(turns, ElementsAre("a", "b", "c", "a", "b", "c", "a", "b", "c"));
  EXPECT_EQ(Header("c").status, core::JobStatus::kCompleted);
}

TEST_F(OneSlotTest, TurnsSurviveARestart) {
  for (const char* job : {"a", "b", "c"}) Create(job, 2, 2);
  std::vector<std::string> turns;
  for (std::string ended = EndOne(); !ended.empty(); ended = EndOne()) {
    turns.push_back(ended);
    Boot();
  }
  EXPECT_THAT(turns, ElementsAre("a", "b", "c", "a", "b", "c"));
}

TEST_F(OneSlotTest, TheOnlySlotIsNamedAsSuch) {
  Create("a", 2, 1);
  Create("b", 2, 1);
  EXPECT_EQ(storage_->LoadJob("b")->trials[0].reason, "waits for the server's only slot of process");
}

}  // namespace
}  // namespace tuner::engine
