// Functional analysis of variance: how much each parameter explains of a function on the unit cube.
//
// Sources: Sobol', "Global sensitivity indices", Math. Comput. Simul. 55 (2001); main effects by Saltelli et al.,
// Comput. Phys. Commun. 181 (2010), total effects by Jansen, Comput. Phys. Commun. 117 (1999), on scrambled Sobol'
// points. Of a model of hyperparameters: Hutter, Hoos and Leyton-Brown, ICML 2014. Shares: Owen, "Sobol' indices and
// Shapley value", 2014. Threads: pure functions, deterministic in their arguments, on the caller's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/types/span.h"
#include "strategies/strategy.h"

namespace tuner::strategies::gp {

struct AnovaOptions {
  // n, best a power of two: the function is evaluated n * (dimensions + 2) times. Indices err by about 1 / sqrt(n) at
  // worst. 2 to 2^31.
  int samples = 2048;
  uint64_t seed = 0;
  StopToken stop = nullptr;
};

struct AnovaIndices {
  double variance = 0;        // of the function's values; of no unit if they spread over more than 1e150
  std::vector<double> main;   // by coordinate: share of the variance that it explains alone, in [0, total]
  std::vector<double> total;  // by coordinate: share that it has a part in, in [0, 1]
  // By coordinate, summing up to 1: main effects, and interactions in equal parts to those that interact (Shapley
  // effects), exact where no more than two interact. All 0 for a constant function.
  std::vector<double> shares;
  bool stopped = false;  // all are 0
};

// Values of many points; `units` has the points' coordinates one after another, values.size() points in all.
using UnitFunction = std::function<void(absl::Span<const double> units, absl::Span<double> values)>;

// Expects dimensions >= 1 and finite values. A coordinate that the function does not look at has index 0; one that it
// looks at on a part of the cube only (a conditional parameter) has the share that it has on that part.
AnovaIndices FunctionalAnova(int dimensions, const UnitFunction& function, const AnovaOptions& options);

// The most samples, as a power of two of at most 4096, with which about 40,000 points or fewer are evaluated; at least
// 128.
int AnovaSamples(int dimensions);

}  // namespace tuner::strategies::gp
