// The engine with its own threads, over real storage and a scripted executor. Histories with faults are
// tests/simulation's.
#include "tuner/engine/engine.h"

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "core/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/storage.h"
#include "tests/engine/await_reply.h"
#include "tests/executors/fake_executor.h"
#include "tests/simulation/crashing_storage.h"

namespace tuner::engine {
namespace {

using executors::FakeExecutor;
using executors::FakeWorld;
using simulation::CrashingStorage;
using testing::HasSubstr;
using testing::SizeIs;

constexpr absl::Duration kLong = absl::Seconds(60);

core::JobSpec MakeSpec(bool external) {
  core::JobSpec spec;
  spec.objective = {"loss", core::Goal::kMinimize, std::nullopt};
  core::Parameter x;
  x.name = "x";
  x.domain = core::DoubleDomain{0, 1, core::Scale::kLinear, std::nullopt, std::nullopt};
  spec.space = core::SearchSpace::Make({x});
  spec.strategy.name = "random";
  if (external) {
    spec.trial.executors.push_back({{"external", ""}, std::nullopt, kLong});
  } else {
    spec.trial.executors.push_back({{"process", ""}, std::nullopt, std::nullopt});
  }
  return spec;
}

core::JobHeader MakeHeader(const std::string& job_id, int max_trials, int parallel) {
  core::JobHeader header;
  header.job_id = job_id;
  header.uid = "uid-" + job_id;
  header.limits.max_trials = max_trials;
  header.limits.max_parallel_trials = parallel;
  return header;
}

class EngineTest : public testing::Test {
 protected:
  EngineTest() : inner_(*storage::OpenStorage("memory:")), storage_(inner_.get()) { Boot(); }
  ~EngineTest() override { engine_->Shutdown(); }

  void Boot() {
    EngineEnvironment environment;
    environment.storage = &storage_;
    environment.clock = clock_.get();
    environment.parse_spec = [](const core::JobHeader& header) -> absl::StatusOr<core::JobSpec> {
      return MakeSpec(header.job_id.front() == 'e');
    };
    environment.service_environment = [](const executors::RunId&) {
      return absl::btree_map<std::string, std::string>();
    };
    EngineOptions options;
    options.server_id = "test";
    engine_ = MakeEngine(options, environment);
    FakeExecutor::Options executor_options;
    executor_options.start_on_launch = true;
    executor_ = std::make_unique<FakeExecutor>(world_, engine_->listener(), executor_options);
    ASSERT_TRUE(engine_->Start({{"process", executor_.get()}}).ok());
  }

  absl::StatusOr<Reply> Create(core::JobHeader header) {
    return AwaitReply([&](ReplyCallback done) { engine_->CreateJob(std::move(header), {}, std::move(done)); });
  }
  absl::StatusOr<Reply> Post(const std::string& job_id, core::EventKind event) {
    return AwaitReply([&](ReplyCallback done) { engine_->Post(job_id, std::move(event), std::move(done)); });
  }
  absl::Status Delete(const std::string& job_id) {
    absl::Notification answered;
    absl::Status answer;
    engine_->DeleteJob(job_id, [&](absl::Status status) {
      answer = std::move(status);
      answered.Notify();
    });
    answered.WaitForNotification();
    return answer;
  }

  // Waits until a commit makes `condition` true.
  void AwaitJob(const std::string& job_id, const std::function<bool()>& condition) {
    absl::Mutex mutex;
    int changes = 0;
    const auto subscription = engine_->Subscribe(job_id, [&](storage::Revision) {
      absl::MutexLock lock(&mutex);
      ++changes;
    });
    int seen = 0;
    while (!condition()) {
      absl::MutexLock lock(&mutex);
      const auto changed = [&] { return changes > seen; };
      ASSERT_TRUE(mutex.AwaitWithTimeout(absl::Condition(&changed), kLong)) << "nothing happened to " << job_id;
      seen = changes;
    }
  }
  core::JobHeader Header(const std::string& job_id) { return inner_->ReadJob(job_id)->header; }

