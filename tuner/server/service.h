// The gRPC service: each handler parses, validates, posts to the engine or reads from storage, and converts the answer.
//
// Threads: gRPC calls handlers from its own threads; those that read storage or the disk go on in a pool, so that none
// of gRPC's threads waits. Ownership: borrows what its environment names, which outlives it. Errors: those that
// proto/tuner/v1/tuning_service.proto names per method.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "core/clock.h"
#include "executors/executor.h"
#include "storage/storage.h"
#include "strategies/strategy.h"
#include "tuner/engine/engine.h"
#include "tuner/server/auth.h"
#include "tuner/server/streams.h"
#include "tuner/server/work_pool.h"
#include "tuner/v1/tuning_service.grpc.pb.h"

namespace tuner::server {

class Service final : public v1::TuningService::CallbackService {
 public:
  struct Environment {
    engine::Engine* engine = nullptr;
    storage::Storage* storage = nullptr;
    core::Clock* clock = nullptr;
    const Authenticator* authenticator = nullptr;
    absl::flat_hash_map<std::string, executors::Capabilities> executors;  // by name, those that were made
    const executors::ExecutorRegistry* executor_kinds = nullptr;
    absl::flat_hash_map<std::string, std::string> missing;                 // by name, why the others were not
    engine::MakeStrategy make_strategy = &engine::MakeRegisteredStrategy;  // the engine's
    int threads = 4;                                                       // of the pool
  };
  explicit Service(Environment environment);
  ~Service() override;

  // Until then every call is UNAVAILABLE: the engine is still loading jobs.
  void Open();
  // From now on every call is UNAVAILABLE, and streams end with it.
  void Close();

