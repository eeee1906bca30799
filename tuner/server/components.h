// What this server has: strategies, executors and rules with their options, read from the API's own descriptors and the
// registries. Pure functions but for ExecutorInfos, which looks at the machine; any thread.
#pragma once

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "executors/executor.h"
#include "tuner/v1/tuning_service.pb.h"

namespace tuner::server {

std::vector<v1::ComponentInfo> StrategyInfos();
// `made`: executors that run in this server. `missing`: why others could not be made.
std::vector<v1::ComponentInfo> ExecutorInfos(const executors::ExecutorRegistry& kinds,
                                             const absl::flat_hash_map<std::string, executors::Capabilities>& made,
                                             const absl::flat_hash_map<std::string, std::string>& missing);
std::vector<v1::ComponentInfo> EarlyStoppingRuleInfos();

}  // namespace tuner::server
