// The gRPC health service. Check asks for no token, so that a load balancer or `grpcurl` may ask; Watch does.
//
// Threads: any. Ownership: borrows the authenticator and pool, which outlive it.
#pragma once

#include <atomic>

#include "grpc/health/v1/health.grpc.pb.h"
#include "tuner/server/auth.h"
#include "tuner/server/streams.h"
#include "tuner/server/work_pool.h"

namespace tuner::server {

class HealthService final : public grpc::health::v1::Health::CallbackService {
 public:
  explicit HealthService(const Authenticator* authenticator) : authenticator_(*authenticator) {}

  // Watching clients are told at once.
  void SetServing(bool serving);
  // Ends the streams.
  void Close() { streams_.CloseAll(); }

  grpc::ServerUnaryReactor* Check(grpc::CallbackServerContext* context,
                                  const grpc::health::v1::HealthCheckRequest* request,
                                  grpc::health::v1::HealthCheckResponse* response) override;
  grpc::ServerWriteReactor<grpc::health::v1::HealthCheckResponse>* Watch(
      grpc::CallbackServerContext* context, const grpc::health::v1::HealthCheckRequest* request) override;

 private:
  class WatchStream;
  grpc::health::v1::HealthCheckResponse::ServingStatus StatusOf(const std::string& service) const;

  const Authenticator& authenticator_;
  std::atomic<bool> serving_ = false;
  absl::Mutex mutex_;
  std::vector<std::weak_ptr<WatchStream>> watchers_ ABSL_GUARDED_BY(mutex_);
  StreamRegistry streams_;  // self-locked
  WorkPool pool_{1};        // self-locked
};

}  // namespace tuner::server
