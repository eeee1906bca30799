#include "strategies/bayesian_strategy.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "strategies/bayesian_job_model.h"
#include "strategies/bayesian_model.h"
#include "strategies/bayesian_outputs.h"
#include "strategies/feasible_sampler.h"
#include "strategies/gp/encoder.h"
#include "strategies/gp/fingerprint.h"
#include "strategies/gp/quasi_random.h"
#include "strategies/random_strategy.h"
#include "strategies/transfer_models.h"
#include "strategies/warm_start.h"
#include "tuner/v1/strategies.pb.h"

namespace tuner::strategies {
namespace {

using Units = std::vector<double>;
using KnownPoints = absl::flat_hash_set<Units>;

// Streams of random numbers. Stored jobs rely on them.
constexpr uint32_t kDesignStream = 0x6200;
constexpr uint32_t kSearchStream = 0x6201;
constexpr uint32_t kForecastStream = 0x6202;
constexpr uint32_t kRankStream = 0x6203;

constexpr size_t kMostParentRows = 500;

constexpr int kMostInitialTrials = 11;
constexpr double kMostInitialShare = 0.25;  // of max_trials

class BayesianStrategy : public Strategy {
 public:
  BayesianStrategy(const core::JobSpec& spec, const v1::BayesianStrategy& options, BayesianSettings settings,
                   std::unique_ptr<Strategy> random)
      : encoder_shared_(std::make_shared<const gp::Encoder>(
            spec.space, spec.resources.has_value() || spec.early_stopping.has_value())),
        encoder_(*encoder_shared_),
        constraints_(spec.constraints),
        sampler_(encoder_.space(), constraints_),
        outputs_(BayesianOutput::AllOf(spec)),
        objective_count_(1 + spec.additional_objectives.size()),
        goal_(spec.objective.goal),
        resources_(spec.resources),
        seed_(spec.random_seed),
        settings_(std::move(settings)),
        random_(std::move(random)),
        design_(std::max(1, encoder_.parameter_count()), spec.random_seed, kDesignStream) {
    const int dimensions = std::max(1, encoder_.group_count());
    gp::FitOptions options_of_objectives;
    options_of_objectives.length_priors.clear();
    for (const int parameter : encoder_.group_parameters()) {
      options_of_objectives.length_priors.push_back(
          encoder_.info(parameter).numeric ? settings_.numeric_prior
                                           : settings_.nominal_prior.value_or(gp::LengthPrior::Broad(dimensions)));
    }
    if (encoder_.with_fidelity()) options_of_objectives.length_priors.push_back(settings_.fidelity_prior);
    if (options_of_objectives.length_priors.empty()) {
      options_of_objectives.length_priors.push_back(gp::LengthPrior::Broad(dimensions));
    }
    options_of_objectives.noise_location = settings_.noise_location;
    options_of_objectives.noise_deviation = settings_.noise_deviation;
    options_of_objectives.warp = settings_.warp;
    options_of_objectives.screening_evaluations = settings_.fit_screening;
    for (const BayesianOutput& output : outputs_) {
      fit_options_.push_back(options_of_objectives);
      // What counts of a constraint is on which side of its bound a point lies, near or far. Of several objectives the
      // worse half holds a part of the front, which is no less good than another: only what diverged is tamed.
      if (output.is_constraint()) {
        fit_options_.back().warp = {.half_rank = false, .log = false};
      } else if (objective_count_ > 1) {
        fit_options_.back().warp = {.half_rank = true, .log = false, .only_outliers = true};
      }
    }
    observations_.resize(outputs_.size());
    replicates_ = options.duplicates() == v1::BayesianStrategy::REPLICATE;
    forecasts_ = spec.completion.convergence && objective_count_ == 1 && !spec.resources;
    reuses_ = options.duplicates() == v1::BayesianStrategy::REUSE;
    initial_trials_ = options.has_initial_trials() ? options.initial_trials() : DefaultInitialTrials(spec);
    fingerprint_ = gp::NumericFingerprint();
    if (IsIdentical(spec)) PoolParents(spec, options.has_initial_trials());
    if (IsTransfer(spec)) LearnFromParents(spec, options.has_initial_trials());
  }

