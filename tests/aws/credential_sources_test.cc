#include "executors/aws/credential_sources.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "tests/aws/aws_fixture.h"
#include "tests/aws/scripted_server.h"

namespace tuner::executors::aws {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::kSecret;
using testing::kToken;
using ::testing::Not;
using testing::ReceivedRequest;
using testing::ScriptedReply;
using testing::ScriptedServer;
using ::testing::SizeIs;

constexpr char kExpiration[] = "2026-01-02T04:04:05Z";

std::string Document(const std::string& id, const char* token_key) {
  return absl::StrCat("{\"Version\": 1, \"Code\": \"Success\", \"AccessKeyId\": \"", id, "\", \"SecretAccessKey\": \"",
                      kSecret, "\", \"", token_key, "\": \"", kToken, "\", \"Expiration\": \"", kExpiration, "\"}");
}

// STS, the container's endpoint and instance metadata, all at one place.
ScriptedReply Amazon(const ReceivedRequest& request) {
  if (request.target == "/") {
    const bool by_token = request.body.find("Action=AssumeRoleWithWebIdentity&") != std::string::npos;
    const std::string name = by_token ? "AssumeRoleWithWebIdentity" : "AssumeRole";
    return {.body = absl::StrCat("<", name, "Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><", name,
                                 "Result><Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>", kSecret,
                                 "</SecretAccessKey><SessionToken>", kToken, "</SessionToken><Expiration>", kExpiration,
                                 "</Expiration></Credentials></", name, "Result></", name, "Response>")};
  }
  if (request.target == "/container") return {.body = Document("ASIACONTAINER", "Token")};
  if (request.target == "/latest/api/token" && request.method == "PUT") return {.body = "imds-token"};
  if (request.header("x-aws-ec2-metadata-token") != "imds-token") return {.code = 401};
  if (request.target == "/latest/meta-data/iam/security-credentials/") return {.body = "my role\n"};
  if (request.target == "/latest/meta-data/iam/security-credentials/my%20role")
    return {.body = Document("ASIAINSTANCE", "Token")};
  return {.code = 404};
}

class CredentialSourcesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::path(::testing::TempDir()) /
        absl::StrCat("tuner-sources-", getpid(), "-", ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
    variables_ = {{"AWS_CONFIG_FILE", Path("config")},
                  {"AWS_SHARED_CREDENTIALS_FILE", Path("credentials")},
                  {"AWS_ENDPOINT_URL_STS", server_.url()},
                  {"AWS_EC2_METADATA_DISABLED", "true"},
                  {"AWS_REGION", "eu-west-1"}};
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return (folder_ / name).string(); }
  void Write(const std::string& name, const std::string& text) { std::ofstream(folder_ / name) << text; }

  absl::StatusOr<Credentials> Get(StopSignal* stop = nullptr) {
    const absl::StatusOr<Configuration> configuration = Configuration::Load(testing::EnvironmentOf(variables_));
    if (!configuration.ok()) return configuration.status();
    return MakeDefaultCredentials(*configuration, http_, clock_)->Get(stop);
  }
  // Of the role that STS gives; "why: ..." if it gives none.
  std::string Key() {
    const absl::StatusOr<Credentials> got = Get();
    if (!got.ok()) return absl::StrCat("why: ", got.status().message());
    EXPECT_EQ(got->secret_access_key, kSecret);
    return got->access_key_id;
  }
  absl::Status Refused(absl::StatusCode code = absl::StatusCode::kUnauthenticated) {
    const absl::Status status = Get().status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(status.ToString(), AllOf(Not(HasSubstr(kSecret)), Not(HasSubstr(kToken))));
    return status;
  }

  ScriptedServer server_{&Amazon};
  testing::JumpingClock clock_{testing::TestTime()};
  HttpClient http_;
  std::filesystem::path folder_;
  std::map<std::string, std::string> variables_;
};

std::string Keys(const std::string& id) {
  return absl::StrCat("aws_access_key_id = ", id, "\naws_secret_access_key = ", kSecret, "\n");
}

