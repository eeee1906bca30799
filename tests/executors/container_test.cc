// Container trials on a real engine: what they see, how they end, what is left.
#include "executors/container.h"

#include <poll.h>
#include <unistd.h>

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "executors/container_plan.h"
#include "executors/run_folder.h"
#include "gmock/gmock.h"
#include "tests/executors/container_harness.h"
#include "tests/executors/executor_conformance.h"
#include "tests/executors/fault_proxy.h"
#include "tests/executors/podman_service.h"
#include "tests/executors/process_harness.h"

namespace tuner::executors {
namespace {

using Outcome = RunEnded::Outcome;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

INSTANTIATE_TEST_SUITE_P(Container, ExecutorConformance,
                         testing::Values(ConformanceParam{"container",
                                                          [] { return std::make_unique<ContainerHarness>(); }}),
                         [](const auto& test) { return test.param.name; });

const RunId kRun = {"job", "uid-1", 1, 1};

class ContainerTest : public testing::Test {
 protected:
  ContainerHarness harness_;
};

TEST_F(ContainerTest, BothOutputsAreKeptAndNothingIsLeft) {
  const RunEnded ended = harness_.Run(harness_.ShellSpec(kRun, "echo out; printf 'no end'; echo err >&2"));
  EXPECT_EQ(ended.outcome, Outcome::kSucceeded) << ended.reason;
  EXPECT_EQ(harness_.Output(kRun), "out\nno end");
  EXPECT_EQ(ReadWholeFile(harness_.AttemptDir(kRun) + "/stderr.log"), "err\n");
  EXPECT_TRUE(harness_.AwaitNoContainers());
}

// --- what a trial sees

TEST_F(ContainerTest, SeesTheWholeTrainingContract) {
  ASSERT_TRUE(MakeFolder(harness_.data_dir() + "/channel").ok());
  ASSERT_TRUE(WriteFile(harness_.data_dir() + "/channel/part", "rows").ok());
  ASSERT_TRUE(WriteFile(harness_.data_dir() + "/one.csv", "1,2").ok());
  RunSpec spec = harness_.ShellSpec(kRun, R"sh(
cd /opt/ml
cat input/config/hyperparameters.json; echo
echo "hps $SM_HPS $SM_HP_ETA"
cat input/config/resourceconfig.json; echo
echo "copied $(cat input/data/train/part) $SM_CHANNEL_TRAIN"
echo "bound $(cat input/data/fast/part) $(cat input/data/file/one.csv)"
for f in input/data/train/part input/data/fast/part input/config/x code/x; do (echo x > $f) 2>/dev/null && echo "wrote $f"; done
echo model > $SM_MODEL_DIR/m; echo data > $SM_OUTPUT_DATA_DIR/d; echo ck > checkpoints/c
echo "mine $OWN $TUNER_TRIAL $SM_NUM_CPUS $OMP_NUM_THREADS; code $(ls code); user $(id -u)"
echo "network $(ls /sys/class/net)"
)sh",
                                    [](v1::ContainerExecutor& options) {
                                      options.set_user("1234");
                                      options.set_cpus(1.5);
                                    });
  spec.parameters = {{"eta", 0.25}};
  spec.static_parameters = {{"rounds", int64_t{7}}};
  spec.objective_metric = "loss";
  spec.environment = {{"OWN", "value"}};
  spec.service_environment = {{"TUNER_TRIAL", "tuningJobs/job/trials/1"}};
  core::Channel train, fast, file;
  train.name = "train";
  fast.name = "fast";
  fast.input_mode = file.input_mode = core::Channel::InputMode::kFastFile;
  file.name = "file";
  file.path = harness_.data_dir() + "/one.csv";
  ASSERT_TRUE(MakeFolder(harness_.data_dir() + "/folder").ok());
  ASSERT_TRUE(WriteFile(harness_.data_dir() + "/folder/train.py", "").ok());
  spec.base_dir = harness_.data_dir() + "/folder";
  train.path = fast.path = "../channel";
  spec.inputs = {train, fast, file};
  const RunEnded ended = harness_.Run(spec);
  EXPECT_EQ(ended.outcome, Outcome::kSucceeded) << ended.reason;
  const std::string output = harness_.Output(kRun);
  EXPECT_THAT(output, HasSubstr(R"("eta":"0.25")"));
  EXPECT_THAT(output, HasSubstr(R"("_tuning_objective_metric":"loss")"));
  EXPECT_THAT(output, HasSubstr(R"(hps {"eta":0.25,"rounds":7} 0.25)"));
  EXPECT_THAT(output, HasSubstr(R"("hosts":["algo-1"])"));
  EXPECT_THAT(output, HasSubstr("copied rows /opt/ml/input/data/train\nbound rows 1,2\n"));
  EXPECT_THAT(output, HasSubstr("mine value tuningJobs/job/trials/1 2 2; code train.py; user 1234"));
  EXPECT_THAT(output, HasSubstr("network lo\n"));
  EXPECT_THAT(output, Not(HasSubstr("wrote")));
  EXPECT_EQ(ReadWholeFile(harness_.AttemptDir(kRun) + "/model/m"), "model\n");
  EXPECT_EQ(ReadWholeFile(harness_.AttemptDir(kRun) + "/output/data/d"), "data\n");
  EXPECT_EQ(ReadWholeFile(RunPaths::Of(harness_.data_dir(), kRun).trial + "/checkpoints/c"), "ck\n");
  EXPECT_EQ(ReadWholeFile(harness_.data_dir() + "/channel/part"), "rows");
}

TEST_F(ContainerTest, ACommandIsExpandedAsForProcesses) {
  RunSpec spec = harness_.ShellSpec(kRun, "", [](v1::ContainerExecutor& options) {
    options.clear_entrypoint();
    for (const char* word : {"/bin/sh", "-c", "pwd; echo $0 $@", "train.sh"}) options.add_command(word);
  });
  spec.parameters = {{"eta", 0.5}, {"kind", std::string("a b")}};
  EXPECT_EQ(harness_.Run(spec).outcome, Outcome::kSucceeded);
  EXPECT_EQ(harness_.Output(kRun), "/opt/ml/code\ntrain.sh --eta 0.5 --kind a b\n");
}

TEST_F(ContainerTest, IsToldToTrainWhenNothingElseIsSaid) {
  RunSpec spec = harness_.ShellSpec(kRun, "", [](v1::ContainerExecutor& options) { options.clear_entrypoint(); });
  const RunEnded ended = harness_.Run(spec);
  EXPECT_EQ(ended.outcome, Outcome::kFailed);
  EXPECT_EQ(ended.exit_code, 127);
  EXPECT_THAT(ended.reason, HasSubstr("the program 'train' is not in the image (exit code 127)"));
  EXPECT_TRUE(harness_.AwaitNoContainers());
}

TEST_F(ContainerTest, SecretsReachTheTrialAndNothingElse) {
  const std::string secret = "planted-7f3a";
  ASSERT_TRUE(WriteFile(harness_.data_dir() + "/key", secret + "\n").ok());
  const RunSpec spec = harness_.ShellSpec(
      kRun, "[ ${#API_KEY} = 12 ] && [ \"$(cat /run/secrets/API_KEY)\" = \"$API_KEY\" ] && echo $API_KEY >&2; exit 4",
      [](v1::ContainerExecutor& options) {
        (*options.mutable_secrets())["API_KEY"] = "key";
        options.set_keep_on_failure(true);
      });
  const RunEnded ended = harness_.Run(spec);
  EXPECT_EQ(ended.exit_code, 4);
  EXPECT_THAT(ended.reason, AllOf(HasSubstr("stderr ends with:\n***"), HasSubstr("is kept"), Not(HasSubstr(secret))));
  EXPECT_THAT(spec.options.bytes, Not(HasSubstr(secret)));
  ASSERT_EQ(harness_.Containers().size(), 1u);
  for (const auto& [name, value] : harness_.Containers()[0].labels) EXPECT_THAT(value, Not(HasSubstr(secret)));
  // The trial's own stderr is the only file that holds it, as that is what the trial did.
  const std::string grep = absl::StrCat("grep -rl ", secret, " ", harness_.data_dir(), "/jobs");
  FILE* found = popen(grep.c_str(), "r");
  char line[512] = {};
  std::vector<std::string> files;
  while (fgets(line, sizeof(line), found) != nullptr) files.push_back(line);
  pclose(found);
  EXPECT_THAT(files, ElementsAre(harness_.AttemptDir(kRun) + "/stderr.log\n"));
}

TEST_F(ContainerTest, ASecretThatIsMissingIsRefused) {
  const RunSpec spec = harness_.ShellSpec(
      kRun, "true", [](v1::ContainerExecutor& options) { (*options.mutable_secrets())["API_KEY"] = "nowhere"; });
  const absl::Status refused = harness_.executor().Launch(spec);
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("secrets.API_KEY: cannot read"));
}

