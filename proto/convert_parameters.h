// Search spaces between wire and core, for the sources of the converter. Pure functions; any thread.
#pragma once

#include <vector>

#include "core/problem.h"
#include "core/search_space.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "tuner/v1/parameters.pb.h"

namespace tuner::convert {

// The parameters with their children, parents first. Adds the problems of the wire form: no domain, an unknown scale,
// values that are none.
std::vector<core::Parameter> ReadParameters(const google::protobuf::RepeatedPtrField<v1::Parameter>& wire,
                                            core::Problems& problems);

// Writes the scales of `space` into the parameters that it has by name.
void WriteScales(const core::SearchSpace& space, google::protobuf::RepeatedPtrField<v1::Parameter>& wire);

}  // namespace tuner::convert
