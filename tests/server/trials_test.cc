// Trials over gRPC: ask and tell, lists, points that users add; idempotence and error codes.
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/test_server.h"

namespace tuner::server {
namespace {

using grpc::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;

class TrialsTest : public testing::Test {
 protected:
  TrialsTest() { Create(stub(), AskTellSpec("job", 6, 4)); }

  grpc::Status Report(const v1::Trial& trial, int attempt, std::vector<std::pair<int, double>> values,
                      v1::ReportMeasurementsResponse* response = nullptr, const std::string& worker = "") {
    v1::ReportMeasurementsRequest request;
    request.set_name(trial.name());
    request.set_attempt(attempt);
    request.set_worker_id(worker);
    for (const auto& [step, value] : values) {
      v1::Measurement& measurement = *request.add_measurements();
      measurement.set_metric("loss");
      measurement.set_step(step);
      measurement.set_value(value);
    }
    v1::ReportMeasurementsResponse ignored;
    return stub().ReportMeasurements(Context().get(), request, response == nullptr ? &ignored : response);
  }
  v1::Trial Get(const std::string& name) {
    v1::GetTrialRequest request;
    request.set_name(name);
    v1::Trial trial;
    const grpc::Status status = stub().GetTrial(Context().get(), request, &trial);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return trial;
  }
  std::vector<int> List(v1::ListTrialsRequest request) {
    std::vector<int> numbers;
    do {
      v1::ListTrialsResponse page;
      const grpc::Status status = stub().ListTrials(Context().get(), request, &page);
      EXPECT_TRUE(status.ok()) << status.error_message();
      for (const v1::Trial& trial : page.trials()) numbers.push_back(trial.number());
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
    return numbers;
  }
  grpc::Status Add(const v1::AddTrialsRequest& request, v1::AddTrialsResponse* response) {
    return stub().AddTrials(Context().get(), request, response);
  }
  TestServer::Stub& stub() { return server_.stub(); }

  TestServer server_;
  const std::string job_ = "tuningJobs/job";
};

TEST_F(TrialsTest, ACycleOfAskReportComplete) {
  const v1::SuggestTrialsResponse held = Suggest(stub(), job_, "w");
  ASSERT_EQ(held.trials_size(), 1);
  const v1::Trial& trial = held.trials(0);
  EXPECT_EQ(trial.name(), job_ + "/trials/1");
  EXPECT_EQ(trial.state(), v1::Trial::PENDING);
  ASSERT_EQ(trial.attempts_size(), 1);
  EXPECT_EQ(trial.attempts(0).worker_id(), "w");
  EXPECT_TRUE(trial.attempts(0).has_lease_expire_time());
  EXPECT_EQ(trial.parameters().count("x"), 1u);
  v1::ReportMeasurementsResponse reported;
  ASSERT_TRUE(Report(trial, 1, {{1, 3.0}, {2, 2.0}}, &reported).ok());
  EXPECT_EQ(Get(trial.name()).state(), v1::Trial::RUNNING);
  EXPECT_FALSE(reported.should_stop());
  EXPECT_TRUE(reported.has_lease_expire_time());
  v1::Trial done;
  ASSERT_TRUE(Complete(stub(), trial, 1.5, &done).ok());
  EXPECT_EQ(done.state(), v1::Trial::COMPLETED);
  EXPECT_EQ(done.objective(), 1.5);
  EXPECT_FALSE(done.reason().empty());
  const v1::Trial stored = Get(trial.name());
  EXPECT_EQ(stored.objective(), 1.5);
  ASSERT_GE(stored.measurements_size(), 2);
  EXPECT_EQ(stored.measurements(0).step(), 1);
  EXPECT_EQ(stored.measurements(0).source(), v1::Measurement::REPORTED);
}

TEST_F(TrialsTest, TheSameAgainChangesNothing) {
  const v1::Trial trial = Suggest(stub(), job_, "w").trials(0);
  ASSERT_TRUE(Report(trial, 1, {{1, 3.0}}).ok());
  ASSERT_TRUE(Report(trial, 1, {{1, 3.0}}).ok());
  EXPECT_EQ(Get(trial.name()).measurements_size(), 1);
  v1::Trial first, again;
  ASSERT_TRUE(Complete(stub(), trial, 1.5, &first).ok());
  ASSERT_TRUE(Complete(stub(), trial, 1.5, &again).ok());
  EXPECT_EQ(first.SerializeAsString().size(), again.SerializeAsString().size());
  EXPECT_EQ(Complete(stub(), trial, 1.6).error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(Report(trial, 1, {{9, 3.0}}).error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(Report(trial, 2, {{9, 3.0}}).error_code(), StatusCode::NOT_FOUND);
}

TEST_F(TrialsTest, AWorkerGetsItsUnfinishedTrialsBack) {
  const v1::SuggestTrialsResponse first = Suggest(stub(), job_, "w", 2);
  ASSERT_EQ(first.trials_size(), 2);
  const v1::SuggestTrialsResponse again = Suggest(stub(), job_, "w", 2);
  ASSERT_EQ(again.trials_size(), 2);
  EXPECT_EQ(again.trials(0).name(), first.trials(0).name());
  EXPECT_EQ(again.trials(1).name(), first.trials(1).name());
  EXPECT_EQ(Suggest(stub(), job_, "w", 1).trials_size(), 1) << "never more than it asks for";
  const v1::SuggestTrialsResponse other = Suggest(stub(), job_, "v", 1);
  ASSERT_EQ(other.trials_size(), 1);
  EXPECT_EQ(other.trials(0).number(), 3);
}

TEST_F(TrialsTest, ARequestIdReturnsTheSameTrials) {
  const v1::SuggestTrialsResponse first = Suggest(stub(), job_, "w", 1, "id");
  const v1::SuggestTrialsResponse again = Suggest(stub(), job_, "w", 1, "id");
  ASSERT_EQ(again.trials_size(), 1);
  EXPECT_EQ(again.trials(0).name(), first.trials(0).name());
  v1::SuggestTrialsRequest request;
  request.set_parent(job_);
  request.set_worker_id("other");
  request.set_request_id("id");
  v1::SuggestTrialsResponse response;
  EXPECT_EQ(stub().SuggestTrials(Context().get(), request, &response).error_code(), StatusCode::ALREADY_EXISTS);
}

TEST_F(TrialsTest, ToTheLastTrialAndNotBeyond) {
  for (int i = 0; i < 6; ++i) {
    const v1::SuggestTrialsResponse held = Suggest(stub(), job_, "w");
    ASSERT_EQ(held.trials_size(), 1) << held.reason();
    ASSERT_TRUE(Complete(stub(), held.trials(0), i).ok());
  }
  const v1::SuggestTrialsResponse after = Suggest(stub(), job_, "w");
  EXPECT_EQ(after.trials_size(), 0);
  EXPECT_TRUE(after.job_done());
  EXPECT_FALSE(after.reason().empty());
}

TEST_F(TrialsTest, MalformedAsksAndTells) {
  const v1::Trial trial = Suggest(stub(), job_, "w").trials(0);
  const auto suggest = [this](auto change) {
    v1::SuggestTrialsRequest request;
    request.set_parent(job_);
    request.set_worker_id("w");
    change(request);
    v1::SuggestTrialsResponse response;
    return stub().SuggestTrials(Context().get(), request, &response).error_code();
  };
  EXPECT_EQ(suggest([](auto& r) { r.set_parent("job"); }), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(suggest([](auto& r) { r.set_parent("tuningJobs/none"); }), StatusCode::NOT_FOUND);
  EXPECT_EQ(suggest([](auto& r) { r.clear_worker_id(); }), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(suggest([](auto& r) { r.set_worker_id(std::string(129, 'w')); }), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(suggest([](auto& r) { r.set_count(-1); }), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(suggest([](auto& r) { r.set_count(1001); }), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(suggest([](auto& r) { r.mutable_deadline()->set_seconds(61); }), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(suggest([](auto& r) { r.mutable_deadline()->set_seconds(-1); }), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(suggest([](auto& r) { r.set_request_id(std::string(129, 'w')); }), StatusCode::INVALID_ARGUMENT);

  const auto report = [&](auto change) {
    v1::ReportMeasurementsRequest request;
    request.set_name(trial.name());
    request.set_attempt(1);
    v1::Measurement& measurement = *request.add_measurements();
    measurement.set_metric("loss");
    change(request);
    v1::ReportMeasurementsResponse response;
    return stub().ReportMeasurements(Context().get(), request, &response).error_code();
  };
  EXPECT_EQ(report([](auto& r) { r.set_name("x"); }), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(report([](auto& r) { r.set_name("tuningJobs/none/trials/1"); }), StatusCode::NOT_FOUND);
  EXPECT_EQ(report([this](auto& r) { r.set_name(job_ + "/trials/99"); }), StatusCode::NOT_FOUND);
  EXPECT_EQ(report([](auto& r) { r.clear_attempt(); }), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(report([](auto& r) { r.mutable_measurements(0)->clear_metric(); }), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(report([](auto& r) { r.mutable_measurements(0)->set_step(-1); }), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(report([](auto& r) { r.set_worker_id("thief"); }), StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(report([](auto& r) { r.set_attempt(7); }), StatusCode::NOT_FOUND);
  EXPECT_EQ(report([](auto& r) {
              while (r.measurements_size() <= 10'000) r.add_measurements()->set_metric("loss");
            }),
            StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(report([](auto&) {}), StatusCode::OK);

  const auto complete = [&](auto change) {
    v1::CompleteTrialRequest request;
    request.set_name(trial.name());
    request.set_attempt(1);
    change(request);
    v1::Trial response;
    return stub().CompleteTrial(Context().get(), request, &response).error_code();
  };
  EXPECT_EQ(complete([](auto& r) { r.set_name("x"); }), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(complete([this](auto& r) { r.set_name(job_ + "/trials/99"); }), StatusCode::NOT_FOUND);
  EXPECT_EQ(complete([](auto& r) { r.clear_attempt(); }), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(complete([](auto& r) {
              r.set_failure_reason("a");
              r.set_infeasible_reason("b");
            }),
            StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(complete([](auto& r) { (*r.mutable_final_metrics())[""] = 1; }), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(complete([](auto& r) { r.set_infeasible_reason("cannot be"); }), StatusCode::OK);
  EXPECT_EQ(Get(trial.name()).state(), v1::Trial::INFEASIBLE);
}

TEST_F(TrialsTest, SuggestNeedsAnExternalExecutor) {
  v1::TuningJobSpec spec = AskTellSpec("processes");
  spec.mutable_trial()->mutable_process()->add_command("true");
  Create(stub(), spec);
  v1::SuggestTrialsRequest request;
  request.set_parent("tuningJobs/processes");
  request.set_worker_id("w");
  v1::SuggestTrialsResponse response;
  EXPECT_EQ(stub().SuggestTrials(Context().get(), request, &response).error_code(), StatusCode::FAILED_PRECONDITION);
}

TEST_F(TrialsTest, ListsFilterOrderAndPage) {
  for (const double objective : {5.0, 1.0, 4.0, 2.0, 3.0}) {
    ASSERT_TRUE(Complete(stub(), Suggest(stub(), job_, "w").trials(0), objective).ok());
  }
  v1::ListTrialsRequest request;
  request.set_parent(job_);
  request.set_page_size(2);
  EXPECT_THAT(List(request), ElementsAre(1, 2, 3, 4, 5));
  request.set_order_by("objective desc");
  EXPECT_THAT(List(request), ElementsAre(1, 3, 5, 4, 2));
  request.set_filter("objective < 3.5 AND state = COMPLETED");
  EXPECT_THAT(List(request), ElementsAre(5, 4, 2));
  request.set_parent("tuningJobs/-");
  EXPECT_THAT(List(request), ElementsAre(5, 4, 2));

  const auto refused = [&](auto change) {
    v1::ListTrialsRequest bad = request;
    change(bad);
    v1::ListTrialsResponse response;
    return stub().ListTrials(Context().get(), bad, &response).error_code();
  };
  EXPECT_EQ(refused([](auto& r) { r.set_parent("x"); }), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(refused([](auto& r) { r.set_parent("tuningJobs/none"); }), StatusCode::NOT_FOUND);
  EXPECT_EQ(refused([](auto& r) { r.set_filter("objective <"); }), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(refused([](auto& r) { r.set_filter(std::string(2001, ' ')); }), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(refused([](auto& r) { r.set_order_by("name"); }), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(refused([](auto& r) { r.set_page_token("x"); }), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(refused([](auto& r) { r.set_page_size(-1); }), StatusCode::INVALID_ARGUMENT);
}

TEST_F(TrialsTest, MeasurementsAreListedWhenAskedFor) {
  const v1::Trial trial = Suggest(stub(), job_, "w").trials(0);
  ASSERT_TRUE(Report(trial, 1, {{1, 3.0}, {2, 2.0}}).ok());
  v1::ListTrialsRequest request;
  request.set_parent(job_);
  v1::ListTrialsResponse response;
  ASSERT_TRUE(stub().ListTrials(Context().get(), request, &response).ok());
  EXPECT_EQ(response.trials(0).measurements_size(), 0);
  EXPECT_EQ(response.trials(0).measurement_count(), 2);
  request.set_include_measurements(true);
  ASSERT_TRUE(stub().ListTrials(Context().get(), request, &response).ok());
  EXPECT_EQ(response.trials(0).measurements_size(), 2);
}

TEST_F(TrialsTest, AddedPointsRunFirstAndImportsCountForNothing) {
  v1::AddTrialsRequest request;
  request.set_parent(job_);
  request.set_request_id("id");
  (*request.add_trials()->mutable_parameters())["x"].set_number_value(0.5);
  v1::Trial& imported = *request.add_trials();
  (*imported.mutable_parameters())["x"].set_number_value(0.25);
  imported.set_state(v1::Trial::COMPLETED);
  (*imported.mutable_final_metrics())["loss"] = -7;
  v1::AddTrialsResponse added, again;
  const grpc::Status status = Add(request, &added);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(added.trials_size(), 2);
  EXPECT_EQ(added.trials(0).origin(), v1::Trial::ENQUEUED);
  EXPECT_EQ(added.trials(1).origin(), v1::Trial::IMPORTED);
  ASSERT_TRUE(Add(request, &again).ok());
  ASSERT_EQ(again.trials_size(), 2);
  EXPECT_EQ(again.trials(0).name(), added.trials(0).name());
  const v1::SuggestTrialsResponse held = Suggest(stub(), job_, "w");
  ASSERT_EQ(held.trials_size(), 1);
  EXPECT_EQ(held.trials(0).name(), added.trials(0).name());
  v1::GetTuningJobRequest get;
  get.set_name(job_);
  v1::TuningJob job;
  ASSERT_TRUE(stub().GetTuningJob(Context().get(), get, &job).ok());
  EXPECT_EQ(job.best_trial().objective(), -7);
  EXPECT_EQ(job.trial_counts().imported(), 1);
}

TEST_F(TrialsTest, RefusalsOfAddedPoints) {
  v1::AddTrialsRequest request;
  v1::AddTrialsResponse response;
  request.set_parent("tuningJobs/none");
  (*request.add_trials()->mutable_parameters())["x"].set_number_value(0.5);
  EXPECT_EQ(Add(request, &response).error_code(), StatusCode::NOT_FOUND);
  request.set_parent(job_);
  (*request.mutable_trials(0)->mutable_parameters())["x"].set_number_value(2);
  const grpc::Status outside = Add(request, &response);
  EXPECT_EQ(outside.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(outside.error_message(), HasSubstr("trials[0]"));
  (*request.mutable_trials(0)->mutable_parameters())["x"].set_number_value(0.5);
  for (int i = 0; i < 6; ++i) *request.add_trials() = request.trials(0);
  EXPECT_EQ(Add(request, &response).error_code(), StatusCode::RESOURCE_EXHAUSTED);
  v1::StopTuningJobRequest stop;
  stop.set_name(job_);
  v1::TuningJob job;
  ASSERT_TRUE(stub().StopTuningJob(Context().get(), stop, &job).ok());
  request.mutable_trials()->DeleteSubrange(1, 6);
  EXPECT_EQ(Add(request, &response).error_code(), StatusCode::FAILED_PRECONDITION);
}

TEST_F(TrialsTest, StopTrialTellsItsWorker) {
  const v1::Trial trial = Suggest(stub(), job_, "w").trials(0);
  v1::StopTrialRequest request;
  request.set_name(trial.name());
  request.set_reason("looks bad");
  v1::Trial stopped;
  ASSERT_TRUE(stub().StopTrial(Context().get(), request, &stopped).ok());
  EXPECT_EQ(stopped.name(), trial.name());
  EXPECT_EQ(stopped.state(), v1::Trial::STOPPING);
  v1::ReportMeasurementsResponse reported;
  ASSERT_TRUE(Report(trial, 1, {{1, 3.0}}, &reported).ok());
  EXPECT_TRUE(reported.should_stop());
  EXPECT_THAT(reported.reason(), HasSubstr("looks bad"));
  request.set_name(job_ + "/trials/99");
  EXPECT_EQ(stub().StopTrial(Context().get(), request, &stopped).error_code(), StatusCode::NOT_FOUND);
  request.set_name("x");
  EXPECT_EQ(stub().StopTrial(Context().get(), request, &stopped).error_code(), StatusCode::INVALID_ARGUMENT);
}

TEST_F(TrialsTest, TrialsThatAreNot) {
  v1::GetTrialRequest request;
  v1::Trial trial;
  request.set_name(job_ + "/trials/1");
  EXPECT_EQ(stub().GetTrial(Context().get(), request, &trial).error_code(), StatusCode::NOT_FOUND);
  request.set_name("tuningJobs/none/trials/1");
  EXPECT_EQ(stub().GetTrial(Context().get(), request, &trial).error_code(), StatusCode::NOT_FOUND);
  request.set_name(job_ + "/trials/0");
  EXPECT_EQ(stub().GetTrial(Context().get(), request, &trial).error_code(), StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace tuner::server
