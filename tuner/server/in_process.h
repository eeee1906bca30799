// A channel to a server inside of the same process, which brings its own token: gRPC tells the server nothing about
// such a caller.
//
// Threads: any. Ownership: the channel must be gone before the server is. No errors.
#pragma once

#include <memory>
#include <string>

#include "grpcpp/channel.h"
#include "grpcpp/server.h"

namespace tuner::server {

// Calls without an authorization of their own are given `token`.
std::shared_ptr<grpc::Channel> InProcessChannel(grpc::Server& server, const std::string& token);

}  // namespace tuner::server
