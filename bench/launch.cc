// launch: trials that do nothing, as processes.
#include <algorithm>
#include <iostream>
#include <sstream>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "bench/baseline.h"
#include "bench/bench.h"
#include "bench/peer_dialogues.h"
#include "bench/program.h"
#include "bench/tuner_server.h"

namespace tuner::bench {
namespace {

constexpr int kParallel = 2;
constexpr absl::Duration kGapTarget = absl::Milliseconds(5);
constexpr double kRayTarget = 10;
constexpr double kOptunaTarget = 5;
constexpr absl::Duration kPatience = absl::Minutes(20);

struct Run {
  double rate = 0;                   // trials a second, from creation to the end of the job
  std::vector<absl::Duration> gaps;  // from a child's end to the start of the next in its slot, ascending
};

std::string NoopProgram(const Context& context) { return absl::StrCat(context.options.programs, "/tuner-bench-noop"); }

v1::TuningJobSpec NoopJob(const Context& context, const std::string& ledger, int trials, int parallel) {
  v1::TuningJobSpec spec = RandomJob("noop", trials, parallel);
  v1::TrialTemplate* trial = spec.mutable_trial();
  trial->mutable_process()->add_command(NoopProgram(context));
  trial->mutable_process()->add_command(ledger);
  v1::MetricDefinition* metric = trial->add_metrics();
  metric->set_name("loss");
  metric->set_regex("loss=([0-9.]+)");
  return spec;
}

// The k-th end frees the slot in which the (k + parallel)-th child starts.
absl::StatusOr<std::vector<absl::Duration>> Gaps(const std::string& ledger, int trials, int parallel) {
  std::istringstream lines(ReadFile(ledger));
  std::vector<int64_t> begins, ends;
  int64_t begin = 0;
  int64_t end = 0;
  while (lines >> begin >> end) {
    begins.push_back(begin);
    ends.push_back(end);
  }
  if (static_cast<int>(begins.size()) != trials) {
    return absl::DataLossError(absl::StrCat(trials, " trials, but ", begins.size(), " children in the ledger"));
  }
  std::sort(begins.begin(), begins.end());
  std::sort(ends.begin(), ends.end());
  std::vector<absl::Duration> gaps;
  for (size_t k = 0; k + parallel < begins.size(); ++k)
    gaps.push_back(absl::Nanoseconds(begins[k + parallel] - ends[k]));
  std::sort(gaps.begin(), gaps.end());
  return gaps;
}

absl::StatusOr<Run> RunOurs(const Context& context, int trials, int parallel) {
  auto server = TunerServer::Start(context, "sqlite");
  if (!server.ok()) return server.status();
  const std::string ledger = (*server)->File("ledger");
  const absl::Time begin = absl::Now();
  auto job = (*server)->Create(NoopJob(context, ledger, trials, parallel));
  if (!job.ok()) return job.status();
  job = (*server)->AwaitEnd(job->name(), kPatience);
  const absl::Duration elapsed = absl::Now() - begin;
  if (!job.ok()) return job.status();
  if (job->trial_counts().completed() != trials) {
    return absl::InternalError(absl::StrCat(job->trial_counts().ShortDebugString(), ": ", job->reason()));
  }
  auto gaps = Gaps(ledger, trials, parallel);
  if (!gaps.ok()) return gaps.status();
  return Run{trials / absl::ToDoubleSeconds(elapsed), *std::move(gaps)};
}

absl::StatusOr<Run> RunPeer(const Context& context, const std::string& environment, const std::string& script,
                            int trials) {
  const auto python = PeerPython(context, environment);
  if (!python.ok()) return python.status();
  const ScratchFolder folder(context);
  const std::string ledger = folder.File("ledger");
  const auto output = RunToEnd({*python, absl::StrCat(context.options.peer_scripts, "/", script), absl::StrCat(trials),
                                absl::StrCat(kParallel), folder.path(), NoopProgram(context), ledger},
                               folder.File("peer.log"));
  if (!output.ok()) return output.status();
  double seconds = 0;
  const size_t at = output->rfind("seconds ");
  if (at == std::string::npos || std::sscanf(output->c_str() + at, "seconds %lf", &seconds) != 1) {
    return absl::InternalError(absl::StrCat(script, " printed no time: ", *output));
  }
  auto gaps = Gaps(ledger, trials, kParallel);
  if (!gaps.ok()) return gaps.status();
  return Run{trials / seconds, *std::move(gaps)};
}

// Of several runs the one with the highest rate.
template <typename Function>
absl::StatusOr<Run> Best(int runs, Function run) {
  absl::StatusOr<Run> best = absl::InvalidArgumentError("no runs");
  for (int i = 0; i < runs; ++i) {
    absl::StatusOr<Run> one = run();
    if (!one.ok()) return one;
    if (!best.ok() || one->rate > best->rate) best = *std::move(one);
  }
  return best;
}

std::vector<std::string> RowOf(const std::string& name, const absl::StatusOr<Run>& run) {
  if (!run.ok()) {
    std::cerr << name << ": " << run.status() << "\n";
    return {name, Brief(run.status().message())};
  }
  const auto& gaps = run->gaps;
  if (gaps.empty()) return {name, Number(run->rate), "", ""};
  return {name, Number(run->rate), Milliseconds(gaps[gaps.size() / 2]), Milliseconds(gaps[gaps.size() * 99 / 100])};
}

void AddPeer(const std::string& name, const absl::StatusOr<Run>& peer, const Run& ours, double target, Table& table) {
  std::vector<std::string> row = RowOf(name, peer);
  if (peer.ok()) {
    const double times = ours.rate / peer->rate;
    row.push_back(absl::StrCat(Number(times), " x"));
    row.push_back(absl::StrCat(">= ", target, " x: ", Verdict(times >= target)));
  }
  table.Add(std::move(row));
}

}  // namespace

absl::Status RunLaunch(const Context& context) {
  const auto baseline = Baseline(context);
  if (!baseline.ok()) return baseline.status();
  const int trials = context.options.trials;
  const auto single = Best(context.options.runs, [&] { return RunOurs(context, trials, 1); });
  if (!single.ok()) return single.status();
  const auto ours = Best(context.options.runs, [&] { return RunOurs(context, trials, kParallel); });
  if (!ours.ok()) return ours.status();

  Table table({"no-op trials", "trials/s", "end to next start, p50", "p99", "tuner is", "target"});
  std::vector<std::string> row = RowOf("tuner, 1 at a time", single);
  row.insert(row.end(),
             {"", single->gaps.empty()
                      ? ""
                      : absl::StrCat("p50 < 5 ms: ", Verdict(single->gaps[single->gaps.size() / 2] < kGapTarget))});
  table.Add(std::move(row));
  table.Add(RowOf("tuner, 2 in parallel", ours));
  if (context.options.peers) {
    const int runs = context.options.peer_runs;
    AddPeer("Optuna on SQLite, 2 in parallel",
            Best(runs, [&] { return RunPeer(context, "optuna", "optuna_trials.py", trials); }), *ours, kOptunaTarget,
            table);
    // Its thousand trials take minutes: once is enough.
    AddPeer("Ray Tune, 2 in parallel", RunPeer(context, "ray", "ray_trials.py", trials), *ours, kRayTarget, table);
  }
  *context.out << *baseline << trials << " trials; a child's own last clock reading to the next child's first\n\n";
  table.Print(*context.out);
  return absl::OkStatus();
}

}  // namespace tuner::bench
