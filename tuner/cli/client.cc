#include "tuner/cli/client.h"

#include <chrono>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "grpcpp/grpcpp.h"
#include "tuner/v1/tuning_service.grpc.pb.h"

namespace tuner::cli {
namespace {

using v1::TuningService;

class GrpcClient;

absl::Status Translate(const grpc::Status& status, const std::string& address) {
  if (status.ok()) return absl::OkStatus();
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  if (code == absl::StatusCode::kDeadlineExceeded) {
    return absl::DeadlineExceededError(absl::StrCat("the server at ", address, " did not answer in time."));
  }
  // gRPC's own words for "nobody is there"; a server's refusal is a sentence of ours and is passed on.
  const std::string message = status.error_message();
  if (code == absl::StatusCode::kUnavailable &&
      (absl::StrContains(message, "failed to connect") || absl::StrContains(message, "Socket closed") ||
       absl::StrContains(message, "Connection reset") || absl::StrContains(message, "connections to all backends") ||
       absl::StrContains(message, "DNS resolution failed") || absl::StrContains(message, "Broken pipe") ||
       absl::StrContains(message, "GOAWAY") || absl::StrContains(message, "UNAVAILABLE:") || message.empty())) {
    return absl::UnavailableError(absl::StrCat("cannot reach the server at ", address,
                                               ".\nIs `tuner serve` running there, and is the address right?"));
  }
  return absl::Status(code, message);
}

// A replay takes as long as all fits of its job took.
constexpr absl::Duration kLongestReplay = absl::Hours(24);

template <typename Response>
class GrpcStream : public Stream<Response> {
 public:
  GrpcStream(std::string address, const std::string& token) : address_(std::move(address)) {
    if (!token.empty()) context_.AddMetadata("authorization", "Bearer " + token);
  }
  ~GrpcStream() override {
    if (!reader_ || finished_) return;
    context_.TryCancel();
    Response ignored;
    while (reader_->Read(&ignored)) {
    }
    reader_->Finish();
  }
  grpc::ClientContext* context() { return &context_; }
  void Open(std::unique_ptr<grpc::ClientReader<Response>> reader) { reader_ = std::move(reader); }

  bool Next(Response& response) override { return reader_->Read(&response); }
  absl::Status Finish() override {
    finished_ = true;
    return Translate(reader_->Finish(), address_);
  }
  void Cancel() override { context_.TryCancel(); }

 private:
  std::string address_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<Response>> reader_;
  bool finished_ = false;
};

class GrpcClient : public Client {
 public:
  GrpcClient(const std::shared_ptr<grpc::Channel>& channel, std::string address, std::string token,
             absl::Duration timeout)
      : stub_(TuningService::NewStub(channel)),
        address_(std::move(address)),
        token_(std::move(token)),
        timeout_(timeout) {}

  absl::StatusOr<v1::CreateTuningJobResponse> Call(const v1::CreateTuningJobRequest& request) override {
    return Unary<v1::CreateTuningJobResponse>(&TuningService::Stub::CreateTuningJob, request);
  }
  absl::StatusOr<v1::TuningJob> Call(const v1::GetTuningJobRequest& request) override {
    return Unary<v1::TuningJob>(&TuningService::Stub::GetTuningJob, request);
  }
  absl::StatusOr<v1::ListTuningJobsResponse> Call(const v1::ListTuningJobsRequest& request) override {
    return Unary<v1::ListTuningJobsResponse>(&TuningService::Stub::ListTuningJobs, request);
  }
  absl::StatusOr<v1::TuningJob> Call(const v1::UpdateTuningJobRequest& request) override {
    return Unary<v1::TuningJob>(&TuningService::Stub::UpdateTuningJob, request);
  }
  absl::StatusOr<v1::TuningJob> Call(const v1::StopTuningJobRequest& request) override {
    return Unary<v1::TuningJob>(&TuningService::Stub::StopTuningJob, request);
  }
  absl::StatusOr<google::protobuf::Empty> Call(const v1::DeleteTuningJobRequest& request) override {
    return Unary<google::protobuf::Empty>(&TuningService::Stub::DeleteTuningJob, request);
  }
  absl::StatusOr<v1::Trial> Call(const v1::GetTrialRequest& request) override {
    return Unary<v1::Trial>(&TuningService::Stub::GetTrial, request);
  }
  absl::StatusOr<v1::ListTrialsResponse> Call(const v1::ListTrialsRequest& request) override {
    return Unary<v1::ListTrialsResponse>(&TuningService::Stub::ListTrials, request);
  }
  absl::StatusOr<v1::Trial> Call(const v1::StopTrialRequest& request) override {
    return Unary<v1::Trial>(&TuningService::Stub::StopTrial, request);
  }
  absl::StatusOr<v1::AddTrialsResponse> Call(const v1::AddTrialsRequest& request) override {
    return Unary<v1::AddTrialsResponse>(&TuningService::Stub::AddTrials, request);
  }
  absl::StatusOr<v1::SuggestTrialsResponse> Call(const v1::SuggestTrialsRequest& request) override {
    return Unary<v1::SuggestTrialsResponse>(&TuningService::Stub::SuggestTrials, request,
                                            absl::Seconds(request.deadline().seconds()));
  }
  absl::StatusOr<v1::ReportMeasurementsResponse> Call(const v1::ReportMeasurementsRequest& request) override {
    return Unary<v1::ReportMeasurementsResponse>(&TuningService::Stub::ReportMeasurements, request);
  }
  absl::StatusOr<v1::Trial> Call(const v1::CompleteTrialRequest& request) override {
    return Unary<v1::Trial>(&TuningService::Stub::CompleteTrial, request);
  }
  absl::StatusOr<v1::ReplayTuningJobResponse> Call(const v1::ReplayTuningJobRequest& request) override {
    return Unary<v1::ReplayTuningJobResponse>(&TuningService::Stub::ReplayTuningJob, request, kLongestReplay);
  }
  absl::StatusOr<v1::ExplainTuningJobResponse> Call(const v1::ExplainTuningJobRequest& request) override {
    return Unary<v1::ExplainTuningJobResponse>(&TuningService::Stub::ExplainTuningJob, request);
  }
  absl::StatusOr<v1::CompareTuningJobsResponse> Call(const v1::CompareTuningJobsRequest& request) override {
    return Unary<v1::CompareTuningJobsResponse>(&TuningService::Stub::CompareTuningJobs, request);
  }
  absl::StatusOr<v1::ListStrategiesResponse> Call(const v1::ListStrategiesRequest& request) override {
    return Unary<v1::ListStrategiesResponse>(&TuningService::Stub::ListStrategies, request);
  }
  absl::StatusOr<v1::ListExecutorsResponse> Call(const v1::ListExecutorsRequest& request) override {
    return Unary<v1::ListExecutorsResponse>(&TuningService::Stub::ListExecutors, request);
  }
  absl::StatusOr<v1::ListEarlyStoppingRulesResponse> Call(const v1::ListEarlyStoppingRulesRequest& request) override {
    return Unary<v1::ListEarlyStoppingRulesResponse>(&TuningService::Stub::ListEarlyStoppingRules, request);
  }

