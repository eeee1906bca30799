// The verbs of the command line: what each was told, and what it does.
//
// Threads: from the thread that parsed the command line. Ownership: everything is borrowed for the call. Errors: a
// Status becomes a sentence and an exit code in errors.h; an int is the exit code itself.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tuner/cli/connect.h"
#include "tuner/cli/environment.h"
#include "tuner/cli/format.h"

namespace tuner::cli {

// One command: the process around it, its output, and the service once a verb asked for it.
class Context {
 public:
  Context(const Environment& environment, Printer printer, ConnectOptions connect)
      : environment_(environment), printer_(printer), connect_(std::move(connect)) {}

  const Environment& environment() const { return environment_; }
  const ConnectOptions& connect_options() const { return connect_; }
  Printer& printer() { return printer_; }
  bool json() const { return printer_.style().json; }
  // Connects once. The client lives as long as the context.
  absl::StatusOr<Client*> Open(Embed embed);
  const Connection& connection() const { return connection_; }
  // Ends an embedded server, and gives the connection up.
  void Close();

 private:
  const Environment& environment_;
  Printer printer_;
  ConnectOptions connect_;
  Connection connection_;
};

// "xgboost", "tuningJobs/xgboost" -> "tuningJobs/xgboost". INVALID_ARGUMENT with the form that was expected.
absl::StatusOr<std::string> JobNameOf(const std::string& argument);
// "xgboost/7", "tuningJobs/xgboost/trials/7" -> the resource name.
absl::StatusOr<std::string> TrialNameOf(const std::string& argument);

struct FileOptions {
  std::string file;
  bool check = false;  // of validate: asks the engines too
};
absl::StatusOr<int> RunJob(Context& context, const FileOptions& options);
absl::StatusOr<int> CreateJob(Context& context, const FileOptions& options);
absl::StatusOr<int> ValidateJob(Context& context, const FileOptions& options);

struct ServeOptions {
  std::vector<std::string> listen;
  std::string config;
  std::string storage;
  bool no_auth = false;
  bool allow_insecure = false;
  std::string tls_cert, tls_key;
  std::vector<int> gpus;
  std::vector<std::string> executor_slots;  // "process=8"
  std::optional<int> strategy_threads;
  std::optional<double> drain_seconds;
};
absl::StatusOr<int> Serve(Context& context, const ServeOptions& options);

struct ListOptions {
  std::vector<std::string> states, tags;
  std::string name_contains, created_after, created_before;
  int limit = 100;
};
absl::StatusOr<int> ListJobs(Context& context, const ListOptions& options);

struct JobOptions {
  std::string job;
  std::string reason;
  bool force = false;  // delete: without a question; stop it first
};
absl::StatusOr<int> ShowJob(Context& context, const JobOptions& options);
absl::StatusOr<int> WatchJob(Context& context, const JobOptions& options);
absl::StatusOr<int> DeleteJob(Context& context, const JobOptions& options);
absl::StatusOr<int> ReplayJob(Context& context, const JobOptions& options);
// `job` may name a trial as well: job/7.
absl::StatusOr<int> Stop(Context& context, const JobOptions& options);

struct CloneOptions {
  std::string job, name;
  std::optional<int> max_trials, max_parallel_trials;
  std::vector<std::string> changes;  // "path=value"
  bool warm_start = false;
  std::string warm_start_type;
  bool file_only = false;  // print the job file, create nothing
};
absl::StatusOr<int> CloneJob(Context& context, const CloneOptions& options);

struct CompareOptions {
  std::vector<std::string> jobs;
};
absl::StatusOr<int> CompareJobs(Context& context, const CompareOptions& options);

struct TrialsOptions {
  std::string job, filter, order_by, state, definition;
  int limit = 100;
  bool measurements = false;
};
absl::StatusOr<int> ListTrials(Context& context, const TrialsOptions& options);

struct BestOptions {
  std::string job, fetch, definition;
};
absl::StatusOr<int> ShowBest(Context& context, const BestOptions& options);

struct LogsOptions {
  std::string trial;
  std::optional<int> attempt;
  bool follow = false, error_output = false;
  int64_t offset = 0;
};
absl::StatusOr<int> ShowLogs(Context& context, const LogsOptions& options);

struct TableFileOptions {
  std::string job, file, format;
  std::string space;  // import: job file of the job that is made of the trials
  bool measurements = false;
};
absl::StatusOr<int> ExportTrials(Context& context, const TableFileOptions& options);
absl::StatusOr<int> ImportTrials(Context& context, const TableFileOptions& options);

struct ExplainOptions {
  std::string job, definition;
  std::optional<int> trial;
  std::vector<std::string> at;  // NAME=VALUE
  bool data = false;            // with --output json: what the model was fitted to, too
};
absl::StatusOr<int> ExplainJob(Context& context, const ExplainOptions& options);

struct PlotOptions {
  std::string job, definition, kind = "all", format, out, x, y;
  int width = 900, height = 560;
};
absl::StatusOr<int> PlotJob(Context& context, const PlotOptions& options);

struct SuggestOptions {
  std::string job, worker, request_id;
  int count = 1;
  double deadline_seconds = 10;
};
absl::StatusOr<int> SuggestTrials(Context& context, const SuggestOptions& options);

struct TellOptions {
  std::vector<std::string> arguments;  // [TRIAL] METRIC=VALUE ...
  std::optional<int> attempt;
  std::optional<int64_t> step;
  std::string worker, failed, infeasible;
};
absl::StatusOr<int> ReportValues(Context& context, const TellOptions& options);
absl::StatusOr<int> CompleteTrial(Context& context, const TellOptions& options);

absl::StatusOr<int> ListComponents(Context& context);

struct DoctorOptions {
  std::string listen = "127.0.0.1:7070";
};
absl::StatusOr<int> Doctor(Context& context, const DoctorOptions& options);

struct TokenOptions {
  std::string action, name;
};
absl::StatusOr<int> Token(Context& context, const TokenOptions& options);

}  // namespace tuner::cli
