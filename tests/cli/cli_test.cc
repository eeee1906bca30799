// The real program as a process, against a service that answers from a table.
#include <filesystem>

#include "gmock/gmock.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "tests/cli/cli_process.h"
#include "tests/cli/fake_service.h"

namespace tuner::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

// One JSON document and nothing else.
google::protobuf::Value Parsed(const std::string& text) {
  google::protobuf::Value value;
  const auto status = google::protobuf::util::JsonStringToMessage(text, &value);
  EXPECT_TRUE(status.ok()) << std::string(status.message()) << "\n" << text;
  return value;
}

class CliTest : public ::testing::Test {
 protected:
  void SetUp() override {
    FillForest(service_, 9);
    service_.log_text = "epoch 1\nloss 0.5\n";
  }
  Outcome Tuner(std::vector<std::string> arguments) {
    if (endpoint_.empty()) endpoint_ = service_.Start(folder_.path());
    return RunTuner(arguments, folder_.path(), {{"TUNER_ENDPOINT", endpoint_}});
  }

  TestFolder folder_;
  FakeService service_;
  std::string endpoint_;
};

TEST_F(CliTest, ListsJobsAsATable) {
  const Outcome outcome = Tuner({"list"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out,
            "JOB     STATE      DONE  ACTIVE  FAILED     BEST  OBJECTIVE      CREATED\n"
            "forest  COMPLETED   9/9       0       1  0.21082  minimize loss  2026-01-01 00:00:00\n");
  EXPECT_THAT(outcome.err, IsEmpty());
}

TEST_F(CliTest, ListsTrialsAsATable) {
  const Outcome outcome = Tuner({"trials", "forest", "--limit", "7"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(
      outcome.out,
      StartsWith("TRIAL  STATE          OBJECTIVE      BEST  TIME  learning_rate  depth  kernel_{x}   bias  REASON\n"));
  EXPECT_THAT(outcome.out, HasSubstr("    7  FAILED                              8.0s"));
  EXPECT_THAT(outcome.out, HasSubstr("exit code 1: \\x1b[31mout of memory\n"));
  EXPECT_THAT(outcome.out, Not(HasSubstr("\x1b")));
  EXPECT_THAT(outcome.err, HasSubstr("There are more than 7"));
}

TEST_F(CliTest, EveryListingIsOneJsonDocument) {
  const std::vector<std::vector<std::string>> commands = {
      {"list"},           {"show", "forest"},  {"trials", "forest"}, {"trials", "forest/3"},
      {"best", "forest"}, {"watch", "forest"}, {"doctor"},           {"export", "forest"},
      {"plot", "forest"}};
  for (std::vector<std::string> command : commands) {
    command.insert(command.end(), {"--output", "json"});
    const Outcome outcome = Tuner(command);
    EXPECT_EQ(outcome.exit_code, 0) << command[0] << outcome.err;
    EXPECT_TRUE(Parsed(outcome.out).has_struct_value()) << command[0];
    EXPECT_THAT(outcome.err, IsEmpty()) << command[0];
  }
  const auto job = Parsed(Tuner({"-o", "json", "show", "forest"}).out).struct_value();
  EXPECT_EQ(job.fields()
                .at("best_trial")
                .struct_value()
                .fields()
                .at("name")
                .string_value()
                .rfind("tuningJobs/forest/trials/", 0),
            0);
  EXPECT_EQ(job.fields().at("state").string_value(), "COMPLETED");
}

TEST_F(CliTest, FiltersAndOrdersAreTheServices) {
  Tuner({"trials", "tuningJobs/forest", "--filter", "objective < 1", "--state", "completed", "--order-by",
         "objective desc"});
  EXPECT_EQ(service_.listed().filter(), "(objective < 1) AND state = COMPLETED");
  EXPECT_EQ(service_.listed().order_by(), "objective desc");
}

TEST_F(CliTest, WatchPrintsALinePerTrialAndTheResult) {
  const Outcome outcome = Tuner({"watch", "forest"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  for (const char* part :
       {"trial 1 COMPLETED  loss ", "trial 7 FAILED", "Job forest COMPLETED: max_trials", "Best: trial ", "Next:"})
    EXPECT_THAT(outcome.out, HasSubstr(part));
  EXPECT_THAT(outcome.out, Not(HasSubstr("\x1b")));
}

TEST_F(CliTest, AFailedJobIsExitCodeOne) {
  service_.jobs["tuningJobs/forest"].set_state(v1::TuningJob::FAILED);
  EXPECT_EQ(Tuner({"watch", "forest", "--quiet"}).exit_code, 1);
}

TEST_F(CliTest, BadInputIsExitCodeTwo) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"show", "nothere"}, "there is no job tuningJobs/nothere"},
      {{"show", "no such name"}, "is not the name of a job"},
      {{"logs", "forest"}, "Write JOB/NUMBER"},
      {{"trials", "forest", "--state", "tired"}, "--state"},
      {{"frobnicate"}, "tuner --help"},
      {{}, "subcommand"},
      {{"list", "--nonsense"}, "--nonsense"},
      {{"list", "--created-after", "yesterday"}, "is not a time"},
      {{"list", "--tag", "team"}, "has no value"},
      {{"validate", "missing.yaml"}, "cannot read the file missing.yaml"},
      {{"report", "forest/1", "loss=high"}, "METRIC=NUMBER"},
      {{"report", "loss=1"}, "which trial?"},
      {{"list", "--endpoint", "nonsense"}, "is not an address"},
      {{"import", "forest", "missing.csv"}, "cannot read the file"},
      {{"plot", "forest", "--out", "x.svg"}, "several are drawn"},
      {{"token", "create"}, "whose token?"},
  };
  for (const auto& [command, sentence] : cases) {
    const Outcome outcome = Tuner(command);
    EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
    EXPECT_THAT(outcome.err, AllOf(StartsWith("tuner: "), HasSubstr(sentence)));
    EXPECT_THAT(outcome.out, IsEmpty());
  }
}

TEST_F(CliTest, AnUnreachableServerIsExitCodeThree) {
  for (const std::string& endpoint : {"unix:" + folder_.path() + "/nobody.sock", std::string("127.0.0.1:1")}) {
    const Outcome outcome = RunTuner({"list", "--endpoint", endpoint}, folder_.path());
    EXPECT_EQ(outcome.exit_code, 3);
    EXPECT_THAT(outcome.err, HasSubstr("nobody answers at " + endpoint));
  }
  const Outcome no_data = RunTuner({"list"}, folder_.path());
  EXPECT_EQ(no_data.exit_code, 3);
  EXPECT_THAT(no_data.err, HasSubstr("there is no server and no data"));
  service_.refusal = {grpc::StatusCode::UNAVAILABLE, "the storage is full; make room."};
  const Outcome unavailable = Tuner({"list"});
  EXPECT_EQ(unavailable.exit_code, 3);
  EXPECT_THAT(unavailable.err, HasSubstr("the storage is full; make room."));
}

TEST_F(CliTest, TheServersSentenceIsPassedOnWhole) {
  service_.refusal = {grpc::StatusCode::INVALID_ARGUMENT,
                      "parameters[0].double.min: is above max.\nlimits.max_trials: must be at least 1."};
  folder_.Write(
      "job.yaml",
      "name: forest\nobjective: {metric: loss, goal: MINIMIZE}\nparameters:\n- {name: x, double: {min: 2, max: 1}}\n");
  const Outcome outcome = Tuner({"create", "job.yaml"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("line 4: parameters[0].double.min: is above max.\n"));
  EXPECT_THAT(outcome.err, HasSubstr("limits.max_trials: must be at least 1.\n"));
  const auto document = Parsed(Tuner({"validate", "job.yaml", "--output", "json"}).out).struct_value();
  EXPECT_FALSE(document.fields().at("valid").bool_value());
  const auto& problems = document.fields().at("problems").list_value();
  ASSERT_EQ(problems.values_size(), 2);
  const auto& first = problems.values(0).struct_value().fields();
  EXPECT_EQ(first.at("path").string_value(), "parameters[0].double.min");
  EXPECT_EQ(first.at("line").number_value(), 4);
}

TEST_F(CliTest, AValidFileShowsItsAdvice) {
  folder_.Write("job.yaml", "name: forest\nobjective: {metric: loss, goal: MINIMIZE}\n");
  const Outcome outcome = Tuner({"validate", "job.yaml"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "advice: parameters[0]: think again.\njob.yaml is valid.\n");
  EXPECT_TRUE(service_.created().validate_only());
  EXPECT_EQ(service_.created().spec().name(), "forest");
  EXPECT_EQ(service_.created().base_dir(), std::filesystem::canonical(folder_.path()).string());
}

TEST_F(CliTest, TokensAreSentAndMissingOnesExplained) {
  service_.required_token = "secret";
  const Outcome without = Tuner({"list"});
  EXPECT_EQ(without.exit_code, 2);
  EXPECT_THAT(without.err, HasSubstr("--token, TUNER_TOKEN"));
  EXPECT_EQ(Tuner({"list", "--token", "secret"}).exit_code, 0);
  EXPECT_EQ(RunTuner({"list"}, folder_.path(), {{"TUNER_ENDPOINT", endpoint_}, {"TUNER_TOKEN", "secret"}}).exit_code,
            0);
  std::filesystem::create_directory(folder_.path() + "/.tuner");
  folder_.Write(".tuner/token", "secret\n");
  EXPECT_EQ(Tuner({"list"}).exit_code, 0);
}

TEST_F(CliTest, ReportLearnsWhetherToStop) {
  Tuner({"list"});
  const Variables inside = {
      {"TUNER_ENDPOINT", endpoint_}, {"TUNER_TRIAL", "tuningJobs/forest/trials/3"}, {"TUNER_ATTEMPT", "2"}};
  EXPECT_EQ(RunTuner({"report", "validation:logloss=0.5", "--step", "3"}, folder_.path(), inside).out, "continue\n");
  EXPECT_EQ(service_.reported().name(), "tuningJobs/forest/trials/3");
  EXPECT_EQ(service_.reported().attempt(), 2);
  EXPECT_EQ(service_.reported().measurements(0).metric(), "validation:logloss");
  EXPECT_EQ(service_.reported().measurements(0).step(), 3);
  EXPECT_EQ(Tuner({"report", "forest/4", "a=1", "b=nan"}).out, "stop: worse than the median at step 3\n");
  EXPECT_EQ(service_.reported().name(), "tuningJobs/forest/trials/4");
  EXPECT_EQ(service_.reported().attempt(), 1);
}

TEST_F(CliTest, ExportAndImportAgree) {
  ASSERT_EQ(Tuner({"export", "forest", "--out", "trials.csv"}).exit_code, 0);
  EXPECT_THAT(folder_.Read("trials.csv"),
              StartsWith("number,state,origin,objective,best_objective,run_seconds,create_time,end_time,reason,"
                         "learning_rate,depth,kernel_{x},bias,accuracy,loss\n"));
  const Outcome imported = Tuner({"import", "forest", "trials.csv"});
  EXPECT_EQ(imported.exit_code, 0) << imported.err;
  EXPECT_EQ(imported.out, "Imported 8 trials into forest.\n");
  EXPECT_EQ(service_.added().trials_size(), 8);
  const std::string first_id = service_.added().request_id();
  Tuner({"import", "forest", "trials.csv"});
  EXPECT_EQ(service_.added().request_id(), first_id);  // so that the same file twice adds nothing
}

TEST_F(CliTest, LogsComeAsTheyAre) { EXPECT_EQ(Tuner({"logs", "forest/1"}).out, "epoch 1\nloss 0.5\n"); }

TEST_F(CliTest, PlotWritesFilesAndNamesThem) {
  const Outcome outcome = Tuner({"plot", "forest", "--out", "pictures"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out,
            "pictures/forest-history.svg\npictures/forest-parallel.svg\npictures/forest-slice.svg\npictures/"
            "forest-curves.svg\n");
  for (const char* kind : {"history", "parallel", "slice", "curves"})
    EXPECT_THAT(folder_.Read(std::string("pictures/forest-") + kind + ".svg"), HasSubstr("</svg>"));
  EXPECT_EQ(Tuner({"plot", "forest", "--kind", "history", "--out", "one.png"}).exit_code, 0);
  EXPECT_THAT(folder_.Read("one.png"), StartsWith("\x89PNG"));
}

TEST_F(CliTest, HelpTeachesEveryVerb) {
  const std::string help = Tuner({"--help"}).out;
  for (const char* verb :
       {"run",      "serve",    "create",     "list",    "show",   "watch",      "trials", "best",    "logs",
        "stop",     "delete",   "clone",      "compare", "export", "import",     "plot",   "suggest", "report",
        "complete", "validate", "strategies", "doctor",  "token",  "completion", "replay"}) {
    EXPECT_THAT(help, HasSubstr(std::string("  ") + verb + " "));
    const Outcome outcome = Tuner({verb, "--help"});
    EXPECT_EQ(outcome.exit_code, 0) << verb;
    EXPECT_THAT(outcome.out, HasSubstr("Example:\n")) << verb;
  }
}

TEST_F(CliTest, CompletionScriptsAreValid) {
  const std::string bash = Tuner({"completion", "bash"}).out;
  const std::string file = folder_.Write("completion.bash", bash);
  EXPECT_EQ(std::system(("bash -n " + file).c_str()), 0);
  const std::string probe =
      "bash -c 'source " + file + "; COMP_WORDS=(tuner tri); COMP_CWORD=1; _tuner; test \"${COMPREPLY[*]}\" = trials'";
  EXPECT_EQ(std::system(probe.c_str()), 0) << bash;
  EXPECT_THAT(Tuner({"completion", "zsh"}).out, AllOf(StartsWith("#compdef tuner"), HasSubstr("'trials:")));
}

}  // namespace
}  // namespace tuner::testing
