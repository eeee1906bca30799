#include "strategies/hyperband_strategy.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "strategies/bayesian_strategy.h"
#include "strategies/hyperband_brackets.h"
#include "strategies/random_strategy.h"
#include "tuner/v1/strategies.pb.h"

namespace tuner::strategies {
namespace {

constexpr int32_t kDefaultEta = 3;
constexpr int32_t kMaxEta = 16;
constexpr int32_t kMaxResource = 20'000;
constexpr double kWorst = std::numeric_limits<double>::infinity();

int64_t MinResource(const v1::HyperbandStrategy& options) {
  return options.has_min_resource() ? options.min_resource() : 1;
}
int32_t Eta(const v1::HyperbandStrategy& options) { return options.has_eta() ? options.eta() : kDefaultEta; }
// Unless told: all of a synchronous job, as in the paper; one of an asynchronous one, where more of them reach a target
// later (docs/multi-fidelity.md).
int BracketCount(const v1::HyperbandStrategy& options) {
  const int all = CountBrackets(MinResource(options), options.max_resource(), Eta(options));
  return std::min(all, options.has_brackets() ? options.brackets() : options.synchronous() ? all : 1);
}

// A result at a rung; lower is better.
struct Entry {
  double value = 0;
  int32_t trial = 0;

  auto operator<=>(const Entry&) const = default;
};
struct Place {
  int64_t group = 0;
  int bracket = 0;
  int64_t begin = 0;  // first ordinal of its round of the bracket
};

// Trials that are compared with each other.
struct Group {
  Place first;                            // of its first entry
  std::vector<std::vector<Entry>> rungs;  // in order of value
};

class HyperbandStrategy : public Strategy {
 public:
  HyperbandStrategy(const core::JobSpec& spec, const v1::HyperbandStrategy& options, std::unique_ptr<Strategy> sampler)
      : goal_(spec.objective.goal),
        eta_(Eta(options)),
        synchronous_(options.synchronous()),
        brackets_(MakeBrackets(MinResource(options), options.max_resource(), eta_, BracketCount(options))),
        sampler_(std::move(sampler)) {
    for (const Bracket& bracket : brackets_) round_size_ += bracket.size();
  }

  absl::StatusOr<Proposals> Suggest(const SuggestContext& context) const override {
    Proposals result;
    result.basis.kind = core::Basis::Kind::kFresh;
    const bool full = context.new_trials == 0;
    if (context.replay == nullptr) result.promotions = Promotions(context, full);
    const auto promoted = static_cast<int32_t>(result.promotions.size());
    const int32_t new_trials = std::min(context.new_trials.value_or(context.count), context.count - promoted);
    std::string exhausted;
    if (new_trials > 0) {
      // What is paused has been observed.
      std::vector<PendingTrial> running;
      for (const PendingTrial& trial : context.pending) {
        if (!trial.paused) running.push_back(trial);
      }
      SuggestContext inner = context;
      inner.pending = running;
      inner.count = new_trials;
      inner.new_trials.reset();
      absl::StatusOr<Proposals> sampled = sampler_->Suggest(inner);
      if (!sampled.ok()) return sampled.status();
      int64_t ordinal = context.ordinal;
      for (NewTrial& trial : sampled->proposals) {
        trial.resource = brackets_[static_cast<size_t>(PlaceOf(ordinal++).bracket)].rungs.front().steps;
      }
      result.proposals = std::move(sampled->proposals);
      result.basis = std::move(sampled->basis);
      exhausted = std::move(sampled->exhausted_reason);
    }
    result.basis.known_prefix = observed_;
    const bool stopped = exhausted.empty() && new_trials > 0;
    // Brackets that are not full stay so when there is no other point.
    if (result.proposals.empty() && promoted == 0 && !exhausted.empty() && context.replay == nullptr) {
      result.promotions = Promotions(context, /*full=*/true);
      if (!result.promotions.empty()) return result;
    }
    if (result.proposals.empty() && promoted == 0 && !stopped) {
      // Not for good, as long as what runs may still be promoted.
      result.exhausted = !exhausted.empty() && context.pending.empty();
      result.waiting = !result.exhausted;
      result.exhausted_reason = exhausted;
      result.waiting_reason = absl::StrCat("no paused trial is among the best 1/", eta_, " of its rung",
                                           exhausted.empty() ? "" : "; ", exhausted);
    }
    return result;
  }

  void Observe(const Observation& observation) override {
    ++observed_;
    sampler_->Observe(observation);
    if (const auto* reached = std::get_if<RungReached>(&observation)) {
      if (!reached->trial.ordinal) return;  // a user's, which runs in full
      const core::RungResult& rung = reached->trial.rungs.back();
      Enter(reached->trial, rung.resource, goal_ == core::Goal::kMinimize ? rung.objective : -rung.objective);
      return;
    }
    const core::Trial& trial = std::get<Finished>(observation).trial;
    if (!trial.ordinal) return;
    ended_.insert(trial.number);
    const bool at_rung = !trial.rungs.empty() && trial.rungs.back().resource == trial.resource;
    if (!at_rung && trial.state != core::TrialState::kCompleted) Enter(trial, trial.resource, kWorst);
  }

