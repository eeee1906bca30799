#include "proto/job_file.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/text_format.h"
#include "google/protobuf/util/json_util.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "tests/proto/random_values.h"
#include "tuner/v1/tuning_service.pb.h"

namespace tuner {
namespace {

using google::protobuf::util::MessageDifferencer;
using job_file::LineOfField;
using job_file::MergeYaml;
using job_file::ParseJobFile;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// The problems of a text that must be refused, in order.
std::vector<std::string> Problems(const std::string& text) {
  const absl::Status status = ParseJobFile(text).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
  return absl::StrSplit(std::string(status.message()), '\n');
}

void ExpectSpec(const std::string& text, const std::string& expected_text_format) {
  const absl::StatusOr<v1::TuningJobSpec> spec = ParseJobFile(text);
  ASSERT_TRUE(spec.ok()) << spec.status() << "\n" << text;
  v1::TuningJobSpec expected;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(expected_text_format, &expected));
  google::protobuf::util::DefaultFieldComparator comparator;
  comparator.set_treat_nan_as_equal(true);
  MessageDifferencer differencer;
  differencer.set_field_comparator(&comparator);
  EXPECT_TRUE(differencer.Compare(*spec, expected)) << text << "\n" << spec->DebugString();
}

// The job file of the API's description, to the letter.
constexpr char kProductJobFile[] = R"x(name: xgboost-cancer
objective: {metric: "validation:logloss", goal: MINIMIZE}
parameters:
- {name: eta, double: {min: 0.01, max: 0.5, scale: LOG}}
- {name: max_depth, integer: {min: 2, max: 10}}
- {name: booster, categorical: {values: [gbtree, dart]}}
static_parameters: {num_round: 60}
strategy: {bayesian: {}, random_seed: 7}
limits: {max_trials: 50, max_parallel_trials: 4}
early_stopping: {median: {}}
trial:
  process: {command: [python3, train.py]}
  metrics:
  - {name: "validation:logloss", regex: "validation-logloss:([0-9.eE+-]+)"
}
)x";

constexpr char kProductSpec[] = R"x(
  name: "xgboost-cancer"
  objective { metric: "validation:logloss" goal: MINIMIZE }
  parameters { name: "eta" double { min: 0.01 max: 0.5 scale: LOG } }
  parameters { name: "max_depth" integer { min: 2 max: 10 } }
  parameters { name: "booster" categorical { values: "gbtree" values: "dart" } }
  static_parameters { key: "num_round" value { number_value: 60 } }
  strategy { bayesian {} random_seed: 7 }
  limits { max_trials: 50 max_parallel_trials: 4 }
  early_stopping { median {} }
  trial {
    process { command: "python3" command: "train.py" }
    metrics { name: "validation:logloss" regex: "validation-logloss:([0-9.eE+-]+)"
}
})x";

TEST(JobFileTest, ReadsTheJobFileOfTheDescription) { ExpectSpec(kProductJobFile, kProductSpec); }

TEST(JobFileTest, ReadsTheSameJobAsJson) {
  v1::TuningJobSpec spec;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(kProductSpec, &spec));
  for (const bool snake_case : {false, true}) {
    for (const bool whitespace : {false, true}) {
      google::protobuf::util::JsonPrintOptions options;
      options.preserve_proto_field_names = snake_case;
      options.add_whitespace = whitespace;
      std::string json;
      ASSERT_TRUE(google::protobuf::util::MessageToJsonString(spec, &json, options).ok());
      ExpectSpec(json, kProductSpec);
    }
  }
}

TEST(JobFileTest, JsonIndentedWithTabsAndWithAllItsEscapes) {
  ExpectSpec(
      "{\n\t\"name\": \"a\\/b\\u0041\\n\\\"\",\n\t\"tags\": {\n\t\t\"k\": \"\\ud83d\\ude00 \\\\ud83d\"\n\t}\n}\n",
      R"(name: "a/bA\n\"" tags { key: "k" value: "\xF0\x9F\x98\x80 \\ud83d" })");
}

