#include "tests/server/test_server.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grpcpp/create_channel.h"
#include "gtest/gtest.h"

namespace tuner::server {

TemporaryFolder::TemporaryFolder() {
  std::string name = std::filesystem::temp_directory_path() / "tuner-test-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) std::abort();
  path_ = std::move(name);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
}

TestServer::TestServer(ServerConfig config) : config_(std::move(config)) {
  config_.data_dir = folder_.path();
  if (config_.storage_uri.empty()) config_.storage_uri = "memory:";
  for (std::string& address : config_.listen) {
    if (address == "unix") address = absl::StrCat("unix:", folder_.path(), "/socket");
  }
  Start();
}

void TestServer::Start() {
  absl::StatusOr<std::unique_ptr<Server>> server = StartServer(config_);
  if (!server.ok()) {
    ADD_FAILURE() << server.status();
    std::abort();
  }
  server_ = *std::move(server);
  stub_ = v1::TuningService::NewStub(server_->InProcessChannel());
}

void TestServer::Restart() {
  stub_.reset();
  server_.reset();
  Start();
}

std::shared_ptr<grpc::Channel> TestServer::ChannelTo(int address) const {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(server_->addresses().at(address), grpc::InsecureChannelCredentials(), arguments);
}

std::unique_ptr<grpc::ClientContext> Context(const std::string& token) {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
  if (!token.empty()) context->AddMetadata("authorization", absl::StrCat("Bearer ", token));
  return context;
}

v1::TuningJobSpec AskTellSpec(const std::string& name, int max_trials, int parallel) {
  v1::TuningJobSpec spec;
  spec.set_name(name);
  spec.mutable_objective()->set_metric("loss");
  spec.mutable_objective()->set_goal(v1::Objective::MINIMIZE);
  v1::Parameter& x = *spec.add_parameters();
  x.set_name("x");
  x.mutable_double_()->set_min(0);
  x.mutable_double_()->set_max(1);
  spec.mutable_strategy()->mutable_random();
  spec.mutable_limits()->set_max_trials(max_trials);
  spec.mutable_limits()->set_max_parallel_trials(std::min(parallel, max_trials));
  spec.mutable_trial()->mutable_external();
  return spec;
}

v1::TuningJob Create(TestServer::Stub& stub, const v1::TuningJobSpec& spec) {
  v1::CreateTuningJobRequest request;
  *request.mutable_spec() = spec;
  v1::CreateTuningJobResponse response;
  const grpc::Status status = stub.CreateTuningJob(Context().get(), request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response.job();
}

v1::SuggestTrialsResponse Suggest(TestServer::Stub& stub, const std::string& job_name, const std::string& worker,
                                  int count, const std::string& request_id) {
  v1::SuggestTrialsRequest request;
  request.set_parent(job_name);
  request.set_worker_id(worker);
  request.set_count(count);
  request.set_request_id(request_id);
  request.mutable_deadline()->set_seconds(20);
  v1::SuggestTrialsResponse response;
  const grpc::Status status = stub.SuggestTrials(Context().get(), request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response;
}

grpc::Status Complete(TestServer::Stub& stub, const v1::Trial& trial, double objective, v1::Trial* answer) {
  v1::CompleteTrialRequest request;
  request.set_name(trial.name());
  request.set_attempt(trial.attempts().rbegin()->number());
  (*request.mutable_final_metrics())["loss"] = objective;
  v1::Trial ignored;
  return stub.CompleteTrial(Context().get(), request, answer == nullptr ? &ignored : answer);
}

}  // namespace tuner::server
