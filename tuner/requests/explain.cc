#include "tuner/requests/explain.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/definitions.h"
#include "core/objectives.h"
#include "core/problem.h"
#include "proto/convert.h"
#include "tuner/requests/explain_text.h"
#include "tuner/requests/problems.h"
#include "tuner/requests/time_left.h"

namespace tuner::requests {
namespace {

using core::Stopped;
using strategies::ModelView;
using View = std::shared_ptr<const ModelView>;

constexpr int kMaxPoints = 10'000;
constexpr int kNearest = 5;
constexpr int kTrialsAhead = 10;

absl::Status CancelledHere() { return absl::CancelledError("the caller went away"); }

// In the order in which they finished.
std::vector<core::Trial> Finished(absl::Span<const core::Trial> trials) {
  std::vector<core::Trial> finished;
  for (const core::Trial& trial : trials) {
    if (core::IsTerminal(trial.state)) finished.push_back(trial);
  }
  std::ranges::sort(finished, {}, &core::Trial::finish_seq);
  return finished;
}

// The best of finished trials, which Explain's sentences compare with.
const core::Trial* BestOf(const core::JobSpec& spec, absl::Span<const core::Trial> finished) {
  const core::Trial* best = nullptr;
  for (const core::Trial& trial : finished) {
    if (trial.state != core::TrialState::kCompleted || !trial.objective || !core::KeepsConstraints(spec, trial))
      continue;
    if (best == nullptr || spec.objective.Better(*trial.objective, *best->objective)) best = &trial;
  }
  return best;
}

class Explainer {
 public:
  // `job`: with the specification and the trials of one definition.
  Explainer(const v1::ExplainTuningJobRequest& request, const ExplainedJob& job, const MakeStrategy& make,
            std::optional<absl::Duration> time_left, strategies::StopToken stop)
      : request_(request),
        job_(job),
        make_(make),
        time_left_(time_left),
        stop_(stop),
        finished_(Finished(job.trials)) {}

  absl::StatusOr<v1::ExplainTuningJobResponse> Run() {
    if (absl::Status status = ReadPoints(); !status.ok()) return status;
    absl::StatusOr<View> view = FitModel(make_, job_.spec, finished_, stop_);
    if (!view.ok()) return view.status();
    if (absl::Status status = AddPicture(**view); !status.ok()) return status;
    if (point_) {
      if (absl::Status status = AddPoint(**view); !status.ok()) return status;
    }
    for (const core::ParameterMap& point : grid_) {
      if (Stopped(stop_)) return CancelledHere();
      const ModelView::Prediction prediction = (*view)->Predict(point);
      auto& out = *response_.add_predictions();
      out.set_mean(prediction.mean);
      out.set_standard_deviation(prediction.standard_deviation);
    }
    if (request_.leave_one_out()) AddLeaveOneOut(**view);
    if (request_.include_data()) AddData(**view);
    if (Stopped(stop_)) return CancelledHere();
    return std::move(response_);
  }

 private:
  // The wire's point as a point of the space; problems by path.
  std::optional<core::ParameterMap> Read(const google::protobuf::Map<std::string, google::protobuf::Value>& wire,
                                         const std::string& path, core::Problems& problems) const {
    core::ParameterMap point;
    for (const auto& [name, value] : wire) {
      absl::StatusOr<core::ParameterValue> read = convert::FromProto(value);
      if (!read.ok()) {
        problems.push_back({absl::StrCat(path, ".", name), std::string(read.status().message())});
        return std::nullopt;
      }
      point.emplace(name, *std::move(read));
    }
    absl::StatusOr<core::ParameterMap> canonical = job_.spec.space.Canonical(point);
    if (canonical.ok()) return *std::move(canonical);
    problems.push_back({path, absl::StrCat("is no point of the job's space: ", canonical.status().message())});
    return std::nullopt;
  }