TEST(JobFileTest, AnEmptyTextIsAnEmptySpecification) {
  for (const char* text : {"", "\n", "# nothing\n", "---\n", "{}", "null"}) ExpectSpec(text, "");
}

struct ScalarCase {
  const char* name;
  std::string yaml;
  const char* expected;
};

class ReadsScalar : public ::testing::TestWithParam<ScalarCase> {};
TEST_P(ReadsScalar, ByTheTypeOfTheField) { ExpectSpec(GetParam().yaml, GetParam().expected); }

INSTANTIATE_TEST_SUITE_P(
    JobFile, ReadsScalar,
    ::testing::ValuesIn(std::vector<ScalarCase>{
        // Text is what stands there.
        {"NoIsText", "name: no", "name: 'no'"},
        {"YesOnOffAreText", "constraints: [yes, on, off, y, N]", "constraints: ['yes', 'on', 'off', 'y', 'N']"},
        {"TrueIsText", "name: true", "name: 'true'"},
        {"NumbersAreText", "constraints: [1e-4, 4.0, 007, 0x10, 1_000, .5, 1:30]",
         "constraints: ['1e-4', '4.0', '007', '0x10', '1_000', '.5', '1:30']"},
        {"DatesAreText", "name: 2024-01-01", "name: '2024-01-01'"},
        {"QuotedNullIsText", "name: 'null'", "name: 'null'"},
        {"EmptyTextInQuotes", "constraints: ['', \"\"]", "constraints: ['', '']"},
        {"BlocksAreText", "name: |\n  a\n  b\nconstraints:\n- >\n  c\n  d\n", "name: 'a\\nb\\n' constraints: 'c d\\n'"},
        {"NonAscii", "name: größe-漢", "name: 'größe-漢'"},
        {"MapValuesAreText", "tags: {a: no, b: 1e3, true: x, 7: y}",
         "tags {key: 'a' value: 'no'} tags {key: 'b' value: '1e3'} tags {key: 'true' value: 'x'} tags {key: '7' value: "
         "'y'}"},
        // Numbers.
        {"ExponentWithoutPoint", "objective: {target: 1e-4}", "objective {target: 1e-4}"},
        {"DoubleForms", "parameters: [{discrete: {values: [1, -2.5, +3, .5, 5., 1E3, -0.0, \"6\"]}}]",
         "parameters {discrete {values: [1, -2.5, 3, 0.5, 5, 1000, -0.0, 6]}}"},
        {"NotFinite", "parameters: [{discrete: {values: [NaN, .nan, Infinity, -Infinity, .inf, -.inf, \"NaN\"]}}]",
         "parameters {discrete {values: [nan, nan, inf, -inf, inf, -inf, nan]}}"},
        {"WholeNumbers", "limits: {max_trials: 4.0, max_parallel_trials: 1e3, max_failed_trials: \"7\"}",
         "limits {max_trials: 4 max_parallel_trials: 1000 max_failed_trials: 7}"},
        {"WideWholeNumbers",
         "parameters: [{integer: {min: -9223372036854775808, max: 9223372036854775807, step: +9007199254740993}}]",
         "parameters {integer {min: -9223372036854775808 max: 9223372036854775807 step: 9007199254740993}}"},
        {"ZeroIsGiven", "limits: {max_trials: 0}", "limits {max_trials: 0}"},
        // Booleans and enums.
        {"Booleans", "completion_criteria: {convergence: true}", "completion_criteria {convergence: true}"},
        {"BooleanCapitals", "strategy: {grid: {allow_partial: True}}", "strategy {grid {allow_partial: true}}"},
        {"EnumByName", "objective: {goal: MAXIMIZE}", "objective {goal: MAXIMIZE}"},
        {"EnumByNumber", "objective: {goal: 2}", "objective {goal: MAXIMIZE}"},
        // Times.
        {"DurationOfTheMapping", "limits: {max_run_time: 90s}", "limits {max_run_time {seconds: 90}}"},
        {"DurationWithNanoseconds", "limits: {max_run_time: \"1.000000001s\"}",
         "limits {max_run_time {seconds: 1 nanos: 1}}"},
        {"DurationMinutes", "trial: {time_limit: 5m}", "trial {time_limit {seconds: 300}}"},
        {"DurationMixed", "trial: {time_limit: 1h30m}", "trial {time_limit {seconds: 5400}}"},
        {"DurationDays", "trial: {time_limit: 2d1h}", "trial {time_limit {seconds: 176400}}"},
        {"DurationMilliseconds", "trial: {grace_period: 250ms}", "trial {grace_period {nanos: 250000000}}"},
        {"DurationNegative", "trial: {grace_period: -1.5s}", "trial {grace_period {seconds: -1 nanos: -500000000}}"},
        {"DurationZero", "trial: {grace_period: 0}", "trial {grace_period {}}"},
        // google.protobuf.Value: JSON's types.
        {"ValueNumbers", "static_parameters: {a: 1e-4, b: 4.0, c: -3, d: 0}",
         "static_parameters {key: 'a' value {number_value: 1e-4}} static_parameters {key: 'b' value {number_value: 4}} "
         "static_parameters {key: 'c' value {number_value: -3}} static_parameters {key: 'd' value {number_value: 0}}"},
        {"ValueBooleans", "static_parameters: {a: true, b: false}",
         "static_parameters {key: 'a' value {bool_value: true}} static_parameters {key: 'b' value {bool_value: "
         "false}}"},
        {"ValueText",
         "static_parameters: {a: no, b: True, c: 007, d: .5, e: +1, f: 0x10, g: gbtree, h: .nan, i: '4', j: \"true\", "
         "k: 5.}",
         "static_parameters {key: 'a' value {string_value: 'no'}} static_parameters {key: 'b' value {string_value: "
         "'True'}} "
         "static_parameters {key: 'c' value {string_value: '007'}} static_parameters {key: 'd' value {string_value: "
         "'.5'}} "
         "static_parameters {key: 'e' value {string_value: '+1'}} static_parameters {key: 'f' value {string_value: "
         "'0x10'}} "
         "static_parameters {key: 'g' value {string_value: 'gbtree'}} static_parameters {key: 'h' value {string_value: "
         "'.nan'}} "
         "static_parameters {key: 'i' value {string_value: '4'}} static_parameters {key: 'j' value {string_value: "
         "'true'}} "
         "static_parameters {key: 'k' value {string_value: '5.'}}"},
        {"ValueNullListAndMap", "static_parameters: {a: null, b: [1, x], c: {d: true}}",
         "static_parameters {key: 'a' value {null_value: NULL_VALUE}} "
         "static_parameters {key: 'b' value {list_value {values {number_value: 1} values {string_value: 'x'}}}} "
         "static_parameters {key: 'c' value {struct_value {fields {key: 'd' value {bool_value: true}}}}}"},
        {"ValuesOfParents", "parameters: [{boolean: {}, default: true, children: [{values: [false, \"false\"]}]}]",
         "parameters {boolean {} default {bool_value: true} children {values {bool_value: false} values {string_value: "
         "'false'}}}"},
        {"Struct", "strategy: {custom: {name: x, options: {a: 1, b: {c: [no]}}}}",
         "strategy {custom {name: 'x' options {fields {key: 'a' value {number_value: 1}} fields {key: 'b' value "
         "{struct_value {fields {key: 'c' "
         "value {list_value {values {string_value: 'no'}}}}}}}}}}"},
        // Names, nulls, aliases.
        {"CamelCase", "staticParameters: {a: 1}\nlimits: {maxTrials: 3}",
         "static_parameters {key: 'a' value {number_value: 1}} limits {max_trials: 3}"},
        {"NullLeavesOut",
         "name: ~\nlimits: null\nparameters:\nstatic_parameters: null\nobjective: {metric: m, target: null}",
         "objective {metric: 'm'}"},
        {"NullOfAOneofLeavesOut", "strategy: {bayesian: null, random: {}}", "strategy {random {}}"},
        {"Aliases", "objective: &o {metric: m, goal: MINIMIZE}\nadditional_objectives: [*o, *o]",
         "objective {metric: 'm' goal: MINIMIZE} additional_objectives {metric: 'm' goal: MINIMIZE} "
         "additional_objectives {metric: 'm' goal: MINIMIZE}"},
        {"DocumentMarks", "---\nname: a\n...\n", "name: 'a'"},
    }),
    [](const auto& test) { return test.param.name; });

