// From a specification to what a trial is given: command, environment, training contract; and what its end is called.
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "executors/command_template.h"
#include "executors/run_outcome.h"
#include "executors/training_contract.h"
#include "gmock/gmock.h"
#include "tests/executors/process_harness.h"
#include "tuner/v1/executors.pb.h"

namespace tuner::executors {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const core::ParameterMap kTuned = {{"eta", 0.1}, {"booster", std::string("gb tree")}, {"flag", true}};
const core::ParameterMap kFixed = {{"rounds", int64_t{60}}};

TEST(CommandTemplateTest, NamesAreReplaced) {
  EXPECT_THAT(*ExpandCommand({"train", "--lr={eta}", "{booster}", "{flag}{rounds}"}, kTuned, kFixed),
              ElementsAre("train", "--lr=0.1", "gb tree", "true60"));
}

TEST(CommandTemplateTest, DoubleBracesAreBraces) {
  EXPECT_THAT(*ExpandCommand({"{{x}}", "{{{eta}}}"}, kTuned, kFixed), ElementsAre("{x}", "{0.1}"));
}

TEST(CommandTemplateTest, WithoutNamesAllAreAppended) {
  EXPECT_THAT(*ExpandCommand({"train", "{{}}"}, kTuned, kFixed),
              ElementsAre("train", "{}", "--booster", "gb tree", "--eta", "0.1", "--flag", "true", "--rounds", "60"));
}

TEST(CommandTemplateTest, AnInactiveParameterIsNothing) {
  EXPECT_THAT(*ExpandCommand({"train", "--x={child}", "{eta}"}, kTuned, kFixed), ElementsAre("train", "--x=", "0.1"));
}

TEST(CommandTemplateTest, ProblemsAreNamedByArgument) {
  const core::Problems problems = ValidateCommand({"", "{eta", "eta}", "{no}", "{a{b}", "{{ok}}", "{eta}"}, {"eta"});
  std::vector<std::string> paths;
  for (const core::Problem& problem : problems) paths.push_back(problem.path);
  EXPECT_THAT(paths, ElementsAre("command[0]", "command[1]", "command[2]", "command[3]", "command[4]"));
  EXPECT_THAT(ValidateCommand({}, {}), testing::SizeIs(1));
}

class ContractTest : public testing::Test {
 protected:
  ContractTest() {
    root_ = harness_.data_dir() + "/attempt";
    mkdir(root_.c_str(), 0755);
    contract_ = {root_, "/tmp/checkpoints", "/tmp/code", "job-1-1", 3, {4, 6}};
    spec_.id = {"job", "uid", 1, 1};
    spec_.parameters = kTuned;
    spec_.static_parameters = kFixed;
    spec_.objective_metric = "loss";
    spec_.base_dir = harness_.data_dir();
  }
  std::string File(const std::string& name) { return ReadWholeFile(absl::StrCat(root_, "/", name)); }

