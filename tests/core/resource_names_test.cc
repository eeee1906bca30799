#include "core/resource_names.h"

#include <string>

#include "gtest/gtest.h"

namespace tuner::core {
namespace {

TEST(ResourceNamesTest, BuildAndParse) {
  EXPECT_EQ(JobName("a"), "tuningJobs/a");
  EXPECT_EQ(TrialName("a-b.c_1", 12), "tuningJobs/a-b.c_1/trials/12");
  EXPECT_EQ(*ParseJobName("tuningJobs/a-b.c_1"), "a-b.c_1");
  const absl::StatusOr<TrialId> trial = ParseTrialName("tuningJobs/a/trials/2147483647");
  ASSERT_TRUE(trial.ok());
  EXPECT_EQ(trial->job_id, "a");
  EXPECT_EQ(trial->number, 2147483647);
}

TEST(ResourceNamesTest, JobIds) {
  EXPECT_TRUE(IsJobId("0"));
  EXPECT_TRUE(IsJobId(std::string(63, 'x')));
  for (const std::string& bad :
       {std::string(), std::string(64, 'x'), std::string("-a"), std::string(".a"), std::string("_a"),
        std::string("a/b"), std::string("a b"), std::string("\xc3\xa4"), std::string("a\0", 2)}) {
    EXPECT_FALSE(IsJobId(bad)) << bad;
  }
}

TEST(ResourceNamesTest, RefusesOtherForms) {
  for (const char* bad : {"", "a", "tuningJobs/", "tuningJobs", "TuningJobs/a", "tuningJobs/a/",
                          "tuningJobs/a/trials/1", "/tuningJobs/a"}) {
    EXPECT_EQ(ParseJobName(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
  for (const char* bad :
       {"", "tuningJobs/a", "tuningJobs/a/trials/", "tuningJobs/a/trials/0", "tuningJobs/a/trials/-1",
        "tuningJobs/a/trials/+1", "tuningJobs/a/trials/01", "tuningJobs/a/trials/1 ", "tuningJobs/a/trials/1/2",
        "tuningJobs/a/trials/2147483648", "tuningJobs//trials/1", "tuningJobs/a/b/trials/1", "tuningJobs/-/trials/1"}) {
    const absl::Status status = ParseTrialName(bad).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_NE(status.message().find("tuningJobs/{job}/trials/{number}"), absl::string_view::npos) << status;
  }
}

}  // namespace
}  // namespace tuner::core