  absl::StatusOr<Proposals> Suggest(const SuggestContext& context) const override {
    Proposals result;
    result.basis.known_prefix = finished_;
    result.basis.fingerprint = fingerprint_;
    for (const PendingTrial& trial : context.pending) result.basis.pending_trials.push_back(trial.number);
    std::optional<OutputFits> refit;
    const OutputFits* fit = fit_.has_value() ? &*fit_ : nullptr;
    if (context.replay != nullptr) {
      if (UsesModel(context.ordinal)) refit = FitAsRecorded(*context.replay);
      fit = refit.has_value() ? &*refit : nullptr;
    }
    result.basis.kind = KindOf(context, fit);
    if (fit != nullptr && result.basis.kind != core::Basis::Kind::kFallback && UsesModel(context.ordinal)) {
      result.basis.history_prefix = FinishedAt(fit->prefix);
      result.basis.warm_start_prefix = FinishedAt(fit->anchor);
      if (SuggestFromModel(context, *fit, result)) return result;
      result.basis.kind = core::Basis::Kind::kFallback;
    }
    result.basis.history_prefix = 0;
    result.basis.warm_start_prefix = 0;
    return SuggestBlindly(context, std::move(result));
  }

  void Observe(const Observation& observation) override {
    ++finished_;
    if (const auto* reached = std::get_if<RungReached>(&observation)) {
      random_->Observe(observation);
      const core::Trial trial = AtRung(reached->trial, reached->trial.rungs.back());
      if (encoder_.with_fidelity() && encoder_.space().Contains(trial.parameters)) Learn(trial, trial.resource);
      return;
    }
    const core::Trial& trial = std::get<Finished>(observation).trial;
    reused_last_ = trial.origin == core::TrialOrigin::kReused;
    if (reused_last_) return;  // nothing that is not known
    random_->Observe(observation);
    if (!encoder_.space().Contains(trial.parameters)) return;
    if (reuses_ && trial.state == core::TrialState::kCompleted) {
      completed_.try_emplace(encoder_.Units(trial.parameters), trial.number);
    }
    known_.insert(encoder_.Units(trial.parameters));
    if (!SaysSomething(trial)) return;
    const bool early = trial.state == core::TrialState::kEarlyStopped;
    const int64_t whole =
        resources_ ? (trial.resource > 0 ? trial.resource : resources_->max) : 0;  // imported ones have none
    Learn(trial, resources_ && !early ? whole : trial.steps_run - trial.steps_repeated);
  }

  std::unique_ptr<FitTask> BeginFit() const override {
    if (!MayFit() || !settings_.fit.IsDue(fit_.has_value() ? fit_->prefix : 0, known())) {
      return nullptr;
    }
    return std::make_unique<OutputFitTask>(InputsOfFit());
  }

  void InstallFit(std::unique_ptr<FitTask> task) override {
    std::optional<OutputFits> fit = static_cast<OutputFitTask&>(*task).TakeFits();
    if (!fit.has_value() || (fit_.has_value() && fit->prefix <= fit_->prefix)) return;
    known_anchors_.clear();
    for (const gp::Fit& one : fit->fits) {
      known_anchors_.push_back({.prefix = fit->anchor, .parameters = one.anchor_parameters});
    }
    for (int64_t i = fit->prefix; i < known(); ++i) AppendTo(*fit, i);
    fit_ = std::move(fit);
  }

  std::shared_ptr<const ModelView> model() const override {
    if (!fit_.has_value()) return nullptr;
    const JobModel model = ModelOf(*fit_);
    BayesianSnapshot snapshot{.encoder = encoder_shared_,
                              .goal = goal_,
                              .seed = seed_,
                              .confidence = settings_.confidences.front(),
                              .search = settings_.search,
                              .posterior = model.posterior(0),
                              .warp = model.warp(0)};
    const std::vector<double> aligned = observations_.front().Aligned(known());
    for (const int row : model.rows()) {
      const auto place = static_cast<size_t>(row);
      snapshot.units.push_back(units_[place]);
      snapshot.trials.push_back(trials_[place]);
      const double value = aligned[place];
      snapshot.objectives.push_back(goal_ == core::Goal::kMaximize ? value : -value);
    }
    return MakeBayesianModel(std::move(snapshot));
  }

