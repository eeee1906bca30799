// ReplayTuningJob.
#include <sys/resource.h>

#include <utility>

#include "proto/convert.h"
#include "proto/enums.h"
#include "tuner/engine/parents.h"
#include "tuner/engine/replay.h"
#include "tuner/requests/checks.h"
#include "tuner/requests/job_builder.h"
#include "tuner/server/service.h"
#include "tuner/server/status.h"

namespace tuner::server {
namespace {

// Of the thread that replays: calls and running jobs come first.
constexpr int kNice = 10;

void Write(const engine::ReplayDifference& difference, v1::ReplayTuningJobResponse::Difference& out) {
  out.set_trial(difference.trial);
  out.set_parameter(difference.parameter);
  if (difference.stored) *out.mutable_stored() = convert::ToProto(*difference.stored);
  if (difference.recomputed) *out.mutable_recomputed() = convert::ToProto(*difference.recomputed);
  out.set_distance(difference.distance);
  out.set_stored_fingerprint(difference.stored_fingerprint);
}

void Write(const engine::ReplayReport& report, v1::ReplayTuningJobResponse& out) {
  out.set_suggestion_count(report.suggestions);
  out.set_identical_count(report.identical);
  out.set_close_count(report.close);
  out.set_different_count(report.different);
  out.set_unrecorded_count(report.not_recorded);
  for (const auto& [kind, count] : report.by_kind) {
    auto& kind_count = *out.add_kind_counts();
    kind_count.set_kind(convert::WireKind(kind));
    kind_count.set_count(count);
  }
  if (report.first_difference) Write(*report.first_difference, *out.mutable_first_difference());
  out.set_fingerprint(report.fingerprint);
  for (const std::string& fingerprint : report.other_fingerprints) out.add_other_fingerprints(fingerprint);
}

}  // namespace

grpc::ServerUnaryReactor* Service::ReplayTuningJob(grpc::CallbackServerContext* context,
                                                   const v1::ReplayTuningJobRequest* request,
                                                   v1::ReplayTuningJobResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (absl::Status status = Admit(*context); !status.ok()) {
    reactor->Finish(ToGrpc(status));
  } else if (!replays_.Run([=, this] { reactor->Finish(ToGrpc(Replay(*context, *request, *response))); })) {
    reactor->Finish(ToGrpc(absl::UnavailableError("the server has too much to do; try again")));
  }
  return reactor;
}

absl::Status Service::Replay(const grpc::CallbackServerContext& context, const v1::ReplayTuningJobRequest& request,
                             v1::ReplayTuningJobResponse& response) const {
  setpriority(PRIO_PROCESS, 0, kNice);  // of this thread only, on Linux
  absl::StatusOr<std::string> job_id = requests::JobIdField("name", request.name());
  if (!job_id.ok()) return job_id.status();
  absl::StatusOr<storage::LoadedJob> job = env_.storage->LoadJob(*job_id);
  if (!job.ok()) return job.status();
  absl::StatusOr<core::JobSpec> spec = requests::SpecOfHeader(job->record.header);
  if (!spec.ok()) return spec.status();
  if (absl::Status status = engine::AttachParents(*env_.storage, *job_id, *spec); !status.ok()) return status;
  job->measurements.clear();
  const auto cancelled = [&] { return context.IsCancelled() || !OpenStatus().ok(); };
  absl::StatusOr<engine::ReplayReport> report =
      engine::Replay(*spec, std::move(job->trials), env_.make_strategy, cancelled);
  if (report.ok()) Write(*report, response);
  return OpenStatus().ok() ? report.status() : OpenStatus();
}

}  // namespace tuner::server
