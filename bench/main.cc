// tuner-bench: named workloads, each with its table.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "bench/bench.h"
#include "bench/program.h"

namespace tuner::bench {
namespace {

constexpr Workload kWorkloads[] = {
    {"cycles",
     "durable ask + report + complete a second over 50 connections, beside OSS Vizier and Optuna's gRPC proxy",
     &RunCycles},
    {"launch", "no-op process trials: end of one to start of the next, and trials a second beside Optuna and Ray Tune",
     &RunLaunch},
    {"containers", "no-op container trials: the executor beside the same five calls of the engine's API made raw",
     &RunContainers},
    {"scale", "a server with 100 jobs of 1,000 trials: start, memory, ListTrials, GetTuningJob", &RunScale},
    {"idle", "processor time of a server with 50 running jobs whose trials sleep", &RunIdle},
    {"deadlines", "100 jobs with a model, each with a result every 2 s: deadlines kept, and by which basis",
     &RunDeadlines},
    {"micro", "storage commits, suggestions and steps of the job machine, without a server", &RunMicro},
};

std::string Catalogue() {
  std::string text = "Workloads:\n";
  for (const Workload& workload : kWorkloads) {
    absl::StrAppend(&text, "  ", workload.name, std::string(12 - std::string(workload.name).size(), ' '),
                    workload.description, "\n");
  }
  return text;
}

int Run(const Context& context, const std::vector<std::string>& names) {
  int failures = 0;
  for (const Workload& workload : kWorkloads) {
    if (!names.empty() && std::find(names.begin(), names.end(), workload.name) == names.end()) continue;
    *context.out << "== " << workload.name << ": " << workload.description << "\n" << std::flush;
    if (absl::Status status = workload.run(context); !status.ok()) {
      std::cerr << workload.name << ": " << status << "\n";
      ++failures;
    }
    *context.out << "\n" << std::flush;
  }
  return failures == 0 ? 0 : 1;
}

int Main(int argc, char** argv) {
  std::error_code error;
  Options options;
  options.programs = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  options.source = TUNER_SOURCE_DIR;
  options.environments = absl::StrCat(TUNER_SOURCE_DIR, "/build/bench");
  options.peer_scripts = absl::StrCat(TUNER_SOURCE_DIR, "/bench/peers");

  CLI::App app("Measures tuner, and other tuning services beside it. Absolute figures are the best of all runs.");
  std::vector<std::string> names;
  std::vector<std::string> known;
  for (const Workload& workload : kWorkloads) known.push_back(workload.name);
  double seconds = 30;
  double idle_seconds = 60;
  double deadlines_seconds = 300;
  bool no_peers = false;
  app.footer(Catalogue());
  app.add_option("WORKLOAD", names, "Which to run [all]")->check(CLI::IsMember(known));
  app.add_option("--seconds", seconds, "Length of each load [30]")->check(CLI::Range(0.05, 3600.0));
  app.add_option("--idle-seconds", idle_seconds, "Length of each run of `idle` [60]")->check(CLI::Range(0.05, 3600.0));
  app.add_option("--deadlines-seconds", deadlines_seconds, "Length of `deadlines` [300]")
      ->check(CLI::Range(0.05, 3600.0));
  app.add_option("--history", options.history, "Results that each job of `deadlines` has before [200]")
      ->check(CLI::Range(0, 1000));
  app.add_option("--strategy", options.strategy, "Of the jobs of `deadlines` [bayesian]")
      ->check(CLI::IsMember({"bayesian", "random"}));
  app.add_option("--runs", options.runs, "Runs of this project's server [5]")->check(CLI::Range(1, 100));
  app.add_option("--peer-runs", options.peer_runs, "Runs of the other servers [2]")->check(CLI::Range(1, 100));
  app.add_option("--connections", options.connections, "Connections of `cycles` [50]")->check(CLI::Range(1, 1000));
  app.add_option("--trials", options.trials, "Trials of `launch` [1000]")->check(CLI::Range(3, 100000));
  app.add_option("--jobs", options.jobs, "Jobs of `scale` and `deadlines`; `idle` has half as many [100]")
      ->check(CLI::Range(1, 10000));
  app.add_option("--job-trials", options.job_trials, "Trials of each job of `scale` [1000]")
      ->check(CLI::Range(1, 100000));
  app.add_option("--environments", options.environments, "Folder of the peers' virtual environments [build/bench]");
  app.add_flag("--no-peers", no_peers, "Only this project");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& parse_error) {
    return app.exit(parse_error) == 0 ? 0 : 2;
  }
  options.duration = absl::Seconds(seconds);
  options.idle_duration = absl::Seconds(idle_seconds);
  options.deadlines_duration = absl::Seconds(deadlines_seconds);
  options.peers = !no_peers;
  const ScratchRoot scratch;
  return Run({options, &std::cout, scratch.path()}, names);
}

}  // namespace
}  // namespace tuner::bench

int main(int argc, char** argv) { return tuner::bench::Main(argc, argv); }
