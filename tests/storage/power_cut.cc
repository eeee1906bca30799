#include "tests/storage/power_cut.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

namespace tuner::storage {
namespace {

constexpr int64_t kSectorBytes = 512;

std::string ReadFile(const std::string& path) {
  std::ostringstream content;
  content << std::ifstream(path, std::ios::binary).rdbuf();
  return content.str();
}

void WriteFile(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

void WriteRange(int64_t offset, absl::string_view data, std::string& content) {
  const auto end = static_cast<size_t>(offset) + data.size();
  if (content.size() < end) content.resize(end, '\0');
  content.replace(static_cast<size_t>(offset), data.size(), data.data(), data.size());
}

}  // namespace

int PowerCutDisk::Before(const FileCall& call) {
  absl::MutexLock lock(&mutex_);
  if (off_) return SQLITE_IOERR;
  ++calls_;
  if (calls_ == cut_at_) {
    off_ = true;
    // A write may have been under way; a sync, a removal or a creation has not come to its end.
    if (call.kind == FileCall::Kind::kWrite || call.kind == FileCall::Kind::kTruncate) Note(call);
    return SQLITE_IOERR;
  }
  Note(call);
  // Noted is as good as done, and much faster.
  return call.kind == FileCall::Kind::kSync ? SQLITE_DONE : SQLITE_OK;
}

void PowerCutDisk::Note(const FileCall& call) {
  switch (call.kind) {
    case FileCall::Kind::kRead:
      return;
    case FileCall::Kind::kOpen:
      return Open(call);
    case FileCall::Kind::kWrite:
      now_[call.path]->pending.push_back({false, call.offset, std::string(call.data)});
      return;
    case FileCall::Kind::kTruncate:
      now_[call.path]->pending.push_back({true, call.offset, ""});
      return;
    case FileCall::Kind::kDelete:
      now_.erase(call.path);
      if (call.sync_folder) durable_ = now_;
      return;
    case FileCall::Kind::kSync: {
      if (lies_ && lies_(call.path)) return;
      Inode& inode = *now_[call.path];
      for (const Unsynced& change : inode.pending) {
        if (change.truncate) {
          inode.durable.resize(static_cast<size_t>(change.offset), '\0');
        } else {
          WriteRange(change.offset, change.data, inode.durable);
        }
      }
      inode.pending.clear();
      if (std::exchange(inode.sync_folder, false)) durable_ = now_;
      return;
    }
  }
}

void PowerCutDisk::Open(const FileCall& call) {
  if (now_.contains(call.path)) return;
  if (std::filesystem::exists(call.path)) {  // from before this disk was watched
    now_[call.path] = durable_[call.path] = std::make_shared<Inode>(Inode{ReadFile(call.path), {}, false});
  } else if ((call.open_flags & SQLITE_OPEN_CREATE) != 0) {
    constexpr int kLogs = SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL;
    now_[call.path] = std::make_shared<Inode>(Inode{"", {}, (call.open_flags & kLogs) != 0});
  }
}

void PowerCutDisk::CutAfter(int64_t calls) {
  absl::MutexLock lock(&mutex_);
  cut_at_ = calls_ + calls;
}

bool PowerCutDisk::off() const {
  absl::MutexLock lock(&mutex_);
  return off_;
}

int64_t PowerCutDisk::calls() const {
  absl::MutexLock lock(&mutex_);
  return calls_;
}

std::string PowerCutDisk::Surviving(const Inode& inode) {
  std::string content = inode.durable;
  // Mostly a mixture; now and then the cache was written out just before, or not at all.
  const int64_t mood = Below(random_, 6);
  for (const Unsynced& change : inode.pending) {
    const int64_t fate = mood == 0 ? 0 : mood == 1 ? 1 : Below(random_, 3);  // lost, kept, torn
    if (fate == 0) continue;
    if (change.truncate) {
      content.resize(static_cast<size_t>(change.offset), '\0');
      continue;
    }
    const auto end = change.offset + std::ssize(change.data);
    for (int64_t begin = change.offset; begin < end;) {
      const int64_t sector_end = std::min(end, (begin / kSectorBytes + 1) * kSectorBytes);
      if (fate == 1 || Below(random_, 2) == 0) {
        WriteRange(begin, absl::string_view(change.data).substr(begin - change.offset, sector_end - begin), content);
      }
      begin = sector_end;
    }
  }
  return content;
}

void PowerCutDisk::Restore() {
  absl::MutexLock lock(&mutex_);
  Folder survivors = durable_;
  for (const auto& [path, inode] : now_) {  // created, or created anew
    const auto it = durable_.find(path);
    if ((it == durable_.end() || it->second != inode) && Below(random_, 2) == 0) survivors[path] = inode;
  }
  for (const auto& [path, inode] : durable_) {  // removed
    if (!now_.contains(path) && Below(random_, 2) == 0) survivors.erase(path);
  }
  for (const auto* folder : {&now_, &durable_}) {
    for (const auto& [path, inode] : *folder) {
      std::filesystem::remove(path);
      std::filesystem::remove(path + "-shm");  // memory
    }
  }
  now_.clear();
  for (const auto& [path, inode] : survivors) {
    now_[path] = std::make_shared<Inode>(Inode{Surviving(*inode), {}, false});
    WriteFile(path, now_[path]->durable);
  }
  durable_ = now_;
  cut_at_.reset();
  off_ = false;
}

absl::StatusOr<std::unique_ptr<Storage>> PowerCutStore::Open() {
  return OpenSqliteStorage(
      path(),
      {.vfs = vfs_.name(), .kept_revisions = options_.kept_revisions, .checkpoint_pages = options_.checkpoint_pages});
}

}  // namespace tuner::storage
