// containers: what the executor costs over the same calls made raw.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "bench/baseline.h"
#include "bench/bench.h"
#include "bench/program.h"
#include "core/clock.h"
#include "executors/container.h"
#include "executors/container_plan.h"
#include "executors/docker_api.h"

namespace tuner::bench {
namespace {

constexpr int kInParallel = 2;
constexpr int kMostContainers = 40;  // of a run
constexpr double kOverheadTarget = 1.15;
constexpr absl::Duration kEnginePatience = absl::Seconds(30);
constexpr absl::Duration kRunPatience = absl::Minutes(10);

// Counts runs that have ended well.
class EndCounter : public executors::RunListener {
 public:
  void OnRunEvent(executors::RunEvent event) override {
    const auto* ended = std::get_if<executors::RunEnded>(&event.what);
    if (ended == nullptr) return;
    absl::MutexLock lock(&mutex_);
    ++ended_;
    if (ended->outcome != executors::RunEnded::Outcome::kSucceeded) failure_ = ended->reason;
  }
  absl::Status Await(int count) {
    absl::MutexLock lock(&mutex_);
    const auto done = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return ended_ >= count || !failure_.empty(); };
    if (!mutex_.AwaitWithTimeout(absl::Condition(&done), kRunPatience)) return absl::DeadlineExceededError("no end");
    return failure_.empty() ? absl::OkStatus() : absl::InternalError(failure_);
  }

