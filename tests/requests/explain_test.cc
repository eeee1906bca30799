// Explain on a model that answers from a table, and on times of trials.
#include "tuner/requests/explain.h"

#include <atomic>
#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tuner/requests/explain_text.h"
#include "tuner/requests/time_left.h"

namespace tuner::requests {
namespace {

using strategies::ModelView;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1'000'000);

// Its mean is 1 / n with n the number of trials it was fitted to, and x; the nearest are the latest ones.
class ScriptedModel : public ModelView {
 public:
  explicit ScriptedModel(std::vector<int32_t> trials) : trials_(std::move(trials)) {}
  Prediction Predict(const core::ParameterMap& point) const override {
    return {std::get<double>(point.at("x")) + 1.0 / static_cast<double>(trials_.size()), 0.25, 3, -2, 0.75};
  }
  std::vector<Neighbour> Nearest(const core::ParameterMap&, int count) const override {
    std::vector<Neighbour> nearest;
    for (size_t i = trials_.size(); i-- > 0 && static_cast<int>(nearest.size()) < count;) {
      nearest.push_back({trials_[i], 0.125 + static_cast<double>(nearest.size())});
    }
    return nearest;
  }
  absl::btree_map<std::string, double> LengthScaleImportance() const override { return {{"x", 1}}; }
  absl::btree_map<std::string, double> FanovaImportance() const override { return {{"x", 1}}; }
  double ExpectedImprovement(int trials) const override { return 0.01 * trials; }
  std::vector<LeftOut> LeaveOneOut() const override { return {{trials_.front(), 0.5, 0.25, 0.125}}; }
  double NoiseDeviation() const override { return 0.5; }
  DataRows Data() const override { return {{"x"}, {trials_.front()}, {{0.5}}, {-1.5}}; }
  std::vector<double> Coordinates(const core::ParameterMap& point) const override {
    return {std::get<double>(point.at("x"))};
  }
  std::vector<std::pair<std::string, double>> Hyperparameters() const override { return {{"length_scale.x", 0.3}}; }

 private:
  const std::vector<int32_t> trials_;
};

class ScriptedFit : public strategies::FitTask {
 public:
  void Run(strategies::StopToken) override {}
};

// Has a model from the second completed trial on.
class ScriptedStrategy : public strategies::Strategy {
 public:
  absl::StatusOr<strategies::Proposals> Suggest(const strategies::SuggestContext&) const override {
    return strategies::Proposals();
  }
  void Observe(const strategies::Observation& observation) override {
    const core::Trial& trial = std::get<strategies::Finished>(observation).trial;
    if (trial.state == core::TrialState::kCompleted) observed_.push_back(trial.number);
  }
  std::unique_ptr<strategies::FitTask> BeginFit() const override {
    return observed_.size() < 2 ? nullptr : std::make_unique<ScriptedFit>();
  }
  void InstallFit(std::unique_ptr<strategies::FitTask>) override { fitted_ = observed_; }
  std::shared_ptr<const ModelView> model() const override {
    return fitted_.empty() ? nullptr : std::make_shared<ScriptedModel>(fitted_);
  }