// --- how it ends

TEST_F(ContainerTest, AnImageThatIsMissingIsSaidSo) {
  const RunEnded never = harness_.Run(harness_.ShellSpec(
      kRun, "true", [](v1::ContainerExecutor& options) { options.set_image("localhost/nothing:1"); }));
  EXPECT_EQ(never.outcome, Outcome::kFailed);
  EXPECT_THAT(never.reason,
              HasSubstr("the image localhost/nothing:1 is not on this machine, and pull_policy is NEVER"));
  EXPECT_FALSE(harness_.recorder().Get(kRun).started);
  const RunEnded pulled = harness_.Run(harness_.ShellSpec({"job", "uid-1", 2, 1}, "true", [](auto& options) {
    options.set_image("localhost:1/nothing:1");
    options.set_pull_policy(v1::ContainerExecutor::IF_NOT_PRESENT);
  }));
  EXPECT_THAT(pulled.reason, HasSubstr("cannot be pulled: "));
}

TEST_F(ContainerTest, OutOfMemoryIsSaidInPlainWords) {
  const RunEnded ended = harness_.Run(harness_.ShellSpec(
      kRun, "tail /dev/zero", [](v1::ContainerExecutor& options) { options.set_memory_limit_bytes(32 << 20); }));
  EXPECT_EQ(ended.outcome, Outcome::kFailed);
  EXPECT_THAT(ended.reason, AllOf(HasSubstr("out of memory"), HasSubstr("33554432 bytes")));
}

