// Where trials run. One Executor drives one kind of engine for all jobs.
//
// Threads: every method may be called from any thread. Ownership: an executor owns what it starts; its destructor
// detaches from running runs if its capabilities say `survives_server`, else ends and reaps them. Events go to the
// RunListener, which outlives the executor. Errors: as each method says; a run that fails is data (RunEnded), never a
// Status.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/clock.h"
#include "core/job_spec.h"
#include "core/problem.h"
#include "core/trial.h"

namespace tuner::executors {

// One attempt of a trial. Unique for ever through the job's uid.
struct RunId {
  std::string job_id;
  std::string job_uid;
  int32_t trial = 0;
  int32_t attempt = 0;

  auto operator<=>(const RunId&) const = default;
  template <typename H>
  friend H AbslHashValue(H h, const RunId& id) {
    return H::combine(std::move(h), id.job_id, id.job_uid, id.trial, id.attempt);
  }
};

struct RunSpec {
  RunId id;
  core::Options options;          // this executor's own
  core::ParameterMap parameters;  // tuned, active ones
  core::ParameterMap static_parameters;
  std::string objective_metric;
  std::vector<core::MetricDefinition> metrics;
  core::ScanCursor cursor;  // counted steps go on from here; offsets are 0 for a new attempt
  std::optional<absl::Duration> time_limit;
  absl::Duration grace_period = absl::Seconds(10);
  std::vector<core::Channel> inputs;
  absl::btree_map<std::string, std::string> environment;  // the user's
  absl::btree_map<std::string, std::string>
      service_environment;  // TUNER_ENDPOINT, TUNER_TRIAL, TUNER_ATTEMPT, TUNER_TOKEN, TUNER_RESOURCE
  std::string base_dir;
  std::string checkpoint_dir;  // absolute or empty
  int32_t max_parallel = 1;    // trials of the job that may run beside each other
};

// A run that storage believes to be launched, and how far its output was scanned.
struct RunCursor {
  RunSpec spec;          // as it was launched, with the cursor of the last commit
  bool started = false;  // its RunStarted was committed
};

struct RunStarted {
  std::string location;
  std::string artifact_path;
  absl::Time time;
};
// Metrics found since the last such event, with the place up to which the output was read for them.
struct RunMetrics {
  std::vector<core::Measurement> measurements;
  core::ScanCursor cursor;
};
struct RunEnded {
  enum class Outcome {
    kSucceeded,  // by itself, exit code 0
    kFailed,     // by itself, otherwise; counts as the trial's failure
    kStopped,    // by Stop
    kTimedOut,   // by its time limit
    kLost,       // the engine or machine went away under it; not the trial's fault
    kRefused,    // never began: the engine, asked only after Launch was OK, cannot run its specification
  };
  Outcome outcome = Outcome::kFailed;
  std::string reason;  // a sentence; of a failed one with the last lines of stderr
  std::optional<int32_t> exit_code;
  std::optional<int32_t> signal;
  core::ResourceUse use;
  std::string model_uri;  // where its model is kept, if not in its artifact_path
  absl::Time time;
};
struct RunEvent {
  RunId id;
  std::variant<RunStarted, RunMetrics, RunEnded> what;
};

class RunListener {
 public:
  virtual ~RunListener() = default;
  // Per run in order: started?, metrics*, ended (exactly one, unless the executor is destroyed first and the run goes
  // on). Any thread; never called under the executor's lock. Must not block.
  virtual void OnRunEvent(RunEvent event) = 0;
};

struct Capabilities {
  bool survives_server = false;  // runs go on without the server, and Adopt finds them again
  bool scans_output = false;     // metric definitions are honoured
  bool enforces_time_limit = false;
  bool reports_resources = false;
  bool has_logs = false;     // artifact_path holds stdout.log and stderr.log
  bool is_external = false;  // trials are handed out by SuggestTrials; Launch is never called
};

class Executor {
 public:
  virtual ~Executor() = default;

  // Starts a run; OK means accepted, and exactly one RunEnded follows. Idempotent on `spec.id`: a second call for a run
  // that was ever accepted, by this server or one before it, starts nothing and is OK. INVALID_ARGUMENT: the spec
  // cannot be run here; say why. RESOURCE_EXHAUSTED: no free slot (GPU) now; ask again when a run of this executor has
  // ended, or when the status says (executors/later.h). UNAVAILABLE: the engine is down; ask again later. As
  // UNAVAILABLE may also mean that only the answer was lost, the run is taken for one that may be there.
  virtual absl::Status Launch(const RunSpec& spec) = 0;

