// The grammar of ListTrialsRequest.filter and order_by (proto/tuner/v1/tuning_service.proto).
#include "core/trial_filter.h"

#include <algorithm>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace tuner::core {
namespace {

using Tags = absl::btree_map<std::string, std::string>;

Trial Sample() {
  Trial trial;
  trial.number = 7;
  trial.state = TrialState::kCompleted;
  trial.origin = TrialOrigin::kStrategy;
  trial.definition = "xgb-2";
  trial.objective = 0.25;
  trial.parameters = {
      {"max_depth", int64_t{4}}, {"eta", 0.1}, {"booster", std::string("dart")}, {"flag", true}, {"a b", 1.5},
      {"text", std::string("4")}};
  trial.final_metrics = {{"validation:logloss", 0.25}, {"auc", 0.9}};
  trial.create_time = absl::FromUnixSeconds(1'767'225'600);  // 2026-01-01
  return trial;
}

bool Matches(const std::string& text) {
  const absl::StatusOr<TrialFilter> filter = TrialFilter::Parse(text);
  EXPECT_TRUE(filter.ok()) << text << ": " << filter.status();
  return filter.ok() && filter->Matches(Sample(), Tags{{"team", "vision"}, {"x-y", "1"}});
}

TEST(TrialFilterTest, True) {
  for (const char* text : {
           "",
           "  \n",
           "number = 7",
           "number=7",
           "number>=7",
           "number != 8",
           "number < 8",
           "number > 6.5",
           "state = COMPLETED",
           "state != FAILED",
           "state=\"COMPLETED\"",
           "origin = STRATEGY",
           "definition = xgb-2",
           "definition != lgbm",
           "objective <= 0.25",
           "objective < 1e3",
           "objective > -1",
           "parameters.max_depth >= 4",
           "parameters.max_depth = 4.0",
           "parameters.eta = 0.1",
           "parameters.booster = dart",
           "parameters.booster = \"dart\"",
           "parameters.booster < gbtree",
           "parameters.flag = true",
           "parameters.flag != false",
           "parameters.\"a b\" = 1.5",
           "parameters.text = 4",
           "parameters.text = \"4\"",
           "metrics.auc > 0.5",
           "metrics.\"validation:logloss\" < 0.3",
           "tags.team = vision",
           "tags.\"x-y\" = 1",
           "create_time >= 2026-01-01T00:00:00Z",
           "create_time < 2026-01-01T01:00:00+00:30",
           "create_time = \"2026-01-01T00:00:00Z\"",
           "NOT state = FAILED",
           "NOT NOT number = 7",
           "state = FAILED OR number = 7",
           "number = 7 AND objective = 0.25 AND metrics.auc = 0.9",
           "NOT (state = FAILED OR number = 8)",
           "((number = 7))",
           // AND binds more tightly than OR, NOT more tightly than both.
           "number = 7 OR number = 8 AND number = 9",
           "NOT number = 8 OR number = 8 AND number = 9",
           "NOT number = 8 AND NOT number = 9",
           // Nothing beside a missing value: not equal, not unequal; NOT turns the answer.
           "NOT best_objective = 1",
           "NOT best_objective != 1",
           "NOT end_time > 2020-01-01T00:00:00Z",
           "NOT parameters.missing != 1",
           "NOT metrics.missing < 1",
           "NOT tags.missing != x",
       }) {
    EXPECT_TRUE(Matches(text)) << text;
  }
}

TEST(TrialFilterTest, False) {
  for (const char* text : {
           "number = 8",
           "number != 7",
           "state = FAILED",
           "origin != STRATEGY",
           "definition = \"\"",
           "objective < 0.25",
           "objective > 0.25",
           "best_objective = 1",
           "best_objective != 1",
           "parameters.missing != 1",
           "metrics.missing != 1",
           "tags.missing != x",
           "end_time != 2026-01-01T00:00:00Z",
           "parameters.max_depth = dart",
           "parameters.max_depth != dart",
           "parameters.max_depth = \"4\"",
           "parameters.flag = 1",
           "parameters.flag = \"true\"",
           "parameters.booster = \"Dart\"",
           "tags.team = Vision",
           "create_time > 2026-01-01T00:00:00Z",
           "(number = 7 OR number = 8) AND number = 9",
           "number = 7 AND NOT number = 7",
       }) {
    EXPECT_FALSE(Matches(text)) << text;
  }
}

struct BadFilter {
  std::string text;
  std::string message;
};

TEST(TrialFilterTest, SaysWhereAndWhatWasExpected) {
  const std::string fields =
      "one of number, state, origin, definition, objective, best_objective, parameters.NAME, metrics.NAME, tags.NAME, "
      "create_time, "
      "end_time";
  const std::string operators =
      "one of = != < <= > >= (names with other characters than letters, digits and _ stand in double quotes)";
  const std::vector<BadFilter> cases = {
      {"foo = 1", "filter: at character 1 expected " + fields + ", found \"foo = 1\""},
      {"number = 7 AND", "filter: at character 15 expected " + fields + ", found the end"},
      {"number 7", "filter: at character 8 expected " + operators + ", found \"7\""},
      {"metrics.validation:logloss = 1", "filter: at character 19 expected " + operators + ", found \":logloss = 1\""},
      {"number = seven", "filter: at character 10 expected a number, found \"seven\""},
      {"number = \"7\"", "filter: at character 10 expected a number, found \"\"7\"\""},
      {"number =",
       "filter: at character 9 expected a value: a number, a word, or text in double quotes, found the end"},
      {"state = DONE", "filter: at character 9 expected a trial state such as COMPLETED, found \"DONE\""},
      {"state = STATE_UNSPECIFIED",
       "filter: at character 9 expected a trial state such as COMPLETED, found \"STATE_UNSPECIFIED\""},
      {"state < FAILED",
       "filter: at character 7 expected = or !=, as states, origins and definitions have no order, found \"< FAILED\""},
      {"origin = USER", "filter: at character 10 expected STRATEGY, ENQUEUED, IMPORTED or REUSED, found \"USER\""},
      {"definition > a",
       "filter: at character 12 expected = or !=, as states, origins and definitions have no order, found \"> a\""},
      {"create_time > yesterday",
       "filter: at character 15 expected a time such as 2026-01-31T12:00:00Z, found \"yesterday\""},
      {"number = 7 number = 8", "filter: at character 12 expected AND, OR or the end, found \"number = 8\""},
      {"number = 7 and number = 8", "filter: at character 12 expected AND, OR or the end, found \"and number = 8\""},
      {"(number = 7", "filter: at character 12 expected AND, OR or ')', found the end"},
      {"number = 7)", "filter: at character 11 expected AND, OR or the end, found \")\""},
      {"parameters = 7", "filter: at character 11 expected '.' and a name, found \" = 7\""},
      {"parameters. = 7",
       "filter: at character 12 expected a name of letters, digits and _, or one in double quotes, found \" = 7\""},
      {"parameters.\"a = 7", "filter: at character 12 it opens a double quote that is never closed"},
      {std::string(60, '(') + "number = 7",
       "filter: at character 52 it is nested deeper than 50 levels; write it flatter"},
      {std::string(2001, ' '), "filter: has 2001 characters; write it in at most 2000"},
  };
  for (const BadFilter& c : cases) {
    const absl::Status status = TrialFilter::Parse(c.text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.text;
    EXPECT_EQ(status.message(), c.message);
  }
}

TEST(TrialFilterTest, QuotesEscape) {
  Trial trial = Sample();
  trial.parameters = {{"a\"b\\c", std::string("x\"y")}};
  const absl::StatusOr<TrialFilter> filter = TrialFilter::Parse("parameters.\"a\\\"b\\\\c\" = \"x\\\"y\"");
  ASSERT_TRUE(filter.ok()) << filter.status();
  EXPECT_TRUE(filter->Matches(trial, {}));
}

TEST(TrialFilterTest, EveryStateNameIsReadBack) {
  for (int i = static_cast<int>(TrialState::kQueued); i <= static_cast<int>(TrialState::kInfeasible); ++i) {
    Trial trial = Sample();
    trial.state = static_cast<TrialState>(i);
    const absl::StatusOr<TrialFilter> filter =
        TrialFilter::Parse("state = " + std::string(TrialStateName(trial.state)));
    ASSERT_TRUE(filter.ok()) << filter.status();
    EXPECT_TRUE(filter->Matches(trial, {}));
    EXPECT_EQ(filter->Matches(Sample(), {}), trial.state == TrialState::kCompleted);
  }
  EXPECT_EQ(TrialStateName(TrialState::kEarlyStopped), "EARLY_STOPPED");
}

// Any bytes: an answer or a status, never a crash.
TEST(TrialFilterTest, RandomTextIsRefusedOrRead) {
  const std::vector<std::string> pieces = {"number", "state",     "=",   "!=",   "<",           "(",  ")",
                                           "AND",    "OR",        "NOT", " ",    "parameters.", "\"", "\\",
                                           "7",      "COMPLETED", ".",   "\xff", "metrics.x"};
  uint32_t random = 1;
  int read = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (int k = 0; k < 8; ++k) {
      random = random * 1664525 + 1013904223;
      text += pieces[(random >> 16) % pieces.size()];
    }
    const absl::StatusOr<TrialFilter> filter = TrialFilter::Parse(text);
    if (!filter.ok()) continue;
    filter->Matches(Sample(), {});
    ++read;
  }
  EXPECT_GT(read, 0);
}

std::string Sorted(const std::string& order_by) {
  std::vector<Trial> trials(4);
  for (int i = 0; i < 4; ++i) {
    trials[i].number = i + 1;
    trials[i].create_time = absl::FromUnixSeconds(100 - i);
  }
  trials[0].objective = 2;
  trials[1].objective = 1;
  trials[3].objective = 2;
  trials[2].best_objective = -5;
  trials[3].end_time = absl::FromUnixSeconds(9);
  trials[1].end_time = absl::FromUnixSeconds(8);
  const absl::StatusOr<TrialOrder> order = TrialOrder::Parse(order_by);
  EXPECT_TRUE(order.ok()) << order.status();
  std::sort(trials.begin(), trials.end(), [&](const Trial& a, const Trial& b) { return order->Before(a, b); });
  std::string text;
  for (const Trial& trial : trials) text += std::to_string(trial.number);
  return text;
}

TEST(TrialOrderTest, EachKey) {
  EXPECT_EQ(Sorted(""), "1234");
  EXPECT_EQ(Sorted("number"), "1234");
  EXPECT_EQ(Sorted("number desc"), "4321");
  EXPECT_EQ(Sorted("objective"), "2143");
  EXPECT_EQ(Sorted("objective desc"), "1423");
  EXPECT_EQ(Sorted("best_objective"), "3124");
  EXPECT_EQ(Sorted("best_objective desc"), "3124");
  EXPECT_EQ(Sorted("create_time"), "4321");
  EXPECT_EQ(Sorted(" create_time  desc "), "1234");
  EXPECT_EQ(Sorted("end_time"), "2413");
  EXPECT_EQ(Sorted("end_time desc"), "4213");
}

TEST(TrialOrderTest, RefusesOthers) {
  for (const char* text : {"loss", "objective asc", "desc", "objective, number", "objectivedesc", "objective DESC"}) {
    const absl::Status status = TrialOrder::Parse(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_NE(status.message().find("best_objective"), absl::string_view::npos) << status;
  }
}

}  // namespace
}  // namespace tuner::core
