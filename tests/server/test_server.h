// A whole server in a temporary folder, and clients of it. For tests; one thread.
#pragma once

#include <memory>
#include <string>

#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "tuner/server/wiring.h"
#include "tuner/v1/tuning_service.grpc.pb.h"

namespace tuner::server {

// A folder that is removed with what is in it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class TestServer {
 public:
  using Stub = v1::TuningService::Stub;

  // `config` without its folder; in memory unless it names a storage.
  explicit TestServer(ServerConfig config = {});

  Server& server() { return *server_; }
  Stub& stub() { return *stub_; }  // in process: may do anything
  const std::string& data_dir() const { return folder_.path(); }
  // A client of the n-th address.
  std::shared_ptr<grpc::Channel> ChannelTo(int address = 0) const;
  // Ends the server and starts another one on the same folder.
  void Restart();

 private:
  void Start();

  TemporaryFolder folder_;
  ServerConfig config_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<Stub> stub_;
};

// A context that gives `token`, if there is one, and ends after a minute, so that a defect fails a test instead of
// hanging it.
std::unique_ptr<grpc::ClientContext> Context(const std::string& token = "");

// A random search over one double "x", for workers that ask and tell.
v1::TuningJobSpec AskTellSpec(const std::string& name, int max_trials = 10, int parallel = 4);

// Creates the job and expects that to succeed.
v1::TuningJob Create(TestServer::Stub& stub, const v1::TuningJobSpec& spec);

// Asks for `count` trials as `worker`, and expects an OK.
v1::SuggestTrialsResponse Suggest(TestServer::Stub& stub, const std::string& job_name, const std::string& worker,
                                  int count = 1, const std::string& request_id = "");

grpc::Status Complete(TestServer::Stub& stub, const v1::Trial& trial, double objective, v1::Trial* answer = nullptr);

}  // namespace tuner::server
