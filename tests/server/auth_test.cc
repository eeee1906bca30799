// Who gets in: product.md's "Nobody unauthenticated gets in", over every kind of caller.
#include "tuner/server/auth.h"

#include <sys/stat.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "grpcpp/create_channel.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "gtest/gtest.h"
#include "tests/server/test_server.h"
#include "tuner/server/tokens.h"

namespace tuner::server {
namespace {

using grpc::StatusCode;

ServerConfig Listening() {
  ServerConfig config;
  config.listen = {"127.0.0.1:0", "unix"};
  return config;
}

grpc::Status List(const std::shared_ptr<grpc::Channel>& channel, const std::string& token = "") {
  v1::ListTuningJobsResponse response;
  return v1::TuningService::NewStub(channel)->ListTuningJobs(Context(token).get(), {}, &response);
}

TEST(AuthTest, TcpAsksForATokenAndTheSocketDoesNot) {
  TestServer server(Listening());
  const std::string token = *ReadServerToken(server.data_dir());
  EXPECT_EQ(List(server.ChannelTo(0)).error_code(), StatusCode::UNAUTHENTICATED);
  EXPECT_THAT(List(server.ChannelTo(0)).error_message(), testing::HasSubstr("TUNER_TOKEN"));
  EXPECT_EQ(List(server.ChannelTo(0), "wrong").error_code(), StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(List(server.ChannelTo(0), token.substr(1)).error_code(), StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(List(server.ChannelTo(0), token).error_code(), StatusCode::OK);
  EXPECT_EQ(List(server.ChannelTo(1)).error_code(), StatusCode::OK);
  EXPECT_EQ(List(server.server().InProcessChannel()).error_code(), StatusCode::OK);
}

TEST(AuthTest, EveryMethodRefusesAStranger) {
  TestServer server(Listening());
  const auto stub = v1::TuningService::NewStub(server.ChannelTo(0));
  const auto refused = [](const grpc::Status& status) { return status.error_code() == StatusCode::UNAUTHENTICATED; };
#define EXPECT_REFUSED(Method, Response)                                \
  do {                                                                  \
    Response response;                                                  \
    EXPECT_TRUE(refused(stub->Method(Context().get(), {}, &response))); \
  } while (false)
  EXPECT_REFUSED(CreateTuningJob, v1::CreateTuningJobResponse);
  EXPECT_REFUSED(GetTuningJob, v1::TuningJob);
  EXPECT_REFUSED(ListTuningJobs, v1::ListTuningJobsResponse);
  EXPECT_REFUSED(UpdateTuningJob, v1::TuningJob);
  EXPECT_REFUSED(StopTuningJob, v1::TuningJob);
  EXPECT_REFUSED(DeleteTuningJob, google::protobuf::Empty);
  EXPECT_REFUSED(GetTrial, v1::Trial);
  EXPECT_REFUSED(ListTrials, v1::ListTrialsResponse);
  EXPECT_REFUSED(StopTrial, v1::Trial);
  EXPECT_REFUSED(AddTrials, v1::AddTrialsResponse);
  EXPECT_REFUSED(SuggestTrials, v1::SuggestTrialsResponse);
  EXPECT_REFUSED(ReportMeasurements, v1::ReportMeasurementsResponse);
  EXPECT_REFUSED(CompleteTrial, v1::Trial);
  EXPECT_REFUSED(ExplainTuningJob, v1::ExplainTuningJobResponse);
  EXPECT_REFUSED(CompareTuningJobs, v1::CompareTuningJobsResponse);
  EXPECT_REFUSED(ReplayTuningJob, v1::ReplayTuningJobResponse);
  EXPECT_REFUSED(ListStrategies, v1::ListStrategiesResponse);
  EXPECT_REFUSED(ListExecutors, v1::ListExecutorsResponse);
  EXPECT_REFUSED(ListEarlyStoppingRules, v1::ListEarlyStoppingRulesResponse);
#undef EXPECT_REFUSED
  const auto context = Context();
  v1::WatchTuningJobResponse watched;
  const auto watch = stub->WatchTuningJob(context.get(), {});
  EXPECT_FALSE(watch->Read(&watched));
  EXPECT_TRUE(refused(watch->Finish()));
  const auto log_context = Context();
  v1::StreamTrialLogsResponse line;
  const auto logs = stub->StreamTrialLogs(log_context.get(), {});
  EXPECT_FALSE(logs->Read(&line));
  EXPECT_TRUE(refused(logs->Finish()));
}

TEST(AuthTest, AllMethodsOfTheServiceAreInTheTestAbove) {
  EXPECT_EQ(v1::TuningJob::descriptor()->file()->pool()->FindServiceByName("tuner.v1.TuningService")->method_count(),
            21);
}

TEST(AuthTest, HealthCheckIsOpenAndReflectionIsNot) {
  TestServer server(Listening());
  const auto channel = server.ChannelTo(0);
  grpc::health::v1::HealthCheckResponse health;
  ASSERT_TRUE(grpc::health::v1::Health::NewStub(channel)->Check(Context().get(), {}, &health).ok());
  EXPECT_EQ(health.status(), grpc::health::v1::HealthCheckResponse::SERVING);
  for (const bool with_token : {false, true}) {
    const auto context = Context(with_token ? *ReadServerToken(server.data_dir()) : "");
    const auto stub = grpc::reflection::v1alpha::ServerReflection::NewStub(channel);
    const auto stream = stub->ServerReflectionInfo(context.get());
    grpc::reflection::v1alpha::ServerReflectionRequest request;
    request.set_list_services("*");
    stream->Write(request);
    stream->WritesDone();
    grpc::reflection::v1alpha::ServerReflectionResponse response;
    EXPECT_EQ(stream->Read(&response), with_token);
    const grpc::Status status = stream->Finish();
    EXPECT_EQ(status.error_code(), with_token ? StatusCode::OK : StatusCode::UNAUTHENTICATED);
    if (!with_token) continue;
    std::vector<std::string> names;
    for (const auto& service : response.list_services_response().service()) names.push_back(service.name());
    EXPECT_THAT(names, testing::UnorderedElementsAre("tuner.v1.TuningService", "grpc.health.v1.Health",
                                                     "grpc.reflection.v1.ServerReflection",
                                                     "grpc.reflection.v1alpha.ServerReflection"));
  }
}

TEST(AuthTest, NoAuthOpensLoopback) {
  ServerConfig config = Listening();
  config.no_auth = true;
  TestServer server(config);
  EXPECT_TRUE(List(server.ChannelTo(0)).ok());
}

TEST(AuthTest, NamedTokensComeAndGoWithoutARestart) {
  TestServer server(Listening());
  const std::string token = *CreateToken(server.data_dir(), "ann", absl::Now());
  EXPECT_TRUE(List(server.ChannelTo(0), token).ok());
  const std::string other = *CreateToken(server.data_dir(), "bob", absl::Now());
  EXPECT_TRUE(List(server.ChannelTo(0), other).ok());
  ASSERT_TRUE(RevokeToken(server.data_dir(), "ann").ok());
  EXPECT_EQ(List(server.ChannelTo(0), token).error_code(), StatusCode::UNAUTHENTICATED);
  EXPECT_TRUE(List(server.ChannelTo(0), other).ok());
}

TEST(AuthTest, FilesAndSocketAreForTheirUserOnly) {
  TestServer server(Listening());
  ASSERT_TRUE(CreateToken(server.data_dir(), "ann", absl::Now()).ok());
  for (const char* name : {"token", "tokens", "secret", "socket"}) {
    struct stat info {};
    ASSERT_EQ(stat(absl::StrCat(server.data_dir(), "/", name).c_str(), &info), 0) << name;
    EXPECT_EQ(info.st_mode & 0777, 0600u) << name;
  }
}

class TrialTokenTest : public testing::Test {
 protected:
  TrialTokenTest() {
    job_ = Create(server_.stub(), AskTellSpec("job"));
    const v1::SuggestTrialsResponse held = Suggest(server_.stub(), job_.name(), "worker", 2);
    EXPECT_EQ(held.trials_size(), 2);
    trial_ = held.trials(0);
    other_ = held.trials(1);
    const auto authenticator = Authenticator::Open({server_.data_dir(), true});
    token_ = (*authenticator)->TrialToken(trial_.name(), 1);
  }

  grpc::Status Get(const std::string& name, const std::string& token) {
    v1::GetTrialRequest request;
    request.set_name(name);
    v1::Trial response;
    return stub_->GetTrial(Context(token).get(), request, &response);
  }
  grpc::Status Report(const std::string& name, int attempt, const std::string& token) {
    v1::ReportMeasurementsRequest request;
    request.set_name(name);
    request.set_attempt(attempt);
    v1::ReportMeasurementsResponse response;
    return stub_->ReportMeasurements(Context(token).get(), request, &response);
  }

  TestServer server_{Listening()};
  std::unique_ptr<v1::TuningService::Stub> stub_ = v1::TuningService::NewStub(server_.ChannelTo(0));
  v1::TuningJob job_;
  v1::Trial trial_, other_;
  std::string token_;
};

TEST_F(TrialTokenTest, IsGoodForItsOwnTrial) {
  EXPECT_TRUE(Get(trial_.name(), token_).ok());
  EXPECT_TRUE(Report(trial_.name(), 1, token_).ok());
  v1::CompleteTrialRequest request;
  request.set_name(trial_.name());
  request.set_attempt(1);
  (*request.mutable_final_metrics())["loss"] = 1;
  v1::Trial response;
  EXPECT_TRUE(stub_->CompleteTrial(Context(token_).get(), request, &response).ok());
}

TEST_F(TrialTokenTest, IsDeniedAllElse) {
  EXPECT_EQ(Get(other_.name(), token_).error_code(), StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(Report(other_.name(), 1, token_).error_code(), StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(Report(trial_.name(), 2, token_).error_code(), StatusCode::PERMISSION_DENIED);
  v1::StopTrialRequest stop;
  stop.set_name(trial_.name());
  v1::Trial stopped;
  EXPECT_EQ(stub_->StopTrial(Context(token_).get(), stop, &stopped).error_code(), StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(List(server_.ChannelTo(0), token_).error_code(), StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(List(server_.ChannelTo(1), token_).error_code(), StatusCode::PERMISSION_DENIED) << "also on the socket";
}

// What a container is given: whoever is in there has the trial's token and no more.
TEST_F(TrialTokenTest, TheSocketOfTrialsAsksForIt) {
  const std::string path = server_.data_dir() + "/trial/api.sock";
  const auto channel = grpc::CreateChannel("unix:" + path, grpc::InsecureChannelCredentials());
  EXPECT_EQ(List(channel).error_code(), StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(List(channel, token_).error_code(), StatusCode::PERMISSION_DENIED);
  const auto stub = v1::TuningService::NewStub(channel);
  v1::GetTrialRequest request;
  request.set_name(trial_.name());
  v1::Trial response;
  EXPECT_TRUE(stub->GetTrial(Context(token_).get(), request, &response).ok());
  // Any user of a container may connect; the way to it is closed to all others of the machine.
  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0666u);
  ASSERT_EQ(stat(server_.data_dir().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
}

TEST_F(TrialTokenTest, CannotBeForged) {
  std::string forged = token_;
  forged[10] = forged[10] == '0' ? '1' : '0';
  EXPECT_EQ(Get(trial_.name(), forged).error_code(), StatusCode::UNAUTHENTICATED);
  const std::string renamed = token_.substr(0, token_.rfind('.') + 1) + other_.name();
  EXPECT_EQ(Get(other_.name(), renamed).error_code(), StatusCode::UNAUTHENTICATED);
  for (const char* text : {"trial.", "trial.1", "trial.1.x", "trial..."}) {
    EXPECT_EQ(Get(trial_.name(), text).error_code(), StatusCode::UNAUTHENTICATED) << text;
  }
}

}  // namespace
}  // namespace tuner::server
