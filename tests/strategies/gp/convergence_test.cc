// Regret on functions whose minimum is moved to a random place, with no noise: section 6's lines, with few seeds.
// TUNER_CONVERGENCE_SEEDS sets more; 15 are the specification's.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "core/rng.h"
#include "gtest/gtest.h"
#include "tests/strategies/strategy_jobs.h"

namespace tuner::strategies {
namespace {

using Point = std::vector<double>;

struct Problem {
  std::string name;
  Point low;
  Point high;
  Point optimum;
  double minimum = 0;
  std::function<double(const Point&)> value;
};

double Branin(const Point& x) {
  const double t = x[1] - 5.1 / (4 * M_PI * M_PI) * x[0] * x[0] + 5 / M_PI * x[0] - 6;
  return t * t + 10 * (1 - 1 / (8 * M_PI)) * std::cos(x[0]) + 10;
}

double Hartmann6(const Point& x) {
  static constexpr double kAlpha[] = {1, 1.2, 3, 3.2};
  static constexpr double kA[4][6] = {
      {10, 3, 17, 3.5, 1.7, 8}, {0.05, 10, 17, 0.1, 8, 14}, {3, 3.5, 1.7, 10, 17, 8}, {17, 8, 0.05, 10, 0.1, 14}};
  static constexpr double kP[4][6] = {{1312, 1696, 5569, 124, 8283, 5886},
                                      {2329, 4135, 8307, 3736, 1004, 9991},
                                      {2348, 1451, 3522, 2883, 3047, 6650},
                                      {4047, 8828, 8732, 5743, 1091, 381}};
  double sum = 0;
  for (int i = 0; i < 4; ++i) {
    double distance = 0;
    for (int j = 0; j < 6; ++j) distance += kA[i][j] * std::pow(x[static_cast<size_t>(j)] - 1e-4 * kP[i][j], 2);
    sum -= kAlpha[i] * std::exp(-distance);
  }
  return sum;
}

double Rosenbrock(const Point& x) {
  double sum = 0;
  for (size_t i = 0; i + 1 < x.size(); ++i) sum += 100 * std::pow(x[i + 1] - x[i] * x[i], 2) + std::pow(1 - x[i], 2);
  return sum;
}

double Ackley(const Point& x) {
  double squares = 0;
  double cosines = 0;
  for (const double v : x) {
    squares += v * v;
    cosines += std::cos(2 * M_PI * v);
  }
  const auto n = static_cast<double>(x.size());
  return -20 * std::exp(-0.2 * std::sqrt(squares / n)) - std::exp(cosines / n) + 20 + std::exp(1);
}

// Moves the minimum to a random place in [.1, .9]^d of the box, by moving the box.
core::JobSpec Shifted(const Problem& problem, uint64_t seed, const std::string& strategy) {
  core::Rng rng(seed, 0, 99);
  std::vector<core::Parameter> parameters;
  for (size_t i = 0; i < problem.low.size(); ++i) {
    const double width = problem.high[i] - problem.low[i];
    const double low = problem.optimum[i] - (0.1 + 0.8 * rng.NextDouble()) * width;
    parameters.push_back(core::Named(
        absl::StrCat("x", i), core::DoubleDomain{.min = low, .max = low + width, .scale = core::Scale::kLinear}));
  }
  return SpecOf(strategy, std::move(parameters), seed);
}

double Regret(const Problem& problem, uint64_t seed, int trials, int batch, const std::string& name) {
  const std::unique_ptr<Strategy> strategy = MakeStrategy(Shifted(problem, seed, name));
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < trials; i += batch) {
    const std::vector<core::ParameterMap> points = Points(Ask(*strategy, i, batch));
    for (const core::ParameterMap& point : points) {
      Point x;
      for (size_t d = 0; d < problem.low.size(); ++d) x.push_back(std::get<double>(point.at(absl::StrCat("x", d))));
      const double value = problem.value(x);
      best = std::min(best, value - problem.minimum);
      Finished finished = FinishedTrial(i + 1, point);
      finished.trial.objective = value;
      strategy->Observe(finished);
    }
    if (std::unique_ptr<FitTask> task = strategy->BeginFit(); task != nullptr) {
      task->Run(nullptr);
      strategy->InstallFit(std::move(task));
    }
  }
  return best;
}

std::vector<double> Regrets(const Problem& problem, int trials, int batch = 1,
                            const std::string& strategy = "bayesian") {
  const char* wanted = std::getenv("TUNER_CONVERGENCE_SEEDS");
  const int seeds = wanted != nullptr ? std::atoi(wanted) : 5;
  std::vector<double> regrets;
  std::string text;
  for (int seed = 0; seed < seeds; ++seed) {
    regrets.push_back(Regret(problem, static_cast<uint64_t>(seed), trials, batch, strategy));
    absl::StrAppend(&text, " ", regrets.back());
  }
  std::sort(regrets.begin(), regrets.end());
  std::cout << problem.name << " " << strategy << " batch " << batch << ": median " << regrets[regrets.size() / 2]
            << " of" << text << std::endl;
  return regrets;
}

double Median(const std::vector<double>& sorted) { return sorted[sorted.size() / 2]; }
double ShareBelow(const std::vector<double>& regrets, double bound) {
  const auto below = std::count_if(regrets.begin(), regrets.end(), [&](double r) { return r <= bound; });
  return static_cast<double>(below) / static_cast<double>(regrets.size());
}

Problem BraninProblem() { return {"branin", {-5, 0}, {10, 15}, {M_PI, 2.275}, 0.39788735772973816, &Branin}; }
Problem Hartmann6Problem() {
  return {"hartmann6",        Point(6, 0), Point(6, 1), {0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573},
          -3.322368011415515, &Hartmann6};
}

TEST(ConvergenceTest, Branin) {
  const std::vector<double> regrets = Regrets(BraninProblem(), 30);
  EXPECT_LE(Median(regrets), 1e-3);
  EXPECT_GE(ShareBelow(regrets, 0.1), 0.8);
  EXPECT_GE(Median(Regrets(BraninProblem(), 30, 1, "random")), 5 * Median(regrets));
}

TEST(ConvergenceTest, Hartmann6) {
  const std::vector<double> regrets = Regrets(Hartmann6Problem(), 60);
  EXPECT_LE(Median(regrets), 1e-3);
  EXPECT_GE(ShareBelow(regrets, 0.05), 0.8);
  EXPECT_GE(Median(Regrets(Hartmann6Problem(), 60, 1, "random")), 5 * Median(regrets));
}

TEST(ConvergenceTest, Hartmann6InBatchesOfFour) { EXPECT_LE(Median(Regrets(Hartmann6Problem(), 60, 4)), 0.02); }

TEST(ConvergenceTest, Rosenbrock4) {
  const Problem problem{"rosenbrock4", Point(4, -5), Point(4, 10), Point(4, 1), 0, &Rosenbrock};
  EXPECT_LE(Median(Regrets(problem, 60)), 20);
}

TEST(ConvergenceTest, Ackley5) {
  const Problem problem{"ackley5", Point(5, -21.384), Point(5, 21.384), Point(5, 0), 0, &Ackley};
  EXPECT_LE(Median(Regrets(problem, 60)), 4.5);
}

}  // namespace
}  // namespace tuner::strategies
