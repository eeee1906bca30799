// A server as a whole: where it listens, what it refuses, and what is there after a restart.
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "google/protobuf/descriptor.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "grpcpp/create_channel.h"
#include "gtest/gtest.h"
#include "tests/server/test_server.h"
#include "tuner/server/files.h"
#include "tuner/server/tokens.h"

namespace tuner::server {
namespace {

using testing::HasSubstr;

TEST(ServerTest, BindsFreePortsAndSockets) {
  ServerConfig config;
  config.listen = {"127.0.0.1:0", "[::1]:0", "unix"};
  TestServer server(config);
  const std::vector<std::string> addresses = server.server().addresses();
  ASSERT_EQ(addresses.size(), 3u);
  EXPECT_THAT(addresses[0], testing::MatchesRegex("127\\.0\\.0\\.1:[1-9][0-9]*"));
  EXPECT_THAT(addresses[1], testing::MatchesRegex("\\[::1\\]:[1-9][0-9]*"));
  EXPECT_EQ(addresses[2], absl::StrCat("unix:", server.data_dir(), "/socket"));
}

TEST(ServerTest, ATakenAddressIsRefused) {
  ServerConfig config;
  config.listen = {"127.0.0.1:0", "unix"};
  TestServer server(config);
  for (const std::string& address : server.server().addresses()) {
    const TemporaryFolder folder;
    ServerConfig second;
    second.data_dir = folder.path();
    second.storage_uri = "memory:";
    second.listen = {address};
    const absl::Status status = StartServer(second).status();
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(address));
  }
  v1::ListTuningJobsResponse response;
  EXPECT_TRUE(v1::TuningService::NewStub(server.ChannelTo(1))->ListTuningJobs(Context().get(), {}, &response).ok())
      << "the socket is still the first server's";
}

TEST(ServerTest, ASecondServerOnTheSameFolderIsRefused) {
  const TemporaryFolder folder;
  ServerConfig config;
  config.data_dir = folder.path();
  const auto first = StartServer(config);
  ASSERT_TRUE(first.ok()) << first.status();
  const absl::Status status = StartServer(config).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
}

TEST(ServerTest, BadConfigurations) {
  const TemporaryFolder folder;
  ServerConfig config;
  EXPECT_TRUE(absl::IsInvalidArgument(StartServer(config).status())) << "no folder";
  config.data_dir = folder.path();
  config.storage_uri = "nothing:";
  EXPECT_TRUE(absl::IsInvalidArgument(StartServer(config).status()));
  config.storage_uri = "memory:";
  config.listen = {"nowhere"};
  EXPECT_TRUE(absl::IsInvalidArgument(StartServer(config).status()));
  config.listen = {"0.0.0.0:0"};
  EXPECT_TRUE(absl::IsFailedPrecondition(StartServer(config).status()));
  config.tls_cert = config.tls_key = folder.path() + "/none";
  EXPECT_TRUE(absl::IsNotFound(StartServer(config).status()));
}

TEST(ServerTest, WhatWasAnsweredIsThereAfterARestart) {
  const TemporaryFolder folder;
  ServerConfig config;
  config.data_dir = folder.path();
  std::string held;
  {
    const auto server = StartServer(config);
    ASSERT_TRUE(server.ok()) << server.status();
    const auto stub = v1::TuningService::NewStub((*server)->InProcessChannel());
    Create(*stub, AskTellSpec("job"));
    ASSERT_TRUE(Complete(*stub, Suggest(*stub, "tuningJobs/job", "w").trials(0), 1.5).ok());
    held = Suggest(*stub, "tuningJobs/job", "w").trials(0).name();
  }
  const auto server = StartServer(config);
  ASSERT_TRUE(server.ok()) << server.status();
  const auto stub = v1::TuningService::NewStub((*server)->InProcessChannel());
  const v1::SuggestTrialsResponse again = Suggest(*stub, "tuningJobs/job", "w");
  ASSERT_EQ(again.trials_size(), 1);
  EXPECT_EQ(again.trials(0).name(), held);
  v1::GetTuningJobRequest request;
  request.set_name("tuningJobs/job");
  v1::TuningJob job;
  ASSERT_TRUE(stub->GetTuningJob(Context().get(), request, &job).ok());
  EXPECT_EQ(job.best_trial().objective(), 1.5);
}

// A git that never ends, first on the path.
class HangingGit {
 public:
  HangingGit() : path_(std::getenv("PATH")) {
    const std::string program = folder_.path() + "/git";
    std::ofstream(program) << "#!/bin/sh\nexec sleep 1000\n";
    chmod(program.c_str(), 0755);
    setenv("PATH", absl::StrCat(folder_.path(), ":", path_).c_str(), 1);
  }
  ~HangingGit() { setenv("PATH", path_.c_str(), 1); }

