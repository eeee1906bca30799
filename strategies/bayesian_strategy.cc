#include "strategies/bayesian_strategy.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/memory/memory.h"
#include "strategies/bayesian_model.h"
#include "strategies/feasible_sampler.h"
#include "strategies/gp/acquisition.h"
#include "strategies/gp/encoder.h"
#include "strategies/gp/fingerprint.h"
#include "strategies/gp/quasi_random.h"
#include "strategies/random_strategy.h"
#include "tuner/v1/strategies.pb.h"

namespace tuner::strategies {
namespace {

using Units = std::vector<double>;
using KnownPoints = absl::flat_hash_set<Units>;

// Streams of random numbers. Stored jobs rely on them.
constexpr uint32_t kDesignStream = 0x6200;
constexpr uint32_t kSearchStream = 0x6201;

constexpr int kMostInitialTrials = 11;
constexpr double kMostInitialShare = 0.25;  // of max_trials

bool Stopped(const SuggestContext& context) {
  return context.stop != nullptr && context.stop->load(std::memory_order_relaxed);
}

// A fit under way, on a copy of the results.
class BayesianFitTask : public FitTask {
 public:
  BayesianFitTask(gp::Observations observations, const gp::Encoder& encoder, gp::FitPlan plan, gp::FitOptions options,
                  uint64_t seed, std::optional<gp::KnownAnchor> known_anchor)
      : observations_(std::move(observations)),
        groups_(encoder.column_groups()),
        group_count_(encoder.group_count()),
        plan_(plan),
        options_(options),
        seed_(seed),
        known_anchor_(std::move(known_anchor)) {}

  void Run(StopToken stop) override {
    const int64_t prefix = observations_.size();
    fit_ = gp::MakeFit(observations_, groups_, group_count_, prefix, plan_.AnchorOf(prefix), known_anchor_, plan_,
                       options_, seed_, stop);
  }

  std::optional<gp::Fit> TakeFit() { return std::move(fit_); }

 private:
  const gp::Observations observations_;
  const std::vector<int> groups_;
  const int group_count_;
  const gp::FitPlan plan_;
  const gp::FitOptions options_;
  const uint64_t seed_;
  const std::optional<gp::KnownAnchor> known_anchor_;
  std::optional<gp::Fit> fit_;
};

class BayesianStrategy : public Strategy {
 public:
  BayesianStrategy(const core::JobSpec& spec, const v1::BayesianStrategy& options, BayesianSettings settings,
                   std::unique_ptr<Strategy> random)
      : encoder_shared_(std::make_shared<const gp::Encoder>(spec.space)),
        encoder_(*encoder_shared_),
        constraints_(spec.constraints),
        sampler_(encoder_.space(), constraints_),
        goal_(spec.objective.goal),
        seed_(spec.random_seed),
        settings_(std::move(settings)),
        random_(std::move(random)),
        design_(std::max(1, encoder_.parameter_count()), spec.random_seed, kDesignStream) {
    const int dimensions = std::max(1, encoder_.group_count());
    fit_options_.length_priors.clear();
    for (const int parameter : encoder_.group_parameters()) {
      fit_options_.length_priors.push_back(encoder_.info(parameter).numeric
                                               ? settings_.numeric_prior
                                               : settings_.nominal_prior.value_or(gp::LengthPrior::Broad(dimensions)));
    }
    if (fit_options_.length_priors.empty()) fit_options_.length_priors.push_back(gp::LengthPrior::Broad(dimensions));
    fit_options_.noise_location = settings_.noise_location;
    fit_options_.noise_deviation = settings_.noise_deviation;
    fit_options_.warp = settings_.warp;
    initial_trials_ = options.has_initial_trials() ? options.initial_trials() : DefaultInitialTrials(spec);
    fingerprint_ = gp::NumericFingerprint();
  }

