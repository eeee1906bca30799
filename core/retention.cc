// Which trials' artefacts a job keeps, and when the others go.
//
// Only trials that have ended are looked at: what may yet be promoted, retried or resumed has not. One that is not
// among the best never will be again, as other trials are only added, so its artefacts may go while the job still runs.
#include <algorithm>
#include <set>
#include <vector>

#include "core/machine.h"
#include "core/objectives.h"

namespace tuner::core {
namespace {

// After a removal that failed: the engine is down, or a running job has the artefacts as an input.
constexpr absl::Duration kRemovalRetry = absl::Minutes(1);

}  // namespace

std::set<int32_t> Machine::KeptTrials() const {
  const JobSpec& spec = state_.spec();
  std::set<int32_t> kept;
  if (spec.artifacts.policy == ArtifactRetention::Policy::kKeepSuccessful) {
    for (const Trial& trial : state_.trials()) {
      if (trial.state == TrialState::kCompleted) kept.insert(trial.number);
    }
    return kept;
  }
  const std::vector<int32_t>& front = state_.header().pareto_front;
  kept.insert(front.begin(), front.end());
  if (state_.header().best_trial) kept.insert(*state_.header().best_trial);
  if (!spec.additional_objectives.empty()) return kept;
  // By definition: those that ran, so that there is something to keep.
  std::vector<std::vector<const Trial*>> ranked(static_cast<size_t>(state_.definition_count()));
  for (const Trial& trial : state_.trials()) {
    const bool counts = trial.state == TrialState::kCompleted && trial.objective && !trial.attempts.empty();
    if (counts && KeepsConstraints(spec, trial)) ranked[DefinitionIndex(spec, trial)].push_back(&trial);
  }
  for (int d = 0; d < state_.definition_count(); ++d) {
    const Objective& objective = DefinitionAt(spec, d).objective;
    const size_t count = std::min<size_t>(ranked[d].size(), spec.artifacts.best_count.value_or(1));
    std::partial_sort(ranked[d].begin(), ranked[d].begin() + static_cast<std::ptrdiff_t>(count), ranked[d].end(),
                      [&](const Trial* a, const Trial* b) {
                        if (*a->objective != *b->objective) return objective.Better(*a->objective, *b->objective);
                        return a->finish_seq < b->finish_seq;
                      });
    for (size_t i = 0; i < count; ++i) kept.insert(ranked[d][i]->number);
  }
  return kept;
}

void Machine::RemoveUnkeptArtifacts() {
  const ArtifactRetention& rule = state_.spec().artifacts;
  if (rule.policy == ArtifactRetention::Policy::kKeepAll) return;
  JobState::Volatile& live = state_.live;
  if (trials_ended_ || live.next_removal <= at_) {
    live.next_removal = absl::InfiniteFuture();
    const std::set<int32_t> kept = KeptTrials();
    for (const Trial& trial : state_.trials()) {
      if (!IsTerminal(trial.state) || kept.count(trial.number) > 0) continue;
      for (const Attempt& attempt : trial.attempts) {
        const RunRef run{trial.number, attempt.number};
        const bool of_worker = state_.spec_of(trial).trial.executors[attempt.executor_index].lease.has_value();
        if (attempt.artifacts_remove_time || of_worker) continue;
        if (live.removing.count(run) > 0) continue;
        absl::Time due = trial.end_time.value_or(at_) + rule.after;
        if (const auto retry = live.removal_retries.find(run); retry != live.removal_retries.end()) {
          due = std::max(due, retry->second);
        }
        if (due > at_) {
          live.next_removal = std::min(live.next_removal, due);
        } else {
          live.removing.insert(run);
          decision_.effects.push_back(RemoveArtifacts{run, rule.remove_logs});
        }
      }
    }
  }
  PutNextRemoval();
}

// So that a server which has not loaded the ended job knows when to.
void Machine::PutNextRemoval() {
  std::optional<absl::Time> next;
  if (IsTerminal(state_.header().status)) {
    if (state_.live.next_removal != absl::InfiniteFuture()) next = state_.live.next_removal;
    // What is under way is begun again by the next server, if this one dies of it.
    if (!state_.live.removing.empty()) next = state_.header().next_artifact_removal.value_or(at_);
  }
  if (next == state_.header().next_artifact_removal) return;
  JobHeader header = state_.header();
  header.next_artifact_removal = next;
  PutJob(std::move(header));
}

void Machine::On(const ArtifactsRemoved& event) {
  state_.live.removing.erase(event.run);
  state_.live.next_removal = absl::InfinitePast();  // looked at anew, below
  const Trial* current = state_.FindTrial(event.run.trial);
  if (current == nullptr || event.run.attempt > static_cast<int32_t>(current->attempts.size())) return;
  if (!event.ok) {
    state_.live.removal_retries[event.run] = event.again ? at_ + kRemovalRetry : absl::InfiniteFuture();
    return;
  }
  state_.live.removal_retries.erase(event.run);
  Trial trial = *current;
  trial.attempts[event.run.attempt - 1].artifacts_remove_time = at_;
  Put(std::move(trial));
}

}  // namespace tuner::core
