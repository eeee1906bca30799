// Warm starts over gRPC: what is refused and why, lineage, the overall best, replay after a restart; and inputs that
// are an earlier job's best artefact.
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/test_server.h"

namespace tuner::server {
namespace {

using grpc::StatusCode;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class WarmStartTest : public testing::Test {
 protected:
  ServerConfig Stored() const {
    ServerConfig config;
    config.storage_uri = absl::StrCat("sqlite:", folder_.path(), "/tuner.db");
    config.supervisor_path = TUNER_SUPERVISOR;
    return config;
  }
  grpc::Status TryCreate(const v1::TuningJobSpec& spec, v1::TuningJob* job = nullptr,
                         const std::string& request_id = "") {
    v1::CreateTuningJobRequest request;
    *request.mutable_spec() = spec;
    request.set_request_id(request_id);
    v1::CreateTuningJobResponse response;
    grpc::Status status = stub().CreateTuningJob(Context().get(), request, &response);
    if (job != nullptr) *job = response.job();
    return status;
  }
  v1::TuningJob Get(const std::string& name) {
    v1::GetTuningJobRequest request;
    request.set_name(name);
    v1::TuningJob job;
    EXPECT_TRUE(stub().GetTuningJob(Context().get(), request, &job).ok());
    return job;
  }
  void Delete(const std::string& name) {
    v1::DeleteTuningJobRequest request;
    request.set_name(name);
    google::protobuf::Empty empty;
    const grpc::Status status = stub().DeleteTuningJob(Context().get(), request, &empty);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
  // Runs `count` trials of an external job: (x - 0.3)^2 + offset.
  void Work(const std::string& job, int count, double offset = 0) {
    for (int i = 0; i < count; ++i) {
      const v1::SuggestTrialsResponse answer = Suggest(stub(), job, "worker");
      ASSERT_EQ(answer.trials_size(), 1) << answer.reason();
      const double x = answer.trials(0).parameters().at("x").number_value();
      ASSERT_TRUE(Complete(stub(), answer.trials(0), (x - 0.3) * (x - 0.3) + offset).ok());
    }
  }
  static v1::TuningJobSpec ChildSpec(const std::string& name, v1::WarmStart::Type type,
                                     const std::vector<std::string>& parents) {
    v1::TuningJobSpec spec = AskTellSpec(name);
    spec.mutable_strategy()->mutable_bayesian();
    for (const std::string& parent : parents) spec.mutable_warm_start()->add_parents("tuningJobs/" + parent);
    spec.mutable_warm_start()->set_type(type);
    return spec;
  }
  // A finished job of random search.
  void Parent(const std::string& name, double offset = 0) {
    Create(stub(), AskTellSpec(name, 6));
    Work("tuningJobs/" + name, 6, offset);
  }
  TestServer::Stub& stub() { return server_.stub(); }

  TemporaryFolder folder_;
  TestServer server_{Stored()};
};

constexpr auto kIdentical = v1::WarmStart::IDENTICAL_DATA_AND_ALGORITHM;
constexpr auto kTransfer = v1::WarmStart::TRANSFER_LEARNING;

TEST_F(WarmStartTest, RefusalsNameTheParentAndTheParameter) {
  Create(stub(), AskTellSpec("running"));
  Parent("done");
  grpc::Status status = TryCreate(ChildSpec("child", kIdentical, {"done", "none", "running"}));
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), AllOf(HasSubstr("warm_start.parents[1]: there is no job none"),
                                            HasSubstr("warm_start.parents[2]: running: still runs")));
  v1::TuningJobSpec other = ChildSpec("child", kTransfer, {"done"});
  other.mutable_parameters(0)->mutable_integer()->set_max(9);
  status = TryCreate(other);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("warm_start.parents[0]: done: parameter x is an integer here"));
  other = ChildSpec("child", kTransfer, {"done"});
  other.mutable_strategy()->mutable_grid();
  EXPECT_THAT(TryCreate(other).error_message(), HasSubstr("warm_start: strategy grid tries every combination once"));
}

