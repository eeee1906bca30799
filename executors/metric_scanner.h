// Finds measurements in a trial's output: bytes in, measurements out. Pure; no I/O, no clock.
//
// Lines end at \n or \r (progress bars), so each redrawn state of a progress bar is a line. A metric's regex is
// searched once in each line; of a line longer than kMaxLineBytes only that many bytes are looked at. Bytes that are no
// text, NULs included, do no harm.
//
// Determinism: measurements depend on the bytes of each stream only, not on how they are cut into chunks. Steps that
// are counted go on from the cursor; a cursor and the measurements handed out up to it belong together, so a scan that
// goes on from a stored cursor continues the count.
//
// Threads: one thread per scanner; regexes may be shared. Ownership: shares the compiled metrics. Units: offsets in
// bytes from the stream's beginning.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "core/job_spec.h"
#include "core/trial.h"

namespace tuner::executors {

inline constexpr size_t kMaxLineBytes = 64 << 10;

class CompiledMetrics;

// Compiles the regexes, with memory bounded for each. INVALID_ARGUMENT names the metric whose regex is bad or has no
// group for the value.
absl::StatusOr<std::shared_ptr<const CompiledMetrics>> CompileMetrics(
    const std::vector<core::MetricDefinition>& definitions);

class MetricScanner {
 public:
  enum Stream { kStdout = 0, kStderr = 1 };

  MetricScanner(std::shared_ptr<const CompiledMetrics> metrics, core::ScanCursor cursor);

  // Takes the next bytes of a stream, which begin at `next_offset(stream)`, and appends what the lines that they
  // complete hold. Measurements get metric, value and step; the caller sets the rest.
  void Feed(Stream stream, std::string_view bytes, std::vector<core::Measurement>& found);

  // The stream has ended: its last line counts although nothing ended it.
  void Finish(Stream stream, std::vector<core::Measurement>& found);

  // Offset behind the last byte that was fed.
  int64_t next_offset(Stream stream) const { return streams_[stream].fed; }

  // Where a later scan has to begin, given everything handed out so far: behind the last complete line of each stream.
  const core::ScanCursor& cursor() const { return cursor_; }

  // Matches whose value was no number. They are left out.
  int64_t unparsable() const { return unparsable_; }

 private:
  struct StreamState {
    int64_t fed = 0;
    std::string line;  // beginning of the line that is not complete yet, at most kMaxLineBytes
  };
  void ScanLine(std::string_view line, std::vector<core::Measurement>& found);
  int64_t& offset(Stream stream) { return stream == kStdout ? cursor_.stdout_offset : cursor_.stderr_offset; }

  std::shared_ptr<const CompiledMetrics> metrics_;
  core::ScanCursor cursor_;
  StreamState streams_[2];
  int64_t unparsable_ = 0;
};

}  // namespace tuner::executors
