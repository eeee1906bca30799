// From specifications to jobs: what is refused, what is chosen, what is compared.
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/test_server.h"
#include "tuner/requests/added_points.h"
#include "tuner/requests/job_builder.h"
#include "tuner/requests/spec_diff.h"

namespace tuner::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

absl::StatusOr<core::JobHeader> Build(const v1::TuningJobSpec& spec, const std::string& base_dir = "") {
  v1::CreateTuningJobRequest request;
  *request.mutable_spec() = spec;
  request.set_base_dir(base_dir);
  return requests::BuildJob(request);
}

std::vector<std::string> Paths(const absl::Status& status) {
  std::vector<std::string> paths;
  for (const absl::string_view line : absl::StrSplit(status.message(), '\n')) {
    paths.emplace_back(line.substr(0, line.find(": ")));
  }
  return paths;
}

TEST(BuildJobTest, NamesAllBadFieldsInTheirOrder) {
  v1::TuningJobSpec spec = AskTellSpec("no/name");
  spec.mutable_trial()->mutable_process();
  spec.mutable_limits()->set_max_parallel_trials(0);
  spec.mutable_parameters(0)->mutable_double_()->set_min(2);
  spec.mutable_objective()->clear_goal();
  const absl::Status status = Build(spec).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Paths(status), ElementsAre("name", "objective.goal", testing::StartsWith("parameters[0].double"),
                                         "limits.max_parallel_trials", "trial.process.command"));
}

TEST(BuildJobTest, BadParametersBringNoBlameForWhatUsesThem) {
  v1::TuningJobSpec spec = AskTellSpec("job");
  spec.mutable_parameters(0)->mutable_double_()->set_min(2);
  spec.mutable_trial()->mutable_process()->add_command("train");
  spec.mutable_trial()->mutable_process()->add_command("{x}");
  EXPECT_THAT(Paths(Build(spec).status()), ElementsAre(testing::StartsWith("parameters[0].double")));
}

TEST(BuildJobTest, OptionsInAListAreNamedByTheirPlace) {
  v1::TuningJobSpec spec = AskTellSpec("job");
  spec.mutable_trial()->clear_external();
  spec.mutable_trial()->add_executors()->mutable_external();
  spec.mutable_trial()->add_executors()->mutable_process();
  EXPECT_THAT(Paths(Build(spec).status()), ElementsAre("trial.executors[1].process.command"));
}

TEST(BuildJobTest, UnimplementedNamesAllThatIsMissing) {
  v1::TuningJobSpec spec = AskTellSpec("job");
  spec.mutable_strategy()->mutable_custom()->set_name("mine");
  spec.mutable_early_stopping()->mutable_custom()->set_name("mine");
  const absl::Status status = Build(spec).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(status.message()), HasSubstr("strategy.custom"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("early_stopping.custom"));
}

TEST(BuildJobTest, ChoosesASeedAndStoresIt) {
  const absl::StatusOr<core::JobHeader> a = Build(AskTellSpec("job"));
  const absl::StatusOr<core::JobHeader> b = Build(AskTellSpec("job"));
  ASSERT_TRUE(a.ok()) << a.status();
  v1::TuningJobSpec stored_a, stored_b;
  ASSERT_TRUE(stored_a.ParseFromString(a->spec_bytes));
  ASSERT_TRUE(stored_b.ParseFromString(b->spec_bytes));
  EXPECT_TRUE(stored_a.strategy().has_random_seed());
  EXPECT_NE(stored_a.strategy().random_seed(), stored_b.strategy().random_seed());
  EXPECT_EQ(requests::SpecOfHeader(*a)->random_seed, static_cast<uint64_t>(stored_a.strategy().random_seed()));
  EXPECT_NE(a->uid, b->uid);
  EXPECT_EQ(a->uid.size(), 32u);
  EXPECT_EQ(a->spec_hash, b->spec_hash);
}

