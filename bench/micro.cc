// micro: the parts that a cycle is made of, without a server around them.
#include <algorithm>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "bench/baseline.h"
#include "bench/bench.h"
#include "bench/program.h"
#include "bench/synthetic_job.h"
#include "bench/tuner_server.h"
#include "proto/convert.h"
#include "storage/storage.h"

namespace tuner::bench {
namespace {

constexpr int kMeasurements = 1;

absl::Duration Slice(const Context& context) { return std::min(absl::Seconds(2), context.options.duration); }

// How often a second `work`, which does `amount` of something, can be done; the best of all runs.
absl::StatusOr<double> Rate(const Context& context, int amount, const std::function<absl::Status()>& work) {
  double best = 0;
  for (int run = 0; run < context.options.runs; ++run) {
    const absl::Time begin = absl::Now();
    const absl::Time end = begin + Slice(context);
    int64_t done = 0;
    absl::Time now = begin;
    while (now < end) {
      if (absl::Status status = work(); !status.ok()) return status;
      done += amount;
      now = absl::Now();
    }
    best = std::max(best, done / absl::ToDoubleSeconds(now - begin));
  }
  return best;
}

// Each job's next trial, measured and complete, in one commit; `batch` jobs behind one fsync.
absl::StatusOr<double> CommitRate(const Context& context, const std::string& uri, int batch) {
  auto storage = storage::OpenStorage(uri);
  if (!storage.ok()) return storage.status();
  std::vector<std::unique_ptr<SyntheticJob>> jobs;
  std::vector<storage::JobCommit> commits;
  for (int i = 0; i < batch; ++i) {
    auto job = SyntheticJob::Make(RandomJob(absl::StrCat("job-", batch, "-", i), 1'000'000, 1), absl::Now());
    if (!job.ok()) return job.status();
    if (absl::Status status = (*storage)->CreateJob((*job)->created()); !status.ok()) return status;
    auto epoch = (*storage)->AcquireJob((*job)->id(), "bench", absl::Now(), absl::Hours(1));
    if (!epoch.ok()) return epoch.status();
    if (absl::Status status = (*job)->RunTrial(kMeasurements); !status.ok()) return status;
    commits.push_back({(*job)->id(), 1, *epoch, (*job)->TakeChanges()});
    jobs.push_back(*std::move(job));
  }
  int32_t number = 1;
  return Rate(context, batch, [&]() -> absl::Status {
    const std::vector<absl::Status> statuses = (*storage)->Commit(commits);
    ++number;
    for (size_t i = 0; i < commits.size(); ++i) {
      if (!statuses[i].ok()) return statuses[i];
      ++commits[i].seen;
      for (core::Change& change : commits[i].changes) {
        if (auto* trial = std::get_if<core::TrialPut>(&change)) trial->trial.number = number;
        if (auto* put = std::get_if<core::MeasurementPut>(&change)) put->trial = number;
      }
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<double> SuggestRate(const Context& context, const v1::TuningJobSpec& spec) {
  const convert::ParsedSpec parsed = convert::SpecFromProto(spec, "/");
  auto strategy = strategies::FindStrategyKind(parsed.spec.strategy.name)->make(parsed.spec);
  if (!strategy.ok()) return strategy.status();
  int64_t ordinal = 0;
  return Rate(context, 1, [&]() -> absl::Status { return (*strategy)->Suggest({.ordinal = ordinal++}).status(); });
}

v1::TuningJobSpec GridJob() {
  v1::TuningJobSpec spec = RandomJob("grid", 1, 1);
  spec.mutable_limits()->clear_max_trials();
  spec.mutable_strategy()->mutable_grid();
  for (v1::Parameter& parameter : *spec.mutable_parameters()) parameter.mutable_double_()->set_grid_points(100);
  return spec;
}

// Events decided and applied a second, of a job that begins anew after 10,000 trials.
absl::StatusOr<double> StepRate(const Context& context) {
  constexpr int kTrials = 10'000;
  constexpr int kStepsOfTrial = 3 + kMeasurements;  // ask, proposal, reports, completion
  std::unique_ptr<SyntheticJob> job;
  int done = kTrials;
  return Rate(context, kStepsOfTrial, [&]() -> absl::Status {
    if (done++ == kTrials) {
      auto made = SyntheticJob::Make(RandomJob("steps", 1'000'000, 1), absl::Now());
      if (!made.ok()) return made.status();
      job = *std::move(made);
      done = 1;
    }
    absl::Status status = job->RunTrial(kMeasurements);
    job->TakeChanges();
    return status;
  });
}

}  // namespace

absl::Status RunMicro(const Context& context) {
  const auto baseline = Baseline(context);
  if (!baseline.ok()) return baseline.status();
  const ScratchFolder folder(context);
  const std::string sqlite = absl::StrCat("sqlite:", folder.File("commits.db"));
  struct Row {
    const char* name;
    absl::StatusOr<double> rate;
  };
  const Row rows[] = {
      {"commits, SQLite FULL, one at a time", CommitRate(context, sqlite, 1)},
      {"commits, SQLite FULL, 50 behind one fsync", CommitRate(context, sqlite, 50)},
      {"commits, memory, one at a time", CommitRate(context, "memory:", 1)},
      {"suggestions, random, 5 doubles", SuggestRate(context, RandomJob("random", 1'000'000, 1))},
      {"suggestions, grid of 10^10, 5 doubles", SuggestRate(context, GridJob())},
      {"steps of the job machine", StepRate(context)},
  };
  *context.out << *baseline << "a commit: a trial from its ask to its completion, with one measurement\n\n";
  Table table({"what", "a second"});
  for (const Row& row : rows) {
    if (!row.rate.ok())
      return absl::Status(row.rate.status().code(), absl::StrCat(row.name, ": ", row.rate.status().message()));
    table.Add({row.name, Number(*row.rate)});
  }
  table.Print(*context.out);
  return absl::OkStatus();
}

}  // namespace tuner::bench
