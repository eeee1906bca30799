#include "tests/engine/scripted_strategy.h"

#include <bit>
#include <optional>
#include <utility>

#include "core/rng.h"

namespace tuner::testing {
namespace {

using strategies::Proposals;
using strategies::StopToken;
using Kind = core::Basis::Kind;

uint64_t Mix(uint64_t hash, uint64_t word) { return core::Rng(hash, word).NextUint64(); }

uint64_t HashOf(const core::ParameterMap& point) {
  uint64_t hash = 0;
  for (const auto& [name, value] : point) {
    for (const char c : name + "=" + core::FormatValue(value)) hash = Mix(hash, static_cast<unsigned char>(c));
  }
  return hash;
}

// What is known of the model: a fit to the first `prefix` results, that began from one to `warm_start_prefix`.
struct Model {
  int64_t prefix = 0;
  int64_t warm_start_prefix = 0;
};

class ScriptedFit : public strategies::FitTask {
 public:
  ScriptedFit(Script* script, Model of) : model(of), script_(script) {}
  void Run(StopToken stop) override {
    ++script_->fits;
    if (script_->on_fit) script_->on_fit(stop);
  }
  const Model model;

 private:
  Script* const script_;
};

class ScriptedStrategy : public strategies::Strategy {
 public:
  ScriptedStrategy(Script* script, const core::JobSpec& spec)
      : script_(script), space_(spec.space), seed_(spec.random_seed) {}

  absl::StatusOr<Proposals> Suggest(const strategies::SuggestContext& context) const override {
    if (context.replay == nullptr) {
      ++script_->suggests;
      if (script_->on_suggest) script_->on_suggest(context.stop);
    }
    Proposals result;
    core::Basis& basis = result.basis;
    basis.known_prefix = static_cast<int64_t>(history_.size());
    basis.fingerprint = script_->fingerprint;
    Model model = model_;
    if (context.replay != nullptr) {
      model = {context.replay->history_prefix, context.replay->warm_start_prefix};
      basis.kind = context.replay->kind;
    } else {
      const bool stopped = context.stop != nullptr && *context.stop;
      const bool fresh = history_.size() < static_cast<size_t>(model.prefix + script_->fit_every);
      basis.kind = stopped || (model.prefix == 0 && !history_.empty()) ? Kind::kFallback
                   : fresh                                             ? Kind::kFresh
                                                                       : Kind::kLastFit;
    }
    if (basis.kind == Kind::kFallback) model = {};
    basis.history_prefix = model.prefix;
    basis.warm_start_prefix = model.warm_start_prefix;
    uint64_t hash = Mix(seed_, static_cast<uint64_t>(basis.kind));
    for (const uint64_t result_hash : history_) hash = Mix(hash, result_hash);
    for (int64_t i = 0; i < model.prefix; ++i) hash = Mix(hash, ~history_[static_cast<size_t>(i)]);
    hash = Mix(hash, static_cast<uint64_t>(model.warm_start_prefix));
    for (const strategies::PendingTrial& pending : context.pending) {
      basis.pending_trials.push_back(pending.number);
      hash = Mix(hash, HashOf(pending.parameters));
    }
    hash = Mix(hash, static_cast<uint64_t>(context.count));
    for (int32_t i = 0; i < context.count; ++i) {
      hash = Mix(hash, static_cast<uint64_t>(context.ordinal + i));
      if (script_->reuses && !completed_.empty() && hash % 4 == 0) {
        const core::Trial& again = completed_[hash / 4 % completed_.size()];
        result.proposals.push_back(strategies::NewTrial{.parameters = again.parameters, .reused_trial = again.number});
        continue;
      }
      core::Rng rng(hash, 0);
      std::vector<double> units(space_.parameters().size());
      for (double& u : units) u = rng.NextDouble();
      result.proposals.push_back(strategies::NewTrial{.parameters = space_.PointFromUnits(units)});
    }
    return result;
  }

  void Observe(const strategies::Observation& observation) override {
    const core::Trial& trial = std::get<strategies::Finished>(observation).trial;
    const uint64_t state = static_cast<uint64_t>(trial.state);
    if (trial.state == core::TrialState::kCompleted) completed_.push_back(trial);
    history_.push_back(Mix(Mix(HashOf(trial.parameters), state), std::bit_cast<uint64_t>(trial.objective.value_or(0))));
  }

  std::unique_ptr<strategies::FitTask> BeginFit() const override {
    const auto known = static_cast<int64_t>(history_.size());
    if (known < model_.prefix + script_->fit_every) return nullptr;
    return std::make_unique<ScriptedFit>(script_, Model{known, model_.prefix});
  }

  void InstallFit(std::unique_ptr<strategies::FitTask> task) override {
    const Model& model = static_cast<ScriptedFit&>(*task).model;
    if (model.prefix > model_.prefix) model_ = model;
  }

 private:
  Script* const script_;
  const core::SearchSpace space_;
  const uint64_t seed_;
  std::vector<uint64_t> history_;
  std::vector<core::Trial> completed_;
  Model model_;
};

}  // namespace

std::unique_ptr<strategies::Strategy> MakeScriptedStrategy(Script* script, const core::JobSpec& spec) {
  return std::make_unique<ScriptedStrategy>(script, spec);
}

core::SearchSpace ScriptedSpace() {
  core::Parameter x;
  x.name = "x";
  x.domain = core::DoubleDomain{0, 1, core::Scale::kLinear, std::nullopt, std::nullopt};
  return core::SearchSpace::Make({x});
}

}  // namespace tuner::testing
