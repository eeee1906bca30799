// What this machine offers: questions to the operating system, each answered as one finding.
//
// Threads: any. Ownership: values. Errors: none; what cannot be found out is a finding too. Sizes in bytes.
#pragma once

#include <string>
#include <vector>

namespace tuner::cli {

struct Finding {
  enum class State { kGood, kWarning, kMissing };
  std::string name;
  State state = State::kGood;
  std::string text;    // what was found
  std::string advice;  // what to do about it; empty: nothing
};

Finding CheckCores();
Finding CheckMemory();
Finding CheckGpus();
// Whether the server may make cgroups of its own, by which memory is limited exactly.
Finding CheckCgroups();
// Whether the clock is kept right by somebody.
Finding CheckClock();
Finding CheckGnuplot();
// "127.0.0.1:7070": whether a server could listen there.
Finding CheckPort(const std::string& address);

// The folder, or the nearest above it that exists: writable, room, and how fast a write is on disk (the median of 20).
Finding CheckWritable(const std::string& folder);
Finding CheckDiskSpace(const std::string& folder);
Finding CheckSync(const std::string& folder);

}  // namespace tuner::cli
