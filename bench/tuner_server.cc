#include "bench/tuner_server.h"

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "grpcpp/grpcpp.h"

namespace tuner::bench {
namespace {

constexpr absl::Duration kStartPatience = absl::Minutes(2);

// Until the health service says that every job is loaded and calls are taken.
absl::Status AwaitServing(const std::string& endpoint, absl::Time until) {
  const std::string serving("\x08\x01");  // grpc.health.v1.HealthCheckResponse{status: SERVING}
  while (true) {
    auto answer = CallOnce(endpoint, {"/grpc.health.v1.Health/Check", grpc::ByteBuffer(nullptr, 0)});
    if (!answer.ok()) return answer.status();
    grpc::Slice bytes;
    if (answer->DumpToSingleSlice(&bytes).ok() && serving == std::string(bytes.begin(), bytes.end())) {
      return absl::OkStatus();
    }
    if (absl::Now() > until) return absl::DeadlineExceededError("the server does not get ready");
    absl::SleepFor(absl::Milliseconds(2));
  }
}

class TunerDialogue : public Dialogue {
 public:
  TunerDialogue(std::string job, int worker) : job_(std::move(job)), worker_(absl::StrCat("worker-", worker)) {}

  Call Begin() override {
    v1::SuggestTrialsRequest request;
    request.set_parent(job_);
    request.set_worker_id(worker_);
    request.mutable_deadline()->set_seconds(10);
    step_ = Step::kAsked;
    return MakeCall(absl::StrCat(kService, "SuggestTrials"), request);
  }

  absl::StatusOr<std::optional<Call>> Next(grpc::ByteBuffer& answer) override {
    switch (step_) {
      case Step::kAsked:
        return Report(answer);
      case Step::kReported:
        return Complete();
      case Step::kCompleted:
        break;
    }
    return std::nullopt;
  }

 private:
  enum class Step { kAsked, kReported, kCompleted };

  absl::StatusOr<std::optional<Call>> Report(grpc::ByteBuffer& answer) {
    v1::SuggestTrialsResponse response;
    if (!ReadAnswer(answer, &response)) return absl::InternalError("not a SuggestTrialsResponse");
    if (response.trials().empty()) return absl::UnavailableError(absl::StrCat("no trial: ", response.reason()));
    trial_ = response.trials(0).name();
    attempt_ = response.trials(0).attempts().rbegin()->number();
    v1::ReportMeasurementsRequest request;
    request.set_name(trial_);
    request.set_attempt(attempt_);
    request.set_worker_id(worker_);
    v1::Measurement* measurement = request.add_measurements();
    measurement->set_metric("loss");
    measurement->set_step(1);
    measurement->set_value(0.5);
    step_ = Step::kReported;
    return MakeCall(absl::StrCat(kService, "ReportMeasurements"), request);
  }

  std::optional<Call> Complete() {
    v1::CompleteTrialRequest request;
    request.set_name(trial_);
    request.set_attempt(attempt_);
    request.set_worker_id(worker_);
    (*request.mutable_final_metrics())["loss"] = 0.25;
    step_ = Step::kCompleted;
    return MakeCall(absl::StrCat(kService, "CompleteTrial"), request);
  }

