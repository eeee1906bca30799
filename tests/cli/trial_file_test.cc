#include "tuner/cli/trial_file.h"

#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/fake_service.h"
#include "tuner/cli/format.h"
#include "tuner/cli/rerun.h"

namespace tuner::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Forest {
  explicit Forest(int count) {
    tuner::testing::FakeService service;
    tuner::testing::FillForest(service, count);
    job = service.jobs["tuningJobs/forest"];
    for (const v1::Trial& trial : service.trials["tuningJobs/forest"]) *trials.add_trials() = trial;
  }
  v1::TuningJob job;
  v1::ListTrialsResponse trials;
};

void ExpectSameAsExported(const ImportedTrials& imported, const Forest& forest) {
  size_t next = 0;
  for (const v1::Trial& trial : forest.trials.trials()) {
    if (trial.state() == v1::Trial::EARLY_STOPPED) continue;  // has no final value, so is no finished trial
    if (trial.origin() == v1::Trial::REUSED) continue;        // would count one result twice
    ASSERT_LT(next, imported.trials.size());
    const v1::Trial& got = imported.trials[next++];
    EXPECT_EQ(got.state(), trial.state()) << trial.number();
    ASSERT_EQ(got.parameters().size(), trial.parameters().size());
    for (const auto& [name, value] : trial.parameters()) {
      EXPECT_EQ(got.parameters().at(name).SerializeAsString(), value.SerializeAsString())
          << name << " of " << trial.number();
    }
    for (const auto& [name, value] : trial.final_metrics()) EXPECT_EQ(got.final_metrics().at(name), value) << name;
    EXPECT_EQ(got.final_metrics().size(), trial.final_metrics().size());
  }
  EXPECT_EQ(next, imported.trials.size());
}

TEST(TrialFileTest, WhatExportWritesImportReads) {
  Forest forest(40);
  int completed = 0;
  for (v1::Trial& trial : *forest.trials.mutable_trials()) {
    if (trial.state() == v1::Trial::COMPLETED && ++completed == 5) trial.set_origin(v1::Trial::REUSED);
  }
  ASSERT_GE(completed, 5);
  const auto csv = TrialsFromCsv(forest.job.spec(), TrialsToCsv(forest.job, forest.trials));
  ASSERT_TRUE(csv.ok()) << csv.status();
  ExpectSameAsExported(*csv, forest);
  EXPECT_GT(csv->skipped, 0);
  const auto json = TrialsFromJson(forest.job.spec(), Json(forest.trials));
  ASSERT_TRUE(json.ok()) << json.status();
  ExpectSameAsExported(*json, forest);
}

TEST(TrialFileTest, SeveralObjectivesAndConstraintsHaveColumns) {
  Forest forest(40);
  forest.job.mutable_spec()->add_additional_objectives()->set_metric("accuracy");
  v1::OutcomeConstraint& bound = *forest.job.mutable_spec()->add_outcome_constraints();
  bound.set_metric("accuracy");
  bound.set_min(0.85);
  *forest.job.add_pareto_front() = forest.trials.trials(0);
  const std::string text = TrialsToCsv(forest.job, forest.trials);
  const auto rows = ParseCsv(text);
  ASSERT_TRUE(rows.ok());
  ASSERT_EQ((*rows)[0][9], "keeps_constraints");
  ASSERT_EQ((*rows)[0][10], "on_pareto_front");
  for (int i = 0; i < forest.trials.trials_size(); ++i) {
    const v1::Trial& trial = forest.trials.trials(i);
    const bool completed = trial.state() == v1::Trial::COMPLETED;
    EXPECT_EQ((*rows)[i + 1][9], !completed ? "" : trial.final_metrics().at("accuracy") >= 0.85 ? "true" : "false");
    EXPECT_EQ((*rows)[i + 1][10], !completed ? "" : i == 0 ? "true" : "false");
  }
  const auto read = TrialsFromCsv(forest.job.spec(), text);
  ASSERT_TRUE(read.ok()) << read.status();
  ExpectSameAsExported(*read, forest);
  // Without a value of the second objective it has failed.
  const auto poor =
      TrialsFromCsv(forest.job.spec(), "learning_rate,depth,\"kernel_{x}\",bias,loss\n1e-3,4,poly,true,0.5\n");
  ASSERT_TRUE(poor.ok()) << poor.status();
  EXPECT_EQ(poor->trials[0].state(), v1::Trial::FAILED);
  EXPECT_EQ(poor->trials[0].reason(), "imported without a value of accuracy");
}

