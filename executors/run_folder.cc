#include "executors/run_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <boost/filesystem/operations.hpp>

#include "absl/strings/str_cat.h"

namespace tuner::executors {
namespace {

constexpr char kUidFile[] = "uid";
constexpr size_t kMaxClaimBytes = 4096;

absl::Status DiskError(const std::string& what, const std::string& path, int error) {
  return absl::UnavailableError(absl::StrCat("cannot ", what, " ", path, ": ", strerror(error)));
}

UniqueFd OpenFolder(const std::string& path) {
  return UniqueFd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
}

// Whether an error of open says that there is no such file or folder (ELOOP: a link, which is none of ours).
bool MeansAbsent(int error) { return error == ENOENT || error == ENOTDIR || error == ELOOP; }

absl::StatusOr<std::optional<std::string>> ReadIfThere(const std::string& folder, const char* name) {
  const UniqueFd root = OpenFolder(folder);
  if (!root && MeansAbsent(errno)) return std::nullopt;
  if (!root) return DiskError("open", folder, errno);
  std::optional<std::string> text;
  const int error = records::ReadRecord(root.get(), name, text);
  if (error != 0 && !MeansAbsent(error)) return DiskError("read", absl::StrCat(folder, "/", name), error);
  return text;
}

template <typename Record>
absl::StatusOr<std::optional<Record>> ReadAs(const std::string& run_folder, const char* name,
                                             std::optional<Record> (*parse)(const std::string&)) {
  absl::StatusOr<std::optional<std::string>> text = ReadIfThere(run_folder, name);
  if (!text.ok()) return text.status();
  return *text ? parse(**text) : std::nullopt;
}

// Length of the UTF-8 character at `text`, or 0 if there is no valid one.
size_t CharacterSize(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const size_t size = lead < 0x80                   ? 1
                      : lead >= 0xC2 && lead < 0xE0 ? 2
                      : lead >= 0xE0 && lead < 0xF0 ? 3
                      : lead >= 0xF0 && lead < 0xF5 ? 4
                                                    : 0;
  if (size == 0 || size > text.size()) return 0;
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  if ((lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xED && byte(1) > 0x9F)) return 0;  // overlong, surrogates
  if ((lead == 0xF0 && byte(1) < 0x90) || (lead == 0xF4 && byte(1) > 0x8F)) return 0;  // overlong, beyond the last one
  return size;
}

std::string ToText(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const size_t size = CharacterSize(bytes);
    const unsigned char lead = static_cast<unsigned char>(bytes[0]);
    if (size == 0) {
      text += '?';
    } else if (lead == '\r') {
      text += '\n';
    } else if (lead >= 0x20 || lead == '\n' || lead == '\t') {
      text.append(bytes.substr(0, size));
    }
    bytes.remove_prefix(std::max<size_t>(size, 1));
  }
  return text;
}

std::string ReadAt(const UniqueFd& fd, off_t offset, size_t limit) {
  std::string bytes(limit, '\0');
  size_t done = 0;
  for (ssize_t n; done < limit &&
                  (n = pread(fd.get(), bytes.data() + done, limit - done, offset + static_cast<off_t>(done))) > 0;) {
    done += static_cast<size_t>(n);
  }
  bytes.resize(done);
  return bytes;
}

}  // namespace

RunPaths RunPaths::Of(const std::string& data_dir, const RunId& id) {
  RunPaths paths;
  paths.jobs = absl::StrCat(data_dir, "/jobs");
  paths.job = absl::StrCat(paths.jobs, "/", id.job_id);
  paths.trial = absl::StrCat(paths.job, "/", id.trial);
  paths.attempt = absl::StrCat(paths.trial, "/", id.attempt);
  paths.run = absl::StrCat(paths.attempt, "/", records::kRunFolder);
  paths.claims = absl::StrCat(paths.job, "/", records::kClaims);
  paths.claim = absl::StrCat(paths.claims, "/", records::ClaimName(absl::StrCat(id.trial), absl::StrCat(id.attempt)));
  return paths;
}

absl::StatusOr<bool> IsFolderOfJob(const RunPaths& paths, const std::string& job_uid) {
  absl::StatusOr<std::optional<std::string>> uid = ReadIfThere(paths.job, kUidFile);
  if (!uid.ok()) return uid.status();
  return *uid == job_uid;
}