TEST_F(WarmStartTest, LineageAndOverallBest) {
  Parent("first", 0.5);
  Parent("second");
  v1::TuningJob child;
  ASSERT_TRUE(TryCreate(ChildSpec("child", kIdentical, {"first", "second"}), &child, "id").ok());
  ASSERT_TRUE(TryCreate(ChildSpec("other", kTransfer, {"second"})).ok());
  const v1::Trial best = Get("tuningJobs/second").best_trial();
  EXPECT_EQ(child.overall_best_trial().name(), best.name());
  EXPECT_EQ(child.overall_best_trial().objective(), best.objective());
  EXPECT_FALSE(child.has_best_trial());
  EXPECT_THAT(Get("tuningJobs/first").child_jobs(), ElementsAre("tuningJobs/child"));
  EXPECT_THAT(Get("tuningJobs/second").child_jobs(), ElementsAre("tuningJobs/other", "tuningJobs/child"));
  EXPECT_FALSE(Get("tuningJobs/other").has_overall_best_trial());
  EXPECT_THAT(Get("tuningJobs/child").spec().warm_start().parents(),
              ElementsAre("tuningJobs/first", "tuningJobs/second"));

  Work("tuningJobs/child", 1, 7);  // no better
  EXPECT_EQ(Get("tuningJobs/child").overall_best_trial().name(), best.name());
  Work("tuningJobs/child", 1, -7);
  EXPECT_EQ(Get("tuningJobs/child").overall_best_trial().name(), "tuningJobs/child/trials/2");
  // A parent may go, also before a retry of what named it.
  Delete("tuningJobs/second");
  v1::TuningJob again;
  ASSERT_TRUE(TryCreate(ChildSpec("child", kIdentical, {"first", "second"}), &again, "id").ok());
  EXPECT_EQ(again.uid(), child.uid());
  // Another job of the same name is not its child's parent.
  Parent("second");
  EXPECT_THAT(Get("tuningJobs/second").child_jobs(), IsEmpty());
}

TEST_F(WarmStartTest, SuggestionsAreReplayedWithoutTheParentAfterARestart) {
  for (const auto type : {kIdentical, kTransfer}) {
    const std::string n = absl::StrCat(type);
    Parent("parent" + n);
    ASSERT_TRUE(TryCreate(ChildSpec("child" + n, type, {"parent" + n})).ok());
    Work("tuningJobs/child" + n, 4);
    Delete("tuningJobs/parent" + n);
    server_.Restart();
    Work("tuningJobs/child" + n, 3);
    v1::ReplayTuningJobRequest request;
    request.set_name("tuningJobs/child" + n);
    v1::ReplayTuningJobResponse report;
    ASSERT_TRUE(stub().ReplayTuningJob(Context().get(), request, &report).ok());
    EXPECT_EQ(report.suggestion_count(), 7);
    EXPECT_EQ(report.identical_count(), 7) << report.ShortDebugString();
  }
}

TEST_F(WarmStartTest, AnInputMayBeTheModelOfAnEarlierJob) {
  v1::TuningJobSpec train = AskTellSpec("train", 1, 1);
  train.mutable_trial()->mutable_process()->add_command("/bin/sh");
  train.mutable_trial()->mutable_process()->add_command("-c");
  train.mutable_trial()->mutable_process()->add_command("echo trained > $SM_MODEL_DIR/weights; echo loss=0.5");
  v1::MetricDefinition& metric = *train.mutable_trial()->add_metrics();
  metric.set_name(train.objective().metric());
  metric.set_regex("loss=([0-9.]+)");
  const auto await = [&](const std::string& name) {
    v1::WatchTuningJobRequest request;
    request.set_name(name);
    const auto context = Context();
    const auto stream = stub().WatchTuningJob(context.get(), request);
    v1::WatchTuningJobResponse event;
    while (stream->Read(&event)) {
      if (Get(name).state() >= v1::TuningJob::COMPLETED) context->TryCancel();
    }
    return Get(name);
  };
  v1::TuningJobSpec next = train;
  next.set_name("next");
  next.mutable_trial()->mutable_process()->set_command(2, "cat $SM_CHANNEL_MODEL/weights; echo loss=0.25");
  v1::Channel& channel = *next.mutable_trial()->add_inputs();
  channel.set_name("model");
  channel.set_best_artifact_of("tuningJobs/train");
  EXPECT_THAT(TryCreate(next).error_message(), HasSubstr("trial.inputs[0].best_artifact_of: there is no job train"));
  ASSERT_TRUE(TryCreate(train).ok());
  const v1::TuningJob trained = await("tuningJobs/train");
  ASSERT_EQ(trained.state(), v1::TuningJob::COMPLETED) << trained.reason();
  v1::TuningJob job;
  ASSERT_TRUE(TryCreate(next, &job).ok());
  EXPECT_THAT(job.spec().trial().inputs(0).artifact_path(), HasSubstr("/model"));
  job = await("tuningJobs/next");
  ASSERT_EQ(job.state(), v1::TuningJob::COMPLETED) << job.reason();
  std::ifstream log(job.best_trial().attempts(0).artifact_path() + "/stdout.log");
  std::string line;
  std::getline(log, line);
  EXPECT_EQ(line, "trained");
  // Its best trial left no model.
  v1::TuningJobSpec third = next;
  third.set_name("third");
  third.mutable_trial()->mutable_inputs(0)->set_best_artifact_of("tuningJobs/next");
  EXPECT_THAT(TryCreate(third).error_message(), HasSubstr("job next: its best trial 1 left nothing in"));
}

}  // namespace
}  // namespace tuner::server
