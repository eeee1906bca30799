#include "function_executor.h"

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "google/protobuf/struct.pb.h"

namespace {

using tuner::executors::Capabilities;
using tuner::executors::Executor;
using tuner::executors::ExecutorContext;
using tuner::executors::RunCursor;
using tuner::executors::RunEnded;
using tuner::executors::RunId;
using tuner::executors::RunMetrics;
using tuner::executors::RunSpec;
using tuner::executors::RunStarted;

constexpr int kMostCalls = 64;

// The number of calls that the options allow. INVALID_ARGUMENT.
absl::StatusOr<int> MaxCalls(const std::string& bytes) {
  google::protobuf::Struct options;
  if (!options.ParseFromString(bytes)) return absl::InvalidArgumentError("are no google.protobuf.Struct");
  int calls = 1;
  for (const auto& [name, value] : options.fields()) {
    if (name != "max_calls") return absl::InvalidArgumentError(absl::StrCat("has no option ", name));
    if (!value.has_number_value() || value.number_value() < 1 || value.number_value() > kMostCalls) {
      return absl::InvalidArgumentError(absl::StrCat("max_calls must be a number from 1 to ", kMostCalls));
    }
    calls = static_cast<int>(value.number_value());
  }
  return calls;
}

class FunctionExecutor : public Executor {
 public:
  FunctionExecutor(const ExecutorContext& context, Function function)
      : context_(context), function_(std::move(function)) {}

  ~FunctionExecutor() override {
    std::map<RunId, Run> runs;
    {
      absl::MutexLock lock(&mutex_);
      runs.swap(runs_);
    }
    for (auto& [id, run] : runs) *run.stopped = true;
    for (auto& [id, run] : runs) run.thread.join();
  }

  absl::Status Launch(const RunSpec& spec) override {
    const absl::StatusOr<int> max_calls = MaxCalls(spec.options.bytes);
    if (!max_calls.ok()) return max_calls.status();
    absl::MutexLock lock(&mutex_);
    if (runs_.count(spec.id) > 0) return absl::OkStatus();  // a second Launch starts nothing
    int under_way = 0;
    for (const auto& [id, run] : runs_) under_way += *run.ended ? 0 : 1;
    if (under_way >= *max_calls) {
      return absl::ResourceExhaustedError(absl::StrCat("all ", *max_calls, " calls are under way"));
    }
    Run& run = runs_[spec.id];
    run.stopped = std::make_shared<std::atomic<bool>>(false);
    run.ended = std::make_shared<std::atomic<bool>>(false);
    run.thread = std::thread([this, spec, stopped = run.stopped, ended = run.ended] { Work(spec, *stopped, *ended); });
    return absl::OkStatus();
  }

  // A function cannot be killed, so the grace period is as long as it takes.
  absl::Status Stop(const RunId& id, absl::Duration) override {
    absl::MutexLock lock(&mutex_);
    const auto run = runs_.find(id);
    if (run == runs_.end() || *run->second.ended) return absl::NotFoundError("the run is not there, or has ended");
    *run->second.stopped = true;
    return absl::OkStatus();
  }

  // Runs of an earlier program are gone with it: tuner starts another attempt for each that had begun.
  absl::StatusOr<std::vector<bool>> Adopt(absl::Span<const RunCursor> runs) override {
    absl::MutexLock lock(&mutex_);
    std::vector<bool> known;
    for (const RunCursor& run : runs) known.push_back(runs_.count(run.spec.id) > 0);
    return known;
  }

  void Acknowledge(const RunId&) override {}  // nothing of an end outlives the program

  absl::Status RemoveArtifacts(const RunSpec&, bool) override { return absl::OkStatus(); }  // there are none

  absl::Status Remove(const std::string& job_id, const std::string& job_uid) override {
    std::vector<std::thread> threads;  // of runs that have ended: the job has
    {
      absl::MutexLock lock(&mutex_);
      for (auto it = runs_.begin(); it != runs_.end();) {
        if (it->first.job_id != job_id || it->first.job_uid != job_uid) {
          ++it;
          continue;
        }
        threads.push_back(std::move(it->second.thread));
        it = runs_.erase(it);
      }
    }
    for (std::thread& thread : threads) thread.join();
    return absl::OkStatus();
  }

  Capabilities capabilities() const override { return {.scans_output = true}; }

 private:
  struct Run {
    std::thread thread;
    std::shared_ptr<std::atomic<bool>> stopped, ended;
  };

  void Work(const RunSpec& spec, const std::atomic<bool>& stopped, std::atomic<bool>& ended) {
    context_.listener->OnRunEvent({spec.id, RunStarted{"a thread of this program", "", context_.clock->Now()}});
    tuner::core::ScanCursor cursor;
    Call call;
    call.parameters = spec.parameters;
    call.parameters.insert(spec.static_parameters.begin(), spec.static_parameters.end());
    call.should_stop = [&] { return stopped.load(); };
    call.report = [&](double value) {
      tuner::core::Measurement measurement;
      measurement.metric = spec.objective_metric;
      measurement.value = value;
      measurement.step = ++cursor.last_step[spec.objective_metric];
      measurement.attempt = spec.id.attempt;
      measurement.source = tuner::core::MeasurementSource::kScanned;
      cursor.stdout_offset = measurement.step;
      context_.listener->OnRunEvent({spec.id, RunMetrics{{std::move(measurement)}, cursor}});
    };
    const absl::Status status = function_(call);
    RunEnded end;
    end.time = context_.clock->Now();
    if (stopped) {
      end.outcome = RunEnded::Outcome::kStopped;
      end.reason = "stopped";
    } else if (status.ok()) {
      end.outcome = RunEnded::Outcome::kSucceeded;
      end.reason = "returned";
      end.exit_code = 0;
    } else {
      end.outcome = RunEnded::Outcome::kFailed;
      end.reason = std::string(status.message());
    }
    ended = true;  // before it is told: whoever hears of it finds the slot free
    context_.listener->OnRunEvent({spec.id, std::move(end)});
  }

  const ExecutorContext context_;
  const Function function_;
  absl::Mutex mutex_;
  std::map<RunId, Run> runs_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

tuner::executors::ExecutorKind FunctionExecutorKind(Function function) {
  tuner::executors::ExecutorKind kind;
  kind.name = "function";
  kind.description = "A call of a function of this program, on a thread of its own.";
  kind.make = [function](const ExecutorContext& context) -> absl::StatusOr<std::unique_ptr<Executor>> {
    return std::make_unique<FunctionExecutor>(context, function);
  };
  kind.validate = [](const std::string& bytes, const tuner::core::JobSpec&) -> tuner::core::Problems {
    const absl::StatusOr<int> calls = MaxCalls(bytes);
    if (calls.ok()) return {};
    return {{"", std::string(calls.status().message())}};
  };
  kind.missing = [] { return std::string(); };
  return kind;
}
