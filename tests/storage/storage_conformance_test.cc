// Every back end, and every wrapped form, through the one suite.
#include "tests/storage/storage_conformance.h"

#include "tests/storage/harnesses.h"

namespace tuner::storage {
namespace {

INSTANTIATE_TEST_SUITE_P(BackEnds, StorageConformance, testing::Values(MemoryCase("Memory"), SqliteCase("Sqlite")),
                         CaseName);

}  // namespace
}  // namespace tuner::storage