 private:
  std::vector<int32_t> observed_, fitted_;
};

absl::StatusOr<std::unique_ptr<strategies::Strategy>> MakeScripted(const core::JobSpec&) {
  return std::make_unique<ScriptedStrategy>();
}

// `values` of completed trials, finished in the reverse of their order.
ExplainedJob JobOf(const std::vector<double>& values) {
  ExplainedJob job;
  job.spec.strategy.name = "scripted";
  core::Parameter x;
  x.name = "x";
  x.domain = core::DoubleDomain{0, 1, core::Scale::kLinear, std::nullopt, std::nullopt};
  job.spec.space = core::SearchSpace::Make({x});
  job.spec.objective = {"loss", core::Goal::kMinimize, std::nullopt};
  job.header.status = core::JobStatus::kCompleted;
  for (size_t i = 0; i < values.size(); ++i) {
    core::Trial trial;
    trial.number = static_cast<int32_t>(i) + 1;
    trial.parameters["x"] = 0.5;
    trial.origin = core::TrialOrigin::kStrategy;
    trial.state = core::TrialState::kCompleted;
    trial.finish_seq = static_cast<int64_t>(values.size() - i);
    trial.objective = values[i];
    trial.final_metrics["loss"] = values[i];
    job.trials.push_back(trial);
  }
  return job;
}

v1::ExplainTuningJobRequest At(double x) {
  v1::ExplainTuningJobRequest request;
  (*request.mutable_at())["x"].set_number_value(x);
  return request;
}

TEST(ExplainTest, SaysWhatTheModelKnowsAndExpects) {
  const ExplainedJob job = JobOf({1, 2, 3, 4});
  v1::ExplainTuningJobRequest request = At(0.5);
  request.set_leave_one_out(true);
  request.set_include_data(true);
  const auto response = Explain(request, job, &MakeScripted, kNow, nullptr);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->metric(), "loss");
  EXPECT_EQ(response->observations(), 4);
  EXPECT_EQ(response->point().mean(), 0.75);
  EXPECT_EQ(response->point().standard_deviation(), 0.25);
  EXPECT_EQ(response->point().acquisition(), 3);
  EXPECT_THAT(response->point().nearest_trials(), ElementsAre(1, 2, 3, 4)) << "observed as they finished: 4, 3, 2, 1";
  EXPECT_EQ(response->point().nearest_distances(1), 1.125);
  EXPECT_EQ(response->point().explanation(),
            "The model expects loss 0.75 +- 0.25 here; the best is 1 of trial 1: a chance of 84 % to be better.");
  EXPECT_EQ(response->length_scale_importance().at("x"), 1);
  EXPECT_EQ(response->fanova_importance().at("x"), 1);
  EXPECT_DOUBLE_EQ(response->expected_improvement(), 0.1);
  EXPECT_EQ(response->noise_deviation(), 0.5);
  EXPECT_EQ(response->hyperparameters().at("length_scale.x"), 0.3);
  ASSERT_EQ(response->left_out_size(), 1);
  EXPECT_EQ(response->left_out(0).trial(), 4);
  EXPECT_EQ(response->left_out(0).observed(), 0.5);
  EXPECT_EQ(response->point().label_mean(), -2);
  EXPECT_EQ(response->point().label_standard_deviation(), 0.75);
  EXPECT_THAT(response->point().coordinates(), ElementsAre(0.5));
  EXPECT_THAT(response->data().columns(), ElementsAre("x"));
  ASSERT_EQ(response->data().rows_size(), 1);
  EXPECT_EQ(response->data().rows(0).trial(), 4);
  EXPECT_EQ(response->data().rows(0).label(), -1.5);
  EXPECT_TRUE(response->has_estimated_time_left());
  EXPECT_EQ(response->estimated_time_left().seconds(), 0) << "it has ended";
}

TEST(ExplainTest, PredictsAtManyPoints) {
  v1::ExplainTuningJobRequest request;
  for (const double x : {0.0, 0.5}) (*request.add_points()->mutable_parameters())["x"].set_number_value(x);
  const auto response = Explain(request, JobOf({1, 2}), &MakeScripted, kNow, nullptr);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_FALSE(response->has_point());
  ASSERT_EQ(response->predictions_size(), 2);
  EXPECT_EQ(response->predictions(0).mean(), 0.5);
  EXPECT_EQ(response->predictions(1).mean(), 1.0);
  EXPECT_EQ(response->predictions(1).standard_deviation(), 0.25);
}