 private:
  // What the trial had after `resource` steps.
  void Learn(const core::Trial& trial, int64_t resource) {
    Units units = encoder_.Units(trial.parameters);
    known_.insert(units);
    const double fidelity = encoder_.with_fidelity() ? FidelityOf(trial, resource) : 1;
    AddRow(units, trial, fidelity, resource, trial.number);
    if (trial.state == core::TrialState::kCompleted) longest_ = std::max(longest_, resource);
    finished_at_.push_back(finished_);
    units_.push_back(std::move(units));
    trials_.push_back(trial.number);
    if (fit_.has_value()) AppendTo(*fit_, known() - 1);
  }

  // The trial's value of each output, under `number` among the rows. Fidelity and resource count where they are known.
  void AddRow(const Units& units, const core::Trial& trial, double fidelity, int64_t resource, int32_t number) {
    for (size_t i = 0; i < outputs_.size(); ++i) {
      const double value = outputs_[i].ValueOf(trial);
      if (encoder_.with_fidelity()) {
        observations_[i].AddAt(encoder_, units, value, fidelity, resources_ ? resource : 0, number);
      } else {
        observations_[i].Add(encoder_, units, value);
      }
    }
  }

  // Where between nothing and a whole trial, on the scale of the logarithm. Of a job without stated resources, a trial
  // that was stopped is measured against the longest one that had completed before it.
  double FidelityOf(const core::Trial& trial, int64_t resource) const {
    if (resources_) return UnitOf(resource);
    if (trial.state == core::TrialState::kCompleted) return 1;
    const auto longest = static_cast<double>(std::max(longest_, resource));
    return std::log1p(static_cast<double>(resource)) / std::log1p(std::max(1.0, longest));
  }
  double UnitOf(int64_t resource) const {
    if (resources_->max <= 1 || resource >= resources_->max) return 1;
    return std::log(static_cast<double>(std::max<int64_t>(1, resource))) /
           std::log(static_cast<double>(resources_->max));
  }

  // The fidelity at which suggestions are to be good: that of the largest resource that a few trials came to, as
  // MOBSTER (Klein et al. 2020, arXiv 2003.10865); 1 where resources are not the strategy's.
  std::optional<double> TargetFidelity() const {
    if (!encoder_.with_fidelity()) return std::nullopt;
    if (!resources_) return 1;
    std::map<int64_t, int> counts;
    const gp::Observations& observations = observations_.front();
    for (size_t i = 0; i < observations.resources.size(); ++i) counts[observations.resources[i]]++;
    for (auto level = counts.rbegin(); level != counts.rend(); ++level) {
      if (level->second >= settings_.least_at_target) return UnitOf(level->first);
    }
    return 1;
  }

  // Of the same function: their rows are ordinary ones, and stand in for the initial design.
  void PoolParents(const core::JobSpec& spec, bool initial_trials_given) {
    std::vector<ParentRow> rows;
    std::vector<double> values;
    int with_value = 0;  // trials
    for (const core::ParentJob& parent : *spec.warm_start->jobs) {
      for (ParentRow& row : RowsOf(parent, spec, encoder_, {.fixed_values = true, .rungs = true})) {
        if (row.inside && row.rung == nullptr) known_.insert(row.units);
        // What improves on several outputs at once is measured by their rows, so those must be within reach.
        if (!row.inside && outputs_.size() > 1) continue;
        if (!HasAllValues(*row.trial)) continue;
        values.push_back(row.rung != nullptr ? outputs_.front().ValueOf(AtRung(*row.trial, *row.rung))
                                             : outputs_.front().ValueOf(*row.trial));
        if (!std::isnan(values.back()) && (rows.empty() || rows.back().trial != row.trial)) ++with_value;
        rows.push_back(std::move(row));
      }
    }
    const core::Trial* last = nullptr;
    for (const size_t place : ChosenRows(values, kMostParentRows, seed_)) {
      ParentRow& row = rows[place];
      if (std::exchange(last, row.trial) != row.trial) ++parent_trials_;
      if (row.rung != nullptr) {
        AddRow(row.units, AtRung(*row.trial, *row.rung), UnitOf(row.rung->resource), row.rung->resource,
               -parent_trials_);
      } else {
        AddRow(row.units, *row.trial, /*fidelity=*/1, resources_ ? resources_->max : 0, -parent_trials_);
      }
      if (!row.inside) encoder_.Snap(absl::MakeSpan(row.units));  // where the search may begin
      finished_at_.push_back(0);
      units_.push_back(std::move(row.units));
      trials_.push_back(0);
    }
    parent_rows_ = known();
    if (!initial_trials_given) initial_trials_ = std::max(0, initial_trials_ - with_value);
  }

