// gRPC server reflection, v1 and v1alpha: clients without our schema (grpcurl, Postman) ask for it here. Needs a token
// like all else.
//
// It is our own because that of the library comes with threads of its own and knows no tokens. Threads: any. Ownership:
// borrows the authenticator, which outlives it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "grpcpp/impl/codegen/service_type.h"
#include "tuner/server/auth.h"

namespace tuner::server {

// The service for each version of the protocol; `services` are the full names of what the server has.
std::vector<std::unique_ptr<grpc::Service>> MakeReflectionServices(const Authenticator* authenticator,
                                                                   std::vector<std::string> services);

}  // namespace tuner::server
