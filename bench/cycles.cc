// cycles: ask, report and complete a trial, again and again, over 50 connections.
#include <algorithm>
#include <iostream>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/baseline.h"
#include "bench/bench.h"
#include "bench/peer_dialogues.h"
#include "bench/tuner_server.h"

namespace tuner::bench {
namespace {

constexpr double kSqliteTarget = 50;
constexpr double kMemoryTarget = 1;
// More than any server gets through.
constexpr int kTrials = 1'000'000;

absl::StatusOr<LoadResult> RunOurs(const Context& context, const std::string& storage) {
  auto server = TunerServer::Start(context, storage);
  if (!server.ok()) return server.status();
  const auto job = (*server)->Create(RandomJob("cycles", kTrials, context.options.connections));
  if (!job.ok()) return job.status();
  auto result = RunLoad({.endpoint = (*server)->endpoint(),
                         .connections = context.options.connections,
                         .duration = context.options.duration,
                         .make_dialogue = [&](int worker) { return AskReportComplete(job->name(), worker); }});
  if (!result.ok()) return result;
  // What was counted here must be what the server has.
  const auto after = (*server)->Get(job->name());
  if (!after.ok()) return after.status();
  if (after->trial_counts().completed() < result->cycles) {
    return absl::DataLossError(
        absl::StrCat(result->cycles, " cycles, but ", after->trial_counts().completed(), " completed trials"));
  }
  return result;
}

absl::StatusOr<LoadResult> RunPeer(const Context& context, const Peer& peer, const std::string& storage) {
  const auto python = PeerPython(context, peer.environment);
  if (!python.ok()) return python.status();
  const auto port = FreePort();
  if (!port.ok()) return port.status();
  const ScratchFolder folder(context);
  auto program =
      Program::Start({*python, absl::StrCat(context.options.peer_scripts, "/", peer.script), absl::StrCat(*port),
                      storage == "memory" ? storage : absl::StrCat("sqlite:///", folder.File("peer.db"))},
                     folder.File("peer.log"));
  if (!program.ok()) return program.status();
  const std::string endpoint = absl::StrCat("127.0.0.1:", *port);
  if (absl::Status status = AwaitPort(*port, absl::Seconds(120)); !status.ok()) {
    return absl::UnavailableError(absl::StrCat(status.message(), "\n", ReadFile(folder.File("peer.log"))));
  }
  const auto make_dialogue = peer.make_study(endpoint);
  if (!make_dialogue.ok()) return make_dialogue.status();
  return RunLoad({.endpoint = endpoint,
                  .connections = context.options.connections,
                  .duration = context.options.duration,
                  .make_dialogue = *make_dialogue});
}

// The best of some runs, and the rates of all.
struct Figures {
  std::optional<LoadResult> best;
  std::string rates;
  absl::Status status;

  void Add(const absl::StatusOr<LoadResult>& result) {
    status = result.status();
    if (!result.ok()) return;
    absl::StrAppend(&rates, rates.empty() ? "" : " ", Number(result->rate()));
    if (!best || result->rate() > best->rate()) best = *result;
  }
};

struct Entrant {
  const Peer* peer;  // null: this project
  std::string storage;
  double target = 0;  // 0: none
  Figures figures = {};
};

std::string Name(const Entrant& entrant) {
  return absl::StrCat(entrant.peer == nullptr ? "tuner" : entrant.peer->name, ", ", entrant.storage,
                      entrant.peer == nullptr && entrant.storage == "sqlite" ? " FULL" : "");
}

void AddRow(const Entrant& entrant, const Figures& ours, Table& table) {
  const Figures& figures = entrant.figures;
  if (!figures.best) {
    std::cerr << Name(entrant) << ": " << figures.status << "\n";
    table.Add({Name(entrant), Brief(figures.status.message())});
    return;
  }
  const LoadResult& best = *figures.best;
  const double slowdown =
      best.first_half == 0 ? 0 : static_cast<double>(best.cycles - best.first_half) / best.first_half;
  std::string ratio, target;
  if (entrant.peer != nullptr && ours.best) {
    const double times = ours.best->rate() / best.rate();
    ratio = absl::StrCat(Number(times), " x");
    if (entrant.target > 0) {
      target = absl::StrCat(entrant.target == 1 ? "ahead: " : absl::StrCat(">= ", entrant.target, " x: "),
                            Verdict(entrant.target == 1 ? times > 1 : times >= entrant.target));
    }
  }
  table.Add({Name(entrant), Number(best.rate()), Milliseconds(best.cycle_p50), Milliseconds(best.cycle_p99),
             absl::StrFormat("%.2f", slowdown), absl::StrCat(best.errors), figures.rates, ratio, target});
  if (best.errors > 0) table.Add({absl::StrCat("  first error: ", Brief(best.first_error))});
}

}  // namespace

absl::Status RunCycles(const Context& context) {
  const auto baseline = Baseline(context);
  if (!baseline.ok()) return baseline.status();
  std::vector<Entrant> entrants = {{nullptr, "sqlite"}, {nullptr, "memory"}};
  if (context.options.peers) {
    for (const char* storage : {"sqlite", "memory"}) {
      const double target = std::string(storage) == "sqlite" ? kSqliteTarget : kMemoryTarget;
      entrants.push_back({&kVizier, storage, target});
      entrants.push_back({&kOptuna, storage, target});
      entrants.push_back({&kOptunaTemplate, storage});
    }
  }
  // Side by side: a run of each after the other, not all runs of one and then of the next.
  for (int run = 0; run < std::max(context.options.runs, context.options.peer_runs); ++run) {
    for (Entrant& entrant : entrants) {
      if (run >= (entrant.peer == nullptr ? context.options.runs : context.options.peer_runs)) continue;
      entrant.figures.Add(entrant.peer == nullptr ? RunOurs(context, entrant.storage)
                                                  : RunPeer(context, *entrant.peer, entrant.storage));
    }
  }
  *context.out << *baseline << context.options.connections << " connections, "
               << absl::FormatDuration(context.options.duration) << " a run, one job, random search, five doubles\n\n";
  Table table({"server", "cycles/s", "p50", "p99", "2nd/1st half", "errors", "all runs", "tuner sqlite is", "target"});
  for (const Entrant& entrant : entrants) AddRow(entrant, entrants.front().figures, table);
  table.Print(*context.out);
  return entrants.front().figures.best ? absl::OkStatus() : entrants.front().figures.status;
}

}  // namespace tuner::bench