  // A row that completed without one of the values would be taken for a bad one.
  bool HasAllValues(const core::Trial& trial) const {
    return trial.state != core::TrialState::kCompleted ||
           std::ranges::none_of(outputs_,
                                [&](const BayesianOutput& output) { return std::isnan(output.ValueOf(trial)); });
  }

  // Of related functions: their best points first, and then models of them beside the job's own.
  void LearnFromParents(const core::JobSpec& spec, bool initial_trials_given) {
    for (const TransferSeed& seed : TransferSeeds(spec)) {
      seeds_.push_back({seed.parent, encoder_.Units(seed.point)});
    }
    const std::vector<BayesianOutput> objectives(outputs_.begin(),
                                                 outputs_.begin() + static_cast<ptrdiff_t>(objective_count_));
    parents_ = std::make_shared<TransferModels>(spec, encoder_shared_, objectives, fit_options_, settings_.fit);
    if (!initial_trials_given) {
      whole_design_ = initial_trials_ + static_cast<int>(seeds_.size());
      initial_trials_ = std::min(initial_trials_, static_cast<int>(seeds_.size()) + settings_.transfer_design);
    }
    initial_trials_ = std::max(initial_trials_, static_cast<int>(seeds_.size()));
    movable_ = Eigen::VectorXd::Zero(encoder_.width());
    for (int i = 0; i < encoder_.parameter_count(); ++i) {
      const gp::Encoder::ParameterInfo& info = encoder_.info(i);
      if (info.numeric && info.first_column >= 0) movable_[info.first_column] = 1;
    }
    horizon_ = spec.limits.max_trials.value_or(0);
  }

  // By output; empty: none. Also the points around which to search beside those of this job.
  std::vector<gp::MeanBlend> BlendsOf(const JobModel& model, std::vector<Units>& around) const {
    const std::vector<TransferModel>* parents = parents_ == nullptr ? nullptr : parents_->Get(nullptr);
    if (parents == nullptr) return {};
    std::vector<const TransferModel*> believed;
    for (const TransferModel& parent : *parents) {
      if (!SeedDidBadly(parent.parent)) believed.push_back(&parent);
    }
    std::vector<gp::MeanBlend> blends(objective_count_);
    for (size_t i = 0; i < objective_count_; ++i) {
      const gp::Posterior& own = model.posterior(i);
      const auto ranked = [](const gp::Prediction& prediction) {
        return gp::RankedModel{.mean = prediction.mean, .deviation = prediction.variance.cwiseSqrt()};
      };
      std::vector<gp::RankedModel> others;
      std::vector<std::shared_ptr<const gp::Posterior>> posteriors;
      for (const TransferModel* parent : believed) {
        posteriors.push_back(parent->posteriors[i]);
        others.push_back(ranked(posteriors.back()->Predict(own.points())));
      }
      gp::RankOptions options = settings_.transfer;
      options.horizon = horizon_;
      const gp::EnsembleWeights weights =
          gp::RankWeights(own.labels(), others, ranked(own.LeaveOneOut()), options,
                          core::Rng(seed_, static_cast<uint64_t>(known()), kRankStream));
      blends[i] = gp::ExplainLabels(own.points(), own.labels(), posteriors, weights, movable_);
      if (blends[i].unexplained > settings_.disbelief || !gp::PredictsBetter(own, blends[i], settings_.constant_mean)) {
        blends[i].others.clear();
        blends[i].deviation = 1;
      }
      if (i > 0 || blends[i].others.empty()) continue;
      for (size_t p = 0; p < believed.size(); ++p) {
        if (weights.others[p] > 0) around.insert(around.end(), believed[p]->best.begin(), believed[p]->best.end());
      }
    }
    return blends;
  }

  // The parent's best point is among the worse half of the job's first results.
  bool SeedDidBadly(size_t parent) const {
    const auto first = static_cast<size_t>(encoder_.group_count() + 3);
    const std::vector<double>& values = observations_.front().values;
    if (values.size() < first) return false;
    const auto seed = std::ranges::find(seeds_, parent, &Seed::parent);
    if (seed == seeds_.end()) return false;
    for (size_t i = 0; i < first; ++i) {
      if (units_[i] != seed->units) continue;
      const auto better = std::count_if(values.begin(), values.begin() + static_cast<ptrdiff_t>(first),
                                        [&](double value) { return !(value <= values[i]); });
      return 2 * better > static_cast<ptrdiff_t>(first);
    }
    return false;
  }

