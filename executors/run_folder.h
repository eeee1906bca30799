// Where a run lives on disk, and what its records say.
//
// Threads: functions on the file system, any thread; two calls for the same run must not overlap. Ownership: none.
// Errors: as each function says. Only what the kernel says is not there counts as absent; what could not be looked at
// (no file descriptor left, a disk error) is UNAVAILABLE or kUnknown: ask again later. Nothing here follows a symbolic
// link that a trial may have made.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "executors/executor.h"
#include "executors/supervisor/records.h"
#include "executors/unique_fd.h"

namespace tuner::executors {

struct RunPaths {
  std::string jobs;     // <data>/jobs
  std::string job;      // <data>/jobs/<job>
  std::string trial;    // .../<trial>
  std::string attempt;  // .../<attempt>
  std::string run;      // .../run
  std::string claims;   // <data>/jobs/<job>/claims
  std::string claim;    // .../<trial>-<attempt>

  static RunPaths Of(const std::string& data_dir, const RunId& id);
};

// Makes <job> with its folder of claims, durably marked with the job's uid. What a deleted job of the same name left
// behind is removed. UNAVAILABLE: the disk.
absl::Status PrepareJobFolder(const RunPaths& paths, const std::string& job_uid);
// Whether <job> is the folder of the job with this uid. UNAVAILABLE: it could not be read.
absl::StatusOr<bool> IsFolderOfJob(const RunPaths& paths, const std::string& job_uid);

enum class ClaimState {
  kNone,     // never started
  kActive,   // a supervisor holds it
  kDead,     // was started, and its supervisor is gone; the exit record says how it ended, if there is one
  kUnknown,  // could not be looked at
};
struct ClaimView {
  ClaimState state = ClaimState::kNone;
  std::optional<records::Claim> claim;  // absent while a supervisor is just about to write it
};
ClaimView LookAtClaim(const RunPaths& paths);
// Removes the launch record of a run that no supervisor holds or held, so that one that comes late starts nothing:
// kNone. Otherwise the record stays, and the run is, or will at once be, claimed.
ClaimView WithdrawLaunch(const RunPaths& paths);

// A record of the run folder; nothing if it is absent or not whole. UNAVAILABLE: it could not be read.
absl::StatusOr<std::optional<records::Launch>> ReadLaunch(const std::string& run_folder);
absl::StatusOr<std::optional<records::Started>> ReadStarted(const std::string& run_folder);
// The exit record; before it is durable, and of an end that was acknowledged, the record for servers of this boot.
absl::StatusOr<std::optional<records::Exit>> ReadExit(const std::string& run_folder);

// Opens a regular file below `folder` for reading; empty if there is none that may be read. UNAVAILABLE: it could not
// be opened now.
absl::StatusOr<UniqueFd> OpenBelow(const std::string& folder, const std::string& relative_path);
// At most `limit` bytes from the beginning, or from the end, as valid UTF-8 without control characters.
std::string ReadHead(const UniqueFd& fd, size_t limit);
std::string ReadTail(const UniqueFd& fd, size_t limit);

// Removes a folder with all that is in it; OK if there is none. UNAVAILABLE names what could not be removed.
absl::Status RemoveTree(const std::string& folder);

// Removes what the run of an attempt left behind, but for its records and, unless `with_logs`, its logs. Not the
// trial's checkpoints. OK if there is nothing. UNAVAILABLE names what could not be removed.
absl::Status RemoveRunArtifacts(const RunPaths& paths, bool with_logs);

absl::Status MakeFolder(const std::string& path);
absl::Status WriteFile(const std::string& path, const std::string& text);

}  // namespace tuner::executors