  std::unique_ptr<FitTask> BeginFit() const override { return sampler_->BeginFit(); }
  void InstallFit(std::unique_ptr<FitTask> task) override { sampler_->InstallFit(std::move(task)); }
  std::shared_ptr<const ModelView> model() const override { return sampler_->model(); }

 private:
  Place PlaceOf(int64_t ordinal) const {
    const int64_t round = ordinal / round_size_;
    int64_t begin = round * round_size_;
    int bracket = 0;
    while (ordinal >= begin + brackets_[static_cast<size_t>(bracket)].size()) {
      begin += brackets_[static_cast<size_t>(bracket++)].size();
    }
    const auto count = static_cast<int64_t>(brackets_.size());
    return {.group = synchronous_ ? round * count + bracket : bracket, .bracket = bracket, .begin = begin};
  }

  std::optional<size_t> RungOf(int bracket, int64_t steps) const {
    const std::vector<Rung>& rungs = brackets_[static_cast<size_t>(bracket)].rungs;
    const auto found = std::ranges::find(rungs, steps, &Rung::steps);
    if (found == rungs.end()) return std::nullopt;
    return static_cast<size_t>(found - rungs.begin());
  }

  void Enter(const core::Trial& trial, int64_t steps, double value) {
    const Place place = PlaceOf(*trial.ordinal);
    const std::optional<size_t> rung = RungOf(place.bracket, steps);
    if (!rung) return;
    const auto [group, added] = groups_.try_emplace(place.group, Group{.first = place, .rungs = {}});
    if (added) group->second.rungs.resize(brackets_[static_cast<size_t>(place.bracket)].rungs.size());
    std::vector<Entry>& entries = group->second.rungs[*rung];
    const Entry entry{value, trial.number};
    entries.insert(std::ranges::upper_bound(entries, entry), entry);
  }

  // How many of a rung's entries may go on; nullopt: more trials come to it, and none may before. `below`: the rung
  // under it, of which the best `members` come here; null: as many new trials do.
  std::optional<int64_t> Promotable(const std::vector<Entry>& rung, const std::vector<Entry>* below,
                                    int64_t members) const {
    const auto entries = static_cast<int64_t>(rung.size());
    if (!synchronous_) return entries / eta_;
    if (below == nullptr) return entries < members ? std::nullopt : std::optional(members / eta_);
    for (int64_t i = 0; i < members; ++i) {
      const int32_t trial = (*below)[static_cast<size_t>(i)].trial;
      if (!ended_.contains(trial) && std::ranges::find(rung, trial, &Entry::trial) == rung.end()) return std::nullopt;
    }
    return members / eta_;
  }

  // full: no new trials come.
  std::vector<ResumeTrial> Promotions(const SuggestContext& context, bool full) const {
    absl::flat_hash_map<int32_t, int64_t> paused;  // number, resource
    for (const PendingTrial& trial : context.pending) {
      if (trial.paused) paused.emplace(trial.number, trial.resource);
    }
    struct Candidate {
      int64_t from = 0;
      int64_t group = 0;
      int64_t rank = 0;
      ResumeTrial promotion;
    };
    std::vector<Candidate> candidates;
    for (const auto& [id, group] : groups_) {
      const std::vector<Rung>& rungs = brackets_[static_cast<size_t>(group.first.bracket)].rungs;
      // Of a synchronous bracket that is not full yet, more come unless there is no room for them.
      int64_t members = rungs.front().size;
      if (full) members = std::min(members, context.ordinal - group.first.begin);
      for (size_t i = 0; i + 1 < rungs.size(); ++i) {
        const std::optional<int64_t> best = Promotable(group.rungs[i], i == 0 ? nullptr : &group.rungs[i - 1], members);
        if (!best) break;
        const int64_t ranked = std::min(*best, static_cast<int64_t>(group.rungs[i].size()));
        for (int64_t rank = 0; rank < ranked; ++rank) {
          const Entry& entry = group.rungs[i][static_cast<size_t>(rank)];
          const auto found = paused.find(entry.trial);
          if (entry.value == kWorst || found == paused.end() || found->second != rungs[i].steps) continue;
          candidates.push_back(
              {rungs[i].steps, id, rank,
               ResumeTrial{.trial = entry.trial,
                           .resource = rungs[i + 1].steps,
                           .reason = absl::StrCat("number ", rank + 1, " of ", group.rungs[i].size(), " at resource ",
                                                  rungs[i].steps, ", where the best ", *best, " go on")}});
        }
        members = ranked;
      }
    }
    std::ranges::sort(candidates, {}, [](const Candidate& c) { return std::tuple(-c.from, c.group, c.rank); });
    std::vector<ResumeTrial> promotions;
    for (Candidate& candidate : candidates) {
      if (static_cast<int32_t>(promotions.size()) == context.count) break;
      promotions.push_back(std::move(candidate.promotion));
    }
    return promotions;
  }