TEST_F(ContainerTest, OutputFailureIsTheReason) {
  const RunEnded ended =
      harness_.Run(harness_.ShellSpec(kRun, "echo noise >&2; echo 'the data is bad' > /opt/ml/output/failure; exit 1"));
  EXPECT_EQ(ended.reason, "AlgorithmError: the data is bad\n (exit code 1)");
}

TEST_F(ContainerTest, ATimeLimitEndsIt) {
  RunSpec spec = harness_.Spec(kRun, Script::kWait);
  spec.time_limit = absl::Milliseconds(300);
  const RunEnded ended = harness_.Run(spec);
  EXPECT_EQ(ended.outcome, Outcome::kTimedOut);
  EXPECT_THAT(ended.reason, HasSubstr("reached its time limit of 300ms"));
}

TEST_F(ContainerTest, AShorterGraceShortensTheStop) {
  const RunSpec spec = harness_.ShellSpec(kRun, "trap '' TERM; echo loss=1; sleep 1000 & wait; sleep 1000");
  ASSERT_TRUE(harness_.executor().Launch(spec).ok());
  ASSERT_TRUE(harness_.recorder().Await(kRun, [](const auto& seen) { return !seen.measurements.empty(); }));
  ASSERT_TRUE(harness_.executor().Stop(kRun, absl::Hours(1)).ok());
  ASSERT_TRUE(harness_.executor().Stop(kRun, absl::Milliseconds(100)).ok());
  const RunEnded ended = harness_.recorder().AwaitEnded(kRun);
  EXPECT_EQ(ended.outcome, Outcome::kStopped);
  EXPECT_THAT(ended.reason, HasSubstr("stopped; killed by signal 9 (SIGKILL)"));
}