  int DefaultInitialTrials(const core::JobSpec& spec) const {
    const int by_space = std::clamp(encoder_.group_count() + 2, 3, kMostInitialTrials);
    if (!spec.limits.max_trials.has_value()) return by_space;
    return std::clamp(by_space, 1, std::max(2, static_cast<int>(kMostInitialShare * *spec.limits.max_trials)));
  }

  // A trial that was stopped says nothing of its point; one that failed says that the point is bad.
  static bool SaysSomething(const core::Trial& trial) {
    // What those came to that were paused is known. Without a value it was stopped as it diverged.
    const bool early = trial.state == core::TrialState::kEarlyStopped && trial.rungs.empty();
    return (trial.state == core::TrialState::kCompleted && trial.objective.has_value()) || early ||
           trial.state == core::TrialState::kFailed || trial.state == core::TrialState::kInfeasible;
  }

  int64_t known() const { return observations_.front().size(); }

  FitInputs InputsOfFit() const {
    FitInputs inputs{.observations = {},
                     .options = fit_options_,
                     .groups = encoder_.column_groups(),
                     .group_count = encoder_.group_count(),
                     .plan = settings_.fit,
                     .seed = seed_,
                     .known_anchors = known_anchors_,
                     .parents = parents_};
    for (const gp::Observations& observations : observations_)
      inputs.observations.push_back(observations.Head(known()));
    return inputs;
  }

  // Without a bound an import of thousands between two fits would make the posterior as large.
  void AppendTo(OutputFits& fit, int64_t place) const {
    if (place - fit.prefix >= settings_.fit.most_appended) return;
    for (gp::Fit& one : fit.fits) {
      one.posterior->Append(observations_.front().points.col(place));
      one.rows.push_back(static_cast<int>(place));
    }
  }

  JobModel ModelOf(const OutputFits& fit) const {
    return {outputs_, observations_, fit_options_, settings_.constant_mean, fit, TargetFidelity()};
  }

  // Parents' models say something from the first result on.
  bool MayFit() const { return settings_.fit.AnchorOf(known()) > 0 || (parents_ != nullptr && known() > 0); }
  bool UsesModel(int64_t ordinal) const { return ordinal >= initial_trials_ && MayFit(); }

  core::Basis::Kind KindOf(const SuggestContext& context, const OutputFits* fit) const {
    if (context.replay != nullptr) return context.replay->kind;
    if (!UsesModel(context.ordinal)) return core::Basis::Kind::kFresh;
    if (fit == nullptr || Stopped(context.stop)) return core::Basis::Kind::kFallback;
    return settings_.fit.IsDue(fit->prefix, known()) ? core::Basis::Kind::kLastFit : core::Basis::Kind::kFresh;
  }

  std::optional<OutputFits> FitAsRecorded(const core::Basis& basis) const {
    if (basis.kind == core::Basis::Kind::kFallback) return std::nullopt;
    const int64_t prefix = ObservationsAt(basis.history_prefix);
    if (prefix == 0) return std::nullopt;
    // An anchor among the parents' rows is recorded as 0, and is the last one there.
    const int64_t anchor =
        basis.warm_start_prefix == 0 ? settings_.fit.AnchorOf(parent_rows_) : ObservationsAt(basis.warm_start_prefix);
    std::optional<OutputFits> fit = MakeOutputFits(InputsOfFit(), prefix, anchor, nullptr);
    for (int64_t i = fit->prefix; i < known(); ++i) AppendTo(*fit, i);
    return fit;
  }

  // Between numbers of observations and numbers of finished trials, some of which say nothing.
  int64_t FinishedAt(int64_t observations) const {
    return observations == 0 ? 0 : finished_at_[static_cast<size_t>(observations) - 1];
  }
  int64_t ObservationsAt(int64_t finished) const {
    return std::upper_bound(finished_at_.begin(), finished_at_.end(), finished) - finished_at_.begin();
  }

  // Those of points of the space.
  std::vector<Units> UnitsOf(absl::Span<const PendingTrial> trials) const {
    std::vector<Units> units;
    for (const PendingTrial& trial : trials) {
      if (encoder_.space().Contains(trial.parameters)) units.push_back(encoder_.Units(trial.parameters));
    }
    return units;
  }