  absl::StatusOr<Proposals> Suggest(const SuggestContext& context) const override {
    Proposals result;
    result.basis.known_prefix = finished_;
    result.basis.fingerprint = fingerprint_;
    for (const PendingTrial& trial : context.pending) result.basis.pending_trials.push_back(trial.number);
    std::optional<gp::Fit> refit;
    const gp::Fit* fit = fit_.has_value() ? &*fit_ : nullptr;
    if (context.replay != nullptr) {
      refit = FitAsRecorded(*context.replay);
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
    random_->Observe(observation);
    const auto* finished = std::get_if<Finished>(&observation);
    if (finished == nullptr) return;
    ++finished_;
    const core::Trial& trial = finished->trial;
    if (!encoder_.space().Contains(trial.parameters)) return;
    Units units = encoder_.Units(trial.parameters);
    known_.insert(units);
    const std::optional<double> value = ValueOf(trial);
    if (!value.has_value()) return;
    observations_.Add(encoder_, units, *value);
    finished_at_.push_back(finished_);
    units_.push_back(std::move(units));
    trials_.push_back(trial.number);
    if (fit_.has_value()) AppendTo(*fit_, observations_.size() - 1);
  }

  std::unique_ptr<FitTask> BeginFit() const override {
    const int64_t known = observations_.size();
    if (settings_.fit.AnchorOf(known) == 0 || !settings_.fit.IsDue(fit_.has_value() ? fit_->prefix : 0, known)) {
      return nullptr;
    }
    return std::make_unique<BayesianFitTask>(observations_.Head(known), encoder_, settings_.fit, fit_options_, seed_,
                                             known_anchor_);
  }

  void InstallFit(std::unique_ptr<FitTask> task) override {
    std::optional<gp::Fit> fit = static_cast<BayesianFitTask&>(*task).TakeFit();
    if (!fit.has_value() || (fit_.has_value() && fit->prefix <= fit_->prefix)) return;
    known_anchor_ = {.prefix = fit->anchor, .parameters = fit->anchor_parameters};
    for (int64_t i = fit->prefix; i < observations_.size(); ++i) AppendTo(*fit, i);
    fit_ = std::move(fit);
  }

  std::shared_ptr<const ModelView> model() const override {
    if (!fit_.has_value() || observations_.size() == 0) return nullptr;
    gp::Posterior posterior = *fit_->posterior;
    posterior.SetLabels(gp::Labels(observations_, observations_.size(), fit_->rows, settings_.warp),
                        settings_.constant_mean);
    BayesianSnapshot snapshot{.encoder = encoder_shared_,
                              .goal = goal_,
                              .seed = seed_,
                              .confidence = settings_.confidences.front(),
                              .search = settings_.search,
                              .posterior = std::move(posterior),
                              .warp = gp::OutputWarp::Fit(observations_.values, settings_.warp)};
    for (const int row : fit_->rows) {
      const auto place = static_cast<size_t>(row);
      snapshot.units.push_back(units_[place]);
      snapshot.trials.push_back(trials_[place]);
      const double value = observations_.values[place];
      snapshot.objectives.push_back(goal_ == core::Goal::kMaximize ? value : -value);
    }
    return MakeBayesianModel(std::move(snapshot));
  }

 private:
  int DefaultInitialTrials(const core::JobSpec& spec) const {
    const int by_space = std::clamp(encoder_.group_count() + 2, 3, kMostInitialTrials);
    if (!spec.limits.max_trials.has_value()) return by_space;
    return std::clamp(by_space, 1, std::max(2, static_cast<int>(kMostInitialShare * *spec.limits.max_trials)));
  }

  // To be maximised; NaN for a point that cannot be evaluated; nullopt if the trial says nothing about its point.
  std::optional<double> ValueOf(const core::Trial& trial) const {
    switch (trial.state) {
      case core::TrialState::kCompleted:
        if (!trial.objective.has_value()) return std::nullopt;
        return goal_ == core::Goal::kMaximize ? *trial.objective : -*trial.objective;
      case core::TrialState::kFailed:
      case core::TrialState::kInfeasible:
        return std::numeric_limits<double>::quiet_NaN();
      default:
        return std::nullopt;
    }
  }

  // Without a bound an import of thousands between two fits would make the posterior as large.
  void AppendTo(gp::Fit& fit, int64_t place) const {
    if (place - fit.prefix >= settings_.fit.most_appended) return;
    fit.posterior->Append(observations_.points.col(place));
    fit.rows.push_back(static_cast<int>(place));
  }

  bool UsesModel(int64_t ordinal) const {
    return ordinal >= initial_trials_ && settings_.fit.AnchorOf(observations_.size()) > 0;
  }

  core::Basis::Kind KindOf(const SuggestContext& context, const gp::Fit* fit) const {
    if (context.replay != nullptr) return context.replay->kind;
    if (!UsesModel(context.ordinal)) return core::Basis::Kind::kFresh;
    if (fit == nullptr || Stopped(context)) return core::Basis::Kind::kFallback;
    return settings_.fit.IsDue(fit->prefix, observations_.size()) ? core::Basis::Kind::kLastFit
                                                                  : core::Basis::Kind::kFresh;
  }

  std::optional<gp::Fit> FitAsRecorded(const core::Basis& basis) const {
    if (basis.history_prefix == 0) return std::nullopt;
    std::optional<gp::Fit> fit = gp::MakeFit(
        observations_, encoder_.column_groups(), encoder_.group_count(), ObservationsAt(basis.history_prefix),
        ObservationsAt(basis.warm_start_prefix), known_anchor_, settings_.fit, fit_options_, seed_, nullptr);
    for (int64_t i = fit->prefix; i < observations_.size(); ++i) AppendTo(*fit, i);
    return fit;
  }

  // Between numbers of observations and numbers of finished trials, some of which say nothing.
  int64_t FinishedAt(int64_t observations) const {
    return observations == 0 ? 0 : finished_at_[static_cast<size_t>(observations) - 1];
  }
  int64_t ObservationsAt(int64_t finished) const {
    return std::upper_bound(finished_at_.begin(), finished_at_.end(), finished) - finished_at_.begin();
  }

  // False if it was stopped, or the space may have no other point, before the first proposal.
  bool SuggestFromModel(const SuggestContext& context, const gp::Fit& fit, Proposals& result) const {
    std::vector<Units> around = units_;
    KnownPoints taken;
    std::vector<Units> pending;
    for (const PendingTrial& trial : context.pending) {
      if (encoder_.space().Contains(trial.parameters)) pending.push_back(encoder_.Units(trial.parameters));
    }
    taken.insert(pending.begin(), pending.end());
    around.insert(around.end(), pending.begin(), pending.end());
    gp::Posterior posterior = *fit.posterior;
    posterior.SetLabels(gp::Labels(observations_, observations_.size(), fit.rows, settings_.warp),
                        settings_.constant_mean);

    gp::SearchContext search{.encoder = &encoder_, .known = &around, .best = BestPlaces(posterior, fit.rows)};
    search.trust_radius = TrustRadius();
    search.column_lengths =
        gp::Scaled(Eigen::VectorXd::Ones(encoder_.width()), encoder_.column_groups(), fit.parameters).cwiseInverse();
    search.allowed = [&](const Units& units) {
      return !known_.contains(units) && !taken.contains(units) && sampler_.SatisfiedUnits(units);
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
      const std::unique_ptr<gp::Acquisition> acquisition =
          AcquisitionFor(ordinal, posterior, encoder_.EncodeAll(pending));
      const std::vector<gp::Optimum> found = gp::Maximise(
          *acquisition, search, settings_.search, core::Rng(seed_, static_cast<uint64_t>(ordinal), kSearchStream));
      if (found.empty()) break;
      const Units& units = found.front().units;
      result.proposals.push_back(NewTrial{.parameters = encoder_.Point(units)});
      pending.push_back(units);
      taken.insert(units);
      around.push_back(units);
    }
    return !result.proposals.empty();
  }

  std::unique_ptr<gp::Acquisition> AcquisitionFor(int64_t ordinal, const gp::Posterior& posterior,
                                                  const Eigen::MatrixXd& pending) const {
    const double confidence = settings_.confidences[static_cast<size_t>(ordinal) % settings_.confidences.size()];
    if (confidence == 0) return std::make_unique<gp::LogExpectedImprovement>(posterior, pending);
    return std::make_unique<gp::UpperConfidenceBound>(posterior, pending, confidence);
  }

  // Places in units_ of the observations whose posterior mean is highest: a twentieth of them, at least three.
  static std::vector<int> BestPlaces(const gp::Posterior& posterior, const std::vector<int>& rows) {
    const Eigen::VectorXd means = posterior.MeanAtPoints();
    std::vector<int> order(rows.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int>(i);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return means[a] > means[b]; });
    order.resize(std::min(order.size(), std::max<size_t>(3, order.size() / 20)));
    for (int& place : order) place = rows[static_cast<size_t>(place)];
    return order;
  }