TEST(BuildJobTest, AGridSetsItsNumberOfTrials) {
  v1::TuningJobSpec spec = AskTellSpec("job");
  spec.mutable_strategy()->mutable_grid();
  spec.mutable_parameters(0)->mutable_double_()->set_grid_points(7);
  spec.mutable_limits()->clear_max_trials();
  absl::StatusOr<core::JobHeader> header = Build(spec);
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_EQ(header->grid_size, 7);
  EXPECT_EQ(header->limits.max_trials, 7);
  spec.mutable_limits()->set_max_trials(3);
  EXPECT_THAT(Paths(Build(spec).status()), ElementsAre("limits.max_trials"));
  spec.mutable_strategy()->mutable_grid()->set_allow_partial(true);
  header = Build(spec);
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_EQ(header->limits.max_trials, 3);
}

TEST(BuildJobTest, AStrategySeesTheLimitsAsCreated) {
  core::JobHeader header = *Build(AskTellSpec("job", 10));
  header.limits.max_trials = 500;
  header.limits.max_parallel_trials = 50;
  const core::JobSpec spec = *requests::SpecOfHeader(header);
  EXPECT_EQ(spec.limits.max_trials, 10);
  EXPECT_EQ(spec.limits.max_parallel_trials, 4);
  v1::Limits update;
  update.set_max_failed_trials(3);
  const core::Limits updated = *requests::UpdatedLimits(header, update);
  EXPECT_EQ(updated.max_trials, 500) << "of those in force";
  EXPECT_EQ(updated.max_failed_trials, 3);
}

TEST(BuildJobTest, LeasesAreResolved) {
  v1::TuningJobSpec spec = AskTellSpec("job");
  EXPECT_EQ(requests::SpecOfHeader(*Build(spec))->trial.executors.at(0).lease, absl::Seconds(300));
  spec.mutable_trial()->mutable_external()->mutable_lease()->set_seconds(5);
  EXPECT_EQ(requests::SpecOfHeader(*Build(spec))->trial.executors.at(0).lease, absl::Seconds(5));
}

TEST(BuildJobTest, ARetryIsTheSameIdWithTheSameRequest) {
  v1::CreateTuningJobRequest request;
  *request.mutable_spec() = AskTellSpec("job");
  request.set_request_id("once");
  const core::JobHeader header = *requests::BuildJob(request);
  EXPECT_TRUE(requests::IsRetry(request, header));
  v1::CreateTuningJobRequest other = request;
  other.set_request_id("twice");
  EXPECT_FALSE(requests::IsRetry(other, header));
  other = request;
  other.mutable_spec()->mutable_limits()->set_max_trials(11);
  EXPECT_FALSE(requests::IsRetry(other, header));
  other = request;
  other.set_base_dir("/elsewhere");
  EXPECT_FALSE(requests::IsRetry(other, header));
  request.clear_request_id();
  EXPECT_FALSE(requests::IsRetry(request, *requests::BuildJob(request)));
}

TEST(BuildJobTest, ProvenanceHashesFilesAndNamesTheRevision) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() + "/train.py") << "abc";
  v1::TuningJobSpec spec = AskTellSpec("job");
  for (const char* word : {"python3", "train.py", "--rate", "{x}"}) {
    spec.mutable_trial()->mutable_process()->add_command(word);
  }
  const auto provenance = [&] {
    v1::Provenance out;
    const absl::StatusOr<core::JobHeader> header = Build(spec, folder.path());
    EXPECT_TRUE(header.ok()) << header.status();
    EXPECT_TRUE(out.ParseFromString(header->provenance_bytes));
    return out;
  };
  v1::Provenance found = provenance();
  EXPECT_EQ(found.command(), "python3 train.py --rate {x}");
  EXPECT_THAT(found.file_hashes(),
              ElementsAre(Pair("train.py", "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")));
  EXPECT_FALSE(found.server_version().empty());
  const std::string git = absl::StrCat("cd ", folder.path(),
                                       " && git init -q . && git add train.py && git -c user.name=a -c user.email=a@b "
                                       "commit -q -m first > /dev/null 2>&1");
  if (std::system(git.c_str()) != 0) GTEST_SKIP() << "git is not there";
  EXPECT_THAT(provenance().git_revision(), testing::MatchesRegex("[0-9a-f]{40}"));
  std::ofstream(folder.path() + "/train.py") << "abcd";
  EXPECT_THAT(provenance().git_revision(), testing::MatchesRegex("[0-9a-f]{40}-dirty"));
}

