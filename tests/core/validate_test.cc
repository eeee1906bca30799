// Every message of validate.h: what is refused, where, and in which words.
#include "core/validate.h"

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/core/random_space.h"

namespace tuner::core {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::string Print(const Problems& problems) {
  std::string text;
  for (const Problem& problem : problems)
    absl::StrAppend(&text, text.empty() ? "" : "\n", problem.path, ": ", problem.text);
  return text;
}

// As the converter fills in the paths: parameters[i], and parameters[i].children[0].parameters[k] below.
std::vector<Parameter> WithPaths(std::vector<Parameter> parameters) {
  std::vector<int> children(parameters.size());
  int roots = 0;
  for (Parameter& parameter : parameters) {
    parameter.path = parameter.parent < 0 ? absl::StrCat("parameters[", roots++, "]")
                                          : absl::StrCat(parameters[parameter.parent].path, ".children[0].parameters[",
                                                         children[parameter.parent]++, "]");
  }
  return parameters;
}

std::string ParameterProblems(std::vector<Parameter> parameters) {
  return Print(ValidateParameters(WithPaths(std::move(parameters))));
}
std::string DomainProblems(Domain domain) { return ParameterProblems({Named("x", std::move(domain))}); }

Parameter WithDefault(Parameter parameter, ParameterValue value) {
  parameter.default_value = std::move(value);
  return parameter;
}

struct DomainCase {
  Domain domain;
  std::string problems;
};

TEST(ValidateParametersTest, Domains) {
  const std::vector<DomainCase> cases = {
      {DoubleDomain{.min = 0, .max = 1}, ""},
      {DoubleDomain{.min = 1, .max = 1}, ""},
      {DoubleDomain{.min = -1e300, .max = 1e300}, ""},
      {DoubleDomain{.min = 1e-300, .max = 1, .scale = Scale::kLog}, ""},
      {DoubleDomain{.min = 0, .max = 0.999999, .scale = Scale::kReverseLog}, ""},
      {DoubleDomain{.min = 0, .max = 1, .step = 1}, ""},
      {DoubleDomain{.min = 0, .max = 1, .grid_points = 10'000}, ""},
      {DoubleDomain{.min = 1, .max = 1, .grid_points = 1}, ""},
      {DoubleDomain{.min = 2, .max = 1}, "parameters[0].double.min: is 2, above max 1; swap them"},
      {DoubleDomain{.min = kNan, .max = 1}, "parameters[0].double.min: is nan; give a finite number"},
      {DoubleDomain{.min = -kInfinity, .max = kInfinity},
       "parameters[0].double.min: is -inf; give a finite number\nparameters[0].double.max: is inf; give a finite "
       "number"},
      {DoubleDomain{.min = 0, .max = 1e301}, "parameters[0].double.max: is 1e+301; give a number within +-1e+300"},
      {DoubleDomain{.min = 0, .max = 1, .scale = Scale::kLog},
       "parameters[0].double.scale: LOG needs min above 0, which is 0; raise it or take LINEAR"},
      {DoubleDomain{.min = -1, .max = 1, .scale = Scale::kLog},
       "parameters[0].double.scale: LOG needs min above 0, which is -1; raise it or take LINEAR"},
      {DoubleDomain{.min = 0, .max = 1, .scale = Scale::kReverseLog},
       "parameters[0].double.scale: REVERSE_LOG needs 0 <= min and max < 1, not 0 to 1; change the range or the scale"},
      {DoubleDomain{.min = -0.1, .max = 0.5, .scale = Scale::kReverseLog},
       "parameters[0].double.scale: REVERSE_LOG needs 0 <= min and max < 1, not -0.1 to 0.5; change the range or the "
       "scale"},
      {DoubleDomain{.min = 0, .max = 1, .step = 0.0}, "parameters[0].double.step: is 0; give a finite number above 0"},
      {DoubleDomain{.min = 0, .max = 1, .step = -0.1},
       "parameters[0].double.step: is -0.1; give a finite number above 0"},
      {DoubleDomain{.min = 0, .max = 1, .step = kNan},
       "parameters[0].double.step: is nan; give a finite number above 0"},
      {DoubleDomain{.min = 0, .max = 1, .step = 1.5},
       "parameters[0].double.step: is 1.5, more than max - min = 1; take a smaller one, or leave it out"},
      {DoubleDomain{.min = 0, .max = 1, .step = 1e-9},
       "parameters[0].double.step: is 1e-09, too fine for a range of this size; take at least 1e-08, or leave it out "
       "for a continuous "
       "parameter"},
      {DoubleDomain{.min = 0, .max = 1, .grid_points = 0}, "parameters[0].double.grid_points: is 0; give 1 to 10000"},
      {DoubleDomain{.min = 0, .max = 1, .grid_points = 10'001},
       "parameters[0].double.grid_points: is 10001; give 1 to 10000"},
      {DoubleDomain{.min = 0, .max = 1, .step = 0.5, .grid_points = 3},
       "parameters[0].double.grid_points: is given beside step; leave one of them out"},
      {DoubleDomain{.min = 1, .max = 1, .grid_points = 2},
       "parameters[0].double.grid_points: asks for 2 different values from 1 to 1; widen the range or take fewer"},
      {IntegerDomain{.min = -(int64_t{1} << 53), .max = int64_t{1} << 53}, ""},
      {IntegerDomain{.min = 1, .max = 10, .scale = Scale::kLog, .step = 9}, ""},
      {IntegerDomain{.min = 3, .max = 2}, "parameters[0].integer.min: is 3, above max 2; swap them"},
      {IntegerDomain{.min = -(int64_t{1} << 53) - 1, .max = int64_t{1} << 62},
       "parameters[0].integer.min: is -9007199254740993; give a whole number within +-2^53\n"
       "parameters[0].integer.max: is 4611686018427387904; give a whole number within +-2^53"},
      {IntegerDomain{.min = 0, .max = 10, .scale = Scale::kLog},
       "parameters[0].integer.scale: LOG needs min above 0, which is 0; raise it or take LINEAR"},
      {IntegerDomain{.min = 0, .max = 1, .scale = Scale::kReverseLog},
       "parameters[0].integer.scale: REVERSE_LOG is for double parameters only; take LINEAR or LOG"},
      {IntegerDomain{.min = 0, .max = 10, .step = 0}, "parameters[0].integer.step: is 0; give 1 or more"},
      {IntegerDomain{.min = 0, .max = 10, .step = 11},
       "parameters[0].integer.step: is 11, more than max - min = 10; take a smaller one, or leave it out"},
      {CategoricalDomain{{"a"}}, ""},
      {CategoricalDomain{{"", "a"}}, ""},
      {CategoricalDomain{}, "parameters[0].categorical.values: has 0 values; give 1 to 1000"},
      {CategoricalDomain{std::vector<std::string>(1001, "a")},
       "parameters[0].categorical.values: has 1001 values; give 1 to 1000"},
      {CategoricalDomain{{"a", "b", "a"}}, "parameters[0].categorical.values[2]: \"a\" is listed twice; drop one"},
      {CategoricalDomain{{std::string("a\0b", 3)}},
       "parameters[0].categorical.values[0]: holds a NUL character, which no program can be given; drop it"},
      {BooleanDomain{}, ""},
      {DiscreteDomain{{3, 1, 2}}, ""},
      {DiscreteDomain{}, "parameters[0].discrete.values: has 0 values; give 1 to 1000"},
      {DiscreteDomain{{1, kNan, kInfinity}},
       "parameters[0].discrete.values[1]: is nan; give a finite number\nparameters[0].discrete.values[2]: is inf; give "
       "a finite number"},
      {DiscreteDomain{{1, 2, 1}}, "parameters[0].discrete.values[2]: 1 is listed twice; drop one"},
      {DiscreteDomain{{2, 0}, Scale::kLog},
       "parameters[0].discrete.scale: LOG needs the smallest value above 0, which is 0; raise it or take LINEAR"},
      {DiscreteDomain{{0.5, 1}, Scale::kReverseLog},
       "parameters[0].discrete.scale: REVERSE_LOG needs 0 <= min and max < 1, not 0.5 to 1; change the range or the "
       "scale"},
  };
  for (const DomainCase& c : cases) EXPECT_EQ(DomainProblems(c.domain), c.problems);
}

TEST(ValidateParametersTest, NamesAndNumbers) {
  EXPECT_EQ(ParameterProblems({}), "parameters: is empty; give at least one parameter to tune");
  EXPECT_EQ(ParameterProblems({Named("", BooleanDomain{})}), "parameters[0].name: is empty; give 1 to 256 characters");
  EXPECT_EQ(ParameterProblems({Named(std::string(257, 'x'), BooleanDomain{})}),
            "parameters[0].name: has 257 characters; give 1 to 256");
  std::string umlauts;
  for (int i = 0; i < 256; ++i) umlauts += "\xc3\xa4";
  EXPECT_EQ(ParameterProblems({Named(umlauts, BooleanDomain{})}), "");  // characters, not bytes
  EXPECT_EQ(ParameterProblems({Named("a\nb", BooleanDomain{})}),
            "parameters[0].name: holds a control character; drop it");
  EXPECT_EQ(ParameterProblems({Named("a", BooleanDomain{}), Named("a", IntegerDomain{})}),
            "parameters[1].name: \"a\" is the name of another parameter too; give each its own");
  std::vector<Parameter> many;
  for (int i = 0; i < 100; ++i) many.push_back(Named(absl::StrCat("p", i), BooleanDomain{}));
  EXPECT_EQ(ParameterProblems(many), "");
  many.push_back(Named("p100", BooleanDomain{}));
  EXPECT_EQ(ParameterProblems(many), "parameters: has 101 parameters, children included; give at most 100");
}

TEST(ValidateParametersTest, Defaults) {
  EXPECT_EQ(ParameterProblems({WithDefault(Named("a", IntegerDomain{.min = 0, .max = 4}), 4.0),
                               WithDefault(Named("b", DoubleDomain{.min = 0, .max = 1, .step = 0.1}), 0.1 + 0.2),
                               WithDefault(Named("c", BooleanDomain{}), true)}),
            "");
  EXPECT_EQ(ParameterProblems({WithDefault(Named("a", IntegerDomain{.min = 0, .max = 4}), 5.0),
                               WithDefault(Named("b", CategoricalDomain{{"x", "y"}}), std::string("z")),
                               WithDefault(Named("c", BooleanDomain{}), 1.0),
                               WithDefault(Named("d", DoubleDomain{.min = 0, .max = 1}), kNan)}),
            "parameters[0].default: 5 is outside of the domain; give a whole number from 0 to 4\n"
            "parameters[1].default: z is outside of the domain; give one of \"x\", \"y\"\n"
            "parameters[2].default: 1 is outside of the domain; give true or false\n"
            "parameters[3].default: nan is outside of the domain; give a number from 0 to 1");
  // Of a broken domain only what is broken is said.
  EXPECT_EQ(ParameterProblems({WithDefault(Named("a", IntegerDomain{.min = 4, .max = 0}), 2.0)}),
            "parameters[0].integer.min: is 4, above max 0; swap them");
}

TEST(ValidateParametersTest, Children) {
  const Parameter parent = Named("kind", CategoricalDomain{{"a", "b"}});
  EXPECT_EQ(ParameterProblems({parent, Child(Named("x", BooleanDomain{}), 0, {std::string("b")})}), "");
  EXPECT_EQ(
      ParameterProblems({Named("n", IntegerDomain{.min = 0, .max = 3}), Child(Named("x", BooleanDomain{}), 0, {2.0})}),
      "");
  EXPECT_EQ(ParameterProblems({parent, Child(Named("x", BooleanDomain{}), 0, {std::string("a"), std::string("c")}),
                               Child(Named("y", BooleanDomain{}), 0, {std::string("a"), std::string("c")})}),
            "parameters[0].children[0].values[1]: c is not a value of \"kind\"; give one of \"a\", \"b\"");
  EXPECT_EQ(ParameterProblems({parent, Child(Named("x", BooleanDomain{}), 0, {})}),
            "parameters[0].children[0].values: is empty; list the values of \"kind\" that bring the children");
  EXPECT_EQ(
      ParameterProblems({Named("r", DoubleDomain{.min = 0, .max = 1}), Child(Named("x", BooleanDomain{}), 0, {0.5})}),
      "parameters[0].children[0].values: \"r\" is a double, which has no children; make it categorical, boolean, "
      "discrete or integer");
  EXPECT_EQ(
      ParameterProblems({Named("n", IntegerDomain{.min = 3, .max = 0}), Child(Named("x", BooleanDomain{}), 0, {7.0})}),
      "parameters[0].integer.min: is 3, above max 0; swap them");
  std::vector<Parameter> chain = {Named("p0", BooleanDomain{})};
  for (int i = 1; i < 6; ++i) chain.push_back(Child(Named(absl::StrCat("p", i), BooleanDomain{}), i - 1, {true}));
  const std::string deep = WithPaths(chain).back().path;
  EXPECT_EQ(ParameterProblems(chain), deep + ": is nested 6 levels deep; nest at most 5");
  chain.pop_back();
  EXPECT_EQ(ParameterProblems(chain), "");
}

JobSpec GoodSpec() {
  JobSpec spec;
  spec.name = "xgboost-cancer";
  spec.objective.metric = "validation:logloss";
  spec.space = SearchSpace::Make({Named("eta", DoubleDomain{.min = 0.01, .max = 0.5, .scale = Scale::kLog}),
                                  Named("max_depth", IntegerDomain{.min = 2, .max = 10})});
  spec.static_parameters = {{"num_round", int64_t{60}}};
  spec.strategy.name = "random";
  spec.limits.max_trials = 50;
  spec.limits.max_parallel_trials = 4;
  spec.trial.executors = {{.options = {.name = "process"}}};
  spec.trial.metrics = {{.name = "validation:logloss", .regex = "validation-logloss:([0-9.eE+-]+)"}};
  return spec;
}

struct SpecCase {
  std::function<void(JobSpec&)> change;
  std::string problems;
};

TEST(ValidateSpecTest, EachField) {
  const std::vector<SpecCase> cases = {
      {[](JobSpec&) {}, ""},
      {[](JobSpec& s) { s.name = "a b"; },
       "name: \"a b\" is not a job's name; give 1 to 63 letters, digits, '.', '_' or '-', beginning with a letter or "
       "digit"},
      {[](JobSpec& s) { s.name = ""; },
       "name: \"\" is not a job's name; give 1 to 63 letters, digits, '.', '_' or '-', beginning with a letter or "
       "digit"},
      {[](JobSpec& s) { s.objective.metric = ""; }, "objective.metric: is empty; give 1 to 256 characters"},
      {[](JobSpec& s) { s.objective.target = kInfinity; }, "objective.target: is inf; give a finite number"},
      // Several objectives and outcome constraints.
      {[](JobSpec& s) {
         s.additional_objectives = {{.metric = "size"}, {.metric = "latency", .goal = Goal::kMaximize}};
       },
       ""},
      {[](JobSpec& s) {
         s.additional_objectives = {{.metric = "a"}, {.metric = "b"}, {.metric = "c"}};
       },
       "additional_objectives: has 3 entries; give at most 2"},
      {[](JobSpec& s) {
         s.additional_objectives = {{.metric = "a"}, {.metric = "a"}};
       },
       "additional_objectives[1].metric: \"a\" is an objective already; drop one, or give another metric"},
      {[](JobSpec& s) { s.additional_objectives = {{.metric = "validation:logloss"}}; },
       "additional_objectives[0].metric: \"validation:logloss\" is an objective already; drop one, or give another "
       "metric"},
      {[](JobSpec& s) { s.additional_objectives = {{.metric = ""}}; },
       "additional_objectives[0].metric: is empty; give 1 to 256 characters"},
      {[](JobSpec& s) { s.additional_objectives = {{.metric = "size", .target = 3.0}}; },
       "additional_objectives[0].target: is for one objective, and with additional_objectives no single trial is the "
       "best; leave it out, or bound the metric by outcome_constraints"},
      {[](JobSpec& s) {
         s.objective.target = 0.5;
         s.additional_objectives = {{.metric = "size"}};
       },
       "objective.target: is for one objective, and with additional_objectives no single trial is the best; leave it "
       "out, or bound the metric by outcome_constraints"},
      {[](JobSpec& s) {
         s.outcome_constraints = {{.metric = "size", .min = 1, .max = 1},
                                  {.metric = "latency", .max = 5},
                                  {.metric = "validation:logloss", .max = 1}};
         s.objective.target = 0.5;
       },
       ""},
      {[](JobSpec& s) { s.outcome_constraints = {{.metric = "size"}}; },
       "outcome_constraints[0]: has no bound; give max, min, or both"},
      {[](JobSpec& s) { s.outcome_constraints = {{.metric = "size", .min = 2, .max = 1}}; },
       "outcome_constraints[0].min: is 2, more than max 1, so no trial keeps both; exchange them"},
      {[](JobSpec& s) { s.outcome_constraints = {{.metric = "size", .min = kNan, .max = -kInfinity}}; },
       "outcome_constraints[0].min: is nan; give a finite number\n"
       "outcome_constraints[0].max: is -inf; give a finite number"},
      {[](JobSpec& s) {
         s.outcome_constraints = {{.metric = "size", .min = 1}, {.metric = "size", .max = 2}};
       },
       "outcome_constraints[1].metric: \"size\" is bounded twice; give one entry with min and max"},
      {[](JobSpec& s) {
         for (int i = 0; i < 11; ++i) s.outcome_constraints.push_back({.metric = absl::StrCat("m", i), .min = 0});
       },
       "outcome_constraints: has 11 entries; give at most 10"},
      {[](JobSpec& s) {
         s.limits.max_trials.reset();
         s.completion.max_trials_not_improving = 3;
         s.outcome_constraints = {{.metric = "size", .min = 1}};
       },
       "limits.max_trials: is missing, and nothing ends the job if no trial ever keeps the outcome_constraints, as "
       "completion_criteria.max_trials_not_improving counts from the first best trial; give 1 to 1000000, or "
       "limits.max_run_time"},
      {[](JobSpec& s) { s.static_parameters["eta"] = 0.5; },
       "static_parameters.eta: is also among the parameters to tune; leave it out of one of them"},
      {[](JobSpec& s) { s.static_parameters["f"] = kNan; }, "static_parameters.f: is nan; give a finite number"},
      {[](JobSpec& s) { s.static_parameters["f"] = std::string("\0", 1); },
       "static_parameters.f: holds a NUL character, which no program can be given; drop it"},
      {[](JobSpec& s) { s.static_parameters[""] = true; }, "static_parameters.: is empty; give 1 to 256 characters"},
      {[](JobSpec& s) {
         for (int i = 0; i < 100; ++i) s.static_parameters[absl::StrCat("s", i)] = true;
       },
       "static_parameters: has 101 entries; give at most 100"},
      // Limits.
      {[](JobSpec& s) { s.limits.max_trials = 0; }, "limits.max_trials: is 0; give 1 to 1000000"},
      {[](JobSpec& s) { s.limits.max_trials = 1'000'000; }, ""},
      {[](JobSpec& s) { s.limits.max_trials = 1'000'001; }, "limits.max_trials: is 1000001; give 1 to 1000000"},
      {[](JobSpec& s) { s.limits.max_trials.reset(); },
       "limits.max_trials: is missing, and nothing else ends the job; give 1 to 1000000, or limits.max_run_time, or "
       "completion_criteria.max_trials_not_improving"},
      {[](JobSpec& s) { s.limits = {.max_run_time = absl::Seconds(1)}; }, ""},
      {[](JobSpec& s) {
         s.limits.max_trials.reset();
         s.completion.max_trials_not_improving = 3;
       },
       ""},
      {[](JobSpec& s) {
         s.limits = {.max_parallel_trials = 8};
         s.strategy.name = "grid";
       },
       ""},
      {[](JobSpec& s) {
         s.limits = {.max_trials = 4, .max_parallel_trials = 8};
         s.strategy.name = "grid";
       },
       ""},
      {[](JobSpec& s) { s.limits.max_parallel_trials = 0; }, "limits.max_parallel_trials: is 0; give 1 to 10000"},
      {[](JobSpec& s) { s.limits = {.max_trials = 20'000, .max_parallel_trials = 10'001}; },
       "limits.max_parallel_trials: is 10001; give 1 to 10000"},
      {[](JobSpec& s) { s.limits.max_parallel_trials = 51; },
       "limits.max_parallel_trials: is 51, more than limits.max_trials 50; lower it or raise max_trials"},
      {[](JobSpec& s) { s.limits.max_run_time = absl::Milliseconds(999); },
       "limits.max_run_time: is 999ms; give at least 1s"},
      {[](JobSpec& s) { s.limits.max_failed_trials = -1; }, "limits.max_failed_trials: is -1; give 0 or more"},
      {[](JobSpec& s) { s.limits.max_failed_trials = 0; }, ""},
      {[](JobSpec& s) { s.limits.max_failed_trials = 51; },
       "limits.max_failed_trials: is 51, more than limits.max_trials 50, so it is never reached; lower it or leave it "
       "out"},
      {[](JobSpec& s) { s.completion.max_trials_not_improving = 2; },
       "completion_criteria.max_trials_not_improving: is 2; give 3 or more"},
      {[](JobSpec& s) { s.completion.max_trials_not_improving = 51; },
       "completion_criteria.max_trials_not_improving: is 51, more than limits.max_trials 50, so it is never reached; "
       "lower it or leave it "
       "out"},
      // Executors and metrics.
      {[](JobSpec& s) { s.trial.executors.resize(11); }, "trial.executors: has 11 entries; give at most 10"},
      {[](JobSpec& s) { s.trial.executors[0].slots = 0; }, "trial.executors[0].slots: is 0; give 1 to 10000"},
      {[](JobSpec& s) { s.trial.metrics.clear(); }, ""},
      {[](JobSpec& s) { s.trial.metrics[0].name = ""; }, "trial.metrics[0].name: is empty; give 1 to 256 characters"},
      {[](JobSpec& s) { s.trial.metrics.push_back(s.trial.metrics[0]); },
       "trial.metrics[1].name: \"validation:logloss\" is defined twice; drop one, or join the regexes by |"},
      {[](JobSpec& s) { s.trial.metrics[0].regex = ""; }, "trial.metrics[0].regex: has 0 characters; give 1 to 500"},
      {[](JobSpec& s) { s.trial.metrics[0].regex = "(" + std::string(500, 'x'); },
       "trial.metrics[0].regex: has 501 characters; give 1 to 500"},
      {[](JobSpec& s) { s.trial.metrics[0].regex = "loss=([0-9"; },
       "trial.metrics[0].regex: is no RE2 expression: missing ]: [0-9; correct it"},
      {[](JobSpec& s) { s.trial.metrics[0].regex = "(?=x)(.*)"; },
       "trial.metrics[0].regex: is no RE2 expression: invalid perl operator: (?=; correct it"},
      {[](JobSpec& s) { s.trial.metrics[0].regex = "loss=[0-9]+(?:e)"; },
       "trial.metrics[0].regex: has no group for the number; put parentheses around it, as in loss=([0-9.eE+-]+)"},
      {[](JobSpec& s) { s.trial.metrics[0].regex = "(?P<step>[0-9]+) ([0-9]+)"; },
       "trial.metrics[0].regex: has `step` as its first group; name the group of the number `value`, as in "
       "(?P<value>[0-9.]+)"},
      {[](JobSpec& s) { s.trial.metrics[0].regex = "(?P<step>[0-9]+) (?P<value>[0-9]+)"; }, ""},
      {[](JobSpec& s) { s.trial.metrics[0].regex = "([0-9]+) at (?P<step>[0-9]+)"; }, ""},
      {[](JobSpec& s) {
         for (int i = 0; i < 40; ++i) s.trial.metrics.push_back({.name = absl::StrCat("m", i), .regex = "(x)"});
       },
       "trial.metrics: has 41 entries; give at most 40"},
      // The rest of the trial.
      {[](JobSpec& s) { s.trial.retries.max_retries = 31; }, "trial.retries.max_retries: is 31; give 0 to 30"},
      {[](JobSpec& s) { s.trial.retries.max_retries = -1; }, "trial.retries.max_retries: is -1; give 0 to 30"},
      {[](JobSpec& s) { s.trial.retries.backoff = -absl::Seconds(1); },
       "trial.retries.backoff: is -1s; give at least 0"},
      {[](JobSpec& s) { s.trial.time_limit = absl::ZeroDuration(); }, "trial.time_limit: is 0; give at least 1s"},
      {[](JobSpec& s) { s.trial.grace_period = absl::Minutes(61); }, "trial.grace_period: is 1h1m; give 0 to 1h"},
      {[](JobSpec& s) { s.trial.grace_period = -absl::Seconds(1); }, "trial.grace_period: is -1s; give 0 to 1h"},
      {[](JobSpec& s) { s.trial.grace_period = absl::ZeroDuration(); }, ""},
      {[](JobSpec& s) { s.trial.checkpoint_dir = std::string("a\0", 2); },
       "trial.checkpoint_dir: holds a NUL character; drop it"},
      {[](JobSpec& s) { s.trial.inputs = {{.name = "train", .path = "data"}}; }, ""},
      {[](JobSpec& s) { s.trial.inputs = {{.name = "..", .path = ""}}; },
       "trial.inputs[0].name: \"..\" is not a channel's name; give 1 to 64 letters, digits, '.', '_' or '-'\n"
       "trial.inputs[0].path: is empty; give a file or folder"},
      {[](JobSpec& s) {
         s.trial.inputs = {{.name = "a", .path = "x"}, {.name = "a", .path = "y"}};
       },
       "trial.inputs[1].name: \"a\" is the name of another channel too; give each its own"},
      {[](JobSpec& s) {
         for (int i = 0; i < 21; ++i) s.trial.inputs.push_back({.name = absl::StrCat("c", i), .path = "x"});
       },
       "trial.inputs: has 21 entries; give at most 20"},
      {[](JobSpec& s) {
         s.trial.environment = {{"PATH", ""}, {"_x1", "a=b"}, {"SMX", "1"}};
       },
       ""},
      {[](JobSpec& s) {
         s.trial.environment = {{"SM_HPS", "1"}, {"TUNER_TOKEN", "1"}};
       },
       "trial.environment.SM_HPS: begins with TUNER_ or SM_, which the server sets; choose another name\n"
       "trial.environment.TUNER_TOKEN: begins with TUNER_ or SM_, which the server sets; choose another name"},
      {[](JobSpec& s) {
         s.trial.environment = {{"1A", "1"}, {"A", std::string("\0", 1)}, {"B=C", "1"}};
       },
       "trial.environment.1A: is not a variable's name; give letters, digits and _, not beginning with a digit\n"
       "trial.environment.A: holds a NUL character, which no program can be given; drop it\n"
       "trial.environment.B=C: is not a variable's name; give letters, digits and _, not beginning with a digit"},
      {[](JobSpec& s) {
         for (int i = 0; i < 101; ++i) s.trial.environment[absl::StrCat("V", i)] = "";
       },
       "trial.environment: has 101 entries; give at most 100"},
      {[](JobSpec& s) {
         s.tags = {{"team", ""}, {std::string(128, 'k'), std::string(256, 'v')}};
       },
       ""},
      {[](JobSpec& s) {
         s.tags = {{"", "x"}, {"k", std::string(257, 'v')}};
       },
       "tags.: the key is empty; give 1 to 128 characters\ntags.k: the value has 257 characters; give 0 to 256"},
      {[](JobSpec& s) {
         for (int i = 0; i < 51; ++i) s.tags[absl::StrCat("t", i)] = "";
       },
       "tags: has 51 entries; give at most 50"},
  };
  for (const SpecCase& c : cases) {
    JobSpec spec = GoodSpec();
    c.change(spec);
    EXPECT_EQ(Print(ValidateSpec(spec)), c.problems);
  }
}

TEST(ValidateSpecTest, NamesAllProblemsAtOnce) {
  JobSpec spec;
  spec.name = "/";
  spec.limits.max_parallel_trials = -1;
  spec.trial.metrics = {{.name = "", .regex = "("}};
  spec.trial.retries.max_retries = 99;
  spec.tags = {{"", ""}};
  std::string paths;
  for (const Problem& problem : ValidateSpec(spec)) paths += problem.path + " ";
  EXPECT_EQ(
      paths,
      "name objective.metric limits.max_parallel_trials limits.max_trials trial.metrics[0].name trial.metrics[0].regex "
      "trial.retries.max_retries tags. ");
}

}  // namespace
}  // namespace tuner::core
