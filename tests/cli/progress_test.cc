#include "tuner/cli/progress.h"

#include <algorithm>
#include <sstream>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/fake_service.h"
#include "tuner/cli/job_view.h"
#include "tuner/cli/result.h"
#include "tuner/cli/text.h"

namespace tuner::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

struct Half {
  Half() {
    FillForest(service, 10);
    job = service.jobs["tuningJobs/forest"];
    job.set_state(v1::TuningJob::RUNNING);
    job.mutable_spec()->mutable_limits()->set_max_trials(20);
    job.mutable_trial_counts()->set_running(4);
    job.clear_end_time();
  }
  tuner::testing::FakeService service;
  v1::TuningJob job;
};

v1::WatchTuningJobResponse Change(const Half& half, int from, int to) {
  v1::WatchTuningJobResponse change;
  *change.mutable_job() = half.job;
  const auto& trials = half.service.trials.at("tuningJobs/forest");
  for (int i = from; i < to; ++i) *change.add_trials() = trials[i];
  return change;
}

TEST(ProgressTest, TheBarSaysHowFarAndWhatIsBest) {
  const Half half;
  JobProgress progress;
  progress.Apply(Change(half, 0, 10));
  std::ostringstream out;
  const Printer printer(&out, &out, Style{});
  const absl::Time now = ToTime(half.job.create_time()) + absl::Seconds(100);
  const auto lines = ProgressLines(progress, now, printer, false, 200);
  ASSERT_EQ(lines.size(), 3);
  EXPECT_EQ(lines[0], "forest: minimize loss");
  EXPECT_THAT(lines[1], StartsWith("###############======........."));
  EXPECT_THAT(lines[1],
              HasSubstr("10/20 done, 4 running, 1 failed, 1m 40s, about 20s left"));  // 10 trials of 8 s, 4 at a time
  EXPECT_THAT(lines[2], StartsWith("best "));
  EXPECT_THAT(lines[2], HasSubstr("learning_rate="));
  for (const std::string& line : ProgressLines(progress, now, printer, true, 40)) EXPECT_LE(DisplayWidth(line), 40);
}

TEST(ProgressTest, SeveralObjectivesHaveAFront) {
  Half half;
  v1::Objective& accuracy = *half.job.mutable_spec()->add_additional_objectives();
  accuracy.set_metric("accuracy");
  accuracy.set_goal(v1::Objective::MAXIMIZE);
  v1::OutcomeConstraint& bound = *half.job.mutable_spec()->add_outcome_constraints();
  bound.set_metric("accuracy");
  bound.set_min(0.85);
  half.job.clear_best_trial();
  half.job.set_front_size(4);
  JobProgress progress;
  progress.Apply(Change(half, 0, 10));
  std::ostringstream out;
  const Printer printer(&out, &out, Style{});
  const auto lines = ProgressLines(progress, ToTime(half.job.create_time()), printer, false, 200);
  ASSERT_EQ(lines.size(), 3);
  EXPECT_EQ(lines[0], "forest: minimize loss, maximize accuracy");
  EXPECT_EQ(lines[2], "4 trials on the Pareto front");
  bool some_broken = false;
  for (const v1::Trial& trial : progress.TakeEnded()) {
    const std::string line = TrialLine(trial, half.job);
    if (!trial.has_objective()) continue;
    EXPECT_THAT(line, HasSubstr(", accuracy 0."));
    const bool broken = trial.state() == v1::Trial::COMPLETED && trial.final_metrics().at("accuracy") < 0.85;
    some_broken |= broken;
    EXPECT_EQ(line.find(", not >= 0.85)") != std::string::npos, broken) << line;
  }
  EXPECT_TRUE(some_broken);
}

TEST(ProgressTest, EachTrialEndsOnce) {
  const Half half;
  JobProgress progress;
  progress.Apply(Change(half, 0, 3));
  EXPECT_EQ(progress.TakeEnded().size(), 3);
  progress.Apply(Change(half, 2, 4));  // a rejoined watch tells the third again
  const auto ended = progress.TakeEnded();
  ASSERT_EQ(ended.size(), 1);
  EXPECT_EQ(ended[0].number(), 4);
}

TEST(ProgressTest, AFailureShowsItsFirstLineWithoutEscapes) {
  const Half half;
  const std::string line = TrialLine(half.service.trials.at("tuningJobs/forest")[6], half.job);
  EXPECT_THAT(line, HasSubstr("trial 7 FAILED"));
  EXPECT_THAT(line, HasSubstr("\\x1b[31mout of memory)"));
  EXPECT_THAT(line, Not(HasSubstr("\x1b")));
}

TEST(ProgressTest, AReasonThatAnnouncesMoreShowsTheLastLine) {
  EXPECT_EQ(ReasonLine("exit code 1; stderr ends with:\n  Traceback\n  ValueError: no\n"),
            "exit code 1; stderr ends with: ValueError: no");
  EXPECT_EQ(ReasonLine("one\ntwo"), "one");
  EXPECT_EQ(ReasonLine(""), "");
}

TEST(ProgressTest, TrialsThatEndedBeforeAreNotToldAgain) {
  const Half half;
  JobProgress progress;
  v1::ListTrialsResponse before;
  for (int i = 0; i < 3; ++i) *before.add_trials() = half.service.trials.at("tuningJobs/forest")[i];
  progress.Remember(before);
  progress.Apply(Change(half, 0, 4));
  const auto ended = progress.TakeEnded();
  ASSERT_EQ(ended.size(), 1);
  EXPECT_EQ(ended[0].number(), 4);
  EXPECT_TRUE(progress.TimeLeft().has_value());
}

TEST(ProgressTest, PlainLinesWhenNotOnATerminal) {
  const Half half;
  std::ostringstream out;
  Printer printer(&out, &out, Style{});
  const auto view = MakeProgressView(printer, true);
  JobProgress progress;
  progress.Apply(Change(half, 0, 2));
  view->Show(progress, absl::UnixEpoch());
  view->Show(progress, absl::UnixEpoch());
  EXPECT_THAT(out.str(), HasSubstr("[10/20] trial 1 COMPLETED  loss "));
  EXPECT_THAT(out.str(), Not(HasSubstr("\x1b")));
  const std::string text = out.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
}

TEST(ResultTest, SaysTheBestAndWhatToDoNext) {
  Half half;
  half.job.set_state(v1::TuningJob::COMPLETED);
  std::ostringstream out;
  Printer printer(&out, &out, Style{});
  PrintResult(printer, half.job, absl::Now());
  for (const char* part : {"Job forest COMPLETED", "Best: trial ", "PARAMETER", "learning_rate", "/data/jobs/forest/",
                           "tuner plot forest", "tuner best forest --fetch DIR"}) {
    EXPECT_THAT(out.str(), HasSubstr(part));
  }
  EXPECT_EQ(ExitCodeOf(half.job), 0);
  half.job.set_state(v1::TuningJob::FAILED);
  EXPECT_EQ(ExitCodeOf(half.job), 1);
}

}  // namespace
}  // namespace tuner::cli
