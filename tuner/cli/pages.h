// Lists fetched over as many pages as they have, and the checks of a job file that need the service.
//
// Threads: any. Ownership: values. Errors: the service's.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "tuner/cli/client.h"
#include "tuner/cli/job_source.h"
#include "tuner/cli/verbs.h"

namespace tuner::cli {

// At most `limit` (0: all), with a next_page_token if there are more.
absl::StatusOr<v1::ListTuningJobsResponse> FetchJobs(Client& client, v1::ListTuningJobsRequest request, int limit);
absl::StatusOr<v1::ListTrialsResponse> FetchTrials(Client& client, v1::ListTrialsRequest request, int limit);
absl::StatusOr<v1::TuningJob> FetchJob(Client& client, const std::string& job_name);
// What a verb that looks at one job begins with: the connection, and the job that its argument names.
struct OpenedJob {
  Client* client = nullptr;  // of the context
  v1::TuningJob job;
};
absl::StatusOr<OpenedJob> OpenJob(Context& context, const std::string& argument);

// What the service says of a job file, without storing anything: the server that was named or serves the data folder,
// else one in memory.
absl::StatusOr<v1::CreateTuningJobResponse> CheckJob(Context& context, const JobSource& source, bool check_executors);

}  // namespace tuner::cli