TEST_F(ContainerTest, AKilledContainerIsNoSecret) {
  ASSERT_TRUE(harness_.executor().Launch(harness_.Spec(kRun, Script::kWait)).ok());
  ASSERT_TRUE(harness_.recorder().AwaitStarted(kRun));
  ASSERT_TRUE(harness_.engine().Kill(harness_.Containers().at(0).id, "SIGKILL", nullptr).ok());
  const RunEnded ended = harness_.recorder().AwaitEnded(kRun);
  EXPECT_EQ(ended.outcome, Outcome::kFailed);
  EXPECT_THAT(ended.reason, HasSubstr("killed by signal 9 (SIGKILL) from outside"));
}

TEST_F(ContainerTest, ARemovedContainerIsLost) {
  ASSERT_TRUE(harness_.executor().Launch(harness_.Spec(kRun, Script::kWait)).ok());
  ASSERT_TRUE(harness_.recorder().AwaitStarted(kRun));
  ASSERT_TRUE(harness_.engine().Remove(harness_.Containers().at(0).id, nullptr).ok());
  const RunEnded ended = harness_.recorder().AwaitEnded(kRun);
  EXPECT_EQ(ended.outcome, Outcome::kLost);
  EXPECT_THAT(ended.reason, HasSubstr("its container is gone"));
}

TEST_F(ContainerTest, ANameThatIsTakenIsSaidSo) {
  ASSERT_TRUE(harness_.executor().Launch(harness_.Spec(kRun, Script::kWait)).ok());
  ASSERT_TRUE(harness_.recorder().AwaitStarted(kRun));
  const std::string name = harness_.Containers().at(0).name;
  ASSERT_TRUE(harness_.executor().Remove("job", "uid-1").ok());
  ASSERT_TRUE(harness_.AwaitNoContainers());
  const std::string other = R"({"Image":"localhost/busybox:1","Cmd":["true"]})";
  const absl::StatusOr<std::string> id = harness_.engine().Create(name, other, nullptr);
  ASSERT_TRUE(id.ok()) << id.status();
  harness_.Restart();
  const RunEnded ended = harness_.Run(harness_.Spec(kRun, Script::kSucceed));
  EXPECT_EQ(ended.outcome, Outcome::kFailed);
  EXPECT_THAT(ended.reason, HasSubstr("name conflict: another container is called " + name));
  const absl::StatusOr<ContainerState> still = harness_.engine().Inspect(*id, nullptr);
  EXPECT_TRUE(still.ok()) << still.status();
  EXPECT_TRUE(harness_.engine().Remove(*id, nullptr).ok());
}

TEST_F(ContainerTest, AFailedOneIsKeptUntilItsJobIsRemoved) {
  const RunSpec spec = harness_.ShellSpec(kRun, "exit 2", [](auto& options) { options.set_keep_on_failure(true); });
  EXPECT_THAT(harness_.Run(spec).reason, AllOf(HasSubstr("exit code 2"), HasSubstr("is kept")));
  harness_.Restart();  // which removes what is left over
  const RunId other = {"job", "uid-1", 2, 1};
  harness_.Run(harness_.Spec(other, Script::kSucceed));
  EXPECT_TRUE(harness_.AwaitContainers(1));
  ASSERT_TRUE(harness_.executor().Remove("job", "uid-1").ok());
  EXPECT_TRUE(harness_.AwaitNoContainers());
}

// --- when something goes away

