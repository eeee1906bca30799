// What every Storage must do: one suite over all back ends and their wrapped forms. To run it over another one, add
// this folder's storage_conformance*.cc to the test's sources and, in the test, write
//   INSTANTIATE_TEST_SUITE_P(Mine, StorageConformance, testing::Values(StorageCase{...}), CaseName);
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "storage/storage.h"

namespace tuner::storage {

// A store and its life. For one thread.
class StorageHarness {
 public:
  virtual ~StorageHarness() = default;
  // An open store, empty the first time. Keeps at least the newest kHarnessRevisions changes of a job, and not many
  // more.
  virtual Storage& storage() = 0;
  // Closes it and opens it again. Of a store that does not outlive its object: nothing.
  virtual void Reopen() = 0;
};
inline constexpr int64_t kHarnessRevisions = 50;

struct StorageCase {
  std::string name;
  std::function<std::unique_ptr<StorageHarness>()> make;
  bool outlives_its_object = false;  // Reopen really closes it
};

inline void PrintTo(const StorageCase& one, std::ostream* out) { *out << one.name; }

class StorageConformance : public testing::TestWithParam<StorageCase> {
 protected:
  StorageConformance() : harness_(GetParam().make()) {}

  Storage& storage() { return harness_->storage(); }
  void Reopen() { harness_->Reopen(); }

  // Creates the job and acquires it for "server": its epoch.
  Epoch CreateOwned(const std::string& job_id);
  // Commits on top of what is stored.
  absl::Status CommitNow(const std::string& job_id, Epoch epoch, core::Changes changes);

 private:
  std::unique_ptr<StorageHarness> harness_;
};

inline std::string CaseName(const testing::TestParamInfo<StorageCase>& info) { return info.param.name; }

}  // namespace tuner::storage