  // False if it was stopped, or the space may have no other point, before the first proposal.
  bool SuggestFromModel(const SuggestContext& context, const OutputFits& fit, Proposals& result) const {
    std::vector<Units> around = units_;
    std::vector<Units> pending = UnitsOf(context.pending);
    KnownPoints taken(pending.begin(), pending.end());
    around.insert(around.end(), pending.begin(), pending.end());
    JobModel model = ModelOf(fit);
    const size_t own = around.size();
    std::vector<gp::MeanBlend> blends = BlendsOf(model, around);
    const bool explained = blends.empty() || blends.front().unexplained < settings_.most_unexplained;
    model.Blend(std::move(blends));
    gp::Encoder encoder = encoder_;
    if (const std::optional<double> target = TargetFidelity()) encoder.set_fidelity(*target);
    gp::SearchContext search{.encoder = &encoder, .known = &around, .best = model.BestPlaces()};
    for (size_t i = own; i < around.size(); ++i) search.best.push_back(static_cast<int>(i));
    search.trust_radius = TrustRadius();
    search.column_lengths = gp::InverseLengths(encoder_.column_groups(), fit.fits.front().parameters).cwiseInverse();
    // Not twice in a row: what a reused result says is known, so the model would only say the same again.
    bool may_reuse = reuses_ && !reused_last_;
    search.allowed = [&](const Units& units) {
      const bool known = known_.contains(units) && !(may_reuse && completed_.contains(units));
      return !known && !taken.contains(units) && sampler_.SatisfiedUnits(units);
    };
    if (!constraints_.empty()) {
      search.draw_allowed = [&](core::Rng& rng) {
        std::optional<Units> units = sampler_.DrawUnits(rng, context.stop);
        if (units.has_value()) encoder_.Snap(absl::MakeSpan(*units));
        return units;
      };
    }
    search.stop = context.stop;
    for (int32_t i = 0; i < context.count; ++i) {
      const int64_t ordinal = context.ordinal + i;
      if (settings_.random_every > 0 && ordinal % settings_.random_every == settings_.random_every - 1) {
        std::optional<Units> drawn = Random(ordinal, context, result);
        if (!drawn.has_value()) break;
        result.proposals.push_back(NewTrial{.parameters = encoder_.Point(*drawn)});
        pending.push_back(*drawn);
        around.push_back(*drawn);
        taken.insert(*std::move(drawn));
        continue;
      }
      // As long as parents explain little, the design goes on.
      if (ordinal < whole_design_ && !explained) {
        Units units = DesignPoint(ordinal);
        if (search.allowed(units)) {
          result.proposals.push_back(NewTrial{.parameters = encoder_.Point(units)});
          pending.push_back(units);
          taken.insert(units);
          around.push_back(std::move(units));
          continue;
        }
      }
      if (std::optional<Units> again = Replicated(ordinal, model, taken); again.has_value()) {
        result.proposals.push_back(NewTrial{.parameters = encoder_.Point(*again)});
        pending.push_back(*again);
        taken.insert(*std::move(again));
        continue;
      }
      const std::unique_ptr<gp::Acquisition> acquisition =
          model.MakeAcquisition(AtTurn(settings_.confidences, ordinal), AtTurn(settings_.reference_margins, ordinal),
                                encoder.EncodeAll(pending));
      const std::vector<gp::Optimum> found = gp::Maximise(
          *acquisition, search, settings_.search, core::Rng(seed_, static_cast<uint64_t>(ordinal), kSearchStream));
      if (found.empty()) break;
      const Units& units = found.front().units;
      if (const auto it = completed_.find(units); it != completed_.end()) {
        result.proposals.push_back(NewTrial{.parameters = encoder_.Point(units), .reused_trial = it->second});
        may_reuse = false;
        continue;
      }
      result.proposals.push_back(NewTrial{.parameters = encoder_.Point(units)});
      pending.push_back(units);
      taken.insert(units);
      around.push_back(units);
    }
    if (forecasts_ && context.replay == nullptr)
      result.forecast = ForecastOf(model, encoder.EncodeAll(pending), search, context);
    return !result.proposals.empty();
  }

