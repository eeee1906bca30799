// Handlers before a scripted engine: what they post, and how its answers come back.
#include <cmath>
#include <limits>
#include <utility>

#include "gmock/gmock.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "gtest/gtest.h"
#include "tests/server/test_server.h"
#include "tuner/server/in_process.h"
#include "tuner/server/service.h"

namespace tuner::server {
namespace {

// Answers each call with what the test set, and keeps what was posted.
class ScriptedEngine final : public engine::Engine {
 public:
  executors::RunListener* listener() override { return nullptr; }
  absl::Status Start(absl::flat_hash_map<std::string, executors::Executor*>) override { return absl::OkStatus(); }
  void CreateJob(core::JobHeader header, core::ParentJobs /*parents*/, engine::ReplyCallback done) override {
    if (!answer.ok()) return done(answer.status());
    answer->header = std::move(header);
    done(answer);
  }
  void Post(const std::string& job_id, core::EventKind event, engine::ReplyCallback done) override {
    posted.emplace_back(job_id, std::move(event));
    done(answer);
  }
  void DeleteJob(const std::string&, std::function<void(absl::Status)> done) override { done(answer.status()); }
  std::string PausedReason(const std::string&) const override { return paused; }
  std::unique_ptr<Subscription> Subscribe(const std::string&, std::function<void(storage::Revision)>) override {
    return nullptr;
  }
  void PreemptAll(const std::string&) override {}
  void KillAll() override {}
  bool AwaitNotifications(absl::Duration) override { return true; }
  void Shutdown() override {}
  bool RunRound() override { return false; }
  absl::Time NextWake() const override { return absl::InfiniteFuture(); }

  // Set and read while no call is under way.
  absl::StatusOr<engine::Reply> answer = engine::Reply();
  std::string paused;
  std::vector<std::pair<std::string, core::EventKind>> posted;
};

class HandlersTest : public testing::Test {
 protected:
  HandlersTest() {
    authenticator_ = *Authenticator::Open({folder_.path(), true});
    storage_ = *storage::OpenStorage("memory:");
    clock_ = core::MakeSystemClock();
    Service::Environment environment;
    environment.executor_kinds = &executors::BuiltInExecutors();
    environment.engine = &engine_;
    environment.storage = storage_.get();
    environment.clock = clock_.get();
    environment.authenticator = authenticator_.get();
    service_ = std::make_unique<Service>(std::move(environment));
    grpc::ServerBuilder builder;
    builder.RegisterService(service_.get());
    server_ = builder.BuildAndStart();
    stub_ = v1::TuningService::NewStub(InProcessChannel(*server_, authenticator_->process_token()));
  }
  ~HandlersTest() override { server_->Shutdown(); }

  grpc::Status Ask(const v1::SuggestTrialsRequest& request, v1::SuggestTrialsResponse* response) {
    return stub_->SuggestTrials(Context().get(), request, response);
  }
  v1::SuggestTrialsRequest AskRequest() {
    v1::SuggestTrialsRequest request;
    request.set_parent("tuningJobs/job");
    request.set_worker_id("w");
    return request;
  }