TEST_F(CredentialSourcesTest, OfTheEnvironmentFirst) {
  Write("credentials", "[default]\n" + Keys("AKIAFILE"));
  variables_["AWS_ACCESS_KEY_ID"] = "AKIAENV";
  EXPECT_THAT(std::string(Refused().message()), HasSubstr("AWS_SECRET_ACCESS_KEY"));
  variables_["AWS_SECRET_ACCESS_KEY"] = kSecret;
  variables_["AWS_SESSION_TOKEN"] = kToken;
  EXPECT_EQ(Key(), "AKIAENV");
  EXPECT_EQ(Get()->session_token, kToken);
  EXPECT_EQ(Get()->expires, absl::InfiniteFuture());
}

TEST_F(CredentialSourcesTest, AChosenProfileGoesBeforeTheEnvironment) {
  Write("credentials", "[prod]\n" + Keys("AKIAPROD"));
  variables_["AWS_ACCESS_KEY_ID"] = "AKIAENV";
  variables_["AWS_SECRET_ACCESS_KEY"] = kSecret;
  variables_["AWS_PROFILE"] = "prod";
  EXPECT_EQ(Key(), "AKIAENV");
  const absl::StatusOr<Configuration> chosen = Configuration::Load(testing::EnvironmentOf(variables_), "prod");
  ASSERT_TRUE(chosen.ok()) << chosen.status();
  EXPECT_EQ(MakeDefaultCredentials(*chosen, http_, clock_)->Get()->access_key_id, "AKIAPROD");
}

TEST_F(CredentialSourcesTest, ByWebIdentity) {
  Write("token", "planted==web+identity\n");
  variables_["AWS_WEB_IDENTITY_TOKEN_FILE"] = Path("token");
  EXPECT_THAT(std::string(Refused().message()), HasSubstr("AWS_ROLE_ARN"));
  variables_["AWS_ROLE_ARN"] = "arn:aws:iam::123456789012:role/r";
  variables_["AWS_ROLE_SESSION_NAME"] = "me";
  EXPECT_EQ(Key(), "ASIAROLE");
  const ReceivedRequest request = server_.received().back();
  EXPECT_EQ(request.body,
            "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fr&"
            "RoleSessionName=me&WebIdentityToken=planted%3D%3Dweb%2Bidentity");
  EXPECT_EQ(request.header("authorization"), "") << "it is not signed";
  variables_["AWS_WEB_IDENTITY_TOKEN_FILE"] = Path("none");
  EXPECT_THAT(std::string(Refused().message()), HasSubstr(Path("none")));
}

TEST_F(CredentialSourcesTest, KeysOfTheProfileAreReadAgain) {
  Write("credentials", "[default]\n" + Keys("AKIAFILE"));
  const absl::StatusOr<Configuration> configuration = Configuration::Load(testing::EnvironmentOf(variables_));
  const auto provider = MakeDefaultCredentials(*configuration, http_, clock_);
  EXPECT_EQ(provider->Get()->access_key_id, "AKIAFILE");
  Write("credentials", "[default]\n" + Keys("AKIANEW"));
  EXPECT_EQ(provider->Get()->access_key_id, "AKIAFILE");
  provider->Refuse("AKIAFILE");
  EXPECT_EQ(provider->Get()->access_key_id, "AKIANEW");
}

TEST_F(CredentialSourcesTest, AssumesRolesThroughProfiles) {
  Write("config",
        "[default]\nrole_arn = arn:a\nsource_profile = middle\nexternal_id = x y\nduration_seconds = 900\n"
        "[profile middle]\nrole_arn = arn:m\nsource_profile = keys\nrole_session_name = s\n");
  Write("credentials", "[keys]\n" + Keys("AKIAKEYS"));
  EXPECT_EQ(Key(), "ASIAROLE");
  ASSERT_THAT(server_.received(), SizeIs(2));
  const ReceivedRequest first = server_.received()[0];
  const ReceivedRequest second = server_.received()[1];
  EXPECT_EQ(first.body, "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Am&RoleSessionName=s");
  EXPECT_THAT(first.header("authorization"), HasSubstr("Credential=AKIAKEYS/20260102/eu-west-1/sts/aws4_request"));
  EXPECT_EQ(second.body,
            "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aa&RoleSessionName=tuner-1767323045&ExternalId=x%20y&"
            "DurationSeconds=900");
  EXPECT_THAT(second.header("authorization"), HasSubstr("Credential=ASIAROLE/"));
  EXPECT_EQ(second.header("x-amz-security-token"), kToken);
  EXPECT_EQ(absl::FormatTime(Get()->expires, absl::UTCTimeZone()), "2026-01-02T04:04:05+00:00");
}

