// Against moto, which checks each signature; moto_test.py starts it, fills it and runs this with the environment of a
// user.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "executors/aws/configuration.h"
#include "executors/aws/json_client.h"
#include "executors/aws/logs.h"
#include "executors/aws/s3.h"

namespace tuner::executors::aws {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

class MotoTest : public ::testing::Test {
 protected:
  // "": by the environment alone.
  void Use(const std::string& profile) {
    absl::StatusOr<Configuration> loaded = Configuration::Load(ProcessEnvironment(), profile);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    configuration_ = *std::move(loaded);
    credentials_ = MakeDefaultCredentials(configuration_, http_, *clock_);
  }
  void SetUp() override {
    Use("");
    folder_ = fs::path(::testing::TempDir()) / absl::StrCat("tuner-moto-", getpid());
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  ServiceOptions Options(const std::string& service) const {
    ServiceOptions options;
    options.service = service;
    options.region = configuration_.Region();
    options.endpoint = configuration_.EndpointOverride(service);
    return options;
  }
  AwsServices services() { return {http_, *credentials_, *clock_}; }
  absl::StatusOr<json> Call(const std::string& target, const json& body) {
    const absl::StatusOr<std::string> answer = JsonClient(Options("sagemaker"), services()).Call(target, body.dump());
    if (!answer.ok()) return answer.status();
    return json::parse(*answer, nullptr, false);
  }
  S3Client S3() {
    S3Options options;
    options.service = Options("s3");
    options.multipart_above = 6 << 20;
    options.part_size = 5 << 20;  // S3's least
    return S3Client(options, services());
  }
  std::string Write(const std::string& name, const std::string& text) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  }
  std::string Read(const std::string& name) {
    std::ostringstream text;
    text << std::ifstream(folder_ / name).rdbuf();
    return text.str();
  }

