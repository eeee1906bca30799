// How a verb finds the service: a server somewhere, the one that serves a data folder, or one of its own inside this
// process.
//
// Threads: from the verb's thread. Ownership: a Connection owns what it opened, and shuts an embedded server down.
// Errors: as Connect says.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "tuner/cli/client.h"
#include "tuner/cli/environment.h"

namespace tuner::cli {

// --endpoint, --token, --data and their variables, as given.
struct ConnectOptions {
  std::string endpoint;
  std::string token;
  std::string data_dir;
  std::string ca_file;
};

// What an embedded server may do.
enum class Embed {
  kNothing,   // questions that need no data (what is valid, what there is): where there is no data folder, a server in
              // memory
  kLookOnly,  // jobs are read, added and stopped; no trial is started
  kAskAndTell,  // trials are handed to workers that ask
  kFullServer,  // runs trials, and listens on <data>/tuner.sock so that other shells can look at it
};

// A folder of its own that goes away with its owner.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  // Empty if none could be made.
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct Connection {
  std::unique_ptr<ScratchFolder> scratch;
  std::unique_ptr<server::Server> server;  // null: somebody else's. Declared first, so that it outlives the client
  std::unique_ptr<Client> client;
  std::string address;   // for messages
  std::string data_dir;  // absolute; empty if a server elsewhere was named
};

// In this order: the endpoint that was named; the server behind <data>/tuner.sock; an embedded one over the data
// folder. The folder is --data, TUNER_DATA, .tuner here if it exists (or for a full server), else the user's data
// folder. UNAVAILABLE: nobody answers, or there is no data to look at; else what StartServer says.
absl::StatusOr<Connection> Connect(const Environment& environment, const ConnectOptions& options, Embed embed);

// The folder by that order, absolute; made by nobody here. `for_run`: .tuner here, also if it does not exist yet.
std::string DataDir(const Environment& environment, const std::string& data_dir, bool for_run);
// $XDG_DATA_HOME/tuner or ~/.local/share/tuner.
std::string UserDataDir(const Environment& environment);

// "unix:<data>/tuner.sock", or "" where the path is too long for a socket.
std::string SocketAddress(const std::string& data_dir);

}  // namespace tuner::cli
