#include "tuner/server/wiring.h"

#include <sys/stat.h>

#include <filesystem>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "core/clock.h"
#include "core/resource_names.h"
#include "executors/executor.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "storage/storage.h"
#include "tuner/embed/folder_id.h"
#include "tuner/engine/engine.h"
#include "tuner/notify/notifier.h"
#include "tuner/requests/job_builder.h"
#include "tuner/server/auth.h"
#include "tuner/server/files.h"
#include "tuner/server/health.h"
#include "tuner/server/in_process.h"
#include "tuner/server/listen.h"
#include "tuner/server/reflection.h"
#include "tuner/server/service.h"
#include "tuner/server/tokens.h"

namespace tuner::server {
namespace {

constexpr int kMaxRequestBytes = 64 << 20;
// Alone in its folder, as containers get the folder: a restarted server makes another socket in it.
constexpr char kTrialSocket[] = "/trial/api.sock";

std::string BesideThisProgram(const std::string& name) {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? name : (self.parent_path() / name).string();
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeCredentials(const ServerConfig& config) {
  if (config.tls_cert.empty()) return grpc::InsecureServerCredentials();
  absl::StatusOr<std::string> cert = ReadFile(config.tls_cert);
  if (!cert.ok()) return cert.status();
  absl::StatusOr<std::string> key = ReadFile(config.tls_key);
  if (!key.ok()) return key.status();
  grpc::SslServerCredentialsOptions options;
  options.pem_key_cert_pairs.push_back({*std::move(key), *std::move(cert)});
  return grpc::SslServerCredentials(options);
}

// The engine calls back into the server that is being made; what it asks for is there before it starts.
class ServerImpl final : public Server {
 public:
  explicit ServerImpl(ServerConfig config) : config_(std::move(config)) {}
  ~ServerImpl() override { Shutdown(); }

  absl::Status Start();

  std::vector<std::string> addresses() const override { return addresses_; }
  std::shared_ptr<grpc::Channel> InProcessChannel() override {
    return server::InProcessChannel(*grpc_, authenticator_->process_token());
  }
  void PreemptAll(const std::string& reason) override { engine_->PreemptAll(reason); }
  void KillAll() override { engine_->KillAll(); }
  void Shutdown() override;

 private:
  absl::Status OpenFolder();
  absl::Status MakeTheEngine();
  void MakeExecutors();
  void MakeServices();
  absl::Status Listen(const std::vector<ListenAddress>& addresses);
  absl::btree_map<std::string, std::string> ServiceEnvironment(const executors::RunId& run) const;

  // Constant after Start. In the order in which each needs those before it; Shutdown has ended all calls before any
  // goes.
  ServerConfig config_;
  std::unique_ptr<core::Clock> clock_;
  std::unique_ptr<Authenticator> authenticator_;
  std::unique_ptr<storage::Storage> storage_;
  std::unique_ptr<engine::Notifier> notifier_;
  std::unique_ptr<engine::Engine> engine_;
  absl::flat_hash_map<std::string, std::unique_ptr<executors::Executor>> executors_;
  absl::flat_hash_map<std::string, std::string> missing_executors_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<HealthService> health_;
  std::vector<std::unique_ptr<grpc::Service>> reflection_;
  std::unique_ptr<grpc::Server> grpc_;
  std::vector<std::string> addresses_;
  std::string endpoint_;      // for trials; empty: none
  std::string trial_socket_;  // for trials that see nothing else of this machine; empty: none

  absl::Mutex shutdown_mutex_;
  bool is_down_ ABSL_GUARDED_BY(shutdown_mutex_) = false;
};

absl::Status ServerImpl::Start() {
  absl::StatusOr<std::vector<ListenAddress>> addresses = CheckedListenAddresses(config_);
  if (!addresses.ok()) return addresses.status();
  if (absl::Status status = OpenFolder(); !status.ok()) return status;
  if (absl::Status status = MakeTheEngine(); !status.ok()) return status;
  MakeExecutors();
  MakeServices();
  if (absl::Status status = Listen(*addresses); !status.ok()) return status;
  absl::flat_hash_map<std::string, executors::Executor*> executors;
  for (const auto& [name, executor] : executors_) executors.emplace(name, executor.get());
  if (absl::Status status = engine_->Start(std::move(executors)); !status.ok()) return status;
  service_->Open();
  health_->SetServing(true);
  return absl::OkStatus();
}

absl::Status ServerImpl::OpenFolder() {
  if (config_.data_dir.empty() || config_.data_dir.front() != '/') {
    return absl::InvalidArgumentError(absl::StrCat("data: \"", config_.data_dir, "\" is no absolute folder"));
  }
  if (absl::Status status = MakePrivateFolder(config_.data_dir); !status.ok()) return status;
  // Where the path is too long for a socket, such trials cannot report; what they print is found nevertheless.
  if (PrepareSocketPath(config_.data_dir + kTrialSocket).ok()) trial_socket_ = config_.data_dir + kTrialSocket;
  clock_ = core::MakeSystemClock();
  absl::StatusOr<std::unique_ptr<Authenticator>> authenticator =
      Authenticator::Open({config_.data_dir, /*tcp_needs_token=*/!config_.no_auth});
  if (!authenticator.ok()) return authenticator.status();
  authenticator_ = *std::move(authenticator);
  const std::string uri =
      config_.storage_uri.empty() ? absl::StrCat("sqlite:", config_.data_dir, "/tuner.db") : config_.storage_uri;
  absl::StatusOr<std::unique_ptr<storage::Storage>> storage = storage::OpenStorage(uri);
  if (!storage.ok()) return storage.status();
  storage_ = *std::move(storage);
  return absl::OkStatus();
}

absl::Status ServerImpl::MakeTheEngine() {
  absl::StatusOr<std::string> folder_id = embed::FolderId(config_.data_dir);
  if (!folder_id.ok()) return folder_id.status();
  engine::EngineOptions options;
  options.server_id = *std::move(folder_id);
  options.strategy_threads = config_.strategy_threads;
  options.start_trials = config_.start_trials;
  options.load_running_jobs = config_.load_running_jobs;
  engine::EngineEnvironment environment;
  environment.storage = storage_.get();
  environment.clock = clock_.get();
  environment.parse_spec = &requests::SpecOfHeader;
  environment.service_environment = [this](const executors::RunId& run) { return ServiceEnvironment(run); };
  notifier_ = notify::MakeNotifier();
  environment.notifier = notifier_.get();
  engine_ = engine::MakeEngine(std::move(options), std::move(environment));
  return absl::OkStatus();
}

// One that cannot be made is shown by ListExecutors with the reason; the server runs without it.
void ServerImpl::MakeExecutors() {
  executors::ExecutorContext context;
  context.data_dir = config_.data_dir;
  context.clock = clock_.get();
  context.listener = engine_->listener();
  context.gpus.assign(config_.gpus.begin(), config_.gpus.end());
  context.supervisor_path =
      config_.supervisor_path.empty() ? BesideThisProgram("tuner-supervisor") : config_.supervisor_path;
  context.spawner_fd = config_.spawner_fd;
  context.trial_socket = trial_socket_;
  for (const executors::ExecutorKind& kind : executors::ExecutorKinds()) {
    absl::StatusOr<std::unique_ptr<executors::Executor>> executor = kind.make(context);
    const std::string name(kind.name);
    if (executor.ok()) {
      executors_.emplace(name, *std::move(executor));
    } else {
      missing_executors_.emplace(name, std::string(executor.status().message()));
    }
  }
}

void ServerImpl::MakeServices() {
  Service::Environment environment;
  environment.engine = engine_.get();
  environment.storage = storage_.get();
  environment.clock = clock_.get();
  environment.authenticator = authenticator_.get();
  environment.missing = missing_executors_;
  for (const auto& [name, executor] : executors_) environment.executors.emplace(name, executor->capabilities());
  service_ = std::make_unique<Service>(std::move(environment));
  health_ = std::make_unique<HealthService>(authenticator_.get());
  reflection_ = MakeReflectionServices(
      authenticator_.get(), {v1::TuningService::service_full_name(), grpc::health::v1::Health::service_full_name()});
}

absl::Status ServerImpl::Listen(const std::vector<ListenAddress>& addresses) {
  absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> credentials = MakeCredentials(config_);
  if (!credentials.ok()) return credentials.status();
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(kMaxRequestBytes);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // else a second server would share the port in silence
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
  builder.RegisterService(service_.get());
  builder.RegisterService(health_.get());
  for (const std::unique_ptr<grpc::Service>& each : reflection_) builder.RegisterService(each.get());

  std::vector<ListenAddress> bound = addresses;
  for (ListenAddress& address : bound) {
    if (address.unix_path.empty()) {
      builder.AddListeningPort(address.ToString(), *credentials, &address.port);
      continue;
    }
    if (absl::Status status = PrepareSocketPath(address.unix_path); !status.ok()) return status;
    builder.AddListeningPort(address.ToString(), grpc::InsecureServerCredentials());
  }
  if (!trial_socket_.empty()) {
    builder.AddListeningPort(absl::StrCat("unix:", trial_socket_), grpc::experimental::LocalServerCredentials(UDS));
  }
  {
    const PrivateUmask umask;  // sockets come with mode 0600
    grpc_ = builder.BuildAndStart();
  }
  // Whatever user a container has; its folder is mounted there and closed to all others, and it asks for a token.
  if (grpc_ != nullptr && !trial_socket_.empty()) {
    chmod(trial_socket_.c_str(), 0666);
    chmod(trial_socket_.substr(0, trial_socket_.rfind('/')).c_str(), 0755);
  }
  if (grpc_ == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", absl::StrJoin(config_.listen, ", "),
                     ": is another program there? Choose another address, or end that program"));
  }
  for (ListenAddress& address : bound) {
    addresses_.push_back(address.ToString());
    const bool better = endpoint_.empty() || (!address.unix_path.empty() && !absl::StartsWith(endpoint_, "unix:"));
    if (!better) continue;
    if (address.host == "0.0.0.0") address.host = "127.0.0.1";
    if (address.host == "::") address.host = "::1";
    endpoint_ = address.ToString();
  }
  return absl::OkStatus();
}

absl::btree_map<std::string, std::string> ServerImpl::ServiceEnvironment(const executors::RunId& run) const {
  const std::string trial_name = core::TrialName(run.job_id, run.trial);
  absl::btree_map<std::string, std::string> variables = {{"TUNER_TRIAL", trial_name},
                                                         {"TUNER_ATTEMPT", absl::StrCat(run.attempt)}};
  const std::string endpoint =
      !endpoint_.empty() ? endpoint_ : trial_socket_.empty() ? "" : absl::StrCat("unix:", trial_socket_);
  if (!endpoint.empty()) {
    variables["TUNER_ENDPOINT"] = endpoint;
    variables["TUNER_TOKEN"] = authenticator_->TrialToken(trial_name, run.attempt);
  }
  return variables;
}

void ServerImpl::Shutdown() {
  absl::MutexLock lock(&shutdown_mutex_);
  if (is_down_) return;
  is_down_ = true;
  if (health_ != nullptr) health_->SetServing(false);
  if (service_ != nullptr) service_->Close();
  if (engine_ != nullptr && config_.notification_wait > absl::ZeroDuration()) {
    engine_->AwaitNotifications(config_.notification_wait);
  }
  if (engine_ != nullptr) engine_->Shutdown();  // answers all who wait, so that the drain below need not
  if (health_ != nullptr) health_->Close();
  if (grpc_ != nullptr) grpc_->Shutdown(absl::ToChronoTime(clock_->Now() + config_.drain_timeout));
  executors_.clear();  // detaches from running trials; before the engine, which hears from them
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> StartServer(const ServerConfig& config) {
  auto server = std::make_unique<ServerImpl>(config);
  if (absl::Status status = server->Start(); !status.ok()) return status;
  return server;
}

}  // namespace tuner::server