  // What the best next trial is expected to gain.
  std::optional<core::Forecast> ForecastOf(const JobModel& model, const Eigen::MatrixXd& pending,
                                           const gp::SearchContext& search, const SuggestContext& context) const {
    const std::optional<double> best = model.BestMean();
    if (!best) return std::nullopt;  // a point that keeps the constraints would be all gain
    const std::unique_ptr<gp::Acquisition> improvement = model.MakeAcquisition(0, 0, pending);
    const std::vector<gp::Optimum> found =
        gp::Maximise(*improvement, search, settings_.search,
                     core::Rng(seed_, static_cast<uint64_t>(context.ordinal), kForecastStream));
    if (found.empty()) return std::nullopt;
    const double slope = model.warp(0).InverseSlope(*best);
    return core::Forecast{.gain = std::exp(found.front().value) * slope,
                          .noise = std::sqrt(model.posterior(0).noise()) * slope};
  }

  static double AtTurn(const std::vector<double>& values, int64_t ordinal) {
    return values[static_cast<size_t>(ordinal) % values.size()];
  }

  // A random point that neither was tried, nor is pending, nor is in `result`.
  std::optional<Units> Random(int64_t ordinal, const SuggestContext& context, const Proposals& result) const {
    std::vector<PendingTrial> pending(context.pending.begin(), context.pending.end());
    for (const NewTrial& proposal : result.proposals)
      pending.push_back({.number = 0, .parameters = proposal.parameters});
    const absl::StatusOr<Proposals> drawn =
        random_->Suggest({.ordinal = ordinal, .count = 1, .pending = pending, .stop = context.stop});
    if (!drawn.ok() || drawn->proposals.empty()) return std::nullopt;
    return encoder_.Units(drawn->proposals.front().parameters);
  }

  // Policy REPLICATE: at the turns that exploit most, the point that is worth another run, if there is one.
  std::optional<Units> Replicated(int64_t ordinal, const JobModel& model, const KnownPoints& taken) const {
    const double least = *std::min_element(settings_.confidences.begin(), settings_.confidences.end());
    if (!replicates_ || AtTurn(settings_.confidences, ordinal) > least) return std::nullopt;
    const std::optional<int> place = model.PlaceToReplicate();
    if (!place.has_value() || taken.contains(units_[static_cast<size_t>(*place)])) return std::nullopt;
    return units_[static_cast<size_t>(*place)];
  }

  double TrustRadius() const {
    const double grown = 0.3 * static_cast<double>(known()) / (5.0 * (encoder_.group_count() + 1));
    const double radius = 0.2 + grown;
    return settings_.trust_region && radius <= 0.5 ? radius : 0;
  }

  // The initial design while it lasts, then random draws.
  absl::StatusOr<Proposals> SuggestBlindly(const SuggestContext& context, Proposals result) const {
    std::vector<PendingTrial> pending(context.pending.begin(), context.pending.end());
    const std::vector<Units> pending_units = UnitsOf(context.pending);
    KnownPoints taken(pending_units.begin(), pending_units.end());
    for (int32_t i = 0; i < context.count; ++i) {
      const int64_t ordinal = context.ordinal + i;
      const bool whole =
          !Stopped(context.stop) && (result.basis.kind == core::Basis::Kind::kFallback || !UsesModel(ordinal));
      if (i > 0 && !whole) break;
      Units units = DesignPoint(ordinal);
      core::ParameterMap point;
      if (result.basis.kind != core::Basis::Kind::kFallback && !known_.contains(units) && !taken.contains(units) &&
          sampler_.SatisfiedUnits(units)) {
        point = encoder_.Point(units);
      } else {
        const SuggestContext one{.ordinal = ordinal, .count = 1, .pending = pending, .stop = nullptr};
        absl::StatusOr<Proposals> drawn = random_->Suggest(one);
        if (!drawn.ok()) return drawn.status();
        result.exhausted = drawn->exhausted;
        result.exhausted_reason = drawn->exhausted_reason;
        if (drawn->proposals.empty()) break;
        point = drawn->proposals.front().parameters;
        units = encoder_.Units(point);
      }
      taken.insert(std::move(units));
      pending.push_back({.number = 0, .parameters = point});
      result.proposals.push_back(NewTrial{.parameters = std::move(point)});
    }
    return result;
  }

