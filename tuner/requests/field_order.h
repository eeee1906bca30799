// The order of fields in a specification, so that what is said about them reads from its top to its bottom. Pure
// functions; any thread.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/problem.h"

namespace tuner::requests {

// Sorts like the path's place in tuner.v1.TuningJobSpec: fields as declared, list entries by index, map entries by key.
// What is no field of the specification comes last.
using FieldOrderKey = std::vector<std::pair<int, std::string>>;
FieldOrderKey FieldOrder(absl::string_view path);

// Sorts by FieldOrder, stable, and drops exact repetitions.
void SortProblems(core::Problems& problems);

}  // namespace tuner::requests
