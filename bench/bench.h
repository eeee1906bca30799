// What a workload is given, and how it reports.
//
// Threads: workloads run on the main thread, one after the other. Errors: a workload that cannot be measured returns
// why; a peer that is not installed is a row that says so, not an error.
#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace tuner::bench {

struct Options {
  absl::Duration duration = absl::Seconds(30);  // of each load
  absl::Duration idle_duration = absl::Seconds(60);
  int runs = 5;       // of this project's servers
  int peer_runs = 2;  // of the others, which take minutes each
  int connections = 50;
  int trials = 1000;  // no-op trials of `launch`
  int jobs = 100;     // of `scale` and `deadlines`; half as many of `idle`
  int job_trials = 1000;
  absl::Duration deadlines_duration = absl::Minutes(5);
  int history = 200;                  // results that each job of `deadlines` has before
  std::string strategy = "bayesian";  // of `deadlines`
  bool peers = true;
  std::string programs;      // folder of tuner, tuner-supervisor and tuner-bench-noop
  std::string environments;  // folder of the peers' virtual environments, venv-<peer>
  std::string peer_scripts;  // bench/peers
  std::string source;        // the checkout
};

struct Context {
  Options options;
  std::ostream* out = nullptr;
  std::string scratch;  // a folder for files, which goes when all workloads have run
};

struct Workload {
  const char* name;
  const char* description;
  absl::Status (*run)(const Context& context);
};

absl::Status RunCycles(const Context& context);
absl::Status RunLaunch(const Context& context);
absl::Status RunContainers(const Context& context);
absl::Status RunScale(const Context& context);
absl::Status RunIdle(const Context& context);
absl::Status RunDeadlines(const Context& context);
absl::Status RunMicro(const Context& context);

// Rows of text under a header, in columns as wide as they need to be.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}
  void Add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  void Print(std::ostream& out) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

// 12,345 and 1.23: as many digits as a reader can use.
std::string Number(double value);
std::string Milliseconds(absl::Duration duration);
// The first line of an error, cut to what fits a table.
std::string Brief(absl::string_view text);
// "met" or "missed", for the last column.
std::string Verdict(bool met);

}  // namespace tuner::bench
