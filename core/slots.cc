// Slots of executors that all jobs of a server share: what a job wants of them, takes, and says while it waits.
#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/machine.h"

namespace tuner::core {

int Machine::GrantedOn(int executor_index) const {
  const auto& shared = state_.live.shared_slots;
  const auto found = shared.find(state_.spec().trial.executors[executor_index].options.name);
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

// The executor that has room by the job's own limits, and no slot of the server's.
std::optional<int> Machine::AwaitedExecutor() const {
  if (FreeSlots() == 0 || FreeExecutor(/*external=*/false)) return std::nullopt;
  for (int i = 0; i < state_.executor_count(); ++i) {
    if (!state_.external(i) && OwnSlotsOn(i) > 0) return i;
  }
  return std::nullopt;
}

void Machine::ExplainWaiting() {
  if (state_.live.shared_slots.empty() || state_.queued().empty()) return;
  const std::optional<int> awaited = AwaitedExecutor();
  if (!awaited) return;
  const std::string& name = state_.spec().trial.executors[*awaited].options.name;
  const int total = state_.live.shared_slots.at(name).total;
  const std::string what = total == 1 ? absl::StrCat("waits for the server's only slot of ", name)
                                      : absl::StrCat("waits for one of the server's ", total, " slots of ", name);
  int left = FreeSlots();  // those beyond wait for the job's own limit
  const std::vector<int32_t> queued(state_.queued().begin(), state_.queued().end());
  for (int32_t number : queued) {
    if (left == 0) return;
    const Trial& waiting = *state_.FindTrial(number);
    if (!IsReady(waiting)) continue;
    --left;
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
  for (int i = 0; i < state_.executor_count(); ++i) {
    if (state_.spec().trial.executors[i].options.name == executor) room += OwnSlotsOn(i);
  }
  room = std::min(room, FreeSlots());
  int ready = 0;
  for (auto it = state_.queued().begin(); it != state_.queued().end() && ready < room; ++it) {
    ready += IsReady(*state_.FindTrial(*it)) ? 1 : 0;
  }
  const bool may_propose = !state_.header().exhausted && !StrategyWaits();
  const int more = !may_propose ? 0 : state_.paused().empty() ? StartableNew() : room;
  return std::min(room, ready + more);
}

}  // namespace tuner::core