absl::Status PrepareJobFolder(const RunPaths& paths, const std::string& job_uid) {
  const absl::StatusOr<bool> ours = IsFolderOfJob(paths, job_uid);
  if (!ours.ok()) return ours.status();
  if (*ours) return absl::OkStatus();
  // Two executors may begin with a job at once: the second finds it made.
  const UniqueFd jobs = OpenFolder(paths.jobs);
  if (!jobs || flock(jobs.get(), LOCK_EX) != 0) return DiskError("lock", paths.jobs, errno);
  const absl::StatusOr<bool> made_meanwhile = IsFolderOfJob(paths, job_uid);
  if (!made_meanwhile.ok()) return made_meanwhile.status();
  if (*made_meanwhile) return absl::OkStatus();
  // Runs of this job cannot be here without the uid, which was made durable before the first of them.
  if (absl::Status removed = RemoveTree(paths.job); !removed.ok()) return removed;
  for (const std::string& path : {paths.job, paths.claims}) {
    if (absl::Status made = MakeFolder(path); !made.ok()) return made;
  }
  const UniqueFd folder = OpenFolder(paths.job);
  if (!folder) return DiskError("open", paths.job, errno);
  records::Files files;
  int error = records::WriteDurably(files, folder.get(), kUidFile, job_uid);
  if (error == 0) error = records::SyncAbove(files, folder.get(), 2);
  return error == 0 ? absl::OkStatus() : DiskError("write", absl::StrCat(paths.job, "/", kUidFile), error);
}