  // Ends a run: SIGTERM (or the engine's like), after `grace` SIGKILL, to all of its processes. Again with a shorter
  // grace shortens it. The end event still comes. NOT_FOUND: no such run, or it has ended. UNAVAILABLE: as above.
  virtual absl::Status Stop(const RunId& id, absl::Duration grace) = 0;

  // After a restart: takes charge of these runs again. For each that the engine knows, events follow as after Launch,
  // with all that the output holds after the cursor, before the end. Returns one flag each: true if it is known
  // (running or ended), false if it was never accepted. A run that was accepted but whose end nobody recorded (machine
  // restart) is known, and ends as kLost. UNAVAILABLE: the engine is down; ask again later.
  virtual absl::StatusOr<std::vector<bool>> Adopt(absl::Span<const RunCursor> runs) = 0;

  // The end that was told of this run is stored: nobody will ask for it again, so what was kept to tell it again may
  // go. Never before that. Until then, and for ever if this never comes, the end outlives the server and, once it is on
  // the disk, the machine. Of a run that is not known, or again: nothing happens.
  virtual void Acknowledge(const RunId& id) = 0;

  // Removes what an ended run of a trial that has ended for good left behind: model, output, copies of inputs, and the
  // trial's checkpoints; `with_logs`: its logs, too. What says that the run was there, and how it ended, stays. Again,
  // or with nothing there: OK. Only after Acknowledge. UNAVAILABLE: ask again later. UNIMPLEMENTED: this executor
  // removes nothing.
  virtual absl::Status RemoveArtifacts(const RunSpec& spec, bool with_logs) {
    (void)spec, (void)with_logs;
    return absl::UnimplementedError("this executor removes no artefacts");
  }

  // Forgets the runs of a deleted job and removes their folders.
  virtual absl::Status Remove(const std::string& job_id, const std::string& job_uid) = 0;

  virtual Capabilities capabilities() const = 0;
};

// What an executor is made from. Borrowed pointers outlive it.
struct ExecutorContext {
  std::string data_dir;  // absolute; runs live in <data_dir>/jobs/<job>/<trial>/<attempt>
  core::Clock* clock = nullptr;
  RunListener* listener = nullptr;
  std::vector<int32_t> gpus;    // indexes that trials may be given
  std::string supervisor_path;  // of tuner-supervisor
  int spawner_fd =
      -1;  // socket to the spawner that main forked before its first thread (executors/spawner.h); -1: none
  // Path of a unix socket of the server on which trials report with their tokens, alone in its folder, which isolated
  // containers are given; empty: none.
  std::string trial_socket;
};

// A kind of executor that jobs may name. All functions but `advise` are set; all may be called from any thread, and
// throw nothing.
struct ExecutorKind {
  std::string name;         // as in the proto's oneof; of one that is linked in, CustomOptions.name
  std::string description;  // one sentence
  std::function<absl::StatusOr<std::unique_ptr<Executor>>(const ExecutorContext&)> make;
  // Problems of serialised options in a job whose space and static parameters are `spec`'s; paths are relative to the
  // options message. Of one that is linked in, the options are a google.protobuf.Struct.
  std::function<core::Problems(const std::string& bytes, const core::JobSpec& spec)> validate;
  // Empty if this machine has what it needs, else what is missing and what to install. For `tuner doctor` and
  // ListExecutors.
  std::function<std::string()> missing;
  // Remarks on options that are not wrong, each "field: text" with the field relative to the options message. Not set:
  // none.
  std::function<std::vector<std::string>(const std::string& bytes, const core::JobSpec& spec)> advise = nullptr;
  // What would be refused, or lost money, when the job runs, as far as can be told by asking the engine without
  // starting anything; may take seconds. Paths are relative to the options message. For `tuner validate --check`.
  // Not set: nothing to ask.
  std::function<core::Problems(const std::string& bytes, const core::JobSpec& spec)> check = nullptr;
};

// The kinds that a server has: the built-in ones, and those that the program adds to its own. A value; whoever composes
// a server passes it on.
class ExecutorRegistry {
 public:
  ExecutorRegistry();  // the built-in ones

  // Adds one of the program's own; jobs name it by `custom: {name, options}`. INVALID_ARGUMENT: its name is not
  // [a-z][a-z0-9_-]{0,62} or is that of an arm of the proto's oneof, or a function is not set. ALREADY_EXISTS.
  absl::Status Add(ExecutorKind kind);

  const std::vector<ExecutorKind>& kinds() const { return kinds_; }
  const ExecutorKind* Find(std::string_view name) const;  // null: there is none

 private:
  std::vector<ExecutorKind> kinds_;
};
// The built-in ones alone.
const ExecutorRegistry& BuiltInExecutors();
absl::Span<const ExecutorKind> ExecutorKinds();
const ExecutorKind* FindExecutorKind(std::string_view name);

}  // namespace tuner::executors
