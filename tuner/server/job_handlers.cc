// Handlers for jobs: create, read, update, stop, delete.
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/job_machine.h"
#include "core/resource_names.h"
#include "proto/convert.h"
#include "tuner/embed/earlier_jobs.h"
#include "tuner/requests/checks.h"
#include "tuner/requests/job_builder.h"
#include "tuner/server/service.h"
#include "tuner/server/status.h"

namespace tuner::server {
namespace {

// The job as it would be, for validate_only.
core::JobHeader AsCreated(core::JobHeader header, absl::Time now) {
  for (const core::Change& change : core::FirstChanges(header, now)) {
    if (const auto* put = std::get_if<core::JobPut>(&change)) header = put->header;
  }
  return header;
}

}  // namespace

grpc::ServerUnaryReactor* Service::CreateTuningJob(grpc::CallbackServerContext* context,
                                                   const v1::CreateTuningJobRequest* request,
                                                   v1::CreateTuningJobResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (absl::Status status = Admit(*context); !status.ok()) {
    reactor->Finish(ToGrpc(status));
  } else if (!creations_.Run([=, this] { CreateChecked(reactor, request, response); })) {
    reactor->Finish(ToGrpc(absl::UnavailableError("the server has too much to do; try again")));
  }
  return reactor;
}

void Service::CreateChecked(grpc::ServerUnaryReactor* reactor, const v1::CreateTuningJobRequest* request,
                            v1::CreateTuningJobResponse* response) {
  const absl::StatusOr<storage::JobRecord> existing = env_.storage->ReadJob(request->spec().name());
  // A retry is answered before the jobs that it names are looked up: a parent may be gone by now.
  if (existing.ok() && !request->validate_only() && requests::IsRetry(*request, existing->header)) {
    return reactor->Finish(ToGrpc(AnswerExisting(*request, *response)));
  }
  absl::StatusOr<requests::NewJob> job =
      requests::BuildJob(*request, embed::EarlierJobsIn(*env_.storage), *env_.executor_kinds);
  if (!job.ok()) return reactor->Finish(ToGrpc(job.status()));
  if (request->validate_only()) {
    *response->mutable_job() = convert::ToProto(AsCreated(std::move(job->header), env_.clock->Now()), 0, std::nullopt);
    *response->mutable_advice() = response->job().advice();
    return reactor->Finish(grpc::Status::OK);
  }
  if (existing.ok()) return reactor->Finish(ToGrpc(AnswerExisting(*request, *response)));
  env_.engine->CreateJob(std::move(job->header), std::move(job->parents),
                         [=, this](absl::StatusOr<engine::Reply> reply) {
                           if (absl::IsAlreadyExists(reply.status())) {  // somebody was faster
                             return RunInPool(reactor, [=, this] { return AnswerExisting(*request, *response); });
                           }
                           if (reply.ok()) {
                             *response->mutable_job() = JobToProto(*reply);
                             *response->mutable_advice() = response->job().advice();
                           }
                           reactor->Finish(ToGrpc(reply.status()));
                         });
}

absl::Status Service::AnswerExisting(const v1::CreateTuningJobRequest& request,
                                     v1::CreateTuningJobResponse& response) const {
  absl::StatusOr<storage::JobRecord> record = env_.storage->ReadJob(request.spec().name());
  if (!record.ok()) return record.status();
  if (!requests::IsRetry(request, record->header)) {
    return absl::AlreadyExistsError(absl::StrCat("there is a job named ", record->header.job_id,
                                                 " already; choose another name, or delete it first"));
  }
  *response.mutable_job() = JobToProto(*record);
  *response.mutable_advice() = response.job().advice();
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* Service::GetTuningJob(grpc::CallbackServerContext* context,
                                                const v1::GetTuningJobRequest* request, v1::TuningJob* response) {
  return Pooled(context, [=, this]() -> absl::Status {
    absl::StatusOr<std::string> job_id = requests::JobIdField("name", request->name());
    if (!job_id.ok()) return job_id.status();
    absl::StatusOr<v1::TuningJob> job = ReadJob(*job_id);
    if (job.ok()) *response = *std::move(job);
    return job.status();
  });
}

grpc::ServerUnaryReactor* Service::UpdateTuningJob(grpc::CallbackServerContext* context,
                                                   const v1::UpdateTuningJobRequest* request, v1::TuningJob* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  absl::Status status = Admit(*context);
  absl::StatusOr<std::string> job_id = requests::JobIdField("name", request->name());
  if (status.ok()) status = job_id.status();
  if (status.ok() && !request->has_limits()) {
    status = absl::InvalidArgumentError("limits: is missing; give the limits that shall change");
  }
  if (!status.ok()) {
    reactor->Finish(ToGrpc(status));
  } else {
    QueueUpdate([=, this, job_id = *job_id] { UpdateLimits(reactor, request, job_id, response); });
  }
  return reactor;
}

void Service::UpdateLimits(grpc::ServerUnaryReactor* reactor, const v1::UpdateTuningJobRequest* request,
                           const std::string& job_id, v1::TuningJob* response) {
  const auto finish = [reactor, this](const absl::Status& status) {
    UpdateDone();
    reactor->Finish(ToGrpc(status));
  };
  absl::StatusOr<storage::JobRecord> record = env_.storage->ReadJob(job_id);
  if (!record.ok()) return finish(record.status());
  absl::StatusOr<core::Limits> limits = requests::UpdatedLimits(record->header, request->limits());
  if (!limits.ok()) return finish(limits.status());
  env_.engine->Post(job_id, core::LimitsUpdated{*std::move(limits)},
                    [this, response, finish](absl::StatusOr<engine::Reply> reply) {
                      if (reply.ok()) *response = JobToProto(*reply);
                      finish(reply.status());
                    });
}

void Service::QueueUpdate(std::function<void()> update) {
  {
    absl::MutexLock lock(&updates_mutex_);
    if (update_runs_) {
      updates_.push_back(std::move(update));
      return;
    }
    update_runs_ = true;
  }
  pool_.MustRun(std::move(update));
}

void Service::UpdateDone() {
  std::function<void()> next;
  {
    absl::MutexLock lock(&updates_mutex_);
    if (updates_.empty()) {
      update_runs_ = false;
      return;
    }
    next = std::move(updates_.front());
    updates_.pop_front();
  }
  pool_.MustRun(std::move(next));
}

grpc::ServerUnaryReactor* Service::StopTuningJob(grpc::CallbackServerContext* context,
                                                 const v1::StopTuningJobRequest* request, v1::TuningJob* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  absl::Status status = Admit(*context);
  absl::StatusOr<std::string> job_id = requests::JobIdField("name", request->name());
  if (status.ok()) status = job_id.status();
  if (status.ok()) status = requests::CheckReason(request->reason());
  if (!status.ok()) {
    reactor->Finish(ToGrpc(status));
    return reactor;
  }
  env_.engine->Post(*job_id, core::JobStopAsked{request->reason()},
                    [this, reactor, response](absl::StatusOr<engine::Reply> reply) {
                      if (reply.ok()) *response = JobToProto(*reply);
                      reactor->Finish(ToGrpc(reply.status()));
                    });
  return reactor;
}

grpc::ServerUnaryReactor* Service::DeleteTuningJob(grpc::CallbackServerContext* context,
                                                   const v1::DeleteTuningJobRequest* request,
                                                   google::protobuf::Empty* /*response*/) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  absl::Status status = Admit(*context);
  absl::StatusOr<std::string> job_id = requests::JobIdField("name", request->name());
  if (status.ok()) status = job_id.status();
  if (!status.ok()) {
    reactor->Finish(ToGrpc(status));
    return reactor;
  }
  env_.engine->DeleteJob(*job_id, [reactor](absl::Status deleted) { reactor->Finish(ToGrpc(deleted)); });
  return reactor;
}

}  // namespace tuner::server
