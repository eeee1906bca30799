// The output of a training job: fetched from CloudWatch Logs into <attempt>/stdout.log, and searched for metrics there.
//
// What was fetched is written down with the place it was fetched up to, so that a restarted server goes on from there
// and a log has each line once. Of several hosts the lines stand in the order in which they were fetched.
//
// Threads: one at a time. Ownership: owns its file and scanner. Errors: UNAVAILABLE: the disk; what LogsClient says.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "executors/aws/logs.h"
#include "executors/metric_scanner.h"
#include "executors/run_folder.h"
#include "executors/unique_fd.h"

namespace tuner::executors::sagemaker {

class RunLog {
 public:
  // `metrics` is null if nothing is to be found. `hosts`: streams that belong to a training job that was not
  // interrupted. `cursor`: of the last commit.
  RunLog(RunPaths paths, std::shared_ptr<const CompiledMetrics> metrics, core::ScanCursor cursor, int hosts);

  // Goes on with the log of another training job of the same run.
  void Follow(const std::string& training_job);

  struct Progress {
    bool at_end = false;  // nothing more for now
    int calls = 0;        // of CloudWatch Logs
  };
  // Fetches a page of each stream and appends what was found. `look_for_streams`: new ones may have come. An error
  // leaves what was fetched before it.
  absl::StatusOr<Progress> Fetch(aws::LogsClient& logs, const aws::CallOptions& options, bool look_for_streams,
                                 std::vector<core::Measurement>& found);
  // Appends what the file holds beyond the cursor; at the end, the last line too. False: there is more.
  absl::StatusOr<bool> Scan(bool last, std::vector<core::Measurement>& found);

  bool has_streams() const { return !streams_.empty(); }
  // The last value of each metric in the whole file.
  absl::btree_map<std::string, double> LastValues();
  const core::ScanCursor& cursor() const { return scanner_ != nullptr ? scanner_->cursor() : cursor_; }

 private:
  struct Stream {
    std::string name;
    std::string token;
  };
  absl::Status Open();
  absl::StatusOr<bool> ScanOnce(MetricScanner& scanner, std::vector<core::Measurement>& found) const;
  absl::Status FindStreams(aws::LogsClient& logs, const aws::CallOptions& options);
  absl::Status Append(const std::vector<aws::LogEvent>& events);
  absl::Status WritePlace() const;
  // The place that was written down; nothing if it does not fit the file, which then begins anew.
  void ReadPlace(int64_t file_size);

  const RunPaths paths_;
  const int hosts_;
  const core::ScanCursor cursor_;  // without metrics
  const std::shared_ptr<const CompiledMetrics> metrics_;
  std::unique_ptr<MetricScanner> scanner_;
  std::string training_job_;
  UniqueFd file_;
  int64_t size_ = 0;
  std::vector<Stream> streams_;
};

}  // namespace tuner::executors::sagemaker