  const std::unique_ptr<core::Clock> clock_ = core::MakeSystemClock();
  std::unique_ptr<storage::Storage> inner_;
  CrashingStorage storage_;
  const std::shared_ptr<FakeWorld> world_ = std::make_shared<FakeWorld>();
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<FakeExecutor> executor_;
};

TEST_F(EngineTest, RunsAJobToItsEnd) {
  ASSERT_TRUE(Create(MakeHeader("p", 3, 2)).ok());
  for (int done = 0; done < 3; ++done) {
    AwaitJob("p", [&] { return !world_->active().empty(); });
    const executors::RunId id = world_->active().front();
    executor_->Metric(id, "loss", 0.5 - 0.1 * done, 1);
    executor_->Succeed(id);
    AwaitJob("p", [&] { return Header("p").counts[core::TrialState::kCompleted] == done + 1; });
  }
  AwaitJob("p", [&] { return core::IsTerminal(Header("p").status); });
  EXPECT_EQ(Header("p").status, core::JobStatus::kCompleted);
  EXPECT_DOUBLE_EQ(*Header("p").best_objective, 0.3);
  EXPECT_THAT(world_->launched(), SizeIs(3));
}

TEST_F(EngineTest, ManyWorkersNeverPassALimit) {
  constexpr int kTrials = 200;
  constexpr int kParallel = 5;
  ASSERT_TRUE(Create(MakeHeader("e", kTrials, kParallel)).ok());
  absl::Mutex mutex;
  std::set<int32_t> mine;
  std::vector<std::thread> workers;
  for (int w = 0; w < 12; ++w) {
    workers.emplace_back([&, w] {
      while (true) {
        absl::StatusOr<Reply> asked = Post("e", core::SuggestAsked{absl::StrCat("w", w), 1, "", absl::Seconds(5)});
        ASSERT_TRUE(asked.ok()) << asked.status();
        if (asked->job_done) return;
        // As of the commit that handed the trials out, so that what others held at that time counts.
        const core::TrialCounts& counts = asked->header.counts;
        EXPECT_LE(counts[core::TrialState::kPending] + counts[core::TrialState::kRunning], kParallel);
        for (const core::Trial& trial : asked->trials) {
          {
            absl::MutexLock lock(&mutex);
            EXPECT_TRUE(mine.insert(trial.number).second) << "trial " << trial.number << " was handed out twice";
          }
          core::CompletionTold told;
          told.run = {trial.number, 1};
          told.final_metrics["loss"] = 1.0 / trial.number;
          EXPECT_TRUE(Post("e", told).ok());
        }
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(mine.size(), kTrials);
  EXPECT_EQ(Header("e").counts[core::TrialState::kCompleted], kTrials);
}

TEST_F(EngineTest, ARefusedCommitPausesTheJobAndLosesNothing) {
  ASSERT_TRUE(Create(MakeHeader("e", 5, 1)).ok());
  std::atomic<bool> refuse{true};
  storage_.plan = [&] { return refuse ? CrashingStorage::Fate::kRefuse : CrashingStorage::Fate::kStore; };
  absl::StatusOr<Reply> asked = Post("e", core::SuggestAsked{"w", 1, "", absl::Seconds(5)});
  EXPECT_TRUE(absl::IsUnavailable(asked.status())) << asked.status();
  EXPECT_THAT(engine_->PausedReason("e"), HasSubstr("cannot go on"));
  refuse = false;
  while (true) {  // the job is loaded again after a second
    asked = Post("e", core::SuggestAsked{"w", 1, "", absl::Seconds(5)});
    if (asked.ok()) break;
    ASSERT_TRUE(absl::IsUnavailable(asked.status())) << asked.status();
  }
  ASSERT_THAT(asked->trials, SizeIs(1));
  EXPECT_EQ(asked->trials[0].number, 1);
  EXPECT_EQ(asked->trials[0].ordinal, 0);
  EXPECT_EQ(engine_->PausedReason("e"), "");
}

TEST_F(EngineTest, AnEndIsAcknowledgedOnlyWhenItIsStored) {
  ASSERT_TRUE(Create(MakeHeader("p", 1, 1)).ok());
  AwaitJob("p", [&] { return !world_->active().empty(); });
  const executors::RunId id = world_->active().front();
  absl::Notification refused, acknowledged;
  std::atomic<bool> refuse{true};
  storage_.plan = [&] {
    if (!refuse) return CrashingStorage::Fate::kStore;
    if (!refused.HasBeenNotified()) refused.Notify();
    return CrashingStorage::Fate::kRefuse;
  };
  core::TrialState stored = core::TrialState::kUnspecified;
  executor_->SetFaults([&](FakeExecutor::Call call, const executors::RunId&) {
    if (call == FakeExecutor::Call::kAcknowledge) {
      stored = inner_->ReadTrial("p", 1)->trial.state;
      acknowledged.Notify();
    }
    return FakeExecutor::Fault::kNone;
  });
  executor_->Fail(id, "no luck");
  refused.WaitForNotification();
  refuse = false;
  ASSERT_TRUE(acknowledged.WaitForNotificationWithTimeout(kLong));
  EXPECT_EQ(stored, core::TrialState::kFailed);
}

TEST_F(EngineTest, ARestartGoesOnWhereTheServerDied) {
  ASSERT_TRUE(Create(MakeHeader("p", 2, 1)).ok());
  AwaitJob("p", [&] { return !world_->active().empty(); });
  const executors::RunId id = world_->active().front();
  engine_->Shutdown();
  executor_.reset();
  engine_.reset();
  Boot();
  executor_->Metric(id, "loss", 0.5, 1);
  AwaitJob("p", [&] { return inner_->ReadTrial("p", 1)->trial.state == core::TrialState::kRunning; });
  executor_->Succeed(id);
  AwaitJob("p", [&] { return Header("p").counts[core::TrialState::kCompleted] == 1; });
  EXPECT_EQ(world_->Find(id)->starts, 1);
  EXPECT_EQ(inner_->ReadTrial("p", 1)->measurements.size(), 1u);
}

TEST_F(EngineTest, CallsHaveTheirErrors) {
  EXPECT_TRUE(absl::IsNotFound(Post("none", core::JobStopAsked{}).status()));
  EXPECT_TRUE(absl::IsNotFound(Delete("none")));
  ASSERT_TRUE(Create(MakeHeader("e", 5, 1)).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(Create(MakeHeader("e", 5, 1)).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(Delete("e")));
  EXPECT_TRUE(absl::IsNotFound(Post("e", core::TrialStopAsked{7, ""}).status()));
  ASSERT_TRUE(Post("e", core::JobStopAsked{"enough"}).ok());
  EXPECT_THAT(Header("e").reason, HasSubstr("enough"));
  EXPECT_TRUE(Delete("e").ok());
  EXPECT_TRUE(absl::IsNotFound(Post("e", core::JobStopAsked{}).status()));
  engine_->Shutdown();
  EXPECT_TRUE(absl::IsUnavailable(Post("e", core::JobStopAsked{}).status()));
}

TEST_F(EngineTest, ADeletedNameCanBeUsedAgain) {
  ASSERT_TRUE(Create(MakeHeader("e", 5, 1)).ok());
  ASSERT_TRUE(Post("e", core::SuggestAsked{"w", 1, "", absl::Seconds(5)}).ok());
  ASSERT_TRUE(Post("e", core::CompletionTold{{1, 1}, "", {{"loss", 1}}, "", ""}).ok());
  ASSERT_TRUE(Post("e", core::JobStopAsked{""}).ok());
  ASSERT_TRUE(Delete("e").ok());
  ASSERT_TRUE(Create(MakeHeader("e", 5, 1)).ok());
  absl::StatusOr<Reply> asked = Post("e", core::SuggestAsked{"w", 1, "", absl::Seconds(5)});
  ASSERT_TRUE(asked.ok());
  EXPECT_EQ(asked->trials[0].number, 1);
}

TEST_F(EngineTest, PreemptionSendsRunningTrialsBackToTheQueue) {
  ASSERT_TRUE(Create(MakeHeader("p", 4, 2)).ok());
  AwaitJob("p", [&] { return Header("p").counts[core::TrialState::kRunning] == 2; });
  engine_->PreemptAll("interrupted");
  AwaitJob("p", [&] { return Header("p").counts[core::TrialState::kQueued] == 2; });
  EXPECT_TRUE(world_->active().empty());
  EXPECT_EQ(Header("p").status, core::JobStatus::kRunning);
}

}  // namespace
}  // namespace tuner::engine
