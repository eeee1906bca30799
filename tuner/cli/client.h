// The service as plain calls that answer absl::StatusOr. Keeps gRPC's headers out of the verbs.
//
// Threads: every method may be called from any thread; one Stream belongs to the thread that reads it, except for
// Cancel. Ownership: a stream outlives neither its client nor its channel. Errors: the server's status as it came;
// UNAVAILABLE with the address if nobody answers.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tuner/v1/tuning_service.pb.h"

namespace grpc {
class Channel;
}

namespace tuner::cli {

// A server stream. Destruction cancels it.
template <typename Response>
class Stream {
 public:
  virtual ~Stream() = default;
  // Waits for the next message; false: the stream has ended, see Finish.
  virtual bool Next(Response& response) = 0;
  // Once, after Next was false: how it ended. OK: the server closed it.
  virtual absl::Status Finish() = 0;
  // Any thread: Next returns false soon.
  virtual void Cancel() = 0;
};
using WatchStream = Stream<v1::WatchTuningJobResponse>;
using LogStream = Stream<v1::StreamTrialLogsResponse>;

class Client {
 public:
  // One overload per method of the service, told apart by its request.
  virtual ~Client() = default;
  virtual absl::StatusOr<v1::CreateTuningJobResponse> Call(const v1::CreateTuningJobRequest& request) = 0;
  virtual absl::StatusOr<v1::TuningJob> Call(const v1::GetTuningJobRequest& request) = 0;
  virtual absl::StatusOr<v1::ListTuningJobsResponse> Call(const v1::ListTuningJobsRequest& request) = 0;
  virtual absl::StatusOr<v1::TuningJob> Call(const v1::UpdateTuningJobRequest& request) = 0;
  virtual absl::StatusOr<v1::TuningJob> Call(const v1::StopTuningJobRequest& request) = 0;
  virtual absl::StatusOr<google::protobuf::Empty> Call(const v1::DeleteTuningJobRequest& request) = 0;
  virtual absl::StatusOr<v1::Trial> Call(const v1::GetTrialRequest& request) = 0;
  virtual absl::StatusOr<v1::ListTrialsResponse> Call(const v1::ListTrialsRequest& request) = 0;
  virtual absl::StatusOr<v1::Trial> Call(const v1::StopTrialRequest& request) = 0;
  virtual absl::StatusOr<v1::AddTrialsResponse> Call(const v1::AddTrialsRequest& request) = 0;
  virtual absl::StatusOr<v1::SuggestTrialsResponse> Call(const v1::SuggestTrialsRequest& request) = 0;
  virtual absl::StatusOr<v1::ReportMeasurementsResponse> Call(const v1::ReportMeasurementsRequest& request) = 0;
  virtual absl::StatusOr<v1::Trial> Call(const v1::CompleteTrialRequest& request) = 0;
  virtual absl::StatusOr<v1::ReplayTuningJobResponse> Call(const v1::ReplayTuningJobRequest& request) = 0;
  virtual absl::StatusOr<v1::ExplainTuningJobResponse> Call(const v1::ExplainTuningJobRequest& request) = 0;
  virtual absl::StatusOr<v1::CompareTuningJobsResponse> Call(const v1::CompareTuningJobsRequest& request) = 0;
  virtual absl::StatusOr<v1::ListStrategiesResponse> Call(const v1::ListStrategiesRequest& request) = 0;
  virtual absl::StatusOr<v1::ListExecutorsResponse> Call(const v1::ListExecutorsRequest& request) = 0;
  virtual absl::StatusOr<v1::ListEarlyStoppingRulesResponse> Call(const v1::ListEarlyStoppingRulesRequest& request) = 0;

  virtual std::unique_ptr<WatchStream> Watch(const v1::WatchTuningJobRequest& request) = 0;
  virtual std::unique_ptr<LogStream> Logs(const v1::StreamTrialLogsRequest& request) = 0;
};

// A client over a channel, which sends `token` with each call unless it is empty. `address` is for messages. `timeout`
// bounds each plain call (those that name a deadline of their own get that on top).
std::unique_ptr<Client> MakeClient(std::shared_ptr<grpc::Channel> channel, std::string address, std::string token,
                                   absl::Duration timeout = absl::Seconds(30));

// A channel to "host:port", "unix:/path" or "https://host:port" (`ca_file`: PEM of the authorities, empty for the
// system's). INVALID_ARGUMENT: an address that cannot be read; NOT_FOUND: no such file.
absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const std::string& endpoint, const std::string& ca_file);

// Whether somebody accepts calls at the other end within `timeout`. A refusal is reported at once.
bool Answers(grpc::Channel& channel, absl::Duration timeout);

}  // namespace tuner::cli
