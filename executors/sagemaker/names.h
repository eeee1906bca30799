// What a run is called on SageMaker.
//
// Threads: pure functions. Ownership: none. Errors: none.
#pragma once

#include <string>
#include <vector>

#include "executors/executor.h"

namespace tuner::executors::sagemaker {

inline constexpr char kNamePrefix[] = "tuner-";
inline constexpr size_t kMaxNameLength = 63;
// The tag by which a training job is known to be a run's.
inline constexpr char kRunTag[] = "tuner:run";

// "tuner-<job>-<8 digits of its uid's hash>-<trial>-<attempt>", and "-<place>" on a later one of the instance types, as
// a name is never free again. Of letters, digits and hyphens.
std::string TrainingJobName(const RunId& id, int instance_type);
std::string RunTag(const RunId& id);  // "<uid>/<trial>/<attempt>"

// A folder of the trial's own below `base`, the same for all of its attempts.
std::string TrialUri(const std::string& base, const RunId& id);

// The longest beginning that all names have in common.
std::string CommonPrefix(const std::vector<std::string>& names);

}  // namespace tuner::executors::sagemaker
