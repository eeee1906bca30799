// Handlers of the two server streams.
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tuner/requests/checks.h"
#include "tuner/server/log_stream.h"
#include "tuner/server/service.h"
#include "tuner/server/watch.h"

namespace tuner::server {

grpc::ServerWriteReactor<v1::WatchTuningJobResponse>* Service::WatchTuningJob(
    grpc::CallbackServerContext* context, const v1::WatchTuningJobRequest* request) {
  absl::Status status = Admit(*context);
  absl::StatusOr<std::string> job_id = requests::JobIdField("name", request->name());
  if (status.ok()) status = job_id.status();
  if (status.ok() && request->after_revision() < 0) {
    status = absl::InvalidArgumentError(
        absl::StrCat("after_revision: is ", request->after_revision(), "; use 0 or a revision that was seen"));
  }
  if (!status.ok()) return new RefusedStream<v1::WatchTuningJobResponse>(status);  // deletes itself
  return std::make_shared<WatchStream>(pool_, streams_, WatchStream::Source{env_.storage, env_.engine},
                                       *std::move(job_id), request->after_revision())
      ->Begin();
}

grpc::ServerWriteReactor<v1::StreamTrialLogsResponse>* Service::StreamTrialLogs(
    grpc::CallbackServerContext* context, const v1::StreamTrialLogsRequest* request) {
  absl::Status status = Admit(*context);
  absl::StatusOr<core::TrialId> id = requests::TrialIdField("name", request->name());
  if (status.ok()) status = id.status();
  if (status.ok() && request->has_attempt() && request->attempt() < 1) {
    status = absl::InvalidArgumentError(absl::StrCat("attempt: is ", request->attempt(), "; use 1 or more"));
  }
  if (!status.ok()) return new RefusedStream<v1::StreamTrialLogsResponse>(status);  // deletes itself
  LogStream::Query query;
  query.job_id = id->job_id;
  query.trial = id->number;
  query.attempt = request->attempt();
  query.file = request->stream() == v1::StreamTrialLogsRequest::STDERR ? "stderr.log" : "stdout.log";
  query.offset = request->offset();
  query.follow = request->follow();
  return std::make_shared<LogStream>(pool_, streams_, LogStream::Source{env_.storage, env_.engine}, std::move(query))
      ->Begin();
}

}  // namespace tuner::server
