// Jobs kept in memory: the twin of the SQLite storage for tests, benchmarks and embedding without a file. Durable only
// as long as the object lives.
//
// Threads, ownership and errors: as storage.h says; never UNAVAILABLE or DATA_LOSS.
#pragma once

#include <cstdint>
#include <memory>

#include "storage/storage.h"
#include "storage/touched.h"

namespace tuner::storage {

// `kept_revisions`: see touched.h.
std::unique_ptr<Storage> MakeMemoryStorage(int64_t kept_revisions = kKeptRevisions);

}  // namespace tuner::storage
