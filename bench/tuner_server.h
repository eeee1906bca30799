// The real server binary on loopback, with a data folder of its own.
//
// Threads: a value for one thread. Ownership: ends the server; its folder stays with the context's.
// Errors: what the server printed.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "bench/bench.h"
#include "bench/program.h"
#include "bench/rpc_load.h"
#include "tuner/v1/tuning_service.grpc.pb.h"

namespace tuner::bench {

class TunerServer {
 public:
  // A server that answers. `storage`: "sqlite" or "memory". `prepare` may fill the data folder before.
  static absl::StatusOr<std::unique_ptr<TunerServer>> Start(
      const Context& context, const std::string& storage,
      const std::function<absl::Status(const std::string& data_dir)>& prepare = nullptr);

  const std::string& endpoint() const { return endpoint_; }
  const Program& program() const { return *program_; }
  // From the start of the process until the health service says SERVING.
  absl::Duration start_time() const { return start_time_; }
  std::string File(const std::string& name) const { return folder_.File(name); }

  absl::StatusOr<v1::TuningJob> Create(const v1::TuningJobSpec& spec) const;
  absl::StatusOr<v1::TuningJob> Get(const std::string& name) const;
  absl::Status StopJob(const std::string& name) const;
  // Ends the server and starts it on the same data.
  absl::Status Restart(const Context& context);
  // The job once it has ended, asked for every 50 ms.
  absl::StatusOr<v1::TuningJob> AwaitEnd(const std::string& name, absl::Duration patience) const;

 private:
  explicit TunerServer(const Context& context) : folder_(context) {}
  absl::Status Launch(const Context& context);

  ScratchFolder folder_;
  std::string storage_;
  std::string endpoint_;
  std::optional<Program> program_;
  std::unique_ptr<v1::TuningService::Stub> stub_;
  absl::Duration start_time_;
};

inline constexpr char kService[] = "/tuner.v1.TuningService/";

// A job named `name`, random search over five doubles x0 ... x4 in [0, 1], minimising "loss".
v1::TuningJobSpec RandomJob(const std::string& name, int max_trials, int max_parallel_trials);

// Asks for a trial, reports one measurement, completes it.
std::unique_ptr<Dialogue> AskReportComplete(const std::string& job_name, int worker);

}  // namespace tuner::bench
