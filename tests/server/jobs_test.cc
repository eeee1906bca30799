// Jobs over gRPC: every method and its documented error codes.
#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/test_server.h"

namespace tuner::server {
namespace {

using grpc::StatusCode;
using testing::HasSubstr;

class JobsTest : public testing::Test {
 protected:
  grpc::Status TryCreate(const v1::TuningJobSpec& spec, const std::string& request_id,
                         v1::CreateTuningJobResponse* response, bool validate_only = false) {
    v1::CreateTuningJobRequest request;
    *request.mutable_spec() = spec;
    request.set_request_id(request_id);
    request.set_validate_only(validate_only);
    return stub().CreateTuningJob(Context().get(), request, response);
  }
  grpc::Status Get(const std::string& name, v1::TuningJob* job) {
    v1::GetTuningJobRequest request;
    request.set_name(name);
    return stub().GetTuningJob(Context().get(), request, job);
  }
  grpc::Status Stop(const std::string& name, v1::TuningJob* job, const std::string& reason = "") {
    v1::StopTuningJobRequest request;
    request.set_name(name);
    request.set_reason(reason);
    return stub().StopTuningJob(Context().get(), request, job);
  }
  grpc::Status Delete(const std::string& name) {
    v1::DeleteTuningJobRequest request;
    request.set_name(name);
    google::protobuf::Empty empty;
    return stub().DeleteTuningJob(Context().get(), request, &empty);
  }
  grpc::Status Update(const std::string& name, const v1::Limits& limits, v1::TuningJob* job) {
    v1::UpdateTuningJobRequest request;
    request.set_name(name);
    *request.mutable_limits() = limits;
    return stub().UpdateTuningJob(Context().get(), request, job);
  }
  TestServer::Stub& stub() { return server_.stub(); }