TEST(TrialFileTest, ReadsAPlainTable) {
  const Forest forest(1);
  const auto read = TrialsFromCsv(forest.job.spec(),
                                  "\xEF\xBB\xBFlearning_rate,depth,\"kernel_{x}\",bias,loss\r\n1e-3,4,poly,true,0."
                                  "5\r\n\r\n0.01,5,\"rbf 'soft'\",false,\r\n");
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->trials.size(), 2);
  EXPECT_EQ(read->trials[0].state(), v1::Trial::COMPLETED);
  EXPECT_EQ(read->trials[0].parameters().at("learning_rate").number_value(), 1e-3);
  EXPECT_TRUE(read->trials[0].parameters().at("bias").bool_value());
  EXPECT_EQ(read->trials[0].final_metrics().at("loss"), 0.5);
  EXPECT_EQ(read->trials[1].state(), v1::Trial::FAILED);
  EXPECT_EQ(read->trials[1].parameters().at("kernel_{x}").string_value(), "rbf 'soft'");
}

TEST(TrialFileTest, FlatJsonAndOtherMetrics) {
  const Forest forest(1);
  const auto read = TrialsFromJson(
      forest.job.spec(),
      R"([{"learning_rate": 0.01, "depth": 3, "kernel_{x}": "poly", "bias": false, "loss": 0.25, "accuracy": 0.9}])");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->trials.at(0).final_metrics().at("accuracy"), 0.9);
}

TEST(TrialFileTest, RefusalsNameTheRowAndColumn) {
  const Forest forest(1);
  const auto refused = [&](const std::string& text) {
    return std::string(TrialsFromCsv(forest.job.spec(), text).status().message());
  };
  EXPECT_THAT(refused("depth,loss\nmany,1\n"), HasSubstr("row 2: depth: \"many\" should be a number"));
  EXPECT_THAT(refused("depth,loss,state\n3,1,DONE\n"), HasSubstr("row 2: state"));
  EXPECT_THAT(refused("depth\n3,4\n"), HasSubstr("row 2 has 2 fields"));
  EXPECT_THAT(refused("depth,loss\n\"3,1\n"), HasSubstr("line 2: the quoted field has no closing quote"));
  EXPECT_THAT(refused("depth,loss,state\n3,,COMPLETED\n"), HasSubstr("needs a finite value"));
  EXPECT_THAT(refused(""), HasSubstr("empty"));
}

TEST(TrialFileTest, CsvFieldsSurviveWhateverTheyHold) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  const std::string letters = "ab,\"\n\r 'é;";
  for (int round = 0; round < 300; ++round) {
    std::vector<std::vector<std::string>> rows(1 + random() % 4, std::vector<std::string>(2 + random() % 3));
    std::string text;
    for (auto& row : rows) {
      for (size_t i = 0; i < row.size(); ++i) {
        for (uint32_t n = random() % 6; n > 0; --n) row[i] += letters[random() % letters.size()];
        text += (i ? "," : "") + CsvField(row[i]);
      }
      text += "\n";
    }
    const auto parsed = ParseCsv(text);
    ASSERT_TRUE(parsed.ok()) << text;
    ASSERT_EQ(*parsed, rows) << text;
  }
}

TEST(RerunTest, LargerLimitsAreRaisedOthersRefused) {
  v1::Limits stored, file;
  stored.set_max_trials(20);
  stored.set_max_parallel_trials(2);
  file = stored;
  EXPECT_THAT(CompareLimits(stored, file).raised, IsEmpty());
  EXPECT_THAT(CompareLimits(stored, file).refused, IsEmpty());
  file.set_max_trials(50);
  EXPECT_THAT(CompareLimits(stored, file).raised, ElementsAre("max_trials from 20 to 50"));
  file.set_max_parallel_trials(1);
  EXPECT_THAT(CompareLimits(stored, file).refused,
              ElementsAre("limits.max_parallel_trials: the job has 2, the file says 1"));
  file.clear_max_trials();  // what a file leaves out may have been resolved by the server
  EXPECT_THAT(CompareLimits(stored, file).raised, IsEmpty());
  file.mutable_max_run_time()->set_seconds(60);  // a bound where there was none is a smaller one
  EXPECT_THAT(CompareLimits(stored, file).refused, ::testing::Contains(HasSubstr("max_run_time: the job has none")));
}

}  // namespace
}  // namespace tuner::cli