  const std::string job_;
  const std::string worker_;
  Step step_ = Step::kAsked;
  std::string trial_;
  int attempt_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<TunerServer>> TunerServer::Start(
    const Context& context, const std::string& storage,
    const std::function<absl::Status(const std::string& data_dir)>& prepare) {
  std::unique_ptr<TunerServer> server(new TunerServer(context));
  server->storage_ = storage;
  const std::string data = server->File("data");
  std::filesystem::create_directory(data);
  std::filesystem::permissions(data, std::filesystem::perms::owner_all);
  if (prepare) {
    if (absl::Status status = prepare(data); !status.ok()) return status;
  }
  if (absl::Status status = server->Launch(context); !status.ok()) {
    return absl::Status(status.code(), absl::StrCat(status.message(), "\n", ReadFile(server->File("server.log"))));
  }
  return server;
}

absl::Status TunerServer::Launch(const Context& context) {
  auto port = FreePort();
  if (!port.ok()) return port.status();
  endpoint_ = absl::StrCat("127.0.0.1:", *port);
  std::vector<std::string> command = {absl::StrCat(context.options.programs, "/tuner"),
                                      "serve",
                                      "--data",
                                      File("data"),
                                      "--listen",
                                      endpoint_,
                                      "--no-auth"};
  if (storage_ == "memory") command.insert(command.end(), {"--storage", "memory:"});
  const absl::Time begin = absl::Now();
  auto program = Program::Start(command, File("server.log"));
  if (!program.ok()) return program.status();
  program_ = *std::move(program);
  // A connection that is refused is tried again after a second by gRPC, so wait for the port without it.
  if (absl::Status status = AwaitPort(*port, kStartPatience); !status.ok()) return status;
  if (absl::Status status = AwaitServing(endpoint_, begin + kStartPatience); !status.ok()) return status;
  start_time_ = absl::Now() - begin;
  stub_ = v1::TuningService::NewStub(grpc::CreateChannel(endpoint_, grpc::InsecureChannelCredentials()));
  return absl::OkStatus();
}

absl::StatusOr<v1::TuningJob> TunerServer::Create(const v1::TuningJobSpec& spec) const {
  v1::CreateTuningJobRequest request;
  *request.mutable_spec() = spec;
  v1::CreateTuningJobResponse response;
  grpc::ClientContext context;
  const grpc::Status status = stub_->CreateTuningJob(&context, request, &response);
  if (!status.ok()) return absl::UnavailableError(absl::StrCat("CreateTuningJob: ", status.error_message()));
  return response.job();
}

absl::StatusOr<v1::TuningJob> TunerServer::Get(const std::string& name) const {
  v1::GetTuningJobRequest request;
  request.set_name(name);
  v1::TuningJob job;
  grpc::ClientContext context;
  const grpc::Status status = stub_->GetTuningJob(&context, request, &job);
  if (!status.ok()) return absl::UnavailableError(absl::StrCat("GetTuningJob: ", status.error_message()));
  return job;
}

absl::Status TunerServer::StopJob(const std::string& name) const {
  v1::StopTuningJobRequest request;
  request.set_name(name);
  v1::TuningJob job;
  grpc::ClientContext context;
  const grpc::Status status = stub_->StopTuningJob(&context, request, &job);
  if (!status.ok()) return absl::UnavailableError(absl::StrCat("StopTuningJob: ", status.error_message()));
  return absl::OkStatus();
}

absl::Status TunerServer::Restart(const Context& context) {
  program_.reset();
  return Launch(context);
}

absl::StatusOr<v1::TuningJob> TunerServer::AwaitEnd(const std::string& name, absl::Duration patience) const {
  const absl::Time end = absl::Now() + patience;
  while (true) {
    auto job = Get(name);
    if (!job.ok() || (job->state() != v1::TuningJob::RUNNING && job->state() != v1::TuningJob::STOPPING)) return job;
    if (absl::Now() > end) return absl::DeadlineExceededError(absl::StrCat(name, " does not end"));
    absl::SleepFor(absl::Milliseconds(50));
  }
}

v1::TuningJobSpec RandomJob(const std::string& name, int max_trials, int max_parallel_trials) {
  v1::TuningJobSpec spec;
  spec.set_name(name);
  spec.mutable_objective()->set_metric("loss");
  spec.mutable_objective()->set_goal(v1::Objective::MINIMIZE);
  for (int i = 0; i < 5; ++i) {
    v1::Parameter* parameter = spec.add_parameters();
    parameter->set_name(absl::StrCat("x", i));
    parameter->mutable_double_()->set_max(1);
  }
  spec.mutable_strategy()->mutable_random();
  spec.mutable_strategy()->set_random_seed(1);
  spec.mutable_limits()->set_max_trials(max_trials);
  spec.mutable_limits()->set_max_parallel_trials(max_parallel_trials);
  return spec;
}

std::unique_ptr<Dialogue> AskReportComplete(const std::string& job_name, int worker) {
  return std::make_unique<TunerDialogue>(job_name, worker);
}

}  // namespace tuner::bench
