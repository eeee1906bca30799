// Handlers for trials that a user looks at, adds or stops.
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/resource_names.h"
#include "core/trial_filter.h"
#include "proto/convert.h"
#include "tuner/requests/added_points.h"
#include "tuner/requests/checks.h"
#include "tuner/requests/job_builder.h"
#include "tuner/server/paging.h"
#include "tuner/server/service.h"
#include "tuner/server/status.h"

namespace tuner::server {
namespace {

constexpr char kAllJobs[] = "tuningJobs/-";

absl::StatusOr<core::TrialFilter> ReadFilter(const std::string& text) {
  if (text.size() > 2000) {
    return absl::InvalidArgumentError(absl::StrCat("filter: has ", text.size(), " characters; use up to 2000"));
  }
  absl::StatusOr<core::TrialFilter> filter = core::TrialFilter::Parse(text);
  if (filter.ok()) return filter;
  return absl::InvalidArgumentError(absl::StrCat("filter: ", filter.status().message()));
}

absl::StatusOr<core::TrialOrder> ReadOrder(const std::string& text) {
  if (text.empty()) return core::TrialOrder();
  absl::StatusOr<core::TrialOrder> order = core::TrialOrder::Parse(text);
  if (order.ok()) return order;
  return absl::InvalidArgumentError(absl::StrCat("order_by: ", order.status().message()));
}

absl::Status ListTrialsPage(const storage::Storage& storage, const v1::ListTrialsRequest& request,
                            v1::ListTrialsResponse& response) {
  storage::TrialQuery query;
  if (request.parent() != kAllJobs) {
    absl::StatusOr<std::string> job_id = requests::JobIdField("parent", request.parent());
    if (!job_id.ok()) return job_id.status();
    query.job_id = *std::move(job_id);
  }
  absl::StatusOr<Page> page = ReadPage(request);
  if (!page.ok()) return page.status();
  absl::StatusOr<core::TrialFilter> filter = ReadFilter(request.filter());
  if (!filter.ok()) return filter.status();
  absl::StatusOr<core::TrialOrder> order = ReadOrder(request.order_by());
  if (!order.ok()) return order.status();
  query.limit = page->limit;
  query.after = page->after;
  if (!request.filter().empty()) query.filter = &*filter;
  query.order = *order;
  query.include_measurements = request.include_measurements();

  absl::StatusOr<storage::TrialPage> found = storage.ListTrials(query);
  if (!found.ok()) return found.status();
  response.mutable_trials()->Reserve(static_cast<int>(found->entries.size()));
  for (const storage::TrialPage::Entry& entry : found->entries) {
    *response.add_trials() = convert::ToProto(entry.job_id, entry.trial, entry.measurements);
  }
  response.set_next_page_token(NextToken(*page, found->next));
  return absl::OkStatus();
}

}  // namespace

grpc::ServerUnaryReactor* Service::GetTrial(grpc::CallbackServerContext* context, const v1::GetTrialRequest* request,
                                            v1::Trial* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (absl::Status status = AdmitTrial(*context, request->name(), 0); !status.ok()) {
    reactor->Finish(ToGrpc(status));
    return reactor;
  }
  RunInPool(reactor, [=, this]() -> absl::Status {
    absl::StatusOr<core::TrialId> id = requests::TrialIdField("name", request->name());
    if (!id.ok()) return id.status();
    absl::StatusOr<storage::TrialPage::Entry> entry = env_.storage->ReadTrial(id->job_id, id->number);
    if (entry.ok()) *response = convert::ToProto(entry->job_id, entry->trial, entry->measurements);
    return entry.status();
  });
  return reactor;
}

grpc::ServerUnaryReactor* Service::ListTrials(grpc::CallbackServerContext* context,
                                              const v1::ListTrialsRequest* request, v1::ListTrialsResponse* response) {
  return Pooled(context, [=, this] { return ListTrialsPage(*env_.storage, *request, *response); });
}

grpc::ServerUnaryReactor* Service::StopTrial(grpc::CallbackServerContext* context, const v1::StopTrialRequest* request,
                                             v1::Trial* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  absl::Status status = Admit(*context);
  absl::StatusOr<core::TrialId> id = requests::TrialIdField("name", request->name());
  if (status.ok()) status = id.status();
  if (status.ok()) status = requests::CheckReason(request->reason());
  if (!status.ok()) {
    reactor->Finish(ToGrpc(status));
    return reactor;
  }
  env_.engine->Post(id->job_id, core::TrialStopAsked{id->number, request->reason()},
                    [reactor, response](absl::StatusOr<engine::Reply> reply) {
                      if (reply.ok() && !reply->trials.empty()) {
                        *response = convert::ToProto(reply->header.job_id, reply->trials.front(), {});
                      }
                      reactor->Finish(ToGrpc(reply.status()));
                    });
  return reactor;
}

grpc::ServerUnaryReactor* Service::AddTrials(grpc::CallbackServerContext* context, const v1::AddTrialsRequest* request,
                                             v1::AddTrialsResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (absl::Status status = Admit(*context); !status.ok()) {
    reactor->Finish(ToGrpc(status));
  } else if (!pool_.Run([=, this] { AddPoints(reactor, request, response); })) {
    reactor->Finish(ToGrpc(absl::UnavailableError("the server has too much to do; try again")));
  }
  return reactor;
}

void Service::AddPoints(grpc::ServerUnaryReactor* reactor, const v1::AddTrialsRequest* request,
                        v1::AddTrialsResponse* response) {
  absl::StatusOr<std::string> job_id = requests::JobIdField("parent", request->parent());
  if (!job_id.ok()) return reactor->Finish(ToGrpc(job_id.status()));
  if (absl::Status status = requests::CheckRequestId(request->request_id()); !status.ok())
    return reactor->Finish(ToGrpc(status));
  absl::StatusOr<storage::JobRecord> record = env_.storage->ReadJob(*job_id);
  if (!record.ok()) return reactor->Finish(ToGrpc(record.status()));
  absl::StatusOr<core::JobSpec> spec = requests::SpecOfHeader(record->header);
  if (!spec.ok()) return reactor->Finish(ToGrpc(spec.status()));
  absl::StatusOr<core::TrialsAdded> added = requests::ReadAddedPoints(*request, *spec);
  if (!added.ok()) return reactor->Finish(ToGrpc(added.status()));
  env_.engine->Post(*job_id, *std::move(added), [reactor, response](absl::StatusOr<engine::Reply> reply) {
    if (reply.ok()) {
      for (const core::Trial& trial : reply->trials) {
        *response->add_trials() = convert::ToProto(reply->header.job_id, trial, {});
      }
    }
    reactor->Finish(ToGrpc(reply.status()));
  });
}

}  // namespace tuner::server
