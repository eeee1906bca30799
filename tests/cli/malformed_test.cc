// Issue 3, acceptance 5: each malformed specification is refused by the command line with all its bad fields named.
#include <csignal>

#include "gmock/gmock.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "tests/cli/cli_process.h"
#include "tests/proto/malformed_specs.h"

namespace tuner::testing {
namespace {

std::vector<std::string> NamedPaths(const std::string& json) {
  google::protobuf::Struct document;
  const auto status = google::protobuf::util::JsonStringToMessage(json, &document);
  EXPECT_TRUE(status.ok()) << std::string(status.message()) << "\n" << json;
  std::vector<std::string> paths;
  for (const auto& problem : document.fields().at("problems").list_value().values()) {
    paths.push_back(problem.struct_value().fields().at("path").string_value());
  }
  return paths;
}

TEST(MalformedSpecTest, EveryBadFieldIsNamed) {
  const TestFolder folder;
  // One server for all, as each start costs more than the check.
  RunningTuner server({"serve", "--listen", "127.0.0.1:0", "--data", folder.path() + "/.tuner"}, folder.path());
  ASSERT_TRUE(server.AwaitText("Serving "));
  for (const MalformedSpec& spec : LoadMalformedSpecs()) {
    SCOPED_TRACE(spec.name);
    folder.Write("job.yaml", spec.yaml);
    const Outcome outcome = RunTuner({"validate", "job.yaml", "--output", "json"}, folder.path());
    EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
    EXPECT_THAT(NamedPaths(outcome.out), ::testing::IsSupersetOf(spec.paths)) << outcome.out;
  }
  folder.Write("job.yaml", WellFormedSpecYaml());
  EXPECT_EQ(RunTuner({"validate", "job.yaml"}, folder.path()).exit_code, 0);
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait().exit_code, 0);
}

}  // namespace
}  // namespace tuner::testing