  const core::Goal goal_;
  const int eta_;
  const bool synchronous_;
  const std::vector<Bracket> brackets_;
  const std::unique_ptr<Strategy> sampler_;
  int64_t round_size_ = 0;  // of all brackets once

  int64_t observed_ = 0;
  std::map<int64_t, Group> groups_;
  absl::flat_hash_set<int32_t> ended_;
};

v1::HyperbandStrategy OptionsOf(const core::JobSpec& spec) {
  v1::HyperbandStrategy options;
  options.ParseFromString(spec.strategy.bytes);  // `Validate` says when it cannot be read
  return options;
}

BayesianSettings SettingsOfSampler() {
  BayesianSettings settings;
  settings.random_every = 4;
  return settings;
}

// With fewer trials than this a model has hardly begun when they are over.
constexpr int32_t kLeastTrialsForModel = 20;

absl::StatusOr<std::unique_ptr<Strategy>> Make(const core::JobSpec& spec) {
  const v1::HyperbandStrategy options = OptionsOf(spec);
  core::JobSpec sampled = spec;
  sampled.strategy.bytes.clear();  // the sampler's own options are its defaults
  const bool model = options.sampler() == v1::HyperbandStrategy::MODEL;
  absl::StatusOr<std::unique_ptr<Strategy>> sampler =
      model ? MakeBayesianStrategy(sampled, SettingsOfSampler()) : RandomStrategyKind().make(sampled);
  if (!sampler.ok()) return sampler.status();
  return std::make_unique<HyperbandStrategy>(spec, options, *std::move(sampler));
}

core::Problems Validate(const core::JobSpec& spec) {
  v1::HyperbandStrategy options;
  if (!options.ParseFromString(spec.strategy.bytes)) return {{"strategy.hyperband", "cannot be read; send it again"}};
  core::Problems problems;
  const auto check = [&](bool ok, const char* field, std::string text) {
    if (!ok) problems.push_back({absl::StrCat("strategy.hyperband.", field), std::move(text)});
  };
  const int64_t min = MinResource(options);
  const int64_t max = options.max_resource();
  check(max >= 1 && max <= kMaxResource, "max_resource",
        max == 0 ? absl::StrCat("is missing; give the steps of a trial that is never stopped, 1 to ", kMaxResource)
                 : absl::StrCat("is ", max, "; give 1 to ", kMaxResource));
  check(min >= 1, "min_resource", absl::StrCat("is ", min, "; give 1 or more"));
  check(max < 1 || min <= max, "min_resource", absl::StrCat("is ", min, ", above max_resource ", max, "; lower it"));
  const int32_t eta = Eta(options);
  check(eta >= 2 && eta <= kMaxEta, "eta", absl::StrCat("is ", eta, "; give 2 to ", kMaxEta));
  check(!options.has_brackets() || options.brackets() >= 1, "brackets",
        absl::StrCat("is ", options.brackets(), "; give 1 or more"));
  if (!problems.empty() || !options.has_brackets()) return problems;
  const int all = CountBrackets(min, max, eta);
  check(options.brackets() <= all, "brackets",
        absl::StrCat("is ", options.brackets(), ", and these resources allow ", all, "; give 1 to ", all));
  return problems;
}

int64_t TrialCount(const core::JobSpec&) { return 0; }

// What was left out, filled in.
std::string Resolve(const core::JobSpec& spec) {
  v1::HyperbandStrategy options = OptionsOf(spec);
  options.set_min_resource(static_cast<int32_t>(MinResource(options)));
  options.set_eta(Eta(options));
  options.set_brackets(BracketCount(options));
  if (options.sampler() == v1::HyperbandStrategy::AUTO ||
      options.sampler() == v1::HyperbandStrategy::SAMPLER_UNSPECIFIED) {
    const bool few = spec.limits.max_trials.value_or(kLeastTrialsForModel) < kLeastTrialsForModel;
    options.set_sampler(few ? v1::HyperbandStrategy::RANDOM : v1::HyperbandStrategy::MODEL);
  }
  return options.SerializeAsString();
}

}  // namespace

StrategyKind HyperbandStrategyKind() {
  return {.name = "hyperband",
          .description = "Hyperband: many trials on few steps, the best of them on more; asynchronous unless told.",
          .make = &Make,
          .validate = &Validate,
          .trial_count = &TrialCount,
          .resolve = &Resolve};
}

}  // namespace tuner::strategies