 private:
  const TemporaryFolder folder_;
  const std::string path_;
};

TEST(ServerTest, AHangingGitDelaysCreationsOnly) {
  const HangingGit git;
  TestServer server;
  v1::TuningJobSpec spec = AskTellSpec("job");
  spec.mutable_trial()->mutable_process()->add_command("true");
  grpc::CompletionQueue queue;
  struct Call {
    std::unique_ptr<grpc::ClientContext> context = Context();
    v1::CreateTuningJobResponse response;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<v1::CreateTuningJobResponse>> reader;
  };
  std::vector<Call> calls(4);
  for (size_t i = 0; i < calls.size(); ++i) {
    v1::CreateTuningJobRequest request;
    spec.set_name(absl::StrCat("job-", i));
    *request.mutable_spec() = spec;
    request.set_validate_only(true);
    calls[i].reader = server.stub().AsyncCreateTuningJob(calls[i].context.get(), request, &queue);
    calls[i].reader->Finish(&calls[i].response, &calls[i].status, &calls[i]);
  }
  v1::ListTuningJobsResponse listed;
  EXPECT_TRUE(server.stub().ListTuningJobs(Context().get(), {}, &listed).ok());
  void* tag = nullptr;
  bool ok = false;
  EXPECT_EQ(queue.AsyncNext(&tag, &ok, gpr_time_0(GPR_CLOCK_REALTIME)), grpc::CompletionQueue::TIMEOUT)
      << "the list came before the first creation";
  for (size_t i = 0; i < calls.size(); ++i) ASSERT_TRUE(queue.Next(&tag, &ok));
  for (const Call& call : calls) {
    EXPECT_TRUE(call.status.ok()) << call.status.error_message();
    EXPECT_EQ(call.response.job().provenance().git_revision(), "");
  }
}

TEST(ServerTest, CallsAfterTheShutdownAreUnavailable) {
  ServerConfig config;
  config.listen = {"unix"};
  TestServer server(config);
  const auto stub = v1::TuningService::NewStub(server.ChannelTo(0));
  v1::ListTuningJobsResponse response;
  ASSERT_TRUE(stub->ListTuningJobs(Context().get(), {}, &response).ok());
  server.server().Shutdown();
  server.server().Shutdown();
  EXPECT_EQ(stub->ListTuningJobs(Context().get(), {}, &response).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST(ServerTest, AWaitingAskDoesNotDelayTheShutdown) {
  TestServer server;
  Create(server.stub(), AskTellSpec("job", 1));
  ASSERT_EQ(Suggest(server.stub(), "tuningJobs/job", "w").trials_size(), 1);
  v1::SuggestTrialsRequest request;
  request.set_parent("tuningJobs/job");
  request.set_worker_id("other");
  request.mutable_deadline()->set_seconds(60);
  v1::SuggestTrialsResponse response;
  const auto context = Context();
  grpc::CompletionQueue queue;
  const auto call = server.stub().AsyncSuggestTrials(context.get(), request, &queue);
  grpc::Status status;
  call->Finish(&response, &status, nullptr);
  server.server().Shutdown();
  void* tag = nullptr;
  bool ok = false;
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_TRUE(status.ok() || status.error_code() == grpc::StatusCode::UNAVAILABLE) << status.error_message();
}

// A certificate for 127.0.0.1, made by the openssl program.
bool MakeCertificate(const std::string& folder) {
  const std::string command =
      absl::StrCat("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 ",
                   "-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1,DNS:localhost -keyout ", folder,
                   "/key.pem -out ", folder, "/cert.pem > /dev/null 2>&1");
  return std::system(command.c_str()) == 0;
}

TEST(TlsTest, EncryptsAndStillAsksForAToken) {
  const TemporaryFolder folder;
  if (!MakeCertificate(folder.path())) GTEST_SKIP() << "the openssl program is not there";
  ServerConfig config;
  config.listen = {"127.0.0.1:0"};
  config.tls_cert = folder.path() + "/cert.pem";
  config.tls_key = folder.path() + "/key.pem";
  TestServer server(config);
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = *ReadFile(config.tls_cert);
  const auto stub =
      v1::TuningService::NewStub(grpc::CreateChannel(server.server().addresses().at(0), grpc::SslCredentials(options)));
  v1::ListTuningJobsResponse response;
  EXPECT_EQ(stub->ListTuningJobs(Context().get(), {}, &response).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  const std::string token = *ReadServerToken(server.data_dir());
  const grpc::Status status = stub->ListTuningJobs(Context(token).get(), {}, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  const auto plain = v1::TuningService::NewStub(server.ChannelTo(0));
  EXPECT_EQ(plain->ListTuningJobs(Context(token).get(), {}, &response).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST(HealthTest, KnowsItsServices) {
  TestServer server;
  const auto stub = grpc::health::v1::Health::NewStub(server.server().InProcessChannel());
  grpc::health::v1::HealthCheckRequest request;
  grpc::health::v1::HealthCheckResponse response;
  request.set_service("tuner.v1.TuningService");
  ASSERT_TRUE(stub->Check(Context().get(), request, &response).ok());
  EXPECT_EQ(response.status(), grpc::health::v1::HealthCheckResponse::SERVING);
  request.set_service("none");
  EXPECT_EQ(stub->Check(Context().get(), request, &response).error_code(), grpc::StatusCode::NOT_FOUND);
  const auto context = Context();
  const auto watch = stub->Watch(context.get(), request);
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), grpc::health::v1::HealthCheckResponse::SERVICE_UNKNOWN);
  context->TryCancel();
  watch->Finish();
}

TEST(ReflectionTest, DescribesEveryServiceWithAllThatItImports) {
  TestServer server;
  const auto stub = grpc::reflection::v1alpha::ServerReflection::NewStub(server.server().InProcessChannel());
  const auto context = Context();
  const auto stream = stub->ServerReflectionInfo(context.get());
  grpc::reflection::v1alpha::ServerReflectionRequest request;
  grpc::reflection::v1alpha::ServerReflectionResponse response;
  for (const char* symbol : {"tuner.v1.TuningService", "grpc.health.v1.Health", "tuner.v1.TuningService.GetTrial"}) {
    request.set_file_containing_symbol(symbol);
    ASSERT_TRUE(stream->Write(request));
    ASSERT_TRUE(stream->Read(&response));
    google::protobuf::DescriptorPool pool;
    const auto& files = response.file_descriptor_response().file_descriptor_proto();
    ASSERT_GT(files.size(), 0) << symbol;
    for (auto file = files.rbegin(); file != files.rend(); ++file) {
      google::protobuf::FileDescriptorProto proto;
      ASSERT_TRUE(proto.ParseFromString(*file));
    }
    google::protobuf::FileDescriptorProto first;
    ASSERT_TRUE(first.ParseFromString(files.Get(0)));
    EXPECT_GE(files.size(), 1 + first.dependency_size()) << symbol;
  }
  request.set_file_containing_symbol("none");
  ASSERT_TRUE(stream->Write(request));
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.error_response().error_code(), grpc::StatusCode::NOT_FOUND);
  stream->WritesDone();
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
}

}  // namespace
}  // namespace tuner::server
