// The values of one parameter: how many, which, and where they lie in [0, 1]. What SearchSpace is made of.
//
// Threads: pure functions; any thread. All but Resolve and Canonical expect a domain that came from Resolve, and values
// that came from Canonical or from here. Units: a countable domain has values 0 .. count - 1; u is a unit coordinate.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/search_space.h"

namespace tuner::core::domain {

// AUTO becomes LOG or LINEAR; discrete values are sorted.
Domain Resolve(Domain domain);

// The value in the domain's own type and exactly on its step, or nullopt if it is not in the domain.
std::optional<ParameterValue> Canonical(const Domain& domain, const ParameterValue& value);

// What Canonical accepts, for a sentence "give ...": "a number from 0.01 to 0.5".
std::string Describe(const Domain& domain);

// nullopt: continuous. With `for_grid`, a double with grid_points has that many. At most 2^54 + 1.
std::optional<uint64_t> Count(const Domain& domain, bool for_grid);
ParameterValue ValueAt(const Domain& domain, uint64_t index, bool for_grid);
// Inverse of ValueAt without for_grid; 0 for a continuous domain.
uint64_t IndexOf(const Domain& domain, const ParameterValue& value);

// Values as numbers: the value itself, the place in the list of a category, 0 or 1 of a boolean. Place: of a countable
// domain's value, 0 of a continuous one. No allocation.
double Number(const Domain& domain, const ParameterValue& value);
double NumberAt(const Domain& domain, uint64_t index, bool for_grid);
double NumberFromUnit(const Domain& domain, double u);
uint64_t PlaceFromUnit(const Domain& domain, double u);

double ToUnit(const Domain& domain, const ParameterValue& value);
ParameterValue FromUnit(const Domain& domain, double u);

// The coordinate of any value of the domain's kind: what ToUnit says of one in the domain, else on the same scale
// between its neighbours or outside of [0, 1]. nullopt: it has none there (a category that is not listed, a number that
// the scale does not reach, another kind, a domain of one value).
std::optional<double> ToUnitBeyond(const Domain& domain, const ParameterValue& value);

}  // namespace tuner::core::domain
