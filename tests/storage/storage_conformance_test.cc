// Every back end, and every wrapped form, through the one suite.
#include "tests/storage/storage_conformance.h"

#include "tests/storage/faulty_storage.h"
#include "tests/storage/harnesses.h"
#include "tests/storage/power_cut.h"

namespace tuner::storage {
namespace {

std::unique_ptr<Storage> WithoutFaults(std::unique_ptr<Storage> inner) {
  return MakeFaultyStorage(std::move(inner), [](WriteKind) { return Fault::kNone; });
}

// A store on a disk that could lose its power, and never does.
class PowerCutHarness : public StorageHarness {
 public:
  PowerCutHarness() : store_(1, {.kept_revisions = kHarnessRevisions}) { Reopen(); }
  Storage& storage() override { return *storage_; }
  void Reopen() override {
    storage_.reset();
    absl::StatusOr<std::unique_ptr<Storage>> opened = store_.Open();
    ASSERT_TRUE(opened.ok()) << opened.status();
    storage_ = *std::move(opened);
  }

 private:
  PowerCutStore store_;
  std::unique_ptr<Storage> storage_;
};

StorageCase PowerCutCase() {
  return {"SqliteOnPowerCutDisk", [] { return std::make_unique<PowerCutHarness>(); }, true};
}

INSTANTIATE_TEST_SUITE_P(BackEnds, StorageConformance, testing::Values(MemoryCase("Memory"), SqliteCase("Sqlite")),
                         CaseName);
INSTANTIATE_TEST_SUITE_P(Wrapped, StorageConformance,
                         testing::Values(MemoryCase("FaultyMemory", WithoutFaults),
                                         SqliteCase("FaultySqlite", WithoutFaults), PowerCutCase()),
                         CaseName);

}  // namespace
}  // namespace tuner::storage