  Units DesignPoint(int64_t ordinal) const {
    if (ordinal < std::ssize(seeds_)) return seeds_[static_cast<size_t>(ordinal)].units;
    ordinal -= std::ssize(seeds_);
    Units units(static_cast<size_t>(encoder_.parameter_count()), 0.5);
    if (ordinal > 0) {
      design_.Point(static_cast<uint64_t>(ordinal), absl::MakeSpan(units));
    } else {
      const auto& parameters = encoder_.space().parameters();
      for (size_t i = 0; i < parameters.size(); ++i) {
        if (!parameters[i].default_value.has_value()) continue;
        units[i] = encoder_.space().ToUnit(static_cast<int>(i), *parameters[i].default_value);
      }
    }
    encoder_.Snap(absl::MakeSpan(units));
    return units;
  }

  const std::shared_ptr<const gp::Encoder> encoder_shared_;  // with the models
  const gp::Encoder& encoder_;
  const core::ConstraintSet constraints_;
  const FeasibleSampler sampler_;
  const std::vector<BayesianOutput> outputs_;
  const size_t objective_count_;
  const core::Goal goal_;  // of the first objective
  const std::optional<core::Resources> resources_;
  const uint64_t seed_;
  const BayesianSettings settings_;
  const std::unique_ptr<Strategy> random_;  // knows what was tried, and when a space is exhausted
  const gp::ScrambledSobol design_;
  std::vector<gp::FitOptions> fit_options_;  // by output
  int initial_trials_ = 0;
  bool replicates_ = false;
  bool reuses_ = false;
  bool forecasts_ = false;
  std::string fingerprint_;

  struct Seed {
    size_t parent = 0;
    Units units;
  };
  std::vector<Seed> seeds_;
  std::shared_ptr<TransferModels> parents_;  // of type TRANSFER_LEARNING; shared with fits
  Eigen::VectorXd movable_;                  // by column: 1 for a numeric parameter
  double horizon_ = 0;
  int whole_design_ = 0;       // points of the design, those of parents included, where parents explain little
  int64_t parent_rows_ = 0;    // observations that are parents'
  int32_t parent_trials_ = 0;  // that have rows

  int64_t finished_ = 0;                        // trials, and results of rungs
  int64_t longest_ = 0;                         // steps of a completed trial
  std::vector<gp::Observations> observations_;  // by output, of the same points
  std::vector<int64_t> finished_at_;            // by observation: number of finished trials with it
  std::vector<Units> units_;                    // by observation
  std::vector<int32_t> trials_;                 // by observation
  KnownPoints known_;
  absl::flat_hash_map<Units, int32_t> completed_;  // the first trial at each point; only if results are reused
  bool reused_last_ = false;                       // the last finished trial had a reused result
  std::optional<OutputFits> fit_;
  std::vector<gp::KnownAnchor> known_anchors_;  // by output
};

absl::StatusOr<std::unique_ptr<Strategy>> Make(const core::JobSpec& spec) {
  return MakeBayesianStrategy(spec, BayesianSettings());
}

core::Problems Validate(const core::JobSpec& spec) {
  v1::BayesianStrategy options;
  if (!options.ParseFromString(spec.strategy.bytes)) return {{"strategy.bayesian", "cannot be read; send it again"}};
  if (options.has_initial_trials() && (options.initial_trials() < 1 || options.initial_trials() > 1000)) {
    return {{"strategy.bayesian.initial_trials", "must be from 1 to 1000"}};
  }
  return {};
}

int64_t TrialCount(const core::JobSpec&) { return 0; }

}  // namespace

absl::StatusOr<std::unique_ptr<Strategy>> MakeBayesianStrategy(const core::JobSpec& spec,
                                                               const BayesianSettings& settings) {
  v1::BayesianStrategy options;
  if (!options.ParseFromString(spec.strategy.bytes)) {
    return absl::InvalidArgumentError("strategy.bayesian: cannot be read; send it again");
  }
  absl::StatusOr<std::unique_ptr<Strategy>> random = RandomStrategyKind().make(spec);
  if (!random.ok()) return random.status();
  return std::make_unique<BayesianStrategy>(spec, options, settings, *std::move(random));
}

StrategyKind BayesianStrategyKind() {
  return {.name = "bayesian",
          .description = "Gaussian-process Bayesian optimisation: points where a model of the results promises most.",
          .make = &Make,
          .validate = &Validate,
          .trial_count = &TrialCount};
}

}  // namespace tuner::strategies