  ProcessHarness harness_;
  std::string root_;
  Contract contract_;
  RunSpec spec_;
};

TEST_F(ContractTest, FilesAreTheServices) {
  mkdir((harness_.data_dir() + "/folder").c_str(), 0755);
  std::ofstream(harness_.data_dir() + "/folder/part.csv") << "1,2";
  std::ofstream(harness_.data_dir() + "/one.csv") << "3,4";
  spec_.inputs = {{"train", "folder", "text/csv"}, {"test-set", harness_.data_dir() + "/one.csv", ""}};
  ASSERT_TRUE(WriteContract(contract_, spec_).ok());
  EXPECT_EQ(File("input/config/hyperparameters.json"),
            R"({"_tuning_objective_metric":"loss","booster":"gb tree","eta":"0.1","flag":"true","rounds":"60"})");
  EXPECT_THAT(File("input/config/resourceconfig.json"),
              AllOf(HasSubstr(R"("current_host":"algo-1")"), HasSubstr(R"("hosts":["algo-1"])")));
  EXPECT_THAT(File("input/config/inputdataconfig.json"),
              AllOf(HasSubstr(R"("train":{"ContentType":"text/csv")"), HasSubstr(R"("test-set":{)")));
  EXPECT_EQ(File("input/data/train/part.csv"), "1,2");
  EXPECT_EQ(File("input/data/test-set/one.csv"), "3,4");
  struct stat status;
  for (const char* folder : {"model", "output/data"})
    EXPECT_EQ(stat(absl::StrCat(root_, "/", folder).c_str(), &status), 0) << folder;
  // A launch that was cut off is prepared again.
  EXPECT_TRUE(WriteContract(contract_, spec_).ok());
}

TEST_F(ContractTest, AMissingInputIsRefused) {
  spec_.inputs = {{"train", "not-there", ""}};
  const absl::Status written = WriteContract(contract_, spec_);
  EXPECT_EQ(written.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(written.message(), AllOf(HasSubstr("train"), HasSubstr("not-there")));
}

TEST_F(ContractTest, VariablesAreTheServices) {
  spec_.inputs = {{"test-set", "x", ""}};
  absl::btree_map<std::string, std::string> variables = ContractEnvironment(contract_, spec_);
  EXPECT_EQ(variables["SM_HPS"], R"({"booster":"gb tree","eta":0.1,"flag":true,"rounds":60})");
  EXPECT_EQ(variables["SM_HP_ETA"], "0.1");
  EXPECT_EQ(variables["SM_HP_ROUNDS"], "60");
  EXPECT_EQ(variables["SM_USER_ARGS"], R"(["--booster","gb tree","--eta","0.1","--flag","true","--rounds","60"])");
  EXPECT_EQ(variables["SM_CHANNELS"], R"(["test-set"])");
  EXPECT_EQ(variables["SM_CHANNEL_TEST_SET"], root_ + "/input/data/test-set");
  EXPECT_EQ(variables["SM_MODEL_DIR"], root_ + "/model");
  EXPECT_EQ(variables["SM_OUTPUT_DATA_DIR"], root_ + "/output/data");
  EXPECT_EQ(variables["SM_NUM_CPUS"], "3");
  EXPECT_EQ(variables["SM_NUM_GPUS"], "2");
  EXPECT_THAT(variables["SM_TRAINING_ENV"], HasSubstr(R"("hyperparameters":{"booster":"gb tree")"));
}

TEST(JsonStringTest, EscapesWhatHasToBe) { EXPECT_EQ(JsonString("a\"b\\c\n\x01ü"), "\"a\\\"b\\\\c\\u000a\\u0001ü\""); }

TEST(RunOutcomeTest, NamesCauses) {
  records::Launch launch;
  launch.command = {"train"};
  launch.memory_limit_bytes = 1 << 20;
  launch.time_limit_ms = 90'000;
  EXPECT_EQ(ToRunEnded({.code = 0}, launch, {"", "warnings"}).reason, "exit code 0");
  EXPECT_EQ(ToRunEnded({.code = 2}, launch, {"", "last line\n"}).reason, "exit code 2; stderr ends with:\nlast line");
  EXPECT_THAT(ToRunEnded({.signal = 11}, launch, {}).reason, HasSubstr("signal 11 (SIGSEGV)"));
  EXPECT_THAT(ToRunEnded({.signal = 9, .out_of_memory = true}, launch, {}).reason,
              HasSubstr("memory limit of 1048576 bytes"));
  EXPECT_THAT(ToRunEnded({.signal = 9, .stopped = true}, launch, {}).reason,
              AllOf(HasSubstr("stopped"), Not(HasSubstr("memory"))));
  EXPECT_THAT(ToRunEnded({.signal = 15, .timed_out = true}, launch, {}).reason, HasSubstr("time limit of 1m30s"));
  // Stopped while it could not even start is still a failure of its own to tell.
  EXPECT_THAT(ToRunEnded({.code = 127, .start_error = ENOENT, .start_step = "exec"}, launch, {}).reason,
              HasSubstr("check the command"));
}

core::Problems Validate(const char* kind, const google::protobuf::Message& options) {
  core::JobSpec spec;
  core::Parameter eta;
  eta.name = "eta";
  eta.domain = core::DoubleDomain{.min = 0, .max = 1};
  spec.space = core::SearchSpace::Make({eta});
  spec.static_parameters = kFixed;
  return FindExecutorKind(kind)->validate(options.SerializeAsString(), spec);
}

std::vector<std::string> Paths(const core::Problems& problems) {
  std::vector<std::string> paths;
  for (const core::Problem& problem : problems) paths.push_back(problem.path);
  return paths;
}

TEST(RegistryTest, ProcessOptionsGetAllTheirProblemsAtOnce) {
  v1::ProcessExecutor options;
  options.add_command("train");
  options.add_command("{eta} {rounds}");
  EXPECT_THAT(Validate("process", options), IsEmpty());
  options.add_command("{typo}");
  options.set_cpus(0);
  options.set_gpus(-1);
  options.set_memory_limit_bytes(1000);
  options.set_output_limit_bytes(0);
  EXPECT_THAT(Paths(Validate("process", options)),
              ElementsAre("command[2]", "cpus", "gpus", "memory_limit_bytes", "output_limit_bytes"));
}

TEST(RegistryTest, LeasesAreBounded) {
  v1::ExternalExecutor options;
  EXPECT_THAT(Validate("external", options), IsEmpty());
  for (const auto& [seconds, valid] :
       std::vector<std::pair<int64_t, bool>>{{0, false}, {1, true}, {604'800, true}, {604'801, false}, {-5, false}}) {
    options.mutable_lease()->set_seconds(seconds);
    EXPECT_EQ(Validate("external", options).empty(), valid) << seconds;
  }
}

TEST(RegistryTest, EveryKindIsFoundByName) {
  for (const ExecutorKind& kind : ExecutorKinds()) {
    EXPECT_EQ(FindExecutorKind(kind.name), &kind);
    // An engine may well be missing; what says so has its own test.
    if (kind.name != "container") EXPECT_EQ(kind.missing(), "") << kind.name;
    EXPECT_FALSE(kind.validate("\xff", core::JobSpec()).empty()) << kind.name;
  }
  EXPECT_EQ(FindExecutorKind("abacus"), nullptr);
}

TEST(ExternalExecutorTest, LaunchesNothing) {
  auto executor = FindExecutorKind("external")->make(ExecutorContext());
  ASSERT_TRUE(executor.ok());
  EXPECT_TRUE((*executor)->capabilities().is_external);
  EXPECT_EQ((*executor)->Launch(RunSpec()).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(*(*executor)->Adopt({RunCursor()}), ElementsAre(false));
}

}  // namespace
}  // namespace tuner::executors