  grpc::ServerUnaryReactor* CreateTuningJob(grpc::CallbackServerContext* context,
                                            const v1::CreateTuningJobRequest* request,
                                            v1::CreateTuningJobResponse* response) override;
  grpc::ServerUnaryReactor* GetTuningJob(grpc::CallbackServerContext* context, const v1::GetTuningJobRequest* request,
                                         v1::TuningJob* response) override;
  grpc::ServerUnaryReactor* ListTuningJobs(grpc::CallbackServerContext* context,
                                           const v1::ListTuningJobsRequest* request,
                                           v1::ListTuningJobsResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchTuningJobResponse>* WatchTuningJob(
      grpc::CallbackServerContext* context, const v1::WatchTuningJobRequest* request) override;
  grpc::ServerUnaryReactor* UpdateTuningJob(grpc::CallbackServerContext* context,
                                            const v1::UpdateTuningJobRequest* request,
                                            v1::TuningJob* response) override;
  grpc::ServerUnaryReactor* StopTuningJob(grpc::CallbackServerContext* context, const v1::StopTuningJobRequest* request,
                                          v1::TuningJob* response) override;
  grpc::ServerUnaryReactor* DeleteTuningJob(grpc::CallbackServerContext* context,
                                            const v1::DeleteTuningJobRequest* request,
                                            google::protobuf::Empty* response) override;

  grpc::ServerUnaryReactor* GetTrial(grpc::CallbackServerContext* context, const v1::GetTrialRequest* request,
                                     v1::Trial* response) override;
  grpc::ServerUnaryReactor* ListTrials(grpc::CallbackServerContext* context, const v1::ListTrialsRequest* request,
                                       v1::ListTrialsResponse* response) override;
  grpc::ServerUnaryReactor* StopTrial(grpc::CallbackServerContext* context, const v1::StopTrialRequest* request,
                                      v1::Trial* response) override;
  grpc::ServerWriteReactor<v1::StreamTrialLogsResponse>* StreamTrialLogs(
      grpc::CallbackServerContext* context, const v1::StreamTrialLogsRequest* request) override;
  grpc::ServerUnaryReactor* AddTrials(grpc::CallbackServerContext* context, const v1::AddTrialsRequest* request,
                                      v1::AddTrialsResponse* response) override;

  grpc::ServerUnaryReactor* SuggestTrials(grpc::CallbackServerContext* context, const v1::SuggestTrialsRequest* request,
                                          v1::SuggestTrialsResponse* response) override;
  grpc::ServerUnaryReactor* ReportMeasurements(grpc::CallbackServerContext* context,
                                               const v1::ReportMeasurementsRequest* request,
                                               v1::ReportMeasurementsResponse* response) override;
  grpc::ServerUnaryReactor* CompleteTrial(grpc::CallbackServerContext* context, const v1::CompleteTrialRequest* request,
                                          v1::Trial* response) override;

  grpc::ServerUnaryReactor* ExplainTuningJob(grpc::CallbackServerContext* context,
                                             const v1::ExplainTuningJobRequest* request,
                                             v1::ExplainTuningJobResponse* response) override;
  grpc::ServerUnaryReactor* ReplayTuningJob(grpc::CallbackServerContext* context,
                                            const v1::ReplayTuningJobRequest* request,
                                            v1::ReplayTuningJobResponse* response) override;
  grpc::ServerUnaryReactor* CompareTuningJobs(grpc::CallbackServerContext* context,
                                              const v1::CompareTuningJobsRequest* request,
                                              v1::CompareTuningJobsResponse* response) override;

  grpc::ServerUnaryReactor* ListStrategies(grpc::CallbackServerContext* context,
                                           const v1::ListStrategiesRequest* request,
                                           v1::ListStrategiesResponse* response) override;
  grpc::ServerUnaryReactor* ListExecutors(grpc::CallbackServerContext* context, const v1::ListExecutorsRequest* request,
                                          v1::ListExecutorsResponse* response) override;
  grpc::ServerUnaryReactor* ListEarlyStoppingRules(grpc::CallbackServerContext* context,
                                                   const v1::ListEarlyStoppingRulesRequest* request,
                                                   v1::ListEarlyStoppingRulesResponse* response) override;

 private:
  // OK if the caller may do anything and the server is open.
  absl::Status Admit(const grpc::CallbackServerContext& context) const;
  // The same for what a trial's own token allows.
  absl::Status AdmitTrial(const grpc::CallbackServerContext& context, absl::string_view trial_name,
                          int32_t attempt) const;
  absl::Status OpenStatus() const;

  // Runs `work` in the pool and finishes the call with what it returns.
  void RunInPool(grpc::ServerUnaryReactor* reactor, std::function<absl::Status()> work);
  // Admits the caller and does so; the whole of a handler that only reads.
  grpc::ServerUnaryReactor* Pooled(grpc::CallbackServerContext* context, std::function<absl::Status()> work);

  absl::StatusOr<v1::TuningJob> ReadJob(const std::string& job_id) const;
  v1::TuningJob JobToProto(const storage::JobRecord& record) const;
  v1::TuningJob JobToProto(const engine::Reply& reply) const;
  void CreateChecked(grpc::ServerUnaryReactor* reactor, const v1::CreateTuningJobRequest* request,
                     v1::CreateTuningJobResponse* response);
  // The answer to a creation whose name is taken.
  absl::Status AnswerExisting(const v1::CreateTuningJobRequest& request, v1::CreateTuningJobResponse& response) const;
  // Updates are read, merge and post, so they run one after another: starts the first one that waits.
  void QueueUpdate(std::function<void()> update);
  void UpdateDone();
  void UpdateLimits(grpc::ServerUnaryReactor* reactor, const v1::UpdateTuningJobRequest* request,
                    const std::string& job_id, v1::TuningJob* response);
  void AddPoints(grpc::ServerUnaryReactor* reactor, const v1::AddTrialsRequest* request,
                 v1::AddTrialsResponse* response);
  absl::Status Replay(const grpc::CallbackServerContext& context, const v1::ReplayTuningJobRequest& request,
                      v1::ReplayTuningJobResponse& response) const;
  absl::Status ExplainJob(const v1::ExplainTuningJobRequest& request, strategies::StopToken stop,
                          v1::ExplainTuningJobResponse& response) const;
  absl::Status Compare(const v1::CompareTuningJobsRequest& request, v1::CompareTuningJobsResponse& response) const;
  absl::StatusOr<v1::CompareTuningJobsResponse::Row> CompareRow(const std::string& job_id) const;

  const Environment env_;
  enum class Phase { kStarting, kOpen, kClosed };
  std::atomic<Phase> phase_ = Phase::kStarting;

  absl::Mutex updates_mutex_;
  bool update_runs_ ABSL_GUARDED_BY(updates_mutex_) = false;
  std::deque<std::function<void()>> updates_ ABSL_GUARDED_BY(updates_mutex_);

  StreamRegistry streams_;    // self-locked
  WorkPool creations_{2};     // self-locked; of its own, as a creation may wait seconds for git
  WorkPool replays_{1};       // self-locked; of its own, as one takes as long as all fits of its job
  WorkPool explanations_{1};  // self-locked; of its own, as a fit may take seconds
  WorkPool pool_;             // self-locked; last, so that its tasks end before what they use
};

}  // namespace tuner::server
