// What a server that was killed finds when it comes back. Issue 3, acceptance 2: each attempt started once, none lost.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/process/args.hpp>
#include <boost/process/child.hpp>
#include <boost/process/exe.hpp>
#include <boost/process/io.hpp>
#include <boost/process/pipe.hpp>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "executors/run_folder.h"
#include "gmock/gmock.h"
#include "tests/executors/process_harness.h"

namespace tuner::executors {
namespace {

namespace bp = boost::process;
using Outcome = RunEnded::Outcome;
using testing::HasSubstr;

const RunId kRun = {"job", "uid-1", 1, 1};

class AdoptionTest : public testing::Test {
 protected:
  // A server with runs of `script`, killed after `micros`, or if that is negative when all run.
  void RunServerAndKillIt(int runs, const std::string& script, int micros) {
    bp::ipstream said;
    bp::child server(
        bp::exe = TUNER_CRASHING_SERVER,
        bp::args = {harness_->Context().supervisor_path, harness_->data_dir(), std::to_string(runs), script},
        bp::std_out > said);
    std::string line;
    if (micros < 0) {
      std::getline(said, line);
      EXPECT_EQ(line, "started");
    } else {
      const UniqueFd pidfd = OpenPidfd(server.id());
      struct pollfd fd = {pidfd.get(), POLLIN, 0};
      const struct timespec instant = {0, micros * 1000L};
      ppoll(&fd, 1, &instant, nullptr);
    }
    kill(server.id(), SIGKILL);
    server.wait();
  }
  RunSpec Spec(int trial, const std::string& script) {
    (void)harness_->CommandSpec({"job", "uid-1", trial, 1}, {"true"});  // the harness ends what it has heard of
    return CountedSpec(harness_->data_dir(), {"job", "uid-1", trial, 1}, script);
  }
  static void MakeRunFolder(const RunPaths& paths) {
    ASSERT_TRUE(PrepareJobFolder(paths, "uid-1").ok());
    for (const std::string& folder : {paths.trial, paths.attempt, paths.run}) ASSERT_TRUE(MakeFolder(folder).ok());
  }
  bool Adopt(const RunSpec& spec) {
    const auto adopted = harness_->executor().Adopt({RunCursor{spec, false}});
    EXPECT_TRUE(adopted.ok()) << adopted.status();
    return adopted.ok() && (*adopted)[0];
  }

