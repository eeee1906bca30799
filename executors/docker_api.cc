#include "executors/docker_api.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace tuner::executors {
namespace {

using Json = nlohmann::json;

// Podman's own, beside Docker's: dockerd does not have it, and says 404.
constexpr char kLibpod[] = "/v4.0.0/libpod";
constexpr size_t kFrameHeader = 8;
// Engines cut output into pieces of some KiB; a longer frame is none.
constexpr uint32_t kMostFrame = 64u << 20;
constexpr size_t kMostMessage = 600;
// An engine that was killed and started again may follow a container for ever whose end it missed: after so long
// without a byte it is asked how the container is.
constexpr absl::Duration kQuiet = absl::Seconds(45);

Json ParseJson(const std::string& text) { return Json::parse(text, nullptr, false); }

std::string TextAt(const Json& json, const char* key) {
  const auto it = json.is_object() ? json.find(key) : json.end();
  return it != json.end() && it->is_string() ? it->get<std::string>() : "";
}

int64_t NumberAt(const Json& json, const char* key) {
  const auto it = json.is_object() ? json.find(key) : json.end();
  return it != json.end() && it->is_number() ? it->get<int64_t>() : 0;
}

bool FlagAt(const Json& json, const char* key) {
  const auto it = json.is_object() ? json.find(key) : json.end();
  return it != json.end() && it->is_boolean() && it->get<bool>();
}

const Json& ObjectAt(const Json& json, const char* key) {
  static const Json* const none = new Json(Json::object());
  const auto it = json.is_object() ? json.find(key) : json.end();
  return it != json.end() && it->is_object() ? *it : *none;
}

Labels LabelsOf(const Json& json) {
  Labels labels;
  for (const auto& [name, value] : ObjectAt(json, "Labels").items()) {
    if (value.is_string()) labels[name] = value.get<std::string>();
  }
  return labels;
}

absl::Time TimeOf(const std::string& text) {
  absl::Time time;
  std::string error;
  // Engines write the year 1 for a time that has not come.
  if (!absl::ParseTime(absl::RFC3339_full, text, &time, &error) || time < absl::UnixEpoch()) {
    return absl::InfinitePast();
  }
  return time;
}

absl::Status NotLikeAnEngine(const std::string& socket) {
  return absl::UnavailableError(absl::StrCat(socket, ": the answer is not one of the Docker Engine API"));
}

// The engine's own words, on one line; empty if there are none.
std::string MessageOf(const HttpResponse& response) {
  std::string message = TextAt(ParseJson(response.body), "message");
  for (char& c : message) {
    if (c == '\n' || c == '\r' || c == '\t') c = ' ';
  }
  if (message.size() > kMostMessage) message = absl::StrCat(message.substr(0, kMostMessage), "...");
  return message;
}

absl::Status ErrorOf(const HttpResponse& response) {
  const std::string message = MessageOf(response);
  if (message.empty()) {
    return absl::UnavailableError(absl::StrCat("HTTP status ", response.code, " without a word, which no engine says"));
  }
  if (response.code == 404) return absl::NotFoundError(message);
  if (response.code == 409) return absl::AlreadyExistsError(message);
  if (response.code == 429 || response.code == 502 || response.code == 503 || response.code == 504) {
    return absl::UnavailableError(message);
  }
  if (response.code >= 400 && response.code < 500) return absl::InvalidArgumentError(message);
  return absl::InternalError(message);
}

std::string Filters(const Labels& labels) {
  Json list = Json::array();
  for (const auto& [name, value] : labels) list.push_back(absl::StrCat(name, "=", value));
  return PercentEncode(Json{{"label", list}}.dump(-1, ' ', true, Json::error_handler_t::replace));
}

// "name:tag" and "name@sha256:..." as the two parameters of a pull.
std::pair<std::string, std::string> SplitReference(const std::string& image) {
  if (absl::StrContains(image, '@')) return {image, ""};
  const size_t colon = image.rfind(':');
  const size_t slash = image.rfind('/');
  if (colon == std::string::npos || (slash != std::string::npos && colon < slash)) return {image, "latest"};
  return {image.substr(0, colon), image.substr(colon + 1)};
}

// An image reference as part of a path: its slashes stay.
std::string EncodeReference(const std::string& image) {
  std::string encoded;
  for (const absl::string_view part : absl::StrSplit(image, '/')) {
    absl::StrAppend(&encoded, encoded.empty() ? "" : "/", PercentEncode(part));
  }
  return encoded;
}

absl::StatusOr<std::vector<ContainerEntry>> EntriesOf(const std::string& body, const std::string& socket,
                                                      const std::function<bool(const Json&)>& wanted) {
  const Json json = ParseJson(body);
  if (!json.is_array()) return NotLikeAnEngine(socket);
  std::vector<ContainerEntry> entries;
  for (const Json& item : json) {
    ContainerEntry entry{TextAt(item, "Id"), "", LabelsOf(item)};
    if (const auto names = item.find("Names"); names != item.end() && names->is_array() && !names->empty()) {
      if (names->front().is_string()) {
        entry.name = std::string(absl::StripPrefix(names->front().get<std::string>(), "/"));
      }
    }
    if (!entry.id.empty() && wanted(item)) entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace

absl::Status LogDemultiplexer::Feed(absl::string_view bytes) {
  while (!bytes.empty()) {
    if (left_ == 0) {
      const size_t wanted = kFrameHeader - header_.size();
      absl::StrAppend(&header_, bytes.substr(0, wanted));
      bytes.remove_prefix(std::min(wanted, bytes.size()));
      if (header_.size() < kFrameHeader) return absl::OkStatus();
      const auto byte = [&](size_t i) { return static_cast<unsigned char>(header_[i]); };
      left_ = uint32_t{byte(4)} << 24 | uint32_t{byte(5)} << 16 | uint32_t{byte(6)} << 8 | uint32_t{byte(7)};
      if (byte(0) > 2 || byte(1) != 0 || byte(2) != 0 || byte(3) != 0 || left_ > kMostFrame) {
        return absl::UnavailableError("the engine's output is not in frames");
      }
      stream_ = byte(0) == 2 ? kStderr : kStdout;
      header_.clear();
      continue;
    }
    const absl::string_view piece = bytes.substr(0, left_);
    if (absl::Status taken = sink_(stream_, piece); !taken.ok()) return taken;
    left_ -= static_cast<uint32_t>(piece.size());
    bytes.remove_prefix(piece.size());
  }
  return absl::OkStatus();
}

absl::StatusOr<HttpResponse> DockerApi::Send(Call call, StopSignal* stop) const {
  HttpRequest request;
  request.method = std::move(call.method);
  request.url = absl::StrCat("http://engine", call.version, call.path);
  request.unix_socket = socket_;
  if (!call.body.empty()) request.headers.emplace_back("Content-Type", "application/json");
  request.body = std::move(call.body);
  request.timeout = call.timeout;
  request.stall_timeout = call.stall_timeout;
  request.on_body = std::move(call.on_body);
  return http_->Send(request, stop);
}

absl::StatusOr<std::string> DockerApi::Version(StopSignal* stop) const {
  absl::StatusOr<HttpResponse> response = Send({.path = "/version", .timeout = absl::Seconds(5)}, stop);
  if (!response.ok()) return response.status();
  if (response->code != 200) return ErrorOf(*response);
  const Json json = ParseJson(response->body);
  const std::string version = TextAt(json, "Version");
  if (version.empty()) return NotLikeAnEngine(socket_);
  std::string name = "Docker Engine";
  if (const auto it = json.find("Components"); it != json.end() && it->is_array() && !it->empty()) {
    if (std::string first = TextAt(it->front(), "Name"); !first.empty()) name = first;
  }
  return absl::StrCat(name, " ", version);
}

absl::StatusOr<std::string> DockerApi::Create(const std::string& name, const std::string& body,
                                              StopSignal* stop) const {
  absl::StatusOr<HttpResponse> response = Send(
      {.method = "POST", .path = absl::StrCat("/containers/create?name=", PercentEncode(name)), .body = body}, stop);
  if (!response.ok()) return response.status();
  if (response->code != 201) {
    const std::string message = MessageOf(*response);
    // Podman says 500 of a name that is taken.
    if (response->code == 500 && absl::StrContains(message, "already in use")) return absl::AlreadyExistsError(message);
    return ErrorOf(*response);
  }
  std::string id = TextAt(ParseJson(response->body), "Id");
  if (id.empty()) return NotLikeAnEngine(socket_);
  return id;
}

absl::Status DockerApi::Start(const std::string& name, StopSignal* stop) const {
  absl::StatusOr<HttpResponse> response = Send({.method = "POST",
                                                .path = absl::StrCat("/containers/", PercentEncode(name), "/start"),
                                                .timeout = absl::Minutes(5)},
                                               stop);
  if (!response.ok()) return response.status();
  if (response->code == 204 || response->code == 304) return absl::OkStatus();
  // A program that is missing in the image is also 404 from dockerd.
  if (response->code == 404 && !absl::StrContains(absl::AsciiStrToLower(MessageOf(*response)), "no such container") &&
      !absl::StrContains(MessageOf(*response), "no container with name")) {
    return absl::InternalError(MessageOf(*response));
  }
  return ErrorOf(*response);
}

absl::Status DockerApi::Logs(const std::string& name, bool follow, const LogDemultiplexer::Sink& sink,
                             StopSignal* stop) const {
  LogDemultiplexer demultiplexer(sink);
  absl::StatusOr<HttpResponse> response = Send(
      {.path = absl::StrCat("/containers/", PercentEncode(name), "/logs?stdout=1&stderr=1&follow=", follow ? 1 : 0),
       .timeout = absl::InfiniteDuration(),
       .stall_timeout = kQuiet,
       .on_body = [&](absl::string_view bytes) { return demultiplexer.Feed(bytes); }},
      stop);
  if (!response.ok()) return response.status();
  if (response->code != 200) return ErrorOf(*response);
  return demultiplexer.whole() ? absl::OkStatus() : absl::UnavailableError("the engine's output was cut off");
}

absl::Status DockerApi::Wait(const std::string& name, StopSignal* stop) const {
  absl::StatusOr<HttpResponse> response = Send(
      {.method = "POST", .path = absl::StrCat("/containers/", PercentEncode(name), "/wait"), .timeout = kQuiet}, stop);
  if (!response.ok()) return response.status();
  if (response->code == 200) return absl::OkStatus();
  const absl::Status error = ErrorOf(*response);
  return absl::IsNotFound(error) ? absl::OkStatus() : error;
}

absl::Status DockerApi::Kill(const std::string& name, const std::string& signal, StopSignal* stop) const {
  absl::StatusOr<HttpResponse> response =
      Send({.method = "POST",
            .path = absl::StrCat("/containers/", PercentEncode(name), "/kill?signal=", PercentEncode(signal))},
           stop);
  if (!response.ok()) return response.status();
  if (response->code == 204) return absl::OkStatus();
  // 409, by Podman 500: it has ended, or was never started.
  const std::string message = MessageOf(*response);
  if (response->code == 409 || absl::StrContains(message, "not running") ||
      absl::StrContains(message, "can only kill running")) {
    return absl::FailedPreconditionError(message);
  }
  return ErrorOf(*response);
}

absl::StatusOr<ContainerState> DockerApi::Inspect(const std::string& name, StopSignal* stop) const {
  absl::StatusOr<HttpResponse> response =
      Send({.path = absl::StrCat("/containers/", PercentEncode(name), "/json")}, stop);
  if (!response.ok()) return response.status();
  if (response->code != 200) return ErrorOf(*response);
  const Json json = ParseJson(response->body);
  const Json& from = ObjectAt(json, "State");
  const std::string status = TextAt(from, "Status");
  ContainerState state;
  state.id = TextAt(json, "Id");
  if (state.id.empty() || status.empty()) return NotLikeAnEngine(socket_);
  state.started = TimeOf(TextAt(from, "StartedAt"));
  state.finished = TimeOf(TextAt(from, "FinishedAt"));
  // "dead" and "removing" ran; Podman calls a container "stopped" that it has not cleaned up yet.
  if (status == "created" || status == "configured" || status == "initialized") {
    state.phase = ContainerState::Phase::kCreated;
  } else if (FlagAt(from, "Running") || status == "running" || status == "paused" || status == "restarting" ||
             status == "stopping") {
    state.phase = ContainerState::Phase::kRunning;
  } else {
    state.phase = ContainerState::Phase::kExited;
  }
  state.has_process = NumberAt(from, "Pid") != 0;
  state.exit_code = static_cast<int>(NumberAt(from, "ExitCode"));
  state.out_of_memory = FlagAt(from, "OOMKilled");
  state.error = TextAt(from, "Error");
  state.image_id = TextAt(json, "Image");
  state.labels = LabelsOf(ObjectAt(json, "Config"));
  return state;
}

absl::StatusOr<bool> DockerApi::NeverRan(const std::string& id, StopSignal* stop) const {
  absl::StatusOr<HttpResponse> response =
      Send({.path = absl::StrCat("/containers/", PercentEncode(id), "/json"), .version = kLibpod}, stop);
  if (!response.ok()) return response.status();
  if (response->code == 404) return false;
  if (response->code != 200) return ErrorOf(*response);
  const Json json = ParseJson(response->body);
  const Json& state = ObjectAt(json, "State");
  const std::string status = TextAt(state, "Status");
  if (status.empty()) return NotLikeAnEngine(socket_);
  const auto pid = state.find("Pid");
  return (status == "created" || status == "configured") && pid != state.end() && *pid == 0 &&
         TimeOf(TextAt(state, "StartedAt")) == absl::InfinitePast();
}

absl::Status DockerApi::Remove(const std::string& name, StopSignal* stop) const {
  absl::StatusOr<HttpResponse> response =
      Send({.method = "DELETE", .path = absl::StrCat("/containers/", PercentEncode(name), "?force=1&v=1")}, stop);
  if (!response.ok()) return response.status();
  if (response->code == 204 || response->code == 200 || response->code == 404) return absl::OkStatus();
  // dockerd: another removal of it is under way.
  if (response->code == 409) return absl::UnavailableError(MessageOf(*response));
  return ErrorOf(*response);
}

absl::StatusOr<std::vector<ContainerEntry>> DockerApi::List(const Labels& labels, StopSignal* stop) const {
  const std::string query = absl::StrCat("/containers/json?all=true&filters=", Filters(labels));
  absl::StatusOr<HttpResponse> response = Send({.path = query}, stop);
  if (response.ok() && response->code == 500) {
    // Podman lists nothing at all for Docker's clients while there is one container that it was killed while removing.
    absl::StatusOr<HttpResponse> own = Send({.path = query, .version = kLibpod}, stop);
    if (!own.ok() || own->code == 200) response = std::move(own);
  }
  if (!response.ok()) return response.status();
  if (response->code != 200) return ErrorOf(*response);
  return EntriesOf(response->body, socket_, [](const Json&) { return true; });
}

absl::StatusOr<std::vector<ContainerEntry>> DockerApi::ListStorage(StopSignal* stop) const {
  absl::StatusOr<HttpResponse> response =
      Send({.path = "/containers/json?all=true&external=true", .version = kLibpod}, stop);
  if (!response.ok()) return response.status();
  if (response->code == 404) return std::vector<ContainerEntry>();
  if (response->code != 200) return ErrorOf(*response);
  return EntriesOf(response->body, socket_, [](const Json& item) { return TextAt(item, "State") == "storage"; });
}

absl::StatusOr<ImageState> DockerApi::InspectImage(const std::string& image, StopSignal* stop) const {
  absl::StatusOr<HttpResponse> response =
      Send({.path = absl::StrCat("/images/", EncodeReference(image), "/json"), .timeout = absl::Seconds(10)}, stop);
  if (!response.ok()) return response.status();
  if (response->code != 200) return ErrorOf(*response);
  const Json json = ParseJson(response->body);
  ImageState state{TextAt(json, "Id"), {}};
  if (state.id.empty()) return NotLikeAnEngine(socket_);
  if (const auto digests = json.find("RepoDigests"); digests != json.end() && digests->is_array()) {
    for (const Json& digest : *digests) {
      if (digest.is_string()) state.repo_digests.push_back(digest.get<std::string>());
    }
  }
  return state;
}

absl::Status DockerApi::Pull(const std::string& image, StopSignal* stop) const {
  const auto [name, tag] = SplitReference(image);
  absl::StatusOr<HttpResponse> response =
      Send({.method = "POST",
            .path = absl::StrCat("/images/create?fromImage=", PercentEncode(name),
                                 tag.empty() ? "" : absl::StrCat("&tag=", PercentEncode(tag))),
            .timeout = absl::InfiniteDuration()},
           stop);
  if (!response.ok()) return response.status();
  if (response->code != 200) {
    const absl::Status error = ErrorOf(*response);
    return absl::IsUnavailable(error) ? error : absl::InternalError(error.message());
  }
  // The answer begins before the pull, so what went wrong is in its lines.
  for (const absl::string_view line : absl::StrSplit(response->body, '\n')) {
    if (const std::string error = TextAt(ParseJson(std::string(line)), "error"); !error.empty()) {
      return absl::InternalError(error.substr(0, kMostMessage));
    }
  }
  return absl::OkStatus();
}

absl::Status DockerApi::CreateNetwork(const std::string& name, bool internal, const Labels& labels,
                                      StopSignal* stop) const {
  Json body = {{"Name", name}, {"CheckDuplicate", true}, {"Driver", "bridge"}, {"Internal", internal}};
  body["Labels"] = Json::object();
  for (const auto& [key, value] : labels) body["Labels"][key] = value;
  absl::StatusOr<HttpResponse> response = Send(
      {.method = "POST", .path = "/networks/create", .body = body.dump(-1, ' ', true, Json::error_handler_t::replace)},
      stop);
  if (!response.ok()) return response.status();
  if (response->code == 200 || response->code == 201) return absl::OkStatus();
  const std::string message = MessageOf(*response);
  if (absl::StrContains(message, "already exists") || absl::StrContains(message, "already used")) {
    return absl::OkStatus();
  }
  return ErrorOf(*response);
}

absl::Status DockerApi::RemoveNetwork(const std::string& name, StopSignal* stop) const {
  absl::StatusOr<HttpResponse> response =
      Send({.method = "DELETE", .path = absl::StrCat("/networks/", PercentEncode(name))}, stop);
  if (!response.ok()) return response.status();
  if (response->code == 200 || response->code == 204 || response->code == 404) return absl::OkStatus();
  return ErrorOf(*response);
}

absl::StatusOr<std::vector<NetworkEntry>> DockerApi::ListNetworks(const Labels& labels, StopSignal* stop) const {
  absl::StatusOr<HttpResponse> response = Send({.path = absl::StrCat("/networks?filters=", Filters(labels))}, stop);
  if (!response.ok()) return response.status();
  if (response->code != 200) return ErrorOf(*response);
  const Json json = ParseJson(response->body);
  if (!json.is_array()) return NotLikeAnEngine(socket_);
  std::vector<NetworkEntry> entries;
  for (const Json& item : json) {
    NetworkEntry entry{TextAt(item, "Name"), LabelsOf(item)};
    if (!entry.name.empty()) entries.push_back(std::move(entry));
  }
  return entries;
}

StartFailure ExplainStartFailure(absl::string_view engine_message, absl::string_view program) {
  const std::string text = absl::AsciiStrToLower(engine_message);
  const bool of_program = absl::StrContains(text, "exec");
  if (of_program && (absl::StrContains(text, "not found") || absl::StrContains(text, "no such file"))) {
    return {127, absl::StrCat("the program '", program, "' is not in the image (exit code 127): ", engine_message)};
  }
  if (of_program && absl::StrContains(text, "permission denied")) {
    return {126, absl::StrCat("the program '", program, "' cannot be executed (exit code 126): ", engine_message)};
  }
  return {125, absl::StrCat("the engine cannot start the container (exit code 125): ", engine_message)};
}

std::vector<std::string> EngineSocketCandidates() {
  std::vector<std::string> sockets;
  if (const char* host = getenv("DOCKER_HOST"); host != nullptr && absl::StartsWith(host, "unix://")) {
    sockets.emplace_back(absl::StripPrefix(host, "unix://"));
  }
  sockets.emplace_back("/var/run/docker.sock");
  sockets.emplace_back("/run/podman/podman.sock");
  if (const char* runtime = getenv("XDG_RUNTIME_DIR"); runtime != nullptr && *runtime != '\0') {
    sockets.push_back(absl::StrCat(runtime, "/podman/podman.sock"));
  }
  return sockets;
}

std::string DefaultEngineSocket() {
  const std::vector<std::string> candidates = EngineSocketCandidates();
  // What DOCKER_HOST says holds, whether or not somebody is there now.
  if (const char* host = getenv("DOCKER_HOST"); host != nullptr && absl::StartsWith(host, "unix://")) {
    return candidates.front();
  }
  for (const std::string& socket : candidates) {
    struct stat status;
    if (stat(socket.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) return socket;
  }
  return candidates.front();
}

}  // namespace tuner::executors
