#include "tuner/engine/replay.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <memory>
#include <utility>
#include <variant>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/definitions.h"
#include "tuner/engine/history.h"

namespace tuner::engine {
namespace {

bool Identical(const core::ParameterValue& a, const core::ParameterValue& b) {
  const auto* x = std::get_if<double>(&a);
  const auto* y = std::get_if<double>(&b);
  if (x != nullptr && y != nullptr) return std::bit_cast<uint64_t>(*x) == std::bit_cast<uint64_t>(*y);
  return a == b;
}

bool IsNumber(const core::ParameterValue& value) {
  return std::holds_alternative<double>(value) || std::holds_alternative<int64_t>(value);
}

double Distance(const core::SearchSpace& space, const std::string& name, const core::ParameterValue& a,
                const core::ParameterValue& b) {
  if (Identical(a, b)) return 0;
  const std::optional<int> index = space.Find(name);
  if (!index || a.index() != b.index() || !IsNumber(a)) return 1;
  return std::abs(space.ToUnit(*index, a) - space.ToUnit(*index, b));
}

// The job's strategy as it was when a number of trials had finished.
class PastStrategy {
 public:
  PastStrategy(const core::JobSpec& spec, const MakeStrategy& make, std::vector<strategies::Observation> history)
      : spec_(spec), make_(make), history_(std::move(history)) {}

  absl::StatusOr<const strategies::Strategy*> At(int64_t known) {
    if (known > static_cast<int64_t>(history_.size())) {
      return absl::DataLossError(
          absl::StrCat("was proposed when ", known, " results were known, but ", history_.size(), " are stored"));
    }
    if (strategy_ == nullptr || known < observed_) {
      absl::StatusOr<std::unique_ptr<strategies::Strategy>> made = make_(spec_);
      if (!made.ok()) return made.status();
      strategy_ = *std::move(made);
      observed_ = 0;
    }
    for (; observed_ < known; ++observed_) strategy_->Observe(history_[static_cast<size_t>(observed_)]);
    return strategy_.get();
  }

 private:
  const core::JobSpec& spec_;
  const MakeStrategy& make_;
  const std::vector<strategies::Observation> history_;
  std::unique_ptr<strategies::Strategy> strategy_;
  int64_t observed_ = 0;
};

using TrialsByNumber = absl::flat_hash_map<int32_t, const core::Trial*>;

// What the strategy of one definition proposed; adds to the report of the whole job.
class Replayer {
 public:
  Replayer(const core::JobSpec& spec, const TrialsByNumber& trials, std::vector<strategies::Observation> history,
           const MakeStrategy& make, ReplayReport& report)
      : spec_(spec), trials_(trials), past_(spec, make, std::move(history)), report_(report) {}

  // Trials that one call of the strategy proposed.
  absl::Status Recompute(absl::Span<const core::Trial* const> batch) {
    const core::Basis& basis = batch.front()->basis;
    absl::StatusOr<const strategies::Strategy*> strategy = past_.At(basis.known_prefix);
    if (!strategy.ok()) return About(*batch.front(), strategy.status());
    strategies::SuggestContext context;
    context.ordinal = basis.first_ordinal;
    context.count = basis.asked_count;
    context.replay = &basis;
    std::vector<strategies::PendingTrial> pending;
    for (const int32_t number : basis.pending_trials) {
      auto it = trials_.find(number);
      if (it == trials_.end()) {
        return About(*batch.front(), absl::DataLossError(absl::StrCat("its pending trial ", number, " is not stored")));
      }
      pending.push_back({number, it->second->parameters});
    }
    context.pending = pending;
    absl::StatusOr<strategies::Proposals> again = (*strategy)->Suggest(context);
    if (!again.ok()) return About(*batch.front(), again.status());
    report_.fingerprint = again->basis.fingerprint;
    for (const core::Trial* trial : batch) {
      const auto place = static_cast<size_t>(*trial->ordinal - basis.first_ordinal);
      const auto* proposal = place < again->proposals.size() ? &again->proposals[place] : nullptr;
      Compare(*trial, proposal);
    }
    return absl::OkStatus();
  }