  std::unique_ptr<core::Clock> clock_ = core::MakeSystemClock();
  HttpClient http_;
  Configuration configuration_;
  std::unique_ptr<CredentialsProvider> credentials_;
  fs::path folder_;
};

json TrainingJob(const std::string& name) {
  return {{"TrainingJobName", name},
          {"RoleArn", "arn:aws:iam::123456789012:role/training"},
          {"HyperParameters", {{"eta", "0.1"}, {"größe", "漢"}}},
          {"AlgorithmSpecification", {{"TrainingImage", "image"}, {"TrainingInputMode", "File"}}},
          {"OutputDataConfig", {{"S3OutputPath", "s3://bucket-of-tests/out"}}},
          {"ResourceConfig", {{"InstanceType", "ml.m5.large"}, {"InstanceCount", 1}, {"VolumeSizeInGB", 1}}},
          {"StoppingCondition", {{"MaxRuntimeInSeconds", 60}}}};
}

TEST_F(MotoTest, TrainingJobs) {
  const absl::StatusOr<json> created = Call("SageMaker.CreateTrainingJob", TrainingJob("job-1"));
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_THAT((*created)["TrainingJobArn"].get<std::string>(), HasSubstr("training-job/job-1"));
  const absl::StatusOr<json> described = Call("SageMaker.DescribeTrainingJob", {{"TrainingJobName", "job-1"}});
  ASSERT_TRUE(described.ok()) << described.status();
  EXPECT_EQ((*described)["HyperParameters"]["größe"], "漢");
  const absl::StatusOr<json> listed = Call("SageMaker.ListTrainingJobs", {{"NameContains", "job-"}});
  ASSERT_TRUE(listed.ok()) << listed.status();
  EXPECT_THAT((*listed)["TrainingJobSummaries"], SizeIs(1));
  const absl::Status missing = Call("SageMaker.DescribeTrainingJob", {{"TrainingJobName", "none"}}).status();
  ASSERT_TRUE(AwsErrorOf(missing).has_value()) << missing;
  EXPECT_EQ(AwsErrorOf(missing)->code, "ValidationException");
}

TEST_F(MotoTest, WrongKeysAreRefused) {
  const absl::StatusOr<Credentials> right = credentials_->Get();
  ASSERT_TRUE(right.ok()) << right.status();
  credentials_ = MakeStaticCredentials({right->access_key_id, "planted-wrong-secret", ""});
  const absl::Status wrong_secret = Call("SageMaker.ListTrainingJobs", json::object()).status();
  EXPECT_EQ(wrong_secret.code(), absl::StatusCode::kUnauthenticated) << wrong_secret;
  EXPECT_EQ(wrong_secret.ToString().find("planted"), std::string::npos);
  const absl::Status of_s3 = S3().Head({"bucket-of-tests", "k"}).status();
  EXPECT_EQ(of_s3.code(), absl::StatusCode::kPermissionDenied) << of_s3;
  credentials_ = MakeStaticCredentials({"AKIAUNKNOWN123456789", right->secret_access_key, ""});
  EXPECT_EQ(Call("SageMaker.ListTrainingJobs", json::object()).status().code(), absl::StatusCode::kUnauthenticated);
}

TEST_F(MotoTest, Objects) {
  S3Client s3 = S3();
  const std::vector<std::string> keys = {"p/a",   "p/ü b+c",  "p/d&e=<f>", "p/~!'()*;:@,[]",
                                         "p//x/", "p/100%25", "p/漢?#"};
  const std::string in = Write("in", "hello");
  for (const std::string& key : keys) {
    const S3Uri uri = {"bucket-of-tests", key};
    const absl::Status put = s3.PutFile(in, uri);
    ASSERT_TRUE(put.ok()) << put;
    const absl::StatusOr<S3Object> head = s3.Head(uri);
    ASSERT_TRUE(head.ok()) << head.status();
    EXPECT_EQ(head->size, 5);
    EXPECT_GT(head->modified, absl::UnixEpoch());
    ASSERT_TRUE(s3.GetFile(uri, (folder_ / "out").string()).ok());
    EXPECT_EQ(Read("out"), "hello");
  }
  std::set<std::string> listed;
  const auto objects = s3.List({"bucket-of-tests", "p/"});
  ASSERT_TRUE(objects.ok()) << objects.status();
  for (const S3Object& object : *objects) listed.insert(object.key);
  EXPECT_EQ(listed, std::set<std::string>(keys.begin(), keys.end()));
  for (const std::string& key : keys) EXPECT_TRUE(s3.Delete({"bucket-of-tests", key}).ok());
  EXPECT_THAT(*s3.List({"bucket-of-tests", "p/"}), SizeIs(0));
  EXPECT_TRUE(absl::IsNotFound(s3.GetFile({"bucket-of-tests", "p/a"}, (folder_ / "out").string())));
  EXPECT_TRUE(absl::IsNotFound(s3.List({"no-such-bucket", ""}).status()));
}

TEST_F(MotoTest, ListsOfManyPages) {
  const auto objects = S3().List({"bucket-of-tests", "many/"});  // moto_test.py put them
  ASSERT_TRUE(objects.ok()) << objects.status();
  EXPECT_THAT(*objects, SizeIs(1205));
  EXPECT_EQ(objects->front().key, "many/0000");
  EXPECT_EQ(objects->back().key, "many/1204");
}

TEST_F(MotoTest, ObjectsInParts) {
  std::string text;
  while (text.size() < (12 << 20)) absl::StrAppend(&text, text.size(), "\n");
  S3Client s3 = S3();
  const S3Uri uri = {"bucket-of-tests", "large/file name"};
  const absl::Status put = s3.PutFile(Write("large", text), uri);
  ASSERT_TRUE(put.ok()) << put;
  EXPECT_EQ(s3.Head(uri)->size, static_cast<int64_t>(text.size()));
  ASSERT_TRUE(s3.GetFile(uri, (folder_ / "out").string()).ok());
  EXPECT_TRUE(Read("out") == text);
}

TEST_F(MotoTest, TreesOnce) {
  Write("tree/a", "1");
  Write("tree/ü b/c", "2");
  S3Client s3 = S3();
  const absl::StatusOr<S3Uri> uri = s3.UploadOnce((folder_ / "tree").string(), {"bucket-of-tests", "inputs"});
  ASSERT_TRUE(uri.ok()) << uri.status();
  const absl::Time before = s3.Head(uri->Join("a"))->modified;
  EXPECT_EQ(s3.UploadOnce((folder_ / "tree").string(), {"bucket-of-tests", "inputs"}).value(), *uri);
  EXPECT_EQ(s3.Head(uri->Join("a"))->modified, before);
  std::vector<std::string> keys;
  const absl::StatusOr<std::vector<S3Object>> objects = s3.List(*uri);
  ASSERT_TRUE(objects.ok()) << objects.status();
  for (const S3Object& object : *objects) keys.push_back(object.key.substr(uri->key.size()));
  EXPECT_THAT(keys, ElementsAre("a", "ü b/c"));
}

TEST_F(MotoTest, LogStreams) {
  LogsClient logs(Options("logs"), services());
  const auto streams = logs.DescribeLogStreams("/aws/sagemaker/TrainingJobs", "job-1/");
  ASSERT_TRUE(streams.ok()) << streams.status();
  ASSERT_THAT(*streams, SizeIs(2));
  EXPECT_EQ((*streams)[0].name, "job-1/algo-1-1");
  std::vector<std::string> lines;
  std::string token;
  for (bool at_end = false; !at_end;) {
    const absl::StatusOr<LogPage> page = logs.GetLogEvents("/aws/sagemaker/TrainingJobs", "job-1/algo-1-1", token);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const LogEvent& event : page->events) lines.push_back(event.message);
    token = page->next_token;
    at_end = page->at_end;
  }
  EXPECT_THAT(lines, ElementsAre("loss=0.5", "größe=2"));
  EXPECT_TRUE(absl::IsNotFound(logs.GetLogEvents("/aws/sagemaker/TrainingJobs", "none", "").status()));
}

// The files of moto_test.py: a role by the user's keys, and one by the first.
TEST_F(MotoTest, AssumedRoles) {
  for (const char* profile : {"role", "chained"}) {
    Use(profile);
    const absl::StatusOr<Credentials> keys = credentials_->Get();
    ASSERT_TRUE(keys.ok()) << keys.status();
    EXPECT_FALSE(keys->session_token.empty());
    EXPECT_GT(keys->expires, clock_->Now() + absl::Minutes(10));
    const absl::StatusOr<json> listed = Call("SageMaker.ListTrainingJobs", json::object());
    EXPECT_TRUE(listed.ok()) << listed.status();
    EXPECT_TRUE(S3().List({"bucket-of-tests", "none"}).ok());
  }
}

// Where moto checks signatures it fails at a request without one, which this is: run before that.
TEST_F(MotoTest, WebIdentity) {
  Use("web");
  const absl::StatusOr<Credentials> keys = credentials_->Get();
  ASSERT_TRUE(keys.ok()) << keys.status();
  EXPECT_FALSE(keys->session_token.empty());
}

TEST_F(MotoTest, AProfileWithAProgram) {
  Use("program");
  EXPECT_EQ(credentials_->Get()->access_key_id, Variable("AWS_ACCESS_KEY_ID"));
  EXPECT_TRUE(Call("SageMaker.ListTrainingJobs", json::object()).ok());
}

}  // namespace
}  // namespace tuner::executors::aws
