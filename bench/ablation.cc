// tuner-ablation: what each part of the Bayesian strategy is worth. Every variant of its settings runs the same tasks
// and seeds in this process; the table shows the mean of log10(regret) at half of the budget and at its end (lower is
// better), and by how much the variant differs from what ships, with the deviation of that mean over tasks and seeds.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "bench/test_functions.h"
#include "core/rng.h"
#include "strategies/bayesian_strategy.h"

namespace tuner::bench {
namespace {

using strategies::BayesianSettings;
using strategies::gp::LengthPrior;

constexpr double kLeastRegret = 1e-8;

struct Variant {
  std::string name;
  BayesianSettings settings;
};

std::vector<Variant> Variants() {
  std::vector<Variant> variants = {{"shipped", {}}};
  const auto add = [&variants](std::string name, auto change) {
    variants.push_back({.name = std::move(name), .settings = {}});
    change(variants.back().settings);
  };
  add("confidence 1.8 alone", [](BayesianSettings& s) { s.confidences = {1.8}; });
  add("confidence 0.9 alone", [](BayesianSettings& s) { s.confidences = {0.9}; });
  add("expected improvement alone", [](BayesianSettings& s) { s.confidences = {0}; });
  add("confidence 1.8, every 4th EI", [](BayesianSettings& s) { s.confidences = {1.8, 1.8, 1.8, 0}; });
  add("posterior of mean 0", [](BayesianSettings& s) { s.constant_mean = false; });
  add("no output warp", [](BayesianSettings& s) { s.warp = {.half_rank = false, .log = false}; });
  add("half-rank warp alone", [](BayesianSettings& s) { s.warp.log = false; });
  add("no trust region", [](BayesianSettings& s) { s.trust_region = false; });
  add("numeric prior Gamma(3, 6)", [](BayesianSettings& s) { s.numeric_prior = {.a = 3, .b = 6}; });
  add("numeric prior broad", [](BayesianSettings& s) { s.numeric_prior = LengthPrior::Broad(8); });
  add("nominal prior Gamma(5, 10)", [](BayesianSettings& s) { s.nominal_prior = LengthPrior(); });
  add("noise prior N(-6, 2)", [](BayesianSettings& s) {
    s.noise_location = -6;
    s.noise_deviation = 2;
  });
  add("every start of a fit to its end", [](BayesianSettings& s) { s.fit_screening = 0; });
  add("no random starts of a fit", [](BayesianSettings& s) { s.fit.random_starts = 0; });
  add("no local candidates", [](BayesianSettings& s) { s.search.local_candidates = 0; });
  add("one start", [](BayesianSettings& s) { s.search.starts = 1; });
  return variants;
}

struct Outcome {
  double half = 0;  // log10 of the regret
  double end = 0;
  double milliseconds = 0;  // a suggestion, with its share of fits
};

double LogRegret(double regret) { return std::log10(std::max(regret, 0.0) + kLeastRegret); }

double Gaussian(core::Rng& rng) {
  const double u = 1 - rng.NextDouble();
  return std::sqrt(-2 * std::log(u)) * std::cos(6.283185307179586 * rng.NextDouble());
}

// Trials end in a random order; `parallel` of them are pending.
absl::StatusOr<Outcome> Run(const Task& task, const BayesianSettings& settings, uint64_t seed, int parallel) {
  const Instance instance = task.make(seed);
  core::JobSpec spec;
  spec.objective = {.metric = "regret", .goal = core::Goal::kMinimize};
  spec.space = instance.space;
  spec.strategy.name = "bayesian";
  spec.random_seed = seed + 1000;
  spec.limits.max_trials = task.budget;
  absl::StatusOr<std::unique_ptr<strategies::Strategy>> strategy = strategies::MakeBayesianStrategy(spec, settings);
  if (!strategy.ok()) return strategy.status();

  core::Rng rng(seed, 1, 0x6162);
  std::vector<strategies::PendingTrial> pending;
  Outcome outcome;
  double best = std::numeric_limits<double>::infinity();
  int started = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (int done = 0; done < task.budget; ++done) {
    while (static_cast<int>(pending.size()) < parallel && started < task.budget) {
      auto proposals = (*strategy)->Suggest({.ordinal = started, .count = 1, .pending = pending});
      if (!proposals.ok()) return proposals.status();
      if (proposals->proposals.empty()) return absl::InternalError(proposals->exhausted_reason);
      const auto& trial = proposals->proposals.front();
      pending.push_back({.number = ++started, .parameters = trial.parameters});
    }
    const size_t ended = rng.NextBelow(pending.size());
    core::Trial trial;
    trial.number = pending[ended].number;
    trial.parameters = pending[ended].parameters;
    trial.state = core::TrialState::kCompleted;
    pending.erase(pending.begin() + static_cast<ptrdiff_t>(ended));
    const double regret = instance.regret(trial.parameters);
    trial.objective = regret + (task.noise > 0 ? task.noise * Gaussian(rng) : 0);
    (*strategy)->Observe(strategies::Finished{std::move(trial)});
    if (std::unique_ptr<strategies::FitTask> fit = (*strategy)->BeginFit(); fit != nullptr) {
      fit->Run(nullptr);
      (*strategy)->InstallFit(std::move(fit));
    }
    best = std::min(best, regret);
    if (2 * (done + 1) == task.budget) outcome.half = LogRegret(best);
  }
  outcome.end = LogRegret(best);
  const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - begin;
  outcome.milliseconds = elapsed.count() / task.budget;
  return outcome;
}

// By task and seed.
using Outcomes = std::vector<std::vector<Outcome>>;

double Score(const Outcome& outcome) { return (outcome.half + outcome.end) / 2; }

void PrintVariant(const std::string& name, const Outcomes& outcomes, const Outcomes& shipped) {
  double half = 0, end = 0, milliseconds = 0, difference = 0, square = 0;
  int count = 0;
  for (size_t t = 0; t < outcomes.size(); ++t) {
    for (size_t s = 0; s < outcomes[t].size(); ++s) {
      half += outcomes[t][s].half;
      end += outcomes[t][s].end;
      milliseconds += outcomes[t][s].milliseconds;
      const double d = Score(outcomes[t][s]) - Score(shipped[t][s]);
      difference += d;
      square += d * d;
      ++count;
    }
  }
  difference /= count;
  const double deviation = std::sqrt(std::max(0.0, square / count - difference * difference) / count);
  std::printf("| %-30s | %6.2f | %6.2f | %+5.2f ± %.2f | %5.2f |\n", name.c_str(), half / count, end / count,
              difference, deviation, milliseconds / count);
  std::fflush(stdout);
}

void PrintTasks(const std::vector<Task>& tasks, const Outcomes& outcomes) {
  std::printf("\n| task (shipped) | trials | half | end | worst |\n|---|---|---|---|---|\n");
  for (size_t t = 0; t < tasks.size(); ++t) {
    double half = 0, end = 0, worst = -std::numeric_limits<double>::infinity();
    for (const Outcome& outcome : outcomes[t]) {
      half += outcome.half / static_cast<double>(outcomes[t].size());
      end += outcome.end / static_cast<double>(outcomes[t].size());
      worst = std::max(worst, outcome.end);
    }
    std::printf("| %s | %d | %.2f | %.2f | %.2f |\n", tasks[t].name.c_str(), tasks[t].budget, half, end, worst);
  }
}

int Main(int argc, char** argv) {
  CLI::App app("What each part of the Bayesian strategy is worth: mean log10(regret) of variants, lower is better.");
  int seeds = 10;
  int first_seed = 0;
  int parallel = 1;
  std::string only_tasks;
  std::string only_variants;
  app.add_option("--seeds", seeds, "Instances of each task [10]")->check(CLI::Range(1, 1000));
  app.add_option("--first-seed", first_seed, "Number of the first instance [0]")->check(CLI::Range(0, 1000000));
  app.add_option("--parallel", parallel, "Pending trials [1]")->check(CLI::Range(1, 100));
  app.add_option("--tasks", only_tasks, "Tasks whose name holds this [all]");
  app.add_option("--variants", only_variants, "Variants whose name holds this, beside what ships [all]");
  CLI11_PARSE(app, argc, argv);

  std::vector<Task> tasks = TestTasks();
  std::erase_if(tasks, [&](const Task& task) { return !absl::StrContains(task.name, only_tasks); });
  if (tasks.empty()) {
    std::cerr << "no task's name holds \"" << only_tasks << "\"\n";
    return 2;
  }
  std::printf("%d instances of each of %zu tasks, %d pending\n\n", seeds, tasks.size(), parallel);
  std::printf("| variant | half | end | difference | ms |\n|---|---|---|---|---|\n");
  Outcomes shipped;
  for (const Variant& variant : Variants()) {
    if (!shipped.empty() && !absl::StrContains(variant.name, only_variants)) continue;
    Outcomes outcomes(tasks.size());
    for (size_t t = 0; t < tasks.size(); ++t) {
      for (int s = 0; s < seeds; ++s) {
        const absl::StatusOr<Outcome> outcome =
            Run(tasks[t], variant.settings, static_cast<uint64_t>(first_seed) + static_cast<uint64_t>(s), parallel);
        if (!outcome.ok()) {
          std::cerr << tasks[t].name << ": " << outcome.status() << "\n";
          return 1;
        }
        outcomes[t].push_back(*outcome);
      }
    }
    if (shipped.empty()) shipped = outcomes;
    PrintVariant(variant.name, outcomes, shipped);
  }
  PrintTasks(tasks, shipped);
  return 0;
}

}  // namespace
}  // namespace tuner::bench

int main(int argc, char** argv) { return tuner::bench::Main(argc, argv); }