 private:
  static absl::Status About(const core::Trial& trial, const absl::Status& status) {
    return absl::Status(status.code(), absl::StrCat("trial ", trial.number, ": ", status.message()));
  }

  void Compare(const core::Trial& trial, const strategies::NewTrial* proposal) {
    ++report_.suggestions;
    ++report_.by_kind[trial.basis.kind];
    const bool same_machine = trial.basis.fingerprint == report_.fingerprint;
    if (!same_machine) report_.other_fingerprints.insert(trial.basis.fingerprint);
    const bool same_kind =
        proposal != nullptr && (proposal->reused_trial > 0) == (trial.origin == core::TrialOrigin::kReused);
    const std::optional<ReplayDifference> difference =
        same_kind ? Largest(trial.parameters, proposal->parameters) : ReplayDifference();
    if (!difference) {
      ++report_.identical;
    } else if (!same_machine && difference->distance <= kReplayTolerance) {
      ++report_.close;
    } else {
      ++report_.different;
      if (report_.first_difference) return;
      report_.first_difference = difference;
      report_.first_difference->trial = trial.number;
      report_.first_difference->stored_fingerprint = trial.basis.fingerprint;
    }
  }

  // The parameter whose values are farthest apart; nullopt: all are identical.
  std::optional<ReplayDifference> Largest(const core::ParameterMap& stored, const core::ParameterMap& again) const {
    std::optional<ReplayDifference> largest;
    const auto consider = [&](ReplayDifference difference) {
      if (!largest || difference.distance > largest->distance) largest = std::move(difference);
    };
    for (const auto& [name, value] : stored) {
      auto it = again.find(name);
      if (it == again.end()) {
        consider({.parameter = name, .stored = value});
      } else if (!Identical(value, it->second)) {
        consider({.parameter = name,
                  .stored = value,
                  .recomputed = it->second,
                  .distance = Distance(spec_.space, name, value, it->second)});
      }
    }
    for (const auto& [name, value] : again) {
      if (!stored.contains(name)) consider({.parameter = name, .recomputed = value});
    }
    return largest;
  }

  const core::JobSpec& spec_;
  const TrialsByNumber& trials_;
  PastStrategy past_;
  ReplayReport& report_;
};

// `proposed` by its strategy, in order of ordinals.
absl::Status ReplayDefinition(Replayer& replayer, absl::Span<const core::Trial* const> proposed,
                              const std::function<bool()>& cancelled) {
  for (auto begin = proposed.begin(); begin != proposed.end();) {
    if (cancelled && cancelled()) return absl::CancelledError("the replay was cancelled");
    const auto end = std::find_if(begin, proposed.end(), [&](const core::Trial* trial) {
      return trial->basis.first_ordinal != (*begin)->basis.first_ordinal;
    });
    if (absl::Status status = replayer.Recompute({begin, static_cast<size_t>(end - begin)}); !status.ok()) {
      return status;
    }
    begin = end;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ReplayReport> Replay(const core::JobSpec& spec, std::vector<core::Trial> trials,
                                    const MakeStrategy& make, const std::function<bool()>& cancelled) {
  ReplayReport report;
  TrialsByNumber by_number;
  std::vector<std::vector<const core::Trial*>> proposed(static_cast<size_t>(core::DefinitionCount(spec)));
  for (const core::Trial& trial : trials) {
    by_number.emplace(trial.number, &trial);
    if (!trial.ordinal) continue;
    if (trial.basis.asked_count > 0) {
      proposed[core::DefinitionIndex(spec, trial)].push_back(&trial);
    } else {
      ++report.not_recorded;
    }
  }
  for (int i = 0; i < core::DefinitionCount(spec); ++i) {
    std::ranges::sort(proposed[i], {}, [](const core::Trial* trial) { return *trial->ordinal; });
    const core::JobSpec& definition = core::DefinitionAt(spec, i);
    Replayer replayer(definition, by_number, HistoryOf(trials, definition.definition), make, report);
    absl::Status status = ReplayDefinition(replayer, proposed[i], cancelled);
    if (!status.ok()) return status;
  }
  return report;
}

}  // namespace tuner::engine
