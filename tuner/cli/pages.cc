#include "tuner/cli/pages.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tuner::cli {
namespace {

constexpr int kPage = 1000;

// `merge(page, all)` moves a page's items to the end of `all`.
template <typename Response, typename Request, typename Merge>
absl::StatusOr<Response> FetchPages(Client& client, Request request, int limit, Merge merge) {
  Response all;
  int left = limit > 0 ? limit : -1;
  while (left != 0) {
    const int size = left < 0 ? kPage : std::min(kPage, left);
    request.set_page_size(size);
    auto page = client.Call(request);
    if (!page.ok()) return page.status();
    const int got = merge(*page, all);
    all.set_next_page_token(page->next_page_token());
    if (page->next_page_token().empty()) break;
    if (left > 0) left = std::max(0, left - got);
    request.set_page_token(page->next_page_token());
  }
  return all;
}

}  // namespace

absl::StatusOr<v1::ListTuningJobsResponse> FetchJobs(Client& client, v1::ListTuningJobsRequest request, int limit) {
  return FetchPages<v1::ListTuningJobsResponse>(client, std::move(request), limit,
                                                [](v1::ListTuningJobsResponse& page, v1::ListTuningJobsResponse& all) {
                                                  for (v1::TuningJob& job : *page.mutable_jobs())
                                                    all.add_jobs()->Swap(&job);
                                                  return page.jobs_size();
                                                });
}

absl::StatusOr<v1::ListTrialsResponse> FetchTrials(Client& client, v1::ListTrialsRequest request, int limit) {
  return FetchPages<v1::ListTrialsResponse>(client, std::move(request), limit,
                                            [](v1::ListTrialsResponse& page, v1::ListTrialsResponse& all) {
                                              for (v1::Trial& trial : *page.mutable_trials())
                                                all.add_trials()->Swap(&trial);
                                              return page.trials_size();
                                            });
}

absl::StatusOr<v1::TuningJob> FetchJob(Client& client, const std::string& job_name) {
  v1::GetTuningJobRequest request;
  request.set_name(job_name);
  return client.Call(request);
}

absl::StatusOr<OpenedJob> OpenJob(Context& context, const std::string& argument) {
  const auto name = JobNameOf(argument);
  if (!name.ok()) return name.status();
  const auto client = context.Open(Embed::kLookOnly);
  if (!client.ok()) return client.status();
  auto job = FetchJob(**client, *name);
  if (!job.ok()) return job.status();
  return OpenedJob{.client = *client, .job = *std::move(job)};
}

absl::StatusOr<v1::CreateTuningJobResponse> CheckJob(Context& context, const JobSource& source, bool check_executors) {
  v1::CreateTuningJobRequest request;
  *request.mutable_spec() = source.spec;
  request.set_base_dir(source.base_dir);
  request.set_validate_only(true);
  request.set_check_executors(check_executors);
  auto client = context.Open(Embed::kNothing);
  if (!client.ok()) return client.status();
  return (*client)->Call(request);
}

}  // namespace tuner::cli
