// tuner-transfer: what a warm start is worth. Jobs of the Bayesian strategy run in this process, cold and with parents,
// over the same tasks and seeds:
//
//   related     the child's function with its optimum moved and its values scaled and shifted
//   unrelated   another function of the same space
//   misleading  the child's function mirrored in each coordinate, so that good regions are elsewhere
//   negated     the child's function with its sign turned
//   identical   the child's own function (type IDENTICAL_DATA_AND_ALGORITHM)
//
// Printed: trials until the child is as good as the cold job after 50 (related), the difference of normalised regret
// (random search = 1) with a bootstrap interval over pairs, and for identical parents the median regret after 10 trials
// beside the cold job's after 30. Exit status 1 where a bound of the issue is missed.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <iostream>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/match.h"
#include "bench/test_functions.h"
#include "core/rng.h"
#include "strategies/bayesian_strategy.h"
#include "strategies/strategy.h"

namespace tuner::bench {
namespace {

constexpr int kTrials = 50;
constexpr uint32_t kMovesStream = 0x7472;
constexpr int kResamples = 10'000;

using Objective = std::function<double(const core::ParameterMap&)>;

// Values of a job in the order of its trials.
using Curve = std::vector<double>;

struct Run {
  Curve best;  // so far, of the regret
  std::vector<core::Trial> trials;
};

core::JobSpec SpecOf(const core::SearchSpace& space, const char* strategy, uint64_t seed, int trials) {
  core::JobSpec spec;
  spec.name = "job";
  spec.objective = {.metric = "loss", .goal = core::Goal::kMinimize};
  spec.space = space;
  spec.strategy.name = strategy;
  spec.random_seed = seed;
  spec.limits.max_trials = trials;
  return spec;
}

absl::StatusOr<Run> RunJob(const core::JobSpec& spec, const Objective& regret,
                           const strategies::BayesianSettings& settings) {
  absl::StatusOr<std::unique_ptr<strategies::Strategy>> strategy =
      spec.strategy.name == "bayesian" ? strategies::MakeBayesianStrategy(spec, settings)
                                       : strategies::FindStrategyKind(spec.strategy.name)->make(spec);
  if (!strategy.ok()) return strategy.status();
  Run run;
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < *spec.limits.max_trials; ++i) {
    if (std::unique_ptr<strategies::FitTask> fit = (*strategy)->BeginFit(); fit != nullptr) {
      fit->Run(nullptr);
      (*strategy)->InstallFit(std::move(fit));
    }
    auto proposals = (*strategy)->Suggest({.ordinal = i, .count = 1});
    if (!proposals.ok()) return proposals.status();
    if (proposals->proposals.empty()) return absl::InternalError(proposals->exhausted_reason);
    core::Trial trial;
    trial.number = i + 1;
    trial.finish_seq = i + 1;
    trial.parameters = proposals->proposals.front().parameters;
    trial.state = core::TrialState::kCompleted;
    trial.objective = regret(trial.parameters);
    best = std::min(best, *trial.objective);
    run.best.push_back(best);
    run.trials.push_back(trial);
    (*strategy)->Observe(strategies::Finished{std::move(trial)});
  }
  return run;
}

// The point with each numeric coordinate changed.
core::ParameterMap Moved(const core::SearchSpace& space, const core::ParameterMap& point,
                         const std::function<double(int, double)>& move) {
  core::ParameterMap moved = point;
  for (int i = 0; i < static_cast<int>(space.parameters().size()); ++i) {
    const core::Parameter& parameter = space.parameters()[static_cast<size_t>(i)];
    const auto it = moved.find(parameter.name);
    if (it == moved.end() || std::holds_alternative<core::CategoricalDomain>(parameter.domain)) continue;
    it->second = space.FromUnit(i, move(i, space.ToUnit(i, it->second)));
  }
  return moved;
}

struct Kind {
  std::string name;
  bool identical = false;
  // The parent's function, made of the child's and of others of the same space.
  std::function<Objective(const Instance& child, const Instance& other, uint64_t seed)> make;
};

std::vector<Kind> Kinds(double shift) {
  return {
      {"related", false,
       [shift](const Instance& child, const Instance&, uint64_t seed) {
         // Each coordinate moved by up to `shift` of its range; values scaled by 1/30 to 30, and another offset.
         core::Rng rng(seed, 0, kMovesStream);
         std::vector<double> by(child.space.parameters().size());
         for (double& one : by) one = shift * (2 * rng.NextDouble() - 1);
         const double scale = std::pow(30, 2 * rng.NextDouble() - 1);
         const double offset = 100 * (rng.NextDouble() - 0.5);
         return Objective([=](const core::ParameterMap& point) {
           const auto move = [&by](int i, double unit) {
             return std::clamp(unit + by[static_cast<size_t>(i)], 0.0, 1.0);
           };
           return offset + scale * child.regret(Moved(child.space, point, move));
         });
       }},
      {"unrelated", false, [](const Instance&, const Instance& other, uint64_t) { return Objective(other.regret); }},
      {"misleading", false,
       [](const Instance& child, const Instance&, uint64_t) {
         return Objective([child](const core::ParameterMap& point) {
           return child.regret(Moved(child.space, point, [](int, double unit) { return 1 - unit; }));
         });
       }},
      {"negated", false,
       [](const Instance& child, const Instance&, uint64_t) {
         return Objective([child](const core::ParameterMap& point) { return -child.regret(point); });
       }},
      {"identical", true, [](const Instance& child, const Instance&, uint64_t) { return Objective(child.regret); }},
  };
}

struct Pair {
  Curve cold, warm;
  double random = 0;  // regret of random search after as many trials
};

double Normalised(double regret, double random) { return random > 0 ? regret / random : 0; }

// Trials until the warm job is as good as the cold one at its end; one more than it has if it never is.
int TrialsToMatch(const Pair& pair) {
  const auto there = std::ranges::find_if(pair.warm, [&](double value) { return value <= pair.cold.back(); });
  return static_cast<int>(there - pair.warm.begin()) + 1;
}

double Mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

// 2.5 and 97.5 % of the mean over resampled pairs.
std::pair<double, double> Interval(const std::vector<double>& values) {
  core::Rng rng(1, 0, kMovesStream + 1);
  std::vector<double> means;
  for (int i = 0; i < kResamples; ++i) {
    double sum = 0;
    for (size_t j = 0; j < values.size(); ++j) sum += values[rng.NextBelow(values.size())];
    means.push_back(sum / static_cast<double>(values.size()));
  }
  std::ranges::sort(means);
  return {means[kResamples / 40], means[kResamples - 1 - kResamples / 40]};
}

double Median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// A row of the table, and whether it keeps its bound.
bool Print(const Kind& kind, const std::string& task, const std::vector<Pair>& pairs) {
  std::vector<double> differences, trials, cold_late, warm_early, warm_end, cold_end;
  for (const Pair& pair : pairs) {
    differences.push_back(Normalised(pair.warm.back(), pair.random) - Normalised(pair.cold.back(), pair.random));
    trials.push_back(TrialsToMatch(pair));
    cold_late.push_back(pair.cold[29]);
    warm_early.push_back(pair.warm[9]);
    cold_end.push_back(pair.cold.back());
    warm_end.push_back(pair.warm.back());
  }
  const auto [low, high] = Interval(differences);
  const double mean = Mean(differences);
  const bool holds = kind.identical           ? Median(warm_early) <= Median(cold_late)
                     : kind.name == "related" ? Median(trials) <= kTrials / 2
                                              : mean <= 0.03;
  std::printf("| %-10s | %-14s | %6.4f [%+.4f, %+.4f] | %5.1f | %9.3g | %9.3g | %9.3g | %9.3g | %s |\n",
              kind.name.c_str(), task.c_str(), mean, low, high, Median(trials), Median(warm_early), Median(cold_late),
              Median(warm_end), Median(cold_end), holds ? "holds" : "MISSED");
  std::fflush(stdout);
  return holds;
}

int Main(int argc, char** argv) {
  CLI::App app("What a warm start is worth: cold and warm jobs over the same tasks and seeds.");
  int seeds = 20;
  int parent_trials = 50;
  int parents = 1;
  double shift = 0.05;
  std::string only_tasks = "";
  std::string only_kinds = "";
  strategies::BayesianSettings settings;
  app.add_option("--seeds", seeds, "Instances of each task [20]")->check(CLI::Range(1, 1000));
  app.add_option("--parent-trials", parent_trials, "Trials of each parent [50]")->check(CLI::Range(1, 1000));
  app.add_option("--parents", parents, "Parents of each child [1]")->check(CLI::Range(1, 5));
  app.add_option("--tasks", only_tasks, "Tasks whose name holds this [those of 3 to 8 dimensions]");
  app.add_option("--kinds", only_kinds, "Kinds of parents whose name holds this [all]");
  app.add_option("--design", settings.transfer_design, "Points of the design after the parents' best");
  app.add_option("--shift", shift, "Most that related parents are moved by in each coordinate [0.05]");
  app.add_option("--disbelief", settings.disbelief, "Share of variance left at which parents are not believed");
  app.add_option("--unexplained", settings.most_unexplained, "Share of variance at which the design goes on");
  app.add_option("--own-count", settings.transfer.own_count, "Results at which the own model has half of the weight");
  CLI11_PARSE(app, argc, argv);

  std::vector<Task> tasks = TestTasks();
  std::erase_if(tasks, [&](const Task& task) { return !absl::StrContains(task.name, only_tasks) || task.noise > 0; });
  if (tasks.empty()) {
    std::cerr << "no task's name holds \"" << only_tasks << "\"\n";
    return 2;
  }
  std::printf("%d seeds, %d parents of %d trials, %d trials\n\n", seeds, parents, parent_trials, kTrials);
  std::printf(
      "| parents | task | warm - cold, normalised regret | trials | warm at 10 | cold at 30 | warm | cold | |\n");
  std::printf("|---|---|---|---|---|---|---|---|---|\n");
  bool all_hold = true;
  std::map<std::string, std::vector<Pair>> of_kind;
  for (const Task& task : tasks) {
    std::map<std::string, std::vector<Pair>> pairs;
    for (int s = 0; s < seeds; ++s) {
      const auto seed = static_cast<uint64_t>(s);
      const Instance child = task.make(seed);
      const auto cold = RunJob(SpecOf(child.space, "bayesian", seed + 1000, kTrials), child.regret, settings);
      const auto random = RunJob(SpecOf(child.space, "random", seed + 2000, kTrials), child.regret, settings);
      if (!cold.ok() || !random.ok()) {
        std::cerr << cold.status() << " " << random.status() << "\n";
        return 1;
      }
      for (const Kind& kind : Kinds(shift)) {
        if (!absl::StrContains(kind.name, only_kinds)) continue;
        auto jobs = std::make_shared<core::ParentJobs>();
        for (int p = 0; p < parents; ++p) {
          const uint64_t parent_seed = seed + 3000 + 100 * static_cast<uint64_t>(p);
          const Objective objective = kind.make(child, task.make(parent_seed), parent_seed);
          auto run = RunJob(SpecOf(child.space, "bayesian", parent_seed, parent_trials), objective, settings);
          if (!run.ok()) {
            std::cerr << run.status() << "\n";
            return 1;
          }
          jobs->push_back(
              {.job_id = "parent", .uid = "uid", .static_parameters = {}, .trials = std::move(run->trials)});
        }
        core::JobSpec spec = SpecOf(child.space, "bayesian", seed + 1000, kTrials);
        spec.warm_start = core::WarmStart{
            kind.identical ? core::WarmStart::Type::kIdentical : core::WarmStart::Type::kTransfer, {"parent"}, jobs};
        const auto warm = RunJob(spec, child.regret, settings);
        if (!warm.ok()) {
          std::cerr << warm.status() << "\n";
          return 1;
        }
        pairs[kind.name].push_back({cold->best, warm->best, random->best.back()});
      }
    }
    for (const Kind& kind : Kinds(shift)) {
      if (!pairs.contains(kind.name)) continue;
      Print(kind, task.name, pairs[kind.name]);
      auto& all = of_kind[kind.name];
      all.insert(all.end(), pairs[kind.name].begin(), pairs[kind.name].end());
    }
  }
  for (const Kind& kind : Kinds(shift)) {
    if (of_kind.contains(kind.name)) all_hold = Print(kind, "all", of_kind[kind.name]) && all_hold;
  }
  return all_hold ? 0 : 1;
}

}  // namespace
}  // namespace tuner::bench

int main(int argc, char** argv) { return tuner::bench::Main(argc, argv); }