  TestServer server_;
};

TEST_F(JobsTest, CreatedJobIsShownAsResolved) {
  v1::TuningJobSpec spec = AskTellSpec("job");
  spec.mutable_parameters(0)->mutable_double_()->set_min(1e-6);
  v1::CreateTuningJobResponse created;
  ASSERT_TRUE(TryCreate(spec, "", &created).ok());
  v1::TuningJob job;
  ASSERT_TRUE(Get("tuningJobs/job", &job).ok());
  EXPECT_EQ(job.name(), "tuningJobs/job");
  EXPECT_EQ(job.uid(), created.job().uid());
  EXPECT_EQ(job.state(), v1::TuningJob::RUNNING);
  EXPECT_EQ(job.spec().parameters(0).double_().scale(), v1::Scaling::LOG);
  EXPECT_TRUE(job.spec().strategy().has_random_seed());
  EXPECT_GE(job.revision(), 1);
  EXPECT_TRUE(job.has_create_time());
  EXPECT_FALSE(job.provenance().server_version().empty());
}

TEST_F(JobsTest, RetriedCreationReturnsTheSameJob) {
  v1::CreateTuningJobResponse first, again;
  ASSERT_TRUE(TryCreate(AskTellSpec("job"), "id", &first).ok());
  ASSERT_TRUE(TryCreate(AskTellSpec("job"), "id", &again).ok());
  EXPECT_EQ(first.job().uid(), again.job().uid());
  v1::CreateTuningJobResponse other;
  EXPECT_EQ(TryCreate(AskTellSpec("job"), "", &other).error_code(), StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(TryCreate(AskTellSpec("job"), "other id", &other).error_code(), StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(TryCreate(AskTellSpec("job", 11), "id", &other).error_code(), StatusCode::ALREADY_EXISTS);
}

TEST_F(JobsTest, OfManyAtOnceOneCreates) {
  std::vector<std::thread> threads;
  std::vector<std::string> uids(8);
  for (size_t i = 0; i < uids.size(); ++i) {
    threads.emplace_back([this, &uids, i] {
      v1::CreateTuningJobResponse response;
      EXPECT_TRUE(TryCreate(AskTellSpec("job"), "id", &response).ok());
      uids[i] = response.job().uid();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& uid : uids) EXPECT_EQ(uid, uids[0]);
}

TEST_F(JobsTest, ValidateOnlyStoresNothing) {
  v1::CreateTuningJobResponse response;
  ASSERT_TRUE(TryCreate(AskTellSpec("job"), "", &response, true).ok());
  EXPECT_EQ(response.job().state(), v1::TuningJob::RUNNING);
  v1::TuningJob job;
  EXPECT_EQ(Get("tuningJobs/job", &job).error_code(), StatusCode::NOT_FOUND);
  v1::TuningJobSpec bad = AskTellSpec("job");
  bad.mutable_objective()->clear_metric();
  EXPECT_EQ(TryCreate(bad, "", &response, true).error_code(), StatusCode::INVALID_ARGUMENT);
}

TEST_F(JobsTest, RefusalsOfCreation) {
  v1::CreateTuningJobResponse response;
  v1::TuningJobSpec spec = AskTellSpec("job");
  spec.mutable_strategy()->mutable_custom()->set_name("mine");
  EXPECT_EQ(TryCreate(spec, "", &response).error_code(), StatusCode::UNIMPLEMENTED);
  const grpc::Status long_id = TryCreate(AskTellSpec("job"), std::string(129, 'x'), &response);
  EXPECT_EQ(long_id.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(long_id.error_message(), HasSubstr("request_id"));
  v1::CreateTuningJobRequest relative;
  *relative.mutable_spec() = AskTellSpec("job");
  relative.set_base_dir("here");
  EXPECT_EQ(stub().CreateTuningJob(Context().get(), relative, &response).error_code(), StatusCode::INVALID_ARGUMENT);
}

TEST_F(JobsTest, NamesThatAreNoneAndJobsThatAreNot) {
  v1::TuningJob job;
  for (const char* name : {"", "job", "tuningJobs/", "tuningJobs/a/b", "tuningJobs/a b"}) {
    EXPECT_EQ(Get(name, &job).error_code(), StatusCode::INVALID_ARGUMENT) << name;
    EXPECT_EQ(Stop(name, &job).error_code(), StatusCode::INVALID_ARGUMENT) << name;
    EXPECT_EQ(Delete(name).error_code(), StatusCode::INVALID_ARGUMENT) << name;
    EXPECT_EQ(Update(name, {}, &job).error_code(), StatusCode::INVALID_ARGUMENT) << name;
  }
  EXPECT_EQ(Get("tuningJobs/none", &job).error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(Stop("tuningJobs/none", &job).error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(Delete("tuningJobs/none").error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(Update("tuningJobs/none", {}, &job).error_code(), StatusCode::NOT_FOUND);
  v1::ExplainTuningJobRequest explain;
  explain.set_name("tuningJobs/none");
  v1::ExplainTuningJobResponse explained;
  EXPECT_EQ(stub().ExplainTuningJob(Context().get(), explain, &explained).error_code(), StatusCode::NOT_FOUND);
}

TEST_F(JobsTest, ListsNewestFirstInPages) {
  for (int i = 0; i < 5; ++i) {
    v1::TuningJobSpec spec = AskTellSpec(absl::StrCat("job-", i));
    (*spec.mutable_tags())["parity"] = i % 2 == 0 ? "even" : "odd";
    Create(stub(), spec);
  }
  v1::TuningJob stopped;
  ASSERT_TRUE(Stop("tuningJobs/job-0", &stopped).ok());
  const auto list = [this](v1::ListTuningJobsRequest request) {
    std::vector<std::string> names;
    do {
      v1::ListTuningJobsResponse page;
      const grpc::Status status = stub().ListTuningJobs(Context().get(), request, &page);
      EXPECT_TRUE(status.ok()) << status.error_message();
      for (const v1::TuningJob& job : page.jobs()) names.push_back(job.spec().name());
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
    return names;
  };
  v1::ListTuningJobsRequest request;
  request.set_page_size(2);
  EXPECT_THAT(list(request), testing::ElementsAre("job-4", "job-3", "job-2", "job-1", "job-0"));
  (*request.mutable_tags())["parity"] = "even";
  EXPECT_THAT(list(request), testing::ElementsAre("job-4", "job-2", "job-0"));
  request.add_states(v1::TuningJob::RUNNING);
  EXPECT_THAT(list(request), testing::ElementsAre("job-4", "job-2"));
  request.set_name_contains("-2");
  EXPECT_THAT(list(request), testing::ElementsAre("job-2"));
  *request.mutable_created_before() = stopped.create_time();
  EXPECT_THAT(list(request), testing::IsEmpty());
  v1::ListTuningJobsResponse page;
  request.add_states(v1::TuningJob::STATE_UNSPECIFIED);
  EXPECT_EQ(stub().ListTuningJobs(Context().get(), request, &page).error_code(), StatusCode::INVALID_ARGUMENT);
}

TEST_F(JobsTest, LimitsAreMergedAndChecked) {
  Create(stub(), AskTellSpec("job", 10, 2));
  v1::Limits limits;
  limits.set_max_trials(30);
  v1::TuningJob job;
  ASSERT_TRUE(Update("tuningJobs/job", limits, &job).ok());
  EXPECT_EQ(job.spec().limits().max_trials(), 30);
  EXPECT_EQ(job.spec().limits().max_parallel_trials(), 2);
  limits.Clear();
  limits.set_max_parallel_trials(0);
  const grpc::Status status = Update("tuningJobs/job", limits, &job);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("limits.max_parallel_trials"));
  v1::UpdateTuningJobRequest empty;
  empty.set_name("tuningJobs/job");
  EXPECT_EQ(stub().UpdateTuningJob(Context().get(), empty, &job).error_code(), StatusCode::INVALID_ARGUMENT);
  ASSERT_TRUE(Stop("tuningJobs/job", &job).ok());
  limits.set_max_parallel_trials(1);
  EXPECT_EQ(Update("tuningJobs/job", limits, &job).error_code(), StatusCode::FAILED_PRECONDITION);
}

TEST_F(JobsTest, UpdatesAtOnceLoseNothing) {
  Create(stub(), AskTellSpec("job", 40, 1));
  std::thread other([this] {
    for (int i = 0; i < 20; ++i) {
      v1::Limits limits;
      limits.set_max_trials(41 + i);
      v1::TuningJob job;
      EXPECT_TRUE(Update("tuningJobs/job", limits, &job).ok());
    }
  });
  for (int i = 0; i < 20; ++i) {
    v1::Limits limits;
    limits.set_max_parallel_trials(2 + i);
    v1::TuningJob job;
    EXPECT_TRUE(Update("tuningJobs/job", limits, &job).ok());
    EXPECT_EQ(job.spec().limits().max_parallel_trials(), 2 + i);
  }
  other.join();
  v1::TuningJob job;
  ASSERT_TRUE(Get("tuningJobs/job", &job).ok());
  EXPECT_EQ(job.spec().limits().max_trials(), 60);
  EXPECT_EQ(job.spec().limits().max_parallel_trials(), 21);
}

TEST_F(JobsTest, StoppedJobEndsWithItsReasonAndCanBeDeleted) {
  Create(stub(), AskTellSpec("job"));
  EXPECT_EQ(Delete("tuningJobs/job").error_code(), StatusCode::FAILED_PRECONDITION);
  v1::TuningJob job;
  EXPECT_EQ(Stop("tuningJobs/job", &job, std::string(1025, 'x')).error_code(), StatusCode::INVALID_ARGUMENT);
  ASSERT_TRUE(Stop("tuningJobs/job", &job, "enough seen").ok());
  EXPECT_EQ(job.state(), v1::TuningJob::STOPPED);
  EXPECT_THAT(job.reason(), HasSubstr("enough seen"));
  v1::TuningJob again;
  ASSERT_TRUE(Stop("tuningJobs/job", &again, "another").ok());
  EXPECT_EQ(again.reason(), job.reason());
  ASSERT_TRUE(Delete("tuningJobs/job").ok());
  EXPECT_EQ(Get("tuningJobs/job", &job).error_code(), StatusCode::NOT_FOUND);
  EXPECT_NE(Create(stub(), AskTellSpec("job")).uid(), again.uid());
}

TEST_F(JobsTest, ExplainSaysThatThereIsNoModel) {
  Create(stub(), AskTellSpec("job"));
  v1::ExplainTuningJobRequest request;
  request.set_name("tuningJobs/job");
  v1::ExplainTuningJobResponse response;
  const grpc::Status status = stub().ExplainTuningJob(Context().get(), request, &response);
  EXPECT_EQ(status.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("random"));
}

TEST_F(JobsTest, EverySuggestionIsRecomputedWhateverTheLimitsAreNow) {
  Create(stub(), AskTellSpec("job", 10, 4));
  const v1::SuggestTrialsResponse held = Suggest(stub(), "tuningJobs/job", "w", 3);
  ASSERT_EQ(held.trials_size(), 3);
  EXPECT_EQ(held.trials(1).basis().kind(), v1::Basis::FRESH);
  EXPECT_EQ(held.trials(1).basis().asked_count(), 3);
  ASSERT_TRUE(Complete(stub(), held.trials(2), 1).ok());
  v1::Limits limits;
  limits.set_max_trials(5);
  v1::TuningJob job;
  ASSERT_TRUE(Update("tuningJobs/job", limits, &job).ok());
  ASSERT_EQ(Suggest(stub(), "tuningJobs/job", "w", 4).trials_size(), 4);
  v1::ReplayTuningJobRequest request;
  request.set_name("tuningJobs/job");
  v1::ReplayTuningJobResponse replay;
  ASSERT_TRUE(stub().ReplayTuningJob(Context().get(), request, &replay).ok());
  EXPECT_EQ(replay.suggestion_count(), 5);
  EXPECT_EQ(replay.identical_count(), 5);
  EXPECT_EQ(replay.different_count(), 0);
  ASSERT_EQ(replay.kind_counts_size(), 1);
  EXPECT_EQ(replay.kind_counts(0).kind(), v1::Basis::FRESH);
  request.set_name("tuningJobs/none");
  EXPECT_EQ(stub().ReplayTuningJob(Context().get(), request, &replay).error_code(), StatusCode::NOT_FOUND);
}

TEST_F(JobsTest, ExplainsAJobThatRunsAndOneThatHasEnded) {
  v1::TuningJobSpec spec = AskTellSpec("job", 12);
  spec.mutable_strategy()->mutable_bayesian();
  spec.mutable_strategy()->set_random_seed(5);
  Create(stub(), spec);
  const auto run = [&](int trials) {
    for (int i = 0; i < trials; ++i) {
      const v1::SuggestTrialsResponse held = Suggest(stub(), "tuningJobs/job", "w");
      ASSERT_EQ(held.trials_size(), 1);
      const double x = held.trials(0).parameters().at("x").number_value();
      ASSERT_TRUE(Complete(stub(), held.trials(0), (x - 0.3) * (x - 0.3)).ok());
    }
  };
  v1::ExplainTuningJobRequest request;
  request.set_name("tuningJobs/job");
  v1::ExplainTuningJobResponse response;
  const auto explain = [&] {
    response.Clear();
    return stub().ExplainTuningJob(Context().get(), request, &response);
  };
  EXPECT_EQ(explain().error_code(), StatusCode::FAILED_PRECONDITION) << "nothing is known yet";
  run(10);
  request.set_leave_one_out(true);
  (*request.mutable_at())["x"].set_number_value(0.3);
  grpc::Status status = explain();
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.observations(), 10);
  EXPECT_EQ(response.left_out_size(), 10);
  EXPECT_NEAR(response.point().mean(), 0, 0.05);
  EXPECT_GT(response.point().standard_deviation(), 0);
  EXPECT_EQ(response.point().nearest_trials_size(), 5);
  EXPECT_NEAR(response.fanova_importance().at("x"), 1, 1e-9);
  EXPECT_TRUE(response.has_estimated_time_left());
  run(2);
  v1::TuningJob job;
  ASSERT_TRUE(Get("tuningJobs/job", &job).ok());
  ASSERT_EQ(job.state(), v1::TuningJob::COMPLETED);
  request.clear_at();
  request.set_trial(12);
  status = explain();
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.observations(), 12);
  EXPECT_THAT(response.point().explanation(), HasSubstr("Trial 12 was chosen by the model, fitted to"));
  request.set_trial(13);
  EXPECT_EQ(explain().error_code(), StatusCode::NOT_FOUND);
  request.clear_trial();
  (*request.mutable_at())["x"].set_number_value(7);
  EXPECT_EQ(explain().error_code(), StatusCode::INVALID_ARGUMENT);
}

TEST_F(JobsTest, ComparesJobsSideBySide) {
  v1::TuningJobSpec spec = AskTellSpec("a", 3);
  spec.mutable_strategy()->set_random_seed(1);
  Create(stub(), spec);
  spec.set_name("b");
  spec.mutable_limits()->set_max_trials(4);
  Create(stub(), spec);
  for (const double objective : {3.0, 1.0, 2.0}) {
    const v1::SuggestTrialsResponse held = Suggest(stub(), "tuningJobs/a", "w");
    ASSERT_EQ(held.trials_size(), 1);
    ASSERT_TRUE(Complete(stub(), held.trials(0), objective).ok());
  }
  v1::CompareTuningJobsRequest request;
  request.add_names("tuningJobs/a");
  v1::CompareTuningJobsResponse response;
  EXPECT_EQ(stub().CompareTuningJobs(Context().get(), request, &response).error_code(), StatusCode::INVALID_ARGUMENT);
  request.add_names("tuningJobs/b");
  ASSERT_TRUE(stub().CompareTuningJobs(Context().get(), request, &response).ok());
  ASSERT_EQ(response.rows_size(), 2);
  EXPECT_EQ(response.rows(0).job().best_trial().objective(), 1.0);
  EXPECT_EQ(response.rows(0).trials_to_best(), 2);
  EXPECT_EQ(response.rows(0).job().state(), v1::TuningJob::COMPLETED);
  EXPECT_EQ(response.rows(1).trials_to_best(), 0);
  ASSERT_EQ(response.differences_size(), 2);
  EXPECT_EQ(response.differences(0).path(), "name");
  EXPECT_EQ(response.differences(1).path(), "limits.max_trials");
  EXPECT_THAT(response.differences(1).values(), testing::ElementsAre("3", "4"));
  request.add_names("tuningJobs/none");
  EXPECT_EQ(stub().CompareTuningJobs(Context().get(), request, &response).error_code(), StatusCode::NOT_FOUND);
}

// Imports trials along the line loss + size = count, so that all are on the front.
void ImportFront(TestServer::Stub& stub, const std::string& job, int count) {
  for (int first = 0; first < count; first += 500) {
    v1::AddTrialsRequest request;
    request.set_parent(job);
    for (int i = first; i < std::min(count, first + 500); ++i) {
      v1::Trial& trial = *request.add_trials();
      (*trial.mutable_parameters())["x"].set_number_value(i / static_cast<double>(count));
      trial.set_state(v1::Trial::COMPLETED);
      (*trial.mutable_final_metrics())["loss"] = i;
      (*trial.mutable_final_metrics())["size"] = count - i;
    }
    v1::AddTrialsResponse response;
    const grpc::Status status = stub.AddTrials(Context().get(), request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }
}

v1::TuningJobSpec TwoObjectives(const std::string& name) {
  v1::TuningJobSpec spec = AskTellSpec(name);
  v1::Objective& size = *spec.add_additional_objectives();
  size.set_metric("size");
  size.set_goal(v1::Objective::MINIMIZE);
  return spec;
}

TEST_F(JobsTest, SeveralObjectivesHaveAFrontAndNoBestTrial) {
  Create(stub(), TwoObjectives("job"));
  ImportFront(stub(), "tuningJobs/job", 3);
  // Dominated by the second one.
  v1::AddTrialsRequest request;
  request.set_parent("tuningJobs/job");
  v1::Trial& worse = *request.add_trials();
  (*worse.mutable_parameters())["x"].set_number_value(0.5);
  worse.set_state(v1::Trial::COMPLETED);
  (*worse.mutable_final_metrics())["loss"] = 1.5;
  v1::AddTrialsResponse added;
  grpc::Status status = stub().AddTrials(Context().get(), request, &added);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("size"));
  (*worse.mutable_final_metrics())["size"] = 2.5;
  ASSERT_TRUE(stub().AddTrials(Context().get(), request, &added).ok());
  v1::TuningJob job;
  ASSERT_TRUE(Get("tuningJobs/job", &job).ok());
  EXPECT_FALSE(job.has_best_trial());
  EXPECT_EQ(job.front_size(), 3);
  ASSERT_EQ(job.pareto_front_size(), 3);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(job.pareto_front(i).objective(), i);
    EXPECT_EQ(job.pareto_front(i).final_metrics().at("size"), 3 - i);
  }
  v1::ListTuningJobsResponse list;
  ASSERT_TRUE(stub().ListTuningJobs(Context().get(), {}, &list).ok());
  EXPECT_EQ(list.jobs(0).front_size(), 3);
  EXPECT_EQ(list.jobs(0).pareto_front_size(), 0) << "only GetTuningJob shows it";
}

TEST_F(JobsTest, ALargeFrontIsThinnedToWhatClientsTake) {
  Create(stub(), TwoObjectives("job"));
  constexpr int kCount = 2500;
  ImportFront(stub(), "tuningJobs/job", kCount);
  v1::TuningJob job;
  ASSERT_TRUE(Get("tuningJobs/job", &job).ok());
  EXPECT_EQ(job.front_size(), kCount);
  EXPECT_LE(job.pareto_front_size(), 1000);
  EXPECT_GE(job.pareto_front_size(), 500);
  EXPECT_LT(job.ByteSizeLong(), 3 << 20);
  EXPECT_EQ(job.pareto_front().begin()->objective(), 0);
  EXPECT_EQ(job.pareto_front().rbegin()->objective(), kCount - 1);
}

TEST_F(JobsTest, TheBestTrialKeepsTheOutcomeConstraints) {
  v1::TuningJobSpec spec = AskTellSpec("job", 3);
  v1::OutcomeConstraint& bound = *spec.add_outcome_constraints();
  bound.set_metric("loss");
  bound.set_min(1);
  Create(stub(), spec);
  for (const double loss : {0.5, 3.0, 2.0}) {
    const v1::SuggestTrialsResponse held = Suggest(stub(), "tuningJobs/job", "w");
    ASSERT_EQ(held.trials_size(), 1);
    v1::Trial ended;
    ASSERT_TRUE(Complete(stub(), held.trials(0), loss, &ended).ok());
    EXPECT_EQ(ended.state(), v1::Trial::COMPLETED);
  }
  v1::TuningJob job;
  ASSERT_TRUE(Get("tuningJobs/job", &job).ok());
  EXPECT_EQ(job.best_trial().objective(), 2.0);
}

TEST_F(JobsTest, ListsOfComponentsHavePages) {
  v1::ListStrategiesRequest request;
  request.set_page_size(2);
  std::vector<std::string> names;
  do {
    v1::ListStrategiesResponse page;
    ASSERT_TRUE(stub().ListStrategies(Context().get(), request, &page).ok());
    EXPECT_LE(page.strategies_size(), 2);
    for (const v1::ComponentInfo& info : page.strategies()) names.push_back(info.name());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_THAT(names, testing::ElementsAre("bayesian", "random", "grid", "hyperband", "custom"));
  v1::ListExecutorsResponse executors;
  ASSERT_TRUE(stub().ListExecutors(Context().get(), {}, &executors).ok());
  EXPECT_EQ(executors.executors_size(), 7);
  v1::ListEarlyStoppingRulesResponse rules;
  ASSERT_TRUE(stub().ListEarlyStoppingRules(Context().get(), {}, &rules).ok());
  EXPECT_EQ(rules.rules_size(), 6);
}

}  // namespace
}  // namespace tuner::server
