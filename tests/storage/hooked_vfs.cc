#include "tests/storage/hooked_vfs.h"

#include <atomic>
#include <new>

#include "absl/strings/str_cat.h"

namespace tuner::storage {
namespace {

// SQLite allocates it, with the system's file behind it.
struct HookedFile {
  sqlite3_file base;
  VfsHook* hook;
  const char* path;  // SQLite keeps it until the file is closed; null for temporary files, which no hook sees
  int open_flags;

  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

HookedFile& Hooked(sqlite3_file* file) { return *reinterpret_cast<HookedFile*>(file); }

int Ask(sqlite3_file* file, FileCall::Kind kind, int64_t offset = 0, absl::string_view data = {}) {
  const HookedFile& hooked = Hooked(file);
  if (hooked.path == nullptr) return SQLITE_OK;
  return hooked.hook->Before({kind, hooked.path, hooked.open_flags, offset, data, false});
}

#define TUNER_REAL(method, file, ...) Hooked(file).real()->pMethods->method(Hooked(file).real(), ##__VA_ARGS__)

int Close(sqlite3_file* file) { return TUNER_REAL(xClose, file); }
int Read(sqlite3_file* file, void* out, int size, sqlite3_int64 offset) {
  const int code = Ask(file, FileCall::Kind::kRead, offset);
  return code != SQLITE_OK ? code : TUNER_REAL(xRead, file, out, size, offset);
}
int Write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
  const absl::string_view bytes(static_cast<const char*>(data), static_cast<size_t>(size));
  const int code = Ask(file, FileCall::Kind::kWrite, offset, bytes);
  if (code == SQLITE_DONE) return SQLITE_OK;
  return code != SQLITE_OK ? code : TUNER_REAL(xWrite, file, data, size, offset);
}
int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  const int code = Ask(file, FileCall::Kind::kTruncate, size);
  if (code == SQLITE_DONE) return SQLITE_OK;
  return code != SQLITE_OK ? code : TUNER_REAL(xTruncate, file, size);
}
int Sync(sqlite3_file* file, int flags) {
  const int code = Ask(file, FileCall::Kind::kSync);
  if (code == SQLITE_DONE) return SQLITE_OK;
  return code != SQLITE_OK ? code : TUNER_REAL(xSync, file, flags);
}
int FileSize(sqlite3_file* file, sqlite3_int64* size) { return TUNER_REAL(xFileSize, file, size); }
int Lock(sqlite3_file* file, int level) { return TUNER_REAL(xLock, file, level); }
int Unlock(sqlite3_file* file, int level) { return TUNER_REAL(xUnlock, file, level); }
int CheckReservedLock(sqlite3_file* file, int* out) { return TUNER_REAL(xCheckReservedLock, file, out); }
int FileControl(sqlite3_file* file, int operation, void* argument) {
  return TUNER_REAL(xFileControl, file, operation, argument);
}
int SectorSize(sqlite3_file* file) { return TUNER_REAL(xSectorSize, file); }
int DeviceCharacteristics(sqlite3_file* file) { return TUNER_REAL(xDeviceCharacteristics, file); }
int ShmMap(sqlite3_file* file, int region, int size, int extend, void volatile** out) {
  return TUNER_REAL(xShmMap, file, region, size, extend, out);
}
int ShmLock(sqlite3_file* file, int offset, int count, int flags) {
  return TUNER_REAL(xShmLock, file, offset, count, flags);
}
void ShmBarrier(sqlite3_file* file) { TUNER_REAL(xShmBarrier, file); }
int ShmUnmap(sqlite3_file* file, int remove) { return TUNER_REAL(xShmUnmap, file, remove); }

#undef TUNER_REAL

// Version 2: without memory mapping, which no hook would see.
constexpr sqlite3_io_methods kMethods = {
    .iVersion = 2,
    .xClose = Close,
    .xRead = Read,
    .xWrite = Write,
    .xTruncate = Truncate,
    .xSync = Sync,
    .xFileSize = FileSize,
    .xLock = Lock,
    .xUnlock = Unlock,
    .xCheckReservedLock = CheckReservedLock,
    .xFileControl = FileControl,
    .xSectorSize = SectorSize,
    .xDeviceCharacteristics = DeviceCharacteristics,
    .xShmMap = ShmMap,
    .xShmLock = ShmLock,
    .xShmBarrier = ShmBarrier,
    .xShmUnmap = ShmUnmap,
};

sqlite3_vfs* System() { return sqlite3_vfs_find("unix"); }

int Open(sqlite3_vfs* vfs, sqlite3_filename path, sqlite3_file* file, int flags, int* out_flags) {
  auto& hook = *static_cast<VfsHook*>(vfs->pAppData);
  file->pMethods = nullptr;  // tells SQLite not to close it
  if (path != nullptr) {
    const int code = hook.Before({FileCall::Kind::kOpen, path, flags, 0, {}, false});
    if (code != SQLITE_OK) return code;
  }
  auto* hooked = new (file) HookedFile{{}, &hook, path, flags};
  const int code = System()->xOpen(System(), path, hooked->real(), flags, out_flags);
  if (code == SQLITE_OK) hooked->base.pMethods = &kMethods;
  return code;
}

int Delete(sqlite3_vfs* vfs, const char* path, int sync_folder) {
  auto& hook = *static_cast<VfsHook*>(vfs->pAppData);
  const int code = hook.Before({FileCall::Kind::kDelete, path, 0, 0, {}, sync_folder != 0});
  // The folder's fsync is the hook's business.
  return code != SQLITE_OK ? code : System()->xDelete(System(), path, 0);
}

std::string FreshName() {
  static std::atomic<int64_t> count = 0;
  return absl::StrCat("tuner-test-", ++count);
}

}  // namespace

HookedVfs::HookedVfs(VfsHook& hook) : name_(FreshName()), vfs_(*System()) {
  vfs_.pNext = nullptr;
  vfs_.zName = name_.c_str();
  vfs_.pAppData = &hook;
  vfs_.szOsFile = static_cast<int>(sizeof(HookedFile)) + System()->szOsFile;
  vfs_.xOpen = Open;
  vfs_.xDelete = Delete;
  sqlite3_vfs_register(&vfs_, /*makeDflt=*/0);
}

HookedVfs::~HookedVfs() { sqlite3_vfs_unregister(&vfs_); }

}  // namespace tuner::storage
