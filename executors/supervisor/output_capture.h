// One output stream of a trial: a pipe that the trial writes into, and the file that keeps it up to a limit.
//
// Threads: one. Ownership: owns its file descriptors. Errors: a disk that takes no more loses output, not the trial:
// see `cut`. Units: bytes.
#pragma once

#include <cstdint>
#include <string>

namespace tuner::executors {

class OutputCapture {
 public:
  OutputCapture() = default;
  ~OutputCapture();
  OutputCapture(const OutputCapture&) = delete;
  OutputCapture& operator=(const OutputCapture&) = delete;

  // Makes the pipe and the file `name` in `folder`. 0 or errno.
  int Open(int folder, const char* name, int64_t limit);

  int write_end() const { return write_end_; }
  void CloseWriteEnd();
  // To be polled; -1 after the last writer has closed the pipe.
  int read_end() const { return read_end_; }
  // Moves what the pipe holds now, at most one buffer of it, to the file. False if there was nothing.
  bool Pump();
  // Moves all that is still in the pipe, without waiting for more.
  void Drain();
  // Makes the file durable, if anything was written.
  void Sync();
  // Something was dropped.
  bool cut() const { return cut_; }

 private:
  void Keep(const char* bytes, int64_t size);

  int read_end_ = -1;
  int write_end_ = -1;
  int file_ = -1;
  int64_t limit_ = 0;
  int64_t kept_ = 0;
  bool cut_ = false;
};

}  // namespace tuner::executors