TEST(SpecDiffTest, NamesPathsWithBothValues) {
  const v1::TuningJobSpec a = AskTellSpec("a", 10);
  v1::TuningJobSpec b = AskTellSpec("a", 20);
  EXPECT_TRUE(requests::DiffSpecs(a, a).empty());
  b.mutable_parameters(0)->mutable_double_()->set_max(2.5);
  b.mutable_objective()->set_goal(v1::Objective::MAXIMIZE);
  (*b.mutable_static_parameters())["rounds"].set_number_value(60);
  (*b.mutable_tags())["team"] = "x\"y";
  b.mutable_strategy()->mutable_grid();
  const std::vector<requests::SpecDifference> differences = requests::DiffSpecs(a, b);
  std::vector<std::pair<std::string, std::vector<std::string>>> seen;
  for (const requests::SpecDifference& each : differences) seen.emplace_back(each.path, each.values);
  EXPECT_THAT(seen,
              ElementsAre(Pair("objective.goal", ElementsAre("\"MINIMIZE\"", "\"MAXIMIZE\"")),
                          Pair("parameters[0].double.max", ElementsAre("1", "2.5")),
                          Pair("static_parameters.rounds", ElementsAre("", "60")),
                          Pair("strategy.random", ElementsAre("{}", "")), Pair("strategy.grid", ElementsAre("", "{}")),
                          Pair("limits.max_trials", ElementsAre("10", "20")),
                          Pair("tags.team", ElementsAre("", "\"x\\\"y\""))));
}

TEST(SpecDiffTest, AStoredJobIsTheSameAsItsFile) {
  const v1::TuningJobSpec file = AskTellSpec("job");
  v1::TuningJobSpec stored;
  ASSERT_TRUE(stored.ParseFromString(Build(file)->spec_bytes));
  EXPECT_TRUE(requests::DiffFromStored(stored, file, "").empty());
  v1::TuningJobSpec changed = file;
  changed.mutable_limits()->set_max_trials(99);
  EXPECT_TRUE(requests::DiffFromStored(stored, changed, "").empty()) << "limits may change";
  changed.mutable_strategy()->set_random_seed(stored.strategy().random_seed() + 1);
  const std::vector<requests::SpecDifference> differences = requests::DiffFromStored(stored, changed, "");
  ASSERT_EQ(differences.size(), 1u);
  EXPECT_EQ(differences[0].path, "strategy.random_seed");
}

TEST(AddedPointsTest, AllProblemsOfAllPoints) {
  const core::JobSpec spec = *requests::SpecOfHeader(*Build(AskTellSpec("job")));
  v1::AddTrialsRequest request;
  EXPECT_TRUE(absl::IsInvalidArgument(requests::ReadAddedPoints(request, spec).status()));
  (*request.add_trials()->mutable_parameters())["x"].set_number_value(0.5);
  v1::Trial& imported = *request.add_trials();
  (*imported.mutable_parameters())["x"].set_number_value(0.25);
  imported.set_state(v1::Trial::COMPLETED);
  (*imported.mutable_final_metrics())["loss"] = 3;
  const absl::StatusOr<core::TrialsAdded> added = requests::ReadAddedPoints(request, spec);
  ASSERT_TRUE(added.ok()) << added.status();
  EXPECT_EQ(added->points.at(0).state, core::TrialState::kQueued);
  EXPECT_EQ(added->points.at(1).state, core::TrialState::kCompleted);

  (*request.mutable_trials(0)->mutable_parameters())["x"].set_number_value(7);
  (*request.mutable_trials(1)->mutable_parameters())["y"].set_number_value(7);
  imported.clear_final_metrics();
  v1::Trial& running = *request.add_trials();
  (*running.mutable_parameters())["x"].set_number_value(0.5);
  running.set_state(v1::Trial::RUNNING);
  const std::string message(requests::ReadAddedPoints(request, spec).status().message());
  for (const char* path : {"trials[0]", "trials[1]", "trials[1].final_metrics", "trials[2].state"}) {
    EXPECT_THAT(message, HasSubstr(path));
  }
}

}  // namespace
}  // namespace tuner::server