TEST_F(ContainerTest, ARestartedServerHasTheWholeOutput) {
  const RunSpec spec = harness_.ShellSpec(
      kRun,
      "for i in 1 2 3; do echo loss=$i; done; while [ ! -e /opt/ml/checkpoints/go ]; do sleep 0.05; done; echo loss=4");
  ASSERT_TRUE(harness_.executor().Launch(spec).ok());
  ASSERT_TRUE(harness_.recorder().Await(kRun, [](const auto& seen) { return seen.measurements.size() == 3; }));
  RunCursor run = {spec, true};
  run.spec.cursor = harness_.recorder().Get(kRun).cursor;
  harness_.Shutdown();
  ASSERT_TRUE(WriteFile(RunPaths::Of(harness_.data_dir(), kRun).trial + "/checkpoints/go", "").ok());
  harness_.Restart();
  ASSERT_TRUE(harness_.executor().Adopt({run}).ok());
  EXPECT_EQ(harness_.recorder().AwaitEnded(kRun).outcome, Outcome::kSucceeded);
  EXPECT_EQ(harness_.Output(kRun), "loss=1\nloss=2\nloss=3\nloss=4\n");
  const RunRecorder::Seen seen = harness_.recorder().Get(kRun);
  ASSERT_EQ(seen.measurements.size(), 1u);
  EXPECT_EQ(seen.measurements[0].step, 4);
  EXPECT_TRUE(harness_.AwaitNoContainers());
}

TEST_F(ContainerTest, RunsOutliveTheirEngine) {
  const std::string script =
      "i=0; while [ $i -lt 100 ]; do echo loss=$i; i=$((i+1)); sleep 0.05; done; cat "
      "/opt/ml/input/config/hyperparameters.json";
  for (int trial = 1; trial <= 3; ++trial) {
    ASSERT_TRUE(harness_.executor().Launch(harness_.ShellSpec({"job", "uid-1", trial, 1}, script)).ok());
  }
  for (int trial = 1; trial <= 3; ++trial) {
    const auto begun = [](const RunRecorder::Seen& seen) { return seen.measurements.size() >= 3; };
    ASSERT_TRUE(harness_.recorder().Await({"job", "uid-1", trial, 1}, begun));
  }
  Engine().Kill();
  // Accepted while there is no engine.
  const RunId later = {"job", "uid-1", 4, 1};
  ASSERT_TRUE(harness_.executor().Launch(harness_.Spec(later, Script::kSucceed)).ok());
  const RunId never = {"job", "uid-1", 5, 1};
  ASSERT_TRUE(harness_.executor().Launch(harness_.Spec(never, Script::kSucceed)).ok());
  ASSERT_TRUE(harness_.executor().Stop(never, absl::Seconds(1)).ok());
  EXPECT_EQ(harness_.recorder().AwaitEnded(never).outcome, Outcome::kStopped);
  Engine().Start();
  for (int trial = 1; trial <= 3; ++trial) {
    const RunId id = {"job", "uid-1", trial, 1};
    const RunEnded ended = harness_.recorder().AwaitEnded(id);
    EXPECT_EQ(ended.outcome, Outcome::kSucceeded) << ended.reason;
    EXPECT_EQ(harness_.recorder().Get(id).measurements.size(), 100u);
    EXPECT_EQ(harness_.recorder().Get(id).ends, 1);
  }
  EXPECT_EQ(harness_.recorder().AwaitEnded(later).outcome, Outcome::kSucceeded);
  EXPECT_EQ(harness_.Starts(later), 1);
  EXPECT_TRUE(harness_.AwaitNoContainers());
}

// The engine's service is killed at another instant of what it was asked for each time.
class KilledEngineTest : public ContainerTest {
 protected:
  static constexpr int kTrials = 16;

  void KillDuring(const std::string& request, int step_ms) {
    FaultProxy proxy(Engine().socket(), 1, {});
    ContainerHarness harness(proxy.socket());
    for (int trial = 1; trial <= kTrials; ++trial) {
      RunId id = {"job", "uid-1", trial, 1};
      SCOPED_TRACE(trial);
      proxy.Watch(request);
      ASSERT_TRUE(harness.executor().Launch(harness.Spec(id, Script::kMetrics)).ok());
      ASSERT_TRUE(proxy.AwaitWatched());
      poll(nullptr, 0, (trial - 1) * step_ms);
      Engine().Kill();
      Engine().Start();
      RunEnded ended = harness.recorder().AwaitEnded(id);
      if (ended.outcome == Outcome::kLost) {
        // Killed between letting the process go and noting that, Podman can neither start it nor say how it ends.
        EXPECT_THAT(ended.reason, HasSubstr("the engine went away while it started the container"));
        EXPECT_LE(harness.Starts(id), 1);
        id.attempt = 2;
        ended = harness.Run(harness.Spec(id, Script::kMetrics));
      }
      EXPECT_EQ(ended.outcome, Outcome::kSucceeded) << ended.reason;
      EXPECT_EQ(harness.Output(id), "loss=0.5\nloss=0.25\nloss=0.125\n");
      EXPECT_EQ(harness.Starts(id), 1);
      EXPECT_EQ(harness.recorder().Get(id).ends, 1);
    }
    EXPECT_TRUE(harness.AwaitNoContainers());
    EXPECT_TRUE(harness.AwaitNoStorage());
  }
};

