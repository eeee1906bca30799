// The back ends of this project as conformance harnesses.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "storage/sqlite_storage.h"
#include "tests/storage/storage_conformance.h"

namespace tuner::storage {

// A folder of its own under the system's temporary one, removed with the object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Puts a decorator around a store.
using Wrap = std::function<std::unique_ptr<Storage>(std::unique_ptr<Storage>)>;

StorageCase MemoryCase(const std::string& name, Wrap wrap = nullptr);
StorageCase SqliteCase(const std::string& name, Wrap wrap = nullptr, const std::string& vfs = "");

}  // namespace tuner::storage
