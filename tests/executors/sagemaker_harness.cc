#include "tests/executors/sagemaker_harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/filesystem/operations.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "executors/http_client.h"
#include "executors/sagemaker/names.h"
#include "gtest/gtest.h"

namespace tuner::executors {
namespace {

std::string MakeDataDir() {
  const char* base = getenv("TMPDIR");
  std::string path = absl::StrCat(base != nullptr ? base : "/tmp", "/tuner-sagemaker-XXXXXX");
  if (mkdtemp(path.data()) == nullptr) abort();
  return path;
}

std::string ScriptText(Script script) {
  switch (script) {
    case Script::kSucceed:
      return "succeed";
    case Script::kFail:
      return "fail AlgorithmError: no luck, exit code: 3";
    case Script::kMetrics:
      return "log loss=0.5; log loss=0.25; log loss=0.125; succeed";
    case Script::kMetricsThenWait:
      return "log loss=0.5; log loss=0.25; log loss=0.125; hang";
    case Script::kWait:
      return "hang";
  }
  return "";
}

}  // namespace

ScriptedSageMaker::ScriptedSageMaker() {
  int input[2], output[2];
  if (pipe2(input, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0) abort();
  pid_ = fork();
  if (pid_ == 0) {
    dup2(input[0], 0);
    dup2(output[1], 1);
    execl(TUNER_PYTHON, TUNER_PYTHON, TUNER_SCRIPTED_SAGEMAKER, nullptr);
    _exit(127);
  }
  close(input[0]);
  close(output[1]);
  input_.Reset(input[1]);
  const UniqueFd answer(output[0]);
  std::string text;
  for (char c; read(answer.get(), &c, 1) == 1 && c != '\n';) text += c;
  if (!absl::SimpleAtoi(text, &port_)) {
    ADD_FAILURE() << "the scripted SageMaker did not start; it needs Python 3";
    abort();
  }
}

ScriptedSageMaker::~ScriptedSageMaker() {
  input_.Reset();
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

std::string ScriptedSageMaker::endpoint() const { return absl::StrCat("http://127.0.0.1:", port_); }

void ScriptedSageMaker::Control(const std::string& json) {
  HttpClient http;
  HttpRequest request;
  request.method = "POST";
  request.url = endpoint() + "/control";
  request.body = json;
  const auto answer = http.Send(request);
  EXPECT_TRUE(answer.ok() && answer->code == 200) << answer.status();
}

std::string ScriptedSageMaker::Get(const std::string& path) {
  HttpClient http;
  HttpRequest request;
  request.url = endpoint() + path;
  const auto answer = http.Send(request);
  EXPECT_TRUE(answer.ok()) << answer.status();
  return answer.ok() ? answer->body : "{}";
}

std::string ScriptedSageMaker::Stats() { return Get("/stats"); }
std::string ScriptedSageMaker::Job(const std::string& name) { return Get("/job/" + name); }
int ScriptedSageMaker::Calls(const std::string& operation) {
  return nlohmann::json::parse(Stats())["calls"].value(operation, 0);
}

SageMakerHarness::SageMakerHarness() : data_dir_(MakeDataDir()), clock_(core::MakeSystemClock()) {
  setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1);
  setenv("AWS_SECRET_ACCESS_KEY", "planted-secret-access-key", 1);
  pace_.poll_interval = absl::Milliseconds(20);
  pace_.sweep_interval = absl::Milliseconds(500);
  pace_.log_gap = absl::Milliseconds(1);
  pace_.first_retry = absl::Milliseconds(20);
  pace_.last_retry = absl::Milliseconds(200);
  pace_.limit_retry = absl::Milliseconds(100);
  Restart();
}

SageMakerHarness::~SageMakerHarness() {
  executor_.reset();
  boost::system::error_code ignored;
  boost::filesystem::remove_all(data_dir_, ignored);
}

RunSpec SageMakerHarness::Spec(const RunId& id, Script script) { return Scripted(id, ScriptText(script)); }

RunSpec SageMakerHarness::Scripted(const RunId& id, const std::string& script,
                                   const std::function<void(v1::SageMakerExecutor&)>& change) {
  v1::SageMakerExecutor options;
  options.set_training_image("123456789012.dkr.ecr.us-east-1.amazonaws.com/image:1");
  options.set_role_arn("arn:aws:iam::123456789012:role/trainer");
  options.set_output_s3_uri("s3://bucket/out");
  options.set_region("us-east-1");
  options.set_endpoint(service_.endpoint());
  options.set_logs_endpoint(service_.endpoint());
  options.set_s3_endpoint(service_.endpoint());
  options.add_instance_types("ml.m5.large");
  if (change) change(options);
  RunSpec spec;
  spec.id = id;
  spec.options = {"sagemaker", options.SerializeAsString()};
  spec.metrics = {{"loss", "loss=([0-9.einfa+-]+)"}};
  spec.objective_metric = "loss";
  spec.environment["SCRIPT"] = script;
  return spec;
}

RunEnded SageMakerHarness::Run(const RunSpec& spec) {
  const absl::Status launched = executor_->Launch(spec);
  EXPECT_TRUE(launched.ok()) << launched;
  return recorder_->AwaitEnded(spec.id);
}

void SageMakerHarness::Restart() {
  executor_.reset();
  recorder_ = std::make_unique<RunRecorder>();
  ExecutorContext context;
  context.data_dir = data_dir_;
  context.clock = clock_.get();
  context.listener = recorder_.get();
  auto executor = sagemaker::MakeSageMakerExecutor(context, pace_);
  if (!executor.ok()) abort();
  executor_ = *std::move(executor);
}

int SageMakerHarness::Starts(const RunId& id) {
  return nlohmann::json::parse(service_.Stats())["starts"].value(sagemaker::TrainingJobName(id, 0), 0);
}

std::string SageMakerHarness::Output(const RunId& id) const {
  std::ifstream file(absl::StrCat(data_dir_, "/jobs/", id.job_id, "/", id.trial, "/", id.attempt, "/stdout.log"));
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace tuner::executors