  absl::Status ReadPoints() {
    core::Problems problems;
    if (request_.has_trial() && !request_.at().empty()) {
      problems.push_back({"at", "is given beside trial; keep one of the two"});
    } else if (request_.has_trial()) {
      const auto found = std::ranges::find(job_.trials, request_.trial(), &core::Trial::number);
      if (found == job_.trials.end()) return absl::NotFoundError(absl::StrCat("there is no trial ", request_.trial()));
      trial_ = &*found;
      point_ = trial_->parameters;
    } else if (!request_.at().empty()) {
      point_ = Read(request_.at(), "at", problems);
    }
    if (request_.points_size() > kMaxPoints) {
      problems.push_back(
          {"points", absl::StrCat("has ", request_.points_size(), " entries; give at most ", kMaxPoints)});
    } else {
      for (int i = 0; i < request_.points_size() && problems.empty(); ++i) {
        auto point = Read(request_.points(i).parameters(), absl::StrCat("points[", i, "].parameters"), problems);
        if (point) grid_.push_back(*std::move(point));
      }
    }
    return problems.empty() ? absl::OkStatus() : InvalidArgument(problems);
  }

  // What is said of the job as a whole.
  absl::Status AddPicture(const ModelView& view) {
    response_.set_metric(job_.spec.objective.metric);
    response_.set_observations(static_cast<int32_t>(finished_.size()));
    for (const auto& [name, share] : view.LengthScaleImportance()) {
      (*response_.mutable_length_scale_importance())[name] = share;
    }
    if (Stopped(stop_)) return CancelledHere();
    for (const auto& [name, share] : view.FanovaImportance()) (*response_.mutable_fanova_importance())[name] = share;
    for (const auto& [name, value] : view.Hyperparameters()) (*response_.mutable_hyperparameters())[name] = value;
    response_.set_noise_deviation(view.NoiseDeviation());
    if (Stopped(stop_)) return CancelledHere();
    response_.set_expected_improvement(view.ExpectedImprovement(kTrialsAhead));
    if (time_left_) *response_.mutable_estimated_time_left() = convert::ToProto(*time_left_);
    return absl::OkStatus();
  }

  absl::Status AddPoint(const ModelView& view) {
    const ModelView::Prediction prediction = view.Predict(*point_);
    auto& out = *response_.mutable_point();
    for (const auto& [name, value] : *point_) (*out.mutable_parameters())[name] = convert::ToProto(value);
    out.set_mean(prediction.mean);
    out.set_standard_deviation(prediction.standard_deviation);
    out.set_acquisition(prediction.acquisition);
    out.set_label_mean(prediction.label_mean);
    out.set_label_standard_deviation(prediction.label_standard_deviation);
    const std::vector<double> coordinates = view.Coordinates(*point_);
    out.mutable_coordinates()->Add(coordinates.begin(), coordinates.end());
    for (const ModelView::Neighbour& neighbour : view.Nearest(*point_, kNearest)) {
      out.add_nearest_trials(neighbour.trial);
      out.add_nearest_distances(neighbour.distance);
    }
    if (trial_ == nullptr) {
      out.set_explanation(ExpectationText(job_.spec, prediction, BestOf(job_.spec, finished_)));
      return absl::OkStatus();
    }
    absl::StatusOr<std::string> why = WhyTrial();
    if (!why.ok()) return why.status();
    out.set_explanation(*std::move(why));
    return absl::OkStatus();
  }

  // By the model as it was when the trial was proposed.
  absl::StatusOr<std::string> WhyTrial() const {
    if (!ProposedByModel(*trial_)) return OriginText(*trial_);
    const size_t known = std::min(static_cast<size_t>(trial_->basis.history_prefix), finished_.size());
    const absl::Span<const core::Trial> then = absl::MakeConstSpan(finished_).subspan(0, known);
    absl::StatusOr<View> view = FitModel(make_, job_.spec, then, stop_);
    if (absl::IsCancelled(view.status())) return view.status();
    if (!view.ok()) return OriginText(*trial_);
    const std::vector<ModelView::Neighbour> nearest = (*view)->Nearest(*point_, 1);
    return absl::StrCat(OriginText(*trial_), " ",
                        ProposalText(job_.spec, (*view)->Predict(*point_), BestOf(job_.spec, then), nearest));
  }

  void AddLeaveOneOut(const ModelView& view) {
    for (const ModelView::LeftOut& left_out : view.LeaveOneOut()) {
      auto& out = *response_.add_left_out();
      out.set_trial(left_out.trial);
      out.set_observed(left_out.observed);
      out.set_mean(left_out.mean);
      out.set_standard_deviation(left_out.standard_deviation);
    }
  }

