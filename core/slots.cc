// Slots of executors that all jobs of a server share: what a job wants of them, takes, and says while it waits.
#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/machine.h"

namespace tuner::core {

int Machine::GrantedOn(int definition, int executor_index) const {
  const auto& shared = state_.live.shared_slots;
  const auto found = shared.find(DefinitionAt(state_.spec(), definition).trial.executors[executor_index].options.name);
  return found == shared.end() ? std::numeric_limits<int>::max() : found->second.granted;
}

void Machine::TakeSharedSlot(const std::string& executor) {
  const auto found = state_.live.shared_slots.find(executor);
  if (found != state_.live.shared_slots.end()) --found->second.granted;
}

// A trial that would start if the server had a slot for it.
bool Machine::IsReady(const Trial& trial) const {
  return (!trial.retry_time || *trial.retry_time <= at_) && MayStart(trial);
}

// The executor of a definition that has room by the job's own limits, and no slot of the server's; null: none.
const ExecutorChoice* Machine::AwaitedExecutor(int definition) const {
  if (FreeSlots() == 0 || FreeExecutor(definition, /*external=*/false)) return nullptr;
  const std::vector<ExecutorChoice>& executors = DefinitionAt(state_.spec(), definition).trial.executors;
  for (int i = 0; i < static_cast<int>(executors.size()); ++i) {
    if (!executors[i].lease && OwnSlotsOn(definition, i) > 0) return &executors[i];
  }
  return nullptr;
}

void Machine::ExplainWaiting() {
  if (state_.live.shared_slots.empty() || state_.queued().empty()) return;
  int left = FreeSlots();  // those beyond wait for the job's own limit
  const std::vector<int32_t> queued(state_.queued().begin(), state_.queued().end());
  for (int32_t number : queued) {
    if (left == 0) return;
    const Trial& waiting = *state_.FindTrial(number);
    if (!IsReady(waiting)) continue;
    const ExecutorChoice* awaited = AwaitedExecutor(DefinitionIndex(state_.spec(), waiting));
    if (awaited == nullptr) continue;
    --left;
    const std::string& name = awaited->options.name;
    const int total = state_.live.shared_slots.at(name).total;
    const std::string what = total == 1 ? absl::StrCat("waits for the server's only slot of ", name)
                                        : absl::StrCat("waits for one of the server's ", total, " slots of ", name);
    if (absl::EndsWith(waiting.reason, what)) continue;
    Trial trial = waiting;
    trial.reason = trial.reason == kWaitsForASlot ? what : absl::StrCat(trial.reason, "; ", what);
    Put(std::move(trial));
  }
}

void Machine::WantSharedSlots() {
  for (auto& [name, shared] : state_.live.shared_slots) {
    shared.wanted = job_starts_trials() ? WantedOn(name) : 0;
    shared.granted = std::min(shared.granted, shared.wanted);  // what it has no use for goes back
  }
}

int Machine::WantedOn(const std::string& executor) const {
  int room = 0;
  std::vector<bool> has_it(static_cast<size_t>(state_.definition_count()), false);  // by definition
  for (int d = 0; d < state_.definition_count(); ++d) {
    const std::vector<ExecutorChoice>& executors = DefinitionAt(state_.spec(), d).trial.executors;
    for (int i = 0; i < static_cast<int>(executors.size()); ++i) {
      if (executors[i].options.name != executor) continue;
      room += OwnSlotsOn(d, i);
      has_it[d] = true;
    }
  }
  room = std::min(room, FreeSlots());
  int wanted = 0;
  for (auto it = state_.queued().begin(); it != state_.queued().end() && wanted < room; ++it) {
    const Trial& trial = *state_.FindTrial(*it);
    wanted += has_it[DefinitionIndex(state_.spec(), trial)] && IsReady(trial) ? 1 : 0;
  }
  for (int d = 0; d < state_.definition_count() && wanted < room; ++d) {
    if (has_it[d] && MayPropose(d)) wanted += state_.tally(d).paused == 0 ? StartableNew() : room;
  }
  return std::min(room, wanted);
}

}  // namespace tuner::core
