// How much of a function's variance over the unit cube each coordinate explains alone.
//
// Source: functional analysis of variance as in Hutter, Hoos and Leyton-Brown 2014; first-order indices estimated on
// quasi-random points (Saltelli et al. 2010, table 2, row b). Threads: pure function.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace tuner::strategies::gp {

// One value for each point of the unit cube.
using UnitFunction = std::function<std::vector<double>(const std::vector<std::vector<double>>& points)>;

// First-order index of each coordinate, in [0, 1], not normalised: what is missing to 1 are interactions. Zeros for a
// constant function. `samples` points, and as many again for each coordinate, are evaluated, in blocks.
std::vector<double> FirstOrderIndices(const UnitFunction& function, int dimensions, int samples, uint64_t seed);

}  // namespace tuner::strategies::gp
