// `tuner run` with its own server, as a person meets it: to the end, again, with larger limits, changed, and
// interrupted.
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>

#include "gmock/gmock.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "tests/cli/cli_process.h"
#include "tuner/v1/tuning_service.pb.h"

namespace tuner::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A job whose trials run script.sh, where $1 is x.
std::string JobFile(int max_trials, const std::string& more) {
  return "name: small\nobjective: {metric: loss, goal: MINIMIZE}\nparameters:\n- {name: x, double: {min: 0, max: 1}}\n"
         "strategy: {random: {}, random_seed: 3}\nlimits: {max_trials: " +
         std::to_string(max_trials) + ", max_parallel_trials: 2}\n" + more +
         "trial:\n  process: {command: [sh, script.sh, \"{x}\"]}\n  grace_period: 300s\n"
         "  metrics: [{name: loss, regex: \"loss=([0-9.e+-]+)\"}]\n";
}

class RunTest : public ::testing::Test {
 protected:
  void WriteJob(const std::string& script, int max_trials, const std::string& more = "") {
    folder_.Write("script.sh", script);
    folder_.Write("job.yaml", JobFile(max_trials, more));
  }
  Outcome Tuner(const std::vector<std::string>& arguments) { return RunTuner(arguments, folder_.path()); }
  v1::TuningJob Job() {
    v1::TuningJob job;
    const Outcome outcome = Tuner({"show", "small", "--output", "json"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    const auto status = google::protobuf::util::JsonStringToMessage(outcome.out, &job);
    EXPECT_TRUE(status.ok()) << std::string(status.message());
    return job;
  }
  v1::ListTrialsResponse Trials() {
    v1::ListTrialsResponse trials;
    const Outcome outcome = Tuner({"trials", "small", "--output", "json"});
    const auto status = google::protobuf::util::JsonStringToMessage(outcome.out, &trials);
    EXPECT_TRUE(status.ok()) << std::string(status.message());
    return trials;
  }
  // Trials write a line into it when they run; opening it waits for the first.
  void AwaitTrial() {
    std::ifstream fifo(folder_.path() + "/started");
    std::string line;
    std::getline(fifo, line);
    EXPECT_EQ(line, "started");
  }
  void MakeFifo() { ASSERT_EQ(mkfifo((folder_.path() + "/started").c_str(), 0600), 0); }

  TestFolder folder_;
};

TEST_F(RunTest, RunsToTheEndAndPrintsTheSameResultAgain) {
  WriteJob("echo loss=$1", 5);
  const Outcome first = Tuner({"run", "job.yaml"});
  EXPECT_EQ(first.exit_code, 0) << first.err;
  for (const char* part :
       {"[5/5] trial ", "Job small COMPLETED: ", "Best: trial ", "5/5 trials done, 0 failed", "/.tuner/jobs/small/"}) {
    EXPECT_THAT(first.out, HasSubstr(part));
  }
  const Outcome again = Tuner({"run", "job.yaml"});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(again.out, first.out.substr(first.out.find("Job small")));
  EXPECT_EQ(Trials().trials_size(), 5);
}

TEST_F(RunTest, JsonIsTheFinalDocumentOnly) {
  WriteJob("echo loss=$1", 3);
  const Outcome outcome = Tuner({"run", "job.yaml", "--output", "json"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  v1::TuningJob job;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(outcome.out, &job).ok()) << outcome.out;
  EXPECT_EQ(job.trial_counts().completed(), 3);
}

TEST_F(RunTest, LargerLimitsAreApplied) {
  WriteJob("echo loss=$1", 2);
  ASSERT_EQ(Tuner({"run", "job.yaml"}).exit_code, 0);
  WriteJob("echo loss=$1", 4);
  const Outcome more = Tuner({"run", "job.yaml"});
  EXPECT_EQ(more.exit_code, 0) << more.err;
  EXPECT_THAT(more.err, HasSubstr("Raised max_trials from 2 to 4."));
  EXPECT_EQ(Trials().trials_size(), 4);
}

TEST_F(RunTest, AnyOtherChangeIsRefusedWithTheDifference) {
  WriteJob("echo loss=$1", 4);
  ASSERT_EQ(Tuner({"run", "job.yaml"}).exit_code, 0);
  WriteJob("echo loss=$1", 3, "tags: {team: vision}\n");
  const Outcome outcome = Tuner({"run", "job.yaml"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("limits.max_trials: the job has 4, the file says 3"),
                                 HasSubstr("tags.team: the job has nothing, the file says \"vision\"")));
  EXPECT_EQ(Trials().trials_size(), 4);
}

TEST_F(RunTest, AFailedJobIsExitCodeOne) {
  WriteJob("echo no memory >&2; exit 3", 8);
  const Outcome outcome = Tuner({"run", "job.yaml"});
  EXPECT_EQ(outcome.exit_code, 1) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("Job small FAILED"), HasSubstr("No trial has a value of loss")));
}

TEST_F(RunTest, ABadFileNamesEveryProblemAndStoresNothing) {
  folder_.Write(
      "job.yaml",
      "name: small\nobjective: {metric: loss, goal: MINIMIZE}\nparameters:\n- {name: x, double: {min: 2, max: 1}}\n"
      "- {name: y, double: {min: 0, max: 1, scale: LOG}}\nlimits: {max_trials: 0}\ntrial:\n  process: {command: "
      "[sh]}\n");
  const Outcome outcome = Tuner({"run", "job.yaml"});
  EXPECT_EQ(outcome.exit_code, 2);
  for (const char* part :
       {"job.yaml has problems:", "line 4: parameters[0].double", "line 5: parameters[1].double", "limits.max_trials"})
    EXPECT_THAT(outcome.err, HasSubstr(part));
  EXPECT_THAT(outcome.out, IsEmpty());
  EXPECT_EQ(Tuner({"show", "small"}).exit_code, 2);
}

TEST_F(RunTest, CtrlCPutsTrialsBackAndTheNextRunGoesOn) {
  WriteJob("if [ -e go ]; then echo loss=$1; exit 0; fi\necho started > started\nexec sleep 1000", 3);
  MakeFifo();
  RunningTuner running({"run", "job.yaml"}, folder_.path());
  AwaitTrial();
  running.Signal(SIGINT);
  const Outcome outcome = running.Wait();
  EXPECT_EQ(outcome.exit_code, 130) << outcome.err;
  EXPECT_THAT(outcome.out + outcome.err,
              AllOf(HasSubstr("Ctrl-C again kills now"), HasSubstr("`tuner run job.yaml` goes on.")));
  EXPECT_EQ(Job().state(), v1::TuningJob::RUNNING);
  EXPECT_EQ(Job().trial_counts().running() + Job().trial_counts().pending(), 0);

  folder_.Write("go", "");
  const Outcome rest = Tuner({"run", "job.yaml"});
  EXPECT_EQ(rest.exit_code, 0) << rest.err;
  EXPECT_THAT(rest.out, HasSubstr("Going on with job small"));
  const v1::ListTrialsResponse trials = Trials();
  ASSERT_EQ(trials.trials_size(), 3);
  EXPECT_EQ(trials.trials(0).attempts_size(), 2);
  EXPECT_EQ(trials.trials(0).attempts(1).start_reason(), v1::Attempt::PREEMPTION);
}

TEST_F(RunTest, ASecondCtrlCKills) {
  WriteJob("trap '' TERM\necho started > started\nwhile :; do sleep 1000; done", 3);
  MakeFifo();
  RunningTuner running({"run", "job.yaml"}, folder_.path());
  AwaitTrial();
  running.Signal(SIGINT);
  EXPECT_TRUE(running.AwaitText("Interrupted: "));
  running.Signal(SIGINT);
  const Outcome outcome = running.Wait();
  EXPECT_EQ(outcome.exit_code, 130) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("Killing the running trials."));
}

