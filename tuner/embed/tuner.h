// The whole tuner inside of a program: the jobs, strategies, executors and storage of the server, without a server. No
// gRPC is linked.
//
//   absl::StatusOr<std::unique_ptr<tuner::embed::Tuner>> tuner = tuner::embed::Tuner::Open({.data_dir =
//   "/var/lib/mine"}); tuner::v1::CreateTuningJobRequest create;                     // create.mutable_spec()->..., or
//   ParseJobFile of proto/job_file.h
//   (*tuner)->CreateTuningJob(create);
//   tuner::v1::SuggestTrialsRequest ask;                          // parent, worker_id, count
//   for (const tuner::v1::Trial& trial : (*tuner)->SuggestTrials(ask)->trials()) { ... ReportMeasurements ...
//   CompleteTrial ... }
//
// Requests, answers and errors are those of the service of the same name: proto/tuner/v1/tuning_service.proto.
// Threads: every method from any thread; each blocks until what it says is durable. Ownership: values in and out.
// Destroying it detaches from running process trials; the next Open of the folder finds them again.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "executors/decorate.h"
#include "executors/executor.h"
#include "tuner/v1/tuning_service.pb.h"

namespace tuner::embed {

struct Options {
  std::string data_dir;         // absolute; made if missing
  std::string storage_uri;      // default: sqlite:<data_dir>/tuner.db. "memory:" keeps jobs as long as the object lives
  std::string supervisor_path;  // of tuner-supervisor, for jobs with process trials; default: found beside this program
                                // or in PATH
  std::vector<int> gpus;        // indexes that process trials may be given
  executors::ExecutorRegistry executor_kinds;     // the built-in ones, and what the program adds
  executors::ExecutorSettings executor_settings;  // slots, retries, rate limits, circuit breakers by name of executor
  int strategy_threads = 2;
};

class Tuner {
 public:
  // INVALID_ARGUMENT: the options. FAILED_PRECONDITION: another process has the folder. What storage::OpenStorage says.
  static absl::StatusOr<std::unique_ptr<Tuner>> Open(const Options& options);
  virtual ~Tuner() = default;

  virtual absl::StatusOr<v1::CreateTuningJobResponse> CreateTuningJob(const v1::CreateTuningJobRequest& request) = 0;
  virtual absl::StatusOr<v1::TuningJob> GetTuningJob(const v1::GetTuningJobRequest& request) = 0;
  virtual absl::StatusOr<v1::TuningJob> StopTuningJob(const v1::StopTuningJobRequest& request) = 0;
  virtual absl::StatusOr<v1::Trial> GetTrial(const v1::GetTrialRequest& request) = 0;
  virtual absl::StatusOr<v1::AddTrialsResponse> AddTrials(const v1::AddTrialsRequest& request) = 0;
  virtual absl::StatusOr<v1::SuggestTrialsResponse> SuggestTrials(const v1::SuggestTrialsRequest& request) = 0;
  virtual absl::StatusOr<v1::ReportMeasurementsResponse> ReportMeasurements(
      const v1::ReportMeasurementsRequest& request) = 0;
  virtual absl::StatusOr<v1::Trial> CompleteTrial(const v1::CompleteTrialRequest& request) = 0;

  // Waits until the job has ended, and returns it. DEADLINE_EXCEEDED: it still runs after `timeout`.
  virtual absl::StatusOr<v1::TuningJob> AwaitTuningJob(const std::string& name, absl::Duration timeout) = 0;
};

}  // namespace tuner::embed
