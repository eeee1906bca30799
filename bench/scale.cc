// scale: a server that comes back to many jobs.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "bench/baseline.h"
#include "bench/bench.h"
#include "bench/synthetic_job.h"
#include "bench/tuner_server.h"
#include "storage/storage.h"

namespace tuner::bench {
namespace {

constexpr int kMeasurements = 5;  // of each trial
constexpr int kPage = 100;
constexpr absl::Duration kStartTarget = absl::Seconds(2);
constexpr double kResidentTarget = 200e6;
constexpr absl::Duration kListTarget = absl::Milliseconds(5);
constexpr absl::Duration kGetTarget = absl::Milliseconds(1);

std::string JobName(int i) { return absl::StrCat("job-", i); }
bool Runs(int i) { return i % 2 == 0; }

// Jobs as a server would have left them: half have ended, of the others a worker holds one more trial each.
absl::Status WriteJobs(const Context& context, const std::string& data_dir) {
  auto storage = storage::OpenStorage(absl::StrCat("sqlite:", data_dir, "/tuner.db"));
  if (!storage.ok()) return storage.status();
  const int trials = context.options.job_trials;
  for (int i = 0; i < context.options.jobs; ++i) {
    v1::TuningJobSpec spec = RandomJob(JobName(i), Runs(i) ? 2 * trials : trials, 1);
    // Workers of days: no lease expires while this is measured.
    spec.mutable_trial()->mutable_external()->mutable_lease()->set_seconds(86400);
    auto job = SyntheticJob::Make(spec, absl::Now() - absl::Hours(4));
    if (!job.ok()) return job.status();
    if (absl::Status status = (*storage)->CreateJob((*job)->created()); !status.ok()) return status;
    const auto epoch = (*storage)->AcquireJob((*job)->id(), "bench", absl::Now(), absl::Hours(1));
    if (!epoch.ok()) return epoch.status();
    storage::Revision revision = 1;
    for (int trial = 0; trial < trials; ++trial) {
      if (absl::Status status = (*job)->RunTrial(kMeasurements); !status.ok()) return status;
      const bool last = trial + 1 == trials;
      if (last && Runs(i)) {
        if (absl::Status status = (*job)->StartTrial(); !status.ok()) return status;
      }
      if (trial % 20 != 19 && !last) continue;
      const storage::JobCommit commit{(*job)->id(), revision++, *epoch, (*job)->TakeChanges()};
      if (absl::Status status = (*storage)->Commit({&commit, 1}).front(); !status.ok()) return status;
    }
    if (absl::Status status = (*storage)->ReleaseJob((*job)->id(), *epoch); !status.ok()) return status;
  }
  return absl::OkStatus();
}

// Median time of one call, on one connection.
absl::StatusOr<absl::Duration> CallTime(const Context& context, const TunerServer& server, const Call& call) {
  const auto result = RunLoad({.endpoint = server.endpoint(),
                               .connections = 1,
                               .duration = std::min(absl::Seconds(3), context.options.duration),
                               .make_dialogue = [&](int) { return Repeat(call); }});
  if (!result.ok()) return result.status();
  return result->cycle_p50;
}

struct Figures {
  absl::Duration start = absl::InfiniteDuration();
  int64_t resident = 0;
  absl::Duration list = absl::InfiniteDuration(), get = absl::InfiniteDuration();
};

absl::Status Measure(const Context& context, const TunerServer& server, Figures& best) {
  best.start = std::min(best.start, server.start_time());
  const std::string job = absl::StrCat("tuningJobs/", JobName(0));
  v1::GetTuningJobRequest get;
  get.set_name(job);
  v1::ListTrialsRequest list;
  list.set_parent(job);
  list.set_page_size(kPage);
  const auto get_time = CallTime(context, server, MakeCall(absl::StrCat(kService, "GetTuningJob"), get));
  if (!get_time.ok()) return get_time.status();
  const auto list_time = CallTime(context, server, MakeCall(absl::StrCat(kService, "ListTrials"), list));
  if (!list_time.ok()) return list_time.status();
  best.get = std::min(best.get, *get_time);
  best.list = std::min(best.list, *list_time);
  // After every job was loaded and its trials were read; the largest of all runs.
  for (int i = 0; i < context.options.jobs; ++i) {
    const auto shown = server.Get(absl::StrCat("tuningJobs/", JobName(i)));
    if (!shown.ok()) return shown.status();
    const bool runs = shown->state() == v1::TuningJob::RUNNING;
    if (runs != Runs(i) || shown->trial_counts().completed() != context.options.job_trials) {
      return absl::DataLossError(absl::StrCat(shown->name(), ": ", shown->trial_counts().ShortDebugString()));
    }
  }
  const auto resident = server.program().ResidentBytes();
  if (!resident.ok()) return resident.status();
  best.resident = std::max(best.resident, *resident);
  return absl::OkStatus();
}

}  // namespace

absl::Status RunScale(const Context& context) {
  const auto baseline = Baseline(context);
  if (!baseline.ok()) return baseline.status();
  auto server =
      TunerServer::Start(context, "sqlite", [&](const std::string& data) { return WriteJobs(context, data); });
  if (!server.ok()) return server.status();
  Figures best;
  for (int run = 0; run < context.options.runs; ++run) {
    if (run > 0) {
      if (absl::Status status = (*server)->Restart(context); !status.ok()) return status;
    }
    if (absl::Status status = Measure(context, **server, best); !status.ok()) return status;
  }
  *context.out << *baseline << context.options.jobs << " jobs of " << context.options.job_trials << " trials with "
               << kMeasurements << " measurements each, every second one running\n\n";
  Table table({"what", "tuner", "target"});
  table.Add(
      {"start to serving", Milliseconds(best.start), absl::StrCat("< 2 s: ", Verdict(best.start < kStartTarget))});
  table.Add({"resident memory, largest", absl::StrCat(Number(best.resident / 1e6), " MB"),
             absl::StrCat("< 200 MB: ", Verdict(best.resident < kResidentTarget))});
  table.Add({"ListTrials, page of 100, p50", Milliseconds(best.list),
             absl::StrCat("< 5 ms: ", Verdict(best.list < kListTarget))});
  table.Add({"GetTuningJob, p50", Milliseconds(best.get), absl::StrCat("< 1 ms: ", Verdict(best.get < kGetTarget))});
  table.Print(*context.out);
  return absl::OkStatus();
}

}  // namespace tuner::bench
