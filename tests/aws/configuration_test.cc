#include "executors/aws/configuration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/aws/aws_fixture.h"

namespace tuner::executors::aws {
namespace {

using ::testing::AllOf;
using testing::EnvironmentOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ConfigurationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    home_ = std::filesystem::path(::testing::TempDir()) /
            absl::StrCat("tuner-aws-", getpid(), "-", ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(home_ / ".aws");
  }
  void TearDown() override { std::filesystem::remove_all(home_); }

  void Write(const std::string& name, const std::string& text) { std::ofstream(home_ / ".aws" / name) << text; }
  absl::StatusOr<Configuration> Load(std::map<std::string, std::string> variables = {}, std::string profile = "") {
    variables.emplace("HOME", home_.string());
    return Configuration::Load(EnvironmentOf(std::move(variables)), std::move(profile));
  }

  std::filesystem::path home_;
};

TEST_F(ConfigurationTest, NothingIsAnEmptyDefaultProfile) {
  const absl::StatusOr<Configuration> none = Load();
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_EQ(none->profile(), "default");
  EXPECT_EQ(none->Profile("default"), nullptr);
  EXPECT_EQ(none->Region(), "");
  EXPECT_EQ(none->EndpointOverride("s3"), "");
  EXPECT_TRUE(Configuration::Load(EnvironmentOf({})).ok()) << "no HOME";
}

TEST_F(ConfigurationTest, ReadsBothFiles) {
  Write("config",
        "# a comment\n[default]\nregion = eu-west-1\nREGION_2=x\n\n[profile  two words]\nregion=a\n[profile \"quoted "
        "name\"]\n"
        "region = b = c\ns3 =\n  addressing_style = path\n  max_queue = 5\noutput = json\n[sso-session x]\nsso_region "
        "= q\n"
        "[profile long]\nvalue = one\n   two\n");
  Write("credentials", "[default]\naws_access_key_id=AKID\n; another\n[only]\n");
  const absl::StatusOr<Configuration> loaded = Load();
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->Region(), "eu-west-1");
  EXPECT_EQ(loaded->Setting("aws_access_key_id"), "AKID");
  EXPECT_EQ(loaded->Setting("region_2"), "x");
  EXPECT_EQ(loaded->Profile("two words")->at("region"), "a");
  EXPECT_EQ(loaded->Profile("quoted name")->at("region"), "b = c");
  EXPECT_EQ(loaded->Profile("quoted name")->at("s3.addressing_style"), "path");
  EXPECT_EQ(loaded->Profile("quoted name")->at("s3.max_queue"), "5");
  EXPECT_EQ(loaded->Profile("quoted name")->at("output"), "json");
  EXPECT_EQ(loaded->Profile("long")->at("value"), "one two");
  EXPECT_NE(loaded->Profile("only"), nullptr);
  EXPECT_EQ(loaded->Profile("x"), nullptr);
}

TEST_F(ConfigurationTest, TheCredentialsFileAndPrefixedDefaultGoFirst) {
  Write(
      "config",
      "[default]\naws_access_key_id=1\nregion=plain\n[profile default]\naws_access_key_id=2\n[default]\nregion=late\n");
  Write("credentials", "[default]\naws_access_key_id=3\n");
  const absl::StatusOr<Configuration> loaded = Load();
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->Setting("aws_access_key_id"), "3");
  EXPECT_EQ(loaded->Region(), "");
}

TEST_F(ConfigurationTest, ChoosesTheProfile) {
  Write("config", "[profile a]\nregion=of-a\n[profile b]\nregion=of-b\n[profile c]\nregion=of-c\n");
  EXPECT_EQ(Load({{"AWS_DEFAULT_PROFILE", "a"}})->Region(), "of-a");
  EXPECT_EQ(Load({{"AWS_DEFAULT_PROFILE", "a"}, {"AWS_PROFILE", "b"}})->Region(), "of-b");
  EXPECT_EQ(Load({{"AWS_PROFILE", "b"}}, "c")->Region(), "of-c");
  const absl::Status missing = Load({{"AWS_PROFILE", "d"}}).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(missing.message()), AllOf(HasSubstr("\"d\""), HasSubstr("AWS_PROFILE")));
}

