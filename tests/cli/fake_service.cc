#include "tests/cli/fake_service.h"

#include <cmath>

namespace tuner::testing {
namespace {

constexpr int64_t kBirth = 1767225600;  // 2026-01-01

std::string JobOf(const std::string& trial_name) { return trial_name.substr(0, trial_name.find("/trials/")); }

v1::Trial ForestTrial(int number) {
  v1::Trial trial;
  trial.set_name("tuningJobs/forest/trials/" + std::to_string(number));
  trial.set_number(number);
  trial.set_origin(v1::Trial::STRATEGY);
  const double rate = std::pow(10, -4 + 3 * std::fmod(number * 0.618034, 1.0));
  const int depth = 2 + number * 5 % 9;
  auto& parameters = *trial.mutable_parameters();
  parameters["learning_rate"].set_number_value(rate);
  parameters["depth"].set_number_value(depth);
  parameters["kernel_{x}"].set_string_value(number % 2 ? "rbf 'soft'" : "línea");
  parameters["bias"].set_bool_value(number % 3 == 0);
  const double value = 0.1 + std::abs(std::log10(rate) + 2.3) * 0.2 + std::abs(depth - 6) * 0.03 + (number % 2) * 0.05;
  trial.mutable_create_time()->set_seconds(kBirth + number * 10);
  trial.mutable_start_time()->set_seconds(kBirth + number * 10);
  trial.mutable_end_time()->set_seconds(kBirth + number * 10 + 8);
  trial.mutable_run_time()->set_seconds(8);
  v1::Attempt& attempt = *trial.add_attempts();
  attempt.set_number(1);
  attempt.set_start_reason(v1::Attempt::FIRST);
  attempt.set_executor("process");
  attempt.set_artifact_path("/data/jobs/forest/" + std::to_string(number) + "/1");
  if (number % 7 == 0) {
    trial.set_state(v1::Trial::FAILED);
    trial.set_reason("exit code 1: \x1b[31mout of memory\nlast line");
    return trial;
  }
  const bool early = number % 5 == 0;
  trial.set_state(early ? v1::Trial::EARLY_STOPPED : v1::Trial::COMPLETED);
  trial.set_reason(early ? "worse than the median at step 4" : "ran to its end");
  trial.set_objective(value);
  trial.set_best_objective(value);
  (*trial.mutable_final_metrics())["loss"] = value;
  (*trial.mutable_final_metrics())["accuracy"] = 1 - value / 2;
  for (int step = 1; step <= (early ? 4 : 12); ++step) {
    for (const char* metric : {"loss", "accuracy"}) {
      v1::Measurement& measurement = *trial.add_measurements();
      const double loss = value + std::exp(-step * 0.4);
      measurement.set_metric(metric);
      measurement.set_step(step);
      measurement.set_attempt(1);
      measurement.set_value(metric[0] == 'l' ? loss : 1 - loss / 2);
    }
  }
  return trial;
}

}  // namespace

std::string FakeService::Start(const std::string& folder) {
  std::string address = "unix:" + folder + "/fake.sock";
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials());
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  return address;
}

FakeService::~FakeService() {
  if (server_) server_->Shutdown();
}

grpc::Status FakeService::Check(grpc::ServerContext* context) const {
  if (!required_token.empty()) {
    const auto found = context->client_metadata().find("authorization");
    const std::string got =
        found == context->client_metadata().end() ? "" : std::string(found->second.data(), found->second.size());
    if (got != "Bearer " + required_token) return {grpc::StatusCode::UNAUTHENTICATED, "no valid token."};
  }
  return refusal;
}

v1::AddTrialsRequest FakeService::added() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return added_;
}
v1::ReportMeasurementsRequest FakeService::reported() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return reported_;
}
v1::ListTrialsRequest FakeService::listed() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return listed_;
}
v1::CreateTuningJobRequest FakeService::created() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return created_;
}

grpc::Status FakeService::CreateTuningJob(grpc::ServerContext* context, const v1::CreateTuningJobRequest* request,
                                          v1::CreateTuningJobResponse* response) {
  if (auto status = Check(context); !status.ok()) return status;
  const std::lock_guard<std::mutex> lock(mutex_);
  created_ = *request;
  response->mutable_job()->set_name("tuningJobs/" + request->spec().name());
  *response->mutable_job()->mutable_spec() = request->spec();
  response->add_advice("parameters[0]: think again.");
  return grpc::Status::OK;
}

grpc::Status FakeService::GetTuningJob(grpc::ServerContext* context, const v1::GetTuningJobRequest* request,
                                       v1::TuningJob* response) {
  if (auto status = Check(context); !status.ok()) return status;
  const auto found = jobs.find(request->name());
  if (found == jobs.end()) return {grpc::StatusCode::NOT_FOUND, "there is no job " + request->name() + "."};
  *response = found->second;
  return grpc::Status::OK;
}

grpc::Status FakeService::ListTuningJobs(grpc::ServerContext* context, const v1::ListTuningJobsRequest*,
                                         v1::ListTuningJobsResponse* response) {
  if (auto status = Check(context); !status.ok()) return status;
  for (const auto& [name, job] : jobs) *response->add_jobs() = job;
  return grpc::Status::OK;
}

