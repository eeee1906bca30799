// A closed-loop gRPC load: many connections, each with one call under way, against any server. The same code drives
// every server that is compared, so that the client costs each of them the same.
//
// Threads: RunLoad does everything on the caller's thread. Errors: UNAVAILABLE if a connection cannot be made, or the
// server answers nothing but errors.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/impl/codegen/proto_utils.h"
#include "grpcpp/support/byte_buffer.h"

namespace tuner::bench {

// A unary call: "/package.Service/Method" and its request.
struct Call {
  std::string method;
  grpc::ByteBuffer request;
};

template <typename Message>
Call MakeCall(const std::string& method, const Message& request) {
  Call call{method, {}};
  bool own_buffer = false;
  grpc::GenericSerialize<grpc::ProtoBufferWriter, Message>(request, &call.request, &own_buffer);
  return call;
}
// False: the answer is not such a message.
template <typename Message>
bool ReadAnswer(grpc::ByteBuffer& answer, Message* message) {
  return grpc::SerializationTraits<Message>::Deserialize(&answer, message).ok();
}

// What one connection says, cycle after cycle.
class Dialogue {
 public:
  virtual ~Dialogue() = default;
  // The first call of a new cycle.
  virtual Call Begin() = 0;
  // The call after an answer; nullopt if the cycle is done; an error counts, and a new cycle begins.
  virtual absl::StatusOr<std::optional<Call>> Next(grpc::ByteBuffer& answer) = 0;
};

// The same call over and over: a cycle each.
std::unique_ptr<Dialogue> Repeat(Call call);

struct Load {
  std::string endpoint;
  int connections = 50;
  absl::Duration duration = absl::Seconds(30);
  std::function<std::unique_ptr<Dialogue>(int connection)> make_dialogue;
};

struct LoadResult {
  int64_t cycles = 0;
  int64_t calls = 0;
  int64_t errors = 0;
  std::string first_error;
  absl::Duration elapsed;
  absl::Duration cycle_p50, cycle_p99;
  int64_t first_half = 0;  // cycles in the first half of the time: a server that slows down as it fills shows it

  double rate() const { return cycles / absl::ToDoubleSeconds(elapsed); }
};

absl::StatusOr<LoadResult> RunLoad(const Load& load);

// One call on a connection of its own; its answer.
absl::StatusOr<grpc::ByteBuffer> CallOnce(const std::string& endpoint, const Call& call);

}  // namespace tuner::bench
