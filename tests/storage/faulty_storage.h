// A Storage that fails its writes on demand: a decorator over another one.
//
// Threads: any, if the plan may be called from any. Ownership: it owns what it wraps. Errors: UNAVAILABLE for what it
// fails.
#pragma once

#include <functional>
#include <memory>

#include "storage/storage.h"

namespace tuner::storage {

enum class Fault {
  kNone,
  kBefore,  // nothing is stored
  kAfter,   // it is stored, but the acknowledgement is lost
};

enum class WriteKind { kCreateJob, kCommit, kAcquireJob, kReleaseJob, kDeleteJob };

// Asked once at each write.
using FaultPlan = std::function<Fault(WriteKind)>;

std::unique_ptr<Storage> MakeFaultyStorage(std::unique_ptr<Storage> inner, FaultPlan plan);

}  // namespace tuner::storage