  double TrustRadius() const {
    const double grown = 0.3 * static_cast<double>(observations_.size()) / (5.0 * (encoder_.group_count() + 1));
    const double radius = 0.2 + grown;
    return settings_.trust_region && radius <= 0.5 ? radius : 0;
  }

  // The initial design while it lasts, then random draws.
  absl::StatusOr<Proposals> SuggestBlindly(const SuggestContext& context, Proposals result) const {
    std::vector<PendingTrial> pending(context.pending.begin(), context.pending.end());
    KnownPoints taken;
    for (const PendingTrial& trial : pending) {
      if (encoder_.space().Contains(trial.parameters)) taken.insert(encoder_.Units(trial.parameters));
    }
    for (int32_t i = 0; i < context.count; ++i) {
      const int64_t ordinal = context.ordinal + i;
      const bool whole =
          !Stopped(context) && (result.basis.kind == core::Basis::Kind::kFallback || !UsesModel(ordinal));
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
        point = std::get<NewTrial>(drawn->proposals.front()).parameters;
        units = encoder_.Units(point);
      }
      taken.insert(std::move(units));
      pending.push_back({.number = 0, .parameters = point});
      result.proposals.push_back(NewTrial{.parameters = std::move(point)});
    }
    return result;
  }

  Units DesignPoint(int64_t ordinal) const {
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
  const core::Goal goal_;
  const uint64_t seed_;
  const BayesianSettings settings_;
  const std::unique_ptr<Strategy> random_;  // knows what was tried, and when a space is exhausted
  const gp::ScrambledSobol design_;
  gp::FitOptions fit_options_;
  int initial_trials_ = 0;
  std::string fingerprint_;

  int64_t finished_ = 0;
  gp::Observations observations_;
  std::vector<int64_t> finished_at_;  // by observation: number of finished trials with it
  std::vector<Units> units_;          // by observation
  std::vector<int32_t> trials_;       // by observation
  KnownPoints known_;
  std::optional<gp::Fit> fit_;
  std::optional<gp::KnownAnchor> known_anchor_;
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
