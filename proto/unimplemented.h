// What the API names and this version does not serve. Pure function; any thread.
#pragma once

#include <string>
#include <vector>

#include "tuner/v1/tuning_job.pb.h"

namespace tuner::convert {

// "path: what is missing and what to use instead", in the order of the specification's fields.
std::vector<std::string> UnimplementedFields(const v1::TuningJobSpec& spec);

}  // namespace tuner::convert
