// In what specifications differ. Pure functions; any thread.
#pragma once

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "tuner/v1/tuning_job.pb.h"

namespace tuner::requests {

struct SpecDifference {
  std::string path;
  std::vector<std::string> values;  // as JSON, one per specification; empty where it has none
};

// Fields that are not the same in all of the specifications, in the order of the schema.
std::vector<SpecDifference> DiffSpecs(absl::Span<const v1::TuningJobSpec* const> specs);
std::vector<SpecDifference> DiffSpecs(const v1::TuningJobSpec& a, const v1::TuningJobSpec& b);

// In what `requested` asks for another job than `stored`, which a job holds as resolved at its creation: what was
// chosen then (seed, scales, number of trials) is the same as left out, and limits, which may change, are not looked
// at. Empty: the same job.
std::vector<SpecDifference> DiffFromStored(const v1::TuningJobSpec& stored, const v1::TuningJobSpec& requested,
                                           const std::string& base_dir);

}  // namespace tuner::requests