TEST_F(KilledEngineTest, InTheMiddleOfCreations) { KillDuring("/containers/create?", 6); }

TEST_F(KilledEngineTest, InTheMiddleOfStarts) { KillDuring("/start HTTP", 10); }

TEST_F(ContainerTest, LeftOversOfDeletedJobsGoAtTheStart) {
  ASSERT_TRUE(harness_.executor().Launch(harness_.Spec(kRun, Script::kWait)).ok());
  ASSERT_TRUE(harness_.recorder().AwaitStarted(kRun));
  harness_.Shutdown();
  ASSERT_TRUE(RemoveTree(harness_.data_dir() + "/jobs").ok());
  harness_.Restart();
  EXPECT_TRUE(harness_.AwaitNoContainers());
}

TEST_F(ContainerTest, EachRunEndsOnceThoughAnswersAreCutDelayedAndGarbled) {
  for (const uint64_t seed : {1, 2, 3}) {
    SCOPED_TRACE(seed);
    FaultProxy proxy(Engine().socket(), seed,
                     {.cut = 0.12, .refuse = 0.08, .lose = 0.08, .delay = 0.08, .garble = 0.06});
    ContainerHarness harness(proxy.socket());
    constexpr int kRuns = 8;
    for (int trial = 1; trial <= kRuns; ++trial) {
      ASSERT_TRUE(harness.executor().Launch(harness.Spec({"job", "uid-1", trial, 1}, Script::kMetrics)).ok());
    }
    for (int trial = 1; trial <= kRuns; ++trial) {
      const RunId id = {"job", "uid-1", trial, 1};
      const RunEnded ended = harness.recorder().AwaitEnded(id);
      EXPECT_EQ(ended.outcome, Outcome::kSucceeded) << trial << ": " << ended.reason;
      EXPECT_EQ(harness.recorder().Get(id).measurements.size(), 3u);
      EXPECT_EQ(harness.recorder().Get(id).ends, 1);
      EXPECT_EQ(harness.Starts(id), 1);
      EXPECT_EQ(harness.Output(id), "loss=0.5\nloss=0.25\nloss=0.125\n");
    }
    EXPECT_GT(proxy.faults(), 0);
    proxy.Heal();
    EXPECT_TRUE(harness.AwaitNoContainers());
  }
}

// --- a trial that means harm

