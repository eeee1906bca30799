// Each remark of Advise: when it comes, when it does not, and its words.
#include <functional>
#include <string>
#include <vector>

#include "core/validate.h"
#include "gtest/gtest.h"
#include "tests/core/random_space.h"

namespace tuner::core {
namespace {

JobSpec GoodSpec() {
  JobSpec spec;
  spec.name = "job";
  spec.objective.metric = "loss";
  spec.space = SearchSpace::Make({Named("eta", DoubleDomain{.min = 0.01, .max = 0.5, .scale = Scale::kLog}),
                                  Named("depth", IntegerDomain{.min = 2, .max = 10})});
  spec.strategy.name = "bayesian";
  spec.limits.max_trials = 50;
  spec.limits.max_parallel_trials = 4;
  spec.trial.executors = {{.options = {.name = "process"}}};
  spec.trial.metrics = {{.name = "loss", .regex = "loss=(.*)"}};
  return spec;
}

void Constrain(JobSpec& spec, const std::vector<std::string>& constraints) {
  Problems problems;
  spec.constraints = ConstraintSet::Parse(constraints, &spec.space, {}, problems);
  for (const Problem& problem : problems) ADD_FAILURE() << problem.path << ": " << problem.text;
}

struct Case {
  std::function<void(JobSpec&)> change;
  std::string advice;
};

void SetSpace(JobSpec& spec, std::vector<Parameter> parameters) {
  spec.space = SearchSpace::Make(std::move(parameters));
}

TEST(AdviceTest, EachRemark) {
  const std::vector<Case> cases = {
      {[](JobSpec&) {}, ""},
      {[](JobSpec& s) { Constrain(s, {"eta <= 0.02"}); }, ""},
      {[](JobSpec& s) {
         Constrain(s, {"eta <= 0.01", "depth = 2"});
       },
       "constraints: none of 10000 random points satisfies them all; ranges that lie closer around what is allowed are "
       "searched better.\n"},
      {[](JobSpec& s) {
         Constrain(s, {"eta <= 0.0101", "depth <= 3"});
       },
       "constraints: 5 of 10000 random points satisfy them all; ranges that lie closer around what is allowed are "
       "searched better.\n"},
      {[](JobSpec& s) { SetSpace(s, {Named("lr", DoubleDomain{.min = 1e-5, .max = 1e-2, .scale = Scale::kLinear})}); },
       "parameters.lr.double.scale: lr ranges from 1e-05 to 0.01 on a LINEAR scale, so nine in ten trials fall into "
       "the highest decade; "
       "LOG gives each decade its share.\n"},
      {[](JobSpec& s) { SetSpace(s, {Named("lr", DoubleDomain{.min = 1e-5, .max = 1e-2})}); }, ""},  // AUTO is LOG here
      {[](JobSpec& s) { SetSpace(s, {Named("lr", DoubleDomain{.min = 0.1, .max = 99, .scale = Scale::kLinear})}); },
       ""},
      {[](JobSpec& s) { SetSpace(s, {Named("n", IntegerDomain{.min = 1, .max = 1000, .scale = Scale::kLinear})}); },
       "parameters.n.integer.scale: n ranges from 1 to 1000 on a LINEAR scale, so nine in ten trials fall into the "
       "highest decade; LOG "
       "gives each decade its share.\n"},
      {[](JobSpec& s) {
         SetSpace(s, {Named("batch", CategoricalDomain{{"16", "32", "64"}})});
       },
       "parameters.batch.categorical: the values of batch are all numbers; as a discrete parameter their order and "
       "distances would "
       "count.\n"},
      {[](JobSpec& s) {
         SetSpace(s, {Named("batch", CategoricalDomain{{"16", "32", "auto"}})});
       },
       ""},
      {[](JobSpec& s) { s.limits = {.max_trials = 9}; },
       "limits.max_trials: 9 trials are few for 2 parameters; run 10 or more, or tune only the parameters that matter "
       "most.\n"},
      {[](JobSpec& s) { s.limits = {.max_trials = 10}; }, ""},
      {[](JobSpec& s) { s.limits.max_parallel_trials = 11; },
       "limits.max_parallel_trials: with 11 of 50 trials at a time, strategy bayesian chooses most of them before it "
       "has learnt from "
       "others; 10 at a time or fewer find better ones.\n"},
      {[](JobSpec& s) { s.limits.max_parallel_trials = 10; }, ""},
      {[](JobSpec& s) {
         s.limits.max_parallel_trials = 50;
         s.strategy.name = "random";
       },
       ""},
      {[](JobSpec& s) {
         s.strategy.name = "grid";
         s.limits.max_trials = 100;
         SetSpace(s, {Named("a", IntegerDomain{.min = 1, .max = 999}),
                      Named("b", DoubleDomain{.min = 0, .max = 1, .grid_points = 11})});
       },
       "strategy.grid: the grid has 10989 combinations; take fewer values (a has 999), or the random strategy, which "
       "needs far fewer "
       "trials for as good a result.\n"},
      {[](JobSpec& s) { s.limits.max_trials = 200; },
       "strategy: if trials report the objective as they go, hyperband would end most of these 200 trials early and "
       "spend the time on the "
       "promising ones.\n"},
      {[](JobSpec& s) { s.trial.metrics[0].name = "accuracy"; },
       "trial.metrics: has no regex for the objective \"loss\", so every trial has to report it by gRPC; one that does "
       "not, fails.\n"},
      {[](JobSpec& s) {
         s.additional_objectives = {{.metric = "size"}};
         s.outcome_constraints = {{.metric = "latency", .max = 1}, {.metric = "loss", .max = 1}};
       },
       "trial.metrics: has no regex for the objective \"size\", so every trial has to report it by gRPC; one that does "
       "not, fails.\n"
       "trial.metrics: has no regex for the outcome constraint on \"latency\", so every trial has to report it by "
       "gRPC; "
       "one that does not, fails.\n"},
      {[](JobSpec& s) {
         s.trial.metrics.clear();
         s.trial.executors[0].options.name = "external";
       },
       ""},
      {[](JobSpec& s) {
         s.trial.time_limit = absl::Hours(2);
         s.limits.max_run_time = absl::Hours(1);
       },
       "trial.time_limit: 2h is more than the whole job's 1h (limits.max_run_time), so it never applies.\n"},
  };
  for (const Case& c : cases) {
    JobSpec spec = GoodSpec();
    c.change(spec);
    std::string text;
    for (const std::string& sentence : Advise(spec)) text += sentence + "\n";
    EXPECT_EQ(text, c.advice);
  }
}

TEST(AdviceTest, HugeGridsPrintTheirSize) {
  JobSpec spec = GoodSpec();
  spec.strategy.name = "grid";
  std::vector<Parameter> parameters;
  for (int i = 0; i < 60; ++i) parameters.push_back(Named(absl::StrCat("p", i), IntegerDomain{.min = 0, .max = 999}));
  SetSpace(spec, std::move(parameters));
  const std::vector<std::string> advice = Advise(spec);
  ASSERT_EQ(advice.size(), 1u);
  EXPECT_NE(advice[0].find("has about 3.40282e+38 combinations"), std::string::npos) << advice[0];
}

}  // namespace
}  // namespace tuner::core
