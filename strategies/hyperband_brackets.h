// The arithmetic of Hyperband's brackets. Pure functions; any thread.
//
// Source: Li et al. 2018 (arXiv 1603.06560), algorithm 1. With R the largest resource and eta the reduction factor
// there are s_max + 1 brackets, s_max the largest s with R eta^-s >= the smallest resource, computed on integers: ln
// 243 / ln 3 is below 5 in doubles. Bracket s starts n = ceil((s_max + 1) / (s + 1) eta^s) configurations at r = R
// eta^-s; its rung i has floor(n eta^-i) of them at r eta^i.
#pragma once

#include <cstdint>
#include <vector>

namespace tuner::strategies {

struct Rung {
  int64_t size = 0;     // configurations of a whole bracket that get here
  double resource = 0;  // of each, as in the paper
  int64_t steps = 0;    // the same in whole steps: rounded down, at least 1
};
struct Bracket {
  int s = 0;
  std::vector<Rung> rungs;  // s + 1 of them, the last at R

  int64_t size() const { return rungs.front().size; }
};

// The most exploring one (largest s) first. Expects 1 <= min_resource <= max_resource and eta >= 2. Rungs that come to
// the same whole number of steps are one. `count`: only so many of them, and then the first has as many rungs as all
// would.
std::vector<Bracket> MakeBrackets(int64_t min_resource, int64_t max_resource, int eta, int count);
// How many brackets there are for those resources.
int CountBrackets(int64_t min_resource, int64_t max_resource, int eta);

}  // namespace tuner::strategies
