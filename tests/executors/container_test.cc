// Container trials on a real engine: what they see, how they end, what is left.
#include "executors/container.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/executors/container_harness.h"
#include "tests/executors/executor_conformance.h"
#include "tests/executors/podman_service.h"
#include "tests/executors/process_harness.h"

namespace tuner::executors {
namespace {

using Outcome = RunEnded::Outcome;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
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

}  // namespace
}  // namespace tuner::executors