TEST_F(ContainerTest, AHostileTrialHarmsNobody) {
  // Writes garbage, a line and a lot that are far beyond its limit, multiplies, and does not end when it is told to.
  const RunSpec hostile = harness_.ShellSpec(kRun, R"sh(
trap '' TERM
ln -s /etc/passwd /opt/ml/output/failure; ln -s / /opt/ml/model/root; ln -s .. /opt/ml/output/data/up
head -c 100000 /dev/urandom
printf 'loss='; head -c 10485760 /dev/zero | tr '\0' '1'; echo
echo loss=7 >&2
mkfifo /tmp/never
until [ -e /opt/ml/checkpoints/go ]; do sleep 0.05; done
(yes 'loss=x' | head -c 1000000000) &
(i=0; while [ $i -lt 300 ]; do (read x < /tmp/never) & i=$((i+1)); done) 2>/dev/null
read x < /tmp/never
)sh",
                                             [](v1::ContainerExecutor& options) {
                                               options.set_pids_limit(100);
                                               options.set_output_limit_bytes(1 << 20);
                                               options.set_memory_limit_bytes(128 << 20);
                                             });
  const RunId other = {"job", "uid-1", 2, 1};
  ASSERT_TRUE(harness_.executor().Launch(hostile).ok());
  ASSERT_TRUE(harness_.recorder().AwaitStarted(kRun));
  ASSERT_TRUE(harness_.executor().Launch(harness_.Spec(other, Script::kMetrics)).ok());
  EXPECT_EQ(harness_.recorder().AwaitEnded(other).outcome, Outcome::kSucceeded);
  ASSERT_TRUE(harness_.recorder().Await(kRun, [](const auto& seen) { return !seen.measurements.empty(); }));
  // The engine's own log is bounded: what is in the flood's way may be lost with it.
  ASSERT_TRUE(WriteFile(RunPaths::Of(harness_.data_dir(), kRun).trial + "/checkpoints/go", "").ok());
  ASSERT_TRUE(harness_.executor().Stop(kRun, absl::Milliseconds(100)).ok());
  const RunEnded ended = harness_.recorder().AwaitEnded(kRun);
  EXPECT_EQ(ended.outcome, Outcome::kStopped) << ended.reason;
  EXPECT_THAT(ended.reason, AllOf(HasSubstr("output beyond its limit was dropped"), Not(HasSubstr("root:"))));
  EXPECT_EQ(harness_.Output(kRun).size(), 1u << 20);
  EXPECT_TRUE(harness_.AwaitNoContainers());
  ASSERT_TRUE(harness_.executor().Remove("job", "uid-1").ok());
  EXPECT_NE(access("/etc/passwd", F_OK), -1);
}

TEST_F(ContainerTest, AFailureThatIsALinkIsNotRead) {
  const RunEnded ended = harness_.Run(harness_.ShellSpec(kRun, "ln -s /etc/passwd /opt/ml/output/failure; exit 1"));
  EXPECT_EQ(ended.reason, "exit code 1");
}

// --- pipes and hosts