  void AddData(const ModelView& view) {
    const ModelView::DataRows data = view.Data();
    auto& out = *response_.mutable_data();
    out.mutable_columns()->Add(data.columns.begin(), data.columns.end());
    for (size_t i = 0; i < data.trials.size(); ++i) {
      auto& row = *out.add_rows();
      row.set_trial(data.trials[i]);
      row.mutable_coordinates()->Add(data.coordinates[i].begin(), data.coordinates[i].end());
      row.set_label(data.labels[i]);
    }
  }

  const v1::ExplainTuningJobRequest& request_;
  const ExplainedJob& job_;
  const MakeStrategy& make_;
  const std::optional<absl::Duration> time_left_;
  const strategies::StopToken stop_;
  const std::vector<core::Trial> finished_;
  const core::Trial* trial_ = nullptr;
  std::optional<core::ParameterMap> point_;
  std::vector<core::ParameterMap> grid_;
  v1::ExplainTuningJobResponse response_;
};

// The definition that a request is about; problems by path.
absl::StatusOr<int> ReadDefinition(const v1::ExplainTuningJobRequest& request, const ExplainedJob& job) {
  const auto trial = std::ranges::find(job.trials, request.trial(), &core::Trial::number);
  if (request.has_trial() && trial != job.trials.end() && request.definition().empty()) {
    return core::DefinitionIndex(job.spec, *trial);
  }
  const std::optional<int> found = core::FindDefinition(job.spec, request.definition());
  if (found) {
    const bool of_another =
        request.has_trial() && trial != job.trials.end() && core::DefinitionIndex(job.spec, *trial) != *found;
    if (!of_another) return *found;
    return InvalidArgument({{"definition", absl::StrCat("is \"", request.definition(), "\", but trial ", trial->number,
                                                        " is of \"", trial->definition, "\"; leave it out")}});
  }
  if (job.spec.definitions.empty()) {
    return InvalidArgument({{"definition", "is given, but the job has only one definition; leave it out"}});
  }
  const auto name = [](std::string* out, const core::JobSpec& definition) { out->append(definition.definition); };
  const std::string names = absl::StrJoin(job.spec.definitions, ", ", name);
  return InvalidArgument(
      {{"definition", request.definition().empty()
                          ? absl::StrCat("is missing; give one of ", names, ", each of which has a model of its own")
                          : absl::StrCat("\"", request.definition(), "\" is none of the job's; give one of ", names)}});
}

}  // namespace

absl::StatusOr<View> FitModel(const MakeStrategy& make, const core::JobSpec& spec,
                              absl::Span<const core::Trial> finished, strategies::StopToken stop) {
  absl::StatusOr<std::unique_ptr<strategies::Strategy>> strategy = make(spec);
  if (!strategy.ok()) return strategy.status();
  for (const core::Trial& trial : finished) (*strategy)->Observe(strategies::Finished{trial});
  if (std::unique_ptr<strategies::FitTask> fit = (*strategy)->BeginFit()) {
    fit->Run(stop);
    if (Stopped(stop)) return CancelledHere();
    (*strategy)->InstallFit(std::move(fit));
  }
  View view = (*strategy)->model();
  if (view == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("strategy ", spec.strategy.name, " has no model of ", finished.size(),
                     " finished trials; a model is what the bayesian strategy makes of its first results"));
  }
  return view;
}

absl::StatusOr<v1::ExplainTuningJobResponse> Explain(const v1::ExplainTuningJobRequest& request,
                                                     const ExplainedJob& job, const MakeStrategy& make, absl::Time now,
                                                     strategies::StopToken stop) {
  absl::StatusOr<int> definition = ReadDefinition(request, job);
  if (!definition.ok()) return definition.status();
  ExplainedJob own{job.header, core::DefinitionAt(job.spec, *definition), job.trials};
  std::erase_if(own.trials, [&own](const core::Trial& trial) { return trial.definition != own.spec.definition; });
  return Explainer(request, own, make, EstimateTimeLeft(job.header, job.trials, now), stop).Run();
}

}  // namespace tuner::requests