// The model of the time of the proposal, not today's, says why.
TEST(ExplainTest, ATrialIsExplainedByTheModelThatChoseIt) {
  ExplainedJob job = JobOf({1, 2, 3, 0.9});  // finished: 4 (0.9), 3, 2, 1
  job.trials[0].basis = {
      .kind = core::Basis::Kind::kLastFit, .history_prefix = 2, .pending_trials = {2}, .known_prefix = 3};
  v1::ExplainTuningJobRequest request;
  request.set_trial(1);
  const auto response = Explain(request, job, &MakeScripted, kNow, nullptr);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->point().mean(), 0.75) << "today's, of 4 results";
  EXPECT_EQ(response->point().explanation(),
            "Trial 1 was chosen by the model, fitted to the first 2 of 3 results, with trial 2 pending. It expected "
            "loss 1 +- 0.25 against a best of 0.9 of trial 4, a chance of 34 % to improve; it refined what was known "
            "around trial 3.");
}

TEST(ExplainTest, OtherOriginsAreNamed) {
  core::Trial trial;
  trial.number = 7;
  trial.origin = core::TrialOrigin::kStrategy;
  EXPECT_THAT(OriginText(trial), HasSubstr("without a model"));
  trial.basis.kind = core::Basis::Kind::kFallback;
  trial.basis.history_prefix = 5;
  EXPECT_THAT(OriginText(trial), HasSubstr("deadline"));
  EXPECT_FALSE(ProposedByModel(trial));
  trial.basis.kind = core::Basis::Kind::kFresh;
  trial.basis.known_prefix = 5;
  trial.basis.pending_trials = {1, 2, 3, 4, 5};
  EXPECT_EQ(OriginText(trial),
            "Trial 7 was chosen by the model, fitted to the 5 results there were, with 5 trials pending.");
  trial.origin = core::TrialOrigin::kImported;
  EXPECT_THAT(OriginText(trial), HasSubstr("imported"));
  trial.origin = core::TrialOrigin::kEnqueued;
  EXPECT_THAT(OriginText(trial), HasSubstr("user"));
}

TEST(ExplainTest, FarAndPromisingPlacesAreToldApart) {
  const core::JobSpec spec = JobOf({}).spec;
  core::Trial best;
  best.number = 2;
  best.objective = 0.5;
  const std::vector<ModelView::Neighbour> far = {{4, 1.5}}, near = {{4, 0.25}};
  const auto text = [&](double mean, absl::Span<const ModelView::Neighbour> nearest) {
    return ProposalText(spec, {.mean = mean, .standard_deviation = 0.1}, &best, nearest);
  };
  EXPECT_THAT(text(0.4, far),
              HasSubstr("84 % to improve; a promising place, 1.5 length-scales from the nearest trial, 4."));
  EXPECT_THAT(text(0.4, near), HasSubstr("it looked closer around trial 4."));
  EXPECT_THAT(text(0.9, far), HasSubstr("under 1 % to improve; little was known there, 1.5 length-scales"));
  EXPECT_THAT(text(0.9, {}), HasSubstr("nothing was known yet."));
  EXPECT_THAT(ProposalText(spec, {.mean = 1, .standard_deviation = 1}, nullptr, near),
              HasSubstr("no trial had a value"));
}

TEST(ExplainTest, TheChanceFollowsTheGoal) {
  const ModelView::Prediction prediction{.mean = 1, .standard_deviation = 2};
  EXPECT_NEAR(ChanceToImprove({"m", core::Goal::kMinimize, {}}, prediction, 3), 0.8413447460685429, 1e-12);
  EXPECT_NEAR(ChanceToImprove({"m", core::Goal::kMaximize, {}}, prediction, 3), 0.15865525393145707, 1e-12);
}