TEST_F(ContainerTest, APipeGivesEachEpochTheWholeChannel) {
  ASSERT_TRUE(MakeFolder(harness_.data_dir() + "/channel").ok());
  ASSERT_TRUE(WriteFile(harness_.data_dir() + "/channel/1", std::string(300'000, 'a')).ok());
  ASSERT_TRUE(WriteFile(harness_.data_dir() + "/channel/2", "end\n").ok());
  RunSpec spec =
      harness_.ShellSpec(kRun,
                         "cd /opt/ml/input/data; for e in 0 1 2; do wc -c < train_$e; done; tail -c 4 train_3; "
                         "head -c 5 train_4; wc -c < train_5; grep -o Pipe ../config/inputdataconfig.json",
                         [](v1::ContainerExecutor& options) { options.set_user("1234"); });
  core::Channel train;
  train.name = "train";
  train.path = "channel";
  train.input_mode = core::Channel::InputMode::kPipe;
  spec.inputs = {train};
  const RunEnded ended = harness_.Run(spec);
  EXPECT_EQ(ended.outcome, Outcome::kSucceeded) << ended.reason;
  EXPECT_EQ(harness_.Output(kRun), "300004\n300004\n300004\nend\naaaaa300004\nPipe\n");
}

class HostsTest : public ContainerTest {
 protected:
  RunSpec HostsSpec(const std::string& script, int hosts = 2) {
    return harness_.ShellSpec(kRun, script, [&](v1::ContainerExecutor& options) { options.set_hosts(hosts); });
  }
};

TEST_F(HostsTest, FindEachOtherAndShareAChannel) {
  ASSERT_TRUE(MakeFolder(harness_.data_dir() + "/channel").ok());
  for (const char* part : {"a", "b", "c"}) ASSERT_TRUE(WriteFile(harness_.data_dir() + "/channel/" + part, part).ok());
  RunSpec spec = HostsSpec(R"sh(
if [ $SM_CURRENT_HOST = algo-1 ]; then other=algo-2; else other=algo-1; fi
until ping -c 1 -W 1 $other >/dev/null 2>&1; do sleep 0.1; done
touch /opt/ml/output/$SM_CURRENT_HOST
until [ -e /opt/ml/output/$other ]; do sleep 0.1; done
cd /opt/ml/input
grep -o '"current_host":"[^"]*"' config/resourceconfig.json; grep -o '"hosts":\["algo-1","algo-2"\]' config/resourceconfig.json | head -1
echo "$SM_CURRENT_HOST copied" $(ls data/copied) linked $(cat data/linked/*) hostname $(hostname)
)sh");
  core::Channel copied, linked;
  copied.name = "copied";
  linked.name = "linked";
  copied.path = linked.path = "channel";
  copied.sharded = linked.sharded = true;
  linked.input_mode = core::Channel::InputMode::kFastFile;
  spec.inputs = {copied, linked};
  const RunEnded ended = harness_.Run(spec);
  EXPECT_EQ(ended.outcome, Outcome::kSucceeded) << ended.reason;
  const std::string both = harness_.Output(kRun);
  EXPECT_THAT(both, HasSubstr("algo-1 copied a c linked ac hostname algo-1\n"));
  EXPECT_THAT(both, HasSubstr("algo-2 copied b linked b hostname algo-2\n"));
  EXPECT_EQ(
      ReadWholeFile(harness_.AttemptDir(kRun) + "/hosts/algo-2/stdout.log"),
      "\"current_host\":\"algo-2\"\n\"hosts\":[\"algo-1\",\"algo-2\"]\nalgo-2 copied b linked b hostname algo-2\n");
  EXPECT_TRUE(harness_.AwaitNoContainers());
  EXPECT_TRUE(harness_.AwaitNoNetworks());
}

TEST_F(HostsTest, AllEndWhenOneFails) {
  const RunEnded ended = harness_.Run(HostsSpec(
      "if [ $SM_CURRENT_HOST = algo-2 ]; then echo bad luck >&2; exit 5; fi; trap 'exit 143' TERM; sleep 1000 & wait"));
  EXPECT_EQ(ended.outcome, Outcome::kFailed);
  EXPECT_EQ(ended.exit_code, 5);
  EXPECT_THAT(ended.reason, AllOf(HasSubstr("algo-2: exit code 5"), HasSubstr("bad luck")));
  EXPECT_TRUE(harness_.AwaitNoContainers());
}

TEST_F(HostsTest, MetricsComeFromAllOrFromTheFirst) {
  const std::string script =
      "[ $SM_CURRENT_HOST = algo-2 ] && echo loss=2; [ $SM_CURRENT_HOST = algo-1 ] && echo loss=1; true";
  ASSERT_EQ(harness_.Run(HostsSpec(script)).outcome, Outcome::kSucceeded);
  EXPECT_EQ(harness_.recorder().Get(kRun).measurements.size(), 2u);
  const RunId second = {"job", "uid-1", 2, 1};
  RunSpec spec = harness_.ShellSpec(second, script, [](v1::ContainerExecutor& options) {
    options.set_hosts(2);
    options.set_metrics_from(v1::ContainerExecutor::FIRST_HOST);
  });
  ASSERT_EQ(harness_.Run(spec).outcome, Outcome::kSucceeded);
  const RunRecorder::Seen seen = harness_.recorder().Get(second);
  ASSERT_EQ(seen.measurements.size(), 1u);
  EXPECT_EQ(seen.measurements[0].value, 1);
}

TEST_F(HostsTest, StopEndsAllOfThem) {
  ASSERT_TRUE(harness_.executor().Launch(HostsSpec("trap 'exit 143' TERM; sleep 1000 & wait", 3)).ok());
  ASSERT_TRUE(harness_.recorder().AwaitStarted(kRun));
  EXPECT_EQ(harness_.Containers().size(), 3u);
  ASSERT_TRUE(harness_.executor().Stop(kRun, absl::Seconds(5)).ok());
  EXPECT_EQ(harness_.recorder().AwaitEnded(kRun).outcome, Outcome::kStopped);
  EXPECT_TRUE(harness_.AwaitNoContainers());
}

}  // namespace
}  // namespace tuner::executors