  std::unique_ptr<WatchStream> Watch(const v1::WatchTuningJobRequest& request) override {
    auto stream = std::make_unique<GrpcStream<v1::WatchTuningJobResponse>>(address_, token_);
    stream->Open(stub_->WatchTuningJob(stream->context(), request));
    return stream;
  }
  std::unique_ptr<LogStream> Logs(const v1::StreamTrialLogsRequest& request) override {
    auto stream = std::make_unique<GrpcStream<v1::StreamTrialLogsResponse>>(address_, token_);
    stream->Open(stub_->StreamTrialLogs(stream->context(), request));
    return stream;
  }

 private:
  template <typename Response, typename Method, typename Request>
  absl::StatusOr<Response> Unary(Method method, const Request& request,
                                 absl::Duration more_time = absl::ZeroDuration()) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(timeout_ + more_time));
    if (!token_.empty()) context.AddMetadata("authorization", "Bearer " + token_);
    Response response;
    const grpc::Status status = ((*stub_).*method)(&context, request, &response);
    if (!status.ok()) return Translate(status, address_);
    return response;
  }

  std::unique_ptr<TuningService::Stub> stub_;
  const std::string address_;
  const std::string token_;
  const absl::Duration timeout_;
};

}  // namespace

std::unique_ptr<Client> MakeClient(std::shared_ptr<grpc::Channel> channel, std::string address, std::string token,
                                   absl::Duration timeout) {
  return std::make_unique<GrpcClient>(std::move(channel), std::move(address), std::move(token), timeout);
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const std::string& endpoint, const std::string& ca_file) {
  absl::string_view target = endpoint;
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (absl::ConsumePrefix(&target, "https://") || !ca_file.empty()) {
    grpc::SslCredentialsOptions options;
    if (!ca_file.empty()) {
      std::ifstream file(ca_file, std::ios::binary);
      if (!file) return absl::NotFoundError(absl::StrCat("cannot read the certificate file ", ca_file, "."));
      options.pem_root_certs.assign(std::istreambuf_iterator<char>(file), {});
    }
    credentials = grpc::SslCredentials(options);
  } else {
    absl::ConsumePrefix(&target, "http://");
  }
  if (target.empty() || (!absl::StartsWith(target, "unix:") && !absl::StrContains(target, ":"))) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the endpoint \"", endpoint, "\" is not an address. Write host:port, https://host:port or unix:/path."));
  }
  return grpc::CreateCustomChannel(std::string(target), credentials, arguments);
}

bool Answers(grpc::Channel& channel, absl::Duration timeout) {
  const auto deadline = std::chrono::system_clock::now() + absl::ToChronoMilliseconds(timeout);
  grpc_connectivity_state state = channel.GetState(true);
  while (state != GRPC_CHANNEL_READY) {
    // A refused connection is an answer too: the channel would try again, a person at a shell would not.
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE || state == GRPC_CHANNEL_SHUTDOWN) return false;
    if (!channel.WaitForStateChange(state, deadline)) return false;
    state = channel.GetState(true);
  }
  return true;
}

}  // namespace tuner::cli
