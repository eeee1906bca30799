// How new jobs look up earlier ones: in the store. Threads: any. Ownership: borrows the storage.
#pragma once

#include "storage/storage.h"
#include "tuner/requests/earlier_jobs.h"

namespace tuner::embed {

requests::LookUpJob EarlierJobsIn(const storage::Storage& storage);

}  // namespace tuner::embed