TEST_F(RunTest, OpensAsManyFilesAsItMayAndTrialsAsManyAsTheyWereGiven) {
  struct rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_GT(before.rlim_max, 200u);
  struct rlimit low = before;
  low.rlim_cur = 200;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  // The trial's supervisor, the spawner and the program are its forebears.
  WriteJob(
      "parent() { sed -n 's/^PPid:[^0-9]*//p' /proc/$1/status; }\n"
      "limit() { sed -n 's/^Max open files *\\([0-9]*\\).*/\\1/p' /proc/$1/limits; }\n"
      "echo \"$(limit $$) $(limit $(parent $(parent $(parent $$))))\" > limits; echo loss=1\n",
      2);
  const Outcome outcome = Tuner({"run", "job.yaml"});
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  std::ifstream limits(folder_.path() + "/limits");
  rlim_t trial = 0, program = 0;
  limits >> trial >> program;
  EXPECT_EQ(trial, 200u);
  EXPECT_EQ(program, before.rlim_max);
}

TEST_F(RunTest, OtherShellsSeeARunningJob) {
  WriteJob("echo started > started\nexec sleep 1000", 3);
  MakeFifo();
  RunningTuner running({"run", "job.yaml"}, folder_.path());
  AwaitTrial();
  EXPECT_EQ(Job().state(), v1::TuningJob::RUNNING);
  EXPECT_EQ(Tuner({"delete", "small"}).exit_code, 2);
  EXPECT_EQ(Tuner({"stop", "small", "--reason", "enough"}).exit_code, 0);
  const Outcome outcome = running.Wait();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("Job small STOPPED"), HasSubstr("enough")));
  EXPECT_EQ(Tuner({"delete", "small"}).exit_code, 0);
}

TEST_F(RunTest, ServeIsFoundByItsDataFolderAndEndsOnSigterm) {
  WriteJob("echo loss=$1", 3);
  RunningTuner server({"serve", "--listen", "127.0.0.1:0", "--data", folder_.path() + "/.tuner"}, folder_.path());
  ASSERT_TRUE(server.AwaitText("Serving "));
  EXPECT_EQ(Tuner({"create", "job.yaml"}).exit_code, 0);
  EXPECT_EQ(Tuner({"watch", "small"}).exit_code, 0);
  const Outcome second = Tuner({"serve", "--listen", "127.0.0.1:0", "--data", folder_.path() + "/.tuner"});
  EXPECT_NE(second.exit_code, 0);
  EXPECT_THAT(second.err, HasSubstr("tuner: "));
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait().exit_code, 0);
  EXPECT_EQ(Trials().trials_size(), 3);
}

}  // namespace
}  // namespace tuner::testing
