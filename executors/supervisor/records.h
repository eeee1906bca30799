// The small files by which a run's supervisor and the server know of each other, and how they
// reach the disk.
//
//   <attempt>/run/launch     what to start. Written by the server (rename, not synced); withdrawn by removing it.
//   <job>/claims/<trial>-<attempt>
//                            who runs it: pid, start time, boot. Locked (open file description lock) for the
//                            supervisor's whole life, synced with its folder before the child exists. A complete claim
//                            means: this run was started, it is never started again.
//   <attempt>/run/started    the child's pid and start time. For display only, not synced.
//   <attempt>/run/ended      how it ended, for a server of the same boot. Not synced: nobody waits for the disk.
//
//   <attempt>/run/exit       the same file for any later server: synced after the output, renamed, synced. There is
//                            none of an end that a server acknowledged as stored.
//
// Claims lie beside each other in a folder that is durable from the job's beginning, so that a start costs two syncs
// and not one for each folder on the way.
//
// A power cut at any instant leaves a record whole or absent: each ends with the line "end", and one without it counts
// as absent.
//
// Threads: pure functions and system calls; any thread. Ownership: as the types say. Errors: 0 or an errno value; this
// file is part of the supervisor, which links nothing but the C and C++ runtime. Units: as the names say.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tuner::executors::records {

inline constexpr char kRunFolder[] = "run";
inline constexpr char kLaunch[] = "launch";
inline constexpr char kClaims[] = "claims";
inline constexpr char kStarted[] = "started";
inline constexpr char kEnded[] = "ended";
inline constexpr char kExit[] = "exit";

// Name of a run's claim.
inline std::string ClaimName(const std::string& trial, const std::string& attempt) { return trial + "-" + attempt; }

struct Launch {
  std::string job_uid;
  std::vector<std::string> command;
  std::vector<std::string> environment;  // NAME=value, all of it
  std::string working_dir;
  std::vector<int> gpus;      // reserved for the run
  int64_t time_limit_ms = 0;  // 0: none
  int64_t grace_ms = 10'000;
  int64_t memory_limit_bytes = 0;  // 0: none
  int64_t output_limit_bytes = int64_t{1} << 30;
  bool fresh_start = false;  // there was no checkpoint to go on from

  bool operator==(const Launch&) const = default;
};

struct Claim {
  pid_t pid = 0;
  uint64_t start_ticks = 0;  // field 22 of /proc/<pid>/stat
  std::string boot_id;

  bool operator==(const Claim&) const = default;
};

struct Started {
  pid_t pid = 0;
  int64_t time_us = 0;  // since the epoch

  bool operator==(const Started&) const = default;
};

struct Exit {
  std::optional<int> code;
  std::optional<int> signal;
  int start_error = 0;         // errno: the program could not be started
  std::string start_step;      // what failed then: "exec", "working directory", ...
  bool stopped = false;        // it was told to end while it ran
  bool timed_out = false;      // ... because of its time limit
  bool out_of_memory = false;  // the kernel ended a process of it at its memory limit
  bool output_cut = false;     // output beyond its limit, or that the disk had no room for, was dropped
  std::string boot_id;         // under which it ended
  int64_t time_us = 0;
  int64_t cpu_us = 0;
  int64_t peak_memory_bytes = 0;
  int64_t read_bytes = 0;
  int64_t written_bytes = 0;

  bool operator==(const Exit&) const = default;
};

std::string Format(const Launch& launch);
std::string Format(const Claim& claim);
std::string Format(const Started& started);
std::string Format(const Exit& exit);
// Nothing if the text is not a whole record.
std::optional<Launch> ParseLaunch(const std::string& text);
std::optional<Claim> ParseClaim(const std::string& text);
std::optional<Started> ParseStarted(const std::string& text);
std::optional<Exit> ParseExit(const std::string& text);

// The system calls by which records are written: a seam, so that tests see their order and cut it anywhere.
class Files {
 public:
  virtual ~Files() = default;
  virtual int OpenAt(int folder, const char* name, int flags, mode_t mode);  // fd, or -1 with errno
  virtual ssize_t Write(int fd, const void* bytes, size_t size);
  virtual int Allocate(int fd, off_t size);  // room on the disk, contents unchanged
  virtual int Truncate(int fd, off_t size);
  virtual int Sync(int fd);
  virtual int RenameAt(int folder, const char* from, const char* to);
  virtual int Close(int fd);
};

// Replaces `name` in `folder` in one step; after 0, a power cut does not take it back. Uses the room that `Reserve`
// made for it, if it did.
int WriteDurably(Files& files, int folder, const char* name, const std::string& text);
// The same without the syncs: atomic for readers, lost by a power cut.
int WriteAtomically(Files& files, int folder, const char* name, const std::string& text);
// Makes room for a later write of up to 4 KiB, so that a disk that fills up in between does not lose it.
int Reserve(Files& files, int folder, const char* name);
// Syncs the `levels` folders above `folder`, not itself.
int SyncAbove(Files& files, int folder, int levels);

// Writes the claim into its open, locked file in `claims`. After 0, the file and its entry are durable: only then may
// anything be started. On failure the claim is empty again.
int WriteClaim(Files& files, int claims, int claim, const Claim& record);

// Makes the record of the end, which was written as `ended`, the durable exit record, with its entry in `run_folder`
// and those of the `levels` folders above.
int PromoteExit(Files& files, int run_folder, int levels);

// At most 16 MiB of a regular file; nothing if it could not be opened, or is no regular file. 0, or the errno of what
// failed: ENOENT, or ELOOP for a symbolic link; what was read before an error is in `text`.
int ReadRecord(int folder, const char* name, std::optional<std::string>& text);

// The claim's lock. Locking fails with EAGAIN while another holds it; asking takes nothing.
int LockClaim(int fd);
bool IsLocked(int fd);

// This boot's id; empty where /proc is not mounted.
std::string BootId();
// Start time of a process in clock ticks since boot, or 0 if there is none.
uint64_t StartTicks(pid_t pid);

}  // namespace tuner::executors::records