  TemporaryFolder folder_;
  std::unique_ptr<Authenticator> authenticator_;
  std::unique_ptr<storage::Storage> storage_;
  std::unique_ptr<core::Clock> clock_;
  ScriptedEngine engine_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::TuningService::Stub> stub_;
};

TEST_F(HandlersTest, NothingIsServedBeforeTheEngineIsReadyOrAfterTheEnd) {
  v1::SuggestTrialsResponse response;
  EXPECT_EQ(Ask(AskRequest(), &response).error_code(), grpc::StatusCode::UNAVAILABLE);
  service_->Open();
  EXPECT_TRUE(Ask(AskRequest(), &response).ok());
  service_->Close();
  EXPECT_EQ(Ask(AskRequest(), &response).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(engine_.posted.size(), 1u);
}

TEST_F(HandlersTest, EveryErrorOfTheEngineComesBackAsItIs) {
  service_->Open();
  for (const absl::StatusCode code :
       {absl::StatusCode::kNotFound, absl::StatusCode::kFailedPrecondition, absl::StatusCode::kAlreadyExists,
        absl::StatusCode::kResourceExhausted, absl::StatusCode::kUnavailable, absl::StatusCode::kInternal}) {
    engine_.answer = absl::Status(code, "because");
    const auto expect = [code](const grpc::Status& status) {
      EXPECT_EQ(static_cast<int>(status.error_code()), static_cast<int>(code));
      EXPECT_EQ(status.error_message(), "because");
    };
    v1::SuggestTrialsResponse suggested;
    expect(Ask(AskRequest(), &suggested));
    v1::ReportMeasurementsRequest report;
    report.set_name("tuningJobs/job/trials/1");
    report.set_attempt(1);
    v1::ReportMeasurementsResponse reported;
    expect(stub_->ReportMeasurements(Context().get(), report, &reported));
    v1::CompleteTrialRequest complete;
    complete.set_name("tuningJobs/job/trials/1");
    complete.set_attempt(1);
    v1::Trial trial;
    expect(stub_->CompleteTrial(Context().get(), complete, &trial));
    v1::StopTrialRequest stop_trial;
    stop_trial.set_name("tuningJobs/job/trials/1");
    expect(stub_->StopTrial(Context().get(), stop_trial, &trial));
    v1::StopTuningJobRequest stop;
    stop.set_name("tuningJobs/job");
    v1::TuningJob job;
    expect(stub_->StopTuningJob(Context().get(), stop, &job));
    v1::DeleteTuningJobRequest remove;
    remove.set_name("tuningJobs/job");
    google::protobuf::Empty empty;
    expect(stub_->DeleteTuningJob(Context().get(), remove, &empty));
  }
}

TEST_F(HandlersTest, AnAskIsPostedWithItsDefaults) {
  service_->Open();
  v1::SuggestTrialsResponse response;
  ASSERT_TRUE(Ask(AskRequest(), &response).ok());
  v1::SuggestTrialsRequest request = AskRequest();
  request.set_count(5);
  request.set_request_id("id");
  request.mutable_deadline()->set_seconds(3);
  engine_.answer->reason = "no more";
  engine_.answer->job_done = true;
  ASSERT_TRUE(Ask(request, &response).ok());
  EXPECT_EQ(response.reason(), "no more");
  EXPECT_TRUE(response.job_done());
  ASSERT_EQ(engine_.posted.size(), 2u);
  const auto& plain = std::get<core::SuggestAsked>(engine_.posted[0].second);
  EXPECT_EQ(plain.count, 1);
  EXPECT_EQ(plain.deadline, absl::Milliseconds(200));
  EXPECT_EQ(plain.worker_id, "w");
  const auto& full = std::get<core::SuggestAsked>(engine_.posted[1].second);
  EXPECT_EQ(full.count, 5);
  EXPECT_EQ(full.deadline, absl::Seconds(3));
  EXPECT_EQ(full.request_id, "id");
}

TEST_F(HandlersTest, AReportIsPostedWithEveryValue) {
  service_->Open();
  v1::ReportMeasurementsRequest request;
  request.set_name("tuningJobs/job/trials/7");
  request.set_attempt(2);
  request.set_worker_id("w");
  v1::Measurement& first = *request.add_measurements();
  first.set_metric("loss");
  first.set_value(0.5);
  first.set_step(3);
  v1::Measurement& next = *request.add_measurements();
  next.set_metric("loss");
  next.set_value(std::numeric_limits<double>::quiet_NaN());
  engine_.answer->should_stop = true;
  engine_.answer->reason = "too slow";
  engine_.answer->lease_expire_time = absl::FromUnixSeconds(1000);
  v1::ReportMeasurementsResponse response;
  ASSERT_TRUE(stub_->ReportMeasurements(Context().get(), request, &response).ok());
  EXPECT_TRUE(response.should_stop());
  EXPECT_EQ(response.reason(), "too slow");
  EXPECT_EQ(response.lease_expire_time().seconds(), 1000);
  const auto& [job_id, event] = engine_.posted.at(0);
  const auto& reported = std::get<core::Reported>(event);
  EXPECT_EQ(job_id, "job");
  EXPECT_EQ(reported.run.trial, 7);
  EXPECT_EQ(reported.run.attempt, 2);
  EXPECT_EQ(reported.worker_id, "w");
  ASSERT_EQ(reported.measurements.size(), 2u);
  EXPECT_EQ(reported.measurements[0].step, 3);
  EXPECT_EQ(reported.measurements[0].value, 0.5);
  EXPECT_EQ(reported.measurements[0].attempt, 2);
  EXPECT_EQ(reported.measurements[0].source, core::MeasurementSource::kReported);
  EXPECT_EQ(reported.measurements[1].step, -1);
  EXPECT_TRUE(std::isnan(reported.measurements[1].value));
}

TEST_F(HandlersTest, APausedJobSaysWhy) {
  service_->Open();
  engine_.paused = "the disk is full";
  engine_.answer->header.job_id = "job";
  v1::StopTuningJobRequest request;
  request.set_name("tuningJobs/job");
  v1::TuningJob job;
  ASSERT_TRUE(stub_->StopTuningJob(Context().get(), request, &job).ok());
  EXPECT_EQ(job.paused_reason(), "the disk is full");
}

}  // namespace
}  // namespace tuner::server