struct RefusedCase {
  const char* name;
  std::string yaml;
  std::vector<std::string> problems;  // the beginning of each, "line N: path: ..."
};

class Refuses : public ::testing::TestWithParam<RefusedCase> {};
TEST_P(Refuses, WithLineAndPathOfEachProblem) {
  const std::vector<std::string> problems = Problems(GetParam().yaml);
  ASSERT_EQ(problems.size(), GetParam().problems.size()) << ::testing::PrintToString(problems);
  for (size_t i = 0; i < problems.size(); ++i) EXPECT_THAT(problems[i], StartsWith(GetParam().problems[i]));
}

INSTANTIATE_TEST_SUITE_P(
    JobFile, Refuses,
    ::testing::ValuesIn(std::vector<RefusedCase>{
        {"UnknownField", "nam: x\n", {"line 1: nam: is no field here; do you mean name?"}},
        {"UnknownFieldInside",
         "name: a\nparameters:\n- name: x\n  doubel: {min: 0, max: 1}\n",
         {"line 4: parameters[0].doubel: is no field here; do you mean double?"}},
        {"UnknownFieldWithoutNeighbour",
         "strategy: {zzzzzz: 1}",
         {"line 1: strategy.zzzzzz: is no field here; there are bayesian, random, grid,"}},
        {"FieldOfAnEmptyMessage",
         "strategy: {random: {seed: 1}}",
         {"line 1: strategy.random.seed: is no field: nothing can be said here"}},
        {"DuplicateKey", "name: a\nlimits: {max_trials: 1}\nname: b\n", {"line 3: name: is there twice"}},
        {"DuplicateKeyInBothSpellings",
         "limits:\n  max_trials: 1\n  maxTrials: 2\n",
         {"line 3: limits.max_trials: is there twice, in both spellings"}},
        {"DuplicateMapKey", "tags:\n  a: x\n  a: y\n", {"line 3: tags.a: is there twice"}},
        {"DuplicateKeyInValue",
         "static_parameters:\n  a: {b: 1, b: 2}\n",
         {"line 2: static_parameters.a.b: is there twice"}},
        {"TwoOfAOneof",
         "strategy:\n  random: {}\n  grid: {}\n",
         {"line 3: strategy.grid: stands beside random; keep one of the two"}},
        {"FractionForWholeNumber",
         "limits: {max_trials: 4.5}",
         {"line 1: limits.max_trials: is `4.5`, which is no whole number"}},
        {"WordForWholeNumber",
         "limits: {max_trials: many}",
         {"line 1: limits.max_trials: is `many`, which is no whole number"}},
        {"TooLargeForInt32",
         "limits: {max_trials: 3000000000}",
         {"line 1: limits.max_trials: is `3000000000`, which is outside of -2147483648 to"}},
        {"TooLargeForInt64",
         "parameters: [{integer: {max: 9223372036854775808}}]",
         {"line 1: parameters[0].integer.max: is `9223372036854775808`, which is outside of"}},
        {"WordForNumber",
         "parameters: [{double: {min: low}}]",
         {"line 1: parameters[0].double.min: is `low`, which is no number"}},
        {"HexForNumber",
         "parameters: [{double: {min: 0x10}}]",
         {"line 1: parameters[0].double.min: is `0x10`, which is no number"}},
        {"OverflowForNumber",
         "objective: {target: 1e999}",
         {"line 1: objective.target: is `1e999`, which is too large"}},
        {"OverflowInValue",
         "static_parameters: {a: 1e999}",
         {"line 1: static_parameters.a: is `1e999`, which is too large"}},
        {"EmptyTextForNumber", "objective: {target: \"\"}", {"line 1: objective.target: is ``, which is no number"}},
        {"YesForBoolean",
         "strategy: {grid: {allow_partial: yes}}",
         {"line 1: strategy.grid.allow_partial: is `yes`; write true or false"}},
        {"EnumInLowerCase",
         "objective: {goal: minimize}",
         {"line 1: objective.goal: is `minimize`; do you mean MINIMIZE?"}},
        {"EnumUnknown",
         "objective: {goal: best}",
         {"line 1: objective.goal: is `best`; write one of MINIMIZE, MAXIMIZE"}},
        {"EnumUnknownNumber",
         "objective: {goal: 9}",
         {"line 1: objective.goal: is `9`; write one of MINIMIZE, MAXIMIZE"}},
        {"DurationWithoutUnit",
         "trial: {time_limit: 90}",
         {"line 1: trial.time_limit: is `90`; write a time with its unit"}},
        {"DurationOfWords",
         "trial: {time_limit: soon}",
         {"line 1: trial.time_limit: is `soon`; write a time with its unit"}},
        {"DurationDaysOfWords",
         "trial: {time_limit: xd}",
         {"line 1: trial.time_limit: is `xd`; write a time with its unit"}},
        {"DurationInfinite",
         "trial: {time_limit: inf}",
         {"line 1: trial.time_limit: is `inf`, which is over 10,000 years"}},
        {"DurationTwoSigns",
         "trial: {time_limit: --5s}",
         {"line 1: trial.time_limit: is `--5s`; write a time with its unit"}},
        {"DurationAsMap",
         "trial: {time_limit: {seconds: 1}}",
         {"line 1: trial.time_limit: is a map; write a time with its unit"}},
        {"MapForText", "name: {a: b}", {"line 1: name: is a map; write text"}},
        {"ListForText", "name: [a]", {"line 1: name: is a list; write text"}},
        {"NullInAList",
         "constraints:\n- a\n- null\n",
         {"line 3: constraints[1]: is null; write text, in quotes if text is meant"}},
        {"NullMessageInAList", "parameters:\n- ~\n", {"line 2: parameters[0]: is null; write a map of fields"}},
        {"NullInAMap", "tags: {a: null}", {"line 1: tags.a: is null; write text"}},
        {"TextForList", "constraints: a", {"line 1: constraints: is `a`; write a list"}},
        {"MapForList", "parameters: {name: x}", {"line 1: parameters: is a map; write a list"}},
        {"TextForMessage", "objective: loss", {"line 1: objective: is `loss`; write a map of fields"}},
        {"ListForMessage", "objective: [loss]", {"line 1: objective: is a list; write a map of fields"}},
        {"TextForEmptyMessage", "strategy: {random: yes}", {"line 1: strategy.random: is `yes`; write {}"}},
        {"TextForMap", "tags: a", {"line 1: tags: is `a`; write a map"}},
        {"ListForMap", "tags: [a]", {"line 1: tags: is a list; write a map"}},
        {"ListAsKey", "? [a, b]\n: c\n", {"line 1: is a list; write a name in the place of the key"}},
        {"RootIsAList", "- a\n", {"line 1: is a list; write a map of fields"}},
        {"RootIsText", "hello", {"line 1: is `hello`; write a map of fields"}},
        {"MergeKey", "objective: &o {metric: a}\nlimits:\n  <<: *o\n", {"line 3: limits.<<: merge keys are not read"}},
        {"SyntaxError", "name: a\nparameters: [\n", {"line 3: cannot be read as YAML: "}},
        {"TabsForIndentation", "trial:\n\tprocess: {}\n", {"line 2: cannot be read as YAML: "}},
        {"UnknownAlias", "name: *x\n", {"line 1: cannot be read as YAML: "}},
        {"TwoDocuments", "name: a\n---\nname: b\n", {"line 2: begins a second document; keep one"}},
        {"BracketTooMany", "name: a\nlimits: {max_trials: 3}}\n", {"line 2: "}},
        {"CommaFirst", ", name: a\n", {"line 1: begins a second document"}},
        {"BracketAlone", "]", {"line 1: "}},
        {"BraceAlone", "}\n", {"line 1: "}},
        {"NotUtf8", "name: caf\xE9\n", {"the text is not UTF-8"}},
        {"ControlCharacter", "name: a\nlimits: \x04\n", {"line 2: holds a control character"}},
        {"SeveralAtOnce",
         "nam: x\nobjective: {goal: best}\nparameters:\n- {name: [], double: {min: low, max: high, steps: 1}}\nlimits: "
         "{max_trials: 1.5}\n",
         {"line 1: nam: ", "line 2: objective.goal: ", "line 4: parameters[0].name: ",
          "line 4: parameters[0].double.min: ", "line 4: parameters[0].double.max: ",
          "line 4: parameters[0].double.steps: is no field here; do you mean step?", "line 5: limits.max_trials: "}},
    }),
    [](const auto& test) { return test.param.name; });

