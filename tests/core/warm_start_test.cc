#include "core/warm_start.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "tests/core/random_space.h"

namespace tuner::core {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kPath[] = "warm_start.parents[0]";

JobSpec ParentSpec() {
  JobSpec spec;
  spec.name = "parent";
  spec.objective = {.metric = "loss", .goal = Goal::kMinimize};
  spec.space = SearchSpace::Make({Named("eta", DoubleDomain{.min = 0.01, .max = 1}),
                                  Named("depth", IntegerDomain{.min = 1, .max = 9}),
                                  Named("booster", CategoricalDomain{{"tree", "dart"}})});
  spec.static_parameters = {{"rounds", 60.0}, {"mode", std::string("fast")}};
  return spec;
}

JobSpec ChildSpec(WarmStart::Type type = WarmStart::Type::kIdentical) {
  JobSpec spec = ParentSpec();
  spec.name = "child";
  spec.warm_start = WarmStart{.type = type, .parents = {"parent"}, .jobs = nullptr};
  return spec;
}

std::vector<std::string> Texts(const JobSpec& child, const JobSpec& parent = ParentSpec(),
                               JobStatus status = JobStatus::kCompleted) {
  std::vector<std::string> texts;
  for (const Problem& problem : ValidateParent(child, parent, status, kPath)) {
    EXPECT_EQ(problem.path, kPath);
    EXPECT_THAT(problem.text, HasSubstr("parent: "));
    texts.push_back(problem.text);
  }
  return texts;
}

TEST(ValidateParentTest, EndedJobsOfTheSameShapeMayBeParents) {
  for (const JobStatus status : {JobStatus::kCompleted, JobStatus::kStopped, JobStatus::kFailed}) {
    EXPECT_THAT(Texts(ChildSpec(), ParentSpec(), status), IsEmpty());
  }
  for (const JobStatus status : {JobStatus::kRunning, JobStatus::kStopping}) {
    EXPECT_THAT(Texts(ChildSpec(), ParentSpec(), status), ElementsAre(HasSubstr("still runs")));
  }
}

TEST(ValidateParentTest, ObjectivesAreTheSame) {
  JobSpec child = ChildSpec();
  child.objective.goal = Goal::kMaximize;
  EXPECT_THAT(Texts(child), ElementsAre(HasSubstr("its objective is MINIMIZE loss")));
  child = ChildSpec();
  child.objective.metric = "auc";
  EXPECT_THAT(Texts(child), ElementsAre(HasSubstr("MINIMIZE loss")));
  child = ChildSpec();
  child.additional_objectives = {{.metric = "size", .goal = Goal::kMinimize}};
  EXPECT_THAT(Texts(child), ElementsAre(HasSubstr("MINIMIZE loss")));
  JobSpec parent = ParentSpec();
  parent.additional_objectives = child.additional_objectives;
  EXPECT_THAT(Texts(child, parent), IsEmpty());
  child.objective.target = 0.5;  // what is wanted of it may change
  EXPECT_THAT(Texts(child, parent), IsEmpty());
}

TEST(ValidateParentTest, RangesMayChangeAndKindsMayNot) {
  JobSpec child = ChildSpec();
  child.space = SearchSpace::Make({Named("eta", DoubleDomain{.min = 1e-6, .max = 10, .scale = Scale::kLog}),
                                   Named("depth", IntegerDomain{.min = 5, .max = 50}),
                                   Named("booster", CategoricalDomain{{"tree", "linear"}})});
  EXPECT_THAT(Texts(child), IsEmpty());
  child.space =
      SearchSpace::Make({Named("eta", CategoricalDomain{{"a", "b"}}), Named("depth", DoubleDomain{.min = 5, .max = 50}),
                         Named("booster", BooleanDomain{})});
  EXPECT_THAT(Texts(child), ElementsAre(AllOf(HasSubstr("parameter eta is a categorical here and a double there")),
                                        AllOf(HasSubstr("parameter depth is a double here and an integer there")),
                                        AllOf(HasSubstr("parameter booster is a boolean here"))));
}

TEST(ValidateParentTest, ParametersMayMoveBetweenTunedAndStatic) {
  JobSpec child = ChildSpec();
  child.space = SearchSpace::Make({Named("eta", DoubleDomain{.min = 0.01, .max = 1}),
                                   Named("booster", CategoricalDomain{{"tree", "dart"}}),
                                   Named("rounds", IntegerDomain{.min = 10, .max = 100})});
  child.static_parameters = {{"depth", 4.0}, {"mode", std::string("fast")}};
  EXPECT_THAT(Texts(child), IsEmpty());
  child.static_parameters["depth"] = 4.5;
  EXPECT_THAT(Texts(child), ElementsAre(HasSubstr("static_parameters.depth is 4.5 here and an integer")));
  child.static_parameters["depth"] = std::string("deep");
  EXPECT_THAT(Texts(child), ElementsAre(HasSubstr("static_parameters.depth is deep here")));
  child = ChildSpec();
  child.static_parameters["mode"] = 3.0;
  EXPECT_THAT(Texts(child), ElementsAre(HasSubstr("static_parameters.mode is 3 here and fast there")));
  child = ChildSpec();
  child.space = SearchSpace::Make(
      {Named("eta", DoubleDomain{.min = 0.01, .max = 1}), Named("depth", IntegerDomain{.min = 1, .max = 9}),
       Named("booster", CategoricalDomain{{"tree", "dart"}}), Named("mode", BooleanDomain{})});
  child.static_parameters.erase("mode");
  EXPECT_THAT(Texts(child), ElementsAre(HasSubstr("parameter mode is a boolean here and fixed there to fast, a text")));
}

TEST(ValidateParentTest, NamesAreNeitherAddedNorDropped) {
  JobSpec child = ChildSpec();
  child.static_parameters.erase("rounds");
  child.static_parameters["extra"] = 1.0;
  EXPECT_THAT(Texts(child),
              ElementsAre(HasSubstr("has no parameter extra"), HasSubstr("its parameter rounds is missing")));
  child = ChildSpec();
  child.space = SearchSpace::Make({Named("eta", DoubleDomain{.min = 0.01, .max = 1}),
                                   Named("depth", IntegerDomain{.min = 1, .max = 9}), Named("more", BooleanDomain{})});
  EXPECT_THAT(Texts(child),
              ElementsAre(HasSubstr("has no parameter more"), HasSubstr("its parameter booster is missing")));
}

// The guide of SageMaker counts two changes both for a categorical of two values that becomes static, and for a static
// value that becomes another.
TEST(ValidateParentTest, IdenticalJobsMayDifferInTenFixedValues) {
  JobSpec parent = ParentSpec();
  JobSpec child = ChildSpec();
  for (int i = 0; i < 6; ++i) {
    const std::string name = absl::StrCat("s", i);
    parent.static_parameters[name] = std::string("red");
    child.static_parameters[name] = std::string(i < 5 ? "blue" : "red");
  }
  EXPECT_THAT(Texts(child, parent), IsEmpty());  // 5 * 2
  child.space = SearchSpace::Make(
      {Named("eta", DoubleDomain{.min = 0.01, .max = 1}), Named("depth", IntegerDomain{.min = 1, .max = 9})});
  child.static_parameters["booster"] = std::string("dart");  // two values more
  EXPECT_THAT(Texts(child, parent), ElementsAre(AllOf(HasSubstr("differ from it by 12 values"), HasSubstr("booster"),
                                                      HasSubstr("TRANSFER_LEARNING"))));
  child.warm_start->type = WarmStart::Type::kTransfer;
  EXPECT_THAT(Texts(child, parent), IsEmpty());
}

Trial TrialOf(int32_t number, TrialState state, double objective) {
  Trial trial;
  trial.number = number;
  trial.state = state;
  trial.finish_seq = 100 - number;
  trial.parameters = {{"eta", 0.1 * number}};
  if (state == TrialState::kCompleted) trial.objective = objective;
  trial.final_metrics = {{"loss", objective}, {"size", 10.0 * number}};
  trial.attempts.emplace_back();
  return trial;
}

TEST(ParentOfTest, KeepsTrialsThatSaySomethingInTheOrderInWhichTheyFinished) {
  JobHeader header;
  header.job_id = "parent";
  header.uid = "uid";
  std::vector<Trial> trials = {TrialOf(1, TrialState::kCompleted, 1),  TrialOf(2, TrialState::kFailed, 1),
                               TrialOf(3, TrialState::kStopped, 1),    TrialOf(4, TrialState::kEarlyStopped, 1),
                               TrialOf(5, TrialState::kInfeasible, 1), TrialOf(6, TrialState::kCompleted, 0.5)};
  trials.push_back(TrialOf(7, TrialState::kCompleted, 0.5));
  trials.back().origin = TrialOrigin::kReused;
  trials[0].origin = TrialOrigin::kImported;  // as good as any
  trials.push_back(TrialOf(8, TrialState::kEarlyStopped, 0.7));
  trials.back().rungs.push_back({.resource = 3, .objective = 0.7});  // not promoted by Hyperband
  const ParentJob parent = ParentOf(header, ParentSpec(), trials);
  EXPECT_EQ(parent.uid, "uid");
  EXPECT_EQ(parent.static_parameters, ParentSpec().static_parameters);
  std::vector<int32_t> numbers;
  for (const Trial& trial : parent.trials) {
    numbers.push_back(trial.number);
    EXPECT_THAT(trial.attempts, IsEmpty());
  }
  EXPECT_THAT(numbers, ElementsAre(8, 6, 5, 2, 1));
  EXPECT_EQ(parent.trials.front().rungs.front().resource, 3);
}

TEST(BestOfParentsTest, IsTheFirstOfTheBestThatKeepTheChildsConstraints) {
  const ParentJobs parents = {
      {"a", "", {}, {TrialOf(1, TrialState::kCompleted, 3), TrialOf(2, TrialState::kCompleted, 1)}},
      {"b", "", {}, {TrialOf(1, TrialState::kCompleted, 1), TrialOf(3, TrialState::kCompleted, 2)}}};
  JobSpec child = ChildSpec();
  EXPECT_EQ(BestOfParents(child, parents)->job_id, "a");
  EXPECT_EQ(BestOfParents(child, parents)->trial.number, 2);
  child.outcome_constraints = {{.metric = "size", .min = {}, .max = 15}};
  EXPECT_EQ(BestOfParents(child, parents)->job_id, "b");
  child.objective.goal = Goal::kMaximize;
  EXPECT_EQ(BestOfParents(child, parents)->trial.objective, 3);
  EXPECT_FALSE(BestOfParents(child, {}).has_value());
  child.additional_objectives.emplace_back();
  EXPECT_FALSE(BestOfParents(child, parents).has_value());
}

}  // namespace
}  // namespace tuner::core
