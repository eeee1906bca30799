#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "core/objectives.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/cli_process.h"
#include "tests/cli/fake_service.h"
#include "tuner/cli/gnuplot.h"
#include "tuner/cli/plot_data.h"
#include "tuner/cli/plot_model.h"
#include "tuner/cli/plot_script.h"

namespace tuner::cli {
namespace {

using ::testing::HasSubstr;

// A forest with `count` trials and as many objectives as asked for: loss, accuracy, and the time it takes; the time is
// bounded.
PlotData FrontForest(int count, int objectives) {
  tuner::testing::FakeService service;
  tuner::testing::FillForest(service, count);
  v1::TuningJob& job = service.jobs["tuningJobs/forest"];
  job.clear_best_trial();
  v1::ListTrialsResponse trials;
  core::JobSpec spec;
  core::ParetoFront front;
  spec.objective = {"loss", core::Goal::kMinimize, std::nullopt};
  const auto add = [&](const char* metric, core::Goal goal) {
    spec.additional_objectives.push_back({metric, goal, std::nullopt});
    v1::Objective& objective = *job.mutable_spec()->add_additional_objectives();
    objective.set_metric(metric);
    objective.set_goal(goal == core::Goal::kMinimize ? v1::Objective::MINIMIZE : v1::Objective::MAXIMIZE);
  };
  if (objectives > 1) add("images/s", core::Goal::kMaximize);
  if (objectives > 2) add("size", core::Goal::kMinimize);
  spec.outcome_constraints = {{"images/s", 200, std::nullopt}};
  v1::OutcomeConstraint& constraint = *job.mutable_spec()->add_outcome_constraints();
  constraint.set_metric("images/s");
  constraint.set_min(200);
  for (v1::Trial& trial : service.trials["tuningJobs/forest"]) {
    auto& metrics = *trial.mutable_final_metrics();
    const double depth = trial.parameters().at("depth").number_value();
    metrics["images/s"] = 2000 / depth + 10 * (trial.number() % 13) - (trial.number() % 11 == 0 ? 150 : 0);
    metrics["size"] = 1e6 * (1 + trial.number() * 17 % 29) * depth;
    core::Trial ended;
    ended.number = trial.number();
    ended.finish_seq = trial.number();
    ended.state = trial.state() == v1::Trial::COMPLETED ? core::TrialState::kCompleted : core::TrialState::kFailed;
    ended.objective = trial.objective();
    for (const auto& [metric, value] : metrics) ended.final_metrics[metric] = value;
    front.Add(spec, ended);
    *trials.add_trials() = trial;
  }
  for (const int number : front.numbers()) *job.add_pareto_front() = trials.trials(number - 1);
  return MakePlotData(job, trials);
}

// What a service says of the forest's model: bowls around (-2.3, 6), by the grid's points.
v1::ExplainTuningJobResponse Explained(const v1::ExplainTuningJobRequest& request,
                                       const v1::ListTrialsResponse& trials) {
  v1::ExplainTuningJobResponse explained;
  (*explained.mutable_fanova_importance())["learning_rate"] = 0.61;
  (*explained.mutable_fanova_importance())["depth"] = 0.3;
  (*explained.mutable_fanova_importance())["kernel_{x}"] = 0.06;
  (*explained.mutable_fanova_importance())["bias"] = 0.03;
  for (const auto& [name, share] : explained.fanova_importance()) {
    (*explained.mutable_length_scale_importance())[name] = 0.5 * share + 0.125;
  }
  for (const auto& point : request.points()) {
    const double rate = std::log10(point.parameters().at("learning_rate").number_value());
    const double depth = point.parameters().at("depth").number_value();
    auto& prediction = *explained.add_predictions();
    prediction.set_mean(0.1 + std::abs(rate + 2.3) * 0.2 + std::abs(depth - 6) * 0.03);
    prediction.set_standard_deviation(0.02 + 0.05 * std::abs(rate + 2));
  }
  for (const v1::Trial& trial : trials.trials()) {
    if (trial.state() != v1::Trial::COMPLETED) continue;
    auto& left_out = *explained.add_left_out();
    left_out.set_trial(trial.number());
    left_out.set_observed(trial.objective());
    left_out.set_mean(trial.objective() + 0.03 * std::sin(trial.number()));
    left_out.set_standard_deviation(0.013);
  }
  return explained;
}

PlotData ModelForest(int count) {
  tuner::testing::FakeService service;
  tuner::testing::FillForest(service, count);
  const v1::TuningJob& job = service.jobs["tuningJobs/forest"];
  v1::ListTrialsResponse trials;
  for (const v1::Trial& trial : service.trials["tuningJobs/forest"]) *trials.add_trials() = trial;
  PlotData data = MakePlotData(job, trials);
  v1::ExplainTuningJobRequest request;
  auto grid = ChooseGrid(job, Explained(request, trials), "", "");
  if (!grid.ok()) {
    data.model = MakePlotModel(Explained(request, trials), std::nullopt);
    return data;
  }
  AddGridPoints(job, *grid, request);
  data.model = MakePlotModel(Explained(request, trials), *std::move(grid));
  return data;
}

PlotData Forest(int count) {
  tuner::testing::FakeService service;
  tuner::testing::FillForest(service, count);
  v1::ListTrialsResponse trials;
  for (const v1::Trial& trial : service.trials["tuningJobs/forest"]) *trials.add_trials() = trial;
  return MakePlotData(service.jobs["tuningJobs/forest"], trials);
}

// Width and height of a PNG, or of an SVG's view box; 0 by 0 for what is neither.
std::pair<int, int> PictureSize(const std::string& bytes) {
  if (bytes.rfind("\x89PNG\r\n\x1a\n", 0) == 0 && bytes.size() > 24) {
    const auto number = [&](size_t at) {
      int value = 0;
      for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
      return value;
    };
    return bytes.find("IEND") == std::string::npos ? std::pair(0, 0) : std::pair(number(16), number(20));
  }
  int width = 0, height = 0;
  const size_t box = bytes.find("viewBox=\"0 0 ");
  if (box == std::string::npos || bytes.find("</svg>") == std::string::npos) return {0, 0};
  std::sscanf(bytes.c_str() + box, "viewBox=\"0 0 %d %d\"", &width, &height);
  return {width, height};
}

std::string Drawn(const std::string& kind, const PlotData& data, const std::string& format) {
  const tuner::testing::TestFolder folder;
  const std::string file = folder.path() + "/it's a picture." + format;
  const PlotSize size = SizeOf(kind, data, {});
  const std::string body = kind == "history"      ? HistoryScript(data, size)
                           : kind == "parallel"   ? ParallelScript(data, size)
                           : kind == "slice"      ? SliceScript(data, size)
                           : kind == "front"      ? FrontScript(data, size)
                           : kind == "importance" ? ImportanceScript(data, size)
                           : kind == "contour"    ? ContourScript(data, size)
                           : kind == "loo"        ? LeaveOneOutScript(data, size)
                                                  : CurvesScript(data, size);
  const auto status = RunGnuplot(Preamble(format, file, size) + body + "unset output\n");
  EXPECT_TRUE(status.ok()) << kind << ": " << status;
  std::ifstream in(file, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

class PictureTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (FindGnuplot().empty()) GTEST_SKIP() << "gnuplot is not installed";
  }
  void ExpectPicture(const PlotData& data) {
    for (const char* format : {"svg", "png"}) {
      const auto [width, height] = PictureSize(Drawn(GetParam(), data, format));
      EXPECT_GE(width, 500) << format;
      EXPECT_GE(height, 300) << format;
    }
  }
};

TEST_P(PictureTest, OfManyTrials) { ExpectPicture(Forest(60)); }
TEST_P(PictureTest, OfNoTrial) { ExpectPicture(Forest(0)); }
TEST_P(PictureTest, OfOneTrial) { ExpectPicture(Forest(1)); }
TEST_P(PictureTest, OfAThousandTrials) {
  const PlotData data = Forest(1000);
  const auto [width, height] = PictureSize(Drawn(GetParam(), data, "svg"));
  EXPECT_GE(width, 500);
  EXPECT_GE(height, 300);
}

TEST_P(PictureTest, OfFailedTrialsOnly) {
  PlotData data = Forest(10);
  for (PlotTrial& trial : data.trials) {
    trial.state = v1::Trial::FAILED;
    trial.objective.reset();
  }
  data.best = 0;
  data.curves.clear();
  data.objective = PlotAxis{"loss"};
  ExpectPicture(data);
}

TEST_P(PictureTest, NamesAreOnlyText) {
  PlotData data = Forest(12);
  data.job = "it's `id` $(id) \"q\" \\";
  data.metric = "a'b\\n\"\x1b{c}_d";
  data.axes[0].name = "'; system('touch /tmp/x') #";
  data.axes[2].categories = {"'; quit", "\"", "é"};
  ExpectPicture(data);
}

TEST_P(PictureTest, OfTwoObjectives) { ExpectPicture(FrontForest(80, 2)); }
TEST_P(PictureTest, OfThreeObjectives) { ExpectPicture(FrontForest(80, 3)); }
TEST_P(PictureTest, OfOneTrialWithTwoObjectives) { ExpectPicture(FrontForest(1, 2)); }
TEST_P(PictureTest, OfTwoObjectivesAndNoTrial) { ExpectPicture(FrontForest(0, 2)); }

TEST_P(PictureTest, OfAModel) { ExpectPicture(ModelForest(60)); }
TEST_P(PictureTest, OfAModelOfOneTrial) { ExpectPicture(ModelForest(1)); }

INSTANTIATE_TEST_SUITE_P(Kinds, PictureTest,
                         ::testing::Values("history", "parallel", "slice", "curves", "front", "importance", "contour",
                                           "loo"),
                         [](const auto& kind) { return kind.param; });

TEST(PlotDataTest, LeavesOutWhatIsNotFinite) {
  v1::TuningJob job;
  job.mutable_spec()->mutable_objective()->set_metric("m");
  job.mutable_spec()->mutable_objective()->set_goal(v1::Objective::MAXIMIZE);
  v1::ListTrialsResponse trials;
  for (const double value : {1.0, 5.0, static_cast<double>(NAN), static_cast<double>(INFINITY)}) {
    v1::Trial& trial = *trials.add_trials();
    trial.set_number(trials.trials_size());
    trial.set_state(v1::Trial::COMPLETED);
    trial.set_objective(value);
    v1::Measurement& measurement = *trial.add_measurements();
    measurement.set_metric("m");
    measurement.set_step(1);
    measurement.set_value(value);
  }
  const PlotData data = MakePlotData(job, trials);
  EXPECT_EQ(data.best, 2);
  EXPECT_EQ(data.objective.max, 5);
  EXPECT_TRUE(data.trials[2].failed());
  EXPECT_EQ(data.curves.at("m").size(), 2);
  EXPECT_EQ(data.Goodness(5), 1);
  EXPECT_EQ(data.Goodness(1), 0);
}

TEST(PlotDataTest, KnowsTheFrontAndWhoBreaksAConstraint) {
  const PlotData data = FrontForest(80, 2);
  EXPECT_EQ(data.best, 0);
  ASSERT_EQ(data.objectives.size(), 2);
  EXPECT_FALSE(data.objectives[0].maximize);
  EXPECT_TRUE(data.objectives[1].maximize);
  EXPECT_GT(data.front.size(), 2);
  int broken = 0;
  for (const PlotTrial& trial : data.trials) {
    EXPECT_EQ(trial.highlighted, std::ranges::find(data.front, trial.number) != data.front.end());
    EXPECT_FALSE(trial.highlighted && !trial.keeps_constraints);
    broken += !trial.keeps_constraints;
  }
  EXPECT_GT(broken, 0);
}

// The edge of the dominated region goes through every member, along the axes.
TEST(PlotScriptTest, TheFrontsEdgeIsAStaircase) {
  const PlotData data = FrontForest(80, 2);
  const std::string script = FrontScript(data, {});
  const size_t begin = script.find("$edge0 << EOD\n");
  ASSERT_NE(begin, std::string::npos);
  std::istringstream rows(script.substr(begin + 14, script.find("EOD\n", begin + 14) - begin - 14));
  std::vector<std::pair<double, double>> corners;
  for (double x = 0, y = 0; rows >> x >> y;) corners.emplace_back(x, y);
  ASSERT_EQ(corners.size(), 1 + 2 * data.front.size());
  for (size_t i = 1; i < corners.size(); ++i) {
    EXPECT_TRUE(corners[i].first == corners[i - 1].first || corners[i].second == corners[i - 1].second);
  }
  for (size_t i = 0; i < data.front.size(); ++i) {
    EXPECT_EQ(corners[1 + 2 * i].first, data.trials[data.front[i] - 1].outcomes[0]);
    EXPECT_EQ(corners[1 + 2 * i].second, data.trials[data.front[i] - 1].outcomes[1]);
  }
}

TEST(PlotModelTest, TheGridTakesWhatMattersMostAndKeepsTheRest) {
  const PlotData data = ModelForest(60);
  ASSERT_TRUE(data.model->grid.has_value());
  const PlotModel::Grid& grid = *data.model->grid;
  EXPECT_EQ(grid.x.axis.name, "learning_rate");
  EXPECT_EQ(grid.y.axis.name, "depth");
  EXPECT_EQ(grid.around, data.best);
  ASSERT_EQ(grid.x.values.size(), 41u);
  EXPECT_EQ(grid.x.values[0].number_value(), 1e-4);
  EXPECT_NEAR(grid.x.values[20].number_value(), std::pow(10, -2.5), 1e-12) << "evenly on its scale";
  EXPECT_EQ(grid.x.values[40].number_value(), 1e-1);
  EXPECT_EQ(grid.x.CoordinateOf(1e-1), 1);
  ASSERT_EQ(grid.y.values.size(), 9u) << "every whole number";
  EXPECT_EQ(grid.y.CoordinateOf(3), 0.125);
  EXPECT_EQ(grid.means.size(), 41u * 9);
  EXPECT_THAT(data.model->importance.front().name, "learning_rate");

  tuner::testing::FakeService service;
  tuner::testing::FillForest(service, 12);
  const v1::TuningJob& job = service.jobs["tuningJobs/forest"];
  const auto chosen = ChooseGrid(job, {}, "kernel_{x}", "bias");
  ASSERT_TRUE(chosen.ok()) << chosen.status();
  EXPECT_EQ(chosen->x.values.size(), 3u);
  EXPECT_TRUE(chosen->y.values[1].bool_value());
  v1::ExplainTuningJobRequest request;
  AddGridPoints(job, *chosen, request);
  ASSERT_EQ(request.points_size(), 6);
  EXPECT_EQ(request.points(5).parameters().at("depth").number_value(),
            job.best_trial().parameters().at("depth").number_value());
  const absl::Status wrong = ChooseGrid(job, {}, "depht", "").status();
  EXPECT_EQ(wrong.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(wrong.message()), HasSubstr("choose of: learning_rate, depth"));
  EXPECT_EQ(ChooseGrid({}, {}, "", "").status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(PlotDataTest, AxesKnowTheirScale) {
  PlotAxis axis{"x", PlotAxis::Scale::kLog, 1e-4, 1, {}};
  EXPECT_NEAR(axis.Position(1e-2), 0.5, 1e-12);
  std::vector<std::string> labels;
  for (const auto& tick : axis.Ticks(5)) labels.push_back(tick.label);
  EXPECT_THAT(labels, ::testing::ElementsAre("0.0001", "0.001", "0.01", "0.1", "1"));
  PlotAxis one{"x", PlotAxis::Scale::kLinear, 3, 3, {}};
  EXPECT_EQ(one.Position(3), 0.5);
  EXPECT_EQ(one.Ticks(5).size(), 1);
}

TEST(PlotScriptTest, QuotesEndOnlyWhereTheyShould) {
  EXPECT_EQ(Quoted("a b"), "\"a b\"");
  EXPECT_EQ(Quoted("'\"`"), "\"\\047\\042\\140\"");
  EXPECT_EQ(Quoted("a\nb"), "\"a\\134nb\"");
  EXPECT_EQ(QuotedTic("10%"), "\"10\\045\\045\"");
}

}  // namespace
}  // namespace tuner::cli