TEST_F(CredentialSourcesTest, AProfileMayBeItsOwnSource) {
  Write("config", "[default]\nrole_arn = arn:a\nsource_profile = default\n");
  Write("credentials", "[default]\n" + Keys("AKIASELF"));
  EXPECT_EQ(Key(), "ASIAROLE");
  EXPECT_THAT(server_.received()[0].header("authorization"), HasSubstr("Credential=AKIASELF/"));
}

TEST_F(CredentialSourcesTest, NamedSourcesOfARole) {
  Write("config", "[default]\nrole_arn = arn:a\ncredential_source = Ec2InstanceMetadata\n");
  variables_.erase("AWS_EC2_METADATA_DISABLED");
  variables_["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = server_.url();
  EXPECT_EQ(Key(), "ASIAROLE");
  EXPECT_THAT(server_.received().back().header("authorization"), HasSubstr("Credential=ASIAINSTANCE/"));
  Write("config", "[default]\nrole_arn = arn:a\ncredential_source = EcsContainer\n");
  EXPECT_THAT(std::string(Refused().message()), HasSubstr("credential_source EcsContainer"));
  Write("token", "web");
  Write("config", "[default]\nrole_arn = arn:a\nweb_identity_token_file = " + Path("token") + "\n");
  EXPECT_EQ(Key(), "ASIAROLE");
}

TEST_F(CredentialSourcesTest, SaysWhatIsWrongWithAProfile) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"role_arn = a\n", "needs one of source_profile"},
      {"role_arn = a\nsource_profile = b\ncredential_source = Environment\n", "needs one of source_profile"},
      {"role_arn = a\nsource_profile = none\n", "\"none\": is named by source_profile"},
      {"role_arn = a\nsource_profile = b\n[profile b]\nrole_arn = b\nsource_profile = default\n",
       "is its own source_profile"},
      {"role_arn = a\nsource_profile = b\n[profile b]\nregion = x\n", "has no credentials"},
      {"role_arn = a\nsource_profile = b\nmfa_serial = m\n", "mfa_serial"},
      {"role_arn = a\ncredential_source = Elsewhere\n", "credential_source: must be"},
      {"aws_access_key_id = a\n", "only one of aws_access_key_id"},
      {"sso_session = a\n", "export-credentials"},
      {"credential_process = /nowhere/at-all\n", "credential_process"},
      {"credential_process = 'a\n", "a quote without its partner"},
  };
  for (const auto& [text, why] : cases) {
    Write("config", "[default]\n" + text);
    EXPECT_THAT(std::string(Refused().message()), HasSubstr(why)) << text;
  }
  EXPECT_THAT(server_.received(), SizeIs(0));
}

TEST_F(CredentialSourcesTest, ByAProgram) {
  Write("keys.json", Document("ASIAPROCESS", "SessionToken"));
  const auto set = [&](const std::string& command) {
    Write("config", "[default]\ncredential_process = " + command + "\n");
  };
  set("cat \"" + Path("keys.json") + "\"");
  EXPECT_EQ(Key(), "ASIAPROCESS");
  EXPECT_EQ(Get()->session_token, kToken);
  EXPECT_EQ(Get()->expires, testing::TestTime() + absl::Hours(1));
  set("/bin/sh -c 'cat \"$0\"' " + Path("keys.json"));
  EXPECT_EQ(Key(), "ASIAPROCESS");
  const std::string leak = absl::StrCat("/bin/sh -c 'echo ", kSecret, "; echo ", kToken, " >&2; exit 3'");
  set(leak);
  EXPECT_THAT(std::string(Refused().message()), HasSubstr("ended with 3"));
  set("echo {}");
  EXPECT_THAT(std::string(Refused().message()), HasSubstr("Version 1"));
  set("yes");
  EXPECT_THAT(std::string(Refused().message()), HasSubstr("64 kB"));
}

