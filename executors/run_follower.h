// Follows one run through its records and output, and says what happened as events in their order: started, metrics,
// ended.
//
// Threads: one at a time. Ownership: owns its scanner and open files; borrows the clock. Errors: none; what cannot be
// read now is asked for again.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "executors/executor.h"
#include "executors/metric_scanner.h"
#include "executors/run_folder.h"
#include "executors/unique_fd.h"

namespace tuner::executors {

class RunFollower {
 public:
  enum class Progress {
    kWaiting,  // all that there is was read
    kMore,     // there is more to read at once
    kAgain,    // something could not be read now: call again in a while
    kEnded,    // the last event was a RunEnded; nothing follows
  };

  // `metrics` is null if nothing is to be found in the output. With `started`, RunStarted was told before. Expects that
  // the folder exists.
  RunFollower(const RunSpec& spec, RunPaths paths, std::shared_ptr<const CompiledMetrics> metrics, bool started,
              const core::Clock* clock);

  // Appends what happened since the last call. `supervised`: its supervisor was alive before this call; where it is
  // not, the run has ended with what is on disk now.
  Progress Advance(bool supervised, std::vector<RunEvent>& events);

  const RunPaths& paths() const { return paths_; }
  bool reads_output() const { return scanner_ != nullptr; }

 private:
  // False if an output file could not be opened now.
  bool OpenLogs();
  // True if the files were read to their end. What was found and not yet told is left in `found`.
  bool ReadOutput(std::vector<core::Measurement>& found, std::vector<RunEvent>& events);
  // Tells `found`, if there is any, and empties it.
  void AddMetrics(std::vector<core::Measurement>& found, std::vector<RunEvent>& events);
  RunEnded Lost(const ClaimView& view) const;

  const RunId id_;
  const RunPaths paths_;
  const core::Clock* const clock_;
  bool started_;
  std::unique_ptr<MetricScanner> scanner_;
  bool logs_opened_ = false;
  UniqueFd logs_[2];
};

}  // namespace tuner::executors