TEST_F(ConfigurationTest, FindsFilesAndRegionByTheEnvironment) {
  Write("other", "[profile x]\nregion=r\n");
  Write("keys", "[x]\naws_access_key_id=k\n");
  const std::string folder = (home_ / ".aws").string();
  const absl::StatusOr<Configuration> loaded = Load(
      {{"AWS_CONFIG_FILE", "~/.aws/other"}, {"AWS_SHARED_CREDENTIALS_FILE", folder + "/keys"}, {"AWS_PROFILE", "x"}});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->Region(), "r");
  EXPECT_EQ(loaded->Setting("aws_access_key_id"), "k");
  EXPECT_EQ(Load({{"AWS_DEFAULT_REGION", "d"}})->Region(), "d");
  EXPECT_EQ(Load({{"AWS_DEFAULT_REGION", "d"}, {"AWS_REGION", "e"}})->Region(), "e");
}

TEST_F(ConfigurationTest, SaysWhereAFileIsWrongAndNotWhatItHolds) {
  for (const char* text : {"key = planted\n", "[default]\nplanted\n", "[planted\n", "[default]\n = planted\n"}) {
    Write("credentials", text);
    const absl::Status status = Load().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("/.aws/credentials:"), Not(HasSubstr("planted"))));
  }
}

TEST_F(ConfigurationTest, ReadsAgain) {
  Write("credentials", "[default]\naws_access_key_id=old\n");
  const absl::StatusOr<Configuration> before = Load();
  ASSERT_TRUE(before.ok());
  Write("credentials", "[default]\naws_access_key_id=new\n");
  EXPECT_EQ(before->Setting("aws_access_key_id"), "old");
  EXPECT_EQ(before->Reload()->Setting("aws_access_key_id"), "new");
}

TEST_F(ConfigurationTest, EndpointsInTheirOrder) {
  Write("config",
        "[default]\nservices = mine\nendpoint_url = http://profile\n"
        "[services mine]\ns3 =\n  endpoint_url = http://services-s3\ncloudwatch_logs =\n  endpoint_url = "
        "http://services-logs\n");
  std::map<std::string, std::string> variables;
  EXPECT_EQ(Load(variables)->EndpointOverride("sagemaker"), "http://profile");
  EXPECT_EQ(Load(variables)->EndpointOverride("s3"), "http://services-s3");
  EXPECT_EQ(Load(variables)->EndpointOverride("logs"), "http://services-logs");
  variables["AWS_ENDPOINT_URL"] = "http://all";
  EXPECT_EQ(Load(variables)->EndpointOverride("s3"), "http://all");
  variables["AWS_ENDPOINT_URL_S3"] = "http://s3";
  variables["AWS_ENDPOINT_URL_SAGEMAKER"] = "http://sagemaker";
  variables["AWS_ENDPOINT_URL_STS"] = "http://sts";
  variables["AWS_ENDPOINT_URL_LOGS"] = "http://logs";
  for (const std::string service : {"s3", "sagemaker", "sts", "logs"}) {
    EXPECT_EQ(Load(variables)->EndpointOverride(service), "http://" + service);
  }
  variables["AWS_ENDPOINT_URL_CLOUDWATCH_LOGS"] = "http://cloudwatch";
  EXPECT_EQ(Load(variables)->EndpointOverride("logs"), "http://cloudwatch");
  variables["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true";
  EXPECT_EQ(Load(variables)->EndpointOverride("s3"), "");
}

TEST_F(ConfigurationTest, AwsOwnEndpoints) {
  EXPECT_EQ(AwsEndpoint("sagemaker", "eu-west-1"), "https://api.sagemaker.eu-west-1.amazonaws.com");
  EXPECT_EQ(AwsEndpoint("logs", "cn-north-1"), "https://logs.cn-north-1.amazonaws.com.cn");
  EXPECT_EQ(AwsEndpoint("s3", "us-gov-west-1"), "https://s3.us-gov-west-1.amazonaws.com");
  EXPECT_EQ(AwsEndpoint("sts", "us-isob-east-1"), "https://sts.us-isob-east-1.sc2s.sgov.gov");
}

}  // namespace
}  // namespace tuner::executors::aws
