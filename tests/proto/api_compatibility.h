// Whether clients and stored records of one version are understood by another. Pure function.
#pragma once

#include <string>
#include <vector>

#include "google/protobuf/descriptor.pb.h"

namespace tuner::testing {

// What `present` has lost or changed of `released`, a sentence each: messages, fields, enums, enum values, services and
// methods that are missing, renamed, renumbered or of another type, label, presence or oneof, and numbers that were
// reserved and are used. What `present` has beyond that is no matter.
std::vector<std::string> FindBreaks(const google::protobuf::FileDescriptorSet& released,
                                    const google::protobuf::FileDescriptorSet& present);

}  // namespace tuner::testing
