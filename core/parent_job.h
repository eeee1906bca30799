// What a job keeps of an earlier one whose trials it starts from. Plain values; any thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/search_space.h"
#include "core/trial.h"

namespace tuner::core {

struct ParentJob {
  std::string job_id;
  std::string uid;
  ParameterMap static_parameters;
  std::vector<Trial> trials;  // in the order in which they finished; without attempts and basis
};
using ParentJobs = std::vector<ParentJob>;

struct ParentTrial {
  std::string job_id;
  Trial trial;
};

struct WarmStart {
  enum class Type {
    kIdentical,  // parents' trials are data of the same function
    kTransfer,   // of related functions
  };
  Type type = Type::kIdentical;
  std::vector<std::string> parents;  // job ids
  // What was known of the parents when the job was created, in their order. Stored apart from the specification; null:
  // not read.
  std::shared_ptr<const ParentJobs> jobs;
};

}  // namespace tuner::core
