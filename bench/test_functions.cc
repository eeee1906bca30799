#include "bench/test_functions.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/rng.h"

namespace tuner::bench {
namespace {

using Vector = std::vector<double>;

// A function of unit coordinates with its end at `place`, where it is `least`.
struct Function {
  std::string name;
  int budget = 0;
  std::function<double(const Vector&)> value;
  Vector place;
  double least = 0;
};

enum class Kind {
  kReal,
  kMixed,   // of three coordinates the second is an integer of 11 values, the third one of 5 categories
  kSparse,  // every third of 20 coordinates matters
};

constexpr double kTau = 6.283185307179586;

double Branin(const Vector& u) {
  const double x = 15 * u[0] - 5;
  const double y = 15 * u[1];
  const double curve = y - 5.1 / (kTau * kTau) * x * x + 10 / kTau * x - 6;
  return curve * curve + 10 * (1 - 1 / (4 * kTau)) * std::cos(x) + 10;
}

double Hartmann6(const Vector& u) {
  constexpr double kHeight[4] = {1, 1.2, 3, 3.2};
  constexpr double kWidth[4][6] = {
      {10, 3, 17, 3.5, 1.7, 8}, {.05, 10, 17, .1, 8, 14}, {3, 3.5, 1.7, 10, 17, 8}, {17, 8, .05, 10, .1, 14}};
  constexpr double kPeak[4][6] = {{1312, 1696, 5569, 124, 8283, 5886},
                                  {2329, 4135, 8307, 3736, 1004, 9991},
                                  {2348, 1451, 3522, 2883, 3047, 6650},
                                  {4047, 8828, 8732, 5743, 1091, 381}};
  double sum = 0;
  for (int i = 0; i < 4; ++i) {
    double distance = 0;
    for (int j = 0; j < 6; ++j) distance += kWidth[i][j] * std::pow(u[static_cast<size_t>(j)] - kPeak[i][j] * 1e-4, 2);
    sum += kHeight[i] * std::exp(-distance);
  }
  return -sum;
}

double Rosenbrock(const Vector& u) {
  double sum = 0;
  for (size_t i = 0; i + 1 < u.size(); ++i) {
    const double x = 15 * (u[i] - 0.4) + 1;
    const double next = 15 * (u[i + 1] - 0.4) + 1;
    sum += 100 * std::pow(next - x * x, 2) + std::pow(1 - x, 2);
  }
  return sum;
}

double Ackley(const Vector& u) {
  double squares = 0;
  double waves = 0;
  for (const double v : u) {
    const double x = 42.768 * (v - 0.5);
    squares += x * x;
    waves += std::cos(kTau * x);
  }
  const auto d = static_cast<double>(u.size());
  return -20 * std::exp(-0.2 * std::sqrt(squares / d)) - std::exp(waves / d) + 20 + std::exp(1.0);
}

double Levy(const Vector& u) {
  const auto w = [&u](size_t i) { return 1 + 20 * (u[i] - 0.5) / 4; };
  double sum = std::pow(std::sin(kTau / 2 * w(0)), 2);
  for (size_t i = 0; i + 1 < u.size(); ++i) {
    sum += std::pow(w(i) - 1, 2) * (1 + 10 * std::pow(std::sin(kTau / 2 * w(i) + 1), 2));
  }
  const double last = w(u.size() - 1);
  return sum + std::pow(last - 1, 2) * (1 + std::pow(std::sin(kTau * last), 2));
}

double Rastrigin(const Vector& u) {
  double sum = 0;
  for (const double v : u) {
    const double x = 10.24 * (v - 0.5);
    sum += 10 + x * x - 10 * std::cos(kTau * x);
  }
  return sum;
}

// Condition number 10^decades.
std::function<double(const Vector&)> Ellipsoid(double decades) {
  return [decades](const Vector& u) {
    double sum = 0;
    for (size_t i = 0; i < u.size(); ++i) {
      const double weight = std::pow(10, decades * static_cast<double>(i) / static_cast<double>(u.size() - 1));
      sum += weight * std::pow(10 * (u[i] - 0.5), 2);
    }
    return sum;
  };
}

core::Parameter ParameterOf(std::string name, core::Domain domain) {
  core::Parameter parameter;
  parameter.name = std::move(name);
  parameter.domain = std::move(domain);
  return parameter;
}

std::string Name(size_t i) { return absl::StrCat("x", i); }

// Unit coordinate of the i-th of the function's own coordinates.
double Read(const core::ParameterMap& point, size_t i, Kind kind, const std::vector<int>& order) {
  const core::ParameterValue& value = point.at(Name(kind == Kind::kSparse ? 3 * i : i));
  if (const auto* real = std::get_if<double>(&value)) return *real;
  if (const auto* whole = std::get_if<int64_t>(&value)) return static_cast<double>(*whole) / 10;
  const int level = std::get<std::string>(value).back() - '0';
  return order[static_cast<size_t>(level)] / 4.0;
}

Instance MakeInstance(const Function& function, Kind kind, uint64_t seed) {
  core::Rng rng(seed, 0, 0x7466);
  const size_t d = function.place.size();
  Vector end(d);
  for (double& coordinate : end) coordinate = 0.1 + 0.8 * rng.NextDouble();
  std::vector<core::Parameter> parameters;
  std::vector<std::vector<int>> orders(d);
  for (size_t i = 0; i < (kind == Kind::kSparse ? 20 : d); ++i) {
    if (kind == Kind::kMixed && i % 3 == 1) {
      end[i] = std::round(10 * end[i]) / 10;
      parameters.push_back(ParameterOf(Name(i), core::IntegerDomain{.min = 0, .max = 10}));
    } else if (kind == Kind::kMixed && i % 3 == 2) {
      end[i] = std::round(4 * end[i]) / 4;
      orders[i] = {0, 1, 2, 3, 4};
      for (size_t k = 4; k > 0; --k) std::swap(orders[i][k], orders[i][rng.NextBelow(k + 1)]);
      parameters.push_back(ParameterOf(Name(i), core::CategoricalDomain{.values = {"v0", "v1", "v2", "v3", "v4"}}));
    } else {
      parameters.push_back(ParameterOf(Name(i), core::DoubleDomain{.min = 0, .max = 1, .scale = core::Scale::kLinear}));
    }
  }
  auto regret = [function, kind, end, orders](const core::ParameterMap& point) {
    Vector u(end.size());
    for (size_t i = 0; i < u.size(); ++i) u[i] = Read(point, i, kind, orders[i]) - end[i] + function.place[i];
    return function.value(u) - function.least;
  };
  return {.space = core::SearchSpace::Make(std::move(parameters)), .regret = std::move(regret)};
}

}  // namespace

std::vector<Task> TestTasks() {
  const Function branin = {"branin", 30, &Branin, {.96165, .165}, 0.39788735772973816};
  const Function hartmann = {
      "hartmann-6", 60, &Hartmann6, {.20169, .150011, .476874, .275332, .311652, .6573}, -3.322368011391339};
  const Function ackley = {"ackley-5", 60, &Ackley, Vector(5, .5)};
  const Function levy = {"levy-8", 80, &Levy, Vector(8, .5)};
  const Function functions[] = {branin,
                                hartmann,
                                {"rosenbrock-4", 60, &Rosenbrock, Vector(4, .4)},
                                ackley,
                                levy,
                                {"rastrigin-4", 80, &Rastrigin, Vector(4, .5)},
                                {"sphere-10", 80, Ellipsoid(0), Vector(10, .5)},
                                {"ellipsoid-6", 80, Ellipsoid(3), Vector(6, .5)},
                                {"ackley-15", 100, &Ackley, Vector(15, .5)},
                                {"levy-20", 100, &Levy, Vector(20, .5)}};
  std::vector<Task> tasks;
  const auto add = [&tasks](const Function& function, Kind kind, const char* suffix, double noise) {
    tasks.push_back({.name = absl::StrCat(function.name, suffix),
                     .budget = function.budget,
                     .noise = noise,
                     .make = [function, kind](uint64_t seed) { return MakeInstance(function, kind, seed); }});
  };
  for (const Function& function : functions) add(function, Kind::kReal, "", 0);
  add(branin, Kind::kReal, "-noisy", 5);
  add(hartmann, Kind::kReal, "-noisy", .3);
  add(ackley, Kind::kReal, "-noisy", 1);
  add(hartmann, Kind::kMixed, "-mixed", 0);
  add(ackley, Kind::kMixed, "-mixed", 0);
  add(levy, Kind::kMixed, "-mixed", 0);
  add(hartmann, Kind::kSparse, "-of-20", 0);
  return tasks;
}

}  // namespace tuner::bench
