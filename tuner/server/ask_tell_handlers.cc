// Handlers of the ask-and-tell loop. They are called far more often than all others: no storage, no locks, one copy of
// each value.
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/resource_names.h"
#include "proto/convert.h"
#include "tuner/requests/ask_tell.h"
#include "tuner/requests/checks.h"
#include "tuner/server/service.h"
#include "tuner/server/status.h"

namespace tuner::server {
namespace {

// Finishes the call with an error, and returns its reactor.
grpc::ServerUnaryReactor* Refuse(grpc::ServerUnaryReactor* reactor, const absl::Status& status) {
  reactor->Finish(ToGrpc(status));
  return reactor;
}

}  // namespace

grpc::ServerUnaryReactor* Service::SuggestTrials(grpc::CallbackServerContext* context,
                                                 const v1::SuggestTrialsRequest* request,
                                                 v1::SuggestTrialsResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (absl::Status status = Admit(*context); !status.ok()) return Refuse(reactor, status);
  absl::StatusOr<std::string> job_id = requests::JobIdField("parent", request->parent());
  if (!job_id.ok()) return Refuse(reactor, job_id.status());
  absl::StatusOr<core::SuggestAsked> asked = requests::ReadSuggest(*request);
  if (!asked.ok()) return Refuse(reactor, asked.status());
  env_.engine->Post(*job_id, *std::move(asked), [reactor, response](absl::StatusOr<engine::Reply> reply) {
    if (reply.ok()) {
      response->mutable_trials()->Reserve(static_cast<int>(reply->trials.size()));
      for (const core::Trial& trial : reply->trials) {
        *response->add_trials() = convert::ToProto(reply->header.job_id, trial, {});
      }
      response->set_reason(std::move(reply->reason));
      response->set_job_done(reply->job_done);
    }
    reactor->Finish(ToGrpc(reply.status()));
  });
  return reactor;
}

grpc::ServerUnaryReactor* Service::ReportMeasurements(grpc::CallbackServerContext* context,
                                                      const v1::ReportMeasurementsRequest* request,
                                                      v1::ReportMeasurementsResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  absl::Status admitted = AdmitTrial(*context, request->name(), request->attempt());
  if (!admitted.ok()) return Refuse(reactor, admitted);
  absl::StatusOr<core::TrialId> id = requests::TrialIdField("name", request->name());
  if (!id.ok()) return Refuse(reactor, id.status());
  absl::StatusOr<core::Reported> reported = requests::ReadReport(*request, id->number);
  if (!reported.ok()) return Refuse(reactor, reported.status());
  env_.engine->Post(id->job_id, *std::move(reported), [reactor, response](absl::StatusOr<engine::Reply> reply) {
    if (reply.ok()) {
      response->set_should_stop(reply->should_stop);
      response->set_reason(std::move(reply->reason));
      if (reply->lease_expire_time) {
        *response->mutable_lease_expire_time() = convert::ToProto(*reply->lease_expire_time);
      }
    }
    reactor->Finish(ToGrpc(reply.status()));
  });
  return reactor;
}

grpc::ServerUnaryReactor* Service::CompleteTrial(grpc::CallbackServerContext* context,
                                                 const v1::CompleteTrialRequest* request, v1::Trial* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  absl::Status admitted = AdmitTrial(*context, request->name(), request->attempt());
  if (!admitted.ok()) return Refuse(reactor, admitted);
  absl::StatusOr<core::TrialId> id = requests::TrialIdField("name", request->name());
  if (!id.ok()) return Refuse(reactor, id.status());
  absl::StatusOr<core::CompletionTold> told = requests::ReadCompletion(*request, id->number);
  if (!told.ok()) return Refuse(reactor, told.status());
  env_.engine->Post(id->job_id, *std::move(told), [reactor, response](absl::StatusOr<engine::Reply> reply) {
    if (reply.ok() && !reply->trials.empty()) {
      *response = convert::ToProto(reply->header.job_id, reply->trials.front(), {});
    }
    reactor->Finish(ToGrpc(reply.status()));
  });
  return reactor;
}

}  // namespace tuner::server
