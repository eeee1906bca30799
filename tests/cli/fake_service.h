// A tuning service that answers from a table, so that what the command line prints depends on nothing else.
//
// Threads: the answers are set before Start; gRPC's threads read them. Ownership: the server ends with the object.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "grpcpp/grpcpp.h"
#include "tuner/v1/tuning_service.grpc.pb.h"

namespace tuner::testing {

class FakeService final : public v1::TuningService::Service {
 public:
  // Serves on a unix socket in the folder and returns its address.
  std::string Start(const std::string& folder);
  ~FakeService() override;

  std::map<std::string, v1::TuningJob> jobs;             // by resource name
  std::map<std::string, std::vector<v1::Trial>> trials;  // by the job's resource name
  grpc::Status refusal = grpc::Status::OK;               // of every call, unless OK
  std::string required_token;                            // empty: none
  std::string log_text;

  // What was asked last.
  v1::AddTrialsRequest added() const;
  v1::ReportMeasurementsRequest reported() const;
  v1::ListTrialsRequest listed() const;
  v1::CreateTuningJobRequest created() const;

  grpc::Status CreateTuningJob(grpc::ServerContext*, const v1::CreateTuningJobRequest*,
                               v1::CreateTuningJobResponse*) override;
  grpc::Status GetTuningJob(grpc::ServerContext*, const v1::GetTuningJobRequest*, v1::TuningJob*) override;
  grpc::Status ListTuningJobs(grpc::ServerContext*, const v1::ListTuningJobsRequest*,
                              v1::ListTuningJobsResponse*) override;
  grpc::Status WatchTuningJob(grpc::ServerContext*, const v1::WatchTuningJobRequest*,
                              grpc::ServerWriter<v1::WatchTuningJobResponse>*) override;
  grpc::Status GetTrial(grpc::ServerContext*, const v1::GetTrialRequest*, v1::Trial*) override;
  grpc::Status ListTrials(grpc::ServerContext*, const v1::ListTrialsRequest*, v1::ListTrialsResponse*) override;
  grpc::Status AddTrials(grpc::ServerContext*, const v1::AddTrialsRequest*, v1::AddTrialsResponse*) override;
  grpc::Status ReportMeasurements(grpc::ServerContext*, const v1::ReportMeasurementsRequest*,
                                  v1::ReportMeasurementsResponse*) override;
  grpc::Status StreamTrialLogs(grpc::ServerContext*, const v1::StreamTrialLogsRequest*,
                               grpc::ServerWriter<v1::StreamTrialLogsResponse>*) override;

 private:
  grpc::Status Check(grpc::ServerContext* context) const;
  std::unique_ptr<grpc::Server> server_;
  mutable std::mutex mutex_;
  v1::AddTrialsRequest added_;
  v1::ReportMeasurementsRequest reported_;
  v1::ListTrialsRequest listed_;
  v1::CreateTuningJobRequest created_;
};

// A job "forest" of `count` trials over a log double, an integer, a category with odd names and a boolean; every
// seventh trial failed, every fifth was stopped early. Trials have measurements of two metrics.
void FillForest(FakeService& service, int count);

}  // namespace tuner::testing
