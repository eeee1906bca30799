// Constraints over the wire: refused, kept by what is suggested and enqueued, and the reason of a job that is through.
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/test_server.h"

namespace tuner::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// x in [0, 1], a and b from 0 to 9.
v1::TuningJobSpec Constrained(const std::vector<std::string>& constraints, int max_trials = 50) {
  v1::TuningJobSpec spec = AskTellSpec("job", max_trials);
  spec.clear_parameters();
  for (const char* name : {"a", "b"}) {
    v1::Parameter& parameter = *spec.add_parameters();
    parameter.set_name(name);
    parameter.mutable_integer()->set_min(0);
    parameter.mutable_integer()->set_max(9);
  }
  for (const std::string& constraint : constraints) spec.add_constraints(constraint);
  return spec;
}

v1::TuningJob Get(TestServer& server) {
  v1::GetTuningJobRequest request;
  request.set_name("tuningJobs/job");
  v1::TuningJob job;
  EXPECT_TRUE(server.stub().GetTuningJob(Context().get(), request, &job).ok());
  return job;
}

TEST(ConstraintsTest, AllThatIsWrongIsSaidAtOnce) {
  TestServer server;
  v1::CreateTuningJobRequest request;
  *request.mutable_spec() = Constrained({"a <= b", "a * b <= 3", "c <= 3", "a + b > 18"});
  v1::CreateTuningJobResponse created;
  const grpc::Status status = server.stub().CreateTuningJob(Context().get(), request, &created);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(),
              AllOf(HasSubstr("constraints[1]: at character 1 `a * b` multiplies"),
                    HasSubstr("constraints[2]: at character 1 `c` is no parameter; give one of a, b")));
  *request.mutable_spec() = Constrained({"a <= b", "a + b > 18"});
  EXPECT_THAT(server.stub().CreateTuningJob(Context().get(), request, &created).error_message(),
              HasSubstr("constraints[1]: `a + b > 18` holds for no point of the search space"));
}

TEST(ConstraintsTest, AJobEndsWhenEveryFeasiblePointWasTried) {
  TestServer server;
  const v1::TuningJob created = Create(server.stub(), Constrained({"a + b = 3 and a != 1"}));
  ASSERT_EQ(created.spec().constraints_size(), 1);
  std::set<std::string> seen;
  for (int i = 0; i < 3; ++i) {
    const v1::SuggestTrialsResponse held = Suggest(server.stub(), created.name(), "w");
    ASSERT_EQ(held.trials_size(), 1) << held.reason();
    const double a = held.trials(0).parameters().at("a").number_value();
    const double b = held.trials(0).parameters().at("b").number_value();
    EXPECT_EQ(a + b, 3);
    EXPECT_NE(a, 1);
    seen.insert(held.trials(0).parameters().at("a").DebugString());
    ASSERT_TRUE(Complete(server.stub(), held.trials(0), a).ok());
  }
  EXPECT_EQ(seen.size(), 3u);
  EXPECT_EQ(Suggest(server.stub(), created.name(), "w").trials_size(), 0);
  const v1::TuningJob job = Get(server);
  EXPECT_EQ(job.state(), v1::TuningJob::COMPLETED);
  EXPECT_EQ(job.reason(),
            "all 3 trials have ended; the strategy has no more: all 3 points of the search space that satisfy the "
            "constraints have been tried or are pending");
}

TEST(ConstraintsTest, EnqueuedPointsKeepThemAndImportedOnesNeedNot) {
  TestServer server;
  const v1::TuningJob job = Create(server.stub(), Constrained({"a < 9", "a <= b"}));
  v1::AddTrialsRequest request;
  request.set_parent(job.name());
  v1::Trial& trial = *request.add_trials();
  (*trial.mutable_parameters())["a"].set_number_value(3);
  (*trial.mutable_parameters())["b"].set_number_value(2);
  v1::AddTrialsResponse response;
  const grpc::Status refused = server.stub().AddTrials(Context().get(), request, &response);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(
      refused.error_message(),
      "trials[0]: breaks constraints[1] `a <= b`; change its parameters, or import it with a state if it has been "
      "run");
  trial.set_state(v1::Trial::COMPLETED);
  (*trial.mutable_final_metrics())["loss"] = 1;
  const grpc::Status imported = server.stub().AddTrials(Context().get(), request, &response);
  EXPECT_TRUE(imported.ok()) << imported.error_message();
  trial.clear_state();
  trial.clear_final_metrics();
  (*trial.mutable_parameters())["b"].set_number_value(3);
  const grpc::Status enqueued = server.stub().AddTrials(Context().get(), request, &response);
  EXPECT_TRUE(enqueued.ok()) << enqueued.error_message();
}

TEST(ConstraintsTest, AGridHasTheCombinationsThatAreLeft) {
  TestServer server;
  v1::TuningJobSpec spec = Constrained({"a < b"});
  spec.mutable_strategy()->mutable_grid();
  spec.mutable_limits()->clear_max_trials();
  const v1::TuningJob job = Create(server.stub(), spec);
  EXPECT_EQ(job.grid_size(), 45);
  EXPECT_EQ(job.spec().limits().max_trials(), 45);
}

}  // namespace
}  // namespace tuner::server
