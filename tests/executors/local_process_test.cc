// Process trials: what they see, how they end, what is recorded.
#include "executors/local_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/notification.h"
#include "executors/run_folder.h"
#include "executors/run_follower.h"
#include "executors/run_watch.h"
#include "executors/spawner.h"
#include "gmock/gmock.h"
#include "tests/executors/executor_conformance.h"
#include "tests/executors/process_harness.h"

namespace tuner::executors {
namespace {

using Outcome = RunEnded::Outcome;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

INSTANTIATE_TEST_SUITE_P(Process, ExecutorConformance,
                         testing::Values(ConformanceParam{"process", [] { return std::make_unique<ProcessHarness>(); }},
                                         ConformanceParam{"process_without_spawner",
                                                          [] {
                                                            return std::make_unique<ProcessHarness>(
                                                                ProcessHarness::Options{.use_spawner = false});
                                                          }}),
                         [](const auto& test) { return test.param.name; });

const RunId kRun = {"job", "uid-1", 1, 1};

class LocalProcessTest : public testing::Test {
 protected:
  // Pids that a trial printed, one on a line, once there are `count` of them.
  std::vector<pid_t> AwaitPids(const RunId& id, size_t count) {
    std::vector<pid_t> pids;
    harness_.recorder().Await(id, [&](const RunRecorder::Seen& seen) { return seen.measurements.size() >= count; });
    for (const core::Measurement& m : harness_.recorder().Get(id).measurements)
      pids.push_back(static_cast<pid_t>(m.value));
    return pids;
  }
  // Waits until the run's supervisor is gone.
  static void AwaitGone(const UniqueFd& supervisor) {
    struct pollfd fd = {supervisor.get(), POLLIN, 0};
    EXPECT_EQ(poll(&fd, 1, 60'000), 1) << "the supervisor stays";
  }
  // Ends a run by Stop, lets `then` happen, and says whether its exit record is there when its supervisor is gone.
  bool WritesExit(const RunId& id, const std::function<void()>& then) {
    EXPECT_TRUE(harness_.executor().Launch(harness_.Spec(id, Script::kWait)).ok());
    EXPECT_TRUE(harness_.recorder().AwaitStarted(id));
    const UniqueFd supervisor = OpenPidfd(LookAtClaim(RunPaths::Of(harness_.data_dir(), id)).claim->pid);
    EXPECT_TRUE(harness_.executor().Stop(id, absl::Seconds(5)).ok());
    EXPECT_EQ(harness_.recorder().AwaitEnded(id).outcome, Outcome::kStopped);
    then();
    AwaitGone(supervisor);
    const std::string run = harness_.AttemptDir(id) + "/run";
    const bool written = access((run + "/exit").c_str(), F_OK) == 0;
    EXPECT_EQ(access((run + "/ended").c_str(), F_OK) == 0, !written);
    return written;
  }

  ProcessHarness harness_;
};

TEST_F(LocalProcessTest, BothOutputsAreKept) {
  harness_.Run(harness_.ShellSpec(kRun, "echo out; echo err >&2"));
  EXPECT_EQ(harness_.Output(kRun), "out\n");
  EXPECT_EQ(ReadWholeFile(harness_.AttemptDir(kRun) + "/stderr.log"), "err\n");
}

TEST_F(LocalProcessTest, AnEndThatNobodyAcknowledgesBecomesDurable) {
  EXPECT_TRUE(WritesExit(kRun, [] {}));
  EXPECT_TRUE(WritesExit({"job", "uid-1", 2, 1}, [this] { harness_.Restart(); }));
}

TEST_F(LocalProcessTest, AnAcknowledgedEndIsNotWrittenASecondTime) {
  // Again, as on a busy machine an acknowledgement may come when the supervisor does not wait for it any more.
  bool written = true;
  for (int trial = 1; trial <= 20 && written; ++trial) {
    const RunId id = {"job", "uid-1", trial, 1};
    written = WritesExit(id, [&] { harness_.executor().Acknowledge(id); });
  }
  EXPECT_FALSE(written);
}

TEST_F(LocalProcessTest, ExitCodeAndLastLinesAreTheReason) {
  const RunEnded ended =
      harness_.Run(harness_.ShellSpec(kRun, "echo first >&2; echo 'ValueError: bad eta' >&2; exit 3"));
  EXPECT_EQ(ended.outcome, Outcome::kFailed);
  EXPECT_EQ(ended.exit_code, 3);
  EXPECT_THAT(ended.reason, AllOf(HasSubstr("exit code 3"), HasSubstr("ValueError: bad eta")));
}

TEST_F(LocalProcessTest, ASignalIsTheReason) {
  const RunEnded ended = harness_.Run(harness_.ShellSpec(kRun, "kill -9 $$"));
  EXPECT_EQ(ended.outcome, Outcome::kFailed);
  EXPECT_EQ(ended.signal, SIGKILL);
  EXPECT_THAT(ended.reason, HasSubstr("signal 9 (SIGKILL); out of memory?"));
}

TEST_F(LocalProcessTest, TheFailureFileIsTheReason) {
  const RunEnded ended = harness_.Run(
      harness_.ShellSpec(kRun, "echo noise >&2; printf 'the data is empty' > $SM_OUTPUT_DIR/failure; exit 1"));
  EXPECT_THAT(ended.reason, AllOf(HasSubstr("AlgorithmError: the data is empty"), Not(HasSubstr("noise"))));
}

TEST_F(LocalProcessTest, AFailureFileThatLeadsElsewhereIsNotRead) {
  const RunEnded ended = harness_.Run(harness_.ShellSpec(kRun, "ln -s /etc/passwd $SM_OUTPUT_DIR/failure; exit 1"));
  EXPECT_THAT(ended.reason, Not(HasSubstr("root")));
  const RunId fifo = {"job", "uid-1", 2, 1};
  EXPECT_EQ(harness_.Run(harness_.ShellSpec(fifo, "mkfifo $SM_OUTPUT_DIR/failure; exit 1")).outcome, Outcome::kFailed);
}

TEST_F(LocalProcessTest, AMissingProgramIsNamed) {
  const RunEnded ended = harness_.Run(harness_.CommandSpec(kRun, {"no-such-program"}));
  EXPECT_EQ(ended.outcome, Outcome::kFailed);
  EXPECT_THAT(ended.reason, HasSubstr("cannot start 'no-such-program': No such file"));
}

TEST_F(LocalProcessTest, AMissingWorkingDirIsRefused) {
  const RunSpec spec =
      harness_.CommandSpec(kRun, {"true"}, [](auto& options) { options.set_working_dir("no/such/folder"); });
  EXPECT_EQ(harness_.executor().Launch(spec).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(LocalProcessTest, ResourcesAreRecorded) {
  // About 40 MiB in a variable and some computing, in a child of the trial's.
  const RunEnded ended = harness_.Run(harness_.ShellSpec(kRun,
                                                         "sh -c 'x=$(head -c 40000000 /dev/zero | tr \"\\0\" x); i=0; "
                                                         "while [ $i -lt 20000 ]; do i=$((i+1)); done'; true"));
  EXPECT_EQ(ended.outcome, Outcome::kSucceeded) << ended.reason;
  EXPECT_GT(ended.use.cpu_time, absl::ZeroDuration());
  EXPECT_GT(ended.use.peak_memory_bytes, 40'000'000);
}

TEST_F(LocalProcessTest, StopLetsAPoliteTrialFinish) {
  ASSERT_TRUE(harness_.executor()
                  .Launch(harness_.ShellSpec(
                      kRun, "trap 'echo loss=7; exit 0' TERM; echo loss=1; while :; do sleep 0.01; done"))
                  .ok());
  AwaitPids(kRun, 1);
  ASSERT_TRUE(harness_.executor().Stop(kRun, absl::Minutes(5)).ok());
  const RunEnded ended = harness_.recorder().AwaitEnded(kRun);
  EXPECT_EQ(ended.outcome, Outcome::kStopped);
  EXPECT_EQ(ended.exit_code, 0);
  EXPECT_EQ(harness_.recorder().Get(kRun).measurements.back().value, 7);
}

TEST_F(LocalProcessTest, StopKillsATrialThatIgnoresIt) {
  ASSERT_TRUE(harness_.executor()
                  .Launch(harness_.ShellSpec(kRun, "trap '' TERM; echo loss=1; while :; do sleep 1; done"))
                  .ok());
  AwaitPids(kRun, 1);
  ASSERT_TRUE(harness_.executor().Stop(kRun, absl::Milliseconds(50)).ok());
  const RunEnded ended = harness_.recorder().AwaitEnded(kRun);
  EXPECT_EQ(ended.outcome, Outcome::kStopped);
  EXPECT_EQ(ended.signal, SIGKILL);
}

TEST_F(LocalProcessTest, AShorterGraceCountsALongerDoesNot) {
  ASSERT_TRUE(harness_.executor()
                  .Launch(harness_.ShellSpec(kRun, "trap '' TERM; echo loss=1; while :; do sleep 1; done"))
                  .ok());
  AwaitPids(kRun, 1);
  ASSERT_TRUE(harness_.executor().Stop(kRun, absl::Hours(1)).ok());
  ASSERT_TRUE(harness_.executor().Stop(kRun, absl::ZeroDuration()).ok());
  EXPECT_EQ(harness_.recorder().AwaitEnded(kRun).signal, SIGKILL);
}

TEST_F(LocalProcessTest, StopEndsDaemonsToo) {
  // A child in the group, one in a session of its own that ignores SIGTERM, and that one's orphan.
  ASSERT_TRUE(harness_.executor()
                  .Launch(harness_.ShellSpec(
                      kRun,
                      "sleep 1000 & echo loss=$!; "
                      "setsid sh -c \"trap '' TERM HUP; (sleep 1001 & echo loss=\\$!); echo loss=\\$\\$; while :; do "
                      "sleep 1; done\" & wait"))
                  .ok());
  const std::vector<pid_t> pids = AwaitPids(kRun, 3);
  ASSERT_EQ(pids.size(), 3u);
  for (const pid_t pid : pids) EXPECT_TRUE(IsRunning(pid)) << pid;
  ASSERT_TRUE(harness_.executor().Stop(kRun, absl::Milliseconds(100)).ok());
  EXPECT_EQ(harness_.recorder().AwaitEnded(kRun).outcome, Outcome::kStopped);
  for (const pid_t pid : pids) EXPECT_FALSE(IsRunning(pid)) << pid;
}

TEST_F(LocalProcessTest, WhatATrialLeavesBehindIsEnded) {
  const RunEnded ended = harness_.Run(harness_.ShellSpec(kRun, "setsid sleep 1000 & echo loss=$!; exit 0"));
  EXPECT_EQ(ended.outcome, Outcome::kSucceeded) << ended.reason;
  for (const pid_t pid : AwaitPids(kRun, 1)) EXPECT_FALSE(IsRunning(pid));
}

TEST_F(LocalProcessTest, TheTimeLimitEndsARun) {
  RunSpec spec = harness_.ShellSpec(kRun, "sleep 1000");
  spec.time_limit = absl::Milliseconds(100);
  const RunEnded ended = harness_.Run(spec);
  EXPECT_EQ(ended.outcome, Outcome::kTimedOut);
  EXPECT_THAT(ended.reason, HasSubstr("time limit of 100ms"));
}

TEST_F(LocalProcessTest, TheMemoryLimitHolds) {
  const auto limit = [](v1::ProcessExecutor& options) { options.set_memory_limit_bytes(64 << 20); };
  const RunEnded ended = harness_.Run(harness_.CommandSpec(
      kRun, {"/bin/sh", "-c", "head -c 500000000 /dev/zero | tail -c 400000000 > /dev/null"}, limit));
  EXPECT_EQ(ended.outcome, Outcome::kFailed);
}

TEST_F(LocalProcessTest, OutputIsBoundedAndTheTrialGoesOn) {
  const RunEnded ended = harness_.Run(
      harness_.CommandSpec(kRun, {"/bin/sh", "-c", "head -c 20000000 /dev/zero; echo done > $SM_MODEL_DIR/m"},
                           [](v1::ProcessExecutor& options) { options.set_output_limit_bytes(100'000); }));
  EXPECT_EQ(ended.outcome, Outcome::kSucceeded);
  EXPECT_THAT(ended.reason, HasSubstr("dropped"));
  EXPECT_LT(harness_.Output(kRun).size(), 101'000u);
  EXPECT_EQ(ReadWholeFile(harness_.AttemptDir(kRun) + "/model/m"), "done\n");
}

TEST_F(LocalProcessTest, GarbageAndLongLinesDoNoHarm) {
  harness_.Run(
      harness_.ShellSpec(kRun,
                         "head -c 3000000 /dev/urandom | tr -d '\\n\\r'; printf '\\nloss=1\\n\\0\\0loss=2\\r'; "
                         "head -c 10000000 /dev/zero | tr '\\0' x; echo loss=99; printf 'loss=3'"));
  std::vector<double> values;
  for (const core::Measurement& m : harness_.recorder().Get(kRun).measurements) values.push_back(m.value);
  EXPECT_THAT(values, ElementsAre(1, 2, 3));
}

TEST_F(LocalProcessTest, NothingOfTheServerIsOpenInATrial) {
  const int leaked = open("/dev/null", O_RDONLY);  // deliberately without O_CLOEXEC
  harness_.Run(harness_.ShellSpec(kRun, "ls /proc/self/fd | wc -l"));
  close(leaked);
  int count = 0;
  ASSERT_TRUE(absl::SimpleAtoi(harness_.Output(kRun), &count));
  EXPECT_EQ(count, 4);  // 0, 1, 2 and the folder that ls reads
}

TEST_F(LocalProcessTest, SignalsHaveTheirDefaultsInATrial) {
  harness_.Run(harness_.ShellSpec(kRun, "grep -E 'SigBlk|SigIgn' /proc/self/status | cut -f2"));
  for (const std::string& mask :
       std::vector<std::string>(absl::StrSplit(harness_.Output(kRun), '\n', absl::SkipEmpty()))) {
    // Signals 32 and 33 are the C library's own; a program can neither see nor set them.
    EXPECT_EQ(std::stoull(mask, nullptr, 16) & ~0x180000000ULL, 0u) << mask;
  }
}

TEST_F(LocalProcessTest, TheServersSettingsStayWithTheServer) {
  setenv("TUNER_TOKEN", "of-the-server", 1);
  harness_.Restart();
  unsetenv("TUNER_TOKEN");
  RunSpec spec = harness_.ShellSpec(kRun, "env | grep -E '^(TUNER_|OMP_|MINE)' | sort");
  spec.environment["MINE"] = "yes";
  spec.service_environment["TUNER_TRIAL"] = "tuningJobs/job/trials/1";
  spec.max_parallel = 1'000;
  harness_.Run(spec);
  EXPECT_EQ(harness_.Output(kRun), "MINE=yes\nOMP_NUM_THREADS=1\nTUNER_TRIAL=tuningJobs/job/trials/1\n");
}

// product.md: a counted step goes on after a checkpoint, and is counted from 1 after a fresh start.
TEST_F(LocalProcessTest, CountedStepsGoOnOnlyAfterACheckpoint) {
  const std::string train = "echo loss=1; echo loss=2; [ {keep} = no ] || touch $SM_CHECKPOINT_DIR/state";
  const auto steps = [&](int32_t trial, int32_t attempt, bool keep, int64_t last_step) {
    RunSpec spec = harness_.ShellSpec({"job", "uid", trial, attempt}, train);
    spec.parameters["keep"] = std::string(keep ? "yes" : "no");
    if (last_step > 0) spec.cursor.last_step["loss"] = last_step;
    harness_.Run(spec);
    std::vector<int64_t> found;
    for (const core::Measurement& m : harness_.recorder().Get(spec.id).measurements) found.push_back(m.step);
    return found;
  };
  EXPECT_THAT(steps(1, 1, /*keep=*/true, 0), testing::ElementsAre(1, 2));
  EXPECT_THAT(steps(1, 2, /*keep=*/true, 2), testing::ElementsAre(3, 4));
  EXPECT_THAT(steps(2, 1, /*keep=*/false, 0), testing::ElementsAre(1, 2));
  EXPECT_THAT(steps(2, 2, /*keep=*/false, 2), testing::ElementsAre(1, 2));
}

TEST_F(LocalProcessTest, CheckpointsOutliveTheAttempt) {
  harness_.Run(harness_.ShellSpec(kRun, "echo 17 > $SM_CHECKPOINT_DIR/epoch; exit 1"));
  const RunId second = {"job", "uid-1", 1, 2};
  harness_.Run(harness_.ShellSpec(second, "cat $SM_CHECKPOINT_DIR/epoch"));
  EXPECT_EQ(harness_.Output(second), "17\n");
}

TEST_F(LocalProcessTest, AJobOfTheSameNameFindsNothingOfTheOneBefore) {
  harness_.Run(harness_.ShellSpec(kRun, "echo 17 > $SM_CHECKPOINT_DIR/epoch"));
  const RunId reborn = {"job", "uid-2", 1, 1};
  EXPECT_EQ(harness_.Run(harness_.ShellSpec(reborn, "cat $SM_CHECKPOINT_DIR/epoch")).outcome, Outcome::kFailed);
}

TEST_F(LocalProcessTest, ArtifactsAreRemovedAndLogsAreKept) {
  const std::string outside = harness_.data_dir() + "/outside";
  ASSERT_EQ(mkdir(outside.c_str(), 0755), 0);
  std::ofstream(outside + "/precious") << "x";
  RunSpec spec = harness_.ShellSpec(
      kRun,
      absl::StrCat("echo model > $SM_MODEL_DIR/m; echo out > $SM_OUTPUT_DATA_DIR/o; echo 17 > "
                   "$SM_CHECKPOINT_DIR/epoch; ln -s ",
                   outside, " $SM_MODEL_DIR/link; mkdir -p $SM_MODEL_DIR/a/b; chmod 0 $SM_MODEL_DIR/a; echo said"));
  ASSERT_EQ(harness_.Run(spec).outcome, Outcome::kSucceeded);
  harness_.executor().Acknowledge(kRun);
  const RunPaths paths = RunPaths::Of(harness_.data_dir(), kRun);
  EXPECT_EQ(access((paths.attempt + "/model/m").c_str(), F_OK), 0);
  ASSERT_TRUE(harness_.executor().RemoveArtifacts(spec, /*with_logs=*/false).ok());
  for (const char* gone : {"/model", "/output", "/input", "/code", "/checkpoints"}) {
    struct stat status;
    EXPECT_EQ(lstat((paths.attempt + gone).c_str(), &status), -1) << gone;
  }
  EXPECT_EQ(access((paths.trial + "/checkpoints").c_str(), F_OK), -1);
  EXPECT_EQ(harness_.Output(kRun), "said\n");
  EXPECT_EQ(ReadWholeFile(outside + "/precious"), "x");
  EXPECT_EQ(LookAtClaim(paths).state, ClaimState::kDead);
  ASSERT_TRUE(harness_.executor().RemoveArtifacts(spec, /*with_logs=*/true).ok());
  EXPECT_EQ(access((paths.attempt + "/stdout.log").c_str(), F_OK), -1);
  EXPECT_EQ(access(paths.run.c_str(), F_OK), 0);
}

TEST_F(LocalProcessTest, CheckpointsInAFolderOfTheUsersAreRemovedWithTheirTrial) {
  const std::string folder = harness_.data_dir() + "/checkpoints";
  ASSERT_EQ(mkdir(folder.c_str(), 0755), 0);
  const auto run = [&](int32_t trial) {
    RunSpec spec = harness_.ShellSpec({"job", "uid-1", trial, 1}, "echo 17 > $SM_CHECKPOINT_DIR/epoch");
    spec.checkpoint_dir = folder;
    harness_.Run(spec);
    return spec;
  };
  const RunSpec first = run(1);
  const RunSpec second = run(2);
  ASSERT_TRUE(harness_.executor().RemoveArtifacts(first, false).ok());
  EXPECT_EQ(access((folder + "/job-uid-1/1").c_str(), F_OK), -1);
  EXPECT_EQ(ReadWholeFile(folder + "/job-uid-1/2/epoch"), "17\n");
  ASSERT_TRUE(harness_.executor().RemoveArtifacts(second, false).ok());
  EXPECT_EQ(access((folder + "/job-uid-1").c_str(), F_OK), -1);
  EXPECT_EQ(access(folder.c_str(), F_OK), 0);
}

TEST_F(LocalProcessTest, WhatALaterJobOfTheSameNameHasStays) {
  const RunSpec first = harness_.ShellSpec(kRun, "true");
  harness_.Run(first);
  const RunId reborn = {"job", "uid-2", 1, 1};
  harness_.Run(harness_.ShellSpec(reborn, "echo model > $SM_MODEL_DIR/m; echo 17 > $SM_CHECKPOINT_DIR/epoch"));
  ASSERT_TRUE(harness_.executor().RemoveArtifacts(first, /*with_logs=*/true).ok());
  EXPECT_EQ(ReadWholeFile(harness_.AttemptDir(reborn) + "/model/m"), "model\n");
  EXPECT_EQ(ReadWholeFile(harness_.AttemptDir(reborn) + "/checkpoints/epoch"), "17\n");
}

TEST_F(LocalProcessTest, NothingIsRemovedOfARunThatGoesOn) {
  const RunSpec spec = harness_.ShellSpec(kRun, "echo model > $SM_MODEL_DIR/m; echo loss=1; exec sleep 1000");
  ASSERT_TRUE(harness_.executor().Launch(spec).ok());
  ASSERT_TRUE(harness_.recorder().Await(kRun, [](const auto& seen) { return !seen.measurements.empty(); }));
  EXPECT_EQ(harness_.executor().RemoveArtifacts(spec, true).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReadWholeFile(harness_.AttemptDir(kRun) + "/model/m"), "model\n");
  ASSERT_TRUE(harness_.executor().Stop(kRun, absl::Seconds(5)).ok());
  harness_.recorder().AwaitEnded(kRun);
}

TEST_F(LocalProcessTest, RemoveStaysInsideOfTheJob) {
  const std::string outside = harness_.data_dir() + "/outside";
  ASSERT_EQ(mkdir(outside.c_str(), 0755), 0);
  std::ofstream(outside + "/precious") << "x";
  harness_.Run(harness_.ShellSpec(kRun, absl::StrCat("ln -s ", outside,
                                                     " $SM_MODEL_DIR/link; mkdir -p $SM_MODEL_DIR/a/b; chmod 0 "
                                                     "$SM_MODEL_DIR/a")));
  ASSERT_TRUE(harness_.executor().Remove("job", "uid-1").ok());
  EXPECT_EQ(access(harness_.AttemptDir(kRun).c_str(), F_OK), -1);
  EXPECT_EQ(ReadWholeFile(outside + "/precious"), "x");
}

TEST_F(LocalProcessTest, GpusAreGivenOnceAndFoundAgain) {
  ProcessHarness harness({.gpus = {2, 5, 7}});
  const auto gpu_spec = [&](int trial, int gpus) {
    RunSpec spec = harness.CommandSpec({"job", "uid-1", trial, 1},
                                       {"/bin/sh", "-c", "echo gpus=$CUDA_VISIBLE_DEVICES; exec sleep 1000"},
                                       [&](v1::ProcessExecutor& options) { options.set_gpus(gpus); });
    spec.metrics = {{.name = "gpus", .regex = "gpus=([0-9])"}};
    return spec;
  };
  // Before it is stopped a trial has to say what it was given.
  const auto await_output = [&](int trial) {
    return harness.recorder().Await({"job", "uid-1", trial, 1},
                                    [](const auto& seen) { return !seen.measurements.empty(); });
  };
  ASSERT_TRUE(harness.executor().Launch(gpu_spec(1, 2)).ok());
  ASSERT_TRUE(harness.recorder().AwaitStarted({"job", "uid-1", 1, 1}));
  ASSERT_TRUE(await_output(1));
  EXPECT_EQ(harness.executor().Launch(gpu_spec(2, 2)).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(harness.executor().Launch(gpu_spec(3, 4)).code(), absl::StatusCode::kInvalidArgument);

  harness.Restart();
  ASSERT_TRUE(harness.executor().Adopt({RunCursor{gpu_spec(1, 2), true}}).ok());
  EXPECT_EQ(harness.executor().Launch(gpu_spec(2, 2)).code(), absl::StatusCode::kResourceExhausted);
  ASSERT_TRUE(harness.executor().Launch(gpu_spec(4, 1)).ok());
  ASSERT_TRUE(await_output(4));
  ASSERT_TRUE(harness.executor().Stop({"job", "uid-1", 1, 1}, absl::ZeroDuration()).ok());
  harness.recorder().AwaitEnded({"job", "uid-1", 1, 1});
  EXPECT_TRUE(harness.executor().Launch(gpu_spec(2, 2)).ok());
  for (const int trial : {2, 4}) {
    ASSERT_TRUE(harness.executor().Stop({"job", "uid-1", trial, 1}, absl::Seconds(5)).ok());
    harness.recorder().AwaitEnded({"job", "uid-1", trial, 1});
  }
  EXPECT_EQ(harness.Output({"job", "uid-1", 1, 1}), "gpus=2,5\n");
  EXPECT_EQ(harness.Output({"job", "uid-1", 4, 1}), "gpus=7\n");
}

// While it lives, this process can open nothing more (EMFILE).
class FullFdTable {
 public:
  FullFdTable() {
    getrlimit(RLIMIT_NOFILE, &before_);
    struct rlimit none = {3, before_.rlim_max};  // stdin, stdout, stderr; poll counts by it, too
    setrlimit(RLIMIT_NOFILE, &none);
  }
  ~FullFdTable() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  struct rlimit before_;
};

TEST_F(LocalProcessTest, WhatCannotBeOpenedIsNotAbsent) {
  RunSpec spec = harness_.ShellSpec(kRun, "echo loss=1");
  ASSERT_EQ(harness_.Run(spec).outcome, Outcome::kSucceeded);
  const RunPaths paths = RunPaths::Of(harness_.data_dir(), kRun);
  const RunId unknown = {"job", "uid-1", 2, 1};
  {
    FullFdTable full;
    EXPECT_EQ(IsFolderOfJob(paths, "uid-1").status().code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(PrepareJobFolder(paths, "uid-2").code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(LookAtClaim(paths).state, ClaimState::kUnknown);
    EXPECT_EQ(ReadExit(paths.run).status().code(), absl::StatusCode::kUnavailable);
    RunSpec other = spec;
    other.id = unknown;
    EXPECT_EQ(harness_.executor().Launch(other).code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(harness_.executor().Remove("job", "uid-1").code(), absl::StatusCode::kUnavailable);
  }
  EXPECT_EQ(harness_.Output(kRun), "loss=1\n");
  EXPECT_NE(LookAtClaim(paths).state, ClaimState::kNone);
}

TEST_F(LocalProcessTest, ARunIsNotLostWhileItsRecordsCannotBeOpened) {
  const RunSpec spec = harness_.ShellSpec(kRun, "echo loss=1");
  ASSERT_EQ(harness_.Run(spec).outcome, Outcome::kSucceeded);
  std::vector<RunEvent> events;
  std::unique_ptr<RunFollower> follower;
  {
    FullFdTable full;
    follower = std::make_unique<RunFollower>(spec, RunPaths::Of(harness_.data_dir(), kRun),
                                             *CompileMetrics(spec.metrics), false, harness_.Context().clock);
    EXPECT_EQ(follower->Advance(false, events), RunFollower::Progress::kAgain);
    EXPECT_TRUE(events.empty());
  }
  EXPECT_EQ(follower->Advance(false, events), RunFollower::Progress::kEnded);
  ASSERT_EQ(events.size(), 3u);  // started, metrics, ended
  EXPECT_EQ(std::get<RunMetrics>(events[1].what).measurements.size(), 1u);
  EXPECT_EQ(std::get<RunEnded>(events[2].what).outcome, Outcome::kSucceeded);
}

TEST_F(LocalProcessTest, ASupervisorThatCannotBeWatchedIsNotAccepted) {
  const RunId first = {"job", "uid-1", 2, 1};
  ASSERT_EQ(harness_.Run(harness_.ShellSpec(first, "true")).outcome, Outcome::kSucceeded);  // the spawner is ready
  // From now on the spawner can start programs, but not open a pidfd. Less than two it could not poll.
  struct rlimit before;
  struct rlimit full = {};
  full.rlim_cur = 2;
  ASSERT_EQ(prlimit(harness_.spawner_pid(), RLIMIT_NOFILE, nullptr, &before), 0);
  full.rlim_max = before.rlim_max;
  ASSERT_EQ(prlimit(harness_.spawner_pid(), RLIMIT_NOFILE, &full, nullptr), 0);
  const RunSpec spec = harness_.ShellSpec(kRun, "true");
  EXPECT_EQ(harness_.executor().Launch(spec).code(), absl::StatusCode::kUnavailable);
  ASSERT_EQ(prlimit(harness_.spawner_pid(), RLIMIT_NOFILE, &before, nullptr), 0);
  EXPECT_EQ(harness_.Run(spec).outcome, Outcome::kSucceeded);
}

TEST_F(LocalProcessTest, ARunIsWatchedUntilItsEndIsNoted) {
  const RunSpec spec = harness_.ShellSpec(kRun, "true");
  ASSERT_EQ(harness_.Run(spec).outcome, Outcome::kSucceeded);
  RunRecorder recorder;
  absl::Notification made;
  RunWatch* seen = nullptr;
  bool watched = false;
  absl::StatusOr<std::unique_ptr<RunWatch>> watch = RunWatch::Make(&recorder, [&](const RunId& id) {
    made.WaitForNotification();
    watched = seen->Watches(id);
  });
  ASSERT_TRUE(watch.ok());
  seen = watch->get();
  made.Notify();
  seen->Add(kRun,
            std::make_unique<RunFollower>(spec, RunPaths::Of(harness_.data_dir(), kRun), nullptr, true,
                                          harness_.Context().clock),
            UniqueFd());
  recorder.AwaitEnded(kRun);
  EXPECT_TRUE(watched);
}

TEST_F(LocalProcessTest, ASupervisorWithoutAFolderIsFoundInPath) {
  const std::string before = getenv("PATH");
  ExecutorContext context = harness_.Context();
  const size_t slash = context.supervisor_path.rfind('/');
  const std::string folder = context.supervisor_path.substr(0, slash);
  context.supervisor_path = context.supervisor_path.substr(slash + 1);
  setenv("PATH", "/no/such/folder:/usr/bin", 1);
  const absl::Status missing = MakeLocalProcessExecutor(context).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(missing.message(), HasSubstr("'tuner-supervisor' in PATH (/no/such/folder:/usr/bin)"));
  setenv("PATH", absl::StrCat("/no/such/folder:", folder).c_str(), 1);
  harness_.Shutdown();
  absl::StatusOr<std::unique_ptr<Executor>> executor = MakeLocalProcessExecutor(context);
  setenv("PATH", before.c_str(), 1);
  ASSERT_TRUE(executor.ok()) << executor.status();
  ASSERT_TRUE((*executor)->Launch(harness_.ShellSpec(kRun, "true")).ok());
  EXPECT_EQ(harness_.recorder().AwaitEnded(kRun).outcome, Outcome::kSucceeded);
}

TEST_F(LocalProcessTest, PathsOutsideOfTheDataFolderAreRefused) {
  for (const char* job : {"../x", "a/b", "", ".", ".."}) {
    RunSpec spec = harness_.ShellSpec(kRun, "true");
    spec.id.job_id = job;
    EXPECT_EQ(harness_.executor().Launch(spec).code(), absl::StatusCode::kInvalidArgument) << job;
  }
}

}  // namespace
}  // namespace tuner::executors