  std::unique_ptr<ProcessHarness> harness_ = std::make_unique<ProcessHarness>();
};

TEST_F(AdoptionTest, ARunGoesOnAndItsOutputIsCaughtUp) {
  const std::string script = "echo loss=1; read go < fifo; echo loss=2";
  const std::string fifo = harness_->data_dir() + "/fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const std::string whole = absl::StrCat("cd ", harness_->data_dir(), "; ", script);
  RunServerAndKillIt(1, whole, -1);
  ASSERT_TRUE(Adopt(Spec(1, whole)));
  const UniqueFd go(open(fifo.c_str(), O_WRONLY));
  ASSERT_EQ(write(go.get(), "go\n", 3), 3);
  EXPECT_EQ(harness_->recorder().AwaitEnded(kRun).outcome, Outcome::kSucceeded);
  const RunRecorder::Seen seen = harness_->recorder().Get(kRun);
  ASSERT_EQ(seen.measurements.size(), 2u);
  EXPECT_EQ(seen.measurements[1].step, 2);
  EXPECT_EQ(seen.order.front(), "started");
  EXPECT_EQ(harness_->Starts(kRun), 1);
}

TEST_F(AdoptionTest, AnEndWithoutAServerIsRecorded) {
  RunServerAndKillIt(1, "echo loss=1; exit 4", -1);
  // Whether it ended before or after the kill, and before or after this.
  ASSERT_TRUE(Adopt(Spec(1, "")));
  const RunEnded ended = harness_->recorder().AwaitEnded(kRun);
  EXPECT_EQ(ended.outcome, Outcome::kFailed);
  EXPECT_EQ(ended.exit_code, 4);
  EXPECT_EQ(harness_->recorder().Get(kRun).measurements.size(), 1u);
}

TEST_F(AdoptionTest, ATimeLimitHoldsWithoutAServer) {
  RunSpec spec = Spec(1, "exec sleep 1000");
  spec.time_limit = absl::Milliseconds(200);
  ASSERT_TRUE(harness_->executor().Launch(spec).ok());
  ASSERT_TRUE(harness_->recorder().AwaitStarted(kRun));
  harness_->Restart();
  ASSERT_TRUE(Adopt(spec));
  EXPECT_EQ(harness_->recorder().AwaitEnded(kRun).outcome, Outcome::kTimedOut);
}

TEST_F(AdoptionTest, AKilledSupervisorTakesItsTrialAlongAndTheRunIsLost) {
  const RunSpec spec = Spec(1, "echo loss=$$; exec sleep 1000");
  ASSERT_TRUE(harness_->executor().Launch(spec).ok());
  ASSERT_TRUE(harness_->recorder().Await(kRun, [](const auto& seen) { return !seen.measurements.empty(); }));
  const auto child = static_cast<pid_t>(harness_->recorder().Get(kRun).measurements[0].value);
  const UniqueFd child_pidfd = OpenPidfd(child);
  const ClaimView view = LookAtClaim(RunPaths::Of(harness_->data_dir(), kRun));
  ASSERT_EQ(view.state, ClaimState::kActive);
  kill(view.claim->pid, SIGKILL);
  const RunEnded ended = harness_->recorder().AwaitEnded(kRun);
  EXPECT_EQ(ended.outcome, Outcome::kLost);
  EXPECT_THAT(ended.reason, HasSubstr("supervisor"));
  struct pollfd fd = {child_pidfd.get(), POLLIN, 0};
  EXPECT_EQ(poll(&fd, 1, 30'000), 1) << "the trial runs on";

  harness_->Restart();
  ASSERT_TRUE(Adopt(spec));
  EXPECT_EQ(harness_->recorder().AwaitEnded(kRun).outcome, Outcome::kLost);
  // It was started once, so it is not started again.
  EXPECT_TRUE(harness_->executor().Launch(spec).ok());
  EXPECT_EQ(harness_->Starts(kRun), 1);
}

TEST_F(AdoptionTest, ARunOfAnEarlierBootIsLost) {
  const RunSpec spec = Spec(1, "exit 0");
  const RunPaths paths = RunPaths::Of(harness_->data_dir(), kRun);
  MakeRunFolder(paths);
  // The same pid and start time mean nothing after a restart of the machine; nor does an end that was not on the disk
  // yet.
  const records::Claim claim = {getpid(), records::StartTicks(getpid()), "another boot"};
  ASSERT_TRUE(WriteFile(paths.claim, records::Format(claim)).ok());
  ASSERT_TRUE(
      WriteFile(paths.run + "/ended", records::Format(records::Exit{.code = 0, .boot_id = "another boot"})).ok());
  ASSERT_TRUE(Adopt(spec));
  const RunEnded ended = harness_->recorder().AwaitEnded(kRun);
  EXPECT_EQ(ended.outcome, Outcome::kLost);
  EXPECT_THAT(ended.reason, HasSubstr("machine was restarted"));
}

TEST_F(AdoptionTest, ATornClaimNeverStarted) {
  const RunSpec spec = Spec(1, "exit 0");
  const RunPaths paths = RunPaths::Of(harness_->data_dir(), kRun);
  ASSERT_TRUE(PrepareJobFolder(paths, "uid-1").ok());
  ASSERT_TRUE(WriteFile(paths.claim, "pid 1\nstart_ti").ok());
  EXPECT_FALSE(Adopt(spec));
  ASSERT_TRUE(harness_->executor().Launch(spec).ok());
  EXPECT_EQ(harness_->recorder().AwaitEnded(kRun).outcome, Outcome::kSucceeded);
}

TEST_F(AdoptionTest, AWithdrawnLaunchNeverStarts) {
  const RunSpec spec = Spec(1, "exit 0");
  const RunPaths paths = RunPaths::Of(harness_->data_dir(), kRun);
  // A supervisor that comes too late: the next server was told that the run was never accepted.
  MakeRunFolder(paths);
  const records::Launch launch = {
      .command = {"/bin/sh", "-c", absl::StrCat("echo x >> ", harness_->data_dir(), "/starts-1-1")}};
  ASSERT_TRUE(WriteFile(paths.run + "/launch", records::Format(launch)).ok());
  EXPECT_FALSE(Adopt(spec));
  bp::child late(bp::exe = harness_->Context().supervisor_path, bp::args = {paths.attempt});
  late.wait();
  EXPECT_EQ(late.exit_code(), 4);
  EXPECT_EQ(harness_->Starts(kRun), 0);
}

TEST_F(AdoptionTest, ASupervisorThatHasTheLockKeepsItsLaunch) {
  const RunPaths paths = RunPaths::Of(harness_->data_dir(), kRun);
  MakeRunFolder(paths);
  ASSERT_TRUE(WriteFile(paths.run + "/launch", records::Format(records::Launch{.command = {"true"}})).ok());
  {
    const UniqueFd supervisor(open(paths.claim.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    ASSERT_EQ(records::LockClaim(supervisor.get()), 0);  // and has not looked at the launch yet
    EXPECT_EQ(WithdrawLaunch(paths).state, ClaimState::kActive);
    EXPECT_EQ(access((paths.run + "/launch").c_str(), F_OK), 0);
  }
  EXPECT_EQ(WithdrawLaunch(paths).state, ClaimState::kNone);
  EXPECT_NE(access((paths.run + "/launch").c_str(), F_OK), 0);
  EXPECT_EQ(LookAtClaim(paths).state, ClaimState::kNone);
}

TEST_F(AdoptionTest, ASupervisorThatWillFindNothingIsNotFollowed) {
  const RunSpec spec = Spec(1, "exit 0");
  const RunPaths paths = RunPaths::Of(harness_->data_dir(), kRun);
  MakeRunFolder(paths);
  {
    const UniqueFd late(open(paths.claim.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    ASSERT_EQ(records::LockClaim(late.get()), 0);
    EXPECT_FALSE(Adopt(spec));
  }
  ASSERT_TRUE(harness_->executor().Launch(spec).ok());
  EXPECT_EQ(harness_->recorder().AwaitEnded(kRun).outcome, Outcome::kSucceeded);
}

TEST_F(AdoptionTest, TwoServersAtOnceStartARunOnce) {
  RunRecorder other_recorder;
  ExecutorContext context = harness_->Context();
  context.listener = &other_recorder;
  context.spawner_fd = -1;
  const auto other = FindExecutorKind("process")->make(context);
  ASSERT_TRUE(other.ok());
  constexpr int kRuns = 20;
  std::vector<RunSpec> specs;
  for (int trial = 1; trial <= kRuns; ++trial) specs.push_back(Spec(trial, "exit 0"));
  // Made before, as two servers on one store are not what this is about.
  ASSERT_TRUE(PrepareJobFolder(RunPaths::Of(harness_->data_dir(), kRun), "uid-1").ok());
  std::thread rival([&] {
    for (const RunSpec& spec : specs) (void)(*other)->Launch(spec);
  });
  for (const RunSpec& spec : specs) {
    // The rival may be making the same folders; whoever is told UNAVAILABLE asks again, as the engine does.
    absl::Status launched = harness_->executor().Launch(spec);
    for (int again = 0; again < 20 && absl::IsUnavailable(launched); ++again)
      launched = harness_->executor().Launch(spec);
    EXPECT_TRUE(launched.ok()) << launched;
  }
  rival.join();
  for (const RunSpec& spec : specs) {
    EXPECT_EQ(harness_->recorder().AwaitEnded(spec.id).outcome, Outcome::kSucceeded);
    EXPECT_EQ(harness_->Starts(spec.id), 1) << "trial " << spec.id.trial;
  }
}

// Kills a server at random instants while it launches, then does what the engine does: adopts, and launches what was
// never accepted.
TEST_F(AdoptionTest, KilledAtAnyInstantEachRunStartsOnce) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  constexpr int kRuns = 6;
  const std::string script = "echo loss=1; exit 0";
  for (int round = 0; round < 15; ++round) {
    harness_ = std::make_unique<ProcessHarness>();
    RunServerAndKillIt(kRuns, script, static_cast<int>(random() % 60'000));
    std::vector<RunCursor> cursors;
    for (int trial = 1; trial <= kRuns; ++trial) cursors.push_back({Spec(trial, script), false});
    const auto adopted = harness_->executor().Adopt(cursors);
    ASSERT_TRUE(adopted.ok()) << adopted.status();
    for (int i = 0; i < kRuns; ++i) {
      if (!(*adopted)[i]) {
        ASSERT_TRUE(harness_->executor().Launch(cursors[i].spec).ok());
      }
    }
    for (const RunCursor& cursor : cursors) {
      const RunEnded ended = harness_->recorder().AwaitEnded(cursor.spec.id);
      EXPECT_EQ(ended.outcome, Outcome::kSucceeded) << ended.reason;
      EXPECT_EQ(harness_->Starts(cursor.spec.id), 1) << "round " << round << ", trial " << cursor.spec.id.trial;
      EXPECT_EQ(harness_->recorder().Get(cursor.spec.id).measurements.size(), 1u);
    }
  }
}

TEST(SpawnerTest, EndsWithItsServerAndSurvivesItsChildren) {
  absl::StatusOr<SpawnerHandle> spawner = StartSpawner();
  ASSERT_TRUE(spawner.ok());
  for (int i = 0; i < 3; ++i) {
    const auto spawned = SpawnThrough(spawner->fd(), "/bin/echo", "x");
    ASSERT_TRUE(spawned.ok()) << spawned.status();
    struct pollfd fd = {spawned->pidfd.get(), POLLIN, 0};
    EXPECT_EQ(poll(&fd, 1, 30'000), 1);
  }
  EXPECT_EQ(SpawnThrough(spawner->fd(), "/no/such/program", "x").status().code(), absl::StatusCode::kUnavailable);
  const pid_t pid = spawner->pid;
  spawner->socket.Reset();
  EXPECT_EQ(waitpid(pid, nullptr, 0), pid);
}

}  // namespace
}  // namespace tuner::executors