TEST(ExplainTest, RefusesWithWhatToChange) {
  const ExplainedJob job = JobOf({1, 2});
  const auto refused = [&](const v1::ExplainTuningJobRequest& request) {
    return Explain(request, job, &MakeScripted, kNow, nullptr).status();
  };
  EXPECT_EQ(refused(At(2)).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused(At(2)).message()), HasSubstr("at: "));
  v1::ExplainTuningJobRequest request = At(0.5);
  request.set_trial(1);
  EXPECT_EQ(refused(request).code(), absl::StatusCode::kInvalidArgument);
  request.clear_at();
  request.set_trial(9);
  EXPECT_EQ(refused(request).code(), absl::StatusCode::kNotFound);
  request.Clear();
  (*request.add_points()->mutable_parameters())["y"].set_number_value(0);
  EXPECT_THAT(std::string(refused(request).message()), HasSubstr("points[0].parameters"));
  const auto early = Explain({}, JobOf({1}), &MakeScripted, kNow, nullptr).status();
  EXPECT_EQ(early.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(early.message()), HasSubstr("scripted has no model of 1 finished"));
  const std::atomic<bool> stop = true;
  EXPECT_EQ(Explain({}, job, &MakeScripted, kNow, &stop).status().code(), absl::StatusCode::kCancelled);
}

core::Trial Ran(core::TrialState state, absl::Duration began_before, std::optional<absl::Duration> took) {
  core::Trial trial;
  trial.state = state;
  core::Attempt attempt;
  attempt.start_time = kNow - began_before;
  if (took) attempt.end_time = *attempt.start_time + *took;
  trial.attempts.push_back(attempt);
  return trial;
}

TEST(TimeLeftTest, CountsRunningTrialsAndSlots) {
  core::JobHeader header;
  header.status = core::JobStatus::kRunning;
  header.create_time = kNow - absl::Minutes(10);
  header.limits.max_trials = 6;
  header.limits.max_parallel_trials = 2;
  EXPECT_EQ(EstimateTimeLeft(header, {}, kNow), std::nullopt) << "nothing has ended";
  using core::TrialState;
  std::vector<core::Trial> trials = {Ran(TrialState::kCompleted, absl::Minutes(9), absl::Seconds(50)),
                                     Ran(TrialState::kFailed, absl::Minutes(8), absl::Seconds(70)),
                                     Ran(TrialState::kRunning, absl::Seconds(20), std::nullopt)};
  // Of 60 s each: one is done in 40 s, three are to come in two slots, free now and in 40 s: at 60, 100 and 120 s.
  EXPECT_EQ(EstimateTimeLeft(header, trials, kNow), absl::Seconds(120));
  core::Trial reused;
  reused.state = TrialState::kCompleted;
  reused.origin = core::TrialOrigin::kReused;
  trials.push_back(reused);
  EXPECT_EQ(EstimateTimeLeft(header, trials, kNow), absl::Seconds(100))
      << "a trial with another's result takes a place";
  header.limits.max_run_time = absl::Minutes(11);
  EXPECT_EQ(EstimateTimeLeft(header, trials, kNow), absl::Seconds(60));
  header.limits.max_trials.reset();
  EXPECT_EQ(EstimateTimeLeft(header, trials, kNow), absl::Seconds(60));
  header.status = core::JobStatus::kCompleted;
  EXPECT_EQ(EstimateTimeLeft(header, trials, kNow), absl::ZeroDuration());
}

// A worker that only tells the end of a trial never says when it began.
TEST(TimeLeftTest, CountsFromTheLaunchWhereNothingElseIsKnown) {
  core::JobHeader header;
  header.status = core::JobStatus::kRunning;
  header.limits.max_trials = 2;
  core::Trial trial = Ran(core::TrialState::kCompleted, absl::Minutes(1), absl::Seconds(20));
  std::swap(trial.attempts[0].launch_time, trial.attempts[0].start_time);
  EXPECT_EQ(EstimateTimeLeft(header, {trial}, kNow), absl::Seconds(20));
}

TEST(TimeLeftTest, ATrialThatIsOverdueIsDoneSoon) {
  core::JobHeader header;
  header.status = core::JobStatus::kRunning;
  header.limits.max_trials = 2;
  const std::vector<core::Trial> trials = {Ran(core::TrialState::kCompleted, absl::Minutes(9), absl::Seconds(50)),
                                           Ran(core::TrialState::kRunning, absl::Minutes(5), std::nullopt)};
  EXPECT_EQ(EstimateTimeLeft(header, trials, kNow), absl::ZeroDuration());
}

}  // namespace
}  // namespace tuner::requests