grpc::Status FakeService::WatchTuningJob(grpc::ServerContext* context, const v1::WatchTuningJobRequest* request,
                                         grpc::ServerWriter<v1::WatchTuningJobResponse>* writer) {
  if (auto status = Check(context); !status.ok()) return status;
  v1::WatchTuningJobResponse change;
  for (const v1::Trial& trial : trials[request->name()]) {
    change.Clear();
    v1::TuningJob job = jobs[request->name()];
    job.set_state(v1::TuningJob::RUNNING);
    change.set_revision(trial.number());
    *change.mutable_job() = job;
    *change.add_trials() = trial;
    writer->Write(change);
  }
  change.Clear();
  *change.mutable_job() = jobs[request->name()];
  writer->Write(change);
  return grpc::Status::OK;
}

grpc::Status FakeService::GetTrial(grpc::ServerContext* context, const v1::GetTrialRequest* request,
                                   v1::Trial* response) {
  if (auto status = Check(context); !status.ok()) return status;
  for (const v1::Trial& trial : trials[JobOf(request->name())]) {
    if (trial.name() == request->name()) {
      *response = trial;
      return grpc::Status::OK;
    }
  }
  return {grpc::StatusCode::NOT_FOUND, "there is no trial " + request->name() + "."};
}

grpc::Status FakeService::ListTrials(grpc::ServerContext* context, const v1::ListTrialsRequest* request,
                                     v1::ListTrialsResponse* response) {
  if (auto status = Check(context); !status.ok()) return status;
  const std::lock_guard<std::mutex> lock(mutex_);
  listed_ = *request;
  const std::vector<v1::Trial>& all = trials[request->parent()];
  const size_t first = request->page_token().empty() ? 0 : std::stoul(request->page_token());
  const size_t last = std::min(all.size(), first + static_cast<size_t>(request->page_size()));
  for (size_t i = first; i < last; ++i) *response->add_trials() = all[i];
  if (last < all.size()) response->set_next_page_token(std::to_string(last));
  return grpc::Status::OK;
}

grpc::Status FakeService::AddTrials(grpc::ServerContext* context, const v1::AddTrialsRequest* request,
                                    v1::AddTrialsResponse* response) {
  if (auto status = Check(context); !status.ok()) return status;
  const std::lock_guard<std::mutex> lock(mutex_);
  added_ = *request;
  *response->mutable_trials() = request->trials();
  return grpc::Status::OK;
}

grpc::Status FakeService::ReportMeasurements(grpc::ServerContext* context, const v1::ReportMeasurementsRequest* request,
                                             v1::ReportMeasurementsResponse* response) {
  if (auto status = Check(context); !status.ok()) return status;
  const std::lock_guard<std::mutex> lock(mutex_);
  reported_ = *request;
  response->set_should_stop(request->measurements_size() > 1);
  if (response->should_stop()) response->set_reason("worse than the median at step 3");
  return grpc::Status::OK;
}

grpc::Status FakeService::StreamTrialLogs(grpc::ServerContext* context, const v1::StreamTrialLogsRequest*,
                                          grpc::ServerWriter<v1::StreamTrialLogsResponse>* writer) {
  if (auto status = Check(context); !status.ok()) return status;
  v1::StreamTrialLogsResponse piece;
  piece.set_data(log_text);
  writer->Write(piece);
  return grpc::Status::OK;
}

void FillForest(FakeService& service, int count) {
  v1::TuningJob job;
  job.set_name("tuningJobs/forest");
  job.set_state(v1::TuningJob::COMPLETED);
  job.set_reason("max_trials: all trials ended");
  v1::TuningJobSpec& spec = *job.mutable_spec();
  spec.set_name("forest");
  spec.mutable_objective()->set_metric("loss");
  spec.mutable_objective()->set_goal(v1::Objective::MINIMIZE);
  v1::Parameter* parameter = spec.add_parameters();
  parameter->set_name("learning_rate");
  parameter->mutable_double_()->set_min(1e-4);
  parameter->mutable_double_()->set_max(1e-1);
  parameter->mutable_double_()->set_scale(v1::Scaling::LOG);
  parameter = spec.add_parameters();
  parameter->set_name("depth");
  parameter->mutable_integer()->set_min(2);
  parameter->mutable_integer()->set_max(10);
  parameter = spec.add_parameters();
  parameter->set_name("kernel_{x}");
  for (const char* value : {"rbf 'soft'", "línea", "poly"}) parameter->mutable_categorical()->add_values(value);
  parameter = spec.add_parameters();
  parameter->set_name("bias");
  parameter->mutable_boolean();
  spec.mutable_strategy()->mutable_random();
  spec.mutable_strategy()->set_random_seed(7);
  spec.mutable_limits()->set_max_trials(count);
  spec.mutable_limits()->set_max_parallel_trials(4);
  job.mutable_create_time()->set_seconds(kBirth);
  job.mutable_end_time()->set_seconds(kBirth + count * 10 + 8);
  std::vector<v1::Trial>& trials = service.trials[job.name()];
  for (int number = 1; number <= count; ++number) {
    trials.push_back(ForestTrial(number));
    const v1::Trial& trial = trials.back();
    v1::TrialCounts& counts = *job.mutable_trial_counts();
    if (trial.state() == v1::Trial::FAILED) counts.set_failed(counts.failed() + 1);
    if (trial.state() == v1::Trial::COMPLETED) counts.set_completed(counts.completed() + 1);
    if (trial.state() == v1::Trial::EARLY_STOPPED) counts.set_early_stopped(counts.early_stopped() + 1);
    if (trial.state() == v1::Trial::COMPLETED &&
        (!job.has_best_trial() || trial.objective() < job.best_trial().objective())) {
      *job.mutable_best_trial() = trial;
      job.mutable_best_trial()->clear_measurements();
    }
  }
  service.jobs[job.name()] = job;
}

}  // namespace tuner::testing
