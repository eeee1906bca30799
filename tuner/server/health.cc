#include "tuner/server/health.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "tuner/server/status.h"

namespace tuner::server {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

// Sends the status whenever it is another one than it sent last.
class HealthService::WatchStream final : public PumpedStream<HealthCheckResponse> {
 public:
  WatchStream(HealthService& health, std::string service)
      : PumpedStream(health.pool_, health.streams_), health_(health), service_(std::move(service)) {}

 private:
  Produced Produce() override {
    Produced out;
    HealthCheckResponse response;
    response.set_status(health_.StatusOf(service_));
    if (response.status() != sent_) {
      sent_ = response.status();
      out.messages.push_back(response);
    }
    return out;
  }

  HealthService& health_;
  const std::string service_;
  HealthCheckResponse::ServingStatus sent_ = HealthCheckResponse::UNKNOWN;  // used by Produce only
};

HealthCheckResponse::ServingStatus HealthService::StatusOf(const std::string& service) const {
  if (!service.empty() && service != "tuner.v1.TuningService") return HealthCheckResponse::SERVICE_UNKNOWN;
  return serving_ ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
}

void HealthService::SetServing(bool serving) {
  serving_ = serving;
  std::vector<std::weak_ptr<WatchStream>> watchers;
  {
    absl::MutexLock lock(&mutex_);
    watchers = watchers_;
  }
  for (const std::weak_ptr<WatchStream>& each : watchers) {
    if (const std::shared_ptr<WatchStream> watcher = each.lock()) watcher->Wake();
  }
}

grpc::ServerUnaryReactor* HealthService::Check(grpc::CallbackServerContext* context, const HealthCheckRequest* request,
                                               HealthCheckResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const HealthCheckResponse::ServingStatus status = StatusOf(request->service());
  if (status == HealthCheckResponse::SERVICE_UNKNOWN) {
    reactor->Finish(ToGrpc(absl::NotFoundError(absl::StrCat("there is no service \"", request->service(), "\" here"))));
    return reactor;
  }
  response->set_status(status);
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerWriteReactor<HealthCheckResponse>* HealthService::Watch(grpc::CallbackServerContext* context,
                                                                    const HealthCheckRequest* request) {
  if (absl::Status status = authenticator_.Check(*context); !status.ok()) {
    return new RefusedStream<HealthCheckResponse>(status);  // deletes itself
  }
  auto stream = std::make_shared<WatchStream>(*this, request->service());
  {
    absl::MutexLock lock(&mutex_);
    std::erase_if(watchers_, [](const std::weak_ptr<WatchStream>& each) { return each.expired(); });
    watchers_.push_back(stream);
  }
  return stream->Begin();
}

}  // namespace tuner::server