ClaimView LookAtClaim(const RunPaths& paths) {
  // Read-write, as asking for a lock needs what taking it would.
  const UniqueFd fd(open(paths.claim.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return {.state = MeansAbsent(errno) ? ClaimState::kNone : ClaimState::kUnknown, .claim = {}};
  // The lock first: a supervisor that is seen to be gone has written all that it ever will.
  const bool locked = records::IsLocked(fd.get());
  ClaimView view;
  view.claim = records::ParseClaim(ReadAt(fd, 0, kMaxClaimBytes));
  view.state = locked ? ClaimState::kActive : view.claim ? ClaimState::kDead : ClaimState::kNone;
  return view;
}

ClaimView WithdrawLaunch(const RunPaths& paths) {
  // A supervisor locks the claim before it reads the launch record. Removing that only under the lock, we know which of
  // both comes: one that has the lock will claim the run, one that comes later finds nothing to start.
  const UniqueFd claim(open(paths.claim.c_str(), O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!claim) return {.state = MeansAbsent(errno) ? ClaimState::kNone : ClaimState::kUnknown, .claim = {}};
  if (const int error = records::LockClaim(claim.get()); error != 0) {
    return {.state = error == EAGAIN ? ClaimState::kActive : ClaimState::kUnknown, .claim = {}};
  }
  ClaimView view = {.state = ClaimState::kNone, .claim = records::ParseClaim(ReadAt(claim, 0, kMaxClaimBytes))};
  if (view.claim) {
    view.state = ClaimState::kDead;
  } else {
    unlink(absl::StrCat(paths.run, "/", records::kLaunch).c_str());
  }
  return view;
}

absl::StatusOr<std::optional<records::Launch>> ReadLaunch(const std::string& run_folder) {
  return ReadAs(run_folder, records::kLaunch, &records::ParseLaunch);
}
absl::StatusOr<std::optional<records::Started>> ReadStarted(const std::string& run_folder) {
  return ReadAs(run_folder, records::kStarted, &records::ParseStarted);
}
absl::StatusOr<std::optional<records::Exit>> ReadExit(const std::string& run_folder) {
  absl::StatusOr<std::optional<records::Exit>> exit = ReadAs(run_folder, records::kExit, &records::ParseExit);
  if (!exit.ok() || *exit) return exit;
  exit = ReadAs(run_folder, records::kEnded, &records::ParseExit);
  if (!exit.ok() || !*exit) return exit;
  const std::string boot_id = records::BootId();
  if (boot_id.empty()) return absl::UnavailableError("cannot read the machine's boot id");
  // Of an earlier boot it may have outlived output that was on its way to the disk.
  if ((*exit)->boot_id != boot_id) return std::nullopt;
  return exit;
}

absl::StatusOr<UniqueFd> OpenBelow(const std::string& folder, const std::string& relative_path) {
  const UniqueFd root = OpenFolder(folder);
  if (!root && MeansAbsent(errno)) return UniqueFd();
  if (!root) return DiskError("open", folder, errno);
  struct open_how how = {};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;  // a FIFO must not hold us up
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  UniqueFd fd(static_cast<int>(syscall(SYS_openat2, root.get(), relative_path.c_str(), &how, sizeof(how))));
  const bool exhausted = errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == EIO || errno == EAGAIN;
  // Otherwise a trial has seen to it that there is nothing to read: took the permission away, left a link.
  if (!fd && exhausted) return DiskError("open", absl::StrCat(folder, "/", relative_path), errno);
  struct stat status;
  if (!fd || fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return UniqueFd();
  return fd;
}

std::string ReadHead(const UniqueFd& fd, size_t limit) { return fd ? ToText(ReadAt(fd, 0, limit)) : ""; }

std::string ReadTail(const UniqueFd& fd, size_t limit) {
  struct stat status;
  if (!fd || fstat(fd.get(), &status) != 0) return "";
  const off_t begin = std::max<off_t>(0, status.st_size - static_cast<off_t>(limit));
  std::string bytes = ReadAt(fd, begin, limit);
  // Not from the middle of a character, nor of a line if there is a whole one.
  size_t skip = 0;
  while (begin > 0 && skip < bytes.size() && (static_cast<unsigned char>(bytes[skip]) & 0xC0) == 0x80) ++skip;
  if (const size_t line = bytes.find('\n'); begin > 0 && line != std::string::npos && line + 1 < bytes.size())
    skip = line + 1;
  return ToText(std::string_view(bytes).substr(skip));
}

absl::Status RemoveTree(const std::string& folder) {
  namespace fs = boost::filesystem;
  boost::system::error_code error;
  fs::remove_all(folder, error);
  if (!error || !fs::exists(fs::symlink_status(folder, error))) return absl::OkStatus();
  // A trial may have taken the permissions of its own folders away.
  for (fs::recursive_directory_iterator it(folder, fs::directory_options::skip_permission_denied, error), end;
       !error && it != end; it.increment(error)) {
    boost::system::error_code ignored;
    if (it->symlink_status(ignored).type() == fs::directory_file) {
      fs::permissions(it->path(), fs::add_perms | fs::owner_all, ignored);
    }
  }
  fs::remove_all(folder, error);
  return error ? absl::UnavailableError(absl::StrCat("cannot remove ", folder, ": ", error.message()))
               : absl::OkStatus();
}

absl::Status RemoveRunArtifacts(const RunPaths& paths, bool with_logs) {
  namespace fs = boost::filesystem;
  boost::system::error_code error;
  std::vector<std::string> entries;
  for (fs::directory_iterator it(paths.attempt, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    const bool is_log = name == "stdout.log" || name == "stderr.log";
    if (name != records::kRunFolder && (with_logs || !is_log)) entries.push_back(it->path().string());
  }
  if (error && error != boost::system::errc::no_such_file_or_directory) {
    return absl::UnavailableError(absl::StrCat("cannot look at ", paths.attempt, ": ", error.message()));
  }
  for (const std::string& entry : entries) {
    if (absl::Status removed = RemoveTree(entry); !removed.ok()) return removed;
  }
  return absl::OkStatus();
}

absl::Status MakeFolder(const std::string& path) {
  return mkdir(path.c_str(), 0755) == 0 || errno == EEXIST ? absl::OkStatus()
                                                           : DiskError("make the folder", path, errno);
}

absl::Status WriteFile(const std::string& path, const std::string& text) {
  const UniqueFd fd(open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd) return DiskError("write", path, errno);
  for (size_t done = 0; done < text.size();) {
    const ssize_t n = write(fd.get(), text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return DiskError("write", path, errno);
    done += static_cast<size_t>(n);
  }
  return absl::OkStatus();
}

}  // namespace tuner::executors
