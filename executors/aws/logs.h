// Amazon CloudWatch Logs, as far as a training job's output is read from it.
//
// Threads: any. Ownership: borrows AwsServices. Errors: as JsonClient; NOT_FOUND: the log group or stream is not there
// (yet).
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "executors/aws/json_client.h"

namespace tuner::executors::aws {

struct LogStream {
  std::string name;
  absl::Time last_event = absl::InfinitePast();  // AWS sets this late
};

struct LogEvent {
  absl::Time time;
  std::string message;  // without the end of the line
};

struct LogPage {
  std::vector<LogEvent> events;
  std::string next_token;  // of the page after this one, also if that has nothing yet
  bool at_end = false;     // nothing more for now; ask again later with next_token
};

class LogsClient {
 public:
  // `options.service` is set to "logs".
  LogsClient(ServiceOptions options, AwsServices services);

  // Those whose names begin with `prefix`, by name. For a training job: group "/aws/sagemaker/TrainingJobs", prefix
  // "<job name>/", one stream for each host.
  absl::StatusOr<std::vector<LogStream>> DescribeLogStreams(const std::string& group, const std::string& prefix,
                                                            const CallOptions& options = {});

  // From the oldest event on; `token`: of the page before, empty for the first. A page may be empty without being the
  // end.
  absl::StatusOr<LogPage> GetLogEvents(const std::string& group, const std::string& stream, const std::string& token,
                                       const CallOptions& options = {});

  absl::Duration ThrottleDelay() const { return client_.ThrottleDelay(); }

 private:
  JsonClient client_;
};

}  // namespace tuner::executors::aws
