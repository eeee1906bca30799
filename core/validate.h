// Every problem of a specification at once, and advice beside it. Pure functions; any thread.
#pragma once

#include <string>
#include <vector>

#include "core/job_spec.h"
#include "core/problem.h"

namespace tuner::core {

// Problems of raw parameters (before SearchSpace::Make): inverted or empty ranges, LOG with a bound <= 0, REVERSE_LOG
// outside of [0, 1), duplicate names, NaN and infinities, absurd sizes, children under values that their parent does
// not have, defaults outside of the domain.
Problems ValidateParameters(const std::vector<Parameter>& parameters);

// Problems of everything else in the specification, whose space was made of accepted parameters. Does not look inside
// Options: the registries do.
Problems ValidateSpec(const JobSpec& spec);

// Remarks from the field's best practice; never fatal. Each is a sentence that names the field.
std::vector<std::string> Advise(const JobSpec& spec);

}  // namespace tuner::core
