// The output of a run's containers: from the engine into files, and from the files to measurements.
//
// An engine gives a container's output from its beginning each time that it is asked. What is in the files already is
// compared and passed over, so that a restarted server, or one whose engine went away, goes on where the file ends.
//
// Threads: one per host; hosts beside each other. Ownership: owns files and scanner; borrows the clock and listener.
// Errors: none; what the disk has no room for is dropped, and said so.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "core/clock.h"
#include "executors/container_plan.h"
#include "executors/docker_api.h"
#include "executors/executor.h"
#include "executors/metric_scanner.h"
#include "executors/unique_fd.h"

namespace tuner::executors {

// One stream's file, up to a limit.
class OutputFile {
 public:
  OutputFile(std::string path, int64_t limit) : path_(std::move(path)), limit_(limit) {}

  // UNAVAILABLE: it cannot be opened.
  absl::Status Open();
  // The stream comes from its beginning again.
  void Rewind() { position_ = 0; }
  // Takes the next bytes of the stream; those that are returned are new, and are to be given to Append. `whole`: the
  // stream surely comes from its beginning, so what differs from it in the file is wrong.
  absl::string_view Unseen(absl::string_view bytes, bool whole);
  void Append(absl::string_view fresh);
  // Whether nothing more is kept.
  bool full() const { return size_ >= limit_ || broken_; }
  bool cut() const { return cut_; }
  int64_t size() const { return size_; }
  int64_t position() const { return position_; }
  int fd() const { return fd_.get(); }
  void Sync();

 private:
  const std::string path_;
  const int64_t limit_;
  UniqueFd fd_;
  int64_t size_ = 0;
  int64_t position_ = 0;  // in the stream
  bool cut_ = false;      // something was dropped
  bool broken_ = false;   // the disk takes no more
};

class ContainerOutput {
 public:
  // `metrics` is null if nothing is to be found.
  ContainerOutput(const ContainerPlan& plan, std::shared_ptr<const CompiledMetrics> metrics, const core::Clock* clock,
                  RunListener* listener);

  // Before all else. UNAVAILABLE: the disk.
  absl::Status Open();
  // A host's output begins to come from its beginning.
  void Rewind(int host);
  void Take(int host, MetricScanner::Stream stream, absl::string_view bytes);
  // Whether nothing more of a host is kept.
  bool full(int host) const;
  int64_t size(int host) const;
  // All hosts have ended: tells what is left to be told, and makes the files durable.
  void Finish();
  bool cut() const;

 private:
  struct HostFiles {
    OutputFile streams[2];
    std::string line[2];  // of several hosts: the beginning of a line whose end has not come
  };
  // Adds to the files that are scanned.
  void Merge(int host, MetricScanner::Stream stream, absl::string_view bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Scan(bool at_end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Tell(std::vector<core::Measurement>& found) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const RunId id_;
  const bool several_;          // hosts, whose outputs are merged line by line
  const bool first_host_only_;  // only the first one's is scanned and shown
  const core::Clock* const clock_;
  RunListener* const listener_;
  std::vector<std::unique_ptr<HostFiles>> hosts_;  // each used by its host's thread

  mutable absl::Mutex mutex_;
  std::vector<OutputFile> merged_ ABSL_GUARDED_BY(mutex_);  // of several hosts
  std::unique_ptr<MetricScanner> scanner_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tuner::executors