TEST(JobFileTest, AliasesThatExplodeAreRefused) {
  std::string text = "static_parameters:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    absl::StrAppend(&text, "  a", i, ": &a", i, " [");
    for (int j = 0; j < 10; ++j) absl::StrAppend(&text, "*a", i - 1, ", ");
    absl::StrAppend(&text, "]\n");
  }
  EXPECT_THAT(Problems(text), ElementsAre(HasSubstr("more than 64 MiB with its aliases expanded")));
}

// Few nodes, much text.
TEST(JobFileTest, AliasesOfLongTextAreRefused) {
  std::string text = absl::StrCat("name: &a ", std::string(1 << 20, 'x'), "\nconstraints: [");
  for (int i = 0; i < 100; ++i) absl::StrAppend(&text, "*a, ");
  EXPECT_THAT(Problems(text + "]"), ElementsAre(HasSubstr("more than 64 MiB with its aliases expanded")));
}

TEST(JobFileTest, AnAliasOfItselfIsRefused) {
  EXPECT_THAT(Problems("static_parameters:\n  a: &a [*a]\n"), ElementsAre(HasSubstr("levels deep")));
}

TEST(JobFileTest, DepthIsBounded) {
  EXPECT_THAT(Problems(absl::StrCat("static_parameters: {a: ", std::string(100, '['), std::string(100, ']'), "}")),
              ElementsAre(AllOf(StartsWith("line 1: static_parameters.a"), HasSubstr("more than 64 levels deep"))));
  for (const char bracket : {'[', '{'}) {
    EXPECT_THAT(Problems(absl::StrCat("static_parameters: {a: ", std::string(1'000'000, bracket))),
                ElementsAre(HasSubstr("cannot be read as YAML")));
  }
}