TEST_F(CredentialSourcesTest, AStopEndsTheProgram) {
  Write("config", "[default]\ncredential_process = /bin/sh -c 'touch " + Path("runs") + "; exec sleep 1000'\n");
  StopSignal stop;
  std::thread stopping([&] {
    while (!std::filesystem::exists(Path("runs"))) std::this_thread::yield();
    stop.Raise();
  });
  EXPECT_TRUE(absl::IsCancelled(Get(&stop).status()));
  stopping.join();
}

TEST_F(CredentialSourcesTest, OfTheContainer) {
  variables_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = server_.url() + "/container";
  EXPECT_EQ(Key(), "ASIACONTAINER");
  EXPECT_EQ(server_.received().back().header("authorization"), "");
  variables_["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "of-the-variable";
  EXPECT_EQ(Key(), "ASIACONTAINER");
  EXPECT_EQ(server_.received().back().header("authorization"), "of-the-variable");
  Write("token", "of-the-file\n");
  variables_["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = Path("token");
  EXPECT_EQ(Key(), "ASIACONTAINER");
  EXPECT_EQ(server_.received().back().header("authorization"), "of-the-file");
  for (const char* url :
       {"http://example.org/x", "http://127.0.0.1@example.org/", "http://127.0.0.1.example.org/", "ftp://localhost/"}) {
    variables_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = url;
    EXPECT_THAT(std::string(Refused().message()), HasSubstr("must be https://")) << url;
  }
}

TEST_F(CredentialSourcesTest, AnEndpointThatEchoesTheTokenLeaksNothing) {
  ScriptedServer echoing([](const ReceivedRequest& request) {
    return ScriptedReply{
        .code = 400,
        .body = absl::StrCat("{\"code\":\"Bad\",\"message\":\"", request.header("authorization"), request.body, "\"}")};
  });
  variables_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = echoing.url() + "/x";
  variables_["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = kToken;
  EXPECT_THAT(std::string(Refused(absl::StatusCode::kInvalidArgument).message()), HasSubstr("Bad"));
  EXPECT_THAT(echoing.received(), SizeIs(1));
}

TEST_F(CredentialSourcesTest, OfTheInstance) {
  variables_.erase("AWS_EC2_METADATA_DISABLED");
  variables_["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = server_.url() + "/";
  EXPECT_EQ(Key(), "ASIAINSTANCE");
  const std::vector<ReceivedRequest> requests = server_.received();
  ASSERT_THAT(requests, SizeIs(3));
  EXPECT_EQ(requests[0].header("x-aws-ec2-metadata-token-ttl-seconds"), "21600");
  EXPECT_EQ(requests[2].header("x-aws-ec2-metadata-token"), "imds-token");
}

TEST_F(CredentialSourcesTest, AnInstanceWithoutARoleHasNone) {
  ScriptedServer bare([](const ReceivedRequest& request) {
    return request.method == "PUT" ? ScriptedReply{.body = "t"} : ScriptedReply{.code = 404};
  });
  variables_.erase("AWS_EC2_METADATA_DISABLED");
  variables_["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = bare.url();
  EXPECT_THAT(std::string(Refused().message()), HasSubstr("the instance has no role"));
  variables_["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = "http://127.0.0.1:1";
  EXPECT_THAT(std::string(Refused().message()),
              AllOf(HasSubstr("no AWS credentials; looked in the environment"), HasSubstr("127.0.0.1:1")));
}

TEST_F(CredentialSourcesTest, PastTheProxiesOfTheEnvironment) {
  // The server is the proxy too, and would see the whole URL as the target.
  setenv("http_proxy", server_.url().c_str(), 1);
  variables_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = server_.url() + "/container";
  EXPECT_EQ(Key(), "ASIACONTAINER");
  unsetenv("http_proxy");
  EXPECT_EQ(server_.received().back().target, "/container");
}

TEST_F(CredentialSourcesTest, WrongDocumentsAreRefusedWithoutTheirText) {
  for (const std::string& text :
       {std::string("planted"), std::string("[]"), std::string("{\"AccessKeyId\": \"planted\"}"),
        std::string("{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"planted\",\"Expiration\":\"planted\"}")}) {
    const absl::Status status = ParseCredentials(text, "Token", "a test").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("planted")));
  }
}

}  // namespace
}  // namespace tuner::executors::aws
