// idle: what a server costs while its trials run and nothing happens.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "bench/baseline.h"
#include "bench/bench.h"
#include "bench/tuner_server.h"

namespace tuner::bench {
namespace {

constexpr double kTarget = 0.001;  // of a core
constexpr absl::Duration kSettle = absl::Seconds(5);

absl::Status AwaitRunning(const TunerServer& server, const std::string& name) {
  const absl::Time end = absl::Now() + absl::Minutes(1);
  while (true) {
    const auto job = server.Get(name);
    if (!job.ok()) return job.status();
    if (job->trial_counts().running() > 0) return absl::OkStatus();
    if (absl::Now() > end)
      return absl::DeadlineExceededError(absl::StrCat("no trial of ", name, " runs: ", job->reason()));
    absl::SleepFor(absl::Milliseconds(20));
  }
}

}  // namespace

absl::Status RunIdle(const Context& context) {
  const auto baseline = Baseline(context);
  if (!baseline.ok()) return baseline.status();
  auto server = TunerServer::Start(context, "sqlite");
  if (!server.ok()) return server.status();
  const int jobs = std::max(1, context.options.jobs / 2);
  std::vector<std::string> names;
  for (int i = 0; i < jobs; ++i) {
    v1::TuningJobSpec spec = RandomJob(absl::StrCat("idle-", i), 1, 1);
    for (const char* word : {"/bin/sh", "-c", "exec sleep 600 # {x0}"})
      spec.mutable_trial()->mutable_process()->add_command(word);
    const auto job = (*server)->Create(spec);
    if (!job.ok()) return job.status();
    names.push_back(job->name());
  }
  for (const std::string& name : names) {
    if (absl::Status status = AwaitRunning(**server, name); !status.ok()) return status;
  }
  absl::SleepFor(std::min(kSettle, context.options.idle_duration));
  double best = 1e9;
  std::string all;
  for (int run = 0; run < context.options.runs; ++run) {
    const auto before = (*server)->program().CpuTime();
    absl::SleepFor(context.options.idle_duration);
    const auto after = (*server)->program().CpuTime();
    if (!before.ok() || !after.ok()) return absl::UnavailableError("the server has ended");
    const double share = absl::FDivDuration(*after - *before, context.options.idle_duration);
    absl::StrAppend(&all, all.empty() ? "" : " ", absl::StrFormat("%.4f %%", share * 100));
    best = std::min(best, share);
  }
  const auto resident = (*server)->program().ResidentBytes();
  for (const std::string& name : names) {
    if (absl::Status status = (*server)->StopJob(name); !status.ok()) return status;
  }
  for (const std::string& name : names) {
    if (const auto job = (*server)->AwaitEnd(name, absl::Minutes(1)); !job.ok()) return job.status();
  }
  if (!resident.ok()) return resident.status();
  *context.out << *baseline << jobs << " running jobs whose trials sleep, "
               << absl::FormatDuration(context.options.idle_duration) << " a run\n\n";
  Table table({"server", "share of a core", "all runs", "resident", "target"});
  table.Add({"tuner", absl::StrFormat("%.4f %%", best * 100), all, absl::StrCat(Number(*resident / 1e6), " MB"),
             absl::StrCat("< 0.1 %: ", Verdict(best < kTarget))});
  table.Print(*context.out);
  return absl::OkStatus();
}

}  // namespace tuner::bench
