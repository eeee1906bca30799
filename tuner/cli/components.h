// What a server says it has. Threads: any. Ownership: values. Errors: the service's.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "tuner/cli/client.h"

namespace tuner::cli {

struct Components {
  google::protobuf::RepeatedPtrField<v1::ComponentInfo> strategies, executors, rules;
};
absl::StatusOr<Components> FetchComponents(Client& client);

}  // namespace tuner::cli