 private:
  absl::Mutex mutex_;
  int ended_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string failure_ ABSL_GUARDED_BY(mutex_);
};

executors::RunSpec NoopContainer(const std::string& folder, const std::string& socket, const std::string& job,
                                 int trial) {
  v1::ContainerExecutor options;
  options.set_image("localhost/busybox:1");
  options.add_entrypoint("/bin/echo");
  options.add_arguments("loss=1");
  options.set_network("none");
  options.set_socket(socket);
  executors::RunSpec spec;
  spec.id = {job, job, trial, 1};
  spec.options = {"container", options.SerializeAsString()};
  spec.base_dir = folder;
  spec.metrics = {{"loss", "loss=([0-9.]+)"}};
  return spec;
}

// Calls `run(i)` for so many i, two at a time; the time of all.
absl::StatusOr<absl::Duration> TwoAtATime(int count, const std::function<absl::Status(int)>& run) {
  absl::Mutex mutex;
  int next = 1;
  absl::Status worst;
  const absl::Time begin = absl::Now();
  std::vector<std::thread> threads;
  for (int k = 0; k < kInParallel; ++k) {
    threads.emplace_back([&] {
      while (true) {
        int mine;
        {
          absl::MutexLock lock(&mutex);
          if (next > count || !worst.ok()) return;
          mine = next++;
        }
        absl::Status status = run(mine);
        absl::MutexLock lock(&mutex);
        worst.Update(status);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (!worst.ok()) return worst;
  return absl::Now() - begin;
}

// The same containers by hand: create, start, wait, logs, delete.
absl::StatusOr<absl::Duration> RawCalls(const executors::ExecutorContext& context, const std::string& socket,
                                        const std::string& job, int count) {
  executors::HttpClient http;
  const executors::DockerApi api(&http, socket);
  // What is not a call is made before.
  std::vector<std::string> bodies;
  for (int trial = 1; trial <= count; ++trial) {
    const executors::RunSpec spec = NoopContainer(context.data_dir, socket, job, trial);
    auto options = executors::ParseContainerOptions(spec.options.bytes);
    if (!options.ok()) return options.status();
    const auto plan = executors::MakeContainerPlan(spec, *std::move(options), context, "raw", socket);
    if (absl::Status made = executors::PrepareJobFolder(plan.paths, job); !made.ok()) return made;
    if (absl::Status made = executors::WriteContainerFolder(plan); !made.ok()) return made;
    auto body = executors::CreateBody(plan, 0, {});
    if (!body.ok()) return body.status();
    bodies.push_back(*std::move(body));
  }
  return TwoAtATime(count, [&](int trial) {
    const std::string name = absl::StrCat("raw-", job, "-", trial);
    absl::Status status = api.Create(name, bodies[static_cast<size_t>(trial) - 1], nullptr).status();
    if (status.ok()) status = api.Start(name, nullptr);
    if (status.ok()) status = api.Wait(name, nullptr);
    std::string output;
    const auto take = [&](executors::LogDemultiplexer::Stream, absl::string_view bytes) {
      absl::StrAppend(&output, bytes);
      return absl::OkStatus();
    };
    if (status.ok()) status = api.Logs(name, /*follow=*/false, take, nullptr);
    if (status.ok() && output != "loss=1\n") status = absl::DataLossError("the container's output is not whole");
    if (status.ok()) status = api.Remove(name, nullptr);
    return status;
  });
}

// The same containers by the executor, the next one launched when one has ended, until all are removed.
absl::StatusOr<absl::Duration> ByTheExecutor(executors::ExecutorContext context, const std::string& socket,
                                             const std::string& job, int count) {
  const std::unique_ptr<core::Clock> clock = core::MakeSystemClock();
  EndCounter ends;
  context.clock = clock.get();
  context.listener = &ends;
  auto executor = executors::MakeContainerExecutor(context);
  if (!executor.ok()) return executor.status();
  const absl::Time begin = absl::Now();
  for (int trial = 1; trial <= count; ++trial) {
    if (absl::Status ended = ends.Await(trial - kInParallel); !ended.ok()) return ended;
    absl::Status launched = (*executor)->Launch(NoopContainer(context.data_dir, socket, job, trial));
    if (!launched.ok()) return launched;
  }
  if (absl::Status ended = ends.Await(count); !ended.ok()) return ended;
  executors::HttpClient http;
  const executors::DockerApi api(&http, socket);
  while (true) {
    const auto left = api.List({{executors::kLabelUid, job}}, nullptr);
    if (!left.ok()) return left.status();
    if (left->empty()) return absl::Now() - begin;
  }
}

}  // namespace

absl::Status RunContainers(const Context& context) {
  const auto baseline = Baseline(context);
  if (!baseline.ok()) return baseline.status();
  const ScratchFolder scratch(context);
  // A path that is short enough for a socket.
  char engine_folder[] = "/tmp/tuner-bench-engine-XXXXXX";
  if (mkdtemp(engine_folder) == nullptr) return absl::UnavailableError("cannot make a folder in /tmp");
  const std::string script = context.options.source + "/scripts/podman-service";
  const std::string log = scratch.File("engine.log");
  if (auto made = RunToEnd({script, engine_folder, "prepare"}, log); !made.ok()) return made.status();
  absl::StatusOr<Program> engine = Program::Start({script, engine_folder, "serve"}, log);
  if (!engine.ok()) return engine.status();
  const std::string socket = absl::StrCat(engine_folder, "/engine.sock");
  executors::HttpClient http;
  const executors::DockerApi api(&http, socket);
  const absl::Time patience = absl::Now() + kEnginePatience;
  absl::StatusOr<std::string> version = api.Version(nullptr);
  for (; !version.ok() && absl::Now() < patience; version = api.Version(nullptr))
    absl::SleepFor(absl::Milliseconds(10));
  if (!version.ok()) return version.status();

  executors::ExecutorContext executor_context;
  executor_context.data_dir = scratch.File("data");
  mkdir(executor_context.data_dir.c_str(), 0700);
  mkdir((executor_context.data_dir + "/jobs").c_str(), 0700);
  const int containers = std::min(kMostContainers, context.options.trials);
  Table table({"run", "raw calls, ms each", "executor, ms each", "ratio"});
  std::vector<double> ratios;
  absl::Status status;
  for (int run = 0; run < context.options.runs && status.ok(); ++run) {
    // Both ways take turns in going first.
    absl::StatusOr<absl::Duration> raw, ours;
    for (const bool is_raw : {run % 2 == 0, run % 2 != 0}) {
      if (is_raw) raw = RawCalls(executor_context, socket, absl::StrCat("raw", run), containers);
      if (!is_raw) ours = ByTheExecutor(executor_context, socket, absl::StrCat("ours", run), containers);
    }
    status.Update(raw.status());
    status.Update(ours.status());
    if (!status.ok()) break;
    ratios.push_back(*ours / *raw);
    table.Add({absl::StrCat(run + 1), Milliseconds(*raw / containers), Milliseconds(*ours / containers),
               absl::StrFormat("%.2f", ratios.back())});
  }
  engine->Stop();
  RunToEnd({script, engine_folder, "remove"}, log).IgnoreError();
  if (!status.ok()) return status;
  std::sort(ratios.begin(), ratios.end());
  const double median = ratios[ratios.size() / 2];
  *context.out << *baseline << *version << "; " << containers << " containers of busybox's echo, " << kInParallel
               << " in parallel\nraw: create, start, wait, logs, delete\n\n";
  table.Print(*context.out);
  *context.out << absl::StrFormat("\nmedian ratio %.2f, target under %.2f: ", median, kOverheadTarget)
               << Verdict(median < kOverheadTarget) << "\n";
  return absl::OkStatus();
}

}  // namespace tuner::bench
