#include "tests/storage/harnesses.h"

#include <cstdlib>
#include <filesystem>
#include <utility>

#include "storage/memory_storage.h"

namespace tuner::storage {
namespace {

class MemoryHarness : public StorageHarness {
 public:
  explicit MemoryHarness(const Wrap& wrap) : storage_(MakeMemoryStorage(kHarnessRevisions)) {
    if (wrap) storage_ = wrap(std::move(storage_));
  }
  Storage& storage() override { return *storage_; }
  void Reopen() override {}

 private:
  std::unique_ptr<Storage> storage_;
};

class SqliteHarness : public StorageHarness {
 public:
  SqliteHarness(Wrap wrap, std::string vfs)
      : wrap_(std::move(wrap)), options_{.vfs = std::move(vfs), .kept_revisions = kHarnessRevisions} {
    Reopen();
  }
  Storage& storage() override { return *storage_; }
  void Reopen() override {
    storage_.reset();
    absl::StatusOr<std::unique_ptr<Storage>> opened = OpenSqliteStorage(folder_.File("store.db"), options_);
    if (!opened.ok()) {
      ADD_FAILURE() << opened.status();
      std::abort();
    }
    storage_ = wrap_ ? wrap_(*std::move(opened)) : *std::move(opened);
  }

 private:
  const TemporaryFolder folder_;
  const Wrap wrap_;
  const SqliteOptions options_;
  std::unique_ptr<Storage> storage_;
};

}  // namespace

TemporaryFolder::TemporaryFolder() {
  path_ = (std::filesystem::temp_directory_path() / "tuner-storage-XXXXXX").string();
  if (mkdtemp(path_.data()) == nullptr) std::abort();
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

StorageCase MemoryCase(const std::string& name, Wrap wrap) {
  return {name, [wrap] { return std::make_unique<MemoryHarness>(wrap); }, false};
}

StorageCase SqliteCase(const std::string& name, Wrap wrap, const std::string& vfs) {
  return {name, [wrap, vfs] { return std::make_unique<SqliteHarness>(wrap, vfs); }, true};
}

}  // namespace tuner::storage
