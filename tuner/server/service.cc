#include "tuner/server/service.h"

#include <utility>

#include "core/objectives.h"
#include "core/resource_names.h"
#include "proto/convert.h"
#include "tuner/server/status.h"

namespace tuner::server {
namespace {

constexpr int kMaxChildren = 1'000;

}  // namespace

Service::Service(Environment environment) : env_(std::move(environment)), pool_(env_.threads) {}

Service::~Service() { Close(); }

void Service::Open() { phase_ = Phase::kOpen; }

void Service::Close() {
  phase_ = Phase::kClosed;
  streams_.CloseAll();
}

absl::Status Service::OpenStatus() const {
  switch (phase_.load(std::memory_order_relaxed)) {
    case Phase::kOpen:
      return absl::OkStatus();
    case Phase::kStarting:
      return absl::UnavailableError("the server is starting; try again");
    case Phase::kClosed:
      return absl::UnavailableError("the server is shutting down; try again when it is back");
  }
  return absl::OkStatus();
}

absl::Status Service::Admit(const grpc::CallbackServerContext& context) const {
  if (absl::Status status = env_.authenticator->Check(context); !status.ok()) return status;
  return OpenStatus();
}

absl::Status Service::AdmitTrial(const grpc::CallbackServerContext& context, absl::string_view trial_name,
                                 int32_t attempt) const {
  if (absl::Status status = env_.authenticator->CheckTrial(context, trial_name, attempt); !status.ok()) return status;
  return OpenStatus();
}

void Service::RunInPool(grpc::ServerUnaryReactor* reactor, std::function<absl::Status()> work) {
  const bool accepted = pool_.Run([reactor, work = std::move(work)] { reactor->Finish(ToGrpc(work())); });
  if (!accepted) reactor->Finish(ToGrpc(absl::UnavailableError("the server has too much to do; try again")));
}

grpc::ServerUnaryReactor* Service::Pooled(grpc::CallbackServerContext* context, std::function<absl::Status()> work) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (absl::Status status = Admit(*context); !status.ok()) {
    reactor->Finish(ToGrpc(status));
  } else {
    RunInPool(reactor, std::move(work));
  }
  return reactor;
}

v1::TuningJob Service::JobToProto(const engine::Reply& reply) const {
  v1::TuningJob job = convert::ToProto(reply.header, reply.revision, reply.best_trial);
  job.set_paused_reason(env_.engine->PausedReason(reply.header.job_id));
  return job;
}

v1::TuningJob Service::JobToProto(const storage::JobRecord& record) const {
  std::optional<core::Trial> best;
  if (record.header.best_trial) {
    absl::StatusOr<storage::TrialPage::Entry> entry =
        env_.storage->ReadTrial(record.header.job_id, *record.header.best_trial);
    if (entry.ok()) best = std::move(entry->trial);  // else the job was deleted meanwhile
  }
  v1::TuningJob job = convert::ToProto(record.header, record.revision, best);
  job.set_paused_reason(env_.engine->PausedReason(record.header.job_id));
  return job;
}

absl::StatusOr<v1::TuningJob> Service::ReadJob(const std::string& job_id) const {
  absl::StatusOr<storage::JobRecord> record = env_.storage->ReadJob(job_id);
  if (!record.ok()) return record.status();
  v1::TuningJob job = JobToProto(*record);
  absl::StatusOr<std::vector<std::string>> children = env_.storage->ListChildren(record->header.uid, kMaxChildren);
  if (!children.ok()) return children.status();
  for (const std::string& child : *children) job.add_child_jobs(core::JobName(child));
  absl::StatusOr<std::vector<core::Trial>> bests = env_.storage->ReadTrials(job_id, convert::BestOfDefinitions(job));
  if (!bests.ok()) return bests.status();
  convert::AddBestOfDefinitions(job_id, *bests, job);
  if (record->header.pareto_front.empty()) return job;
  absl::StatusOr<std::vector<core::Trial>> front =
      env_.storage->ReadTrials(job_id, core::Thinned(record->header.pareto_front, convert::kMaxFrontTrials));
  if (!front.ok()) return front.status();
  convert::AddParetoFront(job_id, *front, job);
  return job;
}

}  // namespace tuner::server
