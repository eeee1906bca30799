// Handlers that list and compare.
#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/resource_names.h"
#include "proto/convert.h"
#include "tuner/requests/checks.h"
#include "tuner/requests/job_builder.h"
#include "tuner/requests/spec_diff.h"
#include "tuner/server/components.h"
#include "tuner/server/paging.h"
#include "tuner/server/service.h"

namespace tuner::server {
namespace {

// One page of a list that is held in memory; `after` is the number of entries before it.
absl::StatusOr<std::string> TakePage(const google::protobuf::Message& request, std::vector<v1::ComponentInfo> all,
                                     google::protobuf::RepeatedPtrField<v1::ComponentInfo>& out) {
  absl::StatusOr<Page> page = ReadPage(request);
  if (!page.ok()) return page.status();
  size_t begin = 0;
  if (!page->after.empty() && (!absl::SimpleAtoi(page->after, &begin) || begin > all.size())) {
    return absl::InvalidArgumentError(
        "page_token: is none that this server gave out; use next_page_token of the page before");
  }
  const size_t end = std::min(all.size(), begin + static_cast<size_t>(page->limit));
  for (size_t i = begin; i < end; ++i) *out.Add() = std::move(all[i]);
  return NextToken(*page, end < all.size() ? absl::StrCat(end) : "");
}

absl::StatusOr<storage::JobQuery> ReadJobQuery(const v1::ListTuningJobsRequest& request, const Page& page) {
  storage::JobQuery query;
  query.limit = page.limit;
  query.after = page.after;
  for (const int state : request.states()) {
    switch (state) {
      case v1::TuningJob::RUNNING:
        query.statuses.push_back(core::JobStatus::kRunning);
        break;
      case v1::TuningJob::STOPPING:
        query.statuses.push_back(core::JobStatus::kStopping);
        break;
      case v1::TuningJob::COMPLETED:
        query.statuses.push_back(core::JobStatus::kCompleted);
        break;
      case v1::TuningJob::STOPPED:
        query.statuses.push_back(core::JobStatus::kStopped);
        break;
      case v1::TuningJob::FAILED:
        query.statuses.push_back(core::JobStatus::kFailed);
        break;
      default:
        return absl::InvalidArgumentError(absl::StrCat(
            "states: ", state, " is no state of a job; use RUNNING, STOPPING, COMPLETED, STOPPED or FAILED"));
    }
  }
  query.tags.insert(request.tags().begin(), request.tags().end());
  query.name_contains = request.name_contains();
  if (request.has_created_after()) query.created_after = convert::FromProto(request.created_after());
  if (request.has_created_before()) query.created_before = convert::FromProto(request.created_before());
  return query;
}

absl::Duration RunTime(const core::Trial& trial, absl::Time now) {
  absl::Duration sum = absl::ZeroDuration();
  for (const core::Attempt& attempt : trial.attempts) {
    if (attempt.start_time) sum += attempt.end_time.value_or(now) - *attempt.start_time;
  }
  return sum;
}

}  // namespace

grpc::ServerUnaryReactor* Service::ListTuningJobs(grpc::CallbackServerContext* context,
                                                  const v1::ListTuningJobsRequest* request,
                                                  v1::ListTuningJobsResponse* response) {
  return Pooled(context, [=, this]() -> absl::Status {
    absl::StatusOr<Page> page = ReadPage(*request);
    if (!page.ok()) return page.status();
    absl::StatusOr<storage::JobQuery> query = ReadJobQuery(*request, *page);
    if (!query.ok()) return query.status();
    absl::StatusOr<storage::JobPage> found = env_.storage->ListJobs(*query);
    if (!found.ok()) return found.status();
    for (const storage::JobRecord& record : found->jobs) *response->add_jobs() = JobToProto(record);
    response->set_next_page_token(NextToken(*page, found->next));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* Service::CompareTuningJobs(grpc::CallbackServerContext* context,
                                                     const v1::CompareTuningJobsRequest* request,
                                                     v1::CompareTuningJobsResponse* response) {
  return Pooled(context, [=, this] { return Compare(*request, *response); });
}

absl::Status Service::Compare(const v1::CompareTuningJobsRequest& request,
                              v1::CompareTuningJobsResponse& response) const {
  if (request.names_size() < 2 || request.names_size() > 20) {
    return absl::InvalidArgumentError(absl::StrCat("names: has ", request.names_size(), " entries; give 2 to 20 jobs"));
  }
  for (int i = 0; i < request.names_size(); ++i) {
    absl::StatusOr<std::string> job_id = requests::JobIdField(absl::StrCat("names[", i, "]"), request.names(i));
    if (!job_id.ok()) return job_id.status();
    absl::StatusOr<v1::CompareTuningJobsResponse::Row> row = CompareRow(*job_id);
    if (!row.ok()) return row.status();
    *response.add_rows() = *std::move(row);
  }
  std::vector<const v1::TuningJobSpec*> specs;
  for (const auto& row : response.rows()) specs.push_back(&row.job().spec());
  for (requests::SpecDifference& difference : requests::DiffSpecs(specs)) {
    auto& out = *response.add_differences();
    out.set_path(std::move(difference.path));
    for (std::string& value : difference.values) out.add_values(std::move(value));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::CompareTuningJobsResponse::Row> Service::CompareRow(const std::string& job_id) const {
  absl::StatusOr<storage::JobRecord> record = env_.storage->ReadJob(job_id);
  if (!record.ok()) return record.status();
  const absl::Time now = env_.clock->Now();
  v1::CompareTuningJobsResponse::Row row;
  *row.mutable_job() = JobToProto(*record);
  *row.mutable_elapsed() = convert::ToProto(record->header.end_time.value_or(now) - record->header.create_time);
  row.set_trials_to_best(static_cast<int32_t>(record->header.best_finish_seq));
  absl::Duration trial_time = absl::ZeroDuration();
  storage::TrialQuery query;
  query.job_id = job_id;
  query.limit = 1000;
  do {
    absl::StatusOr<storage::TrialPage> page = env_.storage->ListTrials(query);
    if (!page.ok()) return page.status();
    for (const storage::TrialPage::Entry& entry : page->entries) trial_time += RunTime(entry.trial, now);
    query.after = page->next;
  } while (!query.after.empty());
  *row.mutable_trial_time() = convert::ToProto(trial_time);
  return row;
}

grpc::ServerUnaryReactor* Service::ListStrategies(grpc::CallbackServerContext* context,
                                                  const v1::ListStrategiesRequest* request,
                                                  v1::ListStrategiesResponse* response) {
  return Pooled(context, [=]() -> absl::Status {
    absl::StatusOr<std::string> next = TakePage(*request, StrategyInfos(), *response->mutable_strategies());
    if (next.ok()) response->set_next_page_token(*std::move(next));
    return next.status();
  });
}

grpc::ServerUnaryReactor* Service::ListExecutors(grpc::CallbackServerContext* context,
                                                 const v1::ListExecutorsRequest* request,
                                                 v1::ListExecutorsResponse* response) {
  return Pooled(context, [=, this]() -> absl::Status {
    absl::StatusOr<std::string> next = TakePage(
        *request, ExecutorInfos(*env_.executor_kinds, env_.executors, env_.missing), *response->mutable_executors());
    if (next.ok()) response->set_next_page_token(*std::move(next));
    return next.status();
  });
}

grpc::ServerUnaryReactor* Service::ListEarlyStoppingRules(grpc::CallbackServerContext* context,
                                                          const v1::ListEarlyStoppingRulesRequest* request,
                                                          v1::ListEarlyStoppingRulesResponse* response) {
  return Pooled(context, [=]() -> absl::Status {
    absl::StatusOr<std::string> next = TakePage(*request, EarlyStoppingRuleInfos(), *response->mutable_rules());
    if (next.ok()) response->set_next_page_token(*std::move(next));
    return next.status();
  });
}

}  // namespace tuner::server
