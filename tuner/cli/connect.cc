#include "tuner/cli/connect.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "grpcpp/channel.h"

namespace tuner::cli {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kConnectTimeout = absl::Seconds(5);
// The last chance of those who are to be told that the job of this process has ended.
constexpr absl::Duration kNotificationWait = absl::Seconds(5);

std::string VariableOr(const Environment& environment, const std::string& name, std::string otherwise) {
  return environment.variable(name).value_or(std::move(otherwise));
}

// The first line of a file, or "".
std::string ReadToken(const fs::path& path) {
  std::ifstream file(path);
  std::string token;
  std::getline(file, token);
  return std::string(absl::StripAsciiWhitespace(token));
}

bool Exists(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

absl::StatusOr<Connection> ConnectTo(const Environment& environment, const ConnectOptions& options,
                                     const std::string& endpoint) {
  auto channel = OpenChannel(endpoint, options.ca_file);
  if (!channel.ok()) return channel.status();
  if (!Answers(**channel, kConnectTimeout)) {
    return absl::UnavailableError(
        absl::StrCat("nobody answers at ", endpoint,
                     ".\nStart a server there with `tuner serve`, or correct --endpoint (TUNER_ENDPOINT)."));
  }
  std::string token = options.token.empty() ? VariableOr(environment, "TUNER_TOKEN", "") : options.token;
  // The token goes by itself only to this machine: a folder's secret is not for whoever answers at another address.
  const bool local = absl::StartsWith(endpoint, "unix:") || absl::StartsWith(endpoint, "127.") ||
                     absl::StartsWith(endpoint, "localhost:") || absl::StartsWith(endpoint, "[::1]");
  if (token.empty() && (local || !options.data_dir.empty())) {
    token = ReadToken(fs::path(DataDir(environment, options.data_dir, false)) / "token");
  }
  Connection connection;
  connection.client = MakeClient(*channel, endpoint, token);
  connection.address = endpoint;
  return connection;
}

// Whether a process listens on the socket; the file of a killed one refuses. Without gRPC, as this is asked before each
// verb.
bool SomebodyListens(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());  // SocketAddress has checked the length
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const bool listens = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return listens;
}

// The server that serves a data folder already, if one does.
std::unique_ptr<Client> ClientOfSocket(const std::string& data_dir) {
  const std::string address = SocketAddress(data_dir);
  if (address.empty() || !SomebodyListens(data_dir + "/tuner.sock")) return nullptr;
  auto channel = OpenChannel(address, "");
  if (!channel.ok() || !Answers(**channel, kConnectTimeout)) return nullptr;
  return MakeClient(*channel, address, "");
}

absl::StatusOr<Connection> Embedded(const Environment& environment, Connection connection, Embed embed) {
  const bool full = embed == Embed::kFullServer;
  server::ServerConfig config;
  config.executor_kinds = environment.executor_kinds;
  config.data_dir = connection.data_dir;
  if (connection.scratch) config.storage_uri = "memory:";
  config.start_trials = embed == Embed::kFullServer || embed == Embed::kAskAndTell;
  config.load_running_jobs = full;
  config.notification_wait = kNotificationWait;
  config.spawner_fd = full ? environment.spawner_fd : -1;
  const std::string socket = SocketAddress(connection.data_dir);
  if (full && !socket.empty()) config.listen.push_back(socket);
  auto server = environment.start_server(config);
  if (!server.ok()) return server.status();
  connection.server = *std::move(server);
  connection.address = connection.data_dir;
  connection.client = MakeClient(connection.server->InProcessChannel(), connection.address, "");
  return connection;
}

}  // namespace

ScratchFolder::ScratchFolder() {
  std::error_code error;
  std::string name = (fs::temp_directory_path(error) / "tuner-XXXXXX").string();
  if (!error && mkdtemp(name.data())) path_ = name;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

std::string UserDataDir(const Environment& environment) {
  const std::string xdg = VariableOr(environment, "XDG_DATA_HOME", "");
  if (!xdg.empty() && xdg.front() == '/') return xdg + "/tuner";
  return VariableOr(environment, "HOME", "/var/lib") + "/.local/share/tuner";
}

std::string DataDir(const Environment& environment, const std::string& data_dir, bool for_run) {
  std::string chosen = data_dir.empty() ? VariableOr(environment, "TUNER_DATA", "") : data_dir;
  if (chosen.empty()) chosen = for_run || Exists(".tuner") ? ".tuner" : UserDataDir(environment);
  std::error_code error;
  const fs::path absolute = fs::absolute(chosen, error);
  return error ? chosen : absolute.lexically_normal().string();
}

std::string SocketAddress(const std::string& data_dir) {
  const std::string path = data_dir + "/tuner.sock";
  return path.size() < sizeof(sockaddr_un::sun_path) ? "unix:" + path : "";
}

absl::StatusOr<Connection> Connect(const Environment& environment, const ConnectOptions& options, Embed embed) {
  const std::string endpoint =
      options.endpoint.empty() ? VariableOr(environment, "TUNER_ENDPOINT", "") : options.endpoint;
  if (!endpoint.empty()) return ConnectTo(environment, options, endpoint);

  Connection connection;
  const bool full = embed == Embed::kFullServer;
  connection.data_dir = DataDir(environment, options.data_dir, full);
  connection.client = ClientOfSocket(connection.data_dir);
  if (connection.client) {
    connection.address = SocketAddress(connection.data_dir);
    return connection;
  }
  if (!full && !Exists(connection.data_dir)) {
    if (embed != Embed::kNothing) {
      return absl::UnavailableError(absl::StrCat("there is no server and no data to look at: ", connection.data_dir,
                                                 " does not exist.\nGo to the folder in which you ran `tuner run`, "
                                                 "give --data DIR, or name a server with --endpoint."));
    }
    connection.scratch = std::make_unique<ScratchFolder>();
    connection.data_dir = connection.scratch->path();
    if (connection.data_dir.empty())
      return absl::UnavailableError("cannot make a temporary folder; set TMPDIR to one that can be written.");
  }
  return Embedded(environment, std::move(connection), embed);
}

}  // namespace tuner::cli
