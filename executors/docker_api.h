// The calls of the Docker Engine API that running a trial takes, on a unix socket: dockerd's, or Podman's service,
// whose differences end here.
//
// Threads: any; each call has a connection to itself. Ownership: borrows the HttpClient. Errors: UNAVAILABLE and
// DEADLINE_EXCEEDED: nobody answered, or not like an engine; whether the call was carried out is not known, ask again.
// CANCELLED: by the StopSignal. Everything else is the engine's answer, in its own words: NOT_FOUND, ALREADY_EXISTS,
// INVALID_ARGUMENT (4xx), INTERNAL (5xx). No message holds anything of a request's body.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "executors/http_client.h"

namespace tuner::executors {

using Labels = absl::btree_map<std::string, std::string>;

struct ContainerState {
  enum class Phase {
    kCreated,  // never started, or its start failed
    kRunning,  // paused or restarting ones as well
    kExited,
  };
  std::string id;
  Phase phase = Phase::kCreated;
  bool has_process = false;  // the engine noted one, at any time
  int exit_code = 0;
  bool out_of_memory = false;  // dockerd tells it reliably, Podman seldom
  std::string error;           // why it could not be started
  absl::Time started = absl::InfinitePast();
  absl::Time finished = absl::InfinitePast();
  std::string image_id;
  Labels labels;
};

struct ContainerEntry {
  std::string id;
  std::string name;
  Labels labels;
};

struct NetworkEntry {
  std::string name;
  Labels labels;
};

struct ImageState {
  std::string id;                         // sha256:...
  std::vector<std::string> repo_digests;  // name@sha256:...
};

// Takes the frames of a container's output apart: [stream, 0, 0, 0, length in big endian] and that many bytes.
class LogDemultiplexer {
 public:
  enum Stream { kStdout = 0, kStderr = 1 };
  using Sink = std::function<absl::Status(Stream, absl::string_view)>;

  explicit LogDemultiplexer(Sink sink) : sink_(std::move(sink)) {}

  // UNAVAILABLE: these are no such frames. Otherwise the sink's errors.
  absl::Status Feed(absl::string_view bytes);
  // Whether everything that was begun has come.
  bool whole() const { return header_.empty() && left_ == 0; }

 private:
  const Sink sink_;
  std::string header_;  // what has come of it
  Stream stream_ = kStdout;
  uint32_t left_ = 0;  // of the frame's bytes
};

class DockerApi {
 public:
  // `socket`: path of the engine's.
  DockerApi(HttpClient* http, std::string socket) : http_(http), socket_(std::move(socket)) {}

  const std::string& socket() const { return socket_; }

  // The engine's name and version, as it says.
  absl::StatusOr<std::string> Version(StopSignal* stop) const;

  // Returns its id. `body` is the JSON of ContainerCreate. ALREADY_EXISTS: the name is taken. NOT_FOUND: the image is
  // not there.
  absl::StatusOr<std::string> Create(const std::string& name, const std::string& body, StopSignal* stop) const;
  // OK also if it runs. An engine starts an ended container anew: call it for one that was never started. NOT_FOUND: no
  // such container. INVALID_ARGUMENT, INTERNAL: it cannot be started, see StartFailure.
  absl::Status Start(const std::string& name, StopSignal* stop) const;
  // Its output from the beginning. `follow`: until it ends, else until now. UNAVAILABLE: cut off.
  absl::Status Logs(const std::string& name, bool follow, const LogDemultiplexer::Sink& sink, StopSignal* stop) const;
  // Returns when it has ended; at once if it was never started or is not there any more.
  absl::Status Wait(const std::string& name, StopSignal* stop) const;
  // FAILED_PRECONDITION: it does not run. NOT_FOUND.
  absl::Status Kill(const std::string& name, const std::string& signal, StopSignal* stop) const;
  absl::StatusOr<ContainerState> Inspect(const std::string& name, StopSignal* stop) const;
  // Whether it surely never ran, on the word of an engine that notes a container's process before it lets it go:
  // Podman, since the machine was started. False: it may have run, or the engine does not say.
  absl::StatusOr<bool> NeverRan(const std::string& id, StopSignal* stop) const;
  // With its anonymous volumes, and whatever runs in it; of Podman also a name that it keeps without a container, see
  // ListStorage. OK if there is none.
  absl::Status Remove(const std::string& name, StopSignal* stop) const;
  // Those that bear all of these labels, ended ones too.
  absl::StatusOr<std::vector<ContainerEntry>> List(const Labels& labels, StopSignal* stop) const;
  // Files and names without a container, which Podman keeps when it is killed in the middle of a creation or a removal,
  // or has of a creation that goes on now. They have no labels. Always empty of dockerd.
  absl::StatusOr<std::vector<ContainerEntry>> ListStorage(StopSignal* stop) const;

  absl::StatusOr<ImageState> InspectImage(const std::string& image, StopSignal* stop) const;
  // INTERNAL: the registry's or engine's words why it could not be pulled.
  absl::Status Pull(const std::string& image, StopSignal* stop) const;

  // A bridge network whose containers find each other by name; `internal`: and nobody else. OK if it is there.
  absl::Status CreateNetwork(const std::string& name, bool internal, const Labels& labels, StopSignal* stop) const;
  // OK if there is none.
  absl::Status RemoveNetwork(const std::string& name, StopSignal* stop) const;
  absl::StatusOr<std::vector<NetworkEntry>> ListNetworks(const Labels& labels, StopSignal* stop) const;

 private:
  struct Call {
    std::string method = "GET";
    std::string path;  // behind the version
    // The oldest version that both engines serve and that has all that is used here (device requests came with 1.40).
    std::string version = "/v1.40";
    std::string body = {};
    absl::Duration timeout = absl::Seconds(60);
    absl::Duration stall_timeout = absl::InfiniteDuration();
    std::function<absl::Status(absl::string_view)> on_body = nullptr;
  };
  absl::StatusOr<HttpResponse> Send(Call call, StopSignal* stop) const;

  HttpClient* const http_;
  const std::string socket_;
};

// What an engine's words say about a container that cannot be started, with the exit code that shells and engines give
// it: 127 the program is not there, 126 it cannot be executed, 125 anything else.
struct StartFailure {
  int exit_code = 125;
  std::string text;
};
StartFailure ExplainStartFailure(absl::string_view engine_message, absl::string_view program);

// Sockets where engines listen: DOCKER_HOST if it names one, Docker's, Podman's for root and for a user.
std::vector<std::string> EngineSocketCandidates();
// The first candidate that is there, else the first candidate.
std::string DefaultEngineSocket();

}  // namespace tuner::executors
