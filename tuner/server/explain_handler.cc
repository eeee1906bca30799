// ExplainTuningJob: fits a model for the answer, in a pool of its own, until the caller goes away.
#include <atomic>
#include <utility>

#include "strategies/strategy.h"
#include "tuner/engine/parents.h"
#include "tuner/requests/checks.h"
#include "tuner/requests/explain.h"
#include "tuner/requests/job_builder.h"
#include "tuner/server/service.h"
#include "tuner/server/status.h"

namespace tuner::server {
namespace {

// Lives until gRPC is done with the call.
class StoppableReactor : public grpc::ServerUnaryReactor {
 public:
  strategies::StopToken stop() const { return &stop_; }

 private:
  void OnCancel() override { stop_ = true; }
  void OnDone() override { delete this; }

  std::atomic<bool> stop_{false};
};

}  // namespace

grpc::ServerUnaryReactor* Service::ExplainTuningJob(grpc::CallbackServerContext* context,
                                                    const v1::ExplainTuningJobRequest* request,
                                                    v1::ExplainTuningJobResponse* response) {
  auto* reactor = new StoppableReactor;  // gRPC's
  if (absl::Status status = Admit(*context); !status.ok()) {
    reactor->Finish(ToGrpc(status));
    return reactor;
  }
  const bool accepted =
      explanations_.Run([=, this] { reactor->Finish(ToGrpc(ExplainJob(*request, reactor->stop(), *response))); });
  if (!accepted) reactor->Finish(ToGrpc(absl::UnavailableError("too many jobs are being explained; try again")));
  return reactor;
}

absl::Status Service::ExplainJob(const v1::ExplainTuningJobRequest& request, strategies::StopToken stop,
                                 v1::ExplainTuningJobResponse& response) const {
  absl::StatusOr<std::string> job_id = requests::JobIdField("name", request.name());
  if (!job_id.ok()) return job_id.status();
  absl::StatusOr<storage::LoadedJob> loaded = env_.storage->LoadJob(*job_id);
  if (!loaded.ok()) return loaded.status();
  absl::StatusOr<core::JobSpec> spec = requests::SpecOfHeader(loaded->record.header);
  if (!spec.ok()) return spec.status();
  if (absl::Status status = engine::AttachParents(*env_.storage, *job_id, *spec); !status.ok()) return status;
  const requests::ExplainedJob job{std::move(loaded->record.header), *std::move(spec), std::move(loaded->trials)};
  absl::StatusOr<v1::ExplainTuningJobResponse> explained =
      requests::Explain(request, job, env_.make_strategy, env_.clock->Now(), stop);
  if (!explained.ok()) return explained.status();
  response = *std::move(explained);
  return absl::OkStatus();
}

}  // namespace tuner::server