TEST(JobFileTest, SizeIsBounded) {
  EXPECT_THAT(Problems(absl::StrCat("name: ", std::string(job_file::kMaxTextSize, 'x'))),
              ElementsAre(HasSubstr("at most 4194304 are read")));
}

TEST(JobFileTest, TheNumberOfProblemsIsBounded) {
  std::string text;
  for (int i = 0; i < 150; ++i) absl::StrAppend(&text, "field", i, ": 1\n");
  const std::vector<std::string> problems = Problems(text);
  EXPECT_EQ(problems.size(), 101u);
  EXPECT_EQ(problems.back(), "and 50 more");
}

// Whatever stands in a file: an answer, in bounded time, that names a line.
TEST(JobFileTest, DamagedTextsAreReadOrRefused) {
  testing::RandomValues random;
  const std::string alphabet("{}[]:,-?&*!|>'\"%@`#~.<=0aN \t\n\\\xC3\x01");
  for (int i = 0; i < 1500; ++i) {
    std::string text = kProductJobFile;
    for (int64_t j = random.Below(6); j >= 0; --j) {
      const size_t at = random.Below(text.size());
      const size_t size = random.Below(8);
      switch (random.Below(3)) {
        case 0:
          text.erase(at, size);
          break;
        case 1:
          text.insert(at, std::string(1 + size, alphabet[random.Below(alphabet.size())]));
          break;
        default:
          text.insert(at, text.substr(random.Below(text.size()), 20));
          break;
      }
    }
    const absl::StatusOr<v1::TuningJobSpec> spec = ParseJobFile(text);
    LineOfField(text, "trial.metrics[0].regex");
    if (spec.ok()) continue;
    EXPECT_EQ(spec.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_FALSE(spec.status().message().empty());
  }
}

TEST(JobFileTest, MergeReplacesListsAndKeepsWhatIsNotNamed) {
  v1::TuningJobSpec spec = ParseJobFile(kProductJobFile).value();
  ASSERT_TRUE(
      MergeYaml("limits: {max_trials: 3}\nparameters: [{name: x, boolean: {}}]\nstatic_parameters: {a: 1}\n", &spec)
          .ok());
  EXPECT_EQ(spec.name(), "xgboost-cancer");
  EXPECT_EQ(spec.limits().max_trials(), 3);
  EXPECT_EQ(spec.limits().max_parallel_trials(), 4);
  EXPECT_EQ(spec.parameters_size(), 1);
  EXPECT_EQ(spec.static_parameters_size(), 1);
}

TEST(JobFileTest, OtherMessagesThanSpecifications) {
  v1::ListTuningJobsRequest request;
  ASSERT_TRUE(
      MergeYaml("created_after: 2025-01-31T12:00:00.5+01:00\nstates: [RUNNING, STOPPED]\npage_size: 5", &request).ok());
  EXPECT_EQ(request.created_after().seconds(), 1738321200);
  EXPECT_EQ(request.created_after().nanos(), 500'000'000);
  EXPECT_EQ(request.states_size(), 2);
  const absl::Status status = MergeYaml("created_after: yesterday", &request);
  EXPECT_EQ(status.message(), "line 1: created_after: is `yesterday`; write a time as 2025-01-31T12:00:00Z");
  v1::StreamTrialLogsResponse logs;
  ASSERT_TRUE(MergeYaml("data: aGk=", &logs).ok());
  EXPECT_EQ(logs.data(), "hi");
}

TEST(JobFileTest, FindsTheLineOfAField) {
  const std::string text = kProductJobFile;
  EXPECT_EQ(LineOfField(text, "name"), 1);
  EXPECT_EQ(LineOfField(text, "parameters"), 3);
  EXPECT_EQ(LineOfField(text, "parameters[1].integer.max"), 5);
  EXPECT_EQ(LineOfField(text, "parameters[2].categorical.values[1]"), 6);
  EXPECT_EQ(LineOfField(text, "trial.process.command[0]"), 12);
  EXPECT_EQ(LineOfField(text, "trial.metrics[0].regex"), 14);
  // The nearest that is there, for fields that are missing.
  EXPECT_EQ(LineOfField(text, "objective.target"), 2);
  EXPECT_EQ(LineOfField(text, "parameters[7].name"), 3);
  EXPECT_EQ(LineOfField(text, "tags.a"), 1);
  EXPECT_EQ(LineOfField("a: [", "a"), std::nullopt);
  // Other spellings, and keys that hold dots.
  EXPECT_EQ(LineOfField("name: a\nstaticParameters:\n  a: 1\n  a.b: 2\n", "static_parameters.a.b"), 4);
}

TEST(JobFileTest, DurationsOfFlags) {
  EXPECT_EQ(job_file::ParseDuration("1h30m").value(), absl::Minutes(90));
  EXPECT_EQ(job_file::ParseDuration("0").value(), absl::ZeroDuration());
  EXPECT_EQ(job_file::ParseDuration("1d").value(), absl::Hours(24));
  for (const char* text : {"", "d", "90", "s", "1x", "-", "+5s", "1d-1h", "-1d", "1dd"}) {
    const bool is_good = std::string(text) == "-1d";
    EXPECT_EQ(job_file::ParseDuration(text).ok(), is_good) << text;
  }
}

}  // namespace
}  // namespace tuner
